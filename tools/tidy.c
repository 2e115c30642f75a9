/*
 * tidy - the rules of this source tree that no compiler checks.
 *
 *   tidy [ROOT]    prints "path:line: [rule] reason" for each violation; exit status 1 if any
 *
 * It reads every text file below ROOT once, blanks comments and literals out of a copy of
 * the C files, and runs each rule of the table at the end of this file over each file.
 * What a rule must let pass stands in the table of exceptions with its reason, and an
 * exception that lets nothing pass any more is a violation itself: the table only shrinks.
 * src/LAYERS says which folder may include which; the rest is written down here.
 */
#include <ctype.h>
#include <dirent.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"

#define FILES_MAX        4096
#define FILE_BYTES_MAX   (4L << 20)
#define PATH_BYTES       1024 // parse_include has it too
#define LINE_BYTES       2048
#define DEPTH_MAX        16
#define FUNCTION_LINES   70
#define FILE_LINES       600
#define TEST_FACTOR      2 // tests may be longer and flatter
#define LINE_COLUMNS     100
#define IDENTIFIER_BYTES 128

typedef struct File {
    const char *path; // from the root, as in "src/base/mem.c"
    const char *text; // NUL-terminated, no other NUL
    const char *code; // C files: the same length, comments and literals blank; else NULL
} File;

typedef struct Exception {
    const char *rule;
    const char *path; // a file, or the start of a path
    const char *what; // part of the reason that is printed
    const char *why;
} Exception;

static const Exception exceptions[] = {
    {"name", "", "'process_", "the operating system's process, a noun (sys/process.h)"},
    {"unused", "cmake/analyzer.h", "", "an option of the compiler includes it"},
    {"unused", "src/kernels/avx", "", "an overlay's own header: its types and inline functions"},
    {"orphan", "tests/engine/", "", "whole models, through every layer"},
    {"orphan", "tests/kernels/test_rule.c", "", "the text of docs/arithmetic.md, on every table"},
    {"orphan", "tests/kernels/test_vectors.c", "", "an oracle's values, on every table"},
};

static Arena arena;
static File files[FILES_MAX];
static size_t n_files;
static const char *root;
static const File *layers; // src/LAYERS
static unsigned n_violations;
static unsigned n_uses[COUNT(exceptions)];

static void die(const char *path, const char *reason)
{
    fprintf(stderr, "tidy: %s: %s\n", path, reason);
    exit(2);
}

static bool starts_with(const char *text, const char *start)
{
    return strncmp(text, start, strlen(start)) == 0;
}

static bool ends_with(const char *text, const char *end)
{
    size_t n = strlen(text), n_end = strlen(end);
    return n >= n_end && strcmp(text + n - n_end, end) == 0;
}

static bool is_identifier(char c)
{
    return isalnum((unsigned char)c) || c == '_';
}

static bool is_excepted(const char *rule, const char *path, const char *reason)
{
    for (size_t i = 0; i < COUNT(exceptions); i++) {
        const Exception *exception = &exceptions[i];
        if (strcmp(exception->rule, rule) != 0 || !starts_with(path, exception->path)
            || !strstr(reason, exception->what))
            continue;
        n_uses[i]++;
        return true;
    }
    return false;
}

static void report(const File *file, unsigned line, const char *rule, const char *format, ...)
    PRINTF(4, 5);

static void report(const File *file, unsigned line, const char *rule, const char *format, ...)
{
    char reason[512];
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(reason, sizeof(reason), format, arguments);
    va_end(arguments);
    if (is_excepted(rule, file->path, reason)) return;
    printf("%s:%u: [%s] %s\n", file->path, line, rule, reason);
    n_violations++;
}

/* The line that begins at `at`, without its end, in `line`; returns the next one's start, or
 * NULL at the end of the text. */
static const char *next_line(const char *at, char *line, size_t line_bytes)
{
    size_t n = strcspn(at, "\n");
    size_t n_copied = n < line_bytes ? n : line_bytes - 1;

    if (*at == '\0') return NULL;
    memcpy(line, at, n_copied);
    line[n_copied] = '\0';
    return at[n] == '\n' ? at + n + 1 : at + n;
}

