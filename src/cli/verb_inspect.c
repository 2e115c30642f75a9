/* `hypura inspect`: what a model file says of itself, and where its bytes go.
 *
 * Reads the header alone, through the file format's reader, so that it works for files
 * whose tensor data is missing and for architectures that nobody has heard of. Tensors
 * are sorted into kinds by their names, which all architectures share. */
#include "cli/verbs.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/json.h"
#include "base/mem.h"
#include "base/printable.h"
#include "base/size.h"
#include "cli/report.h"
#include "cli/terminal.h"
#include "engine/overrides.h"
#include "gguf/gguf.h"

#define VALUES_SHOWN     8  // of an array, in the table
#define VALUES_IN_JSON   16 // likewise, in JSON
#define TEXT_BYTES_SHOWN 60 // of a string, in the table

typedef enum TensorKind {
    KIND_EMBEDDING,
    KIND_HEAD,
    KIND_NORM,
    KIND_ROUTER,
    KIND_EXPERTS,
    KIND_SHARED_EXPERT,
    KIND_ATTENTION,
    KIND_FEED_FORWARD,
    KIND_RECURRENT,
    KIND_OTHER,
    KINDS
} TensorKind;

static const char *const kind_names[KINDS] = {
    [KIND_EMBEDDING] = "embedding",
    [KIND_HEAD] = "head",
    [KIND_NORM] = "norm",
    [KIND_ROUTER] = "router",
    [KIND_EXPERTS] = "experts",
    [KIND_SHARED_EXPERT] = "shared expert",
    [KIND_ATTENTION] = "attention",
    [KIND_FEED_FORWARD] = "feed forward",
    [KIND_RECURRENT] = "recurrent",
    [KIND_OTHER] = "other",
};

/* The first row whose text is in the name decides. */
static const struct {
    const char *part;
    TensorKind kind;
} name_parts[] = {
    {"token_embd_norm", KIND_NORM},
    {"token_embd", KIND_EMBEDDING},
    {"_norm", KIND_NORM},
    {"ffn_gate_inp", KIND_ROUTER},
    {"exp_probs_b", KIND_ROUTER},
    {"_exps", KIND_EXPERTS},
    {"_shexp", KIND_SHARED_EXPERT},
    {"attn_", KIND_ATTENTION},
    {"ffn_", KIND_FEED_FORWARD},
    {"ssm_", KIND_RECURRENT},
};

static bool view_contains(StringView view, const char *part)
{
    size_t n = strlen(part);

    for (size_t i = 0; i + n <= view.n_bytes; i++)
        if (memcmp(view.data + i, part, n) == 0) return true;
    return false;
}

static TensorKind kind_of(StringView name)
{
    if (view_is(name, "output.weight") || view_is(name, "output.bias")) return KIND_HEAD;
    for (size_t i = 0; i < COUNT(name_parts); i++)
        if (view_contains(name, name_parts[i].part)) return name_parts[i].kind;
    return KIND_OTHER;
}

static uint64_t n_elements_of(const GgufTensor *tensor)
{
    uint64_t n = 1;

    for (uint32_t i = 0; i < GGUF_DIMS_MAX; i++) n *= tensor->dims[i]; // checked when read
    return n;
}

/* What one kind has in one type. */
typedef struct Share {
    uint64_t n_tensors, n_elements, n_bytes;
} Share;

typedef struct Shares {
    Share of[KINDS][QUANT_TYPES_END];
    Share all;
} Shares;

static void add_to_share(Share *share, const GgufTensor *tensor)
{
    share->n_tensors++;
    share->n_elements += n_elements_of(tensor);
    share->n_bytes += tensor->n_bytes;
}

static void count_shares(const GgufFile *gguf, Shares *shares)
{
    for (size_t i = 0; i < gguf_n_tensors(gguf); i++) {
        const GgufTensor *tensor = gguf_tensor(gguf, i);
        add_to_share(&shares->of[kind_of(tensor->name)][tensor->type], tensor);
        add_to_share(&shares->all, tensor);
    }
}

/* A name with its end, for getters; keys of the file are at most 65535 bytes. */
static const char *key_text(const GgufFile *gguf, size_t index, char *out, size_t out_bytes)
{
    snprintf(out, out_bytes, "%.*s", SV(gguf_key_name(gguf, index)));
    return out;
}

