/* The machines of match.h. Comments give the pattern in regular-expression notation. */
#include "text/match.h"

static bool is_ascii_lower(Char c)
{
    return char_code(c) >= 'a' && char_code(c) <= 'z';
}

static bool is_ascii_upper(Char c)
{
    return char_code(c) >= 'A' && char_code(c) <= 'Z';
}

static bool is_line_end(Char c)
{
    return char_is_in(c, CLASS(NEWLINE));
}

static bool is_extra(const char *extra, Char c)
{
    uint32_t code = char_code(c);

    return extra && code > 0 && code < 128 && strchr(extra, (int)code);
}

static bool is_in_set(const Alternative *a, Char c)
{
    return char_is_in(c, a->set) || is_extra(a->extra, c);
}

/* Letters after an apostrophe at `at` that make a contraction; 0: none. */
static size_t contraction_letters(const Char *chars, size_t at, size_t end, uint32_t case_bit)
{
    if (end - at < 2 || char_code(chars[at]) != '\'') return 0;

    uint32_t a = char_code(chars[at + 1]) | case_bit;
    if (a == 's' || a == 't' || a == 'm' || a == 'd') return 1;
    if (end - at < 3) return 0;

    uint32_t b = char_code(chars[at + 2]) | case_bit;
    bool is_pair = (a == 'r' && b == 'e') || (a == 'v' && b == 'e') || (a == 'l' && b == 'l');
    return is_pair ? 2 : 0;
}

static size_t after_contraction(const Char *chars, size_t at, size_t end, uint32_t case_bit)
{
    size_t n = contraction_letters(chars, at, end, case_bit);

    return n == 0 ? at : at + 1 + n;
}

size_t match_contraction(const Alternative *a, const Char *chars, size_t at, size_t end)
{
    (void)a;
    return after_contraction(chars, at, end, 0x20);
}

size_t match_contraction_lower(const Alternative *a, const Char *chars, size_t at, size_t end)
{
    (void)a;
    return after_contraction(chars, at, end, 0);
}

static size_t skip_tail(MatchTail tail, const Char *chars, size_t at, size_t end)
{
    switch (tail) {
    case TAIL_NONE: return at;
    case TAIL_NEWLINES:
        while (at < end && is_line_end(chars[at])) at++;
        return at;
    case TAIL_NEWLINES_AND_SLASHES:
        while (at < end && (is_line_end(chars[at]) || char_code(chars[at]) == '/')) at++;
        return at;
    case TAIL_ONE:
        return at < end && (is_line_end(chars[at]) || char_code(chars[at]) == '/') ? at + 1 : at;
    case TAIL_CONTRACTION: return after_contraction(chars, at, end, 0x20);
    }
    return at;
}

static size_t skip_set(const Alternative *a, const Char *chars, size_t at, size_t end)
{
    while (at < end && is_in_set(a, chars[at])) at++;
    return at;
}

size_t match_run(const Alternative *a, const Char *chars, size_t at, size_t end)
{
    size_t first = at;

    if (char_is_in(chars[at], a->lead) && at + 1 < end && is_in_set(a, chars[at + 1])) first++;
    if (!is_in_set(a, chars[first])) return at;
    return skip_tail(a->tail, chars, skip_set(a, chars, first, end), end);
}

size_t match_blank_run(const Alternative *a, const Char *chars, size_t at, size_t end)
{
    size_t first = char_code(chars[at]) == ' ' ? at + 1 : at;

    if (first == end || !is_in_set(a, chars[first])) return at;
    return skip_tail(a->tail, chars, skip_set(a, chars, first, end), end);
}

size_t match_some(const Alternative *a, const Char *chars, size_t at, size_t end)
{
    size_t last = end - at < a->n_max ? end : at + a->n_max;
    size_t i = skip_set(a, chars, at, last);

    return i - at < a->n_min ? at : i;
}

static bool is_in_ranges(const CharRange *ranges, Char c)
{
    uint32_t code = char_code(c);

    for (; ranges->last > 0; ranges++)
        if (code >= ranges->first && code <= ranges->last) return true;
    return false;
}

size_t match_ranges(const Alternative *a, const Char *chars, size_t at, size_t end)
{
    while (at < end && is_in_ranges(a->ranges, chars[at])) at++;
    return at;
}

size_t match_han(const Alternative *a, const Char *chars, size_t at, size_t end)
{
    (void)a;
    while (at < end && char_is_han(chars[at])) at++;
    return at;
}

static bool is_upper(const Alternative *a, Char c)
{
    return char_is_in(c, a->set) && !(a->ascii_case && is_ascii_lower(c))
           && !(a->without_han && char_is_han(c));
}

