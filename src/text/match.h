/*
 * The alternatives that pre-tokenizers are made of, each a small state machine. An
 * alternative is a row of data: which machine, over which sets of characters. Every
 * machine looks at characters [at, end) only, as if the fragment were the whole text, and
 * looks at each of them a fixed number of times, so that a stage is linear in its text.
 */
#ifndef HYPURA_TEXT_MATCH_H
#define HYPURA_TEXT_MATCH_H

#include "text/chars.h"

typedef struct Alternative Alternative;

/* Returns the end of the match that begins at `at`, or `at` where there is none. */
typedef size_t MatchFn(const Alternative *alternative, const Char *chars, size_t at, size_t end);

typedef struct CharRange {
    uint32_t first, last;
} CharRange;

/* What follows a run. */
typedef enum MatchTail {
    TAIL_NONE,
    TAIL_NEWLINES,             // [\r\n]*
    TAIL_NEWLINES_AND_SLASHES, // [\r\n/]*
    TAIL_ONE,                  // [\r\n/]?
    TAIL_CONTRACTION           // as match_contraction, or nothing
} MatchTail;

struct Alternative {
    MatchFn *match;
    uint32_t set;          // classes of the run
    uint32_t lead;         // classes of one optional character before it
    uint32_t lower;        // match_cased: classes of its second half
    uint32_t n_min, n_max; // match_some: length of the run
    MatchTail tail;
    bool ascii_case;         // match_cased: `set` without a-z, `lower` without A-Z
    bool without_han;        // match_cased: Han belongs to no set
    const char *extra;       // ASCII characters in the run's set besides its classes
    const CharRange *ranges; // match_ranges: up to a row of zeros
};

MatchFn match_contraction;       // 's 't 're 've 'm 'll 'd, ASCII case ignored
MatchFn match_contraction_lower; // the same in lower case only
MatchFn match_run;               // lead? set+ tail
MatchFn match_blank_run;         // U+0020? set+ tail
MatchFn match_some;              // set{n_min,n_max}
MatchFn match_ranges;            // characters of `ranges`, one or more
MatchFn match_han;               // Han, one or more
MatchFn match_cased;             // lead? set* lower+ tail, else lead? set+ lower* tail
MatchFn match_spaced_letters;    // lead? then L M*, its repetitions joined by single blanks
MatchFn match_ascii_word;        // one ASCII punctuation or symbol, then [A-Za-z]+
MatchFn match_sentence;          // U+0020? then neither white space nor sentence punctuation
MatchFn match_line;              // [^\n]+, else \n+

/* White space. In a run of it: up to and with the last line end; else all at the end of
 * the fragment; else all but its last character, so that a blank can join the next word. */
MatchFn match_space;
/* The same without the first rule. */
MatchFn match_blanks;

#endif
