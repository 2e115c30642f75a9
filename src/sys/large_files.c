/* A search that ends: by depth, by names, by time. It follows no link and leaves no file system,
 * since what it finds is to be read from the drive that was asked for. */
#include "sys/large_files.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "base/mem.h"

#define PATH_BYTES 2048
#define DEPTH_MAX  4
#define NAMES_MAX  20000
#define SEARCH_NS  2000000000u

typedef struct Search {
    dev_t device;
    uint64_t end_ns;
    uint32_t n_names;
    struct Found {
        char *path; // owned
        uint64_t n_bytes;
    } found[LARGE_FILES_MAX];
    uint32_t n_found;
} Search;

static bool is_over(const Search *search)
{
    return search->n_names >= NAMES_MAX || clock_now_ns() >= search->end_ns;
}

/* Keeps the file if it is among the largest so far. */
static bool keep(Search *search, const char *path, uint64_t n_bytes, Error *err)
{
    struct Found *place = &search->found[0];

    if (n_bytes < LARGE_FILE_BYTES_MIN) return true;
    if (search->n_found < LARGE_FILES_MAX) {
        place = &search->found[search->n_found];
    } else {
        for (uint32_t i = 1; i < LARGE_FILES_MAX; i++)
            if (search->found[i].n_bytes < place->n_bytes) place = &search->found[i];
        if (place->n_bytes >= n_bytes) return true;
    }
    char *copy = mem_copy_text(MEM_OTHER, view_of(path), err);
    if (!copy) return false;
    mem_free(MEM_OTHER, place->path);
    *place = (struct Found){.path = copy, .n_bytes = n_bytes};
    if (place == &search->found[search->n_found]) search->n_found++;
    return true;
}

static bool search_folder(Search *search, const char *folder, uint32_t depth, Error *err);

static bool look_at(Search *search, DIR *stream, const char *folder, const struct dirent *entry,
    uint32_t depth, Error *err)
{
    char path[PATH_BYTES];
    struct stat st;

    if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0) return true;
    search->n_names++;
    if (fstatat(dirfd(stream), entry->d_name, &st, AT_SYMLINK_NOFOLLOW) != 0) return true;
    if (st.st_dev != search->device) return true;
    int n = snprintf(path, sizeof(path), "%s/%s", folder, entry->d_name);
    if (n < 0 || (size_t)n >= sizeof(path)) return true;
    if (S_ISREG(st.st_mode)) return keep(search, path, (uint64_t)st.st_size, err);
    if (S_ISDIR(st.st_mode) && depth < DEPTH_MAX)
        return search_folder(search, path, depth + 1, err);
    return true;
}

/* A folder that may not be read has nothing for us. */
static bool search_folder(Search *search, const char *folder, uint32_t depth, Error *err)
{
    bool ok = true;
    DIR *stream = opendir(folder);

    if (!stream) return true;
    for (const struct dirent *entry; ok && !is_over(search) && (entry = readdir(stream));)
        ok = look_at(search, stream, folder, entry, depth, err);
    closedir(stream);
    return ok;
}

/* Opens what was found; a file that may not be read, or went away, is left out. */
static bool open_found(LargeFiles *large, const Search *search, Error *err)
{
    for (uint32_t i = 0; i < search->n_found; i++) {
        Error failure = {0};
        File *file = &large->files[large->n_files];
        if (file_open(file, search->found[i].path, &failure)) {
            large->n_files++;
            large->n_bytes += file->n_bytes;
        } else if (failure.id != ERROR_FILE_OPEN && failure.id != ERROR_FORMAT_NOT_A_FILE) {
            return error_set(err, failure.id, "%s", failure.message);
        }
    }
    return true;
}

bool large_files_open(LargeFiles *large, const char *path, Error *err)
{
    Search search = {.end_ns = clock_now_ns() + SEARCH_NS};
    struct stat st;

    *large = (LargeFiles){0};
    if (stat(path, &st) != 0)
        return error_set(err, ERROR_FILE_OPEN, "%s: %s", path, strerror(errno));
    search.device = st.st_dev;
    bool ok = S_ISDIR(st.st_mode) ? search_folder(&search, path, 1, err)
                                  : keep(&search, path, (uint64_t)st.st_size, err);
    ok = ok && open_found(large, &search, err);
    for (uint32_t i = 0; i < search.n_found; i++) mem_free(MEM_OTHER, search.found[i].path);
    if (!ok) large_files_close(large);
    return ok;
}

void large_files_close(LargeFiles *large)
{
    for (uint32_t i = 0; i < large->n_files; i++) file_close(&large->files[i]);
    *large = (LargeFiles){0};
}