static bool is_lower(const Alternative *a, Char c)
{
    return char_is_in(c, a->lower) && !(a->ascii_case && is_ascii_upper(c))
           && !(a->without_han && char_is_han(c));
}

/* upper* lower+ from `at`. The sets overlap: where no lower follows the longest run of
 * uppers, the match ends with the last of them that is a lower too. */
static size_t skip_upper_lower(const Alternative *a, const Char *chars, size_t at, size_t end)
{
    size_t last = at, i = at;

    for (; i < end && is_upper(a, chars[i]); i++)
        if (is_lower(a, chars[i])) last = i + 1;
    if (i == end || !is_lower(a, chars[i])) return last;
    while (i < end && is_lower(a, chars[i])) i++;
    return i;
}

/* upper+ lower* from `at`. */
static size_t skip_upper(const Alternative *a, const Char *chars, size_t at, size_t end)
{
    size_t i = at;

    while (i < end && is_upper(a, chars[i])) i++;
    if (i == at) return at;
    while (i < end && is_lower(a, chars[i])) i++;
    return i;
}

size_t match_cased(const Alternative *a, const Char *chars, size_t at, size_t end)
{
    size_t led = char_is_in(chars[at], a->lead) ? at + 1 : at;
    size_t stop = skip_upper_lower(a, chars, led, end);

    if (stop == led) {
        stop = skip_upper_lower(a, chars, at, end);
        if (stop == at) {
            stop = skip_upper(a, chars, led, end);
            if (stop == led) stop = skip_upper(a, chars, at, end);
            if (stop == at) return at;
        }
    }
    return skip_tail(a->tail, chars, stop, end);
}

size_t match_spaced_letters(const Alternative *a, const Char *chars, size_t at, size_t end)
{
    size_t i = at;

    if (char_is_in(chars[i], a->lead)) i++;
    if (i == end || !char_is_in(chars[i], CLASS_LETTER)) return at;
    while (i < end && char_is_in(chars[i], CLASS_LETTER)) {
        i++;
        while (i < end && char_is_in(chars[i], CLASS_MARK)) i++;
        bool joined =
            i + 1 < end && char_code(chars[i]) == ' ' && char_is_in(chars[i + 1], CLASS_LETTER);
        if (joined) i++;
    }
    return i;
}

static bool is_ascii_mark(Char c)
{
    return char_code(c) < 128 && char_is_in(c, CLASS_PUNCTUATION | CLASS_SYMBOL);
}

size_t match_ascii_word(const Alternative *a, const Char *chars, size_t at, size_t end)
{
    size_t i = at + 1;

    (void)a;
    if (!is_ascii_mark(chars[at])) return at;
    while (i < end && (is_ascii_lower(chars[i]) || is_ascii_upper(chars[i]))) i++;
    return i == at + 1 ? at : i;
}

/* One of ( | . , ! ? ) and of the full stops, commas and dots of other scripts. */
static bool ends_sentence(Char c)
{
    static const uint32_t others[] = {0x60c, 0x6d4, 0x964, 0x2026, 0x3001, 0x3002, 0xff0c};

    if (is_extra("(|.,!?)", c)) return true;
    for (size_t i = 0; i < sizeof(others) / sizeof(*others); i++)
        if (char_code(c) == others[i]) return true;
    return false;
}

size_t match_sentence(const Alternative *a, const Char *chars, size_t at, size_t end)
{
    size_t first = char_code(chars[at]) == ' ' ? at + 1 : at, i = first;

    (void)a;
    while (i < end && !char_is_in(chars[i], CLASS_SPACE) && !ends_sentence(chars[i])) i++;
    return i == first ? at : i;
}

size_t match_line(const Alternative *a, const Char *chars, size_t at, size_t end)
{
    bool breaks = char_code(chars[at]) == '\n';
    size_t i = at;

    (void)a;
    while (i < end && (char_code(chars[i]) == '\n') == breaks) i++;
    return i;
}

size_t match_blanks(const Alternative *a, const Char *chars, size_t at, size_t end)
{
    size_t i = at;

    (void)a;
    while (i < end && char_is_in(chars[i], CLASS_SPACE)) i++;
    return i == end || i - at < 2 ? i : i - 1;
}

size_t match_space(const Alternative *a, const Char *chars, size_t at, size_t end)
{
    size_t i = at, after_line_end = at;

    for (; i < end && char_is_in(chars[i], CLASS_SPACE); i++)
        if (is_line_end(chars[i])) after_line_end = i + 1;
    return after_line_end > at ? after_line_end : match_blanks(a, chars, at, end);
}
