/*
 * The table of pre-tokenizers and the loop over its stages.
 *
 * In the comments: L letters, N numbers, P punctuation, S symbols, M marks, ␣ U+0020. Not
 * built: chameleon, deepseek-llm, jais-2; afmoe and tiny_aya, where a stage looks beyond
 * its piece; and the names that merge characters instead of bytes (gemma4,
 * granite-embed-multi-311m, sarvam-moe, whitespace).
 */
#include "text/pretokenize.h"

#include <stdio.h>

#include "text/match.h"

#define LETTER    CLASS_LETTER
#define NUMBER    CLASS_NUMBER
#define MARK      CLASS_MARK
#define SPACE     CLASS_SPACE
#define NEWLINE   CLASS(NEWLINE)
#define PS        (CLASS_PUNCTUATION | CLASS_SYMBOL)
#define UPPER     (CLASS(LU) | CLASS(LT) | CLASS(LM) | CLASS(LO) | MARK)
#define LOWER     (CLASS(LL) | CLASS(LM) | CLASS(LO) | MARK)
#define OTHER     (~(SPACE | LETTER | NUMBER))   // [^\s L N]
#define WORD_LEAD (~(NEWLINE | LETTER | NUMBER)) // [^\r\n L N]
#define TEXT_LEAD (~(NEWLINE | LETTER | PS))     // [^\r\n L P S]

static const CharRange han_kana[] = {{0x4e00, 0x9fa5}, {0x3040, 0x30ff}, {0, 0}};
static const CharRange han_more_hangul[] = {{0x0800, 0x9fa5}, {0xac00, 0xd7ff}, {0, 0}};
static const CharRange hangul[] = {{0xac00, 0xd7a3}, {0x3131, 0x318e}, {0, 0}};
static const CharRange bopomofo[] = {{0x3105, 0x312f}, {0, 0}};
static const CharRange cjk_punctuation[] = {{0x2014, 0x2014}, {0x2018, 0x2019}, {0x201c, 0x201d},
    {0x2026, 0x2026}, {0x3001, 0x303f}, {0xfe30, 0xfe4f}, {0xff01, 0xff01}, {0xff0c, 0xff0c},
    {0xff1a, 0xff1b}, {0, 0}};

