/* A look costs some 50 microseconds; at four in a second, and forty while room is small, that is
 * a thousandth of the time. What the process has booked and not touched yet counts as gone, so
 * the first filling of a cache does not walk into a limit that somebody else has come near to. */
#include "engine/governor.h"

#include "base/clock.h"
#include "base/ledger.h"
#include "base/log.h"
#include "sys/process.h"

#define MIB             ((uint64_t)1 << 20)
#define LOOK_NS         250000000u // between two looks
#define LOOK_CLOSELY_NS 25000000u  // where others may soon take what we need
#define CALM_NS         2000000000u
#define MARGIN_SHARE    32 // of the limit
#define MARGIN_MIN      (16 * MIB)
#define MARGIN_MAX      (512 * MIB)
#define FALL_MIN        (4 * MIB) // less is noise
#define GROWTH_SHARE    16        // of the cache, at one look
#define GROWTH_MIN      (8 * MIB)

static uint64_t least(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

static uint64_t most(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

/* What must stay free, so that others can take some before the next look. */
static uint64_t margin_of(const GovernorMemory *memory, const GovernorView *view)
{
    uint64_t margin = least(most(view->limit / MARGIN_SHARE, MARGIN_MIN), MARGIN_MAX);

    if (view->is_stalling) margin *= 2;
    return margin + least(2 * memory->fall, view->limit / 8);
}

static void note_fall(GovernorMemory *memory, int64_t free)
{
    uint64_t fall = 0;

    if (memory->knows_before && free < memory->free_before)
        fall = (uint64_t)(memory->free_before - free);
    memory->fall -= memory->fall / GROWTH_SHARE;
    if (fall >= FALL_MIN && fall > memory->fall) memory->fall = fall;
    if (memory->fall < FALL_MIN) memory->fall = 0;
    memory->free_before = free;
    memory->knows_before = true;
}

uint64_t governor_decide(GovernorMemory *memory, const GovernorView *view)
{
    int64_t free = (int64_t)least(view->room, INT64_MAX) - (int64_t)view->owed;

    if (view->room == UINT64_MAX) return view->cache_all; // nobody says anything
    note_fall(memory, free);
    int64_t margin = (int64_t)margin_of(memory, view);
    int64_t wanted = margin + margin / 4;
    if (free < margin) {
        memory->pressed_at_ns = view->now_ns;
        return view->cache - least(view->cache, (uint64_t)(wanted - free));
    }
    if (view->cache >= view->cache_all || free <= wanted) return view->cache;
    if (memory->pressed_at_ns > 0 && view->now_ns - memory->pressed_at_ns < CALM_NS)
        return view->cache;
    uint64_t growth = most(view->cache_all / GROWTH_SHARE, GROWTH_MIN);
    return least(view->cache + least(growth, (uint64_t)(free - wanted)), view->cache_all);
}

uint64_t governor_pause_ns(const GovernorMemory *memory, const GovernorView *view)
{
    uint64_t margin = margin_of(memory, view);

    if (view->room == UINT64_MAX) return LOOK_NS;
    return view->room < view->owed + 2 * margin || view->owed > margin ? LOOK_CLOSELY_NS : LOOK_NS;
}

void governor_init(Governor *governor, Store *store, uint64_t unbooked_bytes, const char *root)
{
    *governor = (Governor){
        .store = store, .unbooked_bytes = unbooked_bytes, .cache_all = store_cache_bytes(store)};
    pressure_open(&governor->pressure, root);
}

void governor_close(Governor *governor)
{
    pressure_close(&governor->pressure);
    *governor = (Governor){0};
}

/* Room for less than a few huge pages more is not worth an interruption. */
static bool is_worth_it(const GovernorView *view, uint64_t limit)
{
    if (limit < view->cache) return true;
    return limit - view->cache >= least(GROWTH_MIN / 2, view->cache_all - view->cache)
           && limit > view->cache;
}

static void act(Governor *governor, const GovernorView *view, uint64_t limit)
{
    char moved[24], held[24], left[24];
    uint64_t now_held = store_set_cache_limit(governor->store, limit);

    governor->memory.knows_before = false; // what changes now is our own doing
    if (now_held < view->cache) governor->given_back_bytes += view->cache - now_held;
    if (now_held > view->cache) governor->taken_again_bytes += now_held - view->cache;
    size_format(view->room > view->owed ? view->room - view->owed : 0, left);
    if (now_held < view->cache)
        log_info("memory is short (%s free): gave back %s of the cache, which holds %s now", left,
            size_format(view->cache - now_held, moved), size_format(now_held, held));
    if (now_held > view->cache)
        log_info("memory is there again (%s free): took up %s for the cache, which holds %s now",
            left, size_format(now_held - view->cache, moved), size_format(now_held, held));
}

void governor_poll(Governor *governor)
{
    uint64_t now_ns = clock_now_ns();

    if (!governor->store || now_ns < governor->next_look_ns) return;
    PressureReading reading = pressure_read(&governor->pressure, now_ns);
    uint64_t expected = governor->unbooked_bytes + ledger_total(), held = process_memory();
    GovernorView view = {.room = reading.room_bytes,
        .limit = reading.limit_bytes,
        .owed = expected > held ? expected - held : 0,
        .cache = store_cache_bytes(governor->store),
        .cache_all = governor->cache_all,
        .is_stalling = reading.is_stalling,
        .now_ns = now_ns};

    uint64_t limit = governor_decide(&governor->memory, &view);
    if (is_worth_it(&view, limit)) act(governor, &view, limit);
    governor->next_look_ns = now_ns + governor_pause_ns(&governor->memory, &view);
}
