/* Numbers of the record are little-endian. Its last eight bytes are the hash of all before, so
 * that nothing of a damaged one is believed; what it is about comes after that. */
#include "store/sidecar.h"

#include <assert.h>
#include <inttypes.h>
#include <string.h>

#include "base/hash.h"
#include "base/size.h"

#define VERSION        1
#define HASH_NAME_SIZE 12
#define SUM_BYTES      4
#define HASH_BYTES     8
#define FIXED_BYTES    (8 + 4 + HASH_NAME_SIZE + 4 + 8 + 4) // before the files
#define KIND_BYTES     (8 + 4 + HASH_NAME_SIZE + 4)         // of these, what all records share
#define FILE_BYTES     16                                   // size, time of modification

static const char magic[8] = "hysums\n";

static uint8_t *put(uint8_t *at, uint64_t value, size_t n_bytes)
{
    for (size_t i = 0; i < n_bytes; i++) at[i] = (uint8_t)(value >> (8 * i));
    return at + n_bytes;
}

static uint64_t get(const uint8_t *at, size_t n_bytes)
{
    uint64_t value = 0;

    for (size_t i = 0; i < n_bytes; i++) value |= (uint64_t)at[i] << (8 * i);
    return value;
}

/* ---- layout ---- */

static uint64_t n_pages_of(const File *file)
{
    return file->n_bytes / SIDECAR_PAGE_BYTES + (file->n_bytes % SIDECAR_PAGE_BYTES > 0);
}

static uint64_t head_bytes(uint32_t n_files)
{
    return FIXED_BYTES + (uint64_t)n_files * FILE_BYTES;
}

uint64_t sidecar_bytes(const SidecarSubject *subject)
{
    uint64_t n_pages = 0; // files are smaller than 2^63 bytes each, and at most 2^10

    for (uint32_t i = 0; i < subject->n_files; i++) n_pages += n_pages_of(&subject->files[i]);
    return head_bytes(subject->n_files) + n_pages * SUM_BYTES + HASH_BYTES;
}

static uint8_t *sum_at(const Sidecar *sidecar, uint32_t file, uint64_t page)
{
    return sidecar->record + head_bytes(sidecar->n_files)
           + (sidecar->first_page[file] + page) * SUM_BYTES;
}

uint64_t sidecar_record_bytes(const Sidecar *sidecar)
{
    return head_bytes(sidecar->n_files) + sidecar->first_page[sidecar->n_files] * SUM_BYTES
           + HASH_BYTES;
}

/* Everything before the sums. */
static void put_head(uint8_t *out, const SidecarSubject *subject)
{
    char name[HASH_NAME_SIZE] = {0};

    for (size_t i = 0; i < sizeof name && hash_name()[i]; i++) name[i] = hash_name()[i];
    memcpy(out, magic, sizeof magic);
    uint8_t *at = put(out + sizeof magic, VERSION, 4);
    memcpy(at, name, sizeof name);
    at = put(at + sizeof name, SIDECAR_PAGE_BYTES, 4);
    at = put(at, subject->header_hash, 8);
    at = put(at, subject->n_files, 4);
    for (uint32_t i = 0; i < subject->n_files; i++) {
        at = put(at, subject->files[i].n_bytes, 8);
        at = put(at, subject->files[i].modified_ns, 8);
    }
}

/* ---- life ---- */

/* All but the record. */
static bool lay_out(Sidecar *sidecar, const SidecarSubject *subject, Error *err)
{
    uint32_t n_files = subject->n_files;
    uint64_t *first_page = mem_alloc_array(MEM_OTHER, n_files + 1, sizeof(uint64_t), err);

    if (!first_page) return false;
    for (uint32_t i = 0; i < n_files; i++)
        first_page[i + 1] = first_page[i] + n_pages_of(&subject->files[i]);
    *sidecar = (Sidecar){.first_page = first_page, .files = subject->files, .n_files = n_files};
    return true;
}

bool sidecar_init(Sidecar *sidecar, const SidecarSubject *subject, Error *err)
{
    uint8_t *record = mem_alloc(MEM_OTHER, sidecar_bytes(subject), err);

    if (!record) return false;
    if (!lay_out(sidecar, subject, err)) {
        mem_free(MEM_OTHER, record);
        return false;
    }
    sidecar->record = record;
    put_head(record, subject);
    return true;
}

void sidecar_destroy(Sidecar *sidecar)
{
    mem_free(MEM_OTHER, sidecar->record);
    mem_free(MEM_OTHER, sidecar->first_page);
    *sidecar = (Sidecar){0};
}