// clang-format off
static const Alternative contraction       = {.match = match_contraction};
static const Alternative contraction_lower = {.match = match_contraction_lower};
static const Alternative spaces            = {.match = match_space};
static const Alternative blanks            = {.match = match_blanks};
static const Alternative blank_letters     = {.match = match_blank_run, .set = LETTER};  // ␣?L+
static const Alternative blank_numbers     = {.match = match_blank_run, .set = NUMBER};  // ␣?N+
static const Alternative blank_others      = {.match = match_blank_run, .set = OTHER};   // ␣?[^\s L N]+
static const Alternative others_newlines   = {.match = match_blank_run, .set = OTHER, .tail = TAIL_NEWLINES};
static const Alternative others_slashes    = {.match = match_blank_run, .set = OTHER, .tail = TAIL_NEWLINES_AND_SLASHES};
static const Alternative others_one        = {.match = match_blank_run, .set = OTHER, .tail = TAIL_ONE};
static const Alternative word              = {.match = match_run, .lead = WORD_LEAD, .set = LETTER};
static const Alternative word_marks        = {.match = match_run, .lead = WORD_LEAD, .set = LETTER | MARK};
static const Alternative others_markless   = {.match = match_blank_run, .set = OTHER & ~MARK, .tail = TAIL_NEWLINES};
static const Alternative spaced_words      = {.match = match_spaced_letters, .lead = WORD_LEAD};
static const Alternative number            = {.match = match_some, .set = NUMBER, .n_min = 1, .n_max = 1};
static const Alternative numbers_3         = {.match = match_some, .set = NUMBER, .n_min = 1, .n_max = 3}; // N{1,3}
static const Alternative number_run        = {.match = match_run, .set = NUMBER};
static const Alternative three_digits      = {.match = match_some, .extra = "0123456789", .n_min = 3, .n_max = 3};
static const Alternative line_end          = {.match = match_some, .set = NEWLINE, .n_min = 1, .n_max = 1};
static const Alternative line              = {.match = match_line};
static const Alternative sentence          = {.match = match_sentence};
static const Alternative marks             = {.match = match_run, .set = CLASS_PUNCTUATION, .extra = "$+<=>^~|"};
static const Alternative marks_backtick    = {.match = match_run, .set = CLASS_PUNCTUATION, .extra = "$+<=>^~|`"};
static const Alternative spaced_letters    = {.match = match_run, .lead = SPACE, .set = LETTER};            // \s?L+
static const Alternative spaced_marks      = {.match = match_run, .lead = SPACE, .set = CLASS_PUNCTUATION}; // \s?P+
static const Alternative han_run           = {.match = match_han};
static const Alternative han_kana_run      = {.match = match_ranges, .ranges = han_kana};
static const Alternative east_asian_run    = {.match = match_ranges, .ranges = han_more_hangul};
static const Alternative hangul_run        = {.match = match_ranges, .ranges = hangul};
static const Alternative cjk_mark_run      = {.match = match_ranges, .ranges = cjk_punctuation};
static const Alternative bopomofo_run      = {.match = match_ranges, .ranges = bopomofo};
static const Alternative ascii_word        = {.match = match_ascii_word};
static const Alternative text_word         = {.match = match_run, .lead = TEXT_LEAD, .set = LETTER | MARK};
static const Alternative ps_newlines       = {.match = match_blank_run, .set = PS, .tail = TAIL_NEWLINES};
static const Alternative ps_run            = {.match = match_blank_run, .set = PS};
// Words that begin upper and end lower: by ASCII alone, with marks, without Han, by category.
static const Alternative cased_tekken      = {.match = match_cased, .lead = WORD_LEAD, .set = LETTER, .lower = LETTER, .ascii_case = true};
static const Alternative cased_gpt_4o      = {.match = match_cased, .lead = WORD_LEAD, .set = LETTER, .lower = LETTER, .ascii_case = true, .tail = TAIL_CONTRACTION};
static const Alternative cased_granite     = {.match = match_cased, .lead = WORD_LEAD, .set = LETTER | MARK, .lower = LETTER | MARK, .ascii_case = true, .tail = TAIL_CONTRACTION};
static const Alternative cased_kimi        = {.match = match_cased, .lead = WORD_LEAD, .set = LETTER, .lower = LETTER, .ascii_case = true, .without_han = true, .tail = TAIL_CONTRACTION};
static const Alternative cased             = {.match = match_cased, .lead = WORD_LEAD, .set = UPPER, .lower = LOWER, .tail = TAIL_CONTRACTION};

/* Stages: at each place the first alternative that matches wins. */
typedef const Alternative *const Stage[];
static Stage gpt2          = {&contraction_lower, &blank_letters, &blank_numbers, &blank_others, &blanks, NULL};
static Stage llama3        = {&contraction, &word, &numbers_3, &others_newlines, &spaces, NULL};
static Stage qwen2         = {&contraction, &word, &number, &others_newlines, &spaces, NULL};
static Stage qwen35        = {&contraction, &word_marks, &number, &others_markless, &spaces, NULL};
static Stage minicpm5      = {&contraction, &word, &number_run, &others_newlines, &spaces, NULL};
static Stage ufakzeka      = {&word, &number, &others_newlines, &spaces, NULL};
static Stage seed_coder    = {&contraction, &word, &number, &blank_others, &spaces, NULL};
static Stage exaone_moe    = {&contraction, &spaced_words, &number, &others_one, &spaces, NULL};
static Stage tekken        = {&cased_tekken, &number, &others_slashes, &spaces, NULL};
static Stage gpt_4o        = {&cased_gpt_4o, &numbers_3, &others_slashes, &spaces, NULL};
static Stage granite_97m   = {&cased_granite, &numbers_3, &others_slashes, &spaces, NULL};
static Stage kimi_k2       = {&han_run, &cased_kimi, &numbers_3, &others_newlines, &spaces, NULL};
static Stage cased_singles = {&cased, &number, &others_slashes, &spaces, NULL};
static Stage deepseek_v3   = {&ascii_word, &text_word, &ps_newlines, &spaces, NULL};
static Stage spark2_5      = {&ascii_word, &text_word, &ps_run, &line_end, &blanks, NULL};
static Stage scripts       = {&hangul_run, &cjk_mark_run, &bopomofo_run, &han_kana_run, NULL};
static Stage by_marks      = {&marks, NULL};
static Stage by_backtick   = {&marks_backtick, NULL};
static Stage by_number     = {&number, NULL};
static Stage by_numbers_3  = {&numbers_3, NULL};
static Stage by_number_run = {&number_run, NULL};
static Stage by_digits     = {&three_digits, NULL};
static Stage by_line       = {&line, NULL};
static Stage by_line_end   = {&line_end, NULL};
static Stage by_sentence   = {&sentence, NULL};
static Stage by_letters    = {&spaced_letters, NULL};
static Stage by_punct      = {&spaced_marks, NULL};
static Stage by_han_kana   = {&han_kana_run, NULL};
static Stage by_east_asian = {&east_asian_run, NULL};
static Stage from_right    = {NULL}; // digits in threes from the right: split_from_right()

