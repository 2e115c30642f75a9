/* tests/sys/test_user_cache.c - small files that may vanish (sys/user_cache.h) */
#include "sys/user_cache.h"

#include <dirent.h>
#include <sys/stat.h>

#include "base/fault.h"
#include "base/mem.h"
#include "sys/child.h"

static char home[128], folder[192];
static const uint8_t old[] = "the old content", new[] = "new";

/* An empty home of its own for each test, and nothing else set. */
static void use_home(const char *name)
{
    snprintf(home, sizeof(home), "%s/%s", harness_temporary_folder(), name);
    snprintf(folder, sizeof(folder), "%s/.cache/hypura", home);
    CHECK(mkdir(home, 0700) == 0);
    CHECK(setenv("HOME", home, 1) == 0 && unsetenv("XDG_CACHE_HOME") == 0);
}

/* The file holds exactly these bytes; wanted NULL: there is none. */
static void check_holds(const char *name, const uint8_t *wanted, size_t n_bytes)
{
    uint8_t *data = (uint8_t *)1;
    size_t n_got = 99;
    Error err = {0};
    uint64_t held = ledger_total();

    if (!CHECK(user_cache_read(name, 1000, &data, &n_got, &err))) {
        printf("  %s\n", err.message);
        return;
    }
    CHECK((data != NULL) == (wanted != NULL));
    if (CHECK(n_got == n_bytes) && data && wanted) CHECK_BITS(wanted, data, n_bytes);
    mem_free(MEM_OTHER, data);
    CHECK(ledger_total() == held);
}

/* Files in the folder, "." and ".." aside. */
static size_t count_files(void)
{
    DIR *dir = opendir(folder);
    size_t n = 0;

    if (!CHECK(dir != NULL)) return 0;
    while (readdir(dir)) n++;
    closedir(dir);
    return n - 2;
}

TEST(user_cache_gives_back_what_was_written)
{
    Error err = {0};
    struct stat about;

    use_home("plain");
    check_holds("a", NULL, 0); // there is not even a folder
    CHECK(user_cache_make(&err));
    CHECK(stat(folder, &about) == 0 && (about.st_mode & 0777) == 0700);
    CHECK(user_cache_make(&err)); // it may be there
    check_holds("a", NULL, 0);
    CHECK(user_cache_write("a", old, sizeof(old), &err));
    check_holds("a", old, sizeof(old));
    CHECK(user_cache_write("a", new, sizeof(new), &err));
    CHECK(user_cache_write("b", new, 0, &err));
    check_holds("a", new, sizeof(new));
    check_holds("b", new, 0);
    CHECK(count_files() == 2);
}

// clang-format off
static const struct {
    const char *label, *xdg, *home, *wanted; // NULL: unset; none found
} places[] = {
    {"the variable first",    "/x",  "/home/me", "/x/hypura"},
    {"else the home",         NULL,  "/home/me", "/home/me/.cache/hypura"},
    {"empty counts as unset", "",    "/home/me", "/home/me/.cache/hypura"},
    {"so does a relative one", "x",  "/home/me", "/home/me/.cache/hypura"},
    {"neither is set",        NULL,  NULL,       NULL},
    {"both are empty",        "",    "",         NULL},
    {"the home is relative",  NULL,  "me",       NULL},
};
// clang-format on

static void set_or_unset(const char *name, const char *value)
{
    CHECK((value ? setenv(name, value, 1) : unsetenv(name)) == 0);
}

TEST(user_cache_lies_where_the_environment_says)
{
    char got[USER_CACHE_PATH_BYTES];

    for (size_t i = 0; i < COUNT(places); i++) {
        set_or_unset("XDG_CACHE_HOME", places[i].xdg);
        set_or_unset("HOME", places[i].home);
        bool found = user_cache_folder(got);
        CHECK_CASE(places[i].label, found == (places[i].wanted != NULL));
        if (found && places[i].wanted)
            CHECK_CASE(places[i].label, strcmp(got, places[i].wanted) == 0);
    }
}

