/* --override-kv in llama.cpp's spelling. */
#include "engine/overrides.h"

#include <errno.h>
#include <stdlib.h>

static bool parse_value(const char *value, GgufOverride *out)
{
    char *end = NULL;

    errno = 0;
    if (strcmp(value, "none") == 0) {
        out->is_removal = true;
        return true;
    }
    if (strncmp(value, "int:", 4) == 0) {
        out->type = GGUF_I64;
        out->i64 = strtoll(value + 4, &end, 10);
        return end != value + 4 && *end == '\0' && errno == 0;
    }
    if (strncmp(value, "float:", 6) == 0) {
        out->type = GGUF_F64;
        out->f64 = strtod(value + 6, &end);
        return end != value + 6 && *end == '\0' && errno == 0;
    }
    if (strncmp(value, "bool:", 5) == 0) {
        out->type = GGUF_BOOL;
        out->boolean = strcmp(value + 5, "true") == 0;
        return out->boolean || strcmp(value + 5, "false") == 0;
    }
    if (strncmp(value, "str:", 4) == 0) {
        out->type = GGUF_STRING;
        out->text = view_of(value + 4);
        return true;
    }
    return false;
}

bool override_parse(const char *text, GgufOverride *out, Error *err)
{
    const char *equals = strchr(text, '=');
    GgufOverride override = {0};

    if (!equals || equals == text || !parse_value(equals + 1, &override))
        return error_set(err, ERROR_USAGE,
            "--override-kv '%s': not KEY=int:N, KEY=float:X, KEY=bool:true, KEY=str:TEXT or "
            "KEY=none",
            text);
    override.key = (StringView){text, (size_t)(equals - text)};
    *out = override;
    return true;
}
