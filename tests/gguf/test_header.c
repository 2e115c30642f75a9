/* tests/gguf/test_header.c - a file is taken as a whole or refused with a reason: magic,
 * version, counts, alignment, cuts at every byte, and noise. */
#include <inttypes.h>
#include <sys/stat.h>

#include "base/fault.h"
#include "base/rng.h"
#include "gguf/raw.h"
#include "gguf/visit.h"

#define U64_MAX UINT64_MAX

TEST(a_small_file_opens)
{
    Error err = {0};

    raw_make_small();
    GgufFile *gguf = raw_open(GGUF_TENSOR_DATA, &err);
    if (!CHECK(gguf)) return;

    CHECK(gguf_version(gguf) == 3);
    CHECK(gguf_n_shards(gguf) == 1);
    CHECK(gguf_n_keys(gguf) == 16);
    CHECK(gguf_n_tensors(gguf) == 2);
    CHECK(gguf_trailing_bytes(gguf) == 0);
    CHECK(gguf_header_bytes(gguf) <= raw.n_bytes - RAW_SMALL_DATA_BYTES);
    CHECK(gguf_header_bytes(gguf) > raw.n_bytes - RAW_SMALL_DATA_BYTES - 32);
    CHECK(gguf_tensor(gguf, 1)->offset_bytes == raw.n_bytes - 20);
    CHECK(err.id == ERROR_NONE);
    gguf_close(gguf);
    CHECK(ledger_total() == 0);
}

TEST(versions_two_and_three_are_read)
{
    static const struct {
        uint32_t version;
        const char *words; // NULL: fine
    } cases[] = {
        {0, "version 0 at byte 4, not 2 or 3"},
        {1, "version 1 at byte 4, not 2 or 3"},
        {2, NULL},
        {3, NULL},
        {4, "version 4 at byte 4, not 2 or 3"},
        {UINT32_MAX, "version 4294967295"},
        {0x03000000, "big-endian"},
        {0x02000000, "big-endian"},
    };

    for (size_t i = 0; i < COUNT(cases); i++) {
        raw_make_small();
        memcpy(raw.data + 4, &cases[i].version, 4);
        if (cases[i].words)
            raw_check_refused("version", ERROR_FORMAT_VERSION, cases[i].words);
        else
            raw_check_opens("version");
    }
}

TEST(other_formats_are_told_by_their_magic)
{
    static const char *const magics[] = {"FUGG", "ggml", "PK\3\4", "gguf", "GGUg", "<htm"};

    for (size_t i = 0; i < COUNT(magics); i++) {
        raw_make_small();
        memcpy(raw.data, magics[i], 4);
        raw_check_refused(magics[i], ERROR_FORMAT_MAGIC, "not a GGUF file");
    }
}

TEST(counts_are_bounded_before_anything_is_allocated)
{
    // An entry of 15 bytes and more is behind the counts.
    static const uint64_t counts[] = {
        2, 65536, 65537, INT32_MAX, UINT32_MAX, UINT64_C(1) << 63, U64_MAX};

    for (size_t i = 0; i < COUNT(counts); i++) {
        ErrorId id = counts[i] > 65536 ? ERROR_FORMAT_COUNT : ERROR_FORMAT_TRUNCATED;
        char label[64];
        snprintf(label, sizeof label, "%" PRIu64 " keys", counts[i]);
        raw_begin(3, 0, counts[i]);
        raw_key("k", GGUF_U8);
        raw_u8(1);
        raw_check_refused(label, id, label);

        snprintf(label, sizeof label, "%" PRIu64 " tensors", counts[i]);
        raw_begin(3, counts[i], 0);
        raw_tensor("x", QUANT_F32, 1, 1, 0);
        raw_check_refused(label, id, label);
    }
}

TEST(a_file_without_keys_and_tensors_is_one)
{
    raw_begin(3, 0, 0);
    raw_check_opens("nothing");
}

TEST(every_cut_is_noticed)
{
    raw_make_small();
    size_t header_bytes = raw.n_bytes - RAW_SMALL_DATA_BYTES;

    for (size_t n = 0; n < raw.n_bytes; n++) {
        Error err = {0};
        GgufFile *gguf = raw_open_part(n, GGUF_TENSOR_DATA, &err);
        CHECK(!gguf);
        CHECK_ERROR(err, ERROR_FORMAT_TRUNCATED);
        CHECK(strstr(err.message, n < 24 ? "byte" : "the file"));
        gguf_close(gguf);

        // Without data, a cut in the padding or behind it costs nothing.
        gguf = raw_open_part(n, GGUF_METADATA_ONLY, &err);
        if (n >= header_bytes) CHECK(gguf);
        if (n < header_bytes - 31) CHECK(!gguf);
        gguf_close(gguf);
    }
    CHECK(ledger_total() == 0);
}

