/* tests/store/test_heat.c - what is remembered of experts, and its record (store/heat.h) */
#include "store/heat.h"

#include <math.h>

#include "base/fault.h"
#include "base/hash.h"
#include "harness.h"

#define N_LAYERS 3
#define N_EXPERT 4

static const HeatIdentity identity = {.header_hash = 0x0123456789abcdef, .n_bytes = 77};

/* Expert 1 of each layer by all tokens, expert 2 by every second. */
static void use(Heat *heat, uint32_t n_tokens)
{
    for (uint32_t token = 0; token < n_tokens; token++) {
        heat_begin_rows(heat, 1);
        for (uint32_t layer = 0; layer < N_LAYERS; layer++) {
            heat_use(heat, layer * N_EXPERT + 1, 1);
            if (token % 2 == 0) heat_use(heat, layer * N_EXPERT + 2, 1);
        }
    }
}

static void make(Heat *heat, uint32_t n_tokens)
{
    Error err = {0};

    CHECK(heat_init(heat, N_LAYERS, N_EXPERT, &err));
    use(heat, n_tokens);
}

static bool is_near(float a, float b)
{
    return fabsf(a - b) < 0.01f;
}

TEST(heat_is_the_share_of_tokens)
{
    Heat heat;

    make(&heat, 0);
    CHECK(heat_share(&heat, 1) == 0); // no token yet
    use(&heat, 100);
    CHECK(is_near(heat_share(&heat, 0), 0));
    CHECK(is_near(heat_share(&heat, 1), 1));
    CHECK(is_near(heat_share(&heat, N_EXPERT + 2), 0.5f));
    heat_destroy(&heat);
    heat_destroy(&heat); // twice is harmless
}

TEST(heat_counts_the_rows_of_a_prompt)
{
    Heat heat;

    make(&heat, 0);
    heat_begin_rows(&heat, 512);
    heat_use(&heat, 5, 512);
    heat_use(&heat, 6, 128);
    CHECK(is_near(heat_share(&heat, 5), 1));
    CHECK(is_near(heat_share(&heat, 6), 0.25f));
    heat_destroy(&heat);
}

/* Also over more tokens than a float's range would hold without being scaled back. */
TEST(heat_forgets_slowly)
{
    Heat heat;

    make(&heat, 1000);
    for (uint32_t i = 0; i < 1000; i++) {
        heat_begin_rows(&heat, 1);
        heat_use(&heat, 3, 1);
    }
    CHECK(heat_share(&heat, 3) > 0.6f && heat_share(&heat, 3) < 0.9f);
    CHECK(heat_share(&heat, 1) > 0.1f && heat_share(&heat, 1) < 0.4f);
    for (uint32_t i = 0; i < 200; i++) {
        heat_begin_rows(&heat, 512);
        heat_use(&heat, 0, 512);
    }
    CHECK(is_near(heat_share(&heat, 0), 1) && is_near(heat_share(&heat, 3), 0));
    CHECK(isfinite(heat.unit) && isfinite(heat.n_tokens));
    heat_destroy(&heat);
}

static uint8_t record[8192];
static size_t n_record;

/* n passes; pass i of layer l used expert (i + l) % N_EXPERT. */
static void make_past(Past *past, uint32_t n)
{
    Error err = {0};

    CHECK(past_init(past, N_LAYERS, N_EXPERT, &err));
    for (uint32_t i = 0; i < n; i++) {
        past_begin_pass(past);
        for (uint32_t layer = 0; layer < N_LAYERS; layer++) {
            uint32_t expert = (i + layer) % N_EXPERT;
            past_call(past, layer, &expert, 1);
        }
    }
}

static void make_record_of(uint32_t n_passes)
{
    Heat heat;
    Past past;

    make(&heat, 100);
    make_past(&past, n_passes);
    n_record = heat_record_bytes(&heat, &past);
    if (CHECK(n_record <= sizeof record)) heat_encode(&heat, &past, &identity, record);
    heat_destroy(&heat);
    past_destroy(&past);
}

