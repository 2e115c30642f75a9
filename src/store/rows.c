/* Rows by number.
 *
 * A row is a few KiB: too small to stream well and too rarely used twice to cache. Rows that
 * are not in memory are read side by side into a few slots and copied out, so the slots are
 * empty between calls. The resident table is an image of its span of the file, read in
 * pieces; it exists only where everything else is resident too. */
#include "store/rows.h"

#include <assert.h>

#include "base/mem.h"

#define ROWS_SLOT_BYTES (256u << 10) // of all slots together, as far as that is more than one
#define PIECE_BYTES     ((uint64_t)1 << 20)

/* ---- life ---- */

static uint64_t image_begin(const Rows *rows)
{
    return size_align_down(rows->map->rows.first_row.offset_bytes, rows->alignment);
}

static uint64_t table_end(const Rows *rows)
{
    const RowTable *table = &rows->map->rows;

    return table->first_row.offset_bytes + table->n_rows * table->first_row.n_bytes;
}

static bool init_image(Rows *rows, const Residency *plan, Places *cache, Error *err)
{
    const Extent *first = &rows->map->rows.first_row;
    uint64_t begin = image_begin(rows), end = table_end(rows);

    rows->n_pieces = (uint32_t)((end - begin + PIECE_BYTES - 1) / PIECE_BYTES);
    rows->pieces = mem_alloc_array(MEM_OTHER, rows->n_pieces, sizeof(Slot), err);
    if (!rows->pieces) return false;
    rows->piece_extents = mem_alloc_array(MEM_OTHER, rows->n_pieces, sizeof(Extent), err);
    if (!rows->piece_extents) return false;

    rows->image = places_take(cache, plan->rows_bytes);
    rows->image_bytes = plan->rows_bytes;
    rows->is_image_held = true;
    for (uint32_t i = 0; i < rows->n_pieces; i++) {
        uint64_t from = begin + i * PIECE_BYTES;
        uint64_t to = end - from > PIECE_BYTES ? from + PIECE_BYTES : end;
        if (i == 0) from = first->offset_bytes;
        rows->piece_extents[i] =
            (Extent){.file = first->file, .n_bytes = (uint32_t)(to - from), .offset_bytes = from};
        rows->pieces[i] = (Slot){.data = rows->image + i * PIECE_BYTES, .block = i};
    }
    return true;
}

bool rows_init(Rows *rows, const BlockMap *map, const Residency *plan, Places *cache, Error *err)
{
    uint64_t row_bytes = map->rows.first_row.n_bytes;
    uint64_t slot_bytes =
        size_align_up(row_bytes + plan->alignment - 1, places_unit_bytes(plan->alignment));

    *rows = (Rows){.map = map, .alignment = plan->alignment};
    if (map->rows.n_rows == 0) return true;
    rows->n_slots = (uint32_t)(ROWS_SLOT_BYTES / slot_bytes);
    if (rows->n_slots == 0) rows->n_slots = 1;
    if (rows->n_slots > ROWS_SLOTS_MAX) rows->n_slots = ROWS_SLOTS_MAX;
    if (!places_init(
            &rows->places, MEM_OTHER, rows->n_slots * slot_bytes, plan->alignment, PAGES_NOW, err))
        goto fail;
    for (uint32_t i = 0; i < rows->n_slots; i++)
        rows->slots[i] =
            (Slot){.data = places_take(&rows->places, slot_bytes), .block = SLOT_NO_BLOCK};
    if (plan->rows_bytes > 0 && !init_image(rows, plan, cache, err)) goto fail;
    return true;

fail:
    rows_destroy(rows);
    return false;
}

void rows_destroy(Rows *rows)
{
    places_destroy(&rows->places);
    mem_free(MEM_OTHER, rows->pieces);
    mem_free(MEM_OTHER, rows->piece_extents);
    *rows = (Rows){0};
}

void rows_load(Rows *rows, Mover *mover)
{
    for (uint32_t i = 0; i < rows->n_pieces; i++)
        if (rows->pieces[i].state == SLOT_FREE)
            mover_read(mover, &rows->pieces[i], &rows->piece_extents[i], 1, MOVE_LOAD);
}

