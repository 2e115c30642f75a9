/* The buffer is written when it is full; what a run that is killed had in it is lost. */
#include "store/trace_record.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "base/log.h"
#include "sys/write.h"

#define BUFFER_RECORDS 2048u

_Static_assert(sizeof(Record) == 32, "no padding goes into the file");
_Static_assert(sizeof(RecordHeader) == 24, "no padding goes into the file");

static bool open_file(Recorder *recorder, const char *path, Error *err)
{
    recorder->path = mem_copy_text(MEM_OTHER, view_of(path), err);
    if (!recorder->path) return false;
    recorder->buffer = mem_alloc_array(MEM_OTHER, BUFFER_RECORDS, sizeof(Record), err);
    if (!recorder->buffer) return false;
    recorder->fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    recorder->is_open = recorder->fd >= 0;
    return recorder->is_open || error_set(err, ERROR_WRITE, "%s: %s", path, strerror(errno));
}

/* Writes, or ends the recording. */
static void put(Recorder *recorder, const void *data, size_t n_bytes)
{
    int failure = !recorder->is_open || write_all(recorder->fd, data, n_bytes) ? 0 : errno;

    if (failure == 0) return;
    log_warn("%s: the trace ends here: %s", recorder->path, strerror(failure));
    close(recorder->fd);
    recorder->is_open = false;
}

static void flush(Recorder *recorder)
{
    put(recorder, recorder->buffer, recorder->n * sizeof(Record));
    recorder->n = 0;
}

bool recorder_open(Recorder *recorder, const char *path, const uint64_t *expert_bytes,
    uint32_t n_layers, uint32_t n_expert, Error *err)
{
    RecordHeader header = {.magic = RECORD_MAGIC,
        .version = RECORD_VERSION,
        .record_bytes = sizeof(Record),
        .n_layers = n_layers,
        .n_expert = n_expert};

    *recorder = (Recorder){0};
    if (!open_file(recorder, path, err)) {
        recorder_close(recorder);
        return false;
    }
    put(recorder, &header, sizeof header);
    put(recorder, expert_bytes, n_layers * sizeof(uint64_t));
    return true;
}

void recorder_add(Recorder *recorder, Record record)
{
    if (!recorder->is_open) return;
    recorder->buffer[recorder->n++] = record;
    if (recorder->n == BUFFER_RECORDS) flush(recorder);
}

void recorder_close(Recorder *recorder)
{
    if (recorder->is_open) flush(recorder);
    if (recorder->is_open) close(recorder->fd);
    mem_free(MEM_OTHER, recorder->buffer);
    mem_free(MEM_OTHER, recorder->path);
    *recorder = (Recorder){0};
}
