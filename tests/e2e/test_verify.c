/* Checksums from outside: made, held against, used by runs, and never believed when they are not
 * about this very file. */
#include <sys/stat.h>
#include <sys/types.h>

#include "base/json.h"
#include "program.h"

static Program program;
static char wanted[PROGRAM_BYTES_MAX + 1]; // text of a run without checksums

#define DAMAGED_AT 30000000

/* A model of the test's own, and what belongs to it. */
static const char *model_path, *sums_path;

static void copy_mixture(void)
{
    static char room[1u << 20];
    size_t n;

    model_path = program_path("mix.gguf");
    sums_path = program_path("mix.gguf.sums");
    FILE *from = fopen(MIXTURE, "rb"), *to = fopen(model_path, "wb");
    if (!CHECK(from && to)) exit(1);
    while ((n = fread(room, 1, sizeof room, from)) > 0) CHECK(fwrite(room, 1, n, to) == n);
    fclose(from);
    CHECK(fclose(to) == 0);
    unlink(sums_path);
}

/* Turns a bit of a file, which then looks as if nobody had. */
static void turn_bit(const char *path, long at)
{
    struct stat before;
    FILE *file = fopen(path, "r+b");

    CHECK(file && fstat(fileno(file), &before) == 0);
    fseek(file, at, SEEK_SET);
    int byte = fgetc(file);
    fseek(file, at, SEEK_SET);
    fputc(byte ^ 4, file);
    fflush(file);
    CHECK(futimens(fileno(file), (struct timespec[2]){before.st_atim, before.st_mtim}) == 0);
    fclose(file);
}

static bool errs_with(const char *text)
{
    return strstr(program.err, text) != NULL;
}

static int run_model(const char *weights)
{
    return RUN(&program, "run", model_path, "--raw", "--temp", "0", "--weights", weights,
        "--heat-map", "off", "-n", "8", "--seed", "1", "Once upon a time");
}

TEST(checksums_are_made_and_held_against)
{
    copy_mixture();
    CHECK(RUN(&program, "verify", model_path) == 3);
    CHECK(errs_with("no checksums") && errs_with("--write"));
    CHECK(RUN(&program, "verify", model_path, "--write") == 0);
    CHECK(strstr(program.out, sums_path));
    CHECK(RUN(&program, "verify", model_path) == 0);
    CHECK(RUN(&program, "verify", model_path, "--io", "threads", "--direct", "off") == 0);
    CHECK(RUN(&program, "verify", model_path, "--write") == 0); // again, in place of the old ones
    if (!json_available()) return;
    CHECK(RUN(&program, "verify", model_path, "--json") == 0);
    CHECK(strstr(program.out, "\"ok\": true") && strstr(program.out, "\"read_bytes\": 53851808"));
}

TEST(a_turned_bit_is_found_by_file_tensor_and_offset)
{
    copy_mixture();
    CHECK(RUN(&program, "verify", model_path, "--write") == 0);
    turn_bit(model_path, DAMAGED_AT);
    CHECK(RUN(&program, "verify", model_path) == 7);
    CHECK(
        errs_with(model_path) && errs_with("byte 29999104 (tensor 'blk.") && errs_with("[E0601]"));
    CHECK(strstr(program.out, "29999104"));
    // New checksums would hide it.
    CHECK(RUN(&program, "verify", model_path, "--write") == 7);
    CHECK(RUN(&program, "verify", model_path) == 7);
    if (json_available()) {
        CHECK(RUN(&program, "verify", model_path, "--json") == 7);
        CHECK(strstr(program.out, "\"differing_bytes\": 4096"));
    }
    turn_bit(model_path, DAMAGED_AT);
    CHECK(RUN(&program, "verify", model_path) == 0);
}

TEST(a_run_gives_the_same_text_and_checks_what_it_reads)
{
    copy_mixture();
    CHECK(run_model("25%") == 0);
    memcpy(wanted, program.out, program.n_out + 1);
    CHECK(RUN(&program, "verify", model_path, "--write") == 0);
    CHECK(run_model("25%") == 0 && strcmp(wanted, program.out) == 0);
    CHECK(run_model("all") == 0 && strcmp(wanted, program.out) == 0);
    if (!json_available()) return;
    CHECK(RUN(&program, "run", model_path, "--raw", "--temp", "0", "-n", "2", "--stats", "The fox")
          == 0);
    CHECK(errs_with("\"checked_bytes\": ") && !errs_with("\"checked_bytes\": 0,"));
}

TEST(a_run_ends_at_bytes_that_differ)
{
    copy_mixture();
    CHECK(RUN(&program, "verify", model_path, "--write") == 0);
    turn_bit(model_path, DAMAGED_AT);
    CHECK(run_model("all") == 5);
    CHECK(errs_with(model_path) && errs_with("byte 29999104") && errs_with("[E0407]"));
}