TEST(user_cache_without_a_place_reads_nothing_and_says_why_it_does_not_write)
{
    Error err = {0};

    set_or_unset("XDG_CACHE_HOME", NULL);
    set_or_unset("HOME", NULL);
    check_holds("a", NULL, 0);
    CHECK(!user_cache_make(&err));
    CHECK_ERROR(err, ERROR_WRITE);
    CHECK(!user_cache_write("a", new, sizeof(new), &err));
    CHECK_ERROR(err, ERROR_WRITE);
    CHECK(strstr(err.message, "HOME") != NULL);
}

TEST(user_cache_refuses_a_place_that_is_too_long)
{
    static char name[USER_CACHE_PATH_BYTES], longest[USER_CACHE_PATH_BYTES];
    char got[USER_CACHE_PATH_BYTES];
    Error err = {0};

    memset(longest, 'a', sizeof(longest) - sizeof("/hypura"));
    longest[0] = '/';
    CHECK(setenv("XDG_CACHE_HOME", longest, 1) == 0);
    CHECK(user_cache_folder(got) && strlen(got) == sizeof(got) - 1); // just fits, without a name
    CHECK(!user_cache_write("a", new, sizeof(new), &err));
    CHECK_ERROR(err, ERROR_WRITE);
    longest[sizeof(longest) - sizeof("/hypura")] = 'a';
    CHECK(setenv("XDG_CACHE_HOME", longest, 1) == 0);
    CHECK(!user_cache_folder(got));

    use_home("long");
    memset(name, 'a', sizeof(name) - 1);
    CHECK(!user_cache_write(name, new, sizeof(new), &err));
    CHECK_ERROR(err, ERROR_WRITE);
}

TEST(user_cache_names_are_no_way_out_of_the_folder)
{
    static const char *const names[] = {"", ".", "..", "../a", "a/b", "/etc/passwd"};

    use_home("names");
    for (size_t i = 0; i < COUNT(names); i++) {
        Error err = {0};
        uint8_t *data = NULL;
        size_t n_bytes;
        CHECK_CASE(names[i], !user_cache_write(names[i], new, sizeof(new), &err));
        CHECK_ERROR(err, ERROR_INTERNAL);
        err = (Error){0};
        CHECK_CASE(names[i], !user_cache_read(names[i], 1000, &data, &n_bytes, &err));
        CHECK_ERROR(err, ERROR_INTERNAL);
    }
}

/* A file where a folder should be stops root too, whom modes do not. */
TEST(user_cache_says_which_folder_cannot_be_made)
{
    Error err = {0};
    char path[160];

    use_home("blocked");
    snprintf(path, sizeof(path), "%s/.cache", home);
    FILE *file = fopen(path, "w");
    CHECK(file && fclose(file) == 0);
    CHECK(!user_cache_make(&err));
    CHECK_ERROR(err, ERROR_WRITE);
    CHECK(strstr(err.message, path) != NULL);
    CHECK(!user_cache_write("a", new, sizeof(new), &err));
    CHECK_ERROR(err, ERROR_WRITE);
    check_holds("a", NULL, 0);
}

TEST(user_cache_folder_of_another_may_be_unwritable)
{
    Error err = {0};

    CHECK(setenv("XDG_CACHE_HOME", "/proc", 1) == 0); // no one makes anything there
    CHECK(!user_cache_make(&err));
    CHECK_ERROR(err, ERROR_WRITE);
}

