/* tests/store/test_sidecar.c - checksums of pages, and their record (store/sidecar.h) */
#include "store/sidecar.h"

#include "base/fault.h"
#include "base/hash.h"
#include "base/rng.h"
#include "harness.h"

#define PAGE SIDECAR_PAGE_BYTES

/* Two files: three pages and a bit, and exactly one. */
#define FIRST_BYTES  (3 * PAGE + 100)
#define SECOND_BYTES PAGE

static uint8_t first[FIRST_BYTES], second[SECOND_BYTES];
static char path_a[] = "a", path_b[] = "b";
static const File files[2] = {{.path = path_a, .n_bytes = FIRST_BYTES, .modified_ns = 11},
    {.path = path_b, .n_bytes = SECOND_BYTES, .modified_ns = 12}};
static const SidecarSubject subject = {.files = files, .n_files = 2, .header_hash = 0xabcdef};

static void make(Sidecar *sidecar)
{
    Rng rng = rng_seeded(5);
    Error err = {0};

    rng_fill(&rng, first, sizeof first);
    rng_fill(&rng, second, sizeof second);
    CHECK(sidecar_init(sidecar, &subject, &err));
    sidecar_add(sidecar, 0, 0, first, 2ull * PAGE); // in pieces, as a scan brings them
    sidecar_add(sidecar, 0, 2ull * PAGE, first + 2ull * PAGE, PAGE + 100);
    sidecar_add(sidecar, 1, 0, second, SECOND_BYTES);
    sidecar_seal(sidecar);
}

/* A copy of n_bytes of the record, as if it had been read. */
static uint8_t *copy_record(const Sidecar *sidecar, uint64_t n_bytes)
{
    Error err = {0};
    uint8_t *data = mem_alloc(MEM_OTHER, n_bytes, &err);

    memcpy(data, sidecar->record, n_bytes);
    return data;
}

/* Is it refused, with everything as before? */
static bool is_refused(const SidecarSubject *about, uint8_t *data, uint64_t n_bytes, Error *err)
{
    Sidecar out = {.n_files = 77};

    *err = (Error){0};
    return !sidecar_decode(&out, about, data, n_bytes, err) && err->id == ERROR_SIDECAR
           && out.n_files == 77 && !out.record;
}

TEST(right_pages_are_right_and_the_first_wrong_one_is_found)
{
    Sidecar sidecar = {0};

    make(&sidecar);
    CHECK(sidecar_count_right(&sidecar, 0, 0, first, FIRST_BYTES) == FIRST_BYTES);
    CHECK(sidecar_count_right(&sidecar, 0, PAGE, first + PAGE, PAGE) == PAGE);
    CHECK(sidecar_count_right(&sidecar, 1, 0, second, SECOND_BYTES) == SECOND_BYTES);
    for (uint64_t at = 0; at < FIRST_BYTES; at += 97) {
        first[at] ^= 0x40;
        CHECK(sidecar_count_right(&sidecar, 0, 0, first, FIRST_BYTES) == at / PAGE * PAGE);
        first[at] ^= 0x40;
    }
    first[FIRST_BYTES - 1] ^= 1; // the last page ends with the file
    CHECK(sidecar_count_right(&sidecar, 0, 0, first, FIRST_BYTES) == 3ull * PAGE);
    CHECK(sidecar_count_right(&sidecar, 0, PAGE, first, PAGE) == 0); // right bytes, wrong place
    sidecar_destroy(&sidecar);
    sidecar_destroy(&sidecar); // twice is harmless
}

TEST(a_record_says_again_what_it_was_made_of)
{
    Sidecar made = {0}, read = {0};
    Error err = {0};

    make(&made);
    uint64_t n_bytes = sidecar_bytes(&subject);
    CHECK(n_bytes == sidecar_record_bytes(&made));
    CHECK(sidecar_decode(&read, &subject, copy_record(&made, n_bytes), n_bytes, &err));
    CHECK(sidecar_record_bytes(&read) == n_bytes);
    CHECK(sidecar_count_right(&read, 0, 0, first, FIRST_BYTES) == FIRST_BYTES);
    second[9] ^= 1;
    CHECK(sidecar_count_right(&read, 1, 0, second, SECOND_BYTES) == 0);
    sidecar_destroy(&read);
    sidecar_destroy(&made);
}

