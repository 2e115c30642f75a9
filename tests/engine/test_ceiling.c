/* tests/engine/test_ceiling.c - the drive's ceiling on a model's own bytes */
#include "engine/ceiling.h"

#include "harness.h"

#define MODEL HYPURA_SOURCE_ROOT "/models/hypura-tiny-moe-Q4_K_M.gguf"
#define DENSE HYPURA_SOURCE_ROOT "/models/hypura-tiny-draft-Q8_0.gguf"

TEST(sizes_and_depths_that_a_window_does_not_take_are_brought_within)
{
    static const struct {
        uint32_t read_bytes, depth;
    } cases[] = {{1, 0}, {73728, 12}, {1 << 20, 16}, {4 << 20, 4096}};
    Error err = {0};
    Ceiling *ceiling = ceiling_open(MODEL, &err);

    if (!CHECK_CASE(err.message, ceiling)) return;
    for (size_t i = 0; i < COUNT(cases); i++) {
        double bytes_per_s = -1;
        CHECK_CASE(err.message, ceiling_measure(ceiling, cases[i].read_bytes, cases[i].depth, 0.001,
                                    &bytes_per_s, &err));
        CHECK(bytes_per_s >= 0); // 0 where the file system has no direct reads
    }
    ceiling_close(ceiling);
}

TEST(a_dense_models_own_reads_reach_the_end_of_its_file)
{
    Error err = {0};
    Ceiling *ceiling = ceiling_open(DENSE, &err);
    double bytes_per_s = -1;

    if (!CHECK_CASE(err.message, ceiling)) return;
    CHECK_CASE(err.message, ceiling_follow(ceiling, 4 << 20, &err));
    // Twice the depth of a list that is shorter: the last read, widened past the end, is in it.
    CHECK_CASE(err.message, ceiling_measure(ceiling, 1 << 20, 64, 0.001, &bytes_per_s, &err));
    CHECK(bytes_per_s >= 0);
    ceiling_close(ceiling);
}

TEST(what_is_no_model_has_no_ceiling)
{
    Error err = {0};

    CHECK(!ceiling_open("/nowhere.gguf", &err));
    CHECK_ERROR(err, ERROR_FILE_OPEN);
    ceiling_close(NULL);
}
