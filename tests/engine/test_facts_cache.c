/* Facts are kept and come back, as long as the machine is the one that they were measured on. */
#include "engine/facts.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "base/fault.h"
#include "base/json.h"
#include "base/ledger.h"
#include "base/log.h"
#include "harness.h"

/* A cache folder of its own for each test; empty. */
static const char *use_folder(const char *name)
{
    static char path[256];

    snprintf(path, sizeof(path), "%s/%s", harness_temporary_folder(), name);
    CHECK_CASE(name, mkdir(path, 0700) == 0);
    CHECK_CASE(name, setenv("XDG_CACHE_HOME", path, 1) == 0);
    strncat(path, "/hypura", sizeof(path) - strlen(path) - 1);
    return path;
}

static Facts facts, loaded; // too large for a stack frame, twice

/* One fact of each kind, under this machine's names. */
static void make_facts(void)
{
    facts = (Facts){.n_drive = 1,
        .drive = {{.read_bytes = 1 << 20,
            .depth = 16,
            .backend = READ_URING,
            .bytes_per_s = 1.5e9,
            .bytes_per_s_low = 1e9,
            .bytes_per_s_high = 2e9}},
        .n_memory = 1,
        .memory = {{.n_threads = 2, .bytes_per_s = 5e10}},
        .n_compute = 1,
        .compute = {{.type = QUANT_Q4_K,
            .n_threads = 2,
            .n_rows = 8,
            .bytes_per_s = 2e10,
            .ops_per_s = 3e11}}};
    Error err = {0};

    CHECK(facts_name_machine(&facts, harness_temporary_folder(), &err));
}

static void load(bool *found)
{
    Error err = {0};

    loaded = (Facts){0};
    *found = false;
    if (!CHECK(facts_load(&loaded, harness_temporary_folder(), found, &err)))
        printf("    %s\n", err.message);
}

static void save(void)
{
    Error err = {0};

    if (!CHECK(facts_save(&facts, &err))) printf("    %s\n", err.message);
}

TEST(what_was_saved_is_loaded)
{
    bool found;

    if (!json_available()) TEST_SKIP("this build has no JSON library");
    use_folder("saved");
    make_facts();
    save();
    load(&found);
    CHECK(found);
    CHECK(loaded.n_drive == 1 && loaded.n_memory == 1 && loaded.n_compute == 1);
    CHECK(loaded.drive[0].read_bytes == 1 << 20 && loaded.drive[0].depth == 16);
    CHECK(loaded.drive[0].backend == READ_URING && !loaded.drive[0].is_sequential);
    CHECK_BITS(&facts.drive[0].bytes_per_s, &loaded.drive[0].bytes_per_s, sizeof(double));
    CHECK_BITS(&facts.drive[0].bytes_per_s_low, &loaded.drive[0].bytes_per_s_low, sizeof(double));
    CHECK_BITS(&facts.drive[0].bytes_per_s_high, &loaded.drive[0].bytes_per_s_high, sizeof(double));
    CHECK(loaded.memory[0].n_threads == 2);
    CHECK_BITS(&facts.memory[0].bytes_per_s, &loaded.memory[0].bytes_per_s, sizeof(double));
    CHECK(loaded.compute[0].type == QUANT_Q4_K && loaded.compute[0].n_rows == 8);
    CHECK_BITS(&facts.compute[0].ops_per_s, &loaded.compute[0].ops_per_s, sizeof(double));
    CHECK(loaded.measured_unix_s > 1000000000);
    CHECK(strcmp(facts.device, loaded.device) == 0 && strcmp(facts.cpu, loaded.cpu) == 0);
}

TEST(one_kind_is_renewed_and_the_others_stay)
{
    bool found;

    if (!json_available()) TEST_SKIP("this build has no JSON library");
    use_folder("renewed");
    make_facts();
    save();
    facts.n_drive = facts.n_compute = 0;
    facts.memory[0].bytes_per_s = 7e10;
    save();
    load(&found);
    CHECK(loaded.n_drive == 1 && loaded.n_compute == 1);
    CHECK(loaded.memory[0].bytes_per_s > 6e10);
}

// clang-format off
static const struct {
    const char *label;
    size_t offset; // of the name that is another
    uint32_t n_drive, n_memory, n_compute; // that are still true
} other_machines[] = {
    {"another-device",          offsetof(Facts, device), 0, 1, 1},
    {"another-kernel",          offsetof(Facts, kernel), 0, 0, 0},
    {"another-processor",       offsetof(Facts, cpu),    0, 0, 0},
    {"another-instruction-set", offsetof(Facts, isa),    1, 1, 0},
};
// clang-format on

TEST(facts_of_another_machine_are_not_found)
{
    if (!json_available()) TEST_SKIP("this build has no JSON library");
    for (size_t i = 0; i < COUNT(other_machines); i++) {
        const char *label = other_machines[i].label;
        bool found, is_any = other_machines[i].n_drive + other_machines[i].n_memory
                             + other_machines[i].n_compute;
        use_folder(label);
        make_facts();
        ((char *)&facts)[other_machines[i].offset] ^= 1;
        save();
        load(&found);
        CHECK_CASE(label, found == is_any);
        CHECK_CASE(label, loaded.n_drive == other_machines[i].n_drive);
        CHECK_CASE(label, loaded.n_memory == other_machines[i].n_memory);
        CHECK_CASE(label, loaded.n_compute == other_machines[i].n_compute);
    }
}