TEST(a_record_cut_anywhere_is_refused)
{
    Sidecar made = {0};
    Error err;

    make(&made);
    for (uint64_t n = 0; n < sidecar_record_bytes(&made); n++) {
        uint8_t *data = copy_record(&made, n); // of just that size: a sanitizer's case
        CHECK(is_refused(&subject, data, n, &err));
        mem_free(MEM_OTHER, data);
    }
    sidecar_destroy(&made);
}

TEST(a_record_with_any_bit_turned_is_refused)
{
    Sidecar made = {0};
    Error err;

    make(&made);
    uint64_t n_bytes = sidecar_record_bytes(&made);
    uint8_t *data = copy_record(&made, n_bytes);
    for (uint64_t bit = 0; bit < n_bytes * 8; bit++) {
        data[bit / 8] ^= (uint8_t)(1u << bit % 8);
        CHECK(is_refused(&subject, data, n_bytes, &err));
        data[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    mem_free(MEM_OTHER, data);
    sidecar_destroy(&made);
}

TEST(a_record_of_other_files_is_refused_with_the_reason)
{
    File other[3];
    static const struct {
        const char *label, *reason;
        uint64_t header_hash, n_bytes, modified_ns;
        uint32_t n_files;
    } cases[] = {
        {"another header", "belongs to another model", 1, FIRST_BYTES, 11, 2},
        {"another size", "belongs to another model", 0xabcdef, FIRST_BYTES + 1, 11, 2},
        {"fewer files", "belongs to another model", 0xabcdef, FIRST_BYTES, 11, 1},
        {"more files", "belongs to another model", 0xabcdef, FIRST_BYTES, 11, 3},
        {"written to", "a was changed", 0xabcdef, FIRST_BYTES, 13, 2},
    };
    Sidecar made = {0};
    Error err;

    make(&made);
    uint64_t n_bytes = sidecar_record_bytes(&made);
    uint8_t *data = copy_record(&made, n_bytes);
    for (size_t i = 0; i < COUNT(cases); i++) {
        memcpy(other, files, sizeof files);
        other[2] = files[1];
        other[0].n_bytes = cases[i].n_bytes;
        other[0].modified_ns = cases[i].modified_ns;
        SidecarSubject about = {
            .files = other, .n_files = cases[i].n_files, .header_hash = cases[i].header_hash};
        CHECK_CASE(cases[i].label, is_refused(&about, data, n_bytes, &err));
        CHECK_CASE(cases[i].label, strstr(err.message, cases[i].reason));
    }
    mem_free(MEM_OTHER, data);
    sidecar_destroy(&made);
}

/* Its own hash is right, and yet it promises files that it has no room for. */
TEST(a_sound_record_that_names_too_many_files_is_refused)
{
    Sidecar made = {0};
    Error err;

    make(&made);
    uint64_t n_bytes = sidecar_record_bytes(&made);
    uint8_t *data = copy_record(&made, n_bytes);
    memset(data + 36, 0xff, 4); // docs/formats/sidecar.md
    uint64_t hash = hash_bytes(data, n_bytes - 8, 0);
    for (size_t i = 0; i < 8; i++) data[n_bytes - 8 + i] = (uint8_t)(hash >> (8 * i));
    CHECK(is_refused(&subject, data, n_bytes, &err));
    CHECK(strstr(err.message, "does not hold"));
    mem_free(MEM_OTHER, data);
    sidecar_destroy(&made);
}

TEST(reads_are_aligned_to_pages_where_there_are_checksums)
{
    Sidecar sidecar = {0};

    CHECK(sidecar_alignment(NULL, 512) == 512);
    CHECK(sidecar_alignment(&sidecar, 512) == PAGE);
    CHECK(sidecar_alignment(&sidecar, 16384) == 16384);
}

TEST(no_memory_leaves_nothing_behind)
{
    Error err = {0};
    Sidecar sidecar = {0};

    for (uint64_t n = 1; n <= 2; n++) {
        fault_arm(FAULT_ALLOC, n, false);
        CHECK(!sidecar_init(&sidecar, &subject, &err) && err.id == ERROR_OUT_OF_MEMORY);
        CHECK(!sidecar.record && ledger_total() == 0);
        fault_arm(FAULT_ALLOC, 0, false);
    }
}