/* ---- reading the tree ---- */

/* Where comment or literal that begins at `at` ends, or `at` where none does. */
static const char *skip_comment_or_literal(const char *at)
{
    if (starts_with(at, "//")) return at + strcspn(at, "\n");
    if (starts_with(at, "/*")) {
        const char *end = strstr(at + 2, "*/");
        return end ? end + 2 : at + strlen(at);
    }
    if (*at != '"' && *at != '\'') return at;
    const char *end = at + 1;
    while (*end && *end != '\n' && *end != *at) end += *end == '\\' && end[1] ? 2 : 1;
    return *end == *at ? end + 1 : end;
}

static void blank_code(char *code)
{
    for (char *at = code; *at;) {
        const char *end = skip_comment_or_literal(at);
        if (end == at && is_identifier(*at)) { // a digit separator or a prefix is no literal
            while (is_identifier(*at)) at++;
            continue;
        }
        if (end == at) at++;
        for (; at < end; at++)
            if (*at != '\n') *at = ' ';
    }
}

static bool is_c_file(const char *path)
{
    return ends_with(path, ".c") || ends_with(path, ".h") || ends_with(path, ".def");
}

/* The bytes of a file in the arena, NUL-terminated. */
static StringView read_bytes(const char *path)
{
    char full_path[PATH_BYTES];
    Error err = {0};

    snprintf(full_path, sizeof(full_path), "%s/%s", root, path);
    FILE *stream = fopen(full_path, "rb");
    if (!stream || fseek(stream, 0, SEEK_END) != 0) die(path, "cannot be opened");
    long n_bytes = ftell(stream);
    if (n_bytes < 0 || n_bytes > FILE_BYTES_MAX) die(path, "is too large");
    char *text = arena_alloc(&arena, (size_t)n_bytes + 1, &err);
    if (!text) die(path, err.message);
    rewind(stream);
    if (fread(text, 1, (size_t)n_bytes, stream) != (size_t)n_bytes) die(path, "cannot be read");
    fclose(stream);
    return (StringView){text, (size_t)n_bytes};
}

static void add_file(const char *path)
{
    StringView text = read_bytes(path);
    Error err = {0};
    char *code = NULL;

    if (memchr(text.data, '\0', text.n_bytes)) return; // not text
    if (n_files == COUNT(files)) die(path, "is one file too many");
    if (is_c_file(path) && !(code = arena_copy_text(&arena, text, &err))) die(path, err.message);
    if (code) blank_code(code);
    const char *kept_path = arena_copy_text(&arena, view_of(path), &err);
    if (!kept_path) die(path, err.message);
    files[n_files] = (File){kept_path, text.data, code};
    if (strcmp(path, "src/LAYERS") == 0) layers = &files[n_files];
    n_files++;
}

static bool is_left_out(const char *path)
{
    static const char *const folders[] = {".git", "build", "tests/data"};

    for (size_t i = 0; i < COUNT(folders); i++)
        if (strcmp(path, folders[i]) == 0) return true;
    return ends_with(path, ".gguf");
}

static void read_tree(const char *path, int depth)
{
    char full_path[PATH_BYTES];
    struct dirent **entries;

    snprintf(full_path, sizeof(full_path), "%s/%s", root, path);
    if (depth > DEPTH_MAX) die(path, "is too deep");
    int n = scandir(full_path, &entries, NULL, alphasort);
    if (n < 0) die(full_path, "cannot be read");
    for (int i = 0; i < n; free(entries[i++])) {
        const char *name = entries[i]->d_name;
        char below[PATH_BYTES];
        snprintf(below, sizeof(below), "%s%s%s", path, *path ? "/" : "", name);
        if (name[strspn(name, ".")] == '\0' || is_left_out(below)) continue; // "." and ".."
        if (entries[i]->d_type == DT_DIR) read_tree(below, depth + 1);
        if (entries[i]->d_type == DT_REG) add_file(below);
    }
    free(entries);
}

