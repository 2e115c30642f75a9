/* Runs inside memory control groups (version 1), and what can be seen of them from outside. */
#ifndef HYPURA_TESTS_E2E_GROUP_H
#define HYPURA_TESTS_E2E_GROUP_H

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "base/json.h"
#include "harness.h"

static inline const char *stats_path(void)
{
    static char path[512];
    snprintf(path, sizeof path, "%s/stats.json", harness_temporary_folder());
    return path;
}

/* The folder of a new memory control group (version 1) below our own, or NULL and why not. */
static inline const char *make_group(const char **why)
{
    static char folder[512];
    char line[256], own[256] = "";
    FILE *stream = fopen("/proc/self/cgroup", "r");

    while (stream && fgets(line, sizeof line, stream)) {
        char *at = strstr(line, ":memory:");
        if (at) snprintf(own, sizeof own, "%s", at + strlen(":memory:"));
    }
    if (stream) fclose(stream);
    own[strcspn(own, "\n")] = '\0';
    snprintf(folder, sizeof folder, "/sys/fs/cgroup/memory%s/hypura-test-%d",
        strcmp(own, "/") == 0 ? "" : own, (int)getpid());
    *why = "this machine lets no memory control group (version 1) be made";
    return own[0] && mkdir(folder, 0755) == 0 ? folder : NULL;
}

static inline bool write_group(const char *folder, const char *name, uint64_t value)
{
    char path[640];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *stream = fopen(path, "w");
    if (!stream) return false;
    bool ok = fprintf(stream, "%llu", (unsigned long long)value) > 0;
    return fclose(stream) == 0 && ok;
}

static inline uint64_t read_group(const char *folder, const char *name)
{
    char path[640];
    unsigned long long value = 0;
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *stream = fopen(path, "r");
    if (stream && fscanf(stream, "%llu", &value) != 1) value = 0;
    if (stream) fclose(stream);
    return value;
}

/* Generates n_tokens with a budget (NULL: what there is to spare), in the group if there is one,
 * with statistics if the build can write them; the exit status, or 128 + signal. */
static inline int run_in_group(
    const char *folder, const char *model, const char *memory, const char *n_tokens)
{
    char stats_option[640];
    snprintf(stats_option, sizeof stats_option, "--stats=%s", stats_path());
    pid_t child = fork();

    if (child == 0) {
        int null = open("/dev/null", O_WRONLY);
        if (folder && !write_group(folder, "tasks", (uint64_t)getpid())) _exit(99);
        dup2(null, 1);
        execl(HYPURA_PROGRAM, "hypura", "run", model, "--raw", "-q", memory ? "--memory" : "--io",
            memory ? memory : "auto", "--ctx", "1024", "--threads", "2", "--seed", "1", "-n",
            n_tokens, "Once upon a time there was a king",
            json_available() ? stats_option : (char *)NULL, (char *)NULL);
        _exit(98);
    }
    int status = 0;
    waitpid(child, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static inline Json *read_stats(void)
{
    static char text[1 << 16];
    FILE *stream = fopen(stats_path(), "r");
    size_t n = stream ? fread(text, 1, sizeof text, stream) : 0;
    if (stream) fclose(stream);
    return json_parse((StringView){text, n}, NULL);
}

static inline double number(const Json *stats, const char *key)
{
    return json_get_number(json_get(stats, key), -1);
}

/* Pages of a file that are in the page cache. */
static inline size_t cached_pages(const char *path, size_t *n_pages)
{
    struct stat about;
    int fd = open(path, O_RDONLY);
    if (fd < 0 || fstat(fd, &about) != 0) return 0;
    size_t n_bytes = (size_t)about.st_size, n = 0;
    *n_pages = (n_bytes + 4095) / 4096;
    unsigned char *resident = calloc(*n_pages, 1);
    void *mapping = mmap(NULL, n_bytes, PROT_NONE, MAP_SHARED, fd, 0);
    if (mapping != MAP_FAILED && mincore(mapping, n_bytes, resident) == 0)
        for (size_t i = 0; i < *n_pages; i++) n += resident[i] & 1;
    munmap(mapping, n_bytes);
    free(resident);
    close(fd);
    return n;
}

#endif
