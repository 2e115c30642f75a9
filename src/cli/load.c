/* Opening a model for a verb. The texts of budgets and keys go through as they are: the
 * engine knows the model that "25%" is a part of. */
#include "cli/load.h"

#include "cli/input.h"
#include "cli/report.h"

hypura_model *load_model_or(const Options *options, LoadWish wish, hypura_error *err)
{
    hypura_model_options wanted = HYPURA_MODEL_OPTIONS_INIT;

    wanted.need = wish.need;
    wanted.memory = options->memory;
    wanted.weights = options->weights;
    wanted.reserve = options->reserve;
    wanted.io = options->io;
    wanted.direct = options->direct;
    wanted.kv = options->kv;
    // The table's limits make these casts safe.
    wanted.n_threads = (uint32_t)options->n_threads.value;
    wanted.n_ctx = options->n_ctx.is_given ? (uint32_t)options->n_ctx.value : wish.n_ctx_default;
    wanted.n_ubatch = (uint32_t)options->n_ubatch.value;
    wanted.n_sequences_max = wish.n_sequences;
    wanted.n_logit_rows = wish.n_logit_rows;
    wanted.heat_map = options->heat_map ? options->heat_map : "auto";
    wanted.trace = options->trace;
    wanted.draft = options->draft;
    wanted.draft_ngram = options->draft_ngram;
    wanted.f32_activations = options->f32_activations;
    wanted.mirrors = options->mirrors.texts;
    wanted.n_mirrors = options->mirrors.n;
    wanted.override_kv = options->override_kv.texts;
    wanted.n_override_kv = options->override_kv.n;
    wanted.sandbox = wish.sandbox;

    return hypura_model_open(options->model, &wanted, err);
}

hypura_model *load_model(const Options *options, LoadWish wish, int *status)
{
    hypura_error err = {0};

    if (options->trace && input_holds_model(options->trace)) {
        *status = report_usage(
            "cannot record", "another name", "--trace: %s holds a model", options->trace);
        return NULL;
    }
    hypura_model *model = load_model_or(options, wish, &err);
    if (!model) *status = report_api_error("cannot open model", &err);
    return model;
}

hypura_model *load_vocabulary(const Options *options, int *status)
{
    return load_model(options, (LoadWish){.need = HYPURA_NEED_TEXT}, status);
}