/* ---- includes and layers ---- */

/* The path in `#include "..."`; false when the line is something else. */
static bool parse_include(const char *line, char path[PATH_BYTES])
{
    return sscanf(line, " # include \"%1023[^\"]\"", path) == 1;
}

/* Is `folder` a word of the LAYERS line that begins with `name` and a colon? */
static bool layer_allows(const char *name, size_t name_bytes, const char *folder)
{
    char line[LINE_BYTES];
    size_t n = strlen(folder);

    for (const char *at = layers->text; (at = next_line(at, line, sizeof(line)));) {
        if (strncmp(line, name, name_bytes) != 0 || line[name_bytes] != ':') continue;
        for (const char *word = line + name_bytes + 1; *word; word += strcspn(word, " ")) {
            word += strspn(word, " ");
            if (strncmp(word, folder, n) == 0 && (word[n] == ' ' || word[n] == '\0')) return true;
        }
    }
    return false;
}

static void check_include(const File *file, unsigned line, const char *included)
{
    char folder[PATH_BYTES];
    const char *path = file->path + strlen("src/"); // "gguf/header.c"
    size_t own_bytes = strcspn(path, "/");
    const char *name_end = strrchr(path, '.');

    snprintf(folder, sizeof(folder), "%.*s", (int)strcspn(included, "/"), included);
    if (!strchr(included, '/')) {
        report(file, line, "include", "\"%s\" names no folder", included);
        return;
    }
    if (strlen(folder) == own_bytes && strncmp(folder, path, own_bytes) == 0) return;
    if (ends_with(included, "/internal.h"))
        report(file, line, "layers", "\"%s\" is for its own folder alone", included);
    if (!layer_allows(path, own_bytes, folder)
        && !layer_allows(path, (size_t)(name_end - path), folder))
        report(file, line, "layers", "'%.*s' may not include from '%s' (src/LAYERS)",
            (int)own_bytes, path, folder);
}

static void check_layers(const File *file)
{
    char line[LINE_BYTES], included[PATH_BYTES];
    unsigned number = 1;

    if (!file->code || !starts_with(file->path, "src/")) return;
    for (const char *at = file->text; (at = next_line(at, line, sizeof(line))); number++)
        if (parse_include(line, included)) check_include(file, number, included);
}

/* Does `file` include `path`, as it is written from src/ or include/? */
static bool file_includes(const File *file, const char *path)
{
    char line[LINE_BYTES], included[PATH_BYTES];

    for (const char *at = file->text; (at = next_line(at, line, sizeof(line)));)
        if (parse_include(line, included) && strcmp(included, path) == 0) return true;
    return false;
}

/* A test may also include from its own folder by the bare name. */
static void check_header_is_used(const File *file)
{
    if (!ends_with(file->path, ".h") || !strchr(file->path, '/')) return;
    const char *from_root = strchr(file->path, '/') + 1; // without src/ and so on
    const char *name = strrchr(file->path, '/') + 1;
    size_t stem_bytes = strlen(file->path) - 2;

    for (size_t i = 0; i < n_files; i++) {
        const File *user = &files[i];
        bool is_neighbour = strncmp(user->path, file->path, (size_t)(name - file->path)) == 0;
        bool is_own_source = strncmp(user->path, file->path, stem_bytes) == 0
                             && strcmp(user->path + stem_bytes, ".c") == 0;
        if (!user->code || is_own_source) continue;
        if (file_includes(user, from_root) || (is_neighbour && file_includes(user, name))) return;
    }
    report(file, 1, "unused", "no other file includes this header");
}

