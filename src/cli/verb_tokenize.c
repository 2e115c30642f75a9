/* `hypura tokenize`: standard input to ids. */
#include "cli/verbs.h"

#include <inttypes.h>
#include <stdio.h>

#include "cli/input.h"
#include "cli/load.h"
#include "cli/report.h"
#include "cli/terminal.h"

static void write_pieces(const hypura_model *model, const int32_t *ids, size_t n_ids)
{
    for (size_t i = 0; i < n_ids; i++) {
        size_t n_bytes = 0;
        const char *piece = hypura_piece(model, ids[i], true, &n_bytes);
        printf("%" PRId32 "\t", ids[i]);
        terminal_write_json_string(stdout, piece, n_bytes);
        putchar('\n');
    }
}

static void write_ids(const int32_t *ids, size_t n_ids)
{
    for (size_t i = 0; i < n_ids; i++) printf("%s%" PRId32, i > 0 ? " " : "", ids[i]);
    putchar('\n');
}

static int tokenize_text(const Options *options, const hypura_model *model, const Text *text)
{
    int32_t *ids = NULL;
    size_t n_ids = 0;
    hypura_error err = {0};

    if (!hypura_tokenize(model, text->data, text->n_bytes, !options->special_omitted,
            options->special, &ids, &n_ids, &err))
        return report_api_error("tokenize", &err);
    if (options->pieces)
        write_pieces(model, ids, n_ids);
    else
        write_ids(ids, n_ids);
    hypura_free(ids);
    return STATUS_OK;
}

int verb_tokenize(const Options *options)
{
    int status = STATUS_OK;
    Error err = {0};
    Text text;

    hypura_model *model = load_vocabulary(options, &status);
    if (!model) return status;
    if (input_read("-", &text, &err)) {
        status = tokenize_text(options, model, &text);
        input_free(&text);
    } else {
        status = report_error("tokenize", &err);
    }
    hypura_model_close(model);
    return status;
}
