/* The growing lists of vocab.h: ids and bytes. */
#include "base/mem.h"
#include "base/size.h"
#include "text/internal.h"

/* Room for n_more elements behind n; grows by half, so that adding is linear. */
static void *reserve(
    void *data, size_t n, size_t n_more, size_t element_bytes, size_t *capacity, Error *err)
{
    uint64_t wanted, n_bytes;

    if (!size_add(n, n_more, &wanted) || !size_add(wanted, n / 2 + 64, &wanted)
        || !size_mul(wanted, element_bytes, &n_bytes)) {
        error_set(err, ERROR_TOO_LARGE, "a list of %zu and %zu elements", n, n_more);
        return NULL;
    }
    data = mem_resize(MEM_TEXT, data, n_bytes, err);
    if (data) *capacity = wanted;
    return data;
}

bool token_list_reserve(TokenList *list, size_t n_more, Error *err)
{
    if (n_more <= list->capacity - list->n) return true;

    int32_t *ids = reserve(list->ids, list->n, n_more, sizeof(*ids), &list->capacity, err);
    if (!ids) return false;
    list->ids = ids;
    return true;
}

bool token_list_add(TokenList *list, int32_t id, Error *err)
{
    if (!token_list_reserve(list, 1, err)) return false;
    list->ids[list->n++] = id;
    return true;
}

void token_list_free(TokenList *list)
{
    mem_free(MEM_TEXT, list->ids);
    *list = (TokenList){0};
}

bool text_buffer_append(TextBuffer *buffer, StringView text, Error *err)
{
    if (text.n_bytes > buffer->capacity - buffer->n_bytes) {
        char *data =
            reserve(buffer->data, buffer->n_bytes, text.n_bytes, 1, &buffer->capacity, err);
        if (!data) return false;
        buffer->data = data;
    }
    if (text.n_bytes > 0) memcpy(buffer->data + buffer->n_bytes, text.data, text.n_bytes);
    buffer->n_bytes += text.n_bytes;
    return true;
}

void text_buffer_free(TextBuffer *buffer)
{
    mem_free(MEM_TEXT, buffer->data);
    *buffer = (TextBuffer){0};
}