static void check_guard(const File *file)
{
    char guard[PATH_BYTES] = "HYPURA_", wanted[PATH_BYTES + 16];
    size_t n = strlen(guard);

    if (!file->code || !ends_with(file->path, ".h")) return;
    const char *path = starts_with(file->path, "src/") ? file->path + 4 : file->path;
    if (starts_with(path, "include/hypura/")) path += strlen("include/hypura/");
    for (; *path && n + 1 < sizeof(guard); path++)
        guard[n++] = is_identifier(*path) ? (char)toupper((unsigned char)*path) : '_';
    guard[n] = '\0';
    if (starts_with(guard, "HYPURA_HYPURA_")) memmove(guard, guard + 7, n - 6);
    snprintf(wanted, sizeof(wanted), "#ifndef %s\n", guard);
    if (!strstr(file->code, wanted)) report(file, 1, "guard", "the header guard is not %s", guard);
}

/* ---- sizes ---- */

static unsigned limit_for(const File *file, unsigned limit)
{
    return starts_with(file->path, "tests/") ? limit * TEST_FACTOR : limit;
}

/* A function body opens with a brace alone in the first column, and ends with one there. */
static void check_function_sizes(const File *file)
{
    char line[LINE_BYTES], head[LINE_BYTES] = "";
    unsigned number = 1, first = 0;

    if (!file->code || !ends_with(file->path, ".c")) return;
    for (const char *at = file->code; (at = next_line(at, line, sizeof(line))); number++) {
        if (strcmp(line, "{") == 0) first = number;
        if (line[0] == '}' && first > 0) {
            unsigned n_lines = number - first + 1;
            if (n_lines > limit_for(file, FUNCTION_LINES))
                report(file, first, "function", "%u lines in '%.80s'", n_lines, head);
            first = 0;
        }
        if (is_identifier(line[0])) snprintf(head, sizeof(head), "%s", line);
    }
}

static unsigned count_columns(const char *line)
{
    unsigned n = 0;

    for (; *line; line++)
        if (((unsigned char)*line & 0xc0) != 0x80) n++;
    return n;
}

static void check_lines(const File *file)
{
    char line[LINE_BYTES];
    unsigned number = 1;
    bool is_table = false; // between clang-format off and on

    for (const char *at = file->text; (at = next_line(at, line, sizeof(line))); number++) {
        size_t n = strlen(line);
        if (strstr(line, "// clang-format off")) is_table = true;
        if (strstr(line, "// clang-format on")) is_table = false;
        if (file->code && !is_table && count_columns(line) > LINE_COLUMNS)
            report(file, number, "columns", "%u columns", count_columns(line));
        if (file->code && strchr(line, '\t')) report(file, number, "blank", "a tab");
        if (n > 0 && (line[n - 1] == ' ' || line[n - 1] == '\t' || line[n - 1] == '\r'))
            report(file, number, "blank", "a blank at the end of the line");
        if (*at == '\0' && at[-1] != '\n')
            report(file, number, "blank", "the last line has no end");
    }
    if (file->code && number - 1 > limit_for(file, FILE_LINES))
        report(file, 1, "file", "%u lines: which second idea is in it?", number - 1);
}

static void check_file_header(const File *file)
{
    if (file->code && !starts_with(file->text, "/*") && !starts_with(file->text, "//"))
        report(file, 1, "header", "does not begin with a comment that says why the file exists");
}

/* ---- names ---- */

/* Does `word` stand in `name` between underscores, ends, or what no identifier has? */
static bool has_part(const char *name, const char *word)
{
    size_t n = strlen(word);

    for (const char *at = name; (at = strstr(at, word)); at++) {
        bool begins = at == name || at[-1] == '_' || !is_identifier(at[-1]);
        if (begins && (at[n] == '_' || !is_identifier(at[n]))) return true;
    }
    return false;
}

/* Why an identifier (or a path) may not be called so; NULL: it may. */
static const char *find_name_fault(const char *name)
{
    static const char *const words[] = {
        "tmp", "data2", "util", "utils", "misc", "helper", "helpers", "manager", "common"};
    static const char *const verbs[] = {"do_", "handle_", "process_"};

    for (size_t i = 0; i < COUNT(words); i++)
        if (has_part(name, words[i])) return "says nothing";
    for (size_t i = 0; i < COUNT(verbs); i++)
        if (starts_with(name, verbs[i])) return "has a verb that says nothing";
    return NULL;
}