/* The subject of a sound record: is it ours? */
static bool check_subject(const SidecarSubject *subject, const uint8_t *data, Error *err)
{
    const uint8_t *at = data + KIND_BYTES;
    bool is_same =
        get(at, 8) == subject->header_hash && get(at + 8, 4) == (uint64_t)subject->n_files;

    at = data + FIXED_BYTES;
    for (uint32_t i = 0; is_same && i < subject->n_files; i++)
        is_same = get(at + (size_t)i * FILE_BYTES, 8) == subject->files[i].n_bytes;
    if (!is_same) return error_set(err, ERROR_SIDECAR, "it belongs to another model");
    for (uint32_t i = 0; i < subject->n_files; i++)
        if (get(at + (size_t)i * FILE_BYTES + 8, 8) != subject->files[i].modified_ns)
            return error_set(
                err, ERROR_SIDECAR, "%s was changed after they were made", subject->files[i].path);
    return true;
}

static bool check_record(
    const SidecarSubject *subject, const uint8_t *data, uint64_t n_bytes, Error *err)
{
    uint8_t wanted[FIXED_BYTES + FILE_BYTES];
    SidecarSubject first = {.files = subject->files, .n_files = 1};

    if (n_bytes < sizeof wanted + HASH_BYTES)
        return error_set(err, ERROR_SIDECAR, "it is cut short");
    put_head(wanted, &first);
    if (memcmp(data, wanted, KIND_BYTES) != 0)
        return error_set(
            err, ERROR_SIDECAR, "it holds no checksums, or not %s of this version", hash_name());
    uint64_t end = n_bytes - HASH_BYTES;
    if (get(data + end, HASH_BYTES) != hash_bytes(data, end, 0))
        return error_set(err, ERROR_SIDECAR, "it is damaged");
    if (head_bytes((uint32_t)get(data + KIND_BYTES + 8, 4)) > end)
        return error_set(err, ERROR_SIDECAR, "it names files that it does not hold");
    if (!check_subject(subject, data, err)) return false;
    return n_bytes == sidecar_bytes(subject)
           || error_set(err, ERROR_SIDECAR, "it has %" PRIu64 " bytes, not %" PRIu64, n_bytes,
               sidecar_bytes(subject));
}

bool sidecar_decode(
    Sidecar *sidecar, const SidecarSubject *subject, uint8_t *data, uint64_t n_bytes, Error *err)
{
    if (!check_record(subject, data, n_bytes, err)) return false;
    if (!lay_out(sidecar, subject, err)) return false;
    sidecar->record = data;
    return true;
}

/* ---- pages ---- */

uint32_t sidecar_alignment(const Sidecar *sidecar, uint32_t alignment)
{
    return sidecar && alignment < SIDECAR_PAGE_BYTES ? SIDECAR_PAGE_BYTES : alignment;
}

static uint32_t sum_of(const uint8_t *data, uint64_t n_bytes)
{
    return (uint32_t)hash_bytes(data, n_bytes, 0);
}

static uint64_t page_bytes_at(uint64_t n_left)
{
    return n_left < SIDECAR_PAGE_BYTES ? n_left : SIDECAR_PAGE_BYTES;
}

static void assert_whole_pages(
    const Sidecar *sidecar, uint32_t file, uint64_t offset_bytes, uint64_t n_bytes)
{
    assert(file < sidecar->n_files);
    assert(offset_bytes % SIDECAR_PAGE_BYTES == 0);
    assert(n_bytes <= sidecar->files[file].n_bytes - offset_bytes);
    assert(n_bytes % SIDECAR_PAGE_BYTES == 0
           || n_bytes == sidecar->files[file].n_bytes - offset_bytes);
}

void sidecar_add(
    Sidecar *sidecar, uint32_t file, uint64_t offset_bytes, const uint8_t *data, uint64_t n_bytes)
{
    uint8_t *at = sum_at(sidecar, file, offset_bytes / SIDECAR_PAGE_BYTES);

    assert_whole_pages(sidecar, file, offset_bytes, n_bytes);
    for (uint64_t done = 0; done < n_bytes; done += SIDECAR_PAGE_BYTES)
        at = put(at, sum_of(data + done, page_bytes_at(n_bytes - done)), SUM_BYTES);
}

void sidecar_seal(Sidecar *sidecar)
{
    uint64_t end = sidecar_record_bytes(sidecar) - HASH_BYTES;

    put(sidecar->record + end, hash_bytes(sidecar->record, end, 0), HASH_BYTES);
}

uint64_t sidecar_count_right(const Sidecar *sidecar, uint32_t file, uint64_t offset_bytes,
    const uint8_t *data, uint64_t n_bytes)
{
    const uint8_t *at = sum_at(sidecar, file, offset_bytes / SIDECAR_PAGE_BYTES);

    assert_whole_pages(sidecar, file, offset_bytes, n_bytes);
    for (uint64_t done = 0; done < n_bytes; done += SIDECAR_PAGE_BYTES, at += SUM_BYTES)
        if (get(at, SUM_BYTES) != sum_of(data + done, page_bytes_at(n_bytes - done))) return done;
    return n_bytes;
}
