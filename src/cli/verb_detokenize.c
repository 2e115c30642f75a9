/* `hypura detokenize`: ids, from the arguments or standard input, to bytes. */
#include "cli/verbs.h"

#include <stdio.h>

#include "cli/input.h"
#include "cli/load.h"
#include "cli/report.h"
#include "cli/terminal.h"

static bool read_ids(const Options *options, Ids *out, Error *err)
{
    Text text;
    bool ok = true;

    for (size_t i = 0; ok && i < options->n_arguments; i++)
        ok = input_parse_ids(view_of(options->arguments[i]), out, err);
    if (options->n_arguments > 0) return ok;
    if (!input_read("-", &text, err)) return false;
    ok = input_parse_ids((StringView){text.data, text.n_bytes}, out, err);
    input_free(&text);
    return ok;
}

static bool check_range(const hypura_model *model, const Ids *ids, Error *err)
{
    uint32_t n_vocab = hypura_n_vocab(model);

    for (size_t i = 0; i < ids->n; i++)
        if (ids->ids[i] < 0 || (uint32_t)ids->ids[i] >= n_vocab)
            return error_set(
                err, ERROR_TOKEN_RANGE, "token %d is not in 0 to %u", ids->ids[i], n_vocab - 1);
    return true;
}

static int detokenize_ids(const Options *options, const Ids *ids)
{
    hypura_error err = {0};
    Error range = {0};
    char *text = NULL;
    size_t n_bytes = 0;
    int status = STATUS_OK;

    hypura_model *model = load_vocabulary(options, &status);
    if (!model) return status;
    if (!check_range(model, ids, &range))
        status = report_error("detokenize", &range);
    else if (hypura_detokenize(model, ids->ids, ids->n, options->special, &text, &n_bytes, &err))
        terminal_write_text(text, n_bytes);
    else
        status = report_api_error("detokenize", &err);
    hypura_free(text);
    hypura_model_close(model);
    return status;
}

int verb_detokenize(const Options *options)
{
    Ids ids = {0};
    Error err = {0};

    int status = read_ids(options, &ids, &err) ? detokenize_ids(options, &ids)
                                               : report_error("detokenize", &err);
    input_free_ids(&ids);
    return status;
}
