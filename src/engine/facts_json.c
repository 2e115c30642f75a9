/* Both directions use one set of names. Reading takes nothing on trust: a cache file may be of
 * another version, or cut, or edited. */
#include "engine/facts_json.h"

#include <stdio.h>
#include <string.h>

static const char *const backend_names[] = {[READ_URING] = "uring", [READ_THREADS] = "threads"};

static Json *drive_json(const Facts *facts, const DriveFact *fact, const char *path)
{
    Json *out = json_object();

    if (path) json_set_text(out, "path", view_of(path));
    json_set_text(out, "device", view_of(facts->device));
    json_set_u64(out, "read_bytes", fact->read_bytes);
    json_set_u64(out, "depth", fact->depth);
    json_set_text(out, "backend", view_of(backend_names[fact->backend]));
    json_set_bool(out, "sequential", fact->is_sequential);
    json_set_f64(out, "bytes_per_s", fact->bytes_per_s);
    json_set_f64(out, "low_bytes_per_s", fact->bytes_per_s_low);
    json_set_f64(out, "high_bytes_per_s", fact->bytes_per_s_high);
    return out;
}

static Json *memory_json(const MemoryFact *fact)
{
    Json *out = json_object();

    json_set_u64(out, "threads", fact->n_threads);
    json_set_f64(out, "bytes_per_s", fact->bytes_per_s);
    return out;
}

static Json *compute_json(const Facts *facts, const ComputeFact *fact)
{
    Json *out = json_object();

    json_set_text(out, "type", view_of(quant_get(fact->type)->name));
    json_set_text(out, "isa", view_of(facts->isa));
    json_set_u64(out, "threads", fact->n_threads);
    json_set_u64(out, "rows", fact->n_rows);
    json_set_f64(out, "bytes_per_s", fact->bytes_per_s);
    json_set_f64(out, "ops_per_s", fact->ops_per_s);
    return out;
}

Json *facts_to_json(const Facts *facts, const char *path)
{
    Json *out = json_object(), *machine = json_object();
    Json *drive = json_list(), *memory = json_list(), *compute = json_list();

    for (uint32_t i = 0; i < facts->n_drive; i++)
        json_add(drive, drive_json(facts, &facts->drive[i], path));
    for (uint32_t i = 0; i < facts->n_memory; i++) json_add(memory, memory_json(&facts->memory[i]));
    for (uint32_t i = 0; i < facts->n_compute; i++)
        json_add(compute, compute_json(facts, &facts->compute[i]));
    json_set_text(machine, "cpu", view_of(facts->cpu));
    json_set_text(machine, "kernel", view_of(facts->kernel));
    json_set_text(machine, "isa", view_of(facts->isa));
    json_set_text(machine, "device", view_of(facts->device));
    json_set_u64(machine, "measured_unix_s", facts->measured_unix_s);
    json_set(out, "drive", drive);
    json_set(out, "memory", memory);
    json_set(out, "compute", compute);
    json_set(out, "machine", machine);
    return out;
}

/* A count from 1 on. */
static bool read_count(const Json *object, const char *key, uint32_t *out)
{
    int64_t value = json_get_i64(json_get(object, key), 0);

    if (value < 1 || value > UINT32_MAX) return false;
    *out = (uint32_t)value;
    return true;
}

static bool read_rate(const Json *object, const char *key, double *out)
{
    *out = json_get_number(json_get(object, key), 0);
    return *out > 0;
}

static bool read_name(const Json *object, const char *key, char out[FACTS_NAME_BYTES])
{
    const Json *value = json_get(object, key);
    StringView text = json_get_text(value);

    if (!json_is_text(value) || text.n_bytes >= FACTS_NAME_BYTES) return false;
    snprintf(out, FACTS_NAME_BYTES, "%.*s", SV(text));
    return true;
}

static bool read_backend(const Json *object, ReadBackend *out)
{
    StringView name = json_get_text(json_get(object, "backend"));

    if (view_is(name, "uring"))
        *out = READ_URING;
    else if (view_is(name, "threads"))
        *out = READ_THREADS;
    else
        return false;
    return true;
}

static bool read_drive(const Json *object, DriveFact *out)
{
    out->is_sequential = json_get_bool(json_get(object, "sequential"), false);
    return read_count(object, "read_bytes", &out->read_bytes)
           && read_count(object, "depth", &out->depth) && read_backend(object, &out->backend)
           && read_rate(object, "bytes_per_s", &out->bytes_per_s)
           && read_rate(object, "low_bytes_per_s", &out->bytes_per_s_low)
           && read_rate(object, "high_bytes_per_s", &out->bytes_per_s_high);
}

static bool read_memory(const Json *object, MemoryFact *out)
{
    return read_count(object, "threads", &out->n_threads)
           && read_rate(object, "bytes_per_s", &out->bytes_per_s);
}

static bool read_compute(const Json *object, ComputeFact *out)
{
    char type[FACTS_NAME_BYTES];

    return read_name(object, "type", type) && quant_find_name(type, &out->type)
           && read_count(object, "threads", &out->n_threads)
           && read_count(object, "rows", &out->n_rows)
           && read_rate(object, "bytes_per_s", &out->bytes_per_s)
           && read_rate(object, "ops_per_s", &out->ops_per_s);
}

bool facts_from_json(const Json *json, Facts *out)
{
    const Json *drive = json_get(json, "drive"), *memory = json_get(json, "memory"),
               *compute = json_get(json, "compute"), *machine = json_get(json, "machine");
    Facts facts = {0};

    if (!json_is_list(drive) || json_count(drive) > FACTS_DRIVE_MAX) return false;
    if (!json_is_list(memory) || json_count(memory) > FACTS_MEMORY_MAX) return false;
    if (!json_is_list(compute) || json_count(compute) > FACTS_COMPUTE_MAX) return false;
    if (!read_name(machine, "cpu", facts.cpu) || !read_name(machine, "kernel", facts.kernel)
        || !read_name(machine, "isa", facts.isa) || !read_name(machine, "device", facts.device))
        return false;
    int64_t measured_unix_s = json_get_i64(json_get(machine, "measured_unix_s"), 0);
    if (measured_unix_s > 0) facts.measured_unix_s = (uint64_t)measured_unix_s;
    // The counts fit: checked above.
    for (; facts.n_drive < json_count(drive); facts.n_drive++)
        if (!read_drive(json_at(drive, facts.n_drive), &facts.drive[facts.n_drive])) return false;
    for (; facts.n_memory < json_count(memory); facts.n_memory++)
        if (!read_memory(json_at(memory, facts.n_memory), &facts.memory[facts.n_memory]))
            return false;
    for (; facts.n_compute < json_count(compute); facts.n_compute++)
        if (!read_compute(json_at(compute, facts.n_compute), &facts.compute[facts.n_compute]))
            return false;
    *out = facts;
    return true;
}
