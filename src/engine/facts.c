/* What a plan asks of the facts: values between those that were measured. Rates of a drive and of
 * a memory are curves over powers of two and are followed in the logarithm; the time of a product
 * is a straight line over its rows (a pass over the weights, and work for each row). */
#include "engine/facts.h"

#include <math.h>

#define BEST_SHARE 0.97 // of the best rate: as good as it, where windows vary by more

/* The measured points around a wanted one: the nearest not above it, the nearest not below. */
typedef struct Bracket {
    uint32_t low, high; // 0: none
} Bracket;

static void bracket_add(Bracket *bracket, uint32_t value, uint32_t wanted)
{
    if (value <= wanted && value > bracket->low) bracket->low = value;
    if (value >= wanted && (bracket->high == 0 || value < bracket->high)) bracket->high = value;
}

/* Beyond the points the nearest takes both places. */
static void bracket_close(Bracket *bracket)
{
    if (bracket->low == 0) bracket->low = bracket->high;
    if (bracket->high == 0) bracket->high = bracket->low;
}

/* A rate between those of both ends, in the logarithm of both. */
static double between_rates(Bracket bracket, double low_rate, double high_rate, uint32_t wanted)
{
    if (bracket.low == bracket.high || low_rate <= 0 || high_rate <= 0) return low_rate;
    double share = log2((double)wanted / bracket.low) / log2((double)bracket.high / bracket.low);
    return low_rate * pow(high_rate / low_rate, share);
}

static double between(Bracket bracket, double low, double high, uint32_t wanted)
{
    if (bracket.low == bracket.high) return low;
    return low + (high - low) * (wanted - bracket.low) / (bracket.high - bracket.low);
}

/* Random reads of the backend that a reader takes by itself. */
static bool drive_counts(const Facts *facts, const DriveFact *fact)
{
    bool has_uring = false;

    for (uint32_t i = 0; i < facts->n_drive; i++)
        if (!facts->drive[i].is_sequential && facts->drive[i].backend == READ_URING)
            has_uring = true;
    return !fact->is_sequential && fact->backend == (has_uring ? READ_URING : READ_THREADS);
}

static double drive_point(const Facts *facts, uint32_t read_bytes, uint32_t depth)
{
    for (uint32_t i = 0; i < facts->n_drive; i++) {
        const DriveFact *fact = &facts->drive[i];
        if (fact->read_bytes == read_bytes && fact->depth == depth && drive_counts(facts, fact))
            return fact->bytes_per_s;
    }
    return 0;
}

static double drive_at_depth(const Facts *facts, uint32_t read_bytes, uint32_t depth)
{
    Bracket depths = {0};

    for (uint32_t i = 0; i < facts->n_drive; i++)
        if (facts->drive[i].read_bytes == read_bytes && drive_counts(facts, &facts->drive[i]))
            bracket_add(&depths, facts->drive[i].depth, depth);
    bracket_close(&depths);
    return between_rates(depths, drive_point(facts, read_bytes, depths.low),
        drive_point(facts, read_bytes, depths.high), depth);
}

double facts_drive(const Facts *facts, uint32_t read_bytes, uint32_t depth)
{
    Bracket sizes = {0};

    for (uint32_t i = 0; i < facts->n_drive; i++)
        if (drive_counts(facts, &facts->drive[i]))
            bracket_add(&sizes, facts->drive[i].read_bytes, read_bytes);
    bool is_smallest = sizes.low == 0;
    bracket_close(&sizes);
    double low = drive_at_depth(facts, sizes.low, depth);
    if (is_smallest && sizes.low > 0) return low * read_bytes / sizes.low;
    return between_rates(sizes, low, drive_at_depth(facts, sizes.high, depth), read_bytes);
}

bool facts_best_read(const Facts *facts, uint32_t *read_bytes, uint32_t *depth)
{
    const DriveFact *chosen = NULL;
    double best = 0;

    for (uint32_t i = 0; i < facts->n_drive; i++)
        if (drive_counts(facts, &facts->drive[i]) && facts->drive[i].bytes_per_s > best)
            best = facts->drive[i].bytes_per_s;
    for (uint32_t i = 0; i < facts->n_drive; i++) {
        const DriveFact *fact = &facts->drive[i];
        if (!drive_counts(facts, fact) || fact->bytes_per_s < BEST_SHARE * best) continue;
        uint64_t in_flight = (uint64_t)fact->read_bytes * fact->depth;
        uint64_t least = chosen ? (uint64_t)chosen->read_bytes * chosen->depth : UINT64_MAX;
        if (in_flight > least) continue;
        if (in_flight == least && chosen && fact->read_bytes < chosen->read_bytes) continue;
        chosen = fact;
    }
    if (!chosen || best <= 0) return false;
    *read_bytes = chosen->read_bytes;
    *depth = chosen->depth;
    return true;
}

static double memory_point(const Facts *facts, uint32_t n_threads)
{
    for (uint32_t i = 0; i < facts->n_memory; i++)
        if (facts->memory[i].n_threads == n_threads) return facts->memory[i].bytes_per_s;
    return 0;
}

double facts_memory(const Facts *facts, uint32_t n_threads)
{
    Bracket threads = {0};

    for (uint32_t i = 0; i < facts->n_memory; i++)
        bracket_add(&threads, facts->memory[i].n_threads, n_threads);
    bracket_close(&threads);
    return between_rates(
        threads, memory_point(facts, threads.low), memory_point(facts, threads.high), n_threads);
}

/* Seconds per byte of weights at a measured point; 0: there is none. */
static double product_point(const Facts *facts, QuantType type, uint32_t n_threads, uint32_t n_rows)
{
    for (uint32_t i = 0; i < facts->n_compute; i++) {
        const ComputeFact *fact = &facts->compute[i];
        if (fact->type == type && fact->n_threads == n_threads && fact->n_rows == n_rows)
            return fact->bytes_per_s > 0 ? 1 / fact->bytes_per_s : 0;
    }
    return 0;
}

/* Seconds per byte of a measured number of threads. */
static double product_at_rows(
    const Facts *facts, QuantType type, uint32_t n_threads, uint32_t n_rows)
{
    Bracket rows = {0};

    for (uint32_t i = 0; i < facts->n_compute; i++)
        if (facts->compute[i].type == type && facts->compute[i].n_threads == n_threads)
            bracket_add(&rows, facts->compute[i].n_rows, n_rows);
    bool is_largest = rows.high == 0;
    bracket_close(&rows);
    double low = product_point(facts, type, n_threads, rows.low);
    if (is_largest && rows.low > 0) return low * n_rows / rows.low;
    return between(rows, low, product_point(facts, type, n_threads, rows.high), n_rows);
}

double facts_product_seconds(
    const Facts *facts, QuantType type, uint32_t n_threads, uint32_t n_rows, uint64_t n_bytes)
{
    Bracket threads = {0};

    for (uint32_t i = 0; i < facts->n_compute; i++)
        if (facts->compute[i].type == type)
            bracket_add(&threads, facts->compute[i].n_threads, n_threads);
    bracket_close(&threads);
    double low = product_at_rows(facts, type, threads.low, n_rows);
    double high = product_at_rows(facts, type, threads.high, n_rows);
    if (low <= 0 || high <= 0) return 0;
    double seconds = (double)n_bytes / between_rates(threads, 1 / low, 1 / high, n_threads);
    double memory = facts_memory(facts, n_threads);
    double reading = memory > 0 ? (double)n_bytes / memory : 0;
    return seconds > reading ? seconds : reading;
}