/* A file under the right name whose content belongs elsewhere: a copied cache, a collision. */
TEST(the_names_inside_decide)
{
    char ours[512] = "", theirs[512] = "";
    bool found;

    if (!json_available()) TEST_SKIP("this build has no JSON library");
    const char *folder = use_folder("swapped");
    make_facts();
    facts.n_drive = facts.n_compute = 0;
    save();
    facts.kernel[0] ^= 1;
    save();
    DIR *stream = opendir(folder);
    for (const struct dirent *entry; stream && (entry = readdir(stream));) {
        if (entry->d_name[0] == '.') continue;
        char *name = *ours ? theirs : ours;
        snprintf(name, sizeof(ours), "%s/%.200s", folder, entry->d_name);
    }
    if (stream) closedir(stream);
    CHECK(*ours && *theirs);
    load(&found);
    CHECK(found);
    // Both files become theirs, whichever is which: then nothing is ours.
    static char text[2][8192];
    const char *names[2] = {ours, theirs};
    for (int i = 0; i < 2; i++) {
        int fd = open(names[i], O_RDONLY | O_CLOEXEC);
        CHECK(read(fd, text[i], sizeof(text[i]) - 1) > 0);
        close(fd);
    }
    const char *foreign = strstr(text[0], facts.kernel) ? text[0] : text[1];
    for (int i = 0; i < 2; i++) {
        int fd = open(names[i], O_WRONLY | O_TRUNC | O_CLOEXEC);
        CHECK(write(fd, foreign, strlen(foreign)) == (ssize_t)strlen(foreign));
        close(fd);
    }
    load(&found);
    CHECK(!found);
}

/* Replaces every file of the folder by its first n_bytes, or by a text. */
static void damage(const char *folder, const char *text, off_t n_bytes)
{
    char path[512];
    DIR *stream = opendir(folder);

    for (const struct dirent *entry; stream && (entry = readdir(stream));) {
        if (entry->d_name[0] == '.') continue;
        snprintf(path, sizeof(path), "%s/%.200s", folder, entry->d_name);
        int fd = open(path, O_WRONLY | O_CLOEXEC);
        CHECK(fd >= 0 && ftruncate(fd, n_bytes) == 0);
        if (text) CHECK(write(fd, text, strlen(text)) == (ssize_t)strlen(text));
        close(fd);
    }
    if (stream) closedir(stream);
}

TEST(a_damaged_file_is_as_none)
{
    static const char *const texts[] = {NULL, "", "{}", "[1]", "null", "\xff\xfe",
        "{\"drive\": 3, \"memory\": [], \"compute\": [], \"machine\": {}}"};
    bool found;

    if (!json_available()) TEST_SKIP("this build has no JSON library");
    const char *folder = use_folder("damaged");
    log_set_level(LOG_QUIET);
    for (size_t i = 0; i < COUNT(texts); i++) {
        make_facts();
        save();
        damage(folder, texts[i], texts[i] ? 0 : 100);
        load(&found);
        CHECK(!found);
        CHECK(loaded.n_drive == 0 && loaded.n_memory == 0 && loaded.n_compute == 0);
        CHECK(strcmp(loaded.kernel, facts.kernel) == 0); // the names are there all the same
    }
    log_set_level(LOG_WARN);
}

TEST(nothing_is_kept_yet)
{
    bool found;

    use_folder("fresh");
    load(&found);
    CHECK(!found);
}

TEST(a_folder_that_cannot_be_made_is_an_error)
{
    Error err = {0};

    if (!json_available()) TEST_SKIP("this build has no JSON library");
    make_facts();
    CHECK(setenv("XDG_CACHE_HOME", "/proc/nonexistent", 1) == 0);
    CHECK(!facts_save(&facts, &err));
    CHECK_ERROR(err, ERROR_WRITE);
}

TEST(each_allocation_may_fail)
{
    if (!json_available()) TEST_SKIP("this build has no JSON library");
    use_folder("faults");
    make_facts();
    save();
    for (uint64_t k = 1;; k++) {
        loaded = (Facts){.n_drive = 7};
        Error err = {0};
        bool found = false;
        log_set_level(LOG_QUIET); // a file that could not be parsed for want of memory
        fault_arm(FAULT_ALLOC, k, false);
        bool ok = facts_load(&loaded, harness_temporary_folder(), &found, &err);
        bool is_past = fault_count(FAULT_ALLOC) < k;
        fault_arm(FAULT_ALLOC, 0, false);
        log_set_level(LOG_WARN);
        CHECK(ok || (loaded.n_drive == 7 && err.id == ERROR_OUT_OF_MEMORY));
        CHECK(ledger_total() == 0);
        if (is_past) {
            CHECK(ok && found && k > 3);
            break;
        }
    }
}
