/* What one core of this machine can do at most, taken between the kernels that are compared
 * with it: bytes read, and multiply-adds of the kind that an instruction set offers. */
#ifndef HYPURA_BENCH_KERNELS_PEAKS_H
#define HYPURA_BENCH_KERNELS_PEAKS_H

#include <stddef.h>
#include <stdint.h>

/* Reads all bytes once; the sum keeps the compiler from leaving it out. The loops differ in
 * what hardware likes: one stream or four far ones, with and without prefetch. n_bytes is a
 * multiple of READ_UNIT. */
#define READ_UNIT  1024
#define READ_LOOPS 4
uint64_t peak_read(uint32_t loop, const uint8_t *data, size_t n_bytes);

/* Multiply-adds in registers; each returns their number. maddubs, madd and add; the same with
 * eight maddubs summed in 16 bits; dpbusd of 64 bytes; fma of 8 and of 16 floats. */
uint64_t peak_maddubs(uint64_t n_rounds);
uint64_t peak_maddubs_chained(uint64_t n_rounds);
uint64_t peak_fma_avx2(uint64_t n_rounds);
uint64_t peak_dpbusd(uint64_t n_rounds);
uint64_t peak_fma_avx512(uint64_t n_rounds);

#endif
