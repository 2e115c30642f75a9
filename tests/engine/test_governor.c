/* tests/engine/test_governor.c - when cache memory is given back and taken up: the decision as a
 * table, and a store under the limits of a made-up control group of version 2 */
#include "engine/governor.h"

#include <sys/stat.h>

#include "base/ledger.h"
#include "store/synthetic.h"
#include "sys/process.h"

#define MIB       ((uint64_t)1 << 20)
#define SECOND_NS ((uint64_t)1000000000)

/* A margin of 32 MiB below a limit of 1 GiB, and a cache of 400 of 500 MiB. */
static GovernorView view_with(uint64_t room_mib)
{
    return (GovernorView){.room = room_mib * MIB,
        .limit = 1024 * MIB,
        .cache = 400 * MIB,
        .cache_all = 500 * MIB,
        .now_ns = 100 * SECOND_NS};
}

TEST(the_cache_shrinks_below_the_margin_and_grows_above_it)
{
    // clang-format off
    static const struct {
        const char *label;
        uint64_t room, owed, limit; // MiB
        bool is_stalling;
        uint64_t pressed_s_ago;     // 0: never
        uint64_t want;              // MiB
    } cases[] = {
        {"much room: a sixteenth more",        500,   0,  1024, false, 0, 431},
        {"at the margin nothing changes",       32,   0,  1024, false, 0, 400},
        {"nor up to a quarter above it",        40,   0,  1024, false, 0, 400},
        {"a little room is all that is taken",  50,   0,  1024, false, 0, 410},
        {"below: to the margin and a quarter",  31,   0,  1024, false, 0, 391},
        {"nothing left",                         0,   0,  1024, false, 0, 360},
        {"what we have booked is not free",    120, 100,  1024, false, 0, 380},
        {"and may be more than there is",       10, 100,  1024, false, 0, 270},
        {"a stall doubles the margin",          50,   0,  1024, true,  0, 370},
        {"no growth soon after pressure",      500,   0,  1024, false, 1, 400},
        {"but later",                          500,   0,  1024, false, 3, 431},
        {"a small limit has 16 MiB",            15,   0,    96, false, 0, 395},
        {"and 20 are enough",                   17,   0,    96, false, 0, 400},
        {"a large one has 512",                511,   0, 65536, false, 0, 271},
        {"never below nothing",                  0, 600,  1024, false, 0,   0},
    };
    // clang-format on

    for (size_t i = 0; i < COUNT(cases); i++) {
        GovernorMemory memory = {0};
        GovernorView view = view_with(cases[i].room);
        view.owed = cases[i].owed * MIB;
        view.limit = cases[i].limit * MIB;
        view.is_stalling = cases[i].is_stalling;
        if (cases[i].pressed_s_ago > 0)
            memory.pressed_at_ns = view.now_ns - cases[i].pressed_s_ago * SECOND_NS;
        CHECK_CASE(cases[i].label, governor_decide(&memory, &view) / MIB == cases[i].want);
    }
}

TEST(growth_ends_at_the_budget)
{
    GovernorMemory memory = {0};
    GovernorView view = view_with(600);
    view.cache = 495 * MIB;
    CHECK(governor_decide(&memory, &view) == view.cache_all);
    view.cache = view.cache_all;
    CHECK(governor_decide(&memory, &view) == view.cache_all);
    view.room = UINT64_MAX; // unknown
    view.cache = 100 * MIB;
    CHECK(governor_decide(&memory, &view) == view.cache_all);
}

/* Who has just taken 60 MiB may take as much again before the next look. */
TEST(the_margin_grows_with_what_others_take)
{
    GovernorMemory memory = {0};
    GovernorView view = view_with(140);
    view.cache = view.cache_all;
    CHECK(governor_decide(&memory, &view) == view.cache_all);
    view.room = 80 * MIB; // far above 32
    uint64_t limit = governor_decide(&memory, &view);
    CHECK(limit < view.cache_all);
    CHECK(limit / MIB == 500 - ((32 + 120) * 5 / 4 - 80));

    // It is forgotten while nobody takes more.
    view.room = 200 * MIB;
    view.cache = limit;
    for (int i = 0; i < 60; i++) {
        view.now_ns += SECOND_NS / 4;
        (void)governor_decide(&memory, &view);
    }
    CHECK(memory.fall == 0);
    view.room = 44 * MIB;
    memory.knows_before = false;
    CHECK(governor_decide(&memory, &view) >= view.cache);
}

/* ---- with a store ---- */

static char root[128];

static void put(const char *name, uint64_t n_bytes)
{
    char path[256];

    snprintf(path, sizeof path, "%s/%s", root, name);
    FILE *stream = fopen(path, "w");
    CHECK(stream && fprintf(stream, "%llu\n", (unsigned long long)n_bytes) > 0
          && fclose(stream) == 0);
}

