/* The public header's other side: options in, errors out, and nothing else. */
#include "hypura/hypura.h"

#include <math.h>
#include <string.h>

#include "base/mem.h"
#include "engine/batch.h"
#include "engine/overrides.h"
#include "engine/plan_model.h"
#include "engine/sequence.h"
#include "engine/speculate.h"
#include "engine/stats.h"
#include "sample/sampler.h"
#include "sys/process.h"

#define HYPURA_VERSION "0.1.0"

struct hypura_model {
    Loaded loaded;
    GgufOverride *overrides; // owned
    Facts *facts;            // of this machine, owned; NULL: not asked for yet, or none
    bool facts_were_looked_for;
    bool speculates;
    SpeculateOptions guesses;
    hypura_progress_callback *progress;
    void *progress_context;
};

struct hypura_sequence {
    Sequence sequence;
    Sampler sampler;         // its scratch is made at the first draw
    Speculation speculation; // zeroed: there are no guesses
    bool speculates;
};

struct hypura_batch {
    Batch batch;
};

struct hypura_text_stream {
    const Vocab *vocab;
    DetokenizeStream stream;
    TextBuffer buffer;
};

/* Always false, so that a failure is one line. */
static bool fail(hypura_error *out, const Error *err)
{
    if (out) {
        out->number = (int)err->id;
        out->exit_status = error_exit_status(err->id);
        out->hint = error_hint(err->id);
        _Static_assert(HYPURA_MESSAGE_BYTES >= ERROR_MESSAGE_BYTES, "a message fits");
        memcpy(out->message, err->message, sizeof err->message);
    }
    return false;
}

/* One of a few words; NULL is the first. */
static bool parse_word(const char *what, const char *text, const char *const *words, uint32_t n,
    uint32_t *index, Error *err)
{
    *index = 0;
    if (!text) return true;
    for (uint32_t i = 0; i < n; i++) {
        if (strcmp(text, words[i]) != 0) continue;
        *index = i;
        return true;
    }
    return error_set(err, ERROR_USAGE, "%s '%s': not one of its values (first of them: '%s')", what,
        text, words[0]);
}

static bool parse_budget(const char *what, const char *text, Budget *out, Error *err)
{
    *out = (Budget){.unit = BUDGET_DEFAULT};
    if (!text || budget_parse(text, out, err)) return true;
    return error_at(err, "%s", what);
}

static bool parse_options(const hypura_model_options *in, LoadOptions *out, Error *err)
{
    static const char *const backends[] = {"auto", "uring", "threads"};
    static const char *const directs[] = {"auto", "on", "off"};
    static const char *const kvs[] = {"f16", "f32"};
    static const char *const heat_maps[] = {"off", "auto"};
    uint32_t backend, direct, kv, heat_map;

    if (!parse_word("--io", in->io, backends, COUNT(backends), &backend, err)) return false;
    if (!parse_word("--direct", in->direct, directs, COUNT(directs), &direct, err)) return false;
    if (!parse_word("--kv", in->kv, kvs, COUNT(kvs), &kv, err)) return false;
    if (!parse_word("--heat-map", in->heat_map, heat_maps, COUNT(heat_maps), &heat_map, err))
        return false;
    if (!parse_budget("--memory", in->memory, &out->memory, err)) return false;
    if (!parse_budget("--weights", in->weights, &out->weights, err)) return false;
    if (!parse_budget("--reserve", in->reserve, &out->reserve, err)) return false;
    if (in->n_threads > POOL_WORKERS_MAX)
        return error_set(
            err, ERROR_USAGE, "--threads %u: at most %d", in->n_threads, POOL_WORKERS_MAX);
    out->text_only = in->need == HYPURA_NEED_TEXT;
    out->plan_only = in->need == HYPURA_NEED_PLAN;
    out->backend = backend == 0 ? READ_AUTO : backend == 1 ? READ_URING : READ_THREADS;
    out->direct = direct == 0 ? DIRECT_AUTO : direct == 1 ? DIRECT_ON : DIRECT_OFF;
    out->kv = kv == 0 ? KV_F16 : KV_F32;
    out->n_threads = in->n_threads;
    out->n_ctx = in->n_ctx;
    out->n_ubatch = in->n_ubatch;
    out->n_sequences = in->n_sequences_max;
    out->n_logit_rows = in->n_logit_rows;
    out->isa = in->isa;
    out->f32_activations = in->f32_activations;
    out->mirrors = in->mirrors;
    out->n_mirrors = in->n_mirrors;
    out->heat_map = heat_map == 1;
    out->trace_path = in->trace;
    out->sandbox = in->sandbox;
    out->write_paths = in->write_paths;
    out->n_write_paths = (uint32_t)in->n_write_paths;
    if (in->draft && in->draft_ngram)
        return error_set(err, ERROR_USAGE, "--draft and --draft-ngram: one of them");
    out->speculates = in->draft || in->draft_ngram;
    out->draft_path = out->text_only || out->plan_only ? NULL : in->draft;
    return true;
}

