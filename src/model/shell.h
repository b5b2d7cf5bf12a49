#ifndef MODEL_SHELL_H
#define MODEL_SHELL_H
/*
 * What one must know of the shell's grammar to put a value into a shell line safely, and to tell
 * which lines need no shell.
 */
#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/str.h"

/* Where a place of a shell line lies. Only the first three can hold a value. */
enum shell_place {
	SHELL_WORD,   /* outside quotes */
	SHELL_SINGLE, /* inside '...' */
	SHELL_DOUBLE, /* inside "..." */
	SHELL_BACKQUOTE,
	SHELL_ARITHMETIC,
	SHELL_HEREDOC,
	SHELL_COMMENT,
	SHELL_DOLLAR_SINGLE, /* $'...' */
	SHELL_BRACE,         /* ${...} */
	SHELL_SUBSTITUTION,  /* $(...) within double quotes */
	SHELL_ESCAPED,       /* directly behind a backslash or "$" */
	SHELL_UNSURE,        /* behind something that shells read differently */
};

/* `text` is a shell line without its placeholders, `holes` the offsets in it where they stand
 * (ascending); `place` receives one for each. */
void shell_places(struct str text, const size_t *holes, size_t n, enum shell_place *place);
/* "a here-document", for messages. */
const char *shell_place_name(enum shell_place p);

/* Appends `v` so that it is this value at such a place (the first three only). */
void shell_quote_word(struct buf *out, struct str v);   /* 'it'\''s' */
void shell_quote_single(struct buf *out, struct str v);
void shell_quote_double(struct buf *out, struct str v);
/* A word for people to paste: as it is if it needs no quotes, else quoted. */
void shell_add_word(struct buf *out, struct str v);

/* True when /bin/sh -c LINE does nothing but run the program LINE: only letters, digits and
 * _ - . / , : + @ %, and no keyword or builtin other than true, false, echo, printf, test. */
bool shell_is_plain(struct str line);
/* The first half of it: only such characters (true for an empty text). */
bool shell_plain_chars(struct str s);

#endif
