/* The tensor directory: which tensors there are and where their bytes lie.
 *
 * After gguf_directory_place, every tensor of the part has an extent [offset, offset +
 * n_bytes) behind the header, aligned, apart from all others, and inside the file where data
 * was asked for. Nothing later checks extents again. Sums and products are checked ones;
 * ends are compared by subtraction. */
#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/size.h"
#include "base/utf8.h"
#include "gguf/internal.h"

static const GgufStringLimits name_limits = {1, GGUF_TENSOR_NAME_BYTES_MAX, ERROR_TENSOR_NAME};

#define DIM_MAX (UINT64_C(1) << 31)

// A name's length, one byte of it, the number of dimensions, one of them, type, offset.
#define ENTRY_BYTES_MIN (8 + 1 + 4 + 8 + 4 + 8)

static bool has_control_bytes(StringView name)
{
    for (size_t i = 0; i < name.n_bytes; i++) {
        unsigned char byte = (unsigned char)name.data[i];
        if (byte < 0x20 || byte == 0x7f) return true;
    }
    return false;
}

static bool read_name(GgufReader *reader, StringView *out, Error *err)
{
    uint64_t start = reader->at;
    StringView name;

    if (!gguf_read_string(reader, &name_limits, &name, err)) return error_at(err, "name");
    if (has_control_bytes(name) || !utf8_is_valid(name.data, name.n_bytes))
        return error_set(err, ERROR_TENSOR_NAME,
            "name '%.*s' at byte %" PRIu64 " is not printable UTF-8", SV(name), start);
    *out = name;
    return true;
}

static bool read_dims(GgufReader *reader, GgufTensor *tensor, Error *err)
{
    uint64_t start = reader->at;

    if (!gguf_read_u32(reader, &tensor->n_dims, err)) return false;
    if (tensor->n_dims < 1 || tensor->n_dims > GGUF_DIMS_MAX)
        return error_set(err, ERROR_TENSOR_SHAPE, "%u dimensions at byte %" PRIu64 ", not 1 to %d",
            tensor->n_dims, start, GGUF_DIMS_MAX);

    for (uint32_t i = 0; i < GGUF_DIMS_MAX; i++) tensor->dims[i] = 1;
    for (uint32_t i = 0; i < tensor->n_dims; i++) {
        start = reader->at;
        if (!gguf_read_u64(reader, &tensor->dims[i], err)) return false;
        if (tensor->dims[i] < 1 || tensor->dims[i] > DIM_MAX)
            return error_set(err, ERROR_TENSOR_SHAPE,
                "dimension %u is %" PRIu64 " at byte %" PRIu64 ", not 1 to %" PRIu64, i,
                tensor->dims[i], start, DIM_MAX);
    }
    return true;
}

static bool read_type(GgufReader *reader, GgufTensor *tensor, Error *err)
{
    uint64_t start = reader->at;
    uint32_t type;

    if (!gguf_read_u32(reader, &type, err)) return false;
    if (!quant_find(type))
        return error_set(
            err, ERROR_TENSOR_TYPE, "unknown tensor type %u at byte %" PRIu64, type, start);
    tensor->type = (QuantType)type;
    return true;
}

static bool set_n_bytes(GgufTensor *tensor, Error *err)
{
    const QuantTraits *traits = quant_get(tensor->type);
    uint64_t n_elements = 1, n_bytes;

    for (uint32_t i = 0; i < GGUF_DIMS_MAX; i++)
        if (!size_mul(n_elements, tensor->dims[i], &n_elements))
            return error_set(err, ERROR_TENSOR_SHAPE,
                "[%" PRIu64 ", %" PRIu64 ", %" PRIu64 ", %" PRIu64 "] has 2^64 elements or more",
                tensor->dims[0], tensor->dims[1], tensor->dims[2], tensor->dims[3]);
    if (tensor->dims[0] % traits->block_elements != 0)
        return error_set(err, ERROR_TENSOR_SHAPE,
            "rows of %" PRIu64 " elements are not whole %s blocks of %u", tensor->dims[0],
            traits->name, traits->block_elements);
    if (!size_mul(n_elements / traits->block_elements, traits->block_bytes, &n_bytes))
        return error_set(err, ERROR_TENSOR_SHAPE,
            "%" PRIu64 " elements of %s have 2^64 bytes or more", n_elements, traits->name);
    tensor->n_bytes = n_bytes;
    return true;
}