static bool open_model(
    hypura_model *model, const char *path, const hypura_model_options *options, Error *err)
{
    LoadOptions load = {0};

    if (options->size_bytes != sizeof *options)
        return error_set(err, ERROR_USAGE,
            "options of another version of the library: size_bytes is %zu, not %zu",
            options->size_bytes, sizeof *options);
    if (!parse_options(options, &load, err)) return false;
    model->overrides =
        mem_alloc_array(MEM_OTHER, options->n_override_kv, sizeof(GgufOverride), err);
    if (!model->overrides) return false;
    for (size_t i = 0; i < options->n_override_kv; i++)
        if (!override_parse(options->override_kv[i], &model->overrides[i], err)) return false;
    load.overrides = model->overrides;
    load.n_overrides = options->n_override_kv;
    model->speculates = load.speculates;
    model->guesses.source = options->draft ? GUESS_DRAFT : GUESS_NGRAM;
    return loaded_open(&model->loaded, path, &load, err);
}

hypura_model *hypura_model_open(
    const char *path, const hypura_model_options *options, hypura_error *err)
{
    static const hypura_model_options defaults = HYPURA_MODEL_OPTIONS_INIT;
    Error e = {0};
    hypura_model *model = mem_alloc(MEM_OTHER, sizeof *model, &e);

    if (model && open_model(model, path, options ? options : &defaults, &e)) return model;
    hypura_model_close(model);
    fail(err, &e);
    return NULL;
}

void hypura_model_close(hypura_model *model)
{
    if (!model) return;
    loaded_close(&model->loaded);
    mem_free(MEM_OTHER, model->overrides);
    mem_free(MEM_OTHER, model->facts);
    mem_free(MEM_OTHER, model);
}

bool hypura_model_save_heat_map(hypura_model *model, uint64_t *n_bytes, hypura_error *err)
{
    Error e = {0};

    return loaded_save_heat_map(&model->loaded, n_bytes, &e) || fail(err, &e);
}

uint32_t hypura_n_vocab(const hypura_model *model)
{
    return model->loaded.has_weights ? model->loaded.shape.n_vocab
                                     : vocab_n_tokens(model->loaded.vocab);
}

uint32_t hypura_n_ctx(const hypura_model *model)
{
    return model->loaded.n_ctx;
}

uint32_t hypura_n_embd(const hypura_model *model)
{
    return model->loaded.shape.n_embd;
}

uint32_t hypura_n_layer(const hypura_model *model)
{
    return model->loaded.shape.n_layer;
}

bool hypura_ends_generation(const hypura_model *model, int32_t token)
{
    return vocab_ends_generation(model->loaded.vocab, token);
}

bool hypura_adds_bos(const hypura_model *model)
{
    return vocab_adds_bos(model->loaded.vocab);
}

bool hypura_tokenize(const hypura_model *model, const char *text, size_t n_bytes, bool add_special,
    bool parse_special, int32_t **ids, size_t *n_ids, hypura_error *err)
{
    Error e = {0};
    TokenList list = {0};
    TokenizeOptions options = {.add_special = add_special, .parse_special = parse_special};

    if (!vocab_tokenize(model->loaded.vocab, (StringView){text, n_bytes}, options, &list, &e)) {
        token_list_free(&list);
        return fail(err, &e);
    }
    *ids = list.ids;
    *n_ids = list.n;
    return true;
}