static void make_record(void)
{
    make_record_of(5);
}

/* The hash of the record as it is now, so that only what the test changed is wrong. */
static void seal(void)
{
    uint64_t hash = hash_bytes(record, n_record - 8, 0);

    for (int i = 0; i < 8; i++) record[n_record - 8 + (size_t)i] = (uint8_t)(hash >> (8 * i));
}

TEST(heat_comes_back_from_its_record)
{
    Heat before, after;
    Error err = {0};

    make_record();
    make(&before, 100);
    make(&after, 0);
    CHECK(heat_decode(&after, &identity, record, n_record, &err));
    for (uint32_t block = 0; block < N_LAYERS * N_EXPERT; block++)
        CHECK(is_near(heat_share(&before, block), heat_share(&after, block)));
    use(&after, 100); // and goes on
    CHECK(is_near(heat_share(&after, 2), 0.5f));
    heat_destroy(&before);
    heat_destroy(&after);
}

/* Does nobody take the record, and is the heat as it was? */
static void check_refused(const char *label, const HeatIdentity *asked, const char *reason)
{
    Heat heat, same;
    Error err = {0};

    make(&heat, 3);
    make(&same, 3);
    CHECK_CASE(label, !heat_decode(&heat, asked, record, n_record, &err));
    CHECK_ERROR(err, ERROR_FORMAT_VALUE);
    CHECK_CASE(label, strstr(err.message, reason) != NULL);
    CHECK_BITS(same.uses, heat.uses, N_LAYERS * N_EXPERT * sizeof(float));
    heat_destroy(&heat);
    heat_destroy(&same);
}

TEST(heat_refuses_what_is_damaged_at_any_byte)
{
    make_record();
    for (size_t i = 0; i < n_record; i++) {
        make_record();
        record[i] ^= 0x40;
        check_refused("a bit", &identity, "it is");
    }
    make_record();
    size_t whole = n_record;
    for (n_record = 0; n_record < whole; n_record++) check_refused("cut", &identity, "it is");
}

TEST(heat_refuses_what_is_foreign_or_old)
{
    HeatIdentity header = identity, size = identity;

    header.header_hash++;
    size.n_bytes++;
    make_record();
    check_refused("header", &header, "another model");
    check_refused("size", &size, "another model");
    record[8] = 2; // the version
    seal();
    check_refused("version", &identity, "another version");
}

#define SECTIONS_AT 48 // their number; docs at the head of heat.h
#define DATA_AT     60 // tokens, then uses

static void put_u32(size_t at, uint32_t value)
{
    for (size_t i = 0; i < 4; i++) record[at + i] = (uint8_t)(value >> (8 * i));
}

static void put_f32(size_t at, float value)
{
    uint32_t bits;

    memcpy(&bits, &value, sizeof bits);
    put_u32(at, bits);
}

TEST(heat_refuses_whole_records_that_make_no_sense)
{
    static const float wrong[] = {-1, 1e9f, INFINITY, NAN};

    for (size_t i = 0; i < COUNT(wrong); i++) {
        make_record();
        put_f32(DATA_AT + 8, wrong[i]);
        seal();
        check_refused("uses", &identity, "no model");
    }
    make_record();
    put_f32(DATA_AT, NAN);
    seal();
    check_refused("tokens", &identity, "no model");
    for (uint32_t n_sections = 0; n_sections < 4; n_sections++) {
        if (n_sections == 2) continue;
        make_record();
        put_u32(SECTIONS_AT, n_sections);
        seal();
        check_refused("sections", &identity, "no model");
    }
    make_record();
    put_u32(SECTIONS_AT + 8, UINT32_MAX);
    seal();
    check_refused("a section's length", &identity, "no model");
}

