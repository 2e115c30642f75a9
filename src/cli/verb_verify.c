/* `hypura verify`: makes checksums of a model's files, or holds the files against those that were
 * made. Both read every byte once, past the page cache.
 *
 * Checksums that are there and about these very files are not replaced by others: then bytes have
 * changed without anyone writing to the file, and new checksums would hide it. */
#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/printable.h"
#include "base/size.h"
#include "cli/interrupt.h"
#include "cli/partial.h"
#include "cli/progress.h"
#include "cli/report.h"
#include "cli/terminal.h"
#include "cli/verbs.h"
#include "engine/checksums.h"
#include "store/scan.h"
#include "sys/user_cache.h"
#include "sys/write.h"

#define RANGES_MAX 256

/* Pages side by side that differ, of one tensor or of what is between two. */
typedef struct Range {
    uint32_t file;
    uint64_t offset_bytes, n_bytes;
    const GgufTensor *tensor; // NULL: header or padding
} Range;

typedef struct Verify {
    const Options *options;
    const GgufFile *gguf;
    Checksums found; // what was there before
    Sidecar made;    // --write
    Progress bar;
    uint64_t begun_ns, ended_ns, n_done_bytes;
    uint64_t differing_bytes;
    Range ranges[RANGES_MAX];
    uint32_t n_ranges;
    uint64_t n_more_ranges;                                  // beyond RANGES_MAX
    char path[USER_CACHE_PATH_BYTES + CHECKSUMS_NAME_BYTES]; // of the checksums that were written
} Verify;

/* ---- what differs ---- */

static const GgufTensor *find_tensor(const GgufFile *gguf, uint32_t file, uint64_t offset_bytes)
{
    for (size_t i = 0; i < gguf_n_tensors(gguf); i++) {
        const GgufTensor *tensor = gguf_tensor(gguf, i);
        uint64_t end = tensor->offset_bytes + tensor->n_bytes;
        // A page belongs to the first tensor that has a part of it.
        if (tensor->shard == file && end > offset_bytes
            && tensor->offset_bytes < offset_bytes + SIDECAR_PAGE_BYTES)
            return tensor;
    }
    return NULL;
}

static void add_page(Verify *verify, uint32_t file, uint64_t offset_bytes, uint64_t n_bytes)
{
    const GgufTensor *tensor = find_tensor(verify->gguf, file, offset_bytes);
    Range *last = verify->n_ranges > 0 ? &verify->ranges[verify->n_ranges - 1] : NULL;

    verify->differing_bytes += n_bytes;
    if (last && last->file == file && last->tensor == tensor && verify->n_more_ranges == 0
        && last->offset_bytes + last->n_bytes == offset_bytes)
        last->n_bytes += n_bytes;
    else if (verify->n_ranges < RANGES_MAX)
        verify->ranges[verify->n_ranges++] = (Range){file, offset_bytes, n_bytes, tensor};
    else
        verify->n_more_ranges++;
}

static void check_piece(Verify *verify, const ScanPiece *piece)
{
    uint64_t done = 0;

    while (done < piece->n_bytes) {
        uint64_t n_left = piece->n_bytes - done;
        done += sidecar_count_right(&verify->found.sidecar, piece->file, piece->offset_bytes + done,
            piece->data + done, n_left);
        if (done == piece->n_bytes) return;
        n_left = piece->n_bytes - done;
        uint64_t page_bytes = n_left < SIDECAR_PAGE_BYTES ? n_left : SIDECAR_PAGE_BYTES;
        add_page(verify, piece->file, piece->offset_bytes + done, page_bytes);
        done += page_bytes;
    }
}

static bool take_piece(void *context, const ScanPiece *piece, Error *err)
{
    Verify *verify = context;

    if (interrupt_signal()) return error_set(err, ERROR_INTERRUPTED, "interrupted");
    if (verify->options->write)
        sidecar_add(&verify->made, piece->file, piece->offset_bytes, piece->data, piece->n_bytes);
    else
        check_piece(verify, piece);
    verify->n_done_bytes += piece->n_bytes;
    progress_show(&verify->bar, verify->n_done_bytes);
    return true;
}

