#ifndef BASE_STR_H
#define BASE_STR_H
/* Text in motion: a borrowed pointer and a length, and the parsers that read numbers from it. */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct str {
	const char *p;
	size_t n;
};

#define STR(lit) ((struct str){ (lit), sizeof(lit) - 1 })
struct str str_of(const char *s); /* strlen */
bool str_eq(struct str a, const char *b);
bool str_starts(const char *s, const char *prefix);
bool str_ends(const char *s, const char *suffix);
/* Whole text a decimal number in [lo, hi]; false leaves *out alone. No sign but '-', no blanks. */
bool str_to_i64(const char *s, int64_t lo, int64_t hi, int64_t *out);
/* Whole text a finite decimal number; the locale does not matter. */
bool str_to_double(const char *s, double *out);
/* Length of the valid UTF-8 sequence at p (1 to 4), 0 if there is none (RFC 3629). */
size_t utf8_len(const char *p, size_t n);
bool utf8_valid(const char *p, size_t n);
/* Edit distance for "did you mean", by Damerau-Levenshtein (adjacent swaps cost one). */
int str_distance(const char *a, const char *b);
/* Which of some names a word was meant to be: guess_of(), guess_try() with each; then `best` is the
 * nearest (the first of equally near ones), NULL if none is within a slip of the pen: a third of
 * the word, at least one, at most three edits. */
struct guess {
	const char *word, *best;
	int least;
};
struct guess guess_of(const char *word);
void guess_try(struct guess *g, const char *name);
/* The same with a list that NULL ends. */
const char *str_nearest(const char *word, const char *const *names);
/* Shell-style match over bytes where '*' and '?' do not match '/', '**' does, [a-z], [!a]; no
 * brace expansion, a leading dot is nothing special, backslash quotes. A pattern without '/'
 * matches at the top level only (FINE_PRINT "What is an output"). */
bool glob_match(const char *pattern, const char *text);
/* The same; pace(ctx) is called every few thousand steps and may leave by longjmp. */
bool glob_match_paced(const char *pattern, const char *text, void (*pace)(void *ctx), void *ctx);
/* True when the text holds a character that glob_match would treat specially. */
bool glob_is_pattern(const char *s);

#endif