#define STAGES_MAX 6

struct Pretokenizer {
    const char *names; // separated by single blanks
    const Alternative *const *stages[STAGES_MAX];
    bool ignores_merges, adds_bos, cleans_spaces, strips_before_mask;
};

static const Pretokenizer rows[] = {
    {.names = "default", .stages = {by_marks, gpt2, by_number_run, by_digits}, .cleans_spaces = true},
    {.names = "gpt-2 mpt phi-2 jina-es jina-de gigachat a.x-4.0 mellum modern-bert jina-v1-en roberta-bpe olmo jais exaone4",
        .stages = {gpt2}, .cleans_spaces = true},
    {.names = "jina-v2-es jina-v2-de jina-v2-code", .stages = {gpt2}, .cleans_spaces = true, .strips_before_mask = true},
    {.names = "trillion granite-docling", .stages = {gpt2}},
    {.names = "starcoder refact codeshell exaone minerva-7b mellum2", .stages = {by_number, gpt2}, .cleans_spaces = true},
    {.names = "command-r smollm", .stages = {by_number, gpt2}},
    {.names = "falcon", .stages = {by_backtick, gpt2, by_digits}, .cleans_spaces = true},
    {.names = "llama3 llama-v3 llama-bpe falcon3 falcon-h1 pixtral midm-2.0 lfm2 jina-v5-nano",
        .stages = {llama3}, .ignores_merges = true, .adds_bos = true, .cleans_spaces = true},
    {.names = "dbrx smaug-bpe glm4 chatglm-bpe", .stages = {llama3}, .cleans_spaces = true},
    {.names = "qwen2 deepseek-r1-qwen kormo f2llmv2 bailingmoe bailingmoe2 llada-moe hunyuan grok-2 solar-open", .stages = {qwen2}},
    {.names = "stablelm2 megrez", .stages = {qwen2}, .cleans_spaces = true},
    {.names = "qwen35", .stages = {qwen35}},
    {.names = "minicpm5", .stages = {by_numbers_3, minicpm5}, .ignores_merges = true, .cleans_spaces = true},
    {.names = "ufakzeka", .stages = {ufakzeka}},
    {.names = "laguna", .stages = {by_line, qwen2}},
    {.names = "seed-coder", .stages = {seed_coder}},
    {.names = "exaone-moe", .stages = {exaone_moe}, .cleans_spaces = true},
    {.names = "tekken", .stages = {tekken}, .ignores_merges = true, .adds_bos = true},
    {.names = "gpt-4o llama4 kanana2 talkie minimax-m2", .stages = {gpt_4o}},
    {.names = "granite-embed-multi-97m", .stages = {granite_97m}, .ignores_merges = true},
    {.names = "kimi-k2", .stages = {kimi_k2}},
    {.names = "youtu", .stages = {scripts, cased_singles}, .ignores_merges = true},
    {.names = "superbpe", .stages = {by_number_run, from_right}},
    {.names = "deepseek-v3 hunyuan-dense hy_v4 joyai-llm", .stages = {by_numbers_3, by_han_kana, deepseek_v3}},
    {.names = "spark2_5", .stages = {by_numbers_3, by_han_kana, spark2_5, by_number}},
    {.names = "deepseek-coder", .stages = {by_line_end, by_letters, by_punct, by_east_asian, by_number}},
    {.names = "bloom gpt3-finnish", .stages = {by_sentence}, .cleans_spaces = true},
    {.names = "poro-chat", .stages = {by_sentence}},
    {.names = "viking", .stages = {by_sentence, by_number}},
};
// clang-format on

