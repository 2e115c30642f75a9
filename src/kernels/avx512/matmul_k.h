/* Super-block types (256 elements) for few activation rows: a weight row streams past once,
 * lanes are weight rows. matmul_k_panels.h has the many.
 *
 * Bound: from memory by its bandwidth, from L2 inwards by vector operations, about 25 for a
 * Q4_K block of 144 bytes. */
#ifndef HYPURA_KERNELS_AVX512_MATMUL_K_H
#define HYPURA_KERNELS_AVX512_MATMUL_K_H

#include "kernels/acts.h"
#include "kernels/avx512/matmul.h"

#define K_ELEMENTS    256
#define K_SCALE_BYTES 512 // room for the scales of a tile, stored as the type likes

/* What a type finds at the heads of the 16 blocks of a tile; vectors are [quad][row]. */
typedef struct KHeads {
    __m512 dw, dmin;
    __m512i mins[8]; // int16 pairs: the minima of groups 2p and 2p + 1 are a dword of mins[p]
} KHeads;

/* What a type is made of. Codes are unsigned, 64 elements a vector, in an order that suits
 * the type; `bias` is subtracted from each. */
typedef struct KType {
    uint32_t block_bytes;
    int32_t bias;
    uint32_t n_groups;    // 8 of 32 elements, or 16 of 16
    uint32_t n_min_pairs; // 0: no minimum; else n_groups / 2
    void (*heads)(KHeads *heads, uint8_t *scales, const uint8_t *const block[TILE_BLOCKS]);
    /* Elements from natural order to the type's; its own inverse. */
    void (*order)(__m512i v[4]);
    void (*unpack)(__m512i codes[4], const uint8_t *block);
    /* In any lanes, the sum over the groups of scale * products; p: sums of four products,
     * in 32 bits, in the order of the codes. */
    __m512i (*scale)(const __m512i p[4], const uint8_t *scales, uint32_t quad, uint32_t row);
    /* The n_groups scales as int32. */
    __m512i (*scales)(const uint8_t *scales, uint32_t quad, uint32_t row);
} KType;

/* The codes of one activation block in the type's order, and what dpbusd starts from: the
 * bias times the sum of the same four activations, subtracted. */
typedef struct KActs {
    __m512i a[4], start[4];
} KActs;

INLINE KActs k_acts(KType type, const int8_t *q)
{
    KActs acts;

    UNROLL
    for (uint32_t i = 0; i < 4; i++) acts.a[i] = _mm512_load_si512(q + 64 * i);
    type.order(acts.a);
    UNROLL
    for (uint32_t i = 0; i < 4; i++) {
        acts.start[i] = _mm512_setzero_si512();
        if (type.bias == 0) continue;
        __m512i sum =
            _mm512_dpbusd_epi32(acts.start[i], _mm512_set1_epi8((char)type.bias), acts.a[i]);
        acts.start[i] = _mm512_sub_epi32(acts.start[i], sum);
    }
    return acts;
}

/* A tile on its way: first all that is known before its codes are read, then isum. */
typedef struct KTile {
    Tile tile;
    _Alignas(64) float dw[TILE_QUADS][STRIP_ROWS];
    _Alignas(64) float dmin[TILE_QUADS][STRIP_ROWS];
    _Alignas(64) float msum[ROWS_MAX][TILE_QUADS][STRIP_ROWS];
    _Alignas(64) float isum[ROWS_MAX][TILE_QUADS][STRIP_ROWS];
    _Alignas(64) uint8_t scales[K_SCALE_BYTES];
} KTile;

/* One call, and where its chains stand. */
typedef struct KRun {
    Tiling tiling;
    ActsRecord records[ROWS_MAX];
    __m128 acc[ROWS_MAX][TILE_QUADS]; // [activation row][strip]
    float *y;
    size_t y_stride;
} KRun;

/* msum of the 16 blocks of a tile for one activation row. */
INLINE __m512i k_msums(KType type, const Tile *tile, const KHeads *heads, const ActsRecord *record)
{
    const int16_t *all = type.n_groups == 8 ? record->bs32 : record->bs16;
    __m512i msum = _mm512_setzero_si512();

    UNROLL
    for (uint32_t p = 0; p < type.n_min_pairs; p += 4) { // four pairs of sums, 16 bytes a quad
        const int16_t *sums[TILE_QUADS];
        UNROLL
        for (uint32_t l = 0; l < TILE_QUADS; l++)
            sums[l] = all + 2 * (tile->columns[l] * type.n_min_pairs + p);
        __m512i pairs = load_lanes(sums[0], sums[1], sums[2], sums[3]);
        msum = _mm512_dpwssd_epi32(msum, heads->mins[p], _mm512_shuffle_epi32(pairs, 0x00));
        msum = _mm512_dpwssd_epi32(msum, heads->mins[p + 1], _mm512_shuffle_epi32(pairs, 0x55));
        msum = _mm512_dpwssd_epi32(msum, heads->mins[p + 2], _mm512_shuffle_epi32(pairs, 0xaa));
        msum = _mm512_dpwssd_epi32(msum, heads->mins[p + 3], _mm512_shuffle_epi32(pairs, 0xff));
    }
    return msum;
}

