/* A model's checksums (store/sidecar.h) as a file: MODEL.sums beside the first shard or, where
 * that folder cannot be written to, in the user's cache folder under the model's identity. Damaged
 * ones, or those of another file, are named and never used. */
#ifndef HYPURA_ENGINE_CHECKSUMS_H
#define HYPURA_ENGINE_CHECKSUMS_H

#include "gguf/gguf.h"
#include "store/sidecar.h"

#define CHECKSUMS_NAME_BYTES 32

typedef struct Checksums {
    Sidecar sidecar;
    bool are_there;
    char *path; // of the file that holds them, for messages; owned; NULL: there is none
} Checksums;

SidecarSubject checksums_subject(const GgufFile *gguf);

/* Where they are written: beside the model (caller frees, MEM_OTHER), else by this name in the
 * cache folder. */
CHECKED char *checksums_path(const GgufFile *gguf, Error *err);
void checksums_cache_name(const GgufFile *gguf, char out[CHECKSUMS_NAME_BYTES]);

/* Reads them. That there are none is no failure. SIDECAR: what there is cannot be used; READ,
 * OUT_OF_MEMORY. Afterwards checksums_destroy, whatever came of it. `gguf` is borrowed. */
CHECKED bool checksums_find(Checksums *out, const GgufFile *gguf, Error *err);
void checksums_destroy(Checksums *checksums);

#endif