static bool row_has_name(const Pretokenizer *row, StringView name)
{
    for (const char *at = row->names; *at;) {
        size_t n = strcspn(at, " ");
        if (view_equal((StringView){at, n}, name)) return true;
        at += n + (at[n] == ' ');
    }
    return false;
}

const Pretokenizer *pretokenizer_find(StringView name)
{
    for (size_t i = 0; i < COUNT(rows); i++)
        if (row_has_name(&rows[i], name)) return &rows[i];
    return NULL;
}

void pretokenizer_list(char *out, size_t n_bytes)
{
    size_t n = 0;

    for (size_t i = 0; i < COUNT(rows) && n < n_bytes; i++)
        n += (size_t)snprintf(out + n, n_bytes - n, "%s%.*s", i == 0 ? "" : ", ",
            (int)strcspn(rows[i].names, " "), rows[i].names);
}

bool pretokenizer_ignores_merges(const Pretokenizer *row)
{
    return row->ignores_merges;
}

bool pretokenizer_adds_bos(const Pretokenizer *row)
{
    return row->adds_bos;
}

bool pretokenizer_cleans_spaces(const Pretokenizer *row)
{
    return row->cleans_spaces;
}

bool pretokenizer_strips_before_mask(const Pretokenizer *row)
{
    return row->strips_before_mask;
}

size_t pretokenize_piece_end(const Char *chars, size_t at, size_t n)
{
    do at++;
    while (at < n && !(chars[at] & CHAR_BEGINS));
    return at;
}

/* Where the match that begins at `at` ends; `at`: nothing matches. */
static size_t match_stage(const Alternative *const *stage, const Char *chars, size_t at, size_t end)
{
    for (; *stage; stage++) {
        size_t next = (*stage)->match(*stage, chars, at, end);
        if (next > at) return next;
    }
    return at;
}

static void split(const Alternative *const *stage, Char *chars, size_t at, size_t end)
{
    while (at < end) {
        size_t next = match_stage(stage, chars, at, end);
        if (next == at) {
            at++; // part of the piece between two matches
            continue;
        }
        chars[at] |= CHAR_BEGINS;
        if (next < end) chars[next] |= CHAR_BEGINS;
        at = next;
    }
}

static bool is_digit(Char c)
{
    return char_code(c) >= '0' && char_code(c) <= '9';
}

/* Each run of digits into threes, the first piece one to three long. The run is counted
 * once: the patterns that say this look ahead to its end from every digit. */
static void split_from_right(Char *chars, size_t at, size_t end)
{
    while (at < end) {
        size_t stop = at;
        while (stop < end && is_digit(chars[stop])) stop++;
        for (size_t i = stop; i > at; i = i - at > 3 ? i - 3 : at)
            if (i < end) chars[i] |= CHAR_BEGINS;
        if (stop > at) chars[at] |= CHAR_BEGINS;
        at = stop > at ? stop : at + 1;
    }
}

void pretokenize(const Pretokenizer *row, Char *chars, size_t n)
{
    if (n == 0) return;
    chars[0] |= CHAR_BEGINS;
    for (size_t i = 0; i < STAGES_MAX && row->stages[i]; i++) {
        for (size_t at = 0, end; at < n; at = end) {
            end = pretokenize_piece_end(chars, at, n); // before new pieces begin in it
            if (row->stages[i] == from_right)
                split_from_right(chars, at, end);
            else
                split(row->stages[i], chars, at, end);
        }
    }
}
