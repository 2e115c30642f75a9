/* What goes first: the table of rows (a row a token), then experts down to what one layer uses at
 * once (the least valuable; cache_shrink.h), then resident dense blocks, evenly over the pass
 * (dense.h), then experts down to one slot of each size. It is the order in which a budget is
 * divided (residency.h), backwards, so a limit leaves about what a budget of that size would have
 * had. Back it comes the other way.
 *
 * Memory is given back in whole huge pages. A part of one stays with the process until the system
 * looks for memory, so each area ends up to a huge page late. */
#include "store/shrink.h"

#include <assert.h>

#include "base/size.h"
#include "store/cache_shrink.h"

#define HUGE_PAGE_BYTES ((uint64_t)2 << 20)

/* How much of each part a limit leaves. */
typedef struct ShrinkTarget {
    bool has_rows;
    uint32_t n_residents;
    uint32_t n_slots[RESIDENCY_CLASSES_MAX];
} ShrinkTarget;

static uint64_t offset_of(const Shrink *shrink, const uint8_t *place)
{
    return (uint64_t)(place - shrink->places->pages.data);
}

static uint64_t least(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

/* ---- areas ---- */

static ShrinkArea make_area(const Shrink *shrink, const uint8_t *end)
{
    uint64_t last = size_align_down(offset_of(shrink, end), HUGE_PAGE_BYTES);

    return (ShrinkArea){.end = last, .held_end = last};
}

/* Holds an area up to `kept_end` at least: gives the rest back, or takes back what is missing. */
static bool hold(Shrink *shrink, ShrinkArea *area, const uint8_t *kept_end, Error *err)
{
    Places *places = shrink->places;
    uint64_t end = least(size_align_up(offset_of(shrink, kept_end), HUGE_PAGE_BYTES), area->end);

    if (end > area->held_end
        && !pages_take_back(&places->pages, places->kind, end - area->held_end, err))
        return false;
    // Refused where it is locked: then it is held, and counted so.
    if (end < area->held_end
        && !pages_give_back(&places->pages, places->kind, end, area->held_end - end))
        return true;
    area->held_end = end;
    return true;
}

static uint8_t *slots_end(const Cache *cache, const CacheClass *size_class, uint32_t n)
{
    return cache->slots[size_class->first_slot].data + n * size_class->slot_bytes;
}

void shrink_init(
    Shrink *shrink, Places *places, Dense *dense, Rows *rows, Cache *cache, Mover *mover)
{
    *shrink =
        (Shrink){.places = places, .dense = dense, .rows = rows, .cache = cache, .mover = mover};
    if (dense->n_residents > 0)
        shrink->dense_area =
            make_area(shrink, dense_places_end(dense, dense->n_residents - dense->n_spare));
    if (rows->image) shrink->rows_area = make_area(shrink, rows->image + rows->image_bytes);
    for (uint32_t i = 0; i < cache->n_classes; i++) {
        const CacheClass *size_class = &cache->classes[i];
        if (size_class->n_slots_placed == 0) continue;
        shrink->expert_areas[i] =
            make_area(shrink, slots_end(cache, size_class, size_class->n_slots_placed));
    }
}

/* ---- dividing ---- */

/* Takes up to *excess bytes of experts, in each class alike, down to `floor` slots. */
static void cut_experts(
    const Shrink *shrink, ShrinkTarget *target, uint32_t floor, uint64_t *excess)
{
    const Cache *cache = shrink->cache;
    uint64_t cut_bytes = 0, most_bytes = 0;

    for (uint32_t i = 0; i < cache->n_classes; i++)
        if (target->n_slots[i] > floor)
            most_bytes += (target->n_slots[i] - floor) * cache->classes[i].slot_bytes;
    if (most_bytes == 0) return;
    double share = (double)least(*excess, most_bytes) / (double)most_bytes;
    for (uint32_t i = 0; i < cache->n_classes; i++) {
        if (target->n_slots[i] <= floor) continue;
        uint32_t n_more = target->n_slots[i] - floor;
        uint32_t n_cut = (uint32_t)(share * n_more + 0.999999); // at most n_more
        if (n_cut > n_more) n_cut = n_more;
        target->n_slots[i] -= n_cut;
        cut_bytes += n_cut * cache->classes[i].slot_bytes;
    }
    *excess -= least(*excess, cut_bytes);
}

static void cut_dense(const Shrink *shrink, ShrinkTarget *target, uint64_t *excess)
{
    const Dense *dense = shrink->dense;
    uint32_t n = dense->n_residents - dense->n_spare;

    if (*excess == 0 || dense_keeps_least(dense) == dense->n_residents) return;
    const uint8_t *end = dense_places_end(dense, n);
    while (n > dense_keeps_least(dense) && (uint64_t)(end - dense_places_end(dense, n)) < *excess)
        n--;
    target->n_residents = n;
    *excess -= least(*excess, (uint64_t)(end - dense_places_end(dense, n)));
}

static ShrinkTarget divide(const Shrink *shrink, uint64_t n_bytes)
{
    const Cache *cache = shrink->cache;
    uint64_t all_bytes = shrink->places->pages.n_bytes;
    uint64_t excess = all_bytes > n_bytes ? all_bytes - n_bytes : 0;
    ShrinkTarget target = {
        .has_rows = shrink->rows->image && excess == 0, .n_residents = shrink->dense->n_residents};

    if (shrink->rows->image) excess -= least(excess, shrink->rows->image_bytes);
    for (uint32_t i = 0; i < cache->n_classes; i++)
        target.n_slots[i] = cache->classes[i].n_slots_placed;
    cut_experts(shrink, &target, cache->map->n_expert_used, &excess);
    cut_dense(shrink, &target, &excess);
    cut_experts(shrink, &target, 1, &excess);
    return target;
}

/* ---- moving ---- */

/* What leaves is emptied before its memory goes; what comes has its memory before it is used. */
static bool resize_rows(Shrink *shrink, bool is_wanted, Error *err)
{
    Rows *rows = shrink->rows;

    if (!rows->image || is_wanted == rows->is_image_held) return true;
    if (!is_wanted && !rows_forget(rows, shrink->mover, err)) return false;
    rows->is_image_held = false;
    if (!hold(shrink, &shrink->rows_area, is_wanted ? rows->image + rows->image_bytes : rows->image,
            err))
        return false;
    rows->is_image_held = is_wanted;
    if (is_wanted) rows_load(rows, shrink->mover);
    return true;
}

static bool resize_dense(Shrink *shrink, uint32_t n, Error *err)
{
    Dense *dense = shrink->dense;
    bool grows = n > dense->n_kept;

    if (n == dense->n_kept) return true;
    if (grows && !hold(shrink, &shrink->dense_area, dense_places_end(dense, n), err)) return false;
    if (!dense_keep(dense, shrink->mover, n, err)) return false;
    return grows || hold(shrink, &shrink->dense_area, dense_places_end(dense, n), err);
}

static bool resize_class(Shrink *shrink, uint32_t index, uint32_t n, Error *err)
{
    CacheClass *size_class = &shrink->cache->classes[index];
    ShrinkArea *area = &shrink->expert_areas[index];
    bool grows = n > size_class->n_slots;

    if (n == size_class->n_slots) return true;
    uint8_t *end = slots_end(shrink->cache, size_class, n);
    if (grows && !hold(shrink, area, end, err)) return false;
    if (!cache_keep(shrink->cache, shrink->mover, size_class, n, err)) return false;
    return grows || hold(shrink, area, end, err);
}

/* One of two rounds: what leaves goes first, so that its memory is there for what comes. */
static bool resize_all(Shrink *shrink, const ShrinkTarget *target, bool grows, Error *err)
{
    const Cache *cache = shrink->cache;

    if (target->has_rows == grows && !resize_rows(shrink, target->has_rows, err)) return false;
    if ((target->n_residents > shrink->dense->n_kept) == grows
        && !resize_dense(shrink, target->n_residents, err))
        return false;
    for (uint32_t i = 0; i < cache->n_classes; i++)
        if ((target->n_slots[i] > cache->classes[i].n_slots) == grows
            && !resize_class(shrink, i, target->n_slots[i], err))
            return false;
    return true;
}

bool shrink_to(Shrink *shrink, uint64_t n_bytes, Error *err)
{
    Cache *cache = shrink->cache;
    ShrinkTarget target = divide(shrink, n_bytes);
    uint32_t n_slots = 0;

    if (!resize_all(shrink, &target, false, err)) return false;
    if (!resize_all(shrink, &target, true, err)) return false;
    for (uint32_t i = 0; i < cache->n_classes; i++) n_slots += cache->classes[i].n_slots;
    if (n_slots > 0 && n_slots == blocks_n_experts(cache->map))
        cache_load_all(cache, shrink->mover);
    return true;
}
