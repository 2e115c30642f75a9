/* tests/cli/test_profile_table.c - what profile shows (cli/profile_table.h) */
#include "cli/profile_table.h"

#include "harness.h"

static char text[8192];

static void write_text(const Facts *facts)
{
    FILE *stream = fmemopen(text, sizeof(text), "w");

    CHECK(stream);
    profile_write_table(stream, facts);
    fclose(stream);
}

TEST(each_kind_has_its_table)
{
    static const Facts facts = {.device = "vda 1.0 GiB ext4",
        .kernel = "Linux 7",
        .cpu = "CPU X",
        .isa = "avx2",
        .n_drive = 3,
        .drive = {{1 << 20, 1, READ_URING, false, 1.5e9, 1e9, 2e9},
            {1 << 20, 16, READ_URING, false, 3e9, 2.5e9, 3.5e9},
            {1 << 20, 16, READ_THREADS, true, 2e9, 2e9, 2e9}},
        .n_memory = 2,
        .memory = {{1, 20e9}, {2, 30e9}},
        .n_compute = 2,
        .compute = {{QUANT_Q4_K, 1, 1, 10e9, 18e9}, {QUANT_Q4_K, 1, 512, 1e9, 900e9}}};

    write_text(&facts);
    CHECK(strstr(text, "CPU X; Linux 7\n"));
    CHECK(strstr(text, "Drive: vda 1.0 GiB ext4;"));
    CHECK(strstr(text, "\n  1.0 MiB   random      io_uring      1.50        -        -     3.00"));
    CHECK(strstr(text, "\n  1.0 MiB   sequential  threads          -        -        -     2.00"));
    CHECK(strstr(text, "enough: 16 x 1.0 MiB in flight, 3.00 GB/s (2.50 to 3.50"));
    CHECK(strstr(text, "\n  threads           1        2\n  GB/s          20.00    30.00\n"));
    CHECK(strstr(text, "Compute (avx2)"));
    CHECK(strstr(
        text, "\n  Q4_K            1    10.00        -        -        -     1.00       900"));
}

TEST(what_was_not_measured_has_none)
{
    static const Facts facts = {.cpu = "CPU X", .kernel = "Linux 7"};

    write_text(&facts);
    CHECK(strcmp(text, "CPU X; Linux 7\n") == 0);
}