INLINE void k_heads(KType type, uint32_t n_rows, const KRun *run, KTile *k)
{
    KHeads heads;

    type.heads(&heads, k->scales, k->tile.block);
    _mm512_store_ps(k->dw, heads.dw);
    if (type.n_min_pairs == 0) return;
    _mm512_store_ps(k->dmin, heads.dmin);
    UNROLL
    for (uint32_t t = 0; t < n_rows; t++)
        _mm512_store_ps(
            k->msum[t], _mm512_cvtepi32_ps(k_msums(type, &k->tile, &heads, &run->records[t])));
}

/* One step of the chains of the strip of a quad. */
INLINE void k_chain(KType type, uint32_t n_rows, KRun *run, const KTile *k, uint32_t quad)
{
    uint32_t n_columns = run->tiling.n_columns;
    uint32_t column = k->tile.column + (quad & (n_columns - 1));
    uint32_t strip = n_columns == 1 ? quad : 0;

    if (column >= run->tiling.n_blocks) return;
    UNROLL
    for (uint32_t t = 0; t < n_rows; t++) {
        __m128 acc = run->acc[t][strip], da = _mm_set1_ps(run->records[t].d[column]);
        acc = _mm_fmadd_ps(
            _mm_mul_ps(_mm_load_ps(k->dw[quad]), da), _mm_load_ps(k->isum[t][quad]), acc);
        if (type.n_min_pairs > 0)
            acc = _mm_fnmadd_ps(
                _mm_mul_ps(_mm_load_ps(k->dmin[quad]), da), _mm_load_ps(k->msum[t][quad]), acc);
        run->acc[t][strip] = acc;
    }
}

/* Where a tile ends its rows: results out, new chains from zero. */
INLINE void k_finish(uint32_t n_rows, KRun *run, const KTile *k)
{
    if (k->tile.column + run->tiling.n_columns < run->tiling.n_blocks) return;
    for (uint32_t s = 0; s < run->tiling.n_strips; s++) {
        uint32_t row = k->tile.row + s * STRIP_ROWS;
        if (row >= run->tiling.n_out) return;
        UNROLL
        for (uint32_t t = 0; t < n_rows; t++) {
            store_rows(run->y + t * run->y_stride + row, run->acc[t][s], run->tiling.n_out - row);
            run->acc[t][s] = _mm_setzero_ps();
        }
    }
}

/* isum of the 16 blocks of a tile for each activation row. The chains of the tile before
 * take a step after each quad: they wait for nothing by then, and nothing waits for them. */
INLINE void k_isums(KType type, uint32_t n_rows, KRun *run, KTile *k, const KTile *before)
{
    __m512i sums[ROWS_MAX][TILE_QUADS];

    for (uint32_t l = 0; l < TILE_QUADS; l++) {
        KActs acts[ROWS_MAX];
        __m512i sum[ROWS_MAX][STRIP_ROWS];
        size_t column = k->tile.columns[l];
        UNROLL
        for (uint32_t t = 0; t < n_rows; t++)
            acts[t] = k_acts(type, run->records[t].q + column * K_ELEMENTS);
        UNROLL
        for (uint32_t i = 0; i < STRIP_ROWS; i++) {
            __m512i codes[4], p[4];
            prefetch(k->tile.ahead + (l * STRIP_ROWS + i) * type.block_bytes, type.block_bytes);
            type.unpack(codes, k->tile.block[l * STRIP_ROWS + i]);
            UNROLL
            for (uint32_t t = 0; t < n_rows; t++) {
                UNROLL
                for (uint32_t j = 0; j < 4; j++)
                    p[j] = _mm512_dpbusd_epi32(acts[t].start[j], codes[j], acts[t].a[j]);
                sum[t][i] = type.scale(p, k->scales, l, i);
            }
        }
        UNROLL
        for (uint32_t t = 0; t < n_rows; t++)
            sums[t][l] = sum_in_lanes(sum[t][0], sum[t][1], sum[t][2], sum[t][3]);
        if (before) k_chain(type, n_rows, run, before, l);
    }
    UNROLL
    for (uint32_t t = 0; t < n_rows; t++)
        _mm512_store_ps(k->isum[t], _mm512_cvtepi32_ps(sum_of_lanes(sums[t])));
}

/* Activation rows first .. first + n_rows - 1. */
INLINE void k_rows(KType type, uint32_t n_rows, float *y, size_t y_stride, const uint8_t *w,
    size_t row_bytes, uint32_t n_out, const Acts *acts, uint32_t first)
{
    KRun run = {.y = y + first * y_stride, .y_stride = y_stride};
    KTile tiles[3], *before = NULL, *k = &tiles[0], *next = &tiles[1], *spare = &tiles[2];
    bool more = true;

    run.tiling = tiling_begin(w, row_bytes, type.block_bytes, n_out, acts->n_cols / K_ELEMENTS);
    for (uint32_t t = 0; t < n_rows; t++) run.records[t] = acts_record(acts, first + t);
    tile_set(&run.tiling, &k->tile, 0, 0);
    k_heads(type, n_rows, &run, k);
    while (more) {
        // The heads of the next tile are read now, so that their long way to the scales
        // passes beside the codes of this one.
        more = tile_next(&run.tiling, &k->tile, &next->tile);
        if (more) k_heads(type, n_rows, &run, next);
        k_isums(type, n_rows, &run, k, before);
        if (before) k_finish(n_rows, &run, before);
        spare = before ? before : spare;
        before = k;
        k = next;
        next = spare;
    }
    for (uint32_t l = 0; l < TILE_QUADS; l++) k_chain(type, n_rows, &run, before, l);
    k_finish(n_rows, &run, before);
}

#endif
