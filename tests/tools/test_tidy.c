/* tests/tools/test_tidy.c - each rule of tools/tidy.c seen failing on the smallest file
 * that breaks it, and not failing on the smallest that almost does. */
#include "harness.h"

#include <sys/stat.h>
#include <sys/wait.h>

static char output[16384];

/* Writes a file below the temporary folder, with its folders. */
static void write_file(const char *tree, const char *path, const char *text)
{
    char full[512];

    snprintf(full, sizeof(full), "%s/%s/%s", harness_temporary_folder(), tree, path);
    for (char *at = full + 1; (at = strchr(at, '/')); at++) {
        *at = '\0';
        mkdir(full, 0700);
        *at = '/';
    }
    FILE *stream = fopen(full, "wb");
    if (!CHECK(stream)) return;
    CHECK(fputs(text, stream) >= 0);
    CHECK(fclose(stream) == 0);
}

/* Runs tidy over a tree; its output is in `output`. Returns its exit status. */
static int run_tidy(const char *tree)
{
    char command[1024];

    snprintf(command, sizeof(command), "'%s' '%s/%s' 2>&1", TIDY, harness_temporary_folder(), tree);
    FILE *stream = popen(command, "r");
    if (!CHECK(stream)) return -1;
    size_t n = fread(output, 1, sizeof(output) - 1, stream);
    output[n] = '\0';
    int status = pclose(stream);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

/* A tree of two layers in which everything is as it should be. */
static void write_clean_tree(const char *tree)
{
    write_file(tree, "src/LAYERS", "# comment\nbase:\nlow: base\nhigh: low\nhigh/verb_x: base\n");
    write_file(tree, "src/low/CMakeLists.txt", "one.c\n");
    write_file(tree, "src/low/one.h",
        "/* One. */\n#ifndef HYPURA_LOW_ONE_H\n#define HYPURA_LOW_ONE_H\nint one(void);\n#endif\n");
    write_file(tree, "src/low/one.c",
        "/* One. */\n#include \"low/one.h\"\n\nint one(void)\n{\n    return 1;\n}\n");
    write_file(tree, "src/high/CMakeLists.txt", "two.c three.c verb_x.c\n");
    write_file(tree, "src/high/two.c", "/* Two. */\n#include \"low/one.h\"\n");
    write_file(tree, "tests/low/CMakeLists.txt", "test_one.c\n");
    write_file(tree, "tests/low/test_one.c", "/* Tests one. */\n#include \"low/one.h\"\n");
    write_file(tree, "README.md", "[the test](tests/low/test_one.c#part), [web](https://x.org)\n");
}

TEST(tidy_finds_nothing_in_a_clean_tree)
{
    write_clean_tree("clean");
    CHECK(run_tidy("clean") == 0);
    CHECK(strstr(output, ", 0 violations"));
}

#define TEN(x) x x x x x x x x x x

// clang-format off
static const struct {
    const char *label;
    const char *path;
    const char *text;
    const char *want; // a violation in the output; NULL: none
} cases[] = {
    // layers
    {"include-upwards", "src/low/one.c", "/* One. */\n\n#include \"high/x.h\"\n",
        "src/low/one.c:3: [layers] 'low' may not include from 'high'"},
    {"include-spaced", "src/low/one.c", "/* One. */\n#  include  \"high/x.h\"\n", "[layers]"},
    {"include-not-listed", "src/high/two.c", "/* Two. */\n#include \"base/x.h\"\n", "[layers]"},
    {"include-own-folder", "src/high/two.c", "/* Two. */\n#include \"high/x.h\"\n", NULL},
    {"include-file-allowance", "src/high/verb_x.c", "/* X. */\n#include \"base/x.h\"\n", NULL},
    {"include-file-adds", "src/high/verb_x.c", "/* X. */\n#include \"low/one.h\"\n", NULL},
    {"include-internal", "src/high/two.c", "/* Two. */\n#include \"low/internal.h\"\n",
        "[layers] \"low/internal.h\" is for its own folder"},
    {"include-without-folder", "src/low/one.c", "/* One. */\n#include \"one.h\"\n", "[include]"},
    {"include-system", "src/low/one.c", "/* One. */\n#include <high/x.h>\n", NULL},
    // headers
    {"header-unused", "src/low/none.h",
        "/* N. */\n#ifndef HYPURA_LOW_NONE_H\n#define HYPURA_LOW_NONE_H\n#endif\n",
        "src/low/none.h:1: [unused]"},
    {"header-guard", "src/low/one.h", "/* One. */\n#ifndef ONE_H\n#define ONE_H\n#endif\n",
        "[guard] the header guard is not HYPURA_LOW_ONE_H"},
    // sizes
    {"function-70", "src/low/one.c", "/* One. */\nint f(void)\n{\n"
        TEN("\n\n\n\n\n\n") "\n\n\n\n\n\n\n\n" "}\n", NULL},
    {"function-71", "src/low/one.c", "/* One. */\nint f(void)\n{\n"
        TEN("\n\n\n\n\n\n") "\n\n\n\n\n\n\n\n\n" "}\n",
        "src/low/one.c:3: [function] 71 lines in 'int f(void)'"},
    {"function-71-test", "tests/low/test_one.c", "/* T. */\nint f(void)\n{\n"
        TEN("\n\n\n\n\n\n\n") "}\n", NULL},
    {"function-141-test", "tests/low/test_one.c", "/* T. */\nint f(void)\n{\n"
        TEN("\n\n\n\n\n\n\n\n\n\n\n\n\n\n") "}\n", "[function]"},
    {"file-600", "src/low/one.c", "/* One. */\n" TEN(TEN("\n\n\n\n\n")) TEN("\n\n\n\n\n\n\n\n\n")
        "\n\n\n\n\n\n\n\n\n", NULL},
    {"file-601", "src/low/one.c", "/* One. */\n" TEN(TEN("\n\n\n\n\n\n")), "[file] 601 lines"},
    {"columns-100", "src/low/one.c", "/* One. */\n" TEN("0123456789") "\n", NULL},
    {"columns-101", "src/low/one.c", "/* One. */\n" TEN("0123456789") "x\n",
        "src/low/one.c:2: [columns] 101 columns"},
    {"columns-are-characters", "src/low/one.c", "/* " TEN("\u00e9\u00e9\u00e9\u00e9\u00e9") " */\n"
        "// " TEN("\u00e9\u00e9\u00e9\u00e9\u00e9\u00e9\u00e9\u00e9\u00e9") "\n", NULL},
    {"columns-table", "src/low/one.c", "/* One. */\n// clang-format off\n" TEN("0123456789") "x\n"
        "// clang-format on\n", NULL},
    {"columns-after-table", "src/low/one.c", "/* One. */\n// clang-format off\n"
        "// clang-format on\n" TEN("0123456789") "x\n", "src/low/one.c:4: [columns]"},
    // texts
    {"no-file-header", "src/low/one.c", "int x;\n/* late */\n", "src/low/one.c:1: [header]"},
    {"tab", "src/low/one.c", "/* One. */\n\tint x;\n", "[blank] a tab"},
    {"blank-end", "README.md", "text \n", "README.md:1: [blank]"},
    {"no-last-line-end", "README.md", "text", "[blank] the last line"},
    {"machine-path", "README.md", "see /ro" "ot/x\n", "README.md:1: [place]"},
    {"todo", "src/low/one.c", "/* One. */\n// TO" "DO: later\n", "src/low/one.c:2: [todo]"},
    {"todo-numbered", "src/low/one.c", "/* One. */\n// TO" "DO(#12): later\n", NULL},
    {"dead-link", "README.md", "[x](docs/none.md)\n", "[link] 'docs/none.md'"},
    // names
    {"name-tmp", "src/low/one.c", "/* One. */\nint tmp;\n", "src/low/one.c:2: [name] 'tmp'"},
    {"name-part", "src/low/one.c", "/* One. */\nint my_util_x;\n", "[name] 'my_util_x'"},
    {"name-verb", "src/low/one.c", "/* One. */\nint handle_it;\n", "[name] 'handle_it'"},
    {"name-contained", "src/low/one.c", "/* One. */\nint utility, undo_it, tmpfs;\n", NULL},
    {"name-in-comment", "src/low/one.c", "/* tmp */\n// util\nchar *x = \"helper\";\n", NULL},
    {"name-of-file", "src/low/helper.c", "/* H. */\n", "[name] 'src/low/helper.c'"},
    {"name-after-quotes", "src/low/one.c", "/* One. */\nchar a = '\"', *b = \"\\\"\"; int tmp;\n",
        "[name] 'tmp'"},
    {"banned-malloc", "src/low/one.c", "/* One. */\nvoid *x = malloc(1);\n",
        "src/low/one.c:2: [banned] 'malloc' goes past the ledger"},
    {"banned-in-base", "src/base/one.c", "/* One. */\nvoid *x = malloc(1);\n", NULL},
    {"banned-in-test", "tests/low/test_one.c", "/* T. */\nvoid *x = malloc(1);\n", NULL},
    {"banned-strcpy", "tests/low/test_one.c", "/* T. */\nint x = strcpy(a, b);\n",
        "[banned] 'strcpy' is unsafe"},
    {"banned-member", "src/low/one.c", "/* One. */\nint x = table->free(1) + t.free(2);\n", NULL},
    // relations
    {"test-orphan", "tests/low/test_two.c", "/* T. */\n", "tests/low/test_two.c:1: [orphan]"},
    {"unbuilt", "src/low/extra.c", "/* E. */\n", "src/low/extra.c:1: [unbuilt]"},
    {"kernel-unproved", "src/kernels/kernels.h", "/* K. */\n#ifndef HYPURA_KERNELS_KERNELS_H\n"
        "#define HYPURA_KERNELS_KERNELS_H\nfloat (*dot_q8)(int);\n#endif\n",
        "[unproved] kernel 'dot_q8' is not in kcheck"},
};
// clang-format on

TEST(tidy_finds_each_violation_and_no_other)
{
    for (size_t i = 0; i < COUNT(cases); i++) {
        write_clean_tree(cases[i].label);
        write_file(cases[i].label, cases[i].path, cases[i].text);
        int status = run_tidy(cases[i].label);
        if (cases[i].want) {
            CHECK_CASE(cases[i].label, status == 1);
            if (!CHECK_CASE(cases[i].label, strstr(output, cases[i].want))) printf("%s", output);
            continue;
        }
        // What else the sample lacks (a build list, a user) is not this case's business.
        static const char *const own[] = {"[layers]", "[include]", "[function]", "[file]",
            "[columns]", "[header]", "[todo]", "[name]", "[banned]"};
        for (size_t k = 0; k < COUNT(own); k++)
            if (!CHECK_CASE(cases[i].label, !strstr(output, own[k]))) printf("%s", output);
    }
}

TEST(tidy_refuses_a_tree_without_layers)
{
    write_file("empty", "README.md", "text\n");
    CHECK(run_tidy("empty") == 2);
    CHECK(strstr(output, "src/LAYERS"));
}