bool hypura_detokenize(const hypura_model *model, const int32_t *ids, size_t n_ids,
    bool show_special, char **text, size_t *n_bytes, hypura_error *err)
{
    Error e = {0};
    TextBuffer buffer = {0};
    DetokenizeOptions options = {.show_special = show_special};

    if (!vocab_detokenize(model->loaded.vocab, ids, n_ids, options, &buffer, &e)) {
        text_buffer_free(&buffer);
        return fail(err, &e);
    }
    *text = buffer.data;
    *n_bytes = buffer.n_bytes;
    return true;
}

const char *hypura_piece(
    const hypura_model *model, int32_t token, bool show_special, size_t *n_bytes)
{
    StringView piece = vocab_piece(model->loaded.vocab, token, show_special);
    *n_bytes = piece.n_bytes;
    return piece.data;
}

void hypura_free(void *memory)
{
    mem_free(MEM_TEXT, memory);
}

hypura_text_stream *hypura_text_stream_create(const hypura_model *model, hypura_error *err)
{
    Error e = {0};
    hypura_text_stream *stream = mem_alloc(MEM_TEXT, sizeof *stream, &e);

    if (!stream) {
        fail(err, &e);
        return NULL;
    }
    stream->vocab = model->loaded.vocab;
    stream->stream.has_begun = true; // what is streamed goes on behind a prompt
    return stream;
}

void hypura_text_stream_free(hypura_text_stream *stream)
{
    if (!stream) return;
    text_buffer_free(&stream->buffer);
    mem_free(MEM_TEXT, stream);
}

bool hypura_text_stream_token(hypura_text_stream *stream, int32_t token, const char **text,
    size_t *n_bytes, hypura_error *err)
{
    Error e = {0};

    stream->buffer.n_bytes = 0;
    if (!vocab_stream_token(stream->vocab, &stream->stream, token, &stream->buffer, &e))
        return fail(err, &e);
    *text = stream->buffer.data;
    *n_bytes = stream->buffer.n_bytes;
    return true;
}

bool hypura_text_stream_end(
    hypura_text_stream *stream, const char **text, size_t *n_bytes, hypura_error *err)
{
    Error e = {0};

    stream->buffer.n_bytes = 0;
    if (!vocab_stream_end(&stream->stream, &stream->buffer, &e)) return fail(err, &e);
    *text = stream->buffer.data;
    *n_bytes = stream->buffer.n_bytes;
    return true;
}

hypura_sequence *hypura_sequence_create(hypura_model *model, hypura_error *err)
{
    Error e = {0};
    hypura_sequence *sequence = mem_alloc(MEM_STATE, sizeof *sequence, &e);

    if (sequence && sequence_init(&sequence->sequence, &model->loaded, &e)) {
        sequence->speculates = model->speculates;
        if (!model->speculates
            || speculate_init(&sequence->speculation, &sequence->sequence, &model->guesses, &e))
            return sequence;
        sequence_destroy(&sequence->sequence);
    }
    mem_free(MEM_STATE, sequence);
    fail(err, &e);
    return NULL;
}

void hypura_sequence_free(hypura_sequence *sequence)
{
    if (!sequence) return;
    speculate_destroy(&sequence->speculation);
    sequence_destroy(&sequence->sequence);
    sampler_destroy(&sequence->sampler);
    mem_free(MEM_STATE, sequence);
}

uint32_t hypura_sequence_position(const hypura_sequence *sequence)
{
    return sequence->sequence.state.end_position;
}

bool hypura_sequence_reset(hypura_sequence *sequence, uint32_t position, hypura_error *err)
{
    Error e = {0};
    uint32_t n_ctx = sequence->sequence.loaded->n_ctx;

    if (position >= n_ctx) {
        error_set(&e, ERROR_CONTEXT_FULL, "position %u is past the context of %u", position, n_ctx);
        return fail(err, &e);
    }
    state_reset(&sequence->sequence.state, position);
    sequence->sequence.has_logits = false;
    if (sequence->speculates) speculate_forget(&sequence->speculation);
    return true;
}

