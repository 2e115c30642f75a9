/* tests/store/test_scan.c - files from end to end (store/scan.h) */
#include "store/scan.h"

#include "base/fault.h"
#include "base/ledger.h"
#include "base/rng.h"
#include "harness.h"
#include "sys/read_sim.h"

/* Several rounds of all slots; an end within a piece; nothing; less than a page. */
static const uint64_t sizes[] = {40ull * SCAN_PIECE_BYTES + 12345, 0, 77, 2ull * SCAN_PIECE_BYTES};

#define N_FILES COUNT(sizes)

typedef struct Field {
    uint8_t *data[N_FILES];
    File files[N_FILES];
    uint32_t next_file; // of the piece that must come next
    uint64_t next_offset_bytes;
    uint64_t n_bytes, n_pieces;
    uint64_t stop_at; // piece whose taker refuses; 0: none
    bool is_right;
} Field;

static void field_init(Field *field)
{
    Rng rng = rng_seeded(3);
    Error err = {0};

    *field = (Field){.is_right = true};
    for (size_t i = 0; i < N_FILES; i++) {
        field->data[i] = malloc(sizes[i] + 1);
        rng_fill(&rng, field->data[i], sizes[i]);
        CHECK(read_sim_file(&field->files[i], field->data[i], sizes[i], &err));
    }
}

static void field_destroy(Field *field)
{
    for (size_t i = 0; i < N_FILES; i++) {
        file_close(&field->files[i]);
        free(field->data[i]);
    }
}

static bool take(void *context, const ScanPiece *piece, Error *err)
{
    Field *field = context;

    while (field->next_offset_bytes == sizes[field->next_file]) {
        field->next_file++;
        field->next_offset_bytes = 0;
    }
    field->is_right =
        field->is_right && piece->file == field->next_file
        && piece->offset_bytes == field->next_offset_bytes
        && memcmp(piece->data, field->data[piece->file] + piece->offset_bytes, piece->n_bytes) == 0;
    field->next_offset_bytes += piece->n_bytes;
    field->n_bytes += piece->n_bytes;
    if (++field->n_pieces == field->stop_at) return error_set(err, ERROR_INTERRUPTED, "enough");
    return true;
}

static bool scan(Field *field, ReadBackend backend, ReadSim *sim, Error *err)
{
    ScanOptions options = {.files = field->files,
        .n_files = N_FILES,
        .backend = backend,
        .direct = DIRECT_OFF,
        .sim = sim,
        .take = take,
        .context = field};

    return scan_files(&options, err);
}

TEST(every_byte_comes_once_and_in_order)
{
    static const ReadBackend backends[] = {READ_AUTO, READ_THREADS, READ_SIM};

    for (size_t i = 0; i < COUNT(backends); i++) {
        ReadSim sim = {.latency_ticks_max = 20, .per_mille = {[SIM_REORDER] = 500}};
        Field field;
        Error err = {0};
        field_init(&field);
        CHECK(scan(&field, backends[i], &sim, &err));
        CHECK(field.is_right);
        CHECK(field.n_bytes == sizes[0] + sizes[2] + sizes[3]);
        field_destroy(&field);
    }
    CHECK(ledger_total() == 0);
}

TEST(drives_that_misbehave_give_the_same_bytes_or_an_error)
{
    uint32_t n_whole = 0;

    for (uint64_t seed = 0; seed < 12; seed++) {
        ReadSim sim = read_sim_swarm(seed);
        Field field;
        Error err = {0};
        field_init(&field);
        bool ok = scan(&field, READ_SIM, &sim, &err);
        CHECK(field.is_right);
        CHECK(
            ok ? field.n_bytes == sizes[0] + sizes[2] + sizes[3] : error_exit_status(err.id) == 5);
        n_whole += ok;
        field_destroy(&field);
    }
    CHECK(n_whole > 6);
    CHECK(ledger_total() == 0);
}

TEST(who_takes_the_pieces_can_end_it)
{
    ReadSim sim = {0};
    Field field;
    Error err = {0};

    field_init(&field);
    field.stop_at = 7;
    CHECK(!scan(&field, READ_SIM, &sim, &err));
    CHECK_ERROR(err, ERROR_INTERRUPTED);
    CHECK(field.n_pieces == 7);
    field_destroy(&field);
    CHECK(ledger_total() == 0);
}

TEST(an_allocation_that_fails_leaves_nothing_behind)
{
    ReadSim sim = {0};
    Field field;
    bool ok = false;

    field_init(&field);
    for (uint64_t nth = 1; !ok && nth < 50; nth++) {
        Error err = {0};
        field.next_file = 0;
        field.next_offset_bytes = 0;
        fault_arm(FAULT_ALLOC, nth, false);
        ok = scan(&field, READ_SIM, &sim, &err);
        fault_arm(FAULT_ALLOC, 0, false);
        if (!ok) CHECK_ERROR(err, ERROR_OUT_OF_MEMORY);
        if (nth == 1) CHECK(!ok);
    }
    CHECK(ok && field.is_right);
    field_destroy(&field);
    CHECK(ledger_total() == 0);
}