TEST(checksums_of_another_file_or_damaged_ones_are_named_and_not_used)
{
    struct stat status;

    copy_mixture();
    CHECK(run_model("25%") == 0);
    memcpy(wanted, program.out, program.n_out + 1);
    CHECK(RUN(&program, "verify", model_path, "--write") == 0);

    turn_bit(sums_path, 5000);
    CHECK(RUN(&program, "verify", model_path) == 3);
    CHECK(errs_with(sums_path) && errs_with("it is damaged"));
    CHECK(run_model("25%") == 0 && strcmp(wanted, program.out) == 0);
    CHECK(errs_with("nothing is held against checksums") && errs_with("it is damaged"));

    CHECK(stat(sums_path, &status) == 0 && truncate(sums_path, status.st_size / 2) == 0);
    CHECK(RUN(&program, "verify", model_path) == 3);
    CHECK(truncate(sums_path, status.st_size * 2) == 0);
    CHECK(RUN(&program, "verify", model_path) == 3);

    CHECK(RUN(&program, "verify", model_path, "--write") == 0);
    CHECK(utimensat(AT_FDCWD, model_path, NULL, 0) == 0); // as whoever writes to it leaves it
    CHECK(RUN(&program, "verify", model_path) == 3);
    CHECK(errs_with("was changed after"));
    CHECK(run_model("25%") == 0 && strcmp(wanted, program.out) == 0);
    CHECK(errs_with("was changed after"));
}

/* Root may write anywhere: /proc stands for a folder in which nobody can. */
TEST(checksums_go_to_the_cache_folder_where_the_models_is_closed)
{
    char path[64];

    copy_mixture();
    int fd = open(model_path, O_RDONLY);
    if (!CHECK(fd >= 0)) return;
    snprintf(path, sizeof path, "/proc/%d/fd/%d", (int)getpid(), fd);
    CHECK(RUN(&program, "verify", path, "--write") == 0);
    CHECK(strstr(program.out, "hypura/sums-"));
    CHECK(RUN(&program, "verify", path) == 0);
    CHECK(RUN(&program, "verify", model_path) == 0); // it is the same model
    close(fd);
}

TEST(a_mirror_gives_the_same_text_and_its_share)
{
    copy_mixture();
    CHECK(RUN(&program, "run", MIXTURE, "--raw", "--temp", "0", "--weights", "min", "--heat-map",
              "off", "-n", "8", "Once upon a time")
          == 0);
    memcpy(wanted, program.out, program.n_out + 1);
    CHECK(RUN(&program, "run", MIXTURE, "--mirror", model_path, "--raw", "--temp", "0", "--weights",
              "min", "--heat-map", "off", "-n", "8", "Once upon a time")
          == 0);
    CHECK(strcmp(wanted, program.out) == 0);
    if (!json_available()) return;
    CHECK(RUN(&program, "run", MIXTURE, "--mirror", model_path, "--raw", "-n", "4", "--stats", "A")
          == 0);
    CHECK(errs_with("\"sources\": [") && errs_with(model_path));
}

/* The checksums are the model's; the mirror has the same size and header, and a bit turned. */
TEST(a_mirror_with_other_bytes_is_left_with_a_line)
{
    char good[300];

    copy_mixture();
    snprintf(good, sizeof good, "%s", program_path("good.gguf"));
    CHECK(rename(model_path, good) == 0);
    copy_mixture();
    CHECK(run_model("all") == 0);
    memcpy(wanted, program.out, program.n_out + 1);
    for (long at = 10000000; at < 50000000; at += 100000) turn_bit(model_path, at);
    CHECK(RUN(&program, "verify", good, "--write") == 0);
    CHECK(RUN(&program, "run", good, "--mirror", model_path, "--raw", "--temp", "0", "--weights",
              "all", "--heat-map", "off", "-n", "8", "Once upon a time")
          == 0);
    CHECK(strcmp(wanted, program.out) == 0);
    CHECK(errs_with(model_path) && errs_with("this copy is not read any more"));
    unlink(good);
}

TEST(what_is_no_copy_is_refused_by_name)
{
    copy_mixture();
    CHECK(RUN(&program, "run", MIXTURE, "--mirror", DRAFT, "--raw", "-n", "1", "A") == 3);
    CHECK(errs_with(DRAFT) && errs_with("its size differs"));
    turn_bit(model_path, 600); // in a key's text
    CHECK(RUN(&program, "run", MIXTURE, "--mirror", model_path, "--raw", "-n", "1", "A") == 3);
    CHECK(errs_with(model_path));
    CHECK(RUN(&program, "run", MIXTURE, "--mirror", MIXTURE, "--raw", "-n", "1", "A") == 2);
    CHECK(errs_with("the same file"));
    CHECK(RUN(&program, "run", MIXTURE, "--mirror", program_path("none"), "--raw", "-n", "1", "A")
          == 3);
}