/* One element of an array of numbers or booleans; strings are walked instead. */
static Json *element_json(const GgufArray *array, uint64_t index)
{
    uint64_t u64 = 0;
    double f64;

    switch (array->element_type) {
    case GGUF_U8: return json_u64(array->data[index]);
    case GGUF_I8: return json_i64((int8_t)array->data[index]);
    case GGUF_BOOL: return json_bool(array->data[index] != 0);
    case GGUF_U16: memcpy(&u64, array->data + index * 2, 2); return json_u64(u64);
    case GGUF_I16: memcpy(&u64, array->data + index * 2, 2); return json_i64((int16_t)u64);
    case GGUF_U32: memcpy(&u64, array->data + index * 4, 4); return json_u64(u64);
    case GGUF_I32: return json_i64(gguf_array_i32(array, index));
    case GGUF_F32: return json_f64((double)gguf_array_f32(array, index));
    case GGUF_U64: memcpy(&u64, array->data + index * 8, 8); return json_u64(u64);
    case GGUF_I64: memcpy(&u64, array->data + index * 8, 8); return json_i64((int64_t)u64);
    case GGUF_F64: memcpy(&f64, array->data + index * 8, 8); return json_f64(f64);
    case GGUF_STRING:
    case GGUF_ARRAY:
    case GGUF_TYPES: return NULL;
    }
    return NULL;
}

static Json *array_json(const GgufFile *gguf, size_t index, const char *key)
{
    GgufType element_type = gguf_key_element_type(gguf, index);
    Json *out = json_object(), *values = json_list();
    GgufArray array = {0};
    StringView text;
    uint64_t cursor = 0;

    json_set_text(out, "element_type", view_of(gguf_type_name(element_type)));
    json_set_u64(out, "count", gguf_key_count(gguf, index));
    if (gguf_get_array(gguf, key, element_type, &array, NULL) == GGUF_PRESENT) {
        for (uint64_t i = 0; i < array.n && i < VALUES_IN_JSON; i++)
            if (element_type != GGUF_STRING)
                json_add(values, element_json(&array, i));
            else if (gguf_array_next_string(&array, &cursor, &text))
                json_add(values, json_text(text));
    }
    json_set(out, "first_values", values);
    return out;
}

static Json *value_json(const GgufFile *gguf, size_t index)
{
    char key[512];
    GgufType type = gguf_key_type(gguf, index);
    StringView text = {0};
    bool boolean = false;
    uint64_t u64 = 0;
    int64_t i64 = 0;
    float f32 = 0;

    key_text(gguf, index, key, sizeof key);
    if (type == GGUF_ARRAY) return array_json(gguf, index, key);
    if (type == GGUF_STRING && gguf_get_string(gguf, key, &text, NULL) == GGUF_PRESENT)
        return json_text(text);
    if (type == GGUF_BOOL && gguf_get_bool(gguf, key, &boolean, NULL) == GGUF_PRESENT)
        return json_bool(boolean);
    if ((type == GGUF_F32 || type == GGUF_F64)
        && gguf_get_f32(gguf, key, &f32, NULL) == GGUF_PRESENT)
        return json_f64((double)f32);
    if (gguf_get_u64(gguf, key, &u64, NULL) == GGUF_PRESENT) return json_u64(u64);
    if (gguf_get_i64(gguf, key, &i64, NULL) == GGUF_PRESENT) return json_i64(i64);
    return NULL;
}

static Json *tensor_json(const GgufTensor *tensor)
{
    Json *out = json_object(), *dims = json_list();

    json_set_text(out, "name", tensor->name);
    json_set_text(out, "kind", view_of(kind_names[kind_of(tensor->name)]));
    json_set_text(out, "type", view_of(quant_get(tensor->type)->name));
    for (uint32_t i = 0; i < tensor->n_dims; i++) json_add(dims, json_u64(tensor->dims[i]));
    json_set(out, "dims", dims);
    json_set_u64(out, "shard", tensor->shard);
    json_set_u64(out, "offset_bytes", tensor->offset_bytes);
    json_set_u64(out, "size_bytes", tensor->n_bytes);
    return out;
}

static Json *shares_json(const Shares *shares)
{
    Json *out = json_list();

    for (size_t kind = 0; kind < KINDS; kind++)
        for (size_t type = 0; type < QUANT_TYPES_END; type++) {
            const Share *share = &shares->of[kind][type];
            if (share->n_tensors == 0) continue;
            Json *row = json_object();
            json_set_text(row, "kind", view_of(kind_names[kind]));
            json_set_text(row, "type", view_of(quant_get((QuantType)type)->name));
            json_set_u64(row, "tensors", share->n_tensors);
            json_set_u64(row, "elements", share->n_elements);
            json_set_u64(row, "size_bytes", share->n_bytes);
            json_add(out, row);
        }
    return out;
}