TEST(a_cut_download_is_called_so)
{
    raw_make_small();
    raw.n_bytes -= 1;
    raw_check_refused_as("cut", GGUF_TENSOR_DATA, ERROR_FORMAT_TRUNCATED, "its header needs");
}

TEST(alignment_is_a_power_of_two_in_range)
{
    static const struct {
        uint32_t alignment;
        bool is_valid;
    } cases[] = {{0, false}, {1, false}, {4, false}, {7, false}, {8, true}, {16, true}, {32, true},
        {48, false}, {65536, true}, {65537, false}, {131072, false}, {0x80000000, false},
        {UINT32_MAX, false}};

    for (size_t i = 0; i < COUNT(cases); i++) {
        char label[16];
        snprintf(label, sizeof label, "is %u", cases[i].alignment);
        raw_begin(3, 1, 1);
        raw_key("general.alignment", GGUF_U32);
        raw_u32(cases[i].alignment);
        raw_tensor("x", QUANT_F32, 1, 1, 0);
        if (!cases[i].is_valid) {
            raw_check_refused(label, ERROR_FORMAT_ALIGNMENT, label);
            continue;
        }
        raw_pad(cases[i].alignment);
        size_t data_offset = raw.n_bytes;
        raw_f32(1);
        Error err = {0};
        GgufFile *gguf = raw_open(GGUF_TENSOR_DATA, &err);
        if (!CHECK_CASE(label, gguf)) continue;
        CHECK_CASE(label, gguf_tensor(gguf, 0)->offset_bytes == data_offset);
        gguf_close(gguf);
    }
}

TEST(alignment_of_another_type_is_refused_or_read_never_misread)
{
    raw_begin(3, 0, 1);
    raw_key("general.alignment", GGUF_STRING);
    raw_text("32");
    raw_check_refused("string", ERROR_KEY_TYPE, "'general.alignment' is string, not an integer");

    raw_begin(3, 0, 1);
    raw_key("general.alignment", GGUF_I32);
    raw_u32((uint32_t)-32);
    raw_check_refused("negative", ERROR_KEY_RANGE, "'general.alignment' is -32");

    raw_begin(3, 0, 1);
    raw_key("general.alignment", GGUF_I32);
    raw_u32(64);
    raw_check_opens("i32");
}

TEST(trailing_bytes_are_counted)
{
    static const size_t n_behind[] = {0, 1, 12, 13, 44, 100};

    for (size_t i = 0; i < COUNT(n_behind); i++) {
        Error err = {0};
        raw_make_small(); // 20 bytes of the last tensor, so 12 bytes are padding
        raw_zeros(n_behind[i]);
        GgufFile *gguf = raw_open(GGUF_TENSOR_DATA, &err);
        if (!CHECK(gguf)) continue;
        CHECK(gguf_trailing_bytes(gguf) == (n_behind[i] > 12 ? n_behind[i] - 12 : 0));
        gguf_close(gguf);
    }
}