/* On failure `out` is unchanged. */
static bool read_entry(GgufReader *reader, GgufTensor *out, Error *err)
{
    GgufTensor tensor = {0};

    if (!read_name(reader, &tensor.name, err)) return false;
    if (!read_dims(reader, &tensor, err) || !read_type(reader, &tensor, err)
        || !gguf_read_u64(reader, &tensor.offset_bytes, err) || !set_n_bytes(&tensor, err))
        return error_at(err, "'%.*s'", SV(tensor.name));
    *out = tensor;
    return true;
}

bool gguf_directory_read(
    GgufReader *reader, uint64_t n_tensors, GgufDirectory *directory, Error *err)
{
    uint64_t left = gguf_read_left(reader);

    if (n_tensors > left / ENTRY_BYTES_MIN)
        return error_set(err, ERROR_FORMAT_TRUNCATED,
            "%" PRIu64 " tensors need at least %" PRIu64 " bytes, the file has %" PRIu64
            " behind byte %" PRIu64,
            n_tensors, n_tensors * ENTRY_BYTES_MIN, left, reader->at);

    if (n_tensors == 0) return true;

    // At most 65536 entries in each of at most 1024 parts: no overflow.
    size_t n_bytes = (directory->n_tensors + (size_t)n_tensors) * sizeof *directory->tensors;
    GgufTensor *tensors = directory->tensors
                              ? mem_resize(GGUF_MEM, directory->tensors, n_bytes, err)
                              : mem_alloc(GGUF_MEM, n_bytes, err);
    if (!tensors) return false;
    directory->tensors = tensors;

    for (uint64_t i = 0; i < n_tensors; i++) {
        uint64_t start = reader->at;
        if (!read_entry(reader, &tensors[directory->n_tensors], err))
            return error_at(err, "tensor %" PRIu64 " at byte %" PRIu64, i, start);
        directory->n_tensors++;
    }
    return true;
}

static int compare_offsets(const void *a, const void *b)
{
    const GgufTensor *first = *(const GgufTensor *const *)a;
    const GgufTensor *second = *(const GgufTensor *const *)b;

    if (first->offset_bytes != second->offset_bytes)
        return first->offset_bytes < second->offset_bytes ? -1 : 1;
    return (first > second) - (first < second);
}

/* Extents that share a byte; sorting makes it enough to look at neighbours. */
static bool refuse_overlaps(const GgufTensor *tensors, size_t n_tensors, Error *err)
{
    const GgufTensor **by_offset = mem_alloc_array(GGUF_MEM, n_tensors, sizeof *by_offset, err);
    bool is_fine = true;

    if (!by_offset) return false;
    for (size_t i = 0; i < n_tensors; i++) by_offset[i] = &tensors[i];
    qsort(by_offset, n_tensors, sizeof *by_offset, compare_offsets);

    for (size_t i = 1; is_fine && i < n_tensors; i++) {
        const GgufTensor *a = by_offset[i - 1], *b = by_offset[i];
        if (b->offset_bytes - a->offset_bytes < a->n_bytes)
            is_fine = error_set(err, ERROR_TENSOR_OFFSET,
                "tensors '%.*s' (bytes %" PRIu64 " to %" PRIu64 ") and '%.*s' (from byte %" PRIu64
                ") overlap",
                SV(a->name), a->offset_bytes, a->offset_bytes + a->n_bytes - 1, SV(b->name),
                b->offset_bytes);
    }
    mem_free(GGUF_MEM, by_offset);
    return is_fine;
}

/* Makes the offset absolute. */
static bool place_tensor(GgufTensor *tensor, const GgufSection *section, Error *err)
{
    uint64_t offset_bytes, end_bytes;

    if (tensor->offset_bytes % section->alignment != 0)
        return error_set(err, ERROR_TENSOR_OFFSET,
            "tensor '%.*s': offset %" PRIu64 " is not a multiple of the alignment %u",
            SV(tensor->name), tensor->offset_bytes, section->alignment);
    if (!size_add(section->start_offset, tensor->offset_bytes, &offset_bytes)
        || !size_add(offset_bytes, tensor->n_bytes, &end_bytes))
        return error_set(err, ERROR_TENSOR_OFFSET,
            "tensor '%.*s': offset %" PRIu64 " and size %" PRIu64 " pass the end of any file",
            SV(tensor->name), tensor->offset_bytes, tensor->n_bytes);
    tensor->offset_bytes = offset_bytes;
    tensor->shard = section->shard;
    return true;
}