static bool scan(Verify *verify, Error *err)
{
    const Options *options = verify->options;
    ScanOptions wish = {.files = gguf_shards(verify->gguf),
        .n_files = gguf_n_shards(verify->gguf),
        .backend = READ_AUTO,
        .take = take_piece,
        .context = verify};

    if (options->io && strcmp(options->io, "auto") != 0)
        wish.backend = strcmp(options->io, "uring") == 0 ? READ_URING : READ_THREADS;
    if (options->direct && strcmp(options->direct, "auto") != 0)
        wish.direct = strcmp(options->direct, "on") == 0 ? DIRECT_ON : DIRECT_OFF;
    progress_begin(&verify->bar, "verify", NULL, gguf_file_bytes(verify->gguf), options->quiet);
    verify->begun_ns = clock_now_ns();
    bool ok = scan_files(&wish, err);
    verify->ended_ns = clock_now_ns();
    progress_end(&verify->bar);
    return ok;
}

/* ---- writing ---- */

/* Beside the model. *is_refused: nothing can be written there. */
static bool write_beside(Verify *verify, const char *path, bool *is_refused, Error *err)
{
    const Sidecar *made = &verify->made;
    Partial partial;

    if (!partial_open(&partial, path, err)) {
        *is_refused = err->id == ERROR_WRITE;
        return false;
    }
    bool ok = write_all(partial.fd, made->record, sidecar_record_bytes(made));
    if (!ok)
        error_set(err, report_write_error_id(errno, ERROR_WRITE), "%s: %s", path, strerror(errno));
    ok = ok && partial_commit(&partial, err);
    partial_destroy(&partial);
    if (ok) snprintf(verify->path, sizeof verify->path, "%s", path);
    return ok;
}

static bool write_to_cache(Verify *verify, Error *err)
{
    char name[CHECKSUMS_NAME_BYTES], folder[USER_CACHE_PATH_BYTES];

    checksums_cache_name(verify->gguf, name);
    if (!user_cache_make(err)) return false;
    if (!user_cache_write(name, verify->made.record, sidecar_record_bytes(&verify->made), err))
        return false;
    if (!user_cache_folder(folder)) return true; // never: it was written beneath it
    snprintf(verify->path, sizeof verify->path, "%s/%s", folder, name);
    return true;
}

static bool save(Verify *verify, Error *err)
{
    Error refusal = {0};
    bool is_refused = false;
    char *path = checksums_path(verify->gguf, err);

    if (!path) return false;
    bool ok = write_beside(verify, path, &is_refused, &refusal);
    mem_free(MEM_OTHER, path);
    if (ok) return true;
    if (!is_refused) return error_set(err, refusal.id, "%s", refusal.message);
    log_info("not beside the model (%s), but in the cache folder", refusal.message);
    return write_to_cache(verify, err);
}

/* Checksums of a file that has the same time of modification and other bytes. */
static bool contradicts(const Verify *verify)
{
    const Sidecar *found = &verify->found.sidecar;

    return verify->found.are_there
           && memcmp(found->record, verify->made.record, sidecar_record_bytes(found)) != 0;
}

static int make_checksums(Verify *verify)
{
    SidecarSubject subject = checksums_subject(verify->gguf);
    Error err = {0};

    // What cannot be used is what is to be replaced.
    if (!checksums_find(&verify->found, verify->gguf, &err))
        log_info("replacing checksums: %s", err.message);
    if (!sidecar_init(&verify->made, &subject, &err) || !scan(verify, &err))
        return report_error("verify", &err);
    sidecar_seal(&verify->made);
    if (contradicts(verify)) {
        error_set(&err, ERROR_CHECK_FAILED,
            "the files differ from the checksums in %s, and nobody has written to them since",
            verify->found.path);
        return report_error_with_hint(
            "verify", &err, "hypura verify MODEL, which tells where; or remove the checksums");
    }
    return save(verify, &err) ? STATUS_OK : report_error("verify: cannot write checksums", &err);
}

/* ---- checking ---- */

static int hold_against_checksums(Verify *verify)
{
    Error err = {0};

    if (!checksums_find(&verify->found, verify->gguf, &err)) return report_error("verify", &err);
    if (!verify->found.are_there) {
        error_set(&err, ERROR_SIDECAR, "%s: there are no checksums of this model",
            verify->options->model);
        return report_error("verify", &err);
    }
    return scan(verify, &err) ? STATUS_OK : report_error("verify", &err);
}

/* ---- results ---- */

static double bytes_per_s(const Verify *verify)
{
    uint64_t ns = verify->ended_ns - verify->begun_ns;

    return ns > 0 ? (double)verify->n_done_bytes / ((double)ns / 1e9) : 0;
}