bool hypura_sequence_eval(
    hypura_sequence *sequence, const int32_t *tokens, size_t n_tokens, hypura_error *err)
{
    Error e = {0};
    bool ok = sequence->speculates ? speculate_eval(&sequence->speculation, tokens, n_tokens, &e)
                                   : sequence_eval(&sequence->sequence, tokens, n_tokens, &e);
    return ok || fail(err, &e);
}

/* A draft's passes are no progress of the call; but whoever wants to stop can. */
static bool ask_to_go_on(void *context, size_t done, size_t total)
{
    const hypura_model *model = context;

    (void)done;
    (void)total;
    return model->progress(model->progress_context, 0, 1);
}

void hypura_model_on_progress(
    hypura_model *model, hypura_progress_callback *callback, void *context)
{
    model->loaded.progress = (ProgressHook){.call = callback, .context = context};
    model->progress = callback;
    model->progress_context = context;
    if (model->loaded.draft)
        model->loaded.draft->progress =
            (ProgressHook){.call = callback ? ask_to_go_on : NULL, .context = model};
}

const float *hypura_sequence_logits(const hypura_sequence *sequence)
{
    return sequence->sequence.has_logits ? sequence->sequence.logits : NULL;
}

typedef struct Callbacks {
    hypura_row_callback *row;
    hypura_layer_callback *layer;
    void *context;
} Callbacks;

static bool call_row(void *context, size_t index, const float *logits, const float *result_norm)
{
    const Callbacks *callbacks = context;
    hypura_row row = {.index = index, .logits = logits, .result_norm = result_norm};
    return callbacks->row(callbacks->context, &row);
}

static bool call_layer(void *context, uint32_t layer, size_t index, const float *output)
{
    const Callbacks *callbacks = context;
    return callbacks->layer(callbacks->context, layer, index, output);
}

bool hypura_sequence_eval_rows(hypura_sequence *sequence, const int32_t *tokens, size_t n_tokens,
    hypura_row_callback *row, hypura_layer_callback *layer, void *context, hypura_error *err)
{
    Error e = {0};
    Callbacks callbacks = {.row = row, .layer = layer, .context = context};
    RowSink sink = {.context = &callbacks, .row = call_row, .layer = layer ? call_layer : NULL};

    bool ok = sequence_eval_rows(&sequence->sequence, tokens, n_tokens, &sink, &e);
    if (sequence->speculates) speculate_forget(&sequence->speculation);
    return ok || fail(err, &e);
}

bool hypura_eval_together(
    hypura_sequence *const *sequences, const int32_t *tokens, size_t n, hypura_error *err)
{
    Error e = {0};
    Sequence **inner = mem_alloc_array(MEM_OTHER, n, sizeof(Sequence *), &e);
    if (!inner) return fail(err, &e);

    for (size_t i = 0; i < n; i++) inner[i] = &sequences[i]->sequence;
    bool ok = sequences_eval_together(inner, tokens, n, &e);
    mem_free(MEM_OTHER, inner);
    for (size_t i = 0; i < n; i++)
        if (sequences[i]->speculates) speculate_forget(&sequences[i]->speculation);
    return ok || fail(err, &e);
}

hypura_sampling hypura_sampling_default(void)
{
    SamplerOptions options = sampler_default_options();
    return (hypura_sampling){.size_bytes = sizeof(hypura_sampling),
        .seed = options.seed,
        .temperature = options.temperature,
        .top_p = options.top_p,
        .min_p = options.min_p,
        .top_k = options.top_k};
}

static SamplerOptions sampler_options(const hypura_sampling *sampling)
{
    return (SamplerOptions){.seed = sampling->seed,
        .temperature = sampling->temperature,
        .top_k = sampling->top_k,
        .top_p = sampling->top_p,
        .min_p = sampling->min_p};
}

