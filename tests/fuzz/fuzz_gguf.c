/* Fuzz target: any bytes are a GGUF file, opened in both modes.
 *
 * Beyond not crashing: a refusal is an error that exits with 3 and has a message; nothing is
 * held afterwards; memory stays below eight times the file and 1 MiB. */
#include <assert.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/ledger.h"
#include "gguf/visit.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n_bytes);

static void open_as(const char *path, size_t n_bytes, GgufNeed need)
{
    Error err = {0};

    ledger_set_limit(8 * n_bytes + (1u << 20));
    GgufFile *gguf = gguf_open(path, need, NULL, 0, &err);
    if (gguf) {
        (void)visit_everything(gguf, need);
    } else {
        assert(error_exit_status(err.id) == 3);
        assert(err.message[0] != '\0');
    }
    gguf_close(gguf);
    assert(ledger_total() == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n_bytes)
{
    int fd = memfd_create("fuzz", MFD_CLOEXEC);
    char path[64];

    assert(fd >= 0);
    ssize_t n_written = n_bytes > 0 ? write(fd, data, n_bytes) : 0;
    assert(n_written == (ssize_t)n_bytes);
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    open_as(path, n_bytes, GGUF_METADATA_ONLY);
    open_as(path, n_bytes, GGUF_TENSOR_DATA);
    close(fd);
    return 0;
}
