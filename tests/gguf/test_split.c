/* tests/gguf/test_split.c - models in several files: found by any part, refused by name. */
#include <inttypes.h>
#include <sys/stat.h>

#include "gguf/raw.h"

#define N_PARTS 3u

static char folder[128];

/* What one part says of itself. */
typedef struct Part {
    uint32_t no, count, n_tensors;
    const char *arch; // NULL: no such key
    const char *tensor;
    const char *name; // of the file; NULL: the right one
} Part;

static const Part right[N_PARTS] = {
    {0, 3, 3, "llama", "a", NULL}, {1, 3, 3, NULL, "b", NULL}, {2, 3, 3, NULL, "c", NULL}};

static const char *part_path(const char *name, uint32_t part)
{
    static char path[256];

    if (name)
        snprintf(path, sizeof path, "%s/%s", folder, name);
    else
        snprintf(path, sizeof path, "%s/mix-%05u-of-%05u.gguf", folder, part + 1, N_PARTS);
    return path;
}

static void save_part(const Part *part)
{
    raw_begin(3, part->tensor ? 1 : 0, part->arch ? 4 : 3);
    if (part->arch) {
        raw_key("general.architecture", GGUF_STRING);
        raw_text(part->arch);
    }
    raw_key("split.no", GGUF_U16);
    raw_bytes(&part->no, 2);
    raw_key("split.count", GGUF_U16);
    raw_bytes(&part->count, 2);
    raw_key("split.tensors.count", GGUF_I32);
    raw_u32(part->n_tensors);
    if (part->tensor) raw_tensor(part->tensor, QUANT_F32, part->no + 1, 1, 0);
    raw_pad(32);
    raw_zeros(4 * (part->no + 1));
    raw_save(part_path(part->name, part->no));
}

/* A new folder with the right parts, of which number `index` (if any) is another. */
static void save_parts(size_t index, const Part *other)
{
    static unsigned n_folders;

    snprintf(folder, sizeof folder, "%s/%u", harness_temporary_folder(), n_folders++);
    if (mkdir(folder, 0700) != 0) abort();
    for (size_t i = 0; i < N_PARTS; i++)
        if (i != index) save_part(&right[i]);
    if (other) save_part(other);
}

static void check_refused(const char *label, const char *path, ErrorId id, const char *words)
{
    Error err = {0};
    GgufFile *gguf = gguf_open(path, GGUF_TENSOR_DATA, NULL, 0, &err);

    bool is_refused = !gguf && err.id == id && strstr(err.message, words);
    CHECK_CASE(label, is_refused);
    if (!is_refused) printf("    got E%04d '%s'\n", (int)err.id, err.message);
    gguf_close(gguf);
    CHECK_CASE(label, ledger_total() == 0);
}

TEST(any_part_opens_the_model)
{
    save_parts(N_PARTS, NULL);
    for (uint32_t named = 0; named < N_PARTS; named++) {
        Error err = {0};
        GgufFile *gguf = gguf_open(part_path(NULL, named), GGUF_TENSOR_DATA, NULL, 0, &err);
        if (!CHECK(gguf)) continue;

        CHECK(gguf_n_shards(gguf) == N_PARTS);
        CHECK(gguf_n_tensors(gguf) == N_PARTS);
        for (uint32_t i = 0; i < N_PARTS; i++) {
            const GgufTensor *tensor = gguf_tensor(gguf, i);
            CHECK(strcmp(gguf_shards(gguf)[i].path, part_path(NULL, i)) == 0);
            CHECK(view_is(tensor->name, right[i].tensor));
            CHECK(tensor->shard == i);
            CHECK(tensor->n_bytes == 4 * (i + 1));
            CHECK(tensor->offset_bytes + tensor->n_bytes == gguf_shards(gguf)[i].n_bytes);
            CHECK(gguf_find_tensor(gguf, view_of(right[i].tensor)) == tensor);
        }
        StringView arch = {0};
        CHECK(gguf_get_string(gguf, "general.architecture", &arch, &err) == GGUF_PRESENT);
        CHECK(view_is(arch, "llama"));
        CHECK(err.id == ERROR_NONE);
        gguf_close(gguf);
        CHECK(ledger_total() == 0);
    }
}

TEST(a_relative_name_finds_its_siblings_too)
{
    char old[1024];
    Error err = {0};

    save_parts(N_PARTS, NULL);
    if (!getcwd(old, sizeof old) || chdir(folder) != 0) abort();
    GgufFile *gguf = gguf_open("mix-00002-of-00003.gguf", GGUF_TENSOR_DATA, NULL, 0, &err);
    CHECK(gguf && gguf_n_shards(gguf) == N_PARTS);
    gguf_close(gguf);
    if (chdir(old) != 0) abort();
}

TEST(a_first_part_may_hold_no_tensors)
{
    static const Part parts[] = {
        {0, 3, 2, "llama", NULL, NULL}, {1, 3, 2, NULL, "b", NULL}, {2, 3, 2, NULL, "c", NULL}};
    Error err = {0};

    save_parts(N_PARTS, NULL);
    for (size_t i = 0; i < N_PARTS; i++) save_part(&parts[i]);
    GgufFile *gguf = gguf_open(part_path(NULL, 0), GGUF_TENSOR_DATA, NULL, 0, &err);
    if (!CHECK(gguf)) return;
    CHECK(gguf_n_tensors(gguf) == 2);
    CHECK(gguf_tensor(gguf, 0)->shard == 1);
    gguf_close(gguf);
}

