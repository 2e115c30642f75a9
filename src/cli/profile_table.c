/* Tables of rates: rows are what a user chooses between, columns what makes it faster. A place
 * that was not measured holds a dash. */
#include "cli/profile_table.h"

#include "base/size.h"

static const uint32_t depths[] = {1, 4, 8, 16, 32, 64};
static const uint32_t row_counts[] = {1, 4, 8, 64, 512};

static void write_rate(FILE *stream, double per_s)
{
    if (per_s > 0)
        fprintf(stream, " %8.2f", per_s / 1e9);
    else
        fprintf(stream, " %8s", "-");
}

static const DriveFact *find_drive(const Facts *facts, const DriveFact *like, uint32_t depth)
{
    for (uint32_t i = 0; i < facts->n_drive; i++) {
        const DriveFact *fact = &facts->drive[i];
        if (fact->read_bytes == like->read_bytes && fact->backend == like->backend
            && fact->is_sequential == like->is_sequential && fact->depth == depth)
            return fact;
    }
    return NULL;
}

/* Is this the first fact of its row? */
static bool begins_row(const Facts *facts, uint32_t index)
{
    const DriveFact *fact = &facts->drive[index];

    for (uint32_t i = 0; i < index; i++)
        if (facts->drive[i].read_bytes == fact->read_bytes
            && facts->drive[i].backend == fact->backend
            && facts->drive[i].is_sequential == fact->is_sequential)
            return false;
    return true;
}

static void write_drive(FILE *stream, const Facts *facts)
{
    char text[24];
    uint32_t read_bytes, depth;

    if (facts->n_drive == 0) return;
    fprintf(stream, "\nDrive: %s; GB/s of direct reads by reads in flight\n", facts->device);
    fprintf(stream, "  %-10s%-12s%-9s", "read", "place", "backend");
    for (size_t i = 0; i < COUNT(depths); i++) fprintf(stream, " %8u", depths[i]);
    fputc('\n', stream);
    for (uint32_t r = 0; r < facts->n_drive; r++) {
        const DriveFact *row = &facts->drive[r];
        if (!begins_row(facts, r)) continue;
        fprintf(stream, "  %-10s%-12s%-9s", size_format(row->read_bytes, text),
            row->is_sequential ? "sequential" : "random",
            row->backend == READ_URING ? "io_uring" : "threads");
        for (size_t i = 0; i < COUNT(depths); i++) {
            const DriveFact *fact = find_drive(facts, row, depths[i]);
            write_rate(stream, fact ? fact->bytes_per_s : 0);
        }
        fputc('\n', stream);
    }
    if (!facts_best_read(facts, &read_bytes, &depth)) return;
    DriveFact like = {.read_bytes = read_bytes, .backend = READ_URING};
    const DriveFact *best = find_drive(facts, &like, depth);
    like.backend = READ_THREADS;
    if (!best) best = find_drive(facts, &like, depth);
    if (best)
        fprintf(stream, "  enough: %u x %s in flight, %.2f GB/s (%.2f to %.2f over its windows)\n",
            depth, size_format(read_bytes, text), best->bytes_per_s / 1e9,
            best->bytes_per_s_low / 1e9, best->bytes_per_s_high / 1e9);
}

static void write_memory(FILE *stream, const Facts *facts)
{
    if (facts->n_memory == 0) return;
    fprintf(stream, "\nMemory: GB/s of reads by threads\n  %-10s", "threads");
    for (uint32_t i = 0; i < facts->n_memory; i++)
        fprintf(stream, " %8u", facts->memory[i].n_threads);
    fprintf(stream, "\n  %-10s", "GB/s");
    for (uint32_t i = 0; i < facts->n_memory; i++) write_rate(stream, facts->memory[i].bytes_per_s);
    fputc('\n', stream);
}

static const ComputeFact *find_compute(
    const Facts *facts, QuantType type, uint32_t n_threads, uint32_t n_rows)
{
    for (uint32_t i = 0; i < facts->n_compute; i++) {
        const ComputeFact *fact = &facts->compute[i];
        if (fact->type == type && fact->n_threads == n_threads && fact->n_rows == n_rows)
            return fact;
    }
    return NULL;
}

static void write_compute_row(FILE *stream, const Facts *facts, const ComputeFact *row)
{
    double most = 0;

    fprintf(stream, "  %-10s%7u", quant_get(row->type)->name, row->n_threads);
    for (size_t i = 0; i < COUNT(row_counts); i++) {
        const ComputeFact *fact = find_compute(facts, row->type, row->n_threads, row_counts[i]);
        write_rate(stream, fact ? fact->bytes_per_s : 0);
        if (fact && fact->ops_per_s > most) most = fact->ops_per_s;
    }
    fprintf(stream, " %9.0f\n", most / 1e9);
}

static void write_compute(FILE *stream, const Facts *facts)
{
    if (facts->n_compute == 0) return;
    fprintf(stream, "\nCompute (%s): GB/s of weights by rows that share them; multiply-adds\n",
        facts->isa);
    fprintf(stream, "  %-10s%7s", "type", "threads");
    for (size_t i = 0; i < COUNT(row_counts); i++) fprintf(stream, " %8u", row_counts[i]);
    fprintf(stream, " %9s\n", "Gop/s");
    for (uint32_t i = 0; i < facts->n_compute; i++)
        if (facts->compute[i].n_rows == row_counts[0])
            write_compute_row(stream, facts, &facts->compute[i]);
}

void profile_write_table(FILE *stream, const Facts *facts)
{
    fprintf(stream, "%s; %s\n", facts->cpu, facts->kernel);
    write_drive(stream, facts);
    write_memory(stream, facts);
    write_compute(stream, facts);
}
