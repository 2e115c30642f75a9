/* What guessing brings: the same greedy text in turns without and with guesses, beside what the
 * bytes of their passes allow.
 *
 *   bench_speculate MODEL WEIGHTS SOURCE GUESSES TOKENS PAIRS [PROMPT]
 *
 * SOURCE is a draft's path, `ngram`, or a number: guesses that are right with that chance, made
 * from the text of a first run. GUESSES is their number, 0: as many as pay. The last line says how
 * much less a token missed, which is the gain where the drive alone binds. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/rng.h"
#include "engine/speculate.h"
#include "text/vocab.h"

#define PAIRS_MAX  15
#define TOKENS_MAX 1024
#define PROMPT     "Once upon a time there was a little fox who lived at the edge of the forest."

typedef struct Bench {
    Loaded loaded;
    Sequence sequence;
    SpeculateOptions guesses;
    TokenList prompt;
    int32_t text[TOKENS_MAX]; // what the first run said
    uint32_t n_tokens;
    double chance;
    Rng rng;
} Bench;

/* Of one run, its prompt left out. */
typedef struct Run {
    double seconds;
    uint64_t missed_bytes, n_passes, n_drafted, n_accepted;
} Run;

static uint32_t guess_from_text(
    void *context, const int32_t *tokens, uint32_t n_tokens, uint32_t n_max, int32_t *guesses)
{
    Bench *bench = context;
    uint32_t at = n_tokens - (uint32_t)bench->prompt.n;

    (void)tokens;
    for (uint32_t i = 0; i < n_max; i++) {
        int32_t right = at + i < bench->n_tokens ? bench->text[at + i] : 0;
        bool is_right = (double)rng_unit(&bench->rng) < bench->chance;
        guesses[i] = is_right ? right : right > 0 ? right - 1 : 1;
    }
    return n_max;
}

static int32_t best_of(const float *logits, uint32_t n)
{
    uint32_t best = 0;

    for (uint32_t i = 1; i < n; i++)
        if (logits[i] > logits[best]) best = i;
    return (int32_t)best;
}

/* NULL `speculation`: without guesses. */
static bool generate(Bench *bench, Speculation *speculation, Run *run, Error *err)
{
    Sequence *sequence = &bench->sequence;

    state_reset(&sequence->state, 0);
    if (speculation) speculate_forget(speculation);
    bool ok = speculation ? speculate_eval(speculation, bench->prompt.ids, bench->prompt.n, err)
                          : sequence_eval(sequence, bench->prompt.ids, bench->prompt.n, err);
    StoreCounters before = store_counters(bench->loaded.store);
    SpeculationCounters counted = bench->loaded.speculated;
    uint64_t begun_ns = clock_now_ns();
    for (uint32_t i = 0; ok && i < bench->n_tokens; i++) {
        bench->text[i] = best_of(sequence->logits, bench->loaded.shape.n_vocab);
        ok = speculation ? speculate_eval(speculation, &bench->text[i], 1, err)
                         : sequence_eval(sequence, &bench->text[i], 1, err);
    }
    StoreCounters after = store_counters(bench->loaded.store);
    *run = (Run){.seconds = (double)(clock_now_ns() - begun_ns) / 1e9,
        .missed_bytes = after.read_missed_bytes - before.read_missed_bytes,
        .n_passes = after.n_passes - before.n_passes,
        .n_drafted = bench->loaded.speculated.n_drafted - counted.n_drafted,
        .n_accepted = bench->loaded.speculated.n_accepted - counted.n_accepted};
    return ok;
}

