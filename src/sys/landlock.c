/* Landlock (Linux Documentation/userspace-api/landlock.rst): which files may be written.
 * What a kernel knows is asked by ABI number, never by version. Headers of the time of
 * ABI 2 are still in use, so the constants up to ABI 7 are written out here. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "sys/internal.h"
#include "sys/sandbox.h"

#define ABI_MAX 7 // it added logging only; a newer kernel is asked for no more

#define CREATE_RULESET_VERSION 1u
#define RULE_PATH_BENEATH      1

/* LANDLOCK_ACCESS_FS_*: what the domain can't do unless a rule allows it. */
#define FS_EXECUTE     (1ull << 0)
#define FS_WRITE_FILE  (1ull << 1)
#define FS_REMOVE_DIR  (1ull << 4)
#define FS_REMOVE_FILE (1ull << 5)
#define FS_MAKE_CHAR   (1ull << 6)
#define FS_MAKE_DIR    (1ull << 7)
#define FS_MAKE_REG    (1ull << 8)
#define FS_MAKE_SOCK   (1ull << 9)
#define FS_MAKE_FIFO   (1ull << 10)
#define FS_MAKE_BLOCK  (1ull << 11)
#define FS_MAKE_SYM    (1ull << 12)
#define FS_REFER       (1ull << 13) // ABI 2: rename and link between folders
#define FS_TRUNCATE    (1ull << 14) // ABI 3
#define FS_IOCTL_DEV   (1ull << 15) // ABI 5

#define FS_ABI_1                                                                              \
    (FS_EXECUTE | FS_WRITE_FILE | FS_REMOVE_DIR | FS_REMOVE_FILE | FS_MAKE_CHAR | FS_MAKE_DIR \
        | FS_MAKE_REG | FS_MAKE_SOCK | FS_MAKE_FIFO | FS_MAKE_BLOCK | FS_MAKE_SYM)

#define NET_BIND_TCP    (1ull << 0) // ABI 4
#define NET_CONNECT_TCP (1ull << 1)

#define SCOPE_ABSTRACT_UNIX_SOCKET (1ull << 0) // ABI 6
#define SCOPE_SIGNAL               (1ull << 1)

/* What a rule gives back: of a file, and of a folder. */
#define FS_OF_FILE   (FS_WRITE_FILE | FS_TRUNCATE)
#define FS_OF_FOLDER (FS_OF_FILE | FS_REMOVE_DIR | FS_REMOVE_FILE | FS_MAKE_DIR | FS_MAKE_REG)

/* struct landlock_ruleset_attr; a kernel takes as much of it as its ABI has. */
typedef struct Ruleset {
    uint64_t handled_access_fs;
    uint64_t handled_access_net; // ABI 4
    uint64_t scoped;             // ABI 6
} Ruleset;

/* struct landlock_path_beneath_attr */
typedef struct __attribute__((packed)) PathRule {
    uint64_t allowed_access;
    int32_t parent_fd;
} PathRule;

static size_t ruleset_bytes(int abi)
{
    if (abi < 4) return offsetof(Ruleset, handled_access_net);
    return abi < 6 ? offsetof(Ruleset, scoped) : sizeof(Ruleset);
}

static Ruleset ruleset_of(int abi)
{
    Ruleset ruleset = {.handled_access_fs = FS_ABI_1};

    if (abi >= 2) ruleset.handled_access_fs |= FS_REFER;
    if (abi >= 3) ruleset.handled_access_fs |= FS_TRUNCATE;
    if (abi >= 4) ruleset.handled_access_net = NET_BIND_TCP | NET_CONNECT_TCP;
    if (abi >= 5) ruleset.handled_access_fs |= FS_IOCTL_DEV;
    if (abi >= 6) ruleset.scoped = SCOPE_ABSTRACT_UNIX_SOCKET | SCOPE_SIGNAL;
    return ruleset;
}

/* What a kernel or a container that has no Landlock for us may answer at any step. */
static bool is_refusal(int error)
{
    return error == ENOSYS || error == EOPNOTSUPP || error == EPERM;
}

/* SANDBOX, or *is_refused where Landlock is not to be had. Reads errno; returns false. */
static bool fail_or_refuse(const char *step, bool *is_refused, Error *err)
{
    *is_refused = is_refusal(errno);
    return error_set(err, ERROR_SANDBOX, "Landlock: %s: %s", step, strerror(errno));
}

static bool allow_path(
    int ruleset_fd, const Ruleset *ruleset, const char *path, bool *is_refused, Error *err)
{
    struct stat st;
    bool ok = false;

    int fd = open(path, O_PATH | O_CLOEXEC);
    if (fd < 0)
        return error_set(err, ERROR_SANDBOX, "%s: cannot be written: %s", path, strerror(errno));
    if (fstat(fd, &st) == 0) {
        uint64_t wanted = S_ISDIR(st.st_mode) ? FS_OF_FOLDER : FS_OF_FILE;
        PathRule rule = {.allowed_access = wanted & ruleset->handled_access_fs, .parent_fd = fd};
        ok = syscall(SYS_landlock_add_rule, ruleset_fd, RULE_PATH_BENEATH, &rule, 0) == 0;
    }
    if (!ok) (void)fail_or_refuse(path, is_refused, err);
    close(fd);
    return ok;
}

static bool restrict_by(const Ruleset *ruleset, size_t n_bytes, const char *const *write_paths,
    uint32_t n_write_paths, bool *is_refused, Error *err)
{
    bool ok = true;

    int fd = (int)syscall(SYS_landlock_create_ruleset, ruleset, n_bytes, 0);
    if (fd < 0) return fail_or_refuse("the rules", is_refused, err);
    for (uint32_t i = 0; i < n_write_paths && ok; i++)
        ok = allow_path(fd, ruleset, write_paths[i], is_refused, err);
    if (ok && syscall(SYS_landlock_restrict_self, fd, 0) != 0)
        ok = fail_or_refuse("entering", is_refused, err);
    close(fd);
    return ok;
}

bool sandbox_tells_paths(void)
{
    return syscall(SYS_landlock_create_ruleset, NULL, 0, CREATE_RULESET_VERSION) >= 1;
}

bool landlock_enter(const char *const *write_paths, uint32_t n_write_paths, int *abi, Error *err)
{
    Error failure = {0};
    bool is_refused = false;

    *abi = 0;
    long known = syscall(SYS_landlock_create_ruleset, NULL, 0, CREATE_RULESET_VERSION);
    if (known < 1) return true; // not in this kernel, or switched off
    int used = known < ABI_MAX ? (int)known : ABI_MAX;

    Ruleset ruleset = ruleset_of(used);
    if (restrict_by(
            &ruleset, ruleset_bytes(used), write_paths, n_write_paths, &is_refused, &failure)) {
        *abi = (int)known;
        return true;
    }
    return is_refused || error_set(err, failure.id, "%s", failure.message);
}
