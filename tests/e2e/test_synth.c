/* `hypura synth` from outside. */
#include "group.h"
#include "program.h"

#include <inttypes.h>
#include <sys/statvfs.h>

static Program program;
static char first[16u << 20], second[16u << 20];

static size_t read_file(const char *path, char *out)
{
    FILE *stream = fopen(path, "rb");
    size_t n = stream ? fread(out, 1, sizeof first, stream) : 0;

    if (stream) fclose(stream);
    return n;
}

TEST(every_type_of_every_tiny_shape_runs)
{
    static const char *const shapes[] = {"tiny-dense", "tiny-moe"};
    static const char *const types[] = {
        "Q4_K_M", "Q4_K", "Q6_K", "Q4_0", "Q8_0", "F16", "BF16", "F32"};
    const char *path = program_path("m.gguf");

    for (size_t s = 0; s < COUNT(shapes); s++)
        for (size_t t = 0; t < COUNT(types); t++) {
            CHECK_CASE(types[t],
                RUN(&program, "synth", shapes[s], path, "--type", types[t], "--force") == 0);
            CHECK_CASE(types[t], strstr(program.out, path) == program.out);
            CHECK_CASE(types[t],
                RUN(&program, "run", path, "--raw", "-q", "--seed", "1", "-n", "6", "some words")
                    == 0);
            CHECK_CASE(types[t], program.n_out > 0);
            if (program.status != 0) printf("    %s", program.err);
        }
}

TEST(the_seed_decides_the_file)
{
    const char *a = program_path("a.gguf"), *b = program_path("b.gguf");

    CHECK(RUN(&program, "synth", "tiny-dense", a, "--seed", "5") == 0);
    CHECK(RUN(&program, "synth", "tiny-dense", b, "--seed", "5") == 0);
    size_t n = read_file(a, first);
    CHECK(n > 1000000 && read_file(b, second) == n);
    CHECK_BITS(first, second, n);
    CHECK(RUN(&program, "synth", "tiny-dense", b, "--seed", "6", "--force") == 0);
    CHECK(read_file(b, second) == n && memcmp(first, second, n) != 0);
}

TEST(an_existing_file_is_replaced_only_by_force)
{
    const char *path = program_path("kept.gguf");

    CHECK(RUN(&program, "synth", "tiny-dense", path) == 0);
    size_t n = read_file(path, first);
    CHECK(RUN(&program, "synth", "tiny-moe", path) == 2);
    CHECK(strstr(program.err, "--force"));
    CHECK(read_file(path, second) == n && memcmp(first, second, n) == 0);
}

TEST(a_size_chooses_the_number_of_layers)
{
    const char *path = program_path("sized.gguf");
    struct stat status;

    CHECK(RUN(&program, "synth", "tiny-moe", path, "--size", "30M") == 0);
    CHECK(stat(path, &status) == 0);
    CHECK(status.st_size > 28 << 20 && status.st_size < 32 << 20); // a layer has 2 MiB
    CHECK(RUN(&program, "run", path, "--raw", "-q", "-n", "2", "word") == 0);
}

TEST(nothing_of_the_file_stays_in_the_page_cache)
{
    const char *path = program_path("cold.gguf");
    static unsigned char is_resident[1u << 16];
    struct stat status;
    size_t n_resident = 0;

    CHECK(RUN(&program, "synth", "tiny-moe", path) == 0);
    int fd = open(path, O_RDONLY);
    CHECK(fd >= 0 && fstat(fd, &status) == 0);
    size_t n_bytes = (size_t)status.st_size, n_pages = (n_bytes + 4095) / 4096;
    void *mapping = mmap(NULL, n_bytes, PROT_READ, MAP_SHARED, fd, 0);
    CHECK(mapping != MAP_FAILED && n_pages <= sizeof is_resident);
    CHECK(mincore(mapping, n_bytes, is_resident) == 0);
    for (size_t i = 0; i < n_pages; i++) n_resident += is_resident[i] & 1;
    munmap(mapping, n_bytes);
    close(fd);
    if (n_resident == n_pages) TEST_SKIP("the temporary folder is in memory");
    CHECK(n_resident == 0);
}

TEST(a_file_that_cannot_fit_is_not_begun)
{
    const char *path = program_path("huge.gguf");

    CHECK(RUN(&program, "synth", "llama-3-70b", path, "--size", "900T") != 0);
    CHECK(access(path, F_OK) != 0 && access(program_path("huge.gguf.partial"), F_OK) != 0);
}

TEST(what_is_missing_of_the_space_is_named)
{
    const char *path = program_path("larger.gguf");
    struct statvfs status;
    char size[32];

    CHECK(statvfs(harness_temporary_folder(), &status) == 0);
    uint64_t wanted_bytes = (uint64_t)status.f_bavail * status.f_frsize + (UINT64_C(8) << 30);
    if (wanted_bytes >> 42) TEST_SKIP("more than 4 TiB are free");
    snprintf(size, sizeof size, "%" PRIu64, wanted_bytes);
    CHECK(RUN(&program, "synth", "llama-3-70b", path, "--size", size) == 5);
    CHECK(strstr(program.err, " are needed, ") && strstr(program.err, " are free"));
    CHECK(strstr(program.err, "[E0405]"));
    CHECK(access(path, F_OK) != 0 && access(program_path("larger.gguf.partial"), F_OK) != 0);
}

/* Share of the experts' bytes that a quarter of the weights' bytes found in memory. */
static double hit_rate(const char *router)
{
    const char *path = program_path("routed.gguf");
    char stats_option[640];
    double rate = -1;

    snprintf(stats_option, sizeof stats_option, "--stats=%s", stats_path());
    CHECK_CASE(
        router, RUN(&program, "synth", "tiny-moe-64", path, "--router", router, "--force") == 0);
    CHECK_CASE(router, RUN(&program, "run", path, "--raw", "-q", "--seed", "1", "-n", "256",
                           "--weights", "25%", "--heat-map", "off", stats_option, "ba be bi")
                           == 0);
    Json *stats = read_stats();
    if (stats) rate = number(stats, "hit_rate");
    json_free(stats);
    printf("  %s: %.3f\n", router, rate);
    return rate;
}

/* A tenth of this small model's quarter goes to what is no expert, and its token uses an
 * eighth of all experts; the 30B shape is measured in bench/results. */
TEST(the_router_decides_what_a_cache_is_worth)
{
    if (!json_available()) TEST_SKIP("this build cannot write statistics");
    double skewed = hit_rate("skewed"), switching = hit_rate("switching");
    double uniform = hit_rate("uniform");

    CHECK(uniform > 0.08 && uniform < 0.28);
    CHECK(skewed > uniform + 0.2 && skewed < 0.8);
    CHECK(switching > uniform + 0.2);
}

TEST(a_dense_shape_has_no_router)
{
    const char *path = program_path("dense.gguf");

    CHECK(RUN(&program, "synth", "tiny-dense", path, "--router", "uniform") == 2);
    CHECK(strstr(program.err, "tiny-dense has no router"));
    CHECK(access(path, F_OK) != 0);
    CHECK(RUN(&program, "synth", "tiny-moe", path, "--router", "loud") == 2);
    CHECK(strstr(program.err, "skewed"));
}

TEST(shapes_are_listed)
{
    CHECK(RUN(&program, "synth", "--list") == 0);
    CHECK(strstr(program.out, "llama-3-70b") && strstr(program.out, "qwen3-30b-a3b"));
    CHECK(strstr(program.out, "39.6 GiB") && strstr(program.out, "4 of 128"));
}