bool hypura_sequence_sample(
    hypura_sequence *sequence, const hypura_sampling *sampling, int32_t *token, hypura_error *err)
{
    Error e = {0};
    SamplerOptions options = sampler_options(sampling);
    options.draw = sequence->sequence.loaded->draft ? SAMPLER_DRAW_RACE : SAMPLER_DRAW_SUM;

    sequence->speculation.sampling = options; // a draft guesses as its model's tokens are drawn
    if (!sequence->sequence.has_logits) {
        error_set(&e, ERROR_USAGE, "nothing was evaluated, so there is nothing to sample from");
        return fail(err, &e);
    }
    if (!sequence->sampler.candidates
        && !sampler_init(&sequence->sampler, options, sequence->sequence.loaded->shape.n_vocab, &e))
        return fail(err, &e);
    sequence->sampler.options = options;
    return sampler_draw(&sequence->sampler, sequence->sequence.logits,
               sequence->sequence.state.end_position, token, &e)
           || fail(err, &e);
}

hypura_batch *hypura_batch_create(hypura_model *model, uint32_t n_places, hypura_error *err)
{
    Error e = {0};
    hypura_batch *batch = mem_alloc(MEM_STATE, sizeof *batch, &e);

    if (batch && batch_init(&batch->batch, &model->loaded, n_places, &e)) return batch;
    mem_free(MEM_STATE, batch);
    fail(err, &e);
    return NULL;
}

void hypura_batch_free(hypura_batch *batch)
{
    if (!batch) return;
    batch_destroy(&batch->batch);
    mem_free(MEM_STATE, batch);
}

bool hypura_batch_begin(hypura_batch *batch, uint32_t place, const int32_t *tokens, size_t n_tokens,
    const hypura_sampling *sampling, hypura_error *err)
{
    Error e = {0};

    return batch_begin(&batch->batch, place, tokens, n_tokens, sampler_options(sampling), &e)
           || fail(err, &e);
}

void hypura_batch_end(hypura_batch *batch, uint32_t place)
{
    batch_end(&batch->batch, place);
}

bool hypura_batch_step(
    hypura_batch *batch, hypura_batch_answer *answers, uint32_t *n_answers, hypura_error *err)
{
    Error e = {0};

    return batch_step(&batch->batch, answers, n_answers, &e) || fail(err, &e);
}

void hypura_model_stats(const hypura_model *model, hypura_stats *stats)
{
    stats_fill(&model->loaded, stats);
    stats->speculates = model->speculates;
}

bool hypura_model_source(const hypura_model *model, uint32_t index, hypura_source *source)
{
    const Loaded *loaded = &model->loaded;

    if (!loaded->has_weights || index > loaded->mirrors.n) return false;
    const Sources *sources = store_sources(loaded->store);
    double rate = sources_rate(sources, index);
    *source =
        (hypura_source){.path = loaded->mirrors.files[index * gguf_n_shards(loaded->gguf)].path,
            .read_bytes = sources->all[index].read_bytes,
            .bytes_per_s = rate > 0 ? rate * 1e9 : (double)NAN,
            .is_dropped = sources->all[index].is_dropped};
    return true;
}

/* A plan without facts is a plan: what can't be read is as if it were not there. */
static const Facts *find_facts(hypura_model *model)
{
    const char *path = gguf_shards(model->loaded.gguf)[0].path;
    bool found = false;

    if (model->facts_were_looked_for) return model->facts;
    model->facts_were_looked_for = true;
    model->facts = mem_alloc(MEM_OTHER, sizeof *model->facts, NULL);
    if (model->facts && facts_load(model->facts, path, &found, NULL) && found) return model->facts;
    mem_free(MEM_OTHER, model->facts);
    model->facts = NULL;
    return NULL;
}

bool hypura_model_plan(
    hypura_model *model, const hypura_plan_options *options, hypura_plan *plan, hypura_error *err)
{
    static const hypura_plan_options defaults = HYPURA_PLAN_OPTIONS_INIT;
    Error e = {0};

    if (options && options->size_bytes != sizeof *options)
        error_set(&e, ERROR_USAGE, "options of another version of the library");
    else if (!model->loaded.has_plan)
        error_set(&e, ERROR_USAGE, "the model was opened for its text alone");
    else if (plan_of_loaded(
                 &model->loaded, find_facts(model), options ? options : &defaults, plan, &e))
        return true;
    return fail(err, &e);
}

const char *hypura_version(void)
{
    return HYPURA_VERSION;
}
