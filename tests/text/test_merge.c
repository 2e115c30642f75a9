/* Merging with a heap against merging by looking at every pair each time. */
#include "text/merge.h"

#include "base/ledger.h"
#include "base/rng.h"
#include "harness.h"

enum { N_IDS = 64, N_SYMBOLS_MAX = 96 };

/* Ranks by pairs of ids; results by rank. */
typedef struct Table {
    uint32_t ranks[N_IDS][N_IDS];
    uint32_t results[N_IDS * N_IDS];
} Table;

static uint32_t table_rank(const void *context, const MergeSymbol *symbols, uint32_t left)
{
    const Table *table = context;

    return table->ranks[symbols[left].id][symbols[symbols[left].next].id];
}

/* Merges of base ids 0 to 7 make higher ids, so that merging ends. `n_ranks` small: many ties. */
static void fill_table(Table *table, Rng *rng, uint32_t n_ranks)
{
    for (uint32_t i = 0; i < N_IDS * N_IDS; i++)
        table->results[i] = 8 + (uint32_t)rng_below(rng, N_IDS - 8);
    for (uint32_t a = 0; a < N_IDS; a++)
        for (uint32_t b = 0; b < N_IDS; b++)
            table->ranks[a][b] =
                rng_below(rng, 3) == 0 ? MERGE_NONE : (uint32_t)rng_below(rng, n_ranks);
}

static uint32_t merge_plainly(const Table *table, uint32_t *ids, uint32_t n)
{
    for (;;) {
        uint32_t best = MERGE_NONE, at = 0;
        for (uint32_t i = 0; i + 1 < n; i++)
            if (table->ranks[ids[i]][ids[i + 1]] < best) {
                best = table->ranks[ids[i]][ids[i + 1]];
                at = i;
            }
        if (best == MERGE_NONE) return n;
        ids[at] = table->results[best];
        memmove(ids + at + 1, ids + at + 2, (n - at - 2) * sizeof(*ids));
        n--;
    }
}

TEST(merging_equals_looking_at_every_pair)
{
    static Table table;
    Rng rng = rng_seeded(harness_seed());
    Merger merger = {0};

    for (int round = 0; round < 3000; round++) {
        uint32_t ids[N_SYMBOLS_MAX], n = 1 + (uint32_t)rng_below(&rng, N_SYMBOLS_MAX - 1);
        fill_table(&table, &rng, round % 2 == 0 ? 5 : N_IDS * N_IDS);
        CHECK(merger_begin(&merger, n, NULL));
        for (uint32_t i = 0; i < n; i++)
            merger.symbols[i].id = ids[i] = (uint32_t)rng_below(&rng, 8);
        CHECK(merger_run(&merger, &(MergeRules){table_rank, &table, table.results}, NULL));

        uint32_t n_wanted = merge_plainly(&table, ids, n), n_got = 0;
        for (uint32_t i = 0; i != MERGE_NONE; i = merger.symbols[i].next, n_got++)
            CHECK(n_got < n_wanted && merger.symbols[i].id == ids[n_got]);
        CHECK(n_got == n_wanted);
    }
    merger_destroy(&merger);
    CHECK(ledger_held(MEM_TEXT) == 0);
}

TEST(equal_ranks_merge_from_the_left)
{
    static Table table;
    Merger merger = {0};

    memset(table.ranks, 0xff, sizeof(table.ranks));
    table.ranks[1][1] = 0;
    table.results[0] = 9;
    CHECK(merger_begin(&merger, 5, NULL));
    for (uint32_t i = 0; i < 5; i++) merger.symbols[i].id = 1;
    CHECK(merger_run(&merger, &(MergeRules){table_rank, &table, table.results}, NULL));
    CHECK(merger.symbols[0].id == 9 && merger.symbols[0].next == 2);
    CHECK(merger.symbols[2].id == 9 && merger.symbols[2].next == 4);
    CHECK(merger.symbols[4].id == 1 && merger.symbols[4].next == MERGE_NONE);
    merger_destroy(&merger);
}
