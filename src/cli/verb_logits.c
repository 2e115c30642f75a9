/* `hypura logits`: every token's logits, and each layer's output, as a GGUF file.
 *
 * All offsets are known before the first row, and rows of different tensors come in turn,
 * so each is written at its place. Standard output, which may be a pipe, gets a copy of a
 * temporary file in the end. With -o the file is FILE.partial until it is whole. */
#include "cli/verbs.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "cli/input.h"
#include "cli/interrupt.h"
#include "cli/load.h"
#include "cli/partial.h"
#include "cli/report.h"
#include "cli/statistics.h"
#include "cli/terminal.h"
#include "gguf/writer.h"

#define RESULT_ARCH "hypura-logits"
#define LOGIT_ROWS  32 // a pass that gives more holds more memory than it saves time

/* Where rows go. Tensor order: logits, result_norm, l_out-0, l_out-1, ... */
typedef struct Rows {
    int fd;
    GgufWriter *writer;
    size_t header_bytes;
    uint32_t n_vocab, n_embd, n_layer;
    bool with_layers;
    size_t n_taken; // rows of logits
    Error error;    // of a callback
} Rows;

static bool write_at(Rows *rows, const void *data, size_t n_bytes, uint64_t offset_bytes)
{
    const char *bytes = data;

    while (n_bytes > 0) {
        ssize_t n = pwrite(rows->fd, bytes, n_bytes, (off_t)offset_bytes);
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0)
            return error_set(
                &rows->error, report_write_error_id(errno, ERROR_WRITE), "%s", strerror(errno));
        bytes += n;
        n_bytes -= (size_t)n;
        offset_bytes += (uint64_t)n;
    }
    return true;
}

static bool write_row(Rows *rows, size_t tensor, size_t index, const float *row, uint32_t n)
{
    uint64_t row_bytes = (uint64_t)n * sizeof(float);

    return write_at(rows, row, row_bytes,
        rows->header_bytes + gguf_writer_tensor_offset(rows->writer, tensor) + index * row_bytes);
}

static bool take_row(void *context, const hypura_row *row)
{
    Rows *rows = context;

    if (!write_row(rows, 0, row->index, row->logits, rows->n_vocab)) return false;
    rows->n_taken++;
    return !rows->with_layers || write_row(rows, 1, row->index, row->result_norm, rows->n_embd);
}

static bool take_layer(void *context, uint32_t layer, size_t index, const float *output)
{
    Rows *rows = context;

    return write_row(rows, 2 + (size_t)layer, index, output, rows->n_embd);
}

static bool write_header(Rows *rows, size_t n_tokens, Error *err)
{
    const uint64_t logit_dims[2] = {rows->n_vocab, n_tokens};
    const uint64_t layer_dims[2] = {rows->n_embd, n_tokens};
    const uint8_t *header;
    char name[32];

    rows->writer = gguf_writer_create(err);
    if (!rows->writer) return false;
    gguf_writer_string(rows->writer, "general.architecture", view_of(RESULT_ARCH));
    gguf_writer_tensor(rows->writer, "logits", QUANT_F32, logit_dims, 2);
    if (rows->with_layers)
        gguf_writer_tensor(rows->writer, "result_norm", QUANT_F32, layer_dims, 2);
    for (uint32_t i = 0; rows->with_layers && i < rows->n_layer; i++) {
        snprintf(name, sizeof name, "l_out-%u", i);
        gguf_writer_tensor(rows->writer, name, QUANT_F32, layer_dims, 2);
    }
    if (!gguf_writer_header(rows->writer, &header, &rows->header_bytes, err)) return false;
    uint64_t end_offset = rows->header_bytes + gguf_writer_data_bytes(rows->writer);
    if (ftruncate(rows->fd, (off_t)end_offset) != 0) // padding is zeros
        return error_set(err, report_write_error_id(errno, ERROR_WRITE), "%s", strerror(errno));
    if (write_at(rows, header, rows->header_bytes, 0)) return true;
    *err = rows->error;
    return false;
}

static int compute(
    const Options *options, hypura_model *model, Rows *rows, const Ids *ids, Statistics *statistics)
{
    hypura_error api_error = {0};
    Error err = {0};

    rows->n_vocab = hypura_n_vocab(model);
    rows->n_embd = hypura_n_embd(model);
    rows->n_layer = hypura_n_layer(model);
    rows->with_layers = options->layers;
    if (!write_header(rows, ids->n, &err)) return report_error("cannot write the result", &err);

    hypura_sequence *sequence = hypura_sequence_create(model, &api_error);
    hypura_model_on_progress(model, interrupt_goes_on, NULL);
    bool ok =
        sequence && hypura_sequence_reset(sequence, (uint32_t)options->start.value, &api_error);
    statistics->prompt_begun_ns = clock_now_ns();
    if (ok)
        ok = hypura_sequence_eval_rows(sequence, ids->ids, ids->n, take_row,
            options->layers ? take_layer : NULL, rows, &api_error);
    hypura_sequence_free(sequence);
    statistics->n_prompt = rows->n_taken;
    statistics_end_prompt(statistics, model);
    if (ok) return STATUS_OK;
    if (interrupt_signal()) return STATUS_OF_SIGNAL + interrupt_signal();
    if (rows->error.id != ERROR_NONE) return report_error("logits", &rows->error);
    return report_api_error("logits", &api_error);
}

