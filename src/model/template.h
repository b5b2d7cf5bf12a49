#ifndef MODEL_TEMPLATE_H
#define MODEL_TEMPLATE_H
/*
 * `{name}` in commands, inputs, environment and directories: compiled once a job, expanded once a
 * row. Left to right, the first that fits: {{{name}}} -> {VALUE}; {{name}} -> {name};
 * ${name} -> itself; {name} -> VALUE; any other character -> itself. A value is never looked at
 * again. Without columns nothing is replaced, not even {{name}}.
 *
 * In a shell line each value is quoted for the place where its placeholder stands (model/shell.h);
 * a place where that is impossible is ERR_USAGE at compile time.
 */
#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"

/* The columns of the parameters; names are borrowed. n == 0: a job without parameters. */
struct columns {
	const struct str *name;
	size_t n;
};

enum template_kind {
	TEMPLATE_TEXT,  /* values as they are */
	TEMPLATE_SHELL, /* values quoted for /bin/sh */
};

enum template_quote { QUOTE_NONE, QUOTE_WORD, QUOTE_SINGLE, QUOTE_DOUBLE };

struct template_piece {
	struct str text;            /* literal, into template.text */
	size_t column;              /* TEMPLATE_LITERAL: none */
	enum template_quote quote;
};
#define TEMPLATE_LITERAL ((size_t)-1)

struct template {
	struct template_piece *piece;
	size_t n;
	char *text;   /* owned: all literals */
	size_t size;  /* bytes of all literals */
	bool constant; /* no placeholder: the same for every row */
};

/* Letters, digits and _ . : -, first a letter or "_". */
bool placeholder_name(struct str name);
/* The text is copied. A name that is no column is ERR_USAGE and lists the columns, the nearest
 * first. */
int template_compile(struct template *t, struct str text, enum template_kind kind,
		     const struct columns *columns, struct err *err);
void template_release(struct template *t);
/* Appends; row[i] is the value of column i. */
void template_expand(const struct template *t, const struct str *row, struct buf *out);

/*
 * A command: one word is a shell line, several are an argument vector. A word that begins with
 * "^" is a file to upload and stands for its path; "^^x" is the text "^x". In a shell line "^"
 * means nothing, but a single word that begins with "^" is an argument vector of one file.
 */
enum word_kind { WORD_TEXT, WORD_FILE };
struct command_word {
	enum word_kind kind;
	struct template t; /* WORD_FILE: of the path behind "^" */
};
struct command {
	bool shell;
	struct command_word *word; /* one if shell */
	size_t n;
	bool files;       /* some word is WORD_FILE */
	bool maybe_plain; /* shell: the literal parts would allow a plain word */
};
/* words: NUL-terminated texts, borrowed; n >= 1. An empty single word is ERR_USAGE. */
int command_compile(struct command *c, const char *const *words, size_t n,
		    const struct columns *columns, struct err *err);
void command_release(struct command *c);
/* A shell line for a row, appended. True: it is one plain word, and `out` got that word (to be run
 * without a shell); false: it is a line for /bin/sh -c, its values quoted. c->shell must hold. */
bool command_expand_line(const struct command *c, const struct str *row, struct buf *out);

/*
 * KQ_PARAM_<name> for each column, every character that is not a letter, digit or _ turned into _.
 * name[i] is "KQ_PARAM_x", or NULL when two columns give the same.
 */
struct param_names {
	char **name;
	size_t n;
	size_t clashes; /* how many are NULL */
};
enum { PARAM_ENV_MAX = 32 * 1024 }; /* larger values are not put into the environment */
void param_names_init(struct param_names *p, const struct columns *columns);
void param_names_release(struct param_names *p);
/* One sentence that names the columns of the first clash, for a warning; clashes must be > 0. */
void param_names_explain(const struct param_names *p, const struct columns *columns,
			 struct buf *out);

/* "a, b, 2nd (no placeholder name)": for messages; at most 20 are listed. */
void columns_add_list(struct buf *out, const struct columns *columns);
/* Nearest column name, or NULL if none is near. */
const struct str *columns_nearest(const struct columns *columns, struct str name);

#endif