static void put_text(const char *name, const char *text)
{
    char path[256];

    snprintf(path, sizeof path, "%s/%s", root, name);
    FILE *stream = fopen(path, "w");
    CHECK(stream && fputs(text, stream) >= 0 && fclose(stream) == 0);
}

static void make_tree(void)
{
    static const char *const folders[] = {"", "/proc", "/proc/self", "/cg", "/cg/a"};
    char path[256];

    snprintf(root, sizeof root, "%s/tree", harness_temporary_folder());
    for (size_t i = 0; i < COUNT(folders); i++) {
        snprintf(path, sizeof path, "%s%s", root, folders[i]);
        CHECK(mkdir(path, 0755) == 0);
    }
    put_text("proc/self/cgroup", "0::/a\n");
    put_text("proc/self/mountinfo", "14 1 0:12 / /cg rw - cgroup2 cgroup2 rw\n");
}

TEST(looks_are_close_while_others_may_take_what_is_needed)
{
    // clang-format off
    static const struct {
        const char *label;
        uint64_t room, owed; // MiB
        uint64_t want_ms;
    } cases[] = {
        {"much room",                             500,   0, 250},
        {"less than twice the margin",             60,   0,  25},
        {"the same, beside what is booked",       150, 100,  25},
        {"little is booked",                      500,  30, 250},
        {"a cache that is being filled",          500, 100,  25},
    };
    // clang-format on
    GovernorMemory memory = {0};

    for (size_t i = 0; i < COUNT(cases); i++) {
        GovernorView view = view_with(cases[i].room);
        view.owed = cases[i].owed * MIB;
        CHECK_CASE(cases[i].label,
            governor_pause_ns(&memory, &view) == cases[i].want_ms * (SECOND_NS / 1000));
    }
    GovernorView view = {.room = UINT64_MAX, .owed = 100 * MIB};
    CHECK(governor_pause_ns(&memory, &view) == SECOND_NS / 4); // nobody says anything
}

/* A look now, and not when it is time. */
static void look(Governor *governor)
{
    governor->next_look_ns = 0;
    governor_poll(governor);
}

TEST(a_store_shrinks_under_a_limit_and_grows_when_it_is_gone)
{
    Shape shape = shape_mixture;
    shape.projection_bytes = 250000; // 150 MB of experts
    Synthetic model;
    ReadSim sim = {0};
    Rng rng = rng_seeded(harness_seed());
    Error err = {0};
    Governor governor;
    synthetic_init(&model, shape, 2);
    StoreOptions options = {.weights = {.unit = BUDGET_ALL},
        .files = &model.file,
        .n_files = 1,
        .backend = READ_SIM,
        .sim = &sim};
    Store *store = store_create(&model.map, &options, &err);
    if (!CHECK_CASE(err.message, store)) return;
    for (uint32_t i = 0; i < 30; i++) CHECK(synthetic_pass(&model, store, &rng, true, 1, &err));

    uint64_t all = store_cache_bytes(store);
    make_tree();
    put("cg/a/memory.max", 1024 * MIB);
    put("cg/a/memory.current", 900 * MIB);
    governor_init(&governor, store, process_memory() - ledger_total(), root);
    look(&governor);
    CHECK(store_cache_bytes(store) == all);

    put("cg/a/memory.current", 1014 * MIB); // 10 left of a margin of 32 and what was just taken
    look(&governor);
    uint64_t held = store_cache_bytes(store);
    CHECK(held < all - 20 * MIB);
    CHECK(governor.given_back_bytes == all - held && governor.taken_again_bytes == 0);
    CHECK(synthetic_pass(&model, store, &rng, true, 1, &err));
    governor_poll(&governor); // too early for a look
    CHECK(store_cache_bytes(store) == held);

    put("cg/a/memory.current", 1024 * MIB + (all - held)); // whatever is given, more is taken
    for (int i = 0; i < 20; i++) look(&governor);
    CHECK(store_cache_bytes(store) < all / 4);
    CHECK(synthetic_pass(&model, store, &rng, true, 1, &err));

    put("cg/a/memory.current", 100 * MIB);
    look(&governor);
    CHECK(store_cache_bytes(store) < all / 4); // not at once
    governor.memory.pressed_at_ns = 1;
    uint64_t before = store_cache_bytes(store);
    look(&governor);
    CHECK(store_cache_bytes(store) > before && store_cache_bytes(store) < before + all / 8);
    for (int i = 0; i < 40; i++) look(&governor);
    CHECK(store_cache_bytes(store) == all);
    CHECK(governor.given_back_bytes == governor.taken_again_bytes); // all of it
    CHECK(synthetic_pass(&model, store, &rng, true, 1, &err));

    governor_close(&governor);
    look(&governor); // closed: nothing to govern
    store_free(store);
    synthetic_destroy(&model);
    CHECK(ledger_total() == 0);
}
