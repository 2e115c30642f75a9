/* tests/gguf/test_gguf.c - the models of the tree and of the expected data open, in both
 * modes, within the memory that a reader may take. */
#include <dirent.h>

#include "gguf/raw.h"
#include "sys/file.h"

/* Opens under the limit of eight times the file and 1 MiB. */
static void check_model(const char *path)
{
    Error err = {0};
    File file;

    if (!CHECK_CASE(path, file_open(&file, path, &err))) return;
    uint64_t file_bytes = file.n_bytes;
    file_close(&file);
    for (int need = GGUF_METADATA_ONLY; need <= GGUF_TENSOR_DATA; need++) {
        ledger_set_limit(8 * file_bytes + (1u << 20));
        GgufFile *gguf = gguf_open(path, (GgufNeed)need, NULL, 0, &err);
        ledger_set_limit(0);
        CHECK_CASE(path, gguf);
        if (!gguf) printf("    got E%04d '%s'\n", (int)err.id, err.message);
        if (!gguf) return;
        CHECK_CASE(path, gguf_trailing_bytes(gguf) == 0);
        CHECK_CASE(path, gguf_header_bytes(gguf) <= file_bytes);
        for (size_t i = 0; i < gguf_n_tensors(gguf); i++) {
            const GgufTensor *tensor = gguf_tensor(gguf, i);
            CHECK_CASE(path, gguf_find_tensor(gguf, tensor->name) == tensor);
            CHECK_CASE(path, tensor->offset_bytes + tensor->n_bytes <= file_bytes);
        }
        gguf_close(gguf);
        CHECK_CASE(path, ledger_total() == 0);
    }
}

/* All files of a folder that end so; returns how many. */
static unsigned check_models(const char *folder)
{
    struct dirent **entries;
    unsigned n_models = 0;
    char path[4352];

    int n = scandir(folder, &entries, NULL, alphasort);
    for (int i = 0; i < n; i++) {
        size_t n_bytes = strlen(entries[i]->d_name);
        if (n_bytes > 5 && strcmp(entries[i]->d_name + n_bytes - 5, ".gguf") == 0) {
            snprintf(path, sizeof path, "%s/%s", folder, entries[i]->d_name);
            check_model(path);
            n_models++;
        }
        free(entries[i]);
    }
    if (n >= 0) free(entries);
    return n_models;
}

TEST(the_models_of_the_tree_open)
{
    CHECK(check_models(HYPURA_SOURCE_ROOT "/models") == 2);
    CHECK(check_models(HYPURA_SOURCE_ROOT "/tests/data/types") == 7);
}

TEST(the_expected_data_opens)
{
    static const struct {
        const char *folder;
        unsigned n_models_min;
    } folders[] = {{"oracle/arch", 200}, {"oracle/vocab/gguf", 10}, {"oracle/types", 29}};

    for (size_t i = 0; i < COUNT(folders); i++) {
        const char *folder = harness_shared_path(folders[i].folder);
        if (!folder) TEST_SKIP("the folder of expected data is not here");
        CHECK(check_models(folder) >= folders[i].n_models_min);
    }
}

TEST(the_bundled_mixture_says_what_it_is)
{
    Error err = {0};
    StringView arch = {0};
    uint32_t n_expert = 0;

    GgufFile *gguf = gguf_open(
        HYPURA_SOURCE_ROOT "/models/hypura-tiny-moe-Q4_K_M.gguf", GGUF_TENSOR_DATA, NULL, 0, &err);
    if (!CHECK(gguf)) return;
    CHECK(gguf_get_string(gguf, "general.architecture", &arch, &err) == GGUF_PRESENT);
    CHECK(gguf_n_tensors(gguf) == 75);
    CHECK(arch.n_bytes > 0);
    char key[64];
    snprintf(key, sizeof key, "%.*s.expert_count", SV(arch));
    CHECK(gguf_get_u32(gguf, key, &n_expert, &err) == GGUF_PRESENT && n_expert > 1);
    gguf_close(gguf);
}