/* Strings and arrays across and beyond what is loaded at first. */
TEST(a_long_header_is_loaded_piece_by_piece)
{
    enum { N = 100000 };
    Error err = {0};
    char token[16];

    raw_begin(3, 1, 3);
    raw_key("long", GGUF_STRING);
    raw_u64(1000000);
    for (uint32_t i = 0; i < 1000000; i++) raw_u8((uint8_t)('a' + i % 26));
    raw_array("tokens", GGUF_STRING, N);
    for (uint32_t i = 0; i < N; i++) {
        snprintf(token, sizeof token, "t%u", i);
        raw_text(token);
    }
    raw_key("last", GGUF_U32);
    raw_u32(17);
    raw_tensor("x", QUANT_F32, 1, 1, 0);
    size_t header_bytes = raw.n_bytes;
    raw_pad(32);
    raw_f32(1);

    GgufFile *gguf = raw_open(GGUF_TENSOR_DATA, &err);
    if (!CHECK(gguf)) return;
    CHECK(gguf_header_bytes(gguf) == header_bytes);
    CHECK(ledger_total() < header_bytes + 4096); // nothing is held beyond the header

    StringView text = {0};
    CHECK(gguf_get_string(gguf, "long", &text, &err) == GGUF_PRESENT);
    CHECK(text.n_bytes == 1000000);
    CHECK(text.data[999999] == 'a' + 999999 % 26);

    GgufArray tokens;
    uint64_t cursor = 0;
    uint32_t n = 0, n_wrong = 0;
    CHECK(gguf_get_array(gguf, "tokens", GGUF_STRING, &tokens, &err) == GGUF_PRESENT);
    for (; gguf_array_next_string(&tokens, &cursor, &text); n++) {
        snprintf(token, sizeof token, "t%u", n);
        n_wrong += !view_is(text, token);
    }
    CHECK(n == N);
    CHECK(n_wrong == 0);
    CHECK(view_is(gguf_tensor(gguf, 0)->name, "x"));
    gguf_close(gguf);
}

TEST(only_regular_files_are_opened)
{
    char path[256];
    const char *folder = harness_temporary_folder();
    Error err = {0};

    CHECK(!gguf_open(folder, GGUF_METADATA_ONLY, NULL, 0, &err));
    CHECK_ERROR(err, ERROR_FORMAT_NOT_A_FILE);

    snprintf(path, sizeof path, "%s/fifo", folder);
    CHECK(mkfifo(path, 0600) == 0);
    CHECK(!gguf_open(path, GGUF_METADATA_ONLY, NULL, 0, &err)); // and does not hang
    CHECK_ERROR(err, ERROR_FORMAT_NOT_A_FILE);

    CHECK(!gguf_open("/dev/zero", GGUF_METADATA_ONLY, NULL, 0, &err));
    CHECK_ERROR(err, ERROR_FORMAT_NOT_A_FILE);

    snprintf(path, sizeof path, "%s/absent.gguf", folder);
    CHECK(!gguf_open(path, GGUF_METADATA_ONLY, NULL, 0, &err));
    CHECK_ERROR(err, ERROR_FILE_OPEN);
    CHECK(strstr(err.message, "absent.gguf"));
    CHECK(ledger_total() == 0);
}

TEST(noise_is_read_or_refused)
{
    Rng rng = rng_seeded(harness_seed());
    uint64_t n_opened = 0, n_refused = 0, sum = 0;

    for (uint32_t i = 0; i < 20000; i++) {
        Error err = {0};
        raw_make_small();
        uint64_t n_changes = 1 + rng_below(&rng, 4);
        for (uint64_t k = 0; k < n_changes; k++)
            raw.data[rng_below(&rng, raw.n_bytes - RAW_SMALL_DATA_BYTES)] = (uint8_t)rng_next(&rng);

        GgufFile *gguf = raw_open(GGUF_TENSOR_DATA, &err);
        if (gguf) {
            n_opened++;
            sum += visit_everything(gguf, GGUF_TENSOR_DATA);
        } else {
            n_refused++;
            CHECK(error_exit_status(err.id) == 3);
            CHECK(err.message[0] != '\0');
        }
        gguf_close(gguf);
    }
    CHECK(n_opened > 100);
    CHECK(n_refused > 1000);
    CHECK(sum > 0);
    CHECK(ledger_total() == 0);
}

TEST(each_failing_allocation_and_read_is_a_clean_error)
{
    static const struct {
        FaultPoint point;
        ErrorId want;
    } cases[] = {{FAULT_ALLOC, ERROR_OUT_OF_MEMORY}, {FAULT_READ, ERROR_READ}};

    raw_make_small();
    for (size_t i = 0; i < COUNT(cases); i++) {
        uint64_t nth = 0;
        GgufFile *gguf = NULL;
        while (!gguf && nth < 1000) {
            Error err = {0};
            fault_arm(cases[i].point, ++nth, false);
            gguf = raw_open(GGUF_TENSOR_DATA, &err);
            if (gguf) break;
            CHECK(err.id == cases[i].want);
            CHECK(ledger_total() == 0);
        }
        fault_arm(cases[i].point, 0, false);
        CHECK(gguf);
        CHECK(nth > (cases[i].point == FAULT_ALLOC ? 5 : 1));
        gguf_close(gguf);
    }
    CHECK(ledger_total() == 0);
}
