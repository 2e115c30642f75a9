/* profile and doctor from outside: what they refuse, what they show, and what they keep. */
#include "program.h"

#include <dirent.h>

#include "base/json.h"

static Program program;

// clang-format off
static const struct {
    const char *label;
    const char *args[8];
    int status;
    const char *message; // part of standard error
} failures[] = {
    {"unknown kind",   {"profile", "--only", "drive,disk"},              2, "'disk' is not one of drive, mem and compute"},
    {"no kind",        {"profile", "--only", ""},                        2, "'' is not one of"},
    {"no path",        {"profile", "--path", "/nonexistent"},            3, "/nonexistent"},
    {"small scratch",  {"profile", "--only", "drive", "--scratch", "1M"}, 2, "at least 256M"},
    {"no large files", {"profile", "--only", "drive", "--path", HYPURA_SOURCE_ROOT "/docs"}, 2, "try: --scratch 1G"},
    {"no file system", {"profile", "--only", "drive", "--path", "/proc/self"}, 2, "try: --scratch 1G"},
    {"doctor, nowhere", {"doctor", "--path", "/nonexistent"},            7, "1 essential things are missing [E0601]"},
};
// clang-format on

/* A cache folder of the test's own. */
static void use_cache(void)
{
    CHECK(setenv("XDG_CACHE_HOME", harness_temporary_folder(), 1) == 0);
}

TEST(failures_have_their_status_and_say_what_to_do)
{
    use_cache();
    for (size_t i = 0; i < COUNT(failures); i++) {
        int status = program_run(&program, failures[i].args);
        CHECK_CASE(failures[i].label, status == failures[i].status);
        CHECK_CASE(failures[i].label, strstr(program.err, failures[i].message));
        if (!strstr(program.err, failures[i].message) || status != failures[i].status)
            printf("    got %d, '%s'\n", status, program.err);
    }
}

TEST(memory_is_measured_and_kept)
{
    char path[300];
    uint32_t n_files = 0;

    if (!json_available()) TEST_SKIP("this build has no JSON library");
    use_cache();
    CHECK(RUN(&program, "profile", "--only", "mem", "--json") == 0);
    Error err = {0};
    Json *json = json_parse((StringView){.data = program.out, .n_bytes = program.n_out}, &err);
    const Json *memory = json_get(json, "memory");
    CHECK(json_count(memory) >= 1);
    CHECK(json_get_i64(json_get(json_at(memory, 0), "threads"), 0) == 1);
    CHECK(json_get_number(json_get(json_at(memory, 0), "bytes_per_s"), 0) > 0);
    CHECK(json_is_list(json_get(json, "drive")) && json_count(json_get(json, "drive")) == 0);
    CHECK(json_is_text(json_get(json_get(json, "machine"), "cpu")));
    json_free(json);

    snprintf(path, sizeof(path), "%s/hypura", harness_temporary_folder());
    DIR *stream = opendir(path);
    for (const struct dirent *entry; stream && (entry = readdir(stream));)
        n_files += strncmp(entry->d_name, "facts-", 6) == 0;
    if (stream) closedir(stream);
    CHECK(n_files == 1);
}

TEST(doctor_has_a_finding_for_each_thing)
{
    static const char *const names[] = {"processor", "memory", "control group", "swap",
        "memory lock", "huge pages", "pressure", "io_uring", "direct reads", "Landlock", "seccomp",
        "cache folder", "profile"};

    use_cache();
    int status = RUN(&program, "doctor", "--path", MODELS);
    CHECK(status == 0 || status == 7);
    for (size_t i = 0; i < COUNT(names); i++) CHECK_CASE(names[i], strstr(program.out, names[i]));

    if (!json_available()) TEST_SKIP("this build has no JSON library");
    status = RUN(&program, "doctor", "--path", MODELS, "--json");
    Error err = {0};
    Json *json = json_parse((StringView){.data = program.out, .n_bytes = program.n_out}, &err);
    CHECK(json_count(json_get(json, "findings")) == COUNT(names));
    CHECK((json_get_i64(json_get(json, "fails"), -1) > 0) == (status == 7));
    json_free(json);
}