TEST(user_cache_folder_may_be_a_link_and_a_file_that_is_one_is_replaced)
{
    char elsewhere[192], path[256], outside[192];
    struct stat about;
    Error err = {0};

    use_home("links");
    snprintf(elsewhere, sizeof(elsewhere), "%s/big", home);
    snprintf(outside, sizeof(outside), "%s/outside", home);
    CHECK(mkdir(elsewhere, 0700) == 0);
    snprintf(path, sizeof(path), "%s/.cache", home);
    CHECK(mkdir(path, 0700) == 0 && symlink(elsewhere, folder) == 0);
    CHECK(user_cache_make(&err));
    snprintf(path, sizeof(path), "%s/a", elsewhere);
    CHECK(symlink(outside, path) == 0);

    CHECK(user_cache_write("a", old, sizeof(old), &err));
    check_holds("a", old, sizeof(old));
    CHECK(lstat(path, &about) == 0 && S_ISREG(about.st_mode));
    CHECK(access(outside, F_OK) != 0); // nothing was written through the link
}

static void write_too_much(const void *argument)
{
    static uint8_t big[10000];
    struct rlimit limit = {.rlim_cur = 5000, .rlim_max = 5000};
    Error err = {0};

    (void)argument;
    signal(SIGXFSZ, SIG_IGN);
    CHECK(setrlimit(RLIMIT_FSIZE, &limit) == 0);
    CHECK(!user_cache_write("a", big, sizeof(big), &err));
    CHECK_ERROR(err, ERROR_WRITE);
}

TEST(user_cache_keeps_the_old_file_when_the_new_one_stops_half_way)
{
    Error err = {0};

    use_home("half");
    CHECK(user_cache_make(&err) && user_cache_write("a", old, sizeof(old), &err));
    CHECK(child_status(write_too_much, NULL) == 0);
    check_holds("a", old, sizeof(old));
    CHECK(count_files() == 1); // and no remains
}

TEST(user_cache_keeps_what_stands_in_the_place_of_a_file)
{
    Error err = {0};
    char path[256];
    uint8_t *data = NULL;
    size_t n_bytes;

    use_home("inplace");
    CHECK(user_cache_make(&err));
    snprintf(path, sizeof(path), "%s/a", folder);
    CHECK(mkdir(path, 0700) == 0);
    CHECK(!user_cache_write("a", new, sizeof(new), &err));
    CHECK_ERROR(err, ERROR_WRITE);
    CHECK(count_files() == 1);
    CHECK(!user_cache_read("a", 1000, &data, &n_bytes, &err));
    CHECK_ERROR(err, ERROR_FORMAT_NOT_A_FILE);
    snprintf(path, sizeof(path), "%s/fifo", folder);
    CHECK(mkfifo(path, 0600) == 0);
    CHECK(!user_cache_read("fifo", 1000, &data, &n_bytes, &err)); // and is not waited for
}

TEST(user_cache_reads_no_more_than_it_is_asked_for)
{
    Error err = {0};
    uint8_t *data = NULL;
    size_t n_bytes = 0;

    use_home("limit");
    CHECK(user_cache_make(&err) && user_cache_write("a", old, sizeof(old), &err));
    CHECK(user_cache_read("a", sizeof(old) - 1, &data, &n_bytes, &err));
    CHECK(data == NULL && n_bytes == 0);
    CHECK(user_cache_read("a", sizeof(old), &data, &n_bytes, &err));
    CHECK(data != NULL && n_bytes == sizeof(old));
    mem_free(MEM_OTHER, data);
}

TEST(user_cache_read_fails_whole)
{
    Error err = {0};
    uint64_t held = ledger_total();

    use_home("faults");
    CHECK(user_cache_make(&err) && user_cache_write("a", old, sizeof(old), &err));
    for (int point = 0; point < FAULT_POINTS; point++) {
        uint8_t *data = (uint8_t *)1;
        size_t n_bytes = 7;
        fault_arm((FaultPoint)point, 1, true);
        CHECK(!user_cache_read("a", 1000, &data, &n_bytes, &err));
        CHECK(fault_count((FaultPoint)point) > 0);
        fault_arm((FaultPoint)point, 0, false);
        CHECK(data == (uint8_t *)1 && n_bytes == 7); // unchanged
        CHECK(ledger_total() == held);
    }
}
