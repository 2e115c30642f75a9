/* `hypura version`: which program this is, for people and for reports of defects. */
#include "cli/verbs.h"

#include <stdio.h>

#include "base/json.h"
#include "cli/report.h"
#include "cli/terminal.h"
#include "hypura/hypura.h"

#if defined(__clang__)
#    define COMPILER "clang " __clang_version__
#elif defined(__GNUC__)
#    define COMPILER "gcc " __VERSION__
#else
#    define COMPILER "unknown"
#endif

#if defined(__x86_64__)
#    define MACHINE "x86_64"
#elif defined(__aarch64__)
#    define MACHINE "aarch64"
#else
#    define MACHINE "unknown"
#endif

/* One row a library that a build may lack. */
static const struct {
    const char *name;
    bool is_built_in;
} libraries[] = {
    {"liburing", HYPURA_WITH_URING},
    {"jansson", HYPURA_WITH_JANSSON},
    {"xxhash", HYPURA_WITH_XXHASH},
};

static int write_json(void)
{
    Json *out = json_object(), *list = json_object();

    json_set_text(out, "version", view_of(hypura_version()));
    json_set_text(out, "machine", view_of(MACHINE));
    json_set_text(out, "compiler", view_of(COMPILER));
    for (size_t i = 0; i < COUNT(libraries); i++)
        json_set_bool(list, libraries[i].name, libraries[i].is_built_in);
    json_set(out, "libraries", list);
    return terminal_write_json("version", out);
}

int verb_version(const Options *options)
{
    if (options->json) return write_json();
    printf("hypura %s\n%s, %s\n", hypura_version(), MACHINE, COMPILER);
    for (size_t i = 0; i < COUNT(libraries); i++)
        printf("%s: %s\n", libraries[i].name, libraries[i].is_built_in ? "yes" : "no");
    return STATUS_OK;
}