/* Functions that have a better one in base; NULL: none. */
static const char *find_better(const File *file, const char *name)
{
    static const char *const unsafe[] = {
        "alloca", "strcpy", "strcat", "sprintf", "vsprintf", "gets", "atoi", "atol", "strtok"};
    static const char *const unbooked[] = {"malloc", "calloc", "realloc", "free", "strdup",
        "strndup", "aligned_alloc", "posix_memalign", "asprintf"};

    for (size_t i = 0; i < COUNT(unsafe); i++)
        if (strcmp(name, unsafe[i]) == 0) return "is unsafe";
    if (!starts_with(file->path, "src/") || starts_with(file->path, "src/base/")) return NULL;
    for (size_t i = 0; i < COUNT(unbooked); i++)
        if (strcmp(name, unbooked[i]) == 0) return "goes past the ledger (base/mem.h)";
    return NULL;
}

static void check_names(const File *file)
{
    unsigned line = 1;
    const char *fault = file->code ? find_name_fault(file->path) : NULL;

    if (fault) report(file, 1, "name", "'%s' %s", file->path, fault);
    for (const char *at = file->code; at && *at;) {
        char name[IDENTIFIER_BYTES];
        size_t n = 0;
        while (is_identifier(at[n])) n++;
        if (n == 0) {
            if (*at++ == '\n') line++;
            continue;
        }
        snprintf(name, sizeof(name), "%.*s", (int)n, at);
        bool is_member = at > file->code && (at[-1] == '.' || at[-1] == '>');
        at += n;
        if ((fault = find_name_fault(name))) report(file, line, "name", "'%s' %s", name, fault);
        if (!is_member && *at == '(' && (fault = find_better(file, name)))
            report(file, line, "banned", "'%s' %s", name, fault);
    }
}

static void check_words(const File *file)
{
    // In two halves, so that this file passes.
    static const char *const places[] = {"/wo"
                                         "rk/",
        "/ro"
        "ot/",
        "/Us"
        "ers/",
        "C:\\"
        "Users"};
    char line[LINE_BYTES];
    unsigned number = 1;

    for (const char *at = file->text; (at = next_line(at, line, sizeof(line))); number++) {
        for (size_t i = 0; i < COUNT(places); i++)
            if (strstr(line, places[i]))
                report(file, number, "place", "'%s' is a path of one machine", places[i]);
        const char *todo = file->code ? strstr(line, "TO"
                                                     "DO")
                                      : NULL;
        if (todo && !starts_with(todo + 4, "(#"))
            report(file, number, "todo", "has no issue number");
    }
}

/* ---- relations between files ---- */

static const File *find_file(const char *path)
{
    for (size_t i = 0; i < n_files; i++)
        if (strcmp(files[i].path, path) == 0) return &files[i];
    return NULL;
}

/* Is there a C file or header called `stem` in or below `folder`? */
static bool has_source(const char *folder, const char *stem, size_t stem_bytes)
{
    for (size_t i = 0; i < n_files; i++) {
        if (!files[i].code || !starts_with(files[i].path, folder)) continue;
        const char *name = strrchr(files[i].path, '/') + 1;
        if (strncmp(name, stem, stem_bytes) == 0 && name[stem_bytes] == '.') return true;
    }
    return false;
}

/* tests/store/test_ring.c is about a file "ring" of src/store/; programs are tested from
 * outside in tests/e2e/, parsers in tests/fuzz/. */
static void check_test_has_source(const File *file)
{
    char folder[PATH_BYTES];
    const char *name = strrchr(file->path, '/');

    if (!file->code || !starts_with(file->path, "tests/") || !name) return;
    if (!starts_with(name, "/test_") || starts_with(file->path, "tests/e2e/")) return;
    const char *below = file->path + strlen("tests/");
    const char *above = starts_with(below, "tools/") ? "" : "src/";
    snprintf(folder, sizeof(folder), "%s%.*s/", above, (int)(name - below), below);
    for (size_t n = strcspn(name += strlen("/test_"), "."); n > 0; n--) // or test_ring_more.c
        if ((name[n] == '.' || name[n] == '_') && has_source(folder, name, n)) return;
    report(file, 1, "orphan", "tests no file of %s", folder);
}

