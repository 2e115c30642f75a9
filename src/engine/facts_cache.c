/* Where facts are kept: three files in the user's cache folder, one for each kind, since each is
 * true of other things. A drive's belong to its device, products to an instruction set, all of
 * them to a kernel and a processor. The file's name is a hash of these names, and the names inside
 * decide. Measuring one kind anew leaves the others as they are. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/hash.h"
#include "base/log.h"
#include "base/mem.h"
#include "engine/facts_json.h"
#include "kernels/kernels.h"
#include "sys/cpu.h"
#include "sys/identity.h"
#include "sys/user_cache.h"

#define FILE_BYTES_MAX ((size_t)256 << 10)
#define NAME_BYTES     64

_Static_assert(IDENTITY_BYTES == FACTS_NAME_BYTES, "names are copied whole");

typedef enum Kind { KIND_DRIVE, KIND_MEMORY, KIND_COMPUTE, KINDS } Kind;

static const char *const kind_names[KINDS] = {"drive", "memory", "compute"};

/* "facts-drive-0123456789abcdef.json" */
static void file_name(const Facts *facts, Kind kind, char out[NAME_BYTES])
{
    uint64_t hash = hash_bytes(facts->kernel, strlen(facts->kernel), kind);

    hash = hash_bytes(facts->cpu, strlen(facts->cpu), hash);
    if (kind == KIND_DRIVE) hash = hash_bytes(facts->device, strlen(facts->device), hash);
    if (kind == KIND_COMPUTE) hash = hash_bytes(facts->isa, strlen(facts->isa), hash);
    snprintf(out, NAME_BYTES, "facts-%s-%016llx.json", kind_names[kind], (unsigned long long)hash);
}

/* Are facts of that kind true here? */
static bool is_of_machine(const Facts *facts, const Facts *machine, Kind kind)
{
    if (strcmp(facts->kernel, machine->kernel) != 0) return false;
    if (strcmp(facts->cpu, machine->cpu) != 0) return false;
    if (kind == KIND_DRIVE) return strcmp(facts->device, machine->device) == 0;
    return kind == KIND_MEMORY || strcmp(facts->isa, machine->isa) == 0;
}

static uint32_t count_of(const Facts *facts, Kind kind)
{
    switch (kind) {
    case KIND_DRIVE: return facts->n_drive;
    case KIND_MEMORY: return facts->n_memory;
    case KIND_COMPUTE: return facts->n_compute;
    case KINDS: break;
    }
    return 0;
}

/* The facts of one kind, and the machine's names. */
static void copy_kind(Facts *to, const Facts *from, Kind kind)
{
    switch (kind) {
    case KIND_DRIVE:
        memcpy(to->drive, from->drive, sizeof(to->drive));
        to->n_drive = from->n_drive;
        to->measured_unix_s = from->measured_unix_s;
        break;
    case KIND_MEMORY:
        memcpy(to->memory, from->memory, sizeof(to->memory));
        to->n_memory = from->n_memory;
        break;
    case KIND_COMPUTE:
        memcpy(to->compute, from->compute, sizeof(to->compute));
        to->n_compute = from->n_compute;
        break;
    case KINDS: break;
    }
}

bool facts_name_machine(Facts *facts, const char *path, Error *err)
{
    char device[FACTS_NAME_BYTES] = "";

    if (path && !identity_drive("", path, device, err)) return false;
    const Kernels *kernels = kernels_select(cpu_features(), getenv("HYPURA_ISA"), err);
    if (!kernels) return false;
    memcpy(facts->device, device, sizeof(device));
    identity_kernel(facts->kernel);
    identity_cpu("", facts->cpu);
    snprintf(facts->isa, sizeof(facts->isa), "%s", kernels->isa);
    return true;
}

/* One file, by way of `loaded`. `*found` stays as it is where there is none, or none that is
 * right. */
static bool load_kind(Facts *facts, Kind kind, Facts *loaded, bool *found, Error *err)
{
    char name[NAME_BYTES];
    uint8_t *data = NULL;
    size_t n_bytes = 0;
    Error parsing = {0};

    file_name(facts, kind, name);
    if (!user_cache_read(name, FILE_BYTES_MAX, &data, &n_bytes, err)) return false;
    if (!data) return true;
    Json *json = json_parse((StringView){.data = (const char *)data, .n_bytes = n_bytes}, &parsing);
    if (!facts_from_json(json, loaded))
        log_warn(
            "%s in the cache folder is damaged, and not used; 'hypura profile' renews it", name);
    else if (is_of_machine(loaded, facts, kind) && count_of(loaded, kind) > 0) {
        copy_kind(facts, loaded, kind);
        *found = true;
    }
    json_free(json);
    mem_free(MEM_OTHER, data);
    return true;
}

bool facts_load(Facts *out, const char *path, bool *found, Error *err)
{
    Facts facts = {0};
    bool is_any = false;
    Facts *loaded = mem_alloc(MEM_OTHER, sizeof(*loaded), err);
    bool ok = loaded && facts_name_machine(&facts, path, err);

    for (int kind = 0; ok && json_available() && kind < KINDS; kind++)
        if (kind != KIND_DRIVE || path) ok = load_kind(&facts, (Kind)kind, loaded, &is_any, err);
    mem_free(MEM_OTHER, loaded);
    if (!ok) return false;
    *out = facts;
    *found = is_any;
    return true;
}

/* What a file is made from. */
typedef struct Writing {
    Facts facts; // of one kind
    char text[FILE_BYTES_MAX];
} Writing;

static bool save_kind(const Facts *facts, Kind kind, Writing *writing, Error *err)
{
    char name[NAME_BYTES];
    Facts *alone = &writing->facts;

    memset(alone, 0, sizeof(*alone));
    memcpy(alone->device, facts->device, sizeof(alone->device));
    memcpy(alone->kernel, facts->kernel, sizeof(alone->kernel));
    memcpy(alone->cpu, facts->cpu, sizeof(alone->cpu));
    memcpy(alone->isa, facts->isa, sizeof(alone->isa));
    copy_kind(alone, facts, kind);
    alone->measured_unix_s = (uint64_t)time(NULL); // after 1970
    FILE *stream = fmemopen(writing->text, FILE_BYTES_MAX, "w");
    if (!stream) return error_set(err, ERROR_OUT_OF_MEMORY, "a stream into memory");
    Json *json = facts_to_json(alone, NULL);
    bool ok = json_write(json, stream, err);
    long n_bytes = ftell(stream);
    fclose(stream);
    json_free(json);
    file_name(alone, kind, name);
    return ok && user_cache_write(name, (const uint8_t *)writing->text, (size_t)n_bytes, err);
}

bool facts_save(const Facts *facts, Error *err)
{
    Writing *writing = mem_alloc(MEM_OTHER, sizeof(*writing), err);
    bool ok = writing && user_cache_make(err);

    for (int kind = 0; ok && kind < KINDS; kind++)
        if (count_of(facts, (Kind)kind) > 0) ok = save_kind(facts, (Kind)kind, writing, err);
    mem_free(MEM_OTHER, writing);
    return ok;
}
