/* What this machine can do at most: the ceilings that a plan predicts with and that a run is
 * compared with. Measured by profile (measure.h), kept in the user's cache folder per device,
 * kernel and processor, and read back as long as these are the same. */
#ifndef HYPURA_ENGINE_FACTS_H
#define HYPURA_ENGINE_FACTS_H

#include "base/error.h"
#include "quant/traits.h"
#include "sys/read.h"

#define FACTS_DRIVE_MAX   64
#define FACTS_MEMORY_MAX  16
#define FACTS_COMPUTE_MAX 192
#define FACTS_NAME_BYTES  96

/* Direct reads of one size at one depth on cold extents of a file system. */
typedef struct DriveFact {
    uint32_t read_bytes, depth;
    ReadBackend backend;
    bool is_sequential; // else at random places
    double bytes_per_s; // median of its windows
    double bytes_per_s_low, bytes_per_s_high;
} DriveFact;

/* The best of several read loops, n_threads together. */
typedef struct MemoryFact {
    uint32_t n_threads;
    double bytes_per_s;
} MemoryFact;

/* Matrix products from memory: n_rows activation rows share one pass over the weights. */
typedef struct ComputeFact {
    QuantType type;
    uint32_t n_threads, n_rows;
    double bytes_per_s; // of weights
    double ops_per_s;   // multiply-adds
} ComputeFact;

typedef struct Facts {
    char device[FACTS_NAME_BYTES]; // of the drive: name, size and file system; "": not measured
    char kernel[FACTS_NAME_BYTES];
    char cpu[FACTS_NAME_BYTES];
    char isa[FACTS_NAME_BYTES]; // of the compute facts
    DriveFact drive[FACTS_DRIVE_MAX];
    MemoryFact memory[FACTS_MEMORY_MAX];
    ComputeFact compute[FACTS_COMPUTE_MAX];
    uint32_t n_drive, n_memory, n_compute;
    uint64_t measured_unix_s; // when those of the drive were saved; 0: not
} Facts;

/* Bytes per second of random direct reads of that size and depth, interpolated between the
 * nearest facts in the logarithm of both. Beyond the facts the nearest counts, but for reads
 * smaller than any: those cost what the smallest does. Of io_uring where that was measured, else
 * of threads. 0: nothing is known. */
double facts_drive(const Facts *facts, uint32_t read_bytes, uint32_t depth);

/* Of n_threads, interpolated; beyond the facts of the nearest number. 0: nothing is known. */
double facts_memory(const Facts *facts, uint32_t n_threads);

/* Seconds that n_threads multiply n_rows rows with n_bytes of weights of that type in; never less
 * than reading them takes. Between the numbers of rows and of threads that were measured it is
 * interpolated; more rows than any cost in proportion, more threads than any nothing less.
 * 0: nothing is known of the type. */
double facts_product_seconds(
    const Facts *facts, QuantType type, uint32_t n_threads, uint32_t n_rows, uint64_t n_bytes);

/* Of the read sizes and depths that reach 97 % of the best random rate, the pair with the fewest
 * bytes in flight; of equal ones the larger reads. Outputs are unchanged when false: unknown. */
bool facts_best_read(const Facts *facts, uint32_t *read_bytes, uint32_t *depth);

/* Fills the names of this machine in: the drive below `path` ("" where that is NULL), kernel,
 * processor, and the instruction set that HYPURA_ISA allows. FILE_OPEN, USAGE. */
CHECKED bool facts_name_machine(Facts *facts, const char *path, Error *err);

/* What is kept for the file system of `path` (NULL: nothing of a drive), this kernel and this
 * processor; the names are filled in any case. *found false: there is nothing, or it was measured
 * on another kernel, device or processor. A damaged file is as none, with a line on stderr. On
 * failure the outputs are unchanged. */
CHECKED bool facts_load(Facts *out, const char *path, bool *found, Error *err);

/* Keeps what there is under the names that are in it. Kinds of which there is nothing stay as
 * they were kept. */
CHECKED bool facts_save(const Facts *facts, Error *err);

#endif
