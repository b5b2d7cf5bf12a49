/* Commands made of templates, and what the columns are called elsewhere. */
#include <stdio.h>

#include "base/base.h"
#include "model/shell.h"
#include "model/template.h"

/* True for "^path"; a doubled ^ is text. Moves *word to what is to be compiled. */
static bool take_caret(struct str *word)
{
	if (!word->n || word->p[0] != '^')
		return false;
	word->p++;
	word->n--;
	return !(word->n && word->p[0] == '^');
}

static int compile_word(struct command_word *w, const char *text, const struct columns *columns,
			bool *file, struct err *err)
{
	struct str word = str_of(text);

	*file = take_caret(&word);
	w->kind = *file ? WORD_FILE : WORD_TEXT;
	if (*file && !word.n)
		return err_set(err, ERR_USAGE,
			       "the word ^ names no file (to pass a word that begins with ^, write "
			       "^^)");
	return template_compile(&w->t, word, TEMPLATE_TEXT, columns, err);
}

static int compile_line(struct command *c, const char *text, const struct columns *columns,
			struct err *err)
{
	struct str line = str_of(text);

	take_caret(&line);
	c->shell = true;
	c->maybe_plain = true;
	if (template_compile(&c->word[0].t, line, TEMPLATE_SHELL, columns, err) < 0)
		return -1;
	for (size_t i = 0; i < c->word[0].t.n; i++)
		if (!shell_plain_chars(c->word[0].t.piece[i].text))
			c->maybe_plain = false;
	return 0;
}

int command_compile(struct command *c, const char *const *words, size_t n,
		    const struct columns *columns, struct err *err)
{
	bool file;

	*c = (struct command){ .word = xcalloc(n, sizeof(*c->word)) };
	if (n == 1 && !words[0][strspn(words[0], " \t\n")]) {
		err_set(err, ERR_USAGE, "the command is empty");
		goto fail;
	}
	if (n == 1 && (words[0][0] != '^' || words[0][1] == '^')) {
		c->n = 1;
		if (compile_line(c, words[0], columns, err) < 0)
			goto fail;
		return 0;
	}
	for (size_t i = 0; i < n; i++) {
		c->n = i + 1;
		if (compile_word(&c->word[i], words[i], columns, &file, err) < 0)
			goto fail;
		c->files |= file;
	}
	if (c->word[0].kind == WORD_TEXT && c->word[0].t.n == 0) {
		err_set(err, ERR_USAGE, "the first word of the command is empty");
		goto fail;
	}
	return 0;
fail:
	command_release(c);
	return -1;
}

void command_release(struct command *c)
{
	for (size_t i = 0; i < c->n; i++)
		template_release(&c->word[i].t);
	free(c->word);
	*c = (struct command){ .word = NULL };
}

bool command_expand_line(const struct command *c, const struct str *row, struct buf *out)
{
	const struct template *t = &c->word[0].t;
	size_t begin = out->n;

	if (c->maybe_plain) {
		for (size_t i = 0; i < t->n; i++)
			buf_addstr(out, t->piece[i].column == TEMPLATE_LITERAL
						? t->piece[i].text
						: row[t->piece[i].column]);
		if (shell_is_plain((struct str){ out->p + begin, out->n - begin }))
			return true;
		out->n = begin;
	}
	template_expand(t, row, out);
	return false;
}

/* ---- names of columns ------------------------------------------------------------------- */

static char *param_name(struct str column)
{
	struct buf b = BUF_INIT;
	size_t k;

	buf_adds(&b, "KQ_PARAM_");
	for (size_t i = 0; i < column.n; i += k) {
		char c = column.p[i];
		bool keep =
			(c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');

		buf_addch(&b, keep ? c : '_');
		k = utf8_len(column.p + i, column.n - i);
		k = k ? k : 1;
	}
	return buf_detach(&b);
}

void param_names_init(struct param_names *p, const struct columns *columns)
{
	*p = (struct param_names){ xcalloc(columns->n + 1, sizeof(char *)), columns->n, 0 };
	for (size_t i = 0; i < columns->n; i++)
		p->name[i] = param_name(columns->name[i]);
	bool *clash = xcalloc(columns->n + 1, sizeof(*clash));

	for (size_t i = 0; i < columns->n; i++)
		for (size_t k = i + 1; k < columns->n; k++)
			if (strcmp(p->name[i], p->name[k]) == 0)
				clash[i] = clash[k] = true;
	for (size_t i = 0; i < columns->n; i++) {
		if (!clash[i])
			continue;
		free(p->name[i]);
		p->name[i] = NULL;
		p->clashes++;
	}
	free(clash);
}

void param_names_release(struct param_names *p)
{
	for (size_t i = 0; i < p->n; i++)
		free(p->name[i]);
	free(p->name);
	*p = (struct param_names){ NULL, 0, 0 };
}

void param_names_explain(const struct param_names *p, const struct columns *columns,
			 struct buf *out)
{
	const char *between = "columns ";

	for (size_t i = 0; i < p->n; i++) {
		if (p->name[i])
			continue;
		buf_addf(out, "%s\"%.*s\"", between, (int)MIN(columns->name[i].n, 100),
			 columns->name[i].p);
		between = ", ";
	}
	buf_adds(out, " give the same KQ_PARAM_ name as another: these variables are not set (use "
		      "{name}, or the file in KQ_PARAMS)");
}

void columns_add_list(struct buf *out, const struct columns *columns)
{
	enum { SHOWN = 20 };

	for (size_t i = 0; i < MIN(columns->n, (size_t)SHOWN); i++) {
		struct str name = columns->name[i];

		buf_addf(out, "%s%.*s%s", i ? ", " : "", (int)MIN(name.n, 100), name.p,
			 placeholder_name(name) ? "" : " (no placeholder name)");
	}
	if (columns->n > SHOWN)
		buf_addf(out, ", and %zu more", columns->n - SHOWN);
}

const struct str *columns_nearest(const struct columns *columns, struct str name)
{
	const struct str *best = NULL;
	char want[64], have[64];
	int distance;

	if (name.n >= sizeof(want))
		return NULL;
	snprintf(want, sizeof(want), "%.*s", (int)name.n, name.p);
	distance = name.n > 4 ? 3 : 2;
	for (size_t i = 0; i < columns->n; i++) {
		const struct str *c = &columns->name[i];
		int d;

		if (c->n >= sizeof(have) || !placeholder_name(*c))
			continue;
		snprintf(have, sizeof(have), "%.*s", (int)c->n, c->p);
		d = strcasecmp(want, have) == 0 ? 0 : str_distance(want, have);
		if (d < distance && (size_t)d < name.n) {
			distance = d;
			best = c;
		}
	}
	return best;
}