static int compare_f64(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median(double *values, uint32_t n)
{
    qsort(values, n, sizeof *values, compare_f64);
    return values[n / 2];
}

static bool measure(Bench *bench, uint32_t n_pairs, Error *err)
{
    double plain_per_s[PAIRS_MAX], guessed_per_s[PAIRS_MAX], gains[PAIRS_MAX];
    double plain_missed = 0, guessed_missed = 0, n_passes = 0, n_drafted = 0, n_accepted = 0;
    double n = bench->n_tokens;
    Run run;

    if (!generate(bench, NULL, &run, err)) return false; // warm, and the text for a script
    for (uint32_t i = 0; i < n_pairs; i++) {
        Speculation speculation;
        if (!generate(bench, NULL, &run, err)) return false;
        plain_per_s[i] = n / run.seconds;
        plain_missed += (double)run.missed_bytes / n;
        if (!speculate_init(&speculation, &bench->sequence, &bench->guesses, err)) return false;
        bool ok = generate(bench, &speculation, &run, err);
        speculate_destroy(&speculation);
        if (!ok) return false;
        guessed_per_s[i] = n / run.seconds;
        gains[i] = guessed_per_s[i] / plain_per_s[i];
        guessed_missed += (double)run.missed_bytes / n;
        n_passes += (double)run.n_passes;
        n_drafted += (double)run.n_drafted;
        n_accepted += (double)run.n_accepted;
    }
    double gain = median(gains, n_pairs);
    printf("tokens/s %.2f without, %.2f with; gain %.3f (%.3f to %.3f)\n",
        median(plain_per_s, n_pairs), median(guessed_per_s, n_pairs), gain, gains[0],
        gains[n_pairs - 1]);
    printf("tokens a pass %.2f; guessed %.0f, right %.0f %%\n", n * n_pairs / n_passes, n_drafted,
        n_drafted > 0 ? 100 * n_accepted / n_drafted : 0);
    printf("missed a token %.2f and %.2f MB: by bytes %.3f\n", plain_missed / n_pairs / 1e6,
        guessed_missed / n_pairs / 1e6, guessed_missed > 0 ? plain_missed / guessed_missed : 0);
    return true;
}

static bool open_bench(Bench *bench, char **args, const char *prompt, Error *err)
{
    char *end = NULL;
    LoadOptions load = {.speculates = true, .n_ctx = 2048};

    bench->chance = strtod(args[3], &end);
    bool is_script = *end == '\0', is_ngram = strcmp(args[3], "ngram") == 0;
    if (!is_script && !is_ngram) load.draft_path = args[3];
    bench->guesses = (SpeculateOptions){.script = guess_from_text,
        .script_context = bench,
        .source = is_script  ? GUESS_SCRIPT
                  : is_ngram ? GUESS_NGRAM
                             : GUESS_DRAFT,
        .n_fixed = (uint32_t)strtoul(args[4], NULL, 10)};
    if (!budget_parse(args[2], &load.weights, err)) return false;
    if (!loaded_open(&bench->loaded, args[1], &load, err)) return false;
    return sequence_init(&bench->sequence, &bench->loaded, err)
           && vocab_tokenize(bench->loaded.vocab, view_of(prompt),
               (TokenizeOptions){.add_special = true}, &bench->prompt, err);
}

int main(int n_args, char **args)
{
    static Bench bench;
    Error err = {0};

    if (n_args < 7) {
        fprintf(
            stderr, "usage: bench_speculate MODEL WEIGHTS SOURCE GUESSES TOKENS PAIRS [PROMPT]\n");
        return 2;
    }
    bench.rng = rng_seeded(1);
    bench.n_tokens = (uint32_t)strtoul(args[5], NULL, 10);
    uint32_t n_pairs = (uint32_t)strtoul(args[6], NULL, 10);
    if (bench.n_tokens < 1 || bench.n_tokens > TOKENS_MAX || n_pairs < 1 || n_pairs > PAIRS_MAX)
        return 2;
    bool ok = open_bench(&bench, args, n_args > 7 ? args[7] : PROMPT, &err)
              && measure(&bench, n_pairs, &err);
    if (!ok) fprintf(stderr, "bench_speculate: %s\n", err.message);
    token_list_free(&bench.prompt);
    sequence_destroy(&bench.sequence);
    loaded_close(&bench.loaded);
    return ok ? 0 : 1;
}