bool rows_forget(Rows *rows, Mover *mover, Error *err)
{
    for (uint32_t i = 0; i < rows->n_pieces; i++) {
        Slot *piece = &rows->pieces[i];
        if (piece->state == SLOT_LOADING) mover_cancel(mover, piece);
        if (piece->state == SLOT_READY) slot_move(piece, SLOT_FREE);
    }
    for (uint32_t i = 0; i < rows->n_pieces; i++)
        while (rows->pieces[i].state == SLOT_DOOMED)
            if (!mover_wait(mover, err)) return false;
    return true;
}

/* ---- reading ---- */

static const uint8_t *find_in_dense(const Rows *rows, const Dense *dense, uint32_t number)
{
    const RowTable *table = &rows->map->rows;
    const uint8_t *block =
        dense_find_resident(dense, table->first_dense_block + number / table->rows_per_block);

    if (!block) return NULL;
    return block + (uint64_t)(number % table->rows_per_block) * table->first_row.n_bytes;
}

static const uint8_t *find_in_image(const Rows *rows, uint32_t number)
{
    const Extent *first = &rows->map->rows.first_row;
    uint64_t from = first->offset_bytes + (uint64_t)number * first->n_bytes - image_begin(rows);
    uint64_t last = from + first->n_bytes - 1;

    for (uint64_t i = from / PIECE_BYTES; i <= last / PIECE_BYTES; i++)
        if (rows->pieces[i].state != SLOT_READY) return NULL;
    return rows->image + from;
}

/* A row that is in memory; NULL: it must be read. */
static const uint8_t *find_row(const Rows *rows, const Dense *dense, uint32_t number)
{
    if (rows->map->rows.is_dense) return find_in_dense(rows, dense, number);
    return rows->image ? find_in_image(rows, number) : NULL;
}

static void ask_for_row(Rows *rows, Mover *mover, uint32_t slot, uint32_t number)
{
    Extent *extent = &rows->extents[slot];

    *extent = rows->map->rows.first_row;
    extent->offset_bytes += (uint64_t)number * extent->n_bytes;
    mover_read(mover, &rows->slots[slot], extent, 1, MOVE_DEMAND);
}

/* Ends reads that nobody waits for any more, and waits until the slots are empty. */
static void drain_slots(Rows *rows, Mover *mover)
{
    for (uint32_t i = 0; i < rows->n_slots; i++) {
        Slot *slot = &rows->slots[i];
        if (slot->state == SLOT_LOADING) mover_cancel(mover, slot);
        if (slot->state == SLOT_READY) slot_move(slot, SLOT_FREE);
        while (slot->state == SLOT_DOOMED)
            if (!mover_wait(mover, NULL)) return; // broken: no call will use the slots again
    }
}

/* Copies the rows that were asked for: slot i holds the row of out[places[i]]. */
static bool collect_rows(
    Rows *rows, Mover *mover, const uint32_t *places, uint32_t n_asked, uint8_t *out, Error *err)
{
    uint64_t row_bytes = rows->map->rows.first_row.n_bytes;

    for (uint32_t i = 0; i < n_asked; i++) {
        Slot *slot = &rows->slots[i];
        if (!mover_await(mover, slot, err)) {
            drain_slots(rows, mover);
            return false;
        }
        memcpy(out + places[i] * row_bytes, slot_payload(slot, 0, rows->alignment), row_bytes);
        slot_move(slot, SLOT_FREE);
    }
    return true;
}

bool rows_read(Rows *rows, const Dense *dense, Mover *mover, const uint32_t *numbers, uint32_t n,
    uint8_t *out, Error *err)
{
    uint64_t row_bytes = rows->map->rows.first_row.n_bytes;
    uint32_t places[ROWS_SLOTS_MAX];
    uint32_t n_asked = 0;

    if (!mover_poll(mover, err)) return false;
    for (uint32_t i = 0; i < n; i++) {
        assert(numbers[i] < rows->map->rows.n_rows);
        const uint8_t *row = find_row(rows, dense, numbers[i]);
        if (row) {
            memcpy(out + i * row_bytes, row, row_bytes);
            continue;
        }
        places[n_asked] = i;
        ask_for_row(rows, mover, n_asked++, numbers[i]);
        if (n_asked < rows->n_slots) continue;
        if (!collect_rows(rows, mover, places, n_asked, out, err)) return false;
        n_asked = 0;
    }
    return collect_rows(rows, mover, places, n_asked, out, err);
}
