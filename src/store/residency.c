/* Dividing a budget.
 *
 * A dense byte is worth a whole byte of reading in every pass, a cached expert's byte only
 * when the expert is chosen again: so dense blocks come first. But without slots for one
 * layer's experts at once their reads cannot overlap: so these come before. The ring needs
 * no more than fills the drive and covers its jitter; memory beyond is better spent on
 * residency (docs/streaming.md, section 6). Nothing here depends on time or chance. */
#include "store/residency.h"

#include <inttypes.h>

#include "base/mem.h"
#include "store/places.h"
#include "store/ring.h"
#include "store/store.h"

#define RING_SLOTS_MIN  2
#define RING_BYTES_MIN  ((uint64_t)4 << 20)  // half of it flies (ring.c): most of a drive's rate
#define RING_BYTES_MAX  ((uint64_t)12 << 20) // more leaves the last-level cache (docs/adr/0011)
#define RING_SHARE      8                    // of the memory, for more than the least
#define HUGE_PAGE_BYTES ((uint64_t)2 << 20)

static uint64_t place_of(const Residency *plan, const Extent *extent)
{
    return size_align_up(
        extent_place_bytes(extent, plan->alignment), places_unit_bytes(plan->alignment));
}

static uint64_t least(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

/* ---- measuring ---- */

/* Counts one block in the class of its size; false when there are too many sizes. */
static bool count_in_class(Residency *plan, uint64_t slot_bytes)
{
    uint32_t i = 0;

    while (i < plan->n_classes && plan->classes[i].slot_bytes < slot_bytes) i++;
    if (i < plan->n_classes && plan->classes[i].slot_bytes == slot_bytes) {
        plan->classes[i].n_blocks++;
        return true;
    }
    if (plan->n_classes == RESIDENCY_CLASSES_MAX) return false;
    for (uint32_t k = plan->n_classes; k > i; k--) plan->classes[k] = plan->classes[k - 1];
    plan->classes[i] = (ExpertClass){.slot_bytes = slot_bytes, .n_blocks = 1};
    plan->n_classes++;
    return true;
}

/* One class that holds any expert. */
static void merge_classes(Residency *plan)
{
    ExpertClass all = plan->classes[plan->n_classes - 1];

    for (uint32_t i = 0; i + 1 < plan->n_classes; i++) all.n_blocks += plan->classes[i].n_blocks;
    plan->classes[0] = all;
    plan->n_classes = 1;
}

static void measure_experts(Residency *plan, const BlockMap *map)
{
    uint64_t unit = places_unit_bytes(plan->alignment);
    bool is_merged = false;

    for (uint32_t i = 0; i < blocks_n_experts(map); i++) {
        uint64_t n_bytes =
            size_align_up(expert_place_bytes(&map->experts[i], plan->alignment), unit);
        if (!is_merged && count_in_class(plan, n_bytes)) continue;
        if (!is_merged) merge_classes(plan);
        is_merged = true;
        if (n_bytes > plan->classes[0].slot_bytes) plan->classes[0].slot_bytes = n_bytes;
        plan->classes[0].n_blocks++;
    }
}

/* Slots that huge pages hold without a rest: a read into two of them, or into the small pages
 * after the last, takes 10 to 25 % longer (docs/adr/0009). */
static uint64_t ring_slot_bytes(uint64_t place_bytes)
{
    uint64_t slot_bytes = places_unit_bytes(1);

    while (slot_bytes < place_bytes && slot_bytes < HUGE_PAGE_BYTES) slot_bytes *= 2;
    return slot_bytes < place_bytes ? place_bytes : slot_bytes;
}

static void measure_dense(Residency *plan, const BlockMap *map)
{
    uint64_t largest = 0;

    for (uint32_t i = 0; i < map->n_dense; i++) {
        uint64_t n_bytes = place_of(plan, &map->dense[i].extent);
        plan->dense_all_bytes += n_bytes;
        if (n_bytes > largest) largest = n_bytes;
    }
    plan->ring_slot_bytes = ring_slot_bytes(largest);
}

static uint64_t largest_expert(const Residency *plan)
{
    return plan->n_classes > 0 ? plan->classes[plan->n_classes - 1].slot_bytes : 0;
}

static uint64_t all_experts(const Residency *plan)
{
    uint64_t n_bytes = 0;

    for (uint32_t i = 0; i < plan->n_classes; i++)
        n_bytes += plan->classes[i].slot_bytes * plan->classes[i].n_blocks;
    return n_bytes;
}

/* The least that dense blocks take: two slots to stream through, or all where they are fewer. */
static uint64_t least_dense(const Residency *plan)
{
    return least(RING_SLOTS_MIN * plan->ring_slot_bytes, plan->dense_all_bytes);
}

/* What alignments above a page cost each of the three reservations. */
static uint64_t slack_bytes(const Residency *plan)
{
    return 3 * (places_unit_bytes(plan->alignment) - places_unit_bytes(1));
}

static void measure(Residency *plan, const BlockMap *map, uint32_t alignment)
{
    *plan = (Residency){.alignment = alignment};
    for (uint32_t i = 0; i < map->n_trunk; i++) plan->trunk_bytes += place_of(plan, &map->trunk[i]);
    measure_dense(plan, map);
    measure_experts(plan, map);
    if (map->rows.n_rows > 0 && !map->rows.is_dense) {
        uint64_t end = map->rows.first_row.offset_bytes
                       + map->rows.n_rows * map->rows.first_row.n_bytes + BLOCK_TAIL_BYTES;
        uint64_t begin = size_align_down(map->rows.first_row.offset_bytes, alignment);
        plan->rows_all_bytes = size_align_up(end - begin, places_unit_bytes(alignment));
    }
    plan->minimum_bytes =
        plan->trunk_bytes + least_dense(plan) + largest_expert(plan) + slack_bytes(plan);
    plan->all_bytes = plan->trunk_bytes + plan->dense_all_bytes + all_experts(plan)
                      + plan->rows_all_bytes + slack_bytes(plan);
}

uint64_t store_minimum_bytes(const BlockMap *map, uint32_t alignment)
{
    Residency plan;

    measure(&plan, map, alignment);
    return plan.minimum_bytes;
}

uint64_t store_all_bytes(const BlockMap *map, uint32_t alignment)
{
    Residency plan;

    measure(&plan, map, alignment);
    return plan.all_bytes;
}

/* ---- resolving ---- */

static uint64_t resolve_unit(const Residency *plan, const BlockMap *map, const Budget *budget)
{
    switch (budget->unit) {
    case BUDGET_BYTES: return budget->n_bytes;
    case BUDGET_MIN: return plan->minimum_bytes;
    case BUDGET_PERCENT:
        // The whole model is the whole model, also where its places are a little larger.
        if (budget->percent >= 100) return plan->all_bytes;
        return (uint64_t)((double)map->weight_bytes * budget->percent / 100);
    case BUDGET_DEFAULT:
    case BUDGET_ALL: break;
    }
    return plan->all_bytes;
}

static bool resolve(
    Residency *plan, const BlockMap *map, const Budget *budget, uint64_t room_bytes, Error *err)
{
    char needed[24], given[24];
    uint64_t allowed = resolve_unit(plan, map, budget);

    if (room_bytes > 0 && allowed > room_bytes) {
        if (budget->unit == BUDGET_ALL)
            return error_set(err, ERROR_BUDGET,
                "all weights need %" PRIu64 " bytes (%s), and there is room for %" PRIu64 " (%s)",
                allowed, size_format(allowed, needed), room_bytes, size_format(room_bytes, given));
        allowed = room_bytes;
    }
    if (allowed < plan->minimum_bytes)
        return error_set(err, ERROR_BUDGET,
            "%" PRIu64 " bytes (%s) for weights are too few; the least that runs is %" PRIu64
            " (%s)",
            allowed, size_format(allowed, given), plan->minimum_bytes,
            size_format(plan->minimum_bytes, needed));
    plan->allowed_bytes = allowed;
    return true;
}

/* ---- dividing ---- */

/* Marks blocks of at most n_bytes together as resident, in even distances by bytes: after
 * each block, what is kept of the bytes so far is the same share as of all. */
static void spread_dense(Residency *plan, const BlockMap *map, uint64_t n_bytes)
{
    uint64_t unit = places_unit_bytes(1);
    uint64_t seen = 0; // in units, so that products fit: 2^32 pages are 16 TiB

    for (uint32_t i = 0; i < map->n_dense; i++) {
        uint64_t place = place_of(plan, &map->dense[i].extent);
        seen += place / unit;
        uint64_t due = seen * (n_bytes / unit) / (plan->dense_all_bytes / unit) * unit;
        plan->dense_is_resident[i] = plan->dense_bytes + place <= due;
        if (plan->dense_is_resident[i]) plan->dense_bytes += place;
    }
}

/* Slots for one layer's used experts, or for as many as n_bytes hold; at least one. */
static uint64_t first_experts(const Residency *plan, const BlockMap *map, uint64_t n_bytes)
{
    uint64_t wanted = least(map->n_expert_used * largest_expert(plan), all_experts(plan));

    if (plan->n_classes == 0 || wanted <= n_bytes) return wanted;
    return n_bytes / largest_expert(plan) * largest_expert(plan);
}

/* The class with the smallest share of its blocks in slots, of those that n_bytes let grow. */
static ExpertClass *neediest_class(Residency *plan, uint64_t n_bytes)
{
    ExpertClass *best = NULL;

    for (uint32_t i = 0; i < plan->n_classes; i++) {
        ExpertClass *size_class = &plan->classes[i];
        if (size_class->n_slots == size_class->n_blocks || size_class->slot_bytes > n_bytes)
            continue;
        if (!best
            || (uint64_t)size_class->n_slots * best->n_blocks
                   < (uint64_t)best->n_slots * size_class->n_blocks)
            best = size_class;
    }
    return best;
}

/* Experts get n_bytes. Where a class of its own would leave a layer with less than its used
 * experts at once, all share one class. */
static void divide_experts(Residency *plan, const BlockMap *map, uint64_t n_bytes)
{
    uint64_t wanted = 0;
    ExpertClass *size_class;

    for (uint32_t i = 0; i < plan->n_classes; i++)
        wanted +=
            plan->classes[i].slot_bytes * least(plan->classes[i].n_blocks, map->n_expert_used);
    if (wanted > n_bytes && plan->n_classes > 1) merge_classes(plan);
    for (uint32_t i = 0; i < plan->n_classes && wanted <= n_bytes; i++)
        plan->classes[i].n_slots = (uint32_t)least(plan->classes[i].n_blocks, map->n_expert_used);

    for (uint32_t i = 0; i < plan->n_classes; i++)
        plan->expert_bytes += plan->classes[i].slot_bytes * plan->classes[i].n_slots;
    while ((size_class = neediest_class(plan, n_bytes - plan->expert_bytes)) != NULL) {
        size_class->n_slots++;
        plan->expert_bytes += size_class->slot_bytes;
    }
}

/* Slots of the ring, of n_bytes that do not hold all dense blocks. A pass takes
 * missing / rate, and by Little's law the rate is what flies / latency: so the ring comes
 * before residency until it fills the drive. More of it covers the drive's slow moments,
 * displaces residents and was slower (ADR 11), so that has a share and an end. No
 * larger than what misses without it: where nearly all is resident a ring would only displace
 * what it then reads. */
static uint32_t ring_slots(const Residency *plan, uint64_t n_bytes)
{
    uint64_t wanted = least(RING_BYTES_MAX, n_bytes / RING_SHARE);
    if (wanted < RING_BYTES_MIN) wanted = least(RING_BYTES_MIN, n_bytes);
    uint64_t n_slots = least(wanted, plan->dense_all_bytes - n_bytes) / plan->ring_slot_bytes;
    uint64_t n_per_page = HUGE_PAGE_BYTES / plan->ring_slot_bytes; // 0: slots are larger

    n_slots = least(n_slots, RING_SLOTS_MAX);
    if (n_per_page > 0 && n_slots > n_per_page) n_slots -= n_slots % n_per_page;
    return n_slots < RING_SLOTS_MIN ? RING_SLOTS_MIN : (uint32_t)n_slots;
}

static void divide(Residency *plan, const BlockMap *map)
{
    uint64_t rest = plan->allowed_bytes - plan->trunk_bytes - slack_bytes(plan);
    uint64_t experts = first_experts(plan, map, rest - least_dense(plan));
    uint64_t dense = plan->dense_all_bytes;

    if (dense > rest - experts) {
        plan->n_ring_slots = ring_slots(plan, rest - experts);
        rest -= plan->n_ring_slots * plan->ring_slot_bytes;
        dense = rest - experts;
    }
    spread_dense(plan, map, dense);
    rest -= plan->dense_bytes;
    divide_experts(plan, map, rest);
    if (plan->allowed_bytes >= plan->all_bytes) plan->rows_bytes = plan->rows_all_bytes;
}

bool residency_plan(Residency *plan, const BlockMap *map, uint32_t alignment, const Budget *budget,
    uint64_t room_bytes, Error *err)
{
    measure(plan, map, alignment);
    if (!resolve(plan, map, budget, room_bytes, err)) return false;
    plan->dense_is_resident = mem_alloc_array(MEM_OTHER, map->n_dense, sizeof(bool), err);
    if (!plan->dense_is_resident) return false;
    divide(plan, map);
    return true;
}

void residency_destroy(Residency *plan)
{
    mem_free(MEM_OTHER, plan->dense_is_resident);
    *plan = (Residency){0};
}

uint64_t residency_cache_bytes(const Residency *plan)
{
    return plan->dense_bytes + plan->rows_bytes + plan->expert_bytes;
}
