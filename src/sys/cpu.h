/* What this processor can do; an input to the kernel table, never asked elsewhere. */
#ifndef HYPURA_SYS_CPU_H
#define HYPURA_SYS_CPU_H

#include <stdbool.h>
#include <stdint.h>

#define CPU_AVX2    (1u << 0) // AVX2, FMA, F16C, BMI2, enabled by the OS (XCR0)
#define CPU_AVX512  (1u << 1) // AVX-512 F, BW, VL, DQ, enabled by the OS
#define CPU_VNNI512 (1u << 2) // AVX-512 VNNI
#define CPU_AMX     (1u << 3) // AMX-INT8 tiles, and the kernel granted their use
#define CPU_NEON    (1u << 4) // AArch64
#define CPU_DOTPROD (1u << 5) // AArch64 sdot/udot
#define CPU_I8MM    (1u << 6) // AArch64 smmla

uint32_t cpu_features(void);

/* The number of usable physical cores: affinity, siblings and cgroup quota respected. */
uint32_t cpu_usable_cores(void);

/* The same without asking which processors share a core: how many threads can run at once. */
uint32_t cpu_usable_threads(void);

/* Sets the floating-point environment of the calling thread as canonical arithmetic wants
 * it (round to nearest even, denormals kept). Every computing thread calls it. */
void cpu_set_float_environment(void);

/* "AMD EPYC 9B45" or "unknown"; for reports. The text is static. */
const char *cpu_model_name(void);

#endif