TEST(heat_passes_over_sections_that_it_does_not_know)
{
    Heat heat;
    Error err = {0};

    make_record();
    memmove(record + SECTIONS_AT + 4 + 8 + 5, record + SECTIONS_AT + 4, n_record - SECTIONS_AT - 4);
    n_record += 8 + 5;
    put_u32(SECTIONS_AT, 3);
    put_u32(SECTIONS_AT + 4, 99);
    put_u32(SECTIONS_AT + 8, 5);
    seal();
    make(&heat, 0);
    CHECK(heat_decode(&heat, &identity, record, n_record, &err));
    CHECK(is_near(heat_share(&heat, 1), 1));
    heat_destroy(&heat);
}

/* What a run did last is the past of the next one; what a prompt or a failure left out is not. */
TEST(passes_come_back_from_the_record)
{
    Past past;
    float chance[N_EXPERT];

    make_record_of(40);
    make_past(&past, 0);
    CHECK(heat_decode_past(&past, record, n_record));
    past_begin_pass(&past);
    CHECK(past_n_passes(&past) == 1 + 1 + 40);
    for (uint32_t layer = 0; layer < 2; layer++) {
        uint32_t expert = layer + 1;
        past_call(&past, layer, &expert, 1);
    }
    for (uint32_t lag = 1; lag <= 40; lag++)
        CHECK(past_set(&past, lag, 1)[0] == UINT64_C(1) << (40 - lag + 1) % N_EXPERT);
    past_weigh(&past);
    past_expect(&past, 1, 2, chance);
    CHECK(chance[3] > 0.3f); // of four kinds of passes, the one like this
    CHECK(chance[3] > chance[0] && chance[3] > chance[1] && chance[3] > chance[2]);
    past_destroy(&past);
}

/* The last ones of a long run, and those of two runs after each other. */
TEST(no_more_passes_come_back_than_are_remembered)
{
    Past past;

    make_record_of(3 * PAST_PASSES + 1);
    make_past(&past, 7);
    for (uint32_t round = 0; round < 2; round++) {
        CHECK(heat_decode_past(&past, record, n_record));
        CHECK(past_n_passes(&past) == PAST_PASSES + 1);
        for (uint32_t lag = 0; lag < PAST_PASSES; lag++) {
            uint32_t pass = 3 * PAST_PASSES - lag;
            CHECK(past_set(&past, lag, 0)[0] == UINT64_C(1) << pass % N_EXPERT);
            CHECK(past_set(&past, lag, 2)[0] == UINT64_C(1) << (pass + 2) % N_EXPERT);
        }
    }
    past_destroy(&past);
}

#define PASSES_AT (DATA_AT + 4 + N_LAYERS * N_EXPERT * 4 + 8)

TEST(passes_that_make_no_sense_are_not_taken)
{
    Past past;
    make_past(&past, 0);

    make_record_of(0); // there are none
    CHECK(!heat_decode_past(&past, record, n_record));
    make_record_of(5);
    CHECK(heat_decode_past(&past, record, n_record) && past_n_passes(&past) == 6);
    record[PASSES_AT] |= 1u << N_EXPERT; // an expert that the model has not
    CHECK(!heat_decode_past(&past, record, n_record));
    make_record_of(5);
    put_u32(PASSES_AT - 4, 5 * N_LAYERS * 8 - 8); // the last pass lacks a layer
    memmove(record + n_record - 16, record + n_record - 8, 8);
    CHECK(!heat_decode_past(&past, record, n_record - 8));
    make_record_of(5);
    put_u32(PASSES_AT - 8, 77); // a section of another kind
    CHECK(!heat_decode_past(&past, record, n_record));
    CHECK(past_n_passes(&past) == 6);
    past_destroy(&past);
}

TEST(heat_without_memory_is_none)
{
    Heat heat;
    Error err = {0};

    fault_arm(FAULT_ALLOC, 1, true);
    CHECK(!heat_init(&heat, N_LAYERS, N_EXPERT, &err));
    fault_arm(FAULT_ALLOC, 0, false);
    CHECK_ERROR(err, ERROR_OUT_OF_MEMORY);
    CHECK(heat.uses == NULL);
}