TEST(a_missing_part_is_named_whichever_it_is)
{
    for (uint32_t missing = 0; missing < N_PARTS; missing++) {
        char words[64];
        save_parts(missing, NULL);
        snprintf(words, sizeof words, "mix-%05u-of-%05u.gguf", missing + 1, N_PARTS);
        for (uint32_t named = 0; named < N_PARTS; named++)
            if (named != missing) check_refused(words, part_path(NULL, named), ERROR_SPLIT, words);
        snprintf(words, sizeof words, "part %u of %u", missing + 1, N_PARTS);
        check_refused(words, part_path(NULL, missing == 0), ERROR_SPLIT, words);
    }
}

TEST(keys_and_names_agree)
{
    static const struct {
        const char *label;
        Part part; // instead of the right one of this number
        size_t index;
        const char *words;
    } cases[] = {
        {"number", {0, 3, 3, NULL, "b", "mix-00002-of-00003.gguf"}, 1,
            "its keys say part 1 of 3, its name 2 of 3"},
        {"count", {1, 4, 3, NULL, "b", "mix-00002-of-00003.gguf"}, 1,
            "its keys say part 2 of 4, its name 2 of 3"},
        {"not split", {1, 0, 3, NULL, "b", "mix-00002-of-00003.gguf"}, 1,
            "its keys say part 1 of 1"},
        {"tensors", {1, 3, 4, NULL, "b", NULL}, 1,
            "another model: its key 'split.tensors.count' differs"},
        {"model", {1, 3, 3, "qwen3", "b", NULL}, 1,
            "another model: its key 'general.architecture' differs"},
        {"tensor in two parts", {1, 3, 3, NULL, "a", NULL}, 1, "'a' occurs twice"},
        {"a tensor too few", {1, 3, 3, NULL, NULL, NULL}, 1,
            "split.tensors.count is 3, but the 3 parts have 2 tensors"},
    };

    for (size_t i = 0; i < COUNT(cases); i++) {
        ErrorId id = strstr(cases[i].words, "twice") ? ERROR_FORMAT_DUPLICATE : ERROR_SPLIT;
        save_parts(cases[i].index, &cases[i].part);
        check_refused(cases[i].label, part_path(NULL, 0), id, cases[i].words);
    }
}

TEST(the_name_must_follow_the_pattern)
{
    static const char *const names[] = {"model.gguf", "mix-00001-of-00004.gguf",
        "mix-00002-of-00003.gguf", "-00001-of-00003.gguf", "mix-1-of-3.gguf",
        "mix-00001-of-00003.GGUF", "x"};

    for (size_t i = 0; i < COUNT(names); i++) {
        Part part = right[0];
        part.name = names[i];
        save_parts(0, &part);
        check_refused(names[i], part_path(names[i], 0), ERROR_SPLIT,
            "its keys say part 1 of 3, so its name must end in '-00001-of-00003.gguf'");
    }
}

static void make_split_keys(uint64_t no, uint64_t count, bool has_no, bool has_total)
{
    raw_begin(3, 0, 1u + has_no + has_total);
    raw_key("split.count", GGUF_U64);
    raw_u64(count);
    if (has_no) {
        raw_key("split.no", GGUF_U64);
        raw_u64(no);
    }
    if (has_total) {
        raw_key("split.tensors.count", GGUF_I32);
        raw_u32(1);
    }
}

TEST(split_keys_are_in_range)
{
    static const struct {
        const char *label;
        uint64_t no, count;
        bool has_no, has_total;
        ErrorId id; // NONE: a single file
        const char *words;
    } cases[] = {
        {"none", 0, 0, true, true, ERROR_NONE, ""},
        {"one", 0, 1, true, true, ERROR_NONE, ""},
        {"1025", 0, 1025, true, true, ERROR_SPLIT, "split.count is 1025, not 0 to 1024"},
        {"65535", 0, 65535, true, true, ERROR_SPLIT, "split.count is 65535"},
        {"2^64-1", 0, UINT64_MAX, true, true, ERROR_SPLIT, "split.count is 18446744073709551615"},
        {"no = count", 3, 3, true, true, ERROR_SPLIT, "split.no is 3, not 0 to 2"},
        {"no is huge", UINT64_MAX, 3, true, true, ERROR_KEY_RANGE, "'split.no' is"},
        {"no number", 0, 3, false, true, ERROR_SPLIT, "without the key 'split.no'"},
        {"no total", 0, 3, true, false, ERROR_SPLIT, "without the key 'split.tensors.count'"},
    };

    for (size_t i = 0; i < COUNT(cases); i++) {
        make_split_keys(cases[i].no, cases[i].count, cases[i].has_no, cases[i].has_total);
        if (cases[i].id == ERROR_NONE)
            raw_check_opens(cases[i].label);
        else
            raw_check_refused(cases[i].label, cases[i].id, cases[i].words);
    }
    raw_begin(3, 0, 1);
    raw_key("split.count", GGUF_STRING);
    raw_text("3");
    raw_check_refused("text", ERROR_KEY_TYPE, "'split.count' is string");
}

TEST(a_broken_part_is_named)
{
    char path[256];

    save_parts(N_PARTS, NULL);
    snprintf(path, sizeof path, "%s", part_path(NULL, 2));
    if (truncate(path, 100) != 0) abort();
    check_refused("cut", part_path(NULL, 0), ERROR_FORMAT_TRUNCATED, "mix-00003-of-00003.gguf");
}