static uint64_t file_bytes(const GgufFile *gguf)
{
    uint64_t n_bytes = 0;

    for (uint32_t i = 0; i < gguf_n_shards(gguf); i++) n_bytes += gguf_shards(gguf)[i].n_bytes;
    return n_bytes;
}

static int write_json(const GgufFile *gguf, const Shares *shares)
{
    Json *out = json_object(), *metadata = json_object(), *tensors = json_list();
    Json *files = json_list();
    StringView arch = {0};
    char key[512];

    for (uint32_t i = 0; i < gguf_n_shards(gguf); i++)
        json_add(files, json_text(view_of(gguf_shards(gguf)[i].path)));
    json_set(out, "files", files);
    json_set_u64(out, "file_bytes", file_bytes(gguf));
    json_set_u64(out, "gguf_version", gguf_version(gguf));
    bool has_arch = gguf_get_string(gguf, "general.architecture", &arch, NULL) == GGUF_PRESENT;
    json_set(out, "arch", has_arch ? json_text(arch) : NULL);
    json_set_u64(out, "header_bytes", gguf_header_bytes(gguf));
    json_set_u64(out, "trailing_bytes", gguf_trailing_bytes(gguf));
    json_set_u64(out, "weight_bytes", shares->all.n_bytes);
    json_set_u64(out, "parameters", shares->all.n_elements);
    for (size_t i = 0; i < gguf_n_keys(gguf); i++)
        json_set(metadata, key_text(gguf, i, key, sizeof key), value_json(gguf, i));
    json_set(out, "metadata", metadata);
    json_set(out, "kinds", shares_json(shares));
    for (size_t i = 0; i < gguf_n_tensors(gguf); i++)
        json_add(tensors, tensor_json(gguf_tensor(gguf, i)));
    json_set(out, "tensors", tensors);
    return terminal_write_json("inspect", out);
}

/* Text from the file: one line, escaped, cut. */
static void print_text(StringView text)
{
    char shown[4 * TEXT_BYTES_SHOWN + 1];
    StringView head = text;

    if (head.n_bytes > TEXT_BYTES_SHOWN) head.n_bytes = TEXT_BYTES_SHOWN;
    printable_copy(shown, sizeof shown, head.data, head.n_bytes);
    printf("\"%s\"", shown);
    if (head.n_bytes < text.n_bytes) printf("... (%zu bytes)", text.n_bytes);
}

static void print_array(const GgufFile *gguf, size_t index, const char *key)
{
    GgufType element_type = gguf_key_element_type(gguf, index);
    GgufArray array = {0};
    StringView text;
    uint64_t cursor = 0;

    printf("%s[%" PRIu64 "]", gguf_type_name(element_type), gguf_key_count(gguf, index));
    if (gguf_get_array(gguf, key, element_type, &array, NULL) != GGUF_PRESENT) return;
    for (uint64_t i = 0; i < array.n && i < VALUES_SHOWN; i++) {
        putchar(' ');
        if (element_type == GGUF_STRING && gguf_array_next_string(&array, &cursor, &text))
            print_text(text);
        if (element_type == GGUF_F32) printf("%g", (double)gguf_array_f32(&array, i));
        if (element_type == GGUF_I32 || element_type == GGUF_U32)
            printf("%" PRId32, gguf_array_i32(&array, i));
        if (element_type == GGUF_BOOL || element_type == GGUF_U8) printf("%d", array.data[i]);
    }
    if (array.n > VALUES_SHOWN) printf(" ...");
}

static void print_value(const GgufFile *gguf, size_t index)
{
    char key[512];
    GgufType type = gguf_key_type(gguf, index);
    StringView text = {0};
    bool boolean = false;
    uint64_t u64 = 0;
    int64_t i64 = 0;
    float f32 = 0;

    key_text(gguf, index, key, sizeof key);
    if (type == GGUF_ARRAY)
        print_array(gguf, index, key);
    else if (type == GGUF_STRING && gguf_get_string(gguf, key, &text, NULL) == GGUF_PRESENT)
        print_text(text);
    else if (type == GGUF_BOOL && gguf_get_bool(gguf, key, &boolean, NULL) == GGUF_PRESENT)
        printf("%s", boolean ? "true" : "false");
    else if (type == GGUF_F32 && gguf_get_f32(gguf, key, &f32, NULL) == GGUF_PRESENT)
        printf("%.9g", (double)f32);
    else if (gguf_get_u64(gguf, key, &u64, NULL) == GGUF_PRESENT)
        printf("%" PRIu64, u64);
    else if (gguf_get_i64(gguf, key, &i64, NULL) == GGUF_PRESENT)
        printf("%" PRId64, i64);
    else if (gguf_get_f32(gguf, key, &f32, NULL) == GGUF_PRESENT)
        printf("%.9g", (double)f32);
}

