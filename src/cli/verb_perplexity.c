/* `hypura perplexity`: how well the model predicts a text.
 *
 * The text is tokenized as a whole and cut into windows of n tokens; each is evaluated
 * from an empty sequence, its first token replaced by BOS when the model adds one. Rows
 * n/2 to n-2 are scored, each by the token that follows it. This is what llama.cpp's
 * perplexity program does, so that the figures can be compared.
 *
 * nll = -log softmax(logits)[next] in float64 with the canonical exp and log, sums in
 * order; perplexity = exp(mean nll), its error from the standard error of that mean. */
#include "cli/verbs.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>

#include "base/clock.h"
#include "base/json.h"
#include "cli/input.h"
#include "cli/interrupt.h"
#include "cli/load.h"
#include "cli/progress.h"
#include "cli/report.h"
#include "cli/statistics.h"
#include "cli/terminal.h"
#include "kernels/kernels.h"

#define WINDOW_DEFAULT 512
#define WINDOW_MIN     4
#define LOGIT_ROWS     256 // the scored half of a window of 512 in one pass

typedef struct Score {
    uint64_t n_tokens;
    double nll, nll_squared; // sums
} Score;

/* What a row's callback needs. */
typedef struct Window {
    const int32_t *ids; // n of them
    size_t n;
    uint32_t n_vocab;
    Score *score;
} Window;

static double negative_log_likelihood(const float *logits, size_t n_vocab, int32_t token)
{
    double sum = 0, max = (double)logits[0];

    for (size_t i = 1; i < n_vocab; i++)
        if ((double)logits[i] > max) max = (double)logits[i];
    for (size_t i = 0; i < n_vocab; i++) sum += canonical_exp((double)logits[i] - max);
    return canonical_log(sum) - ((double)logits[token] - max);
}

static bool score_row(void *context, const hypura_row *row)
{
    const Window *window = context;

    if (row->index < window->n / 2) return true;
    double nll = negative_log_likelihood(row->logits, window->n_vocab, window->ids[row->index + 1]);
    window->score->n_tokens++;
    window->score->nll += nll;
    window->score->nll_squared += nll * nll;
    return true;
}

static double perplexity_of(const Score *score)
{
    return canonical_exp(score->nll / (double)score->n_tokens);
}

static double error_of(const Score *score)
{
    double n = (double)score->n_tokens, mean = score->nll / n;
    double variance = score->nll_squared / n - mean * mean;

    return variance > 0 && n > 1 ? sqrt(variance / (n - 1)) * perplexity_of(score) : 0;
}

static int write_result(const Options *options, const Score *score, size_t n_windows)
{
    if (!options->json) {
        printf("perplexity: %.4f +/- %.4f (%" PRIu64 " tokens)\n", perplexity_of(score),
            error_of(score), score->n_tokens);
        return STATUS_OK;
    }
    Json *out = json_object();
    json_set_f64(out, "perplexity", perplexity_of(score));
    json_set_f64(out, "standard_error", error_of(score));
    json_set_u64(out, "tokens", score->n_tokens);
    json_set_u64(out, "windows", n_windows);
    return terminal_write_json("perplexity", out);
}

/* What the model puts in front of a text; -1: nothing. */
static int32_t find_bos(const hypura_model *model)
{
    int32_t *ids = NULL, bos = -1;
    size_t n = 0;

    if (!hypura_adds_bos(model)) return -1;
    if (hypura_tokenize(model, "", 0, true, false, &ids, &n, NULL) && n > 0) bos = ids[0];
    hypura_free(ids);
    return bos;
}

/* Evaluates all whole windows; false: `err` is set, or a signal asked to end. */
static bool score_windows(hypura_model *model, int32_t *ids, size_t n_windows,
    Statistics *statistics, const Options *options, Score *score, hypura_error *err)
{
    Window window = {.n = hypura_n_ctx(model), .n_vocab = hypura_n_vocab(model), .score = score};
    int32_t bos = find_bos(model);
    Progress progress;
    bool ok = true;

    hypura_sequence *sequence = hypura_sequence_create(model, err);
    if (!sequence) return false;
    hypura_model_on_progress(model, interrupt_goes_on, NULL);
    progress_begin(&progress, "perplexity", "windows", n_windows, options->quiet);
    for (size_t i = 0; ok && i < n_windows; i++) {
        int32_t *first = ids + i * window.n;
        if (bos >= 0) first[0] = bos;
        window.ids = first;
        // The last token is only what the row before it is scored by.
        ok = hypura_sequence_reset(sequence, 0, err)
             && hypura_sequence_eval_rows(
                 sequence, first, window.n - 1, score_row, NULL, &window, err);
        if (ok) statistics->n_prompt += window.n - 1;
        progress_show(&progress, i + 1);
    }
    progress_end(&progress);
    hypura_sequence_free(sequence);
    return ok;
}

static int measure(
    const Options *options, hypura_model *model, int32_t *ids, size_t n_ids, Statistics *statistics)
{
    size_t n_window = hypura_n_ctx(model), n_windows = n_ids / n_window;
    Score score = {0};
    hypura_error err = {0};

    if (n_windows == 0)
        return report_usage("perplexity", "a longer text, or a smaller --ctx",
            "the text has %zu tokens, fewer than a window of %zu", n_ids, n_window);
    statistics->prompt_begun_ns = clock_now_ns();
    bool ok = score_windows(model, ids, n_windows, statistics, options, &score, &err);
    statistics_end_prompt(statistics, model);
    if (ok) return write_result(options, &score, n_windows);
    if (interrupt_signal()) return STATUS_OF_SIGNAL + interrupt_signal();
    return report_api_error("perplexity", &err);
}

static int measure_text(const Options *options, const Text *text, Statistics *statistics)
{
    LoadWish wish = {.need = HYPURA_NEED_WEIGHTS,
        .n_ctx_default = WINDOW_DEFAULT,
        .n_logit_rows = LOGIT_ROWS,
        .sandbox = true};
    hypura_error err = {0};
    int32_t *ids = NULL;
    size_t n_ids = 0;
    int status;

    hypura_model *model = load_model(options, wish, &status);
    if (!model) return status;
    if (hypura_tokenize(model, text->data, text->n_bytes, true, false, &ids, &n_ids, &err))
        status = measure(options, model, ids, n_ids, statistics);
    else
        status = report_api_error("perplexity", &err);
    hypura_free(ids);
    status = statistics_finish(statistics, model, status);
    hypura_model_close(model);
    return status;
}

int verb_perplexity(const Options *options)
{
    Statistics statistics = {0};
    Text text = {0};
    Error err = {0};
    int status;

    if (!options->file) return report_usage("perplexity", "-f FILE", "the text is missing");
    if (options->n_ctx.is_given && options->n_ctx.value < WINDOW_MIN)
        return report_usage("perplexity", NULL, "--ctx: at least %d", WINDOW_MIN);
    if (!input_read(options->file, &text, &err) || !statistics_init(&statistics, options, &err))
        status = report_error("perplexity", &err);
    else
        status = measure_text(options, &text, &statistics);
    statistics_destroy(&statistics);
    input_free(&text);
    return status;
}