static bool copy_to_output(int fd, Error *err)
{
    char buffer[8192];
    uint64_t offset_bytes = 0;

    for (;;) {
        ssize_t n = pread(fd, buffer, sizeof buffer, (off_t)offset_bytes);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return error_set(err, ERROR_READ, "temporary file: %s", strerror(errno));
        if (n == 0) return true;
        if (fwrite(buffer, 1, (size_t)n, stdout) != (size_t)n) return true; // seen at the end
        offset_bytes += (uint64_t)n;
    }
}

static int compute_to_output(
    const Options *options, hypura_model *model, const Ids *ids, Statistics *statistics)
{
    Rows rows = {0};
    Error err = {0};
    int status;

    FILE *stream = tmpfile();
    if (!stream) {
        error_set(
            &err, report_write_error_id(errno, ERROR_WRITE), "temporary file: %s", strerror(errno));
        return report_error("logits", &err);
    }
    rows.fd = fileno(stream);
    status = compute(options, model, &rows, ids, statistics);
    if (status == STATUS_OK && !copy_to_output(rows.fd, &err))
        status = report_error("logits", &err);
    gguf_writer_free(rows.writer);
    fclose(stream);
    return status;
}

static int compute_to_file(
    const Options *options, hypura_model *model, const Ids *ids, Statistics *statistics)
{
    Partial partial;
    Rows rows = {0};
    Error err = {0};
    int status;

    if (!partial_open(&partial, options->output, &err)) return report_error("logits", &err);
    rows.fd = partial.fd;
    status = compute(options, model, &rows, ids, statistics);
    if (status == STATUS_OK && !partial_commit(&partial, &err))
        status = report_error("logits", &err);
    partial_destroy(&partial);
    gguf_writer_free(rows.writer);
    return status;
}

/* Would writing there destroy a model (this one, a part of it, another)? A result of an earlier
 * run may be replaced. */
static bool would_destroy_model(const char *path)
{
    StringView arch = {0};

    if (!input_holds_model(path)) return false;
    GgufFile *gguf = gguf_open(path, GGUF_METADATA_ONLY, NULL, 0, NULL);
    bool is_result = gguf
                     && gguf_get_string(gguf, "general.architecture", &arch, NULL) == GGUF_PRESENT
                     && view_is(arch, RESULT_ARCH);
    gguf_close(gguf);
    return !is_result;
}

static bool names_file(const Options *options)
{
    return options->output && strcmp(options->output, "-") != 0;
}

static int compute_logits(const Options *options, const Ids *ids, Statistics *statistics)
{
    uint64_t n_ctx = (uint64_t)options->start.value + ids->n;
    LoadWish wish = {.need = HYPURA_NEED_WEIGHTS, .n_logit_rows = LOGIT_ROWS};
    int status;

    if (n_ctx > UINT32_MAX) return report_usage("logits", NULL, "--start is too large");
    wish.n_ctx_default = (uint32_t)n_ctx;
    hypura_model *model = load_model(options, wish, &status);
    if (!model) return status;
    status = names_file(options) ? compute_to_file(options, model, ids, statistics)
                                 : compute_to_output(options, model, ids, statistics);
    status = statistics_finish(statistics, model, status);
    hypura_model_close(model);
    return status;
}

int verb_logits(const Options *options)
{
    Statistics statistics = {0};
    Error err = {0};
    Ids ids = {0};
    int status;

    if (!options->tokens) return report_usage("logits", "--tokens 1,2,3", "the tokens are missing");
    if (options->output && !*options->output)
        return report_usage("logits", "-o FILE", "-o: the name is empty");
    if (!names_file(options) && terminal_is(stdout))
        return report_usage(
            "logits", "-o FILE", "the result is binary, and a terminal would get it");
    if (names_file(options) && would_destroy_model(options->output))
        return report_usage("logits", NULL, "-o: %s holds a model", options->output);
    if (!input_parse_ids(view_of(options->tokens), &ids, &err))
        status = report_error("logits: --tokens", &err);
    else if (ids.n == 0)
        status = report_usage("logits", "--tokens 1,2,3", "the tokens are missing");
    else if (!statistics_init(&statistics, options, &err))
        status = report_error("logits", &err);
    else
        status = compute_logits(options, &ids, &statistics);
    statistics_destroy(&statistics);
    input_free_ids(&ids);
    return status;
}
