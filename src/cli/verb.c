/* The table of verbs, and the search for what a misspelt word meant.
 *
 * Names, arguments and results are those of docs/cli.md. A verb that a later version
 * brings is known by name, so that the answer is "not yet" and not "what?". */
#include "cli/verb.h"

#include <stdint.h>
#include <string.h>

#include "base/error.h"

#define ANY_NUMBER SIZE_MAX

// clang-format off
static const VerbRow verb_rows[VERBS] = {
    [VERB_RUN] = {"run", "MODEL [PROMPT]", "continue a prompt and stream the text",
        "The prompt is PROMPT, in quotes if it has several words, the content of -f FILE, or\n"
        "standard input when that is not a terminal. One line end at the end of a file or of\n"
        "standard input is dropped. Only the generated text goes to standard\n"
        "output. Chat templates are not built in yet: --raw says that the text is to be\n"
        "continued as it is.\n"
        "\n"
        "With --prompts FILE -o OUT each line of FILE is a JSON object with a \"prompt\" (and\n"
        "\"id\", \"n\", \"seed\", \"temp\", \"stop\"), and its answer a line of OUT. All of them\n"
        "share every pass over the weights. Lines that OUT holds already are kept.\n"
        "\n"
        "Ctrl-C ends the text after the current token, a second one ends the program.\n",
        true, 0, 1},
    [VERB_INSPECT] = {"inspect", "MODEL", "show metadata, tensors by kind and type, bytes",
        "Works for every GGUF file, also of architectures that cannot be run and of files\n"
        "whose tensor data is missing. With -v every tensor is listed.\n",
        true, 0, 0},
    [VERB_PLAN] = {"plan", "MODEL", "predict memory, speed and bottleneck without running",
        "Reads the header alone. Speeds are intervals; what `hypura profile` measured on this\n"
        "machine makes them narrow. --what-if takes drive=7GB/s, memory=50GB/s and\n"
        "compute=30GB/s for ceilings, memory=8G and weights=50% for budgets.\n",
        true, 0, 0},
    [VERB_PROFILE] = {"profile", "", "measure what drive, memory and processor can do",
        "Reads large files that are there, past the page cache; writes none without --scratch.\n"
        "Takes at most 30 seconds. The figures are kept in the cache folder for `hypura plan`.\n",
        false, 0, 0},
    [VERB_DOCTOR] = {"doctor", "", "tell what this machine offers and lacks, and what follows",
        "Changes nothing. Ends with status 7 when something essential is missing.\n",
        false, 0, 0},
    [VERB_BENCH] = {"bench", "MODEL", "measure prompt and generation speed beside the drive's ceiling",
        "For each of --budgets the model is opened, a prompt of --prompt tokens evaluated cold\n"
        "and warm, and --pairs windows of generation are timed, each behind a window of the\n"
        "drive's ceiling on the same file, at the size and depth of the run's own reads. A\n"
        "window lasts --seconds, and -n tokens at least.\n",
        true, 0, 0},
    [VERB_TOKENIZE] = {"tokenize", "MODEL", "turn standard input into token ids",
        "Reads any bytes from standard input and writes the ids on one line.\n",
        true, 0, 0},
    [VERB_DETOKENIZE] = {"detokenize", "MODEL [ID...]", "turn token ids into bytes",
        "Takes the ids from the arguments, or from standard input when there are none.\n"
        "Blanks, commas and line ends separate them. Nothing is added to the bytes.\n",
        true, 0, ANY_NUMBER},
    [VERB_LOGITS] = {"logits", "MODEL --tokens IDS", "compute the logits of every token",
        "Writes a GGUF file with the F32 tensor 'logits' [n_vocab, n_tokens] and, with\n"
        "--layers, 'l_out-<layer>' and 'result_norm' [n_embd, n_tokens].\n",
        true, 0, 0},
    [VERB_PERPLEXITY] = {"perplexity", "MODEL -f FILE", "measure how well a model predicts a text",
        "The text is cut into windows of --ctx tokens (default 512), each evaluated by\n"
        "itself; the second half of each is scored, and a partial last window is dropped.\n",
        true, 0, 0},
    [VERB_SYNTH] = {"synth", "SHAPE FILE", "write a model of random weights, for measuring",
        "The file is valid and runs; its text is noise. It is written past the page cache,\n"
        "as FILE.partial until it is whole, and is the same for the same --seed.\n",
        false, 0, 2},
    [VERB_KCHECK] = {"kcheck", "", "compare every kernel with the scalar reference, bit by bit",
        "Ends with status 7 when a kernel differs.\n",
        false, 0, 0},
    [VERB_VERIFY] = {"verify", "MODEL", "make checksums of a model, or hold it against them",
        "With --write, makes checksums of all bytes: MODEL.sums, beside the model or, where that\n"
        "folder cannot be written to, in the cache folder. Without it, reads all bytes and ends\n"
        "with status 7 when one differs. Runs use checksums that are there.\n",
        true, 0, 0},
    [VERB_REPLAY] = {"replay", "TRACE", "run recorded accesses through cache policies",
        "TRACE is a run recorded with --trace, or routing as text\n"
        "(phase,token,layer,rank,expert). Hit rates are of the decode\n"
        "part, from a cold cache; belady knows what comes, static is the best fixed set.\n",
        false, 0, 1},
    [VERB_VERSION] = {"version", "", "show the version", "", false, 0, 0},
    [VERB_HELP] = {"help", "[VERB]", "explain a verb and its options", "", false, 0, 1},
};

static const char *const planned_verbs[] = {
    "render", "serve", "pull", "list",
    "show", "rm", "cp", "ps", "top", "connect",
};
// clang-format on

const VerbRow *verb_row(Verb verb)
{
    return &verb_rows[verb];
}

bool verb_find(const char *name, Verb *out)
{
    for (size_t i = 0; i < VERBS; i++) {
        if (strcmp(name, verb_rows[i].name) != 0) continue;
        *out = (Verb)i;
        return true;
    }
    return false;
}

bool verb_is_planned(const char *name)
{
    for (size_t i = 0; i < COUNT(planned_verbs); i++)
        if (strcmp(name, planned_verbs[i]) == 0) return true;
    return false;
}

const char *verb_nearest(const char *name)
{
    const char *nearest = NULL;
    unsigned least = 3; // two edits are a slip, three are another word

    for (size_t i = 0; i < VERBS; i++) {
        unsigned distance = verb_edit_distance(name, verb_rows[i].name);
        if (distance >= least) continue;
        least = distance;
        nearest = verb_rows[i].name;
    }
    return nearest;
}

/* Levenshtein 1966, one row of the table at a time. */
unsigned verb_edit_distance(const char *a, const char *b)
{
    unsigned row[65];
    size_t n_a = strnlen(a, 64), n_b = strnlen(b, 64);

    for (size_t j = 0; j <= n_b; j++) row[j] = (unsigned)j;
    for (size_t i = 1; i <= n_a; i++) {
        unsigned diagonal = row[0];
        row[0] = (unsigned)i;
        for (size_t j = 1; j <= n_b; j++) {
            unsigned best = diagonal + (a[i - 1] != b[j - 1]);
            diagonal = row[j];
            if (row[j] + 1 < best) best = row[j] + 1;
            if (row[j - 1] + 1 < best) best = row[j - 1] + 1;
            row[j] = best;
        }
    }
    return row[n_b];
}