/* A file that ends early is an interrupted download when its tensors, laid out without
 * holes, would end there too; otherwise an offset is wrong. */
static bool refuse_outside(
    const GgufTensor *last, uint64_t compact_end, const GgufSection *section, Error *err)
{
    uint64_t end = last->offset_bytes + last->n_bytes;
    char have[24], need[24];

    if (end <= section->file_bytes) return true;
    if (end > compact_end)
        return error_set(err, ERROR_TENSOR_OFFSET,
            "tensor '%.*s': bytes %" PRIu64 " to %" PRIu64 " lie outside the file of %" PRIu64
            " bytes",
            SV(last->name), last->offset_bytes, end - 1, section->file_bytes);
    return error_set(err, ERROR_FORMAT_TRUNCATED,
        "file is %s, its header needs %s: tensor '%.*s' ends at byte %" PRIu64
        ", the file at %" PRIu64,
        size_format(section->file_bytes, have), size_format(end, need), SV(last->name), end,
        section->file_bytes);
}

bool gguf_directory_place(GgufDirectory *directory, size_t first, GgufSection *section, Error *err)
{
    size_t n_tensors = directory->n_tensors - first;
    uint64_t compact_end = section->start_offset;

    section->end_offset = section->start_offset;
    if (n_tensors == 0) return true;
    GgufTensor *tensors = &directory->tensors[first];
    const GgufTensor *last = tensors;

    for (size_t i = 0; i < n_tensors; i++) {
        if (!place_tensor(&tensors[i], section, err)) return false;
        uint64_t end = tensors[i].offset_bytes + tensors[i].n_bytes;
        if (end > section->end_offset) {
            last = &tensors[i];
            section->end_offset = end;
        }
        if (!size_add(compact_end, tensors[i].n_bytes, &compact_end)
            || !size_add(compact_end, section->alignment - 1, &compact_end))
            compact_end = UINT64_MAX;
        compact_end = size_align_down(compact_end, section->alignment);
    }
    if (!refuse_overlaps(tensors, n_tensors, err)) return false;
    return section->need == GGUF_METADATA_ONLY || refuse_outside(last, compact_end, section, err);
}

/* Equal names stay in file order. */
static int compare_tensors(const void *a, const void *b)
{
    const GgufTensor *first = *(const GgufTensor *const *)a;
    const GgufTensor *second = *(const GgufTensor *const *)b;
    int order = gguf_compare_names(first->name, second->name);

    return order != 0 ? order : (first > second) - (first < second);
}

bool gguf_directory_index(GgufDirectory *directory, Error *err)
{
    size_t n = directory->n_tensors;

    directory->by_name = mem_alloc_array(GGUF_MEM, n, sizeof *directory->by_name, err);
    if (!directory->by_name) return false;
    for (size_t i = 0; i < n; i++) directory->by_name[i] = &directory->tensors[i];
    qsort(directory->by_name, n, sizeof *directory->by_name, compare_tensors);

    for (size_t i = 1; i < n; i++) {
        const GgufTensor *a = directory->by_name[i - 1], *b = directory->by_name[i];
        if (view_equal(a->name, b->name))
            return error_set(err, ERROR_FORMAT_DUPLICATE,
                "tensor '%.*s' occurs twice, as number %td and number %td", SV(a->name),
                a - directory->tensors, b - directory->tensors);
    }
    return true;
}

const GgufTensor *gguf_directory_find(const GgufDirectory *directory, StringView name)
{
    size_t first = 0, end = directory->n_tensors;

    if (name.n_bytes == 0) return NULL;
    while (first < end) {
        size_t middle = first + (end - first) / 2;
        int order = gguf_compare_names(directory->by_name[middle]->name, name);
        if (order == 0) return directory->by_name[middle];
        if (order < 0)
            first = middle + 1;
        else
            end = middle;
    }
    return NULL;
}

void gguf_directory_destroy(GgufDirectory *directory)
{
    mem_free(GGUF_MEM, directory->tensors);
    mem_free(GGUF_MEM, directory->by_name);
    *directory = (GgufDirectory){0};
}
