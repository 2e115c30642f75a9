/* A borrowed run of bytes; never NUL-terminated by promise. */
#ifndef HYPURA_BASE_VIEW_H
#define HYPURA_BASE_VIEW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

typedef struct StringView {
    const char *data; // borrowed; may be NULL when n_bytes is 0
    size_t n_bytes;
} StringView;

/* Arguments for "%.*s". */
#define SV(view) (int)(view).n_bytes, (view).data ? (view).data : ""

static inline StringView view_of(const char *text)
{
    return (StringView){.data = text, .n_bytes = text ? strlen(text) : 0};
}

static inline bool view_equal(StringView a, StringView b)
{
    return a.n_bytes == b.n_bytes && (a.n_bytes == 0 || memcmp(a.data, b.data, a.n_bytes) == 0);
}

static inline bool view_is(StringView view, const char *text)
{
    return view_equal(view, view_of(text));
}

static inline bool view_starts_with(StringView view, const char *prefix)
{
    size_t n = strlen(prefix);
    return view.n_bytes >= n && memcmp(view.data, prefix, n) == 0;
}

#endif