static void write_metadata(const GgufFile *gguf)
{
    char name[160];

    printf("\nmetadata (%zu keys)\n", gguf_n_keys(gguf));
    for (size_t i = 0; i < gguf_n_keys(gguf); i++) {
        StringView key = gguf_key_name(gguf, i);
        printable_copy(name, sizeof name, key.data, key.n_bytes);
        printf("  %-42s %-6s ", name, gguf_type_name(gguf_key_type(gguf, i)));
        print_value(gguf, i);
        putchar('\n');
    }
}

static void write_shares(const Shares *shares)
{
    char size[24];

    printf("\n  %-14s %-8s %8s %15s %12s %6s\n", "kind", "type", "tensors", "elements", "bytes",
        "share");
    for (size_t kind = 0; kind < KINDS; kind++)
        for (size_t type = 0; type < QUANT_TYPES_END; type++) {
            const Share *share = &shares->of[kind][type];
            if (share->n_tensors == 0) continue;
            printf("  %-14s %-8s %8" PRIu64 " %15" PRIu64 " %12s %5.1f%%\n", kind_names[kind],
                quant_get((QuantType)type)->name, share->n_tensors, share->n_elements,
                size_format(share->n_bytes, size),
                100.0 * (double)share->n_bytes / (double)shares->all.n_bytes);
        }
    printf("  %-14s %-8s %8" PRIu64 " %15" PRIu64 " %12s\n", "all", "", shares->all.n_tensors,
        shares->all.n_elements, size_format(shares->all.n_bytes, size));
}

static void write_tensors(const GgufFile *gguf)
{
    char name[160], dims[96];

    putchar('\n');
    for (size_t i = 0; i < gguf_n_tensors(gguf); i++) {
        const GgufTensor *tensor = gguf_tensor(gguf, i);
        size_t n = 0;
        printable_copy(name, sizeof name, tensor->name.data, tensor->name.n_bytes);
        for (uint32_t k = 0; k < tensor->n_dims; k++)
            n += (size_t)snprintf(
                dims + n, sizeof dims - n, "%s%" PRIu64, k > 0 ? " x " : "", tensor->dims[k]);
        printf("  %-40s %-8s %-24s %" PRIu64 "\n", name, quant_get(tensor->type)->name, dims,
            tensor->n_bytes);
    }
}

static void write_table(const GgufFile *gguf, const Shares *shares, bool with_tensors)
{
    char path[512], size[24];

    for (uint32_t i = 0; i < gguf_n_shards(gguf); i++) {
        const File *file = &gguf_shards(gguf)[i];
        printable_copy(path, sizeof path, file->path, strlen(file->path));
        printf("%s: GGUF version %u, %s\n", path, gguf_version(gguf),
            size_format(file->n_bytes, size));
    }
    write_metadata(gguf);
    printf("\ntensors (%zu)\n", gguf_n_tensors(gguf));
    if (shares->all.n_tensors > 0) write_shares(shares);
    if (with_tensors) write_tensors(gguf);
}

static GgufFile *open_file(const Options *options, Error *err)
{
    size_t n = options->override_kv.n;
    GgufOverride *overrides = mem_alloc_array(MEM_OTHER, n, sizeof *overrides, err);
    GgufFile *gguf = NULL;
    bool ok = overrides != NULL;

    for (size_t i = 0; ok && i < n; i++)
        ok = override_parse(options->override_kv.texts[i], &overrides[i], err);
    if (ok) gguf = gguf_open(options->model, GGUF_METADATA_ONLY, overrides, n, err);
    mem_free(MEM_OTHER, overrides);
    return gguf;
}

int verb_inspect(const Options *options)
{
    Error err = {0};
    int status = STATUS_OK;

    GgufFile *gguf = open_file(options, &err);
    if (!gguf) return report_error("cannot open model", &err);
    Shares *shares = mem_alloc(MEM_OTHER, sizeof *shares, &err);
    if (!shares) {
        status = report_error("inspect", &err);
    } else {
        count_shares(gguf, shares);
        if (options->json)
            status = write_json(gguf, shares);
        else
            write_table(gguf, shares, options->verbosity > 0);
    }
    mem_free(MEM_OTHER, shares);
    gguf_close(gguf);
    return status;
}