static const char *path_of_checksums(const Verify *verify)
{
    return verify->options->write ? verify->path : verify->found.path;
}

static Json *ranges_json(const Verify *verify)
{
    Json *list = json_list();

    for (uint32_t i = 0; i < verify->n_ranges; i++) {
        const Range *range = &verify->ranges[i];
        Json *row = json_object();
        json_set_text(row, "file", view_of(gguf_shards(verify->gguf)[range->file].path));
        json_set_u64(row, "offset_bytes", range->offset_bytes);
        json_set_u64(row, "n_bytes", range->n_bytes);
        json_set(row, "tensor", range->tensor ? json_text(range->tensor->name) : NULL);
        json_add(list, row);
    }
    return list;
}

static int write_json(const Verify *verify)
{
    Json *out = json_object();

    json_set_text(out, "model", view_of(verify->options->model));
    json_set_text(out, "checksums", view_of(path_of_checksums(verify)));
    json_set_bool(out, "is_written", verify->options->write);
    json_set_u64(out, "read_bytes", verify->n_done_bytes);
    json_set_f64(out, "bytes_per_s", bytes_per_s(verify));
    json_set_bool(out, "ok", verify->differing_bytes == 0);
    json_set_u64(out, "differing_bytes", verify->differing_bytes);
    json_set(out, "differences", ranges_json(verify));
    json_set_u64(out, "n_more_differences", verify->n_more_ranges);
    return terminal_write_json("verify", out);
}

static void write_table(const Verify *verify)
{
    char text[512], size[24], rate[24];

    printable_copy(text, sizeof text, path_of_checksums(verify), strlen(path_of_checksums(verify)));
    printf("%-10s %s%s\n", "checksums", text, verify->options->write ? " (written)" : "");
    printf("%-10s %s, %s/s\n", "read", size_format(verify->n_done_bytes, size),
        size_format((uint64_t)bytes_per_s(verify), rate));
    if (verify->options->write) return;
    printf("%-10s %" PRIu64 " bytes\n", "differing", verify->differing_bytes);
    if (verify->n_ranges > 0)
        printf("\n  %15s %12s  %-40s %s\n", "offset", "bytes", "tensor", "file");
    for (uint32_t i = 0; i < verify->n_ranges; i++) {
        const Range *range = &verify->ranges[i];
        StringView name = range->tensor ? range->tensor->name : view_of("-");
        const char *path = gguf_shards(verify->gguf)[range->file].path;
        char shown[160];
        printable_copy(shown, sizeof shown, name.data, name.n_bytes);
        printable_copy(text, sizeof text, path, strlen(path));
        printf("  %15" PRIu64 " %12" PRIu64 "  %-40s %s\n", range->offset_bytes, range->n_bytes,
            shown, text);
    }
    if (verify->n_more_ranges > 0) printf("  and %" PRIu64 " more pages\n", verify->n_more_ranges);
}

/* Names the first place that differs. */
static int report_difference(const Verify *verify)
{
    const Range *first = &verify->ranges[0];
    StringView name = first->tensor ? first->tensor->name : view_of("none");
    Error err = {0};

    error_set(&err, ERROR_CHECK_FAILED,
        "%s: byte %" PRIu64 " (tensor '%.*s'): differs from its checksum; %" PRIu64 " bytes in all",
        gguf_shards(verify->gguf)[first->file].path, first->offset_bytes, SV(name),
        verify->differing_bytes);
    return report_error_with_hint("verify", &err, "fetch the file again, and look at the drive");
}

int verb_verify(const Options *options)
{
    Error err = {0};
    GgufFile *gguf = gguf_open(options->model, GGUF_TENSOR_DATA, NULL, 0, &err);
    if (!gguf) return report_error("cannot open model", &err);
    Verify *verify = mem_alloc(MEM_OTHER, sizeof *verify, &err);
    int status = verify ? STATUS_OK : report_error("verify", &err);

    if (verify) {
        verify->options = options;
        verify->gguf = gguf;
        status = options->write ? make_checksums(verify) : hold_against_checksums(verify);
        if (status == STATUS_OK && options->json) status = write_json(verify);
        if (status == STATUS_OK && !options->json) write_table(verify);
        if (status == STATUS_OK && verify->differing_bytes > 0) status = report_difference(verify);
        sidecar_destroy(&verify->made);
        checksums_destroy(&verify->found);
    }
    mem_free(MEM_OTHER, verify);
    gguf_close(gguf);
    return status;
}
