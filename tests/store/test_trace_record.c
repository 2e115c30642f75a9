/* store/trace_record - what a run writes down; test_trace_read.c reads it */
#include "store/trace_record.h"

#include "base/fault.h"
#include "base/log.h"
#include "harness.h"

static const char *trace_path(void)
{
    static char path[128];

    snprintf(path, sizeof path, "%s/a.trace", harness_temporary_folder());
    return path;
}

static long file_bytes(const char *path)
{
    FILE *stream = fopen(path, "rb");
    if (!stream) return -1;
    fseek(stream, 0, SEEK_END);
    long n = ftell(stream);
    fclose(stream);
    return n;
}

TEST(every_record_reaches_the_file)
{
    static const uint64_t expert_bytes[] = {100, 200};
    Recorder recorder;
    Error err = {0};
    CHECK(recorder_open(&recorder, trace_path(), expert_bytes, 2, 8, &err));

    uint64_t held = ledger_held(MEM_OTHER);
    for (uint32_t i = 0; i < 5000; i++) // more than the buffer holds
        recorder_add(&recorder, (Record){.kind = RECORD_READ, .number = i});
    CHECK(ledger_held(MEM_OTHER) == held);
    recorder_close(&recorder);
    CHECK(file_bytes(trace_path()) == (long)(sizeof(RecordHeader) + 16 + 5000 * sizeof(Record)));
    CHECK(ledger_held(MEM_OTHER) == 0);
}

TEST(a_full_disk_ends_the_recording_and_nothing_else)
{
    Recorder recorder;
    Error err = {0};

    log_set_level(LOG_QUIET);
    CHECK(recorder_open(&recorder, "/dev/full", NULL, 0, 0, &err));
    CHECK(!recorder.is_open);
    for (uint32_t i = 0; i < 5000; i++) recorder_add(&recorder, (Record){.kind = RECORD_READ});
    recorder_close(&recorder);
    log_set_level(LOG_WARN);
    CHECK(ledger_held(MEM_OTHER) == 0);
}

TEST(a_file_that_cannot_be_opened_is_named)
{
    Recorder recorder;
    Error err = {0};

    CHECK(!recorder_open(&recorder, "/nonexistent/x", NULL, 0, 0, &err));
    CHECK_ERROR(err, ERROR_WRITE);
    CHECK(strstr(err.message, "/nonexistent/x"));
    for (uint64_t nth = 1; nth <= 2; nth++) {
        fault_arm(FAULT_ALLOC, nth, false);
        CHECK(!recorder_open(&recorder, trace_path(), NULL, 0, 0, &err));
        fault_arm(FAULT_ALLOC, 0, false);
        CHECK_ERROR(err, ERROR_OUT_OF_MEMORY);
    }
    CHECK(ledger_held(MEM_OTHER) == 0);
}

TEST(a_zeroed_recorder_records_nothing)
{
    Recorder recorder = {0};

    recorder_add(&recorder, (Record){.kind = RECORD_READ});
    CHECK(recorder.n == 0);
    recorder_close(&recorder);
}
