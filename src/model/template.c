#include "model/template.h"

#include <stdio.h>

#include "base/base.h"
#include "base/vec.h"
#include "model/shell.h"

static bool name_start(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

static bool name_char(char c)
{
	return name_start(c) || (c >= '0' && c <= '9') || c == '.' || c == ':' || c == '-';
}

bool placeholder_name(struct str name)
{
	if (!name.n || !name_start(name.p[0]))
		return false;
	for (size_t i = 1; i < name.n; i++)
		if (!name_char(name.p[i]))
			return false;
	return true;
}

/* ---- the grammar ------------------------------------------------------------------------ */

enum form { FORM_CHAR, FORM_VALUE, FORM_BRACED_VALUE, FORM_LITERAL, FORM_DOLLAR };

/* True if the text at `at` is `open` braces, a name and as many closing ones. */
static bool fits(struct str t, size_t at, size_t open, struct str *name)
{
	size_t i = at;

	for (; i < at + open; i++)
		if (i >= t.n || t.p[i] != '{')
			return false;
	*name = (struct str){ t.p + i, 0 };
	if (i >= t.n || !name_start(t.p[i]))
		return false;
	while (i < t.n && name_char(t.p[i]))
		i++;
	name->n = (size_t)(t.p + i - name->p);
	if (t.n - i < open)
		return false;
	for (size_t k = 0; k < open; k++)
		if (t.p[i + k] != '}')
			return false;
	return true;
}

/* What stands at `at`, its name, and how many bytes it takes. */
static enum form form_at(struct str t, size_t at, struct str *name, size_t *len)
{
	static const struct {
		size_t open;
		enum form form;
	} forms[] = { { 3, FORM_BRACED_VALUE }, { 2, FORM_LITERAL }, { 1, FORM_VALUE } };

	*len = 1;
	if (t.p[at] == '$' && fits(t, at + 1, 1, name)) {
		*len = name->n + 3;
		return FORM_DOLLAR;
	}
	if (t.p[at] != '{')
		return FORM_CHAR;
	for (size_t i = 0; i < ARRAY_SIZE(forms); i++)
		if (fits(t, at, forms[i].open, name)) {
			*len = name->n + 2 * forms[i].open;
			return forms[i].form;
		}
	return FORM_CHAR;
}

/* ---- compiling -------------------------------------------------------------------------- */

struct hole {
	size_t at; /* in the literal text */
	size_t column;
	struct str name;
};

struct compiler {
	struct buf text; /* all literals, joined */
	VEC(struct hole) holes;
	const struct columns *columns;
};

static int unknown_name(const struct columns *columns, struct str name, struct err *err)
{
	const struct str *near = columns_nearest(columns, name);
	struct buf list = BUF_INIT;

	columns_add_list(&list, columns);
	err_set(err, ERR_USAGE,
		"{%.*s} is no column of the parameters%s%.*s%s; columns: %.1000s "
		"(for the braces themselves write {{%.*s}})",
		(int)MIN(name.n, 100), name.p, near ? " (did you mean {" : "",
		near ? (int)MIN(near->n, 100) : 0, near ? near->p : "", near ? "}?)" : "", list.p,
		(int)MIN(name.n, 100), name.p);
	buf_release(&list);
	return -1;
}

static int add_hole(struct compiler *c, struct str name, struct err *err)
{
	for (size_t i = 0; i < c->columns->n; i++) {
		const struct str *col = &c->columns->name[i];

		if (col->n == name.n && memcmp(col->p, name.p, name.n) == 0) {
			*vec_push(&c->holes) = (struct hole){ c->text.n, i, name };
			return 0;
		}
	}
	return unknown_name(c->columns, name, err);
}

static int scan(struct compiler *c, struct str text, struct err *err)
{
	size_t len;
	struct str name;

	buf_grow(&c->text, text.n);
	for (size_t i = 0; i < text.n; i += len) {
		if (text.p[i] != '{' && text.p[i] != '$') { /* a run without braces */
			for (len = 1; i + len < text.n; len++)
				if (text.p[i + len] == '{' || text.p[i + len] == '$')
					break;
			buf_add(&c->text, text.p + i, len);
			continue;
		}
		switch (form_at(text, i, &name, &len)) {
		case FORM_CHAR:
		case FORM_DOLLAR:
			buf_add(&c->text, text.p + i, len);
			break;
		case FORM_LITERAL:
			buf_add(&c->text, text.p + i + 1, len - 2);
			break;
		case FORM_BRACED_VALUE:
			buf_addch(&c->text, '{');
			if (add_hole(c, name, err) < 0)
				return -1;
			buf_addch(&c->text, '}');
			break;
		case FORM_VALUE:
			if (add_hole(c, name, err) < 0)
				return -1;
			break;
		}
	}
	return 0;
}

static void add_piece(struct template *t, struct template_piece p)
{
	if (p.column != TEMPLATE_LITERAL || p.text.n)
		t->piece[t->n++] = p;
}

/* Pieces out of text and holes; `place` may be NULL: nothing is quoted. */
static int assemble(struct template *t, const struct compiler *c, const enum shell_place *place,
		    struct err *err)
{
	static const enum template_quote quote_of[] = {
		[SHELL_WORD] = QUOTE_WORD,
		[SHELL_SINGLE] = QUOTE_SINGLE,
		[SHELL_DOUBLE] = QUOTE_DOUBLE,
	};
	size_t at = 0;

	t->piece = xcalloc(2 * c->holes.n + 1, sizeof(*t->piece));
	for (size_t i = 0; i < c->holes.n; i++) {
		const struct hole *h = &c->holes.p[i];

		if (place && place[i] >= ARRAY_SIZE(quote_of)) {
			struct columns all = { &h->name, 1 };
			struct param_names env;

			param_names_init(&env, &all);
			err_set(err, ERR_USAGE,
				"{%.*s} stands %s, where its value cannot be quoted safely: use "
				"\"$%.200s\" "
				"there",
				(int)MIN(h->name.n, 100), h->name.p, shell_place_name(place[i]),
				env.name[0]);
			param_names_release(&env);
			return -1;
		}
		add_piece(t, (struct template_piece){
				     { t->text + at, h->at - at }, TEMPLATE_LITERAL, QUOTE_NONE });
		add_piece(t, (struct template_piece){ { NULL, 0 }, h->column,
						      place ? quote_of[place[i]] : QUOTE_NONE });
		at = h->at;
	}
	add_piece(t, (struct template_piece){ { t->text + at, t->size - at }, TEMPLATE_LITERAL,
					      QUOTE_NONE });
	return 0;
}

static enum shell_place *find_places(const struct compiler *c)
{
	size_t *offset = xcalloc(c->holes.n + 1, sizeof(*offset));
	enum shell_place *place = xcalloc(c->holes.n + 1, sizeof(*place));

	for (size_t i = 0; i < c->holes.n; i++)
		offset[i] = c->holes.p[i].at;
	shell_places(buf_str(&c->text), offset, c->holes.n, place);
	free(offset);
	return place;
}

int template_compile(struct template *t, struct str text, enum template_kind kind,
		     const struct columns *columns, struct err *err)
{
	struct compiler c = { .text = BUF_INIT, .columns = columns };
	enum shell_place *place = NULL;
	int ret = -1;

	*t = (struct template){ NULL, 0, NULL, 0, true };
	if (!columns || !columns->n)
		buf_addstr(&c.text, text);
	else if (scan(&c, text, err) < 0)
		goto out;
	if (kind == TEMPLATE_SHELL && c.holes.n)
		place = find_places(&c);
	t->constant = c.holes.n == 0;
	t->size = c.text.n;
	t->text = xmemdup(c.text.p, c.text.n + 1);
	ret = assemble(t, &c, place, err);
out:
	if (ret < 0)
		template_release(t);
	free(place);
	vec_release(&c.holes);
	buf_release(&c.text);
	return ret;
}

void template_release(struct template *t)
{
	free(t->piece);
	free(t->text);
	*t = (struct template){ NULL, 0, NULL, 0, true };
}

void template_expand(const struct template *t, const struct str *row, struct buf *out)
{
	for (size_t i = 0; i < t->n; i++) {
		const struct template_piece *p = &t->piece[i];

		if (p->column == TEMPLATE_LITERAL) {
			buf_add(out, p->text.p, p->text.n);
			continue;
		}
		switch (p->quote) {
		case QUOTE_NONE: buf_addstr(out, row[p->column]); break;
		case QUOTE_WORD: shell_quote_word(out, row[p->column]); break;
		case QUOTE_SINGLE: shell_quote_single(out, row[p->column]); break;
		case QUOTE_DOUBLE: shell_quote_double(out, row[p->column]); break;
		}
	}
}
