/* Checksums of a model's files, page by page: what the file beside a model holds
 * (docs/formats/sidecar.md).
 *
 * A page is 4096 bytes of a file, the last one what is left. Pages do not depend on how tensors
 * lie or how blocks are cut, and every read is made of whole ones: while checksums are in use the
 * store aligns reads to a page at least. So each piece is judged as it arrives, by itself. */
#ifndef HYPURA_STORE_SIDECAR_H
#define HYPURA_STORE_SIDECAR_H

#include "base/mem.h"
#include "sys/file.h"

#define SIDECAR_PAGE_BYTES 4096u

/* The files that a record is about. All borrowed. */
typedef struct SidecarSubject {
    const File *files; // their sizes and times of modification count
    uint32_t n_files;  // at least one
    uint64_t header_hash;
} SidecarSubject;

typedef struct Sidecar {
    uint8_t *record;      // as it is written; owned
    uint64_t *first_page; // [n_files + 1] the number of each file's first page; owned
    const File *files;    // borrowed
    uint32_t n_files;
} Sidecar;

/* What the record of these files takes. */
uint64_t sidecar_bytes(const SidecarSubject *subject);

/* The same of one that is there. */
uint64_t sidecar_record_bytes(const Sidecar *sidecar);

/* A record to be filled: sidecar_add for every page, then sidecar_seal. */
CHECKED bool sidecar_init(Sidecar *sidecar, const SidecarSubject *subject, Error *err);

/* Takes over a record that was read, memory of MEM_OTHER. SIDECAR: it is damaged, of another
 * version or of other files, or one of them was changed since. After a failure `sidecar` is as
 * before, and `data` still the caller's. */
CHECKED bool sidecar_decode(
    Sidecar *sidecar, const SidecarSubject *subject, uint8_t *data, uint64_t n_bytes, Error *err);

/* A zeroed one is fine. */
void sidecar_destroy(Sidecar *sidecar);

/* Bytes of a file from a page's begin to another's, or to the end of the file. */
void sidecar_add(
    Sidecar *sidecar, uint32_t file, uint64_t offset_bytes, const uint8_t *data, uint64_t n_bytes);
void sidecar_seal(Sidecar *sidecar);

/* What reads must be aligned to: whole pages where there are checksums (NULL: none). */
uint32_t sidecar_alignment(const Sidecar *sidecar, uint32_t alignment);

/* As many of such bytes as are right: n_bytes, or the distance to the first page that differs. */
uint64_t sidecar_count_right(const Sidecar *sidecar, uint32_t file, uint64_t offset_bytes,
    const uint8_t *data, uint64_t n_bytes);

#endif
