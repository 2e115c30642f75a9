/* Where the folder lies follows the XDG Base Directory Specification 0.8: variables that are
 * empty or not absolute count as unset, what is made is private. Links that the user has put
 * on the way are followed; a link in the place of a file is replaced, never written through. */
#include "sys/user_cache.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "sys/file.h"
#include "sys/write.h"

#define FOLDER_MODE 0700

/* "<base><below>", where the variable `name` holds an absolute `base`. */
static bool folder_of(const char *name, const char *below, char out[USER_CACHE_PATH_BYTES])
{
    const char *base = getenv(name);

    if (!base || base[0] != '/') return false;
    int n = snprintf(out, USER_CACHE_PATH_BYTES, "%s%s", base, below);
    return n > 0 && n < USER_CACHE_PATH_BYTES;
}

bool user_cache_folder(char out[USER_CACHE_PATH_BYTES])
{
    const char *set = getenv("XDG_CACHE_HOME");

    if (set && set[0] == '/') return folder_of("XDG_CACHE_HOME", "/hypura", out);
    return folder_of("HOME", "/.cache/hypura", out);
}

static bool find_folder(char out[USER_CACHE_PATH_BYTES], Error *err)
{
    if (user_cache_folder(out)) return true;
    return error_set(err, ERROR_WRITE,
        "the cache folder: neither XDG_CACHE_HOME nor HOME holds an absolute path of less than "
        "%d bytes",
        USER_CACHE_PATH_BYTES);
}

/* One folder; there may be one already. */
static bool make_one(const char *path, Error *err)
{
    struct stat st;

    if (mkdir(path, FOLDER_MODE) == 0) return true;
    int error = errno;
    // A read-only parent refuses before it tells that the folder is there.
    if (stat(path, &st) == 0) error = S_ISDIR(st.st_mode) ? 0 : ENOTDIR;
    return error == 0
           || error_set(err, ERROR_WRITE, "%s: cannot make the folder: %s", path, strerror(error));
}

bool user_cache_make(Error *err)
{
    char path[USER_CACHE_PATH_BYTES];

    if (!find_folder(path, err)) return false;
    for (char *slash = strchr(path + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
        *slash = 0;
        bool ok = make_one(path, err);
        *slash = '/';
        if (!ok) return false;
    }
    return make_one(path, err);
}

/* The path of a file in the folder. A name is never a way out of it. */
static bool path_of(const char *name, char out[USER_CACHE_PATH_BYTES], Error *err)
{
    char folder[USER_CACHE_PATH_BYTES];

    if (!*name || strchr(name, '/') || strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
        return error_set(err, ERROR_INTERNAL, "the cache folder: '%s' names no file", name);
    if (!find_folder(folder, err)) return false;
    int n = snprintf(out, USER_CACHE_PATH_BYTES, "%s/%s", folder, name);
    if (n > 0 && n < USER_CACHE_PATH_BYTES) return true;
    return error_set(err, ERROR_WRITE, "%s: too long a path", name);
}

bool user_cache_read(
    const char *name, size_t n_bytes_max, uint8_t **data, size_t *n_bytes, Error *err)
{
    char path[USER_CACHE_PATH_BYTES], folder[USER_CACHE_PATH_BYTES];
    uint8_t *bytes = NULL;
    File file = {0};
    bool ok = false;

    bool is_there = user_cache_folder(folder);
    if (is_there && !path_of(name, path, err)) return false;
    if (!is_there || access(path, F_OK) != 0) {
        *data = NULL;
        *n_bytes = 0;
        return true;
    }
    if (!file_open(&file, path, err)) return false;
    if (file.n_bytes <= n_bytes_max) {
        bytes = mem_alloc(MEM_OTHER, (size_t)file.n_bytes, err);
        if (!bytes || !file_read_at(&file, 0, bytes, file.n_bytes, err)) goto out;
    }
    *data = bytes;
    *n_bytes = bytes ? (size_t)file.n_bytes : 0;
    bytes = NULL;
    ok = true;

out:
    mem_free(MEM_OTHER, bytes);
    file_close(&file);
    return ok;
}

bool user_cache_write(const char *name, const uint8_t *data, size_t n_bytes, Error *err)
{
    char path[USER_CACHE_PATH_BYTES], beside[USER_CACHE_PATH_BYTES];
    static const char ending[] = ".XXXXXX"; // filled in: two may write at the same time

    if (!path_of(name, path, err)) return false;
    int n = snprintf(beside, sizeof(beside), "%s%s", path, ending);
    if (n < 0 || (size_t)n >= sizeof(beside))
        return error_set(err, ERROR_WRITE, "%s: too long a path", path);

    int fd = mkostemp(beside, O_CLOEXEC);
    if (fd < 0) return error_set(err, ERROR_WRITE, "%s: cannot write: %s", path, strerror(errno));
    bool ok = write_all(fd, data, n_bytes) && fsync(fd) == 0;
    int error = errno;
    if (close(fd) != 0 && ok) {
        ok = false;
        error = errno;
    }
    if (ok && rename(beside, path) != 0) {
        ok = false;
        error = errno;
    }
    if (ok) return true;
    (void)unlink(beside);
    return error_set(err, error == ENOSPC || error == EDQUOT ? ERROR_DISK_FULL : ERROR_WRITE,
        "%s: cannot write: %s", path, strerror(error));
}