/* Each .c file stands in the CMakeLists.txt of its folder or of one above it, by its name or,
 * where a loop puts the ends on, by what is between "test_" and ".c". */
static void check_is_built(const File *file)
{
    char lists[PATH_BYTES], stem[PATH_BYTES];

    if (!file->code || !ends_with(file->path, ".c") || !strchr(file->path, '/')) return;
    const char *name = strrchr(file->path, '/') + 1;
    size_t n = (size_t)(name - file->path);
    if (starts_with(name, "test_")) name += strlen("test_");
    snprintf(stem, sizeof(stem), "%.*s", (int)strcspn(name, "."), name);
    while (n > 0) {
        snprintf(lists, sizeof(lists), "%.*sCMakeLists.txt", (int)n, file->path);
        const File *found = find_file(lists);
        if (found && has_part(found->text, stem)) return;
        for (n--; n > 0 && file->path[n - 1] != '/'; n--) continue;
    }
    report(file, 1, "unbuilt", "no CMakeLists.txt names this file");
}

/* A kernel without its proof: each entry of the table is named in kernels/kcheck*.c. */
static void check_kernels_are_proved(const File *file)
{
    if (strcmp(file->path, "src/kernels/kernels.h") != 0) return;
    for (const char *at = file->code; (at = strstr(at, "(*")); at++) {
        char name[IDENTIFIER_BYTES];
        bool is_proved = false;
        if (sscanf(at, "(*%127[A-Za-z0-9_]", name) != 1) continue;
        for (size_t i = 0; i < n_files; i++)
            if (files[i].code && starts_with(files[i].path, "src/kernels/kcheck"))
                is_proved = is_proved || strstr(files[i].code, name);
        if (!is_proved) report(file, 1, "unproved", "kernel '%s' is not in kcheck", name);
    }
}

/* Links between documents lead somewhere. */
static void check_links(const File *file)
{
    char target[PATH_BYTES], path[2 * PATH_BYTES];
    const char *folder_end = strrchr(file->path, '/');
    int folder_bytes = folder_end ? (int)(folder_end + 1 - file->path) : 0;

    if (!ends_with(file->path, ".md")) return;
    for (const char *at = file->text; (at = strstr(at, "]("));) {
        at += 2;
        snprintf(target, sizeof(target), "%.*s", (int)strcspn(at, ")# \n"), at);
        if (*target == '\0' || strstr(target, "://") || starts_with(target, "mailto:")) continue;
        snprintf(path, sizeof(path), "%s/%.*s%s", root, folder_bytes, file->path, target);
        FILE *found = fopen(path, "rb");
        if (!found) report(file, 1, "link", "'%s' is not there", target);
        if (found) fclose(found);
    }
}

/* Only the tree that this table was written for is held to it. */
static void check_exceptions_are_needed(void)
{
    static const File self = {.path = "tools/tidy.c"};

    if (!find_file(self.path)) return;
    for (size_t i = 0; i < COUNT(exceptions); i++)
        if (n_uses[i] == 0)
            report(&self, 1, "exception", "[%s] for '%s' is no longer needed", exceptions[i].rule,
                exceptions[i].path);
}

int main(int argc, char **argv)
{
    static void (*const checks[])(const File *) = {check_layers, check_header_is_used, check_guard,
        check_function_sizes, check_lines, check_file_header, check_names, check_words,
        check_test_has_source, check_is_built, check_kernels_are_proved, check_links};

    root = argc == 2 ? argv[1] : ".";
    read_tree("", 0);
    if (!layers) die("src/LAYERS", "is missing");
    for (size_t i = 0; i < n_files; i++)
        for (size_t k = 0; k < COUNT(checks); k++) checks[k](&files[i]);
    check_exceptions_are_needed();
    printf("tidy: %zu files, %u violations\n", n_files, n_violations);
    arena_destroy(&arena);
    return n_violations > 0 ? 1 : 0;
}
