/* The table of all options. A row is everything that is known of an option: how it is
 * spelt, which verbs have it, what its value may be, where the value goes, what it means.
 * Two rows may have one name when no verb has both. */
#include "cli/options.h"

#define V(verb)     (1u << VERB_##verb)
#define ALL_VERBS   ((1u << VERBS) - 1)
#define READS_MODEL (LOADS_MODEL | V(INSPECT) | V(TOKENIZE) | V(DETOKENIZE))
#define LOADS_MODEL (RUNS_MODEL | V(PLAN) | V(BENCH))
#define RUNS_MODEL  (V(RUN) | V(LOGITS) | V(PERPLEXITY))
#define TO(field)   offsetof(Options, field)

// clang-format off
static const OptionRow rows[] = {
    {{"--raw"}, OPTION_FLAG, OPTIONS_OF_THE_VERB, V(RUN), TO(raw), NULL, NULL, 0, 0,
        "continue the text without a chat template"},
    {{"-p", "--prompt"}, OPTION_TEXT, OPTIONS_OF_THE_VERB, V(RUN), TO(prompt), "TEXT", NULL, 0, 0,
        "the prompt, in place of PROMPT"},
    {{"-f", "--file"}, OPTION_TEXT, OPTIONS_OF_THE_VERB, V(RUN) | V(PERPLEXITY), TO(file), "FILE", NULL, 0, 0,
        "read the text from FILE; - is standard input"},
    {{"--prompts"}, OPTION_TEXT, OPTIONS_OF_THE_VERB, V(RUN), TO(prompts), "FILE", NULL, 0, 0,
        "answer the prompts of FILE, a JSON object a line; - is standard input"},
    {{"-o", "--output"}, OPTION_TEXT, OPTIONS_OF_THE_VERB, V(RUN), TO(output), "OUT", NULL, 0, 0,
        "with --prompts: append the answers to OUT, a JSON object a line"},
    {{"--parallel"}, OPTION_INTEGER, OPTIONS_OF_THE_VERB, V(RUN), TO(n_parallel), "N", NULL, 1, 1024,
        "with --prompts: so many at once (default: what memory does, at most 32)"},
    {{"-n", "--predict", "--n-predict"}, OPTION_INTEGER, OPTIONS_OF_THE_VERB, V(RUN), TO(n_tokens), "N", NULL, -1, 2147483647.0,
        "generate at most N tokens; -1: to the end of the answer or of the context"},
    {{"-p", "--prompt"}, OPTION_INTEGER, OPTIONS_OF_THE_VERB, V(PLAN) | V(BENCH), TO(n_prompt), "N", NULL, 1, 16777216,
        "tokens of the prompt (default 512)"},
    {{"--parallel"}, OPTION_INTEGER, OPTIONS_OF_THE_VERB, V(PLAN) | V(BENCH), TO(n_parallel), "N", NULL, 1, 65536,
        "prompts that share every pass (bench: one, so far)"},
    {{"--what-if"}, OPTION_TEXT, OPTIONS_OF_THE_VERB, V(PLAN), TO(what_if), "LIST", NULL, 0, 0,
        "other ceilings or budgets: drive=7GB/s,memory=8G"},
    {{"--only"}, OPTION_TEXT, OPTIONS_OF_THE_VERB, V(PROFILE), TO(only), "LIST", NULL, 0, 0,
        "measure these alone: drive, mem, compute"},
    {{"--path"}, OPTION_TEXT, OPTIONS_OF_THE_VERB, V(PROFILE) | V(DOCTOR), TO(path), "DIR", NULL, 0, 0,
        "a folder or file on the drive in question (default: this folder)"},
    {{"--scratch"}, OPTION_SIZE, OPTIONS_OF_THE_VERB, V(PROFILE), TO(scratch), "SIZE", NULL, 0, 0,
        "write a file of SIZE into DIR, read that, and remove it"},
    {{"--perfetto"}, OPTION_TEXT, OPTIONS_OF_THE_VERB, V(REPLAY), TO(perfetto), "FILE", NULL, 0, 0,
        "write the recorded timeline to FILE, as JSON that Perfetto shows"},
    {{"--budgets"}, OPTION_TEXT, OPTIONS_OF_THE_VERB, V(BENCH), TO(budgets), "LIST", NULL, 0, 0,
        "budgets of the weights: min,25%,4G,all (default: what run would take)"},
    {{"-n", "--predict", "--n-predict"}, OPTION_INTEGER, OPTIONS_OF_THE_VERB, V(BENCH), TO(n_tokens), "N", NULL, 1, 65536,
        "tokens of a window, at least (default 4)"},
    {{"--seconds"}, OPTION_NUMBER, OPTIONS_OF_THE_VERB, V(BENCH), TO(seconds), "S", NULL, 0.01, 600,
        "seconds of a window, at least (default 2; with -n: as its tokens take)"},
    {{"--pairs"}, OPTION_INTEGER, OPTIONS_OF_THE_VERB, V(BENCH), TO(n_pairs), "N", NULL, 1, 32,
        "windows of generation, each with one of the ceiling (default 5)"},
    {{"--no-add-special"}, OPTION_FLAG, OPTIONS_OF_THE_VERB, V(TOKENIZE), TO(special_omitted), NULL, NULL, 0, 0,
        "leave out the begin and end tokens that the model adds"},
    {{"--special"}, OPTION_FLAG, OPTIONS_OF_THE_VERB, V(TOKENIZE), TO(special), NULL, NULL, 0, 0,
        "text of special tokens becomes those tokens"},
    {{"--special"}, OPTION_FLAG, OPTIONS_OF_THE_VERB, V(DETOKENIZE), TO(special), NULL, NULL, 0, 0,
        "show the text of special tokens"},
    {{"--pieces"}, OPTION_FLAG, OPTIONS_OF_THE_VERB, V(TOKENIZE), TO(pieces), NULL, NULL, 0, 0,
        "a line for each token: id, tab, bytes as a JSON string or hex:..."},
    {{"--tokens"}, OPTION_TEXT, OPTIONS_OF_THE_VERB, V(LOGITS), TO(tokens), "IDS", NULL, 0, 0,
        "the tokens to evaluate: 1,2,3"},
    {{"--start"}, OPTION_INTEGER, OPTIONS_OF_THE_VERB, V(LOGITS), TO(start), "N", NULL, 0, 2147483647.0,
        "position of the first token (default 0)"},
    {{"--layers"}, OPTION_FLAG, OPTIONS_OF_THE_VERB, V(LOGITS), TO(layers), NULL, NULL, 0, 0,
        "write the output of each layer too"},
    {{"-o", "--output"}, OPTION_TEXT, OPTIONS_OF_THE_VERB, V(LOGITS), TO(output), "FILE", NULL, 0, 0,
        "write to FILE (default, and -: standard output)"},
    {{"--type"}, OPTION_TEXT, OPTIONS_OF_THE_VERB, V(SYNTH), TO(type), "TYPE", NULL, 0, 0,
        "quantisation: Q4_K_M (default), Q4_0, Q8_0, Q4_K, Q6_K, F16, BF16 or F32"},
    {{"--size"}, OPTION_SIZE, OPTIONS_OF_THE_VERB, V(SYNTH), TO(size), "SIZE", NULL, 0, 0,
        "take as many layers as make a file of about SIZE"},
    {{"--router"}, OPTION_CHOICE, OPTIONS_OF_THE_VERB, V(SYNTH), TO(router), NULL, "skewed|switching|uniform", 0, 0,
        "how a mixture chooses its experts (default skewed)"},
    {{"--list"}, OPTION_FLAG, OPTIONS_OF_THE_VERB, V(SYNTH), TO(list), NULL, NULL, 0, 0,
        "list the shapes"},
    {{"--force"}, OPTION_FLAG, OPTIONS_OF_THE_VERB, V(SYNTH), TO(force), NULL, NULL, 0, 0,
        "replace FILE if it exists"},
    {{"-s", "--seed"}, OPTION_SEED, OPTIONS_OF_THE_VERB, V(SYNTH) | V(KCHECK), TO(seed), "N", NULL, 0, 0,
        "seed of the random numbers"},
    {{"--bench"}, OPTION_FLAG, OPTIONS_OF_THE_VERB, V(KCHECK), TO(bench), NULL, NULL, 0, 0,
        "measure the speed of each kernel too"},
    {{"--write"}, OPTION_FLAG, OPTIONS_OF_THE_VERB, V(VERIFY), TO(write), NULL, NULL, 0, 0,
        "make checksums, in place of those that are there"},
    {{"--budgets"}, OPTION_TEXT, OPTIONS_OF_THE_VERB, V(REPLAY), TO(budgets), "LIST", NULL, 0, 0,
        "sizes of the cache: 3%,25%,2G (percent: of all experts' bytes)"},

    {{"--man"}, OPTION_FLAG, OPTIONS_OF_THE_VERB, V(HELP), TO(manual), NULL, NULL, 0, 0,
        "write the manual page hypura(1)"},
    {{"--completion"}, OPTION_CHOICE, OPTIONS_OF_THE_VERB, V(HELP), TO(completion), NULL, "bash", 0, 0,
        "write the completion script of a shell"},

    {{"-s", "--seed"}, OPTION_SEED, OPTIONS_SAMPLING, V(RUN), TO(seed), "N", NULL, 0, 0,
        "seed of the sampler (default: drawn and shown)"},
    {{"--temp", "--temperature"}, OPTION_NUMBER, OPTIONS_SAMPLING, V(RUN), TO(temperature), "T", NULL, -1000, 1000,
        "temperature; 0 or less: always the likeliest token (default 0.8)"},
    {{"--top-k"}, OPTION_INTEGER, OPTIONS_SAMPLING, V(RUN), TO(top_k), "N", NULL, -1, 2147483647.0,
        "keep the N likeliest tokens; 0 or -1: all (default 40)"},
    {{"--top-p"}, OPTION_NUMBER, OPTIONS_SAMPLING, V(RUN), TO(top_p), "P", NULL, 0, 1,
        "keep the likeliest tokens that together reach P (default 0.95)"},
    {{"--min-p"}, OPTION_NUMBER, OPTIONS_SAMPLING, V(RUN), TO(min_p), "P", NULL, 0, 1,
        "drop tokens less likely than P times the likeliest (default 0.05)"},

    {{"-m", "--model"}, OPTION_TEXT, OPTIONS_MODEL, READS_MODEL, TO(model_option), "MODEL", NULL, 0, 0,
        "the model, in place of MODEL"},
    {{"--memory"}, OPTION_SHARE, OPTIONS_MODEL, LOADS_MODEL, TO(memory), "SIZE", NULL, 0, 0,
        "budget of the whole process: 2G, or 50% of the RAM"},
    {{"--weights"}, OPTION_BUDGET, OPTIONS_MODEL, LOADS_MODEL, TO(weights), "SIZE", NULL, 0, 0,
        "budget of the weights: 14M, 25% of the model's, all, or min"},
    {{"--reserve"}, OPTION_SHARE, OPTIONS_MODEL, LOADS_MODEL, TO(reserve), "SIZE", NULL, 0, 0,
        "memory to leave to others when no budget is given: 2G, or 50% of what there is"},
    {{"-t", "--threads"}, OPTION_INTEGER, OPTIONS_MODEL, LOADS_MODEL, TO(n_threads), "N", NULL, 1, 256,
        "compute threads (default: the usable physical cores)"},
    {{"--io"}, OPTION_CHOICE, OPTIONS_MODEL, LOADS_MODEL | V(VERIFY), TO(io), NULL, "auto|uring|threads", 0, 0,
        "how reads are made (default auto)"},
    {{"--direct"}, OPTION_CHOICE, OPTIONS_MODEL, LOADS_MODEL | V(VERIFY), TO(direct), NULL, "auto|on|off", 0, 0,
        "read past the page cache (default auto: where the file system allows it)"},
    {{"-c", "--ctx", "--ctx-size"}, OPTION_INTEGER, OPTIONS_MODEL, LOADS_MODEL, TO(n_ctx), "N", NULL, 0, 16777216,
        "context in tokens (default: the model's, at most 4096; perplexity: 512)"},
    {{"--kv"}, OPTION_CHOICE, OPTIONS_MODEL, LOADS_MODEL, TO(kv), NULL, "f16|f32", 0, 0,
        "type of the stored keys and values (default f16)"},
    {{"--ubatch", "-ub", "--ubatch-size"}, OPTION_INTEGER, OPTIONS_MODEL, LOADS_MODEL, TO(n_ubatch), "N", NULL, 1, 8192,
        "rows of a prompt that share one pass over the weights (default 512)"},
    {{"--mirror"}, OPTION_TEXTS, OPTIONS_MODEL, LOADS_MODEL, TO(mirrors), "PATH", NULL, 0, 0,
        "a copy of the model on another drive, to be read too; repeatable"},
    {{"--heat-map"}, OPTION_CHOICE, OPTIONS_MODEL, LOADS_MODEL, TO(heat_map), NULL, "auto|off", 0, 0,
        "begin with the experts that earlier runs used most (default auto)"},
    {{"--draft"}, OPTION_TEXT, OPTIONS_MODEL, V(RUN), TO(draft), "MODEL", NULL, 0, 0,
        "a small model of the same vocabulary guesses tokens ahead"},
    {{"--draft-ngram"}, OPTION_FLAG, OPTIONS_MODEL, V(RUN), TO(draft_ngram), NULL, NULL, 0, 0,
        "guess tokens ahead from what the text repeats"},
    {{"--override-kv"}, OPTION_TEXTS, OPTIONS_MODEL, READS_MODEL, TO(override_kv), "KEY=TYPE:VALUE", NULL, 0, 0,
        "change a metadata key: int, float, bool or str; KEY=none removes it"},
    {{"--f32-activations"}, OPTION_FLAG, OPTIONS_MODEL, LOADS_MODEL, TO(f32_activations), NULL, NULL, 0, 0,
        "do not quantise activations; slow, for verification"},

    {{"--json"}, OPTION_FLAG, OPTIONS_GENERAL, V(PROFILE) | V(DOCTOR) | V(INSPECT) | V(PLAN) | V(BENCH) | V(PERPLEXITY) | V(KCHECK) | V(VERIFY) | V(REPLAY) | V(VERSION) | V(HELP), TO(json), NULL, NULL, 0, 0,
        "write one JSON document"},
    {{"--trace"}, OPTION_TEXT, OPTIONS_GENERAL, V(RUN) | V(LOGITS) | V(PERPLEXITY), TO(trace), "FILE", NULL, 0, 0,
        "record uses of experts, reads and stalls into FILE, for 'hypura replay'"},
    {{"--stats"}, OPTION_OPTIONAL_TEXT, OPTIONS_GENERAL, RUNS_MODEL, TO(stats), "FILE", NULL, 0, 0,
        "write statistics as JSON to standard error, or to FILE"},
    {{"-v", "--verbose"}, OPTION_LEVEL, OPTIONS_GENERAL, ALL_VERBS, TO(verbosity), NULL, NULL, 0, 0,
        "say more; twice: say even more"},
    {{"-q", "--quiet"}, OPTION_FLAG, OPTIONS_GENERAL, ALL_VERBS, TO(quiet), NULL, NULL, 0, 0,
        "say nothing but errors"},
    {{"-h", "--help"}, OPTION_FLAG, OPTIONS_GENERAL, ALL_VERBS, TO(help_wanted), NULL, NULL, 0, 0,
        "show this text"},
};
// clang-format on

_Static_assert(COUNT(rows) <= OPTION_ROWS_MAX, "options_parse remembers which were seen");

size_t option_count(void)
{
    return COUNT(rows);
}

const OptionRow *option_row(size_t index)
{
    return &rows[index];
}
