/* tests/store/test_store_files.c - whole passes over real files through real readers, and what
 * happens to a file while they go on */
#include "store/store.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/ledger.h"
#include "store/passes.h"

static bool write_file(const char *path, const Synthetic *model)
{
    FILE *stream = fopen(path, "wb");

    if (!stream) return false;
    size_t n = fwrite(model->data, 1, model->n_bytes, stream);
    return fclose(stream) == 0 && n == model->n_bytes;
}

/* The same model cut over two files: the second has all second projections. */
static void use_two_files(Synthetic *model)
{
    for (uint32_t i = 0; i < blocks_n_experts(&model->map); i++)
        model->map.experts[i].extents[1].file = 1;
}

TEST(real_files_through_real_readers)
{
    static const ReadBackend backends[] = {READ_URING, READ_THREADS};
    static const DirectMode modes[] = {DIRECT_AUTO, DIRECT_OFF};
    const Budget budgets[] = {budget_min, percent(50), budget_all};
    Synthetic model;
    File files[2];
    char path[256];
    Error err = {0};
    synthetic_init(&model, shape_small, 11);
    use_two_files(&model);
    snprintf(path, sizeof(path), "%s/model", harness_temporary_folder());
    CHECK(write_file(path, &model));
    CHECK(file_open(&files[0], path, &err));
    CHECK(file_open(&files[1], path, &err));

    for (size_t i = 0; i < COUNT(backends) * COUNT(modes) * COUNT(budgets); i++) {
        Rng rng = rng_seeded(harness_seed());
        StoreOptions options = {.weights = budgets[i % 3],
            .files = files,
            .n_files = 2,
            .backend = backends[i / 3 % 2],
            .direct = modes[i / 6]};
        Store *store = store_create(&model.map, &options, &err);
        if (!CHECK_CASE(err.message, store)) continue;
        CHECK(trunk_matches(&model, store));
        for (uint32_t pass = 0; pass < 6; pass++)
            CHECK(synthetic_pass(&model, store, &rng, pass % 3 != 0, pass == 0 ? 33 : 1, &err));
        CHECK(identity_holds(store));
        store_free(store);
    }
    file_close(&files[0]);
    file_close(&files[1]);
    synthetic_destroy(&model);
}

/* A model in a file whose times lie in the past, so that every write moves them. */
static void write_model(const Synthetic *model, File *file, char *path, size_t path_bytes)
{
    const struct timespec past[2] = {{.tv_sec = 1000000000}, {.tv_sec = 1000000000}};
    Error err = {0};

    snprintf(path, path_bytes, "%s/edited", harness_temporary_folder());
    unlink(path);
    CHECK(write_file(path, model));
    CHECK(utimensat(AT_FDCWD, path, past, 0) == 0);
    CHECK(file_open(file, path, &err));
}

static void write_byte(const char *path, uint64_t offset_bytes, uint8_t byte)
{
    int fd = open(path, O_WRONLY);

    CHECK(pwrite(fd, &byte, 1, (off_t)offset_bytes) == 1);
    close(fd);
}

static void edit_in_place(const Synthetic *model, const char *path)
{
    write_byte(path, 9, model->data[9]);
}

static void cut_to_nothing(const Synthetic *model, const char *path)
{
    (void)model;
    CHECK(truncate(path, 0) == 0);
}

static void move_away(const Synthetic *model, const char *path)
{
    char other[300];

    (void)model;
    snprintf(other, sizeof(other), "%s-moved", path);
    CHECK(rename(path, other) == 0);
}

static void link_again(const Synthetic *model, const char *path)
{
    char other[300];

    (void)model;
    snprintf(other, sizeof(other), "%s-linked", path);
    unlink(other);
    CHECK(link(path, other) == 0);
}

static void remove_it(const Synthetic *model, const char *path)
{
    (void)model;
    CHECK(unlink(path) == 0);
}

/* What happens to the file between two passes, and whether the later ones may go on. */
TEST(passes_stop_when_a_file_is_written_to_and_at_nothing_else)
{
    const struct {
        const char *label;
        void (*happen)(const Synthetic *model, const char *path);
        Budget budget;
        bool goes_on;
    } cases[] = {
        {"edited", edit_in_place, budget_min, false},
        {"edited, half resident", edit_in_place, percent(50), false},
        {"edited, all read before", edit_in_place, budget_all, true},
        {"cut", cut_to_nothing, budget_min, false},
        {"renamed", move_away, budget_min, true},
        {"linked", link_again, budget_min, true},
        {"removed", remove_it, budget_min, true},
    };
    Synthetic model;
    Shape shape = shape_small;
    shape.is_tied = true;
    synthetic_init(&model, shape, 11);

    for (size_t i = 0; i < COUNT(cases); i++) {
        Rng rng = rng_seeded(harness_seed());
        Error err = {0};
        File file = {0};
        char path[256];
        write_model(&model, &file, path, sizeof(path));
        StoreOptions options = {.weights = cases[i].budget, .files = &file, .n_files = 1};
        Store *store = store_create(&model.map, &options, &err);
        if (!CHECK_CASE(err.message, store)) continue;
        for (uint32_t pass = 0; pass < 2; pass++) // nine rows use every expert
            CHECK_CASE(cases[i].label, synthetic_pass(&model, store, &rng, true, 9, &err));
        cases[i].happen(&model, path);
        for (uint32_t pass = 0; pass < 3; pass++) {
            err = (Error){0};
            bool ok = synthetic_pass(&model, store, &rng, true, 9, &err);
            CHECK_CASE(cases[i].label, ok == cases[i].goes_on);
            if (ok) continue;
            CHECK_ERROR(err, ERROR_FILE_CHANGED);
            CHECK_CASE(err.message, strstr(err.message, path));
            store_pass_abort(store);
        }
        CHECK_CASE(cases[i].label, store_counters(store).n_passes == (cases[i].goes_on ? 5 : 2));
        store_free(store);
        file_close(&file);
    }
    synthetic_destroy(&model);
}

TEST(a_file_that_changed_explains_numbers_that_are_none)
{
    Synthetic model;
    Rng rng = rng_seeded(harness_seed());
    Error err = {0};
    File file = {0};
    char path[256];
    synthetic_init(&model, shape_small, 11);
    write_model(&model, &file, path, sizeof(path));
    StoreOptions options = {.weights = budget_min, .files = &file, .n_files = 1};
    Store *store = store_create(&model.map, &options, &err);
    if (!CHECK_CASE(err.message, store)) return;

    error_set(&err, ERROR_NUMERIC, "as it was");
    store_explain(store, &err);
    CHECK_ERROR(err, ERROR_NUMERIC);
    CHECK(synthetic_pass(&model, store, &rng, true, 1, &err));
    edit_in_place(&model, path);
    CHECK(!synthetic_pass(&model, store, &rng, true, 1, &err));
    error_set(&err, ERROR_INTERRUPTED, "as it was");
    store_explain(store, &err);
    CHECK_ERROR(err, ERROR_INTERRUPTED);
    error_set(&err, ERROR_NUMERIC, "as it was");
    store_explain(store, &err);
    CHECK_ERROR(err, ERROR_FILE_CHANGED);
    store_explain(store, NULL);
    store_pass_abort(store);
    store_free(store);
    file_close(&file);
    synthetic_destroy(&model);
}
