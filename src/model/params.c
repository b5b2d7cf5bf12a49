#include "model/params.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/base.h"
#include "model/params_impl.h"

enum params_format params_format_of(const char *name)
{
	size_t n = strlen(name);

	if ((n > 4 && strcasecmp(name + n - 4, ".tsv") == 0) ||
	    (n > 4 && strcasecmp(name + n - 4, ".tab") == 0))
		return PARAMS_TSV;
	if ((n > 6 && strcasecmp(name + n - 6, ".jsonl") == 0) ||
	    (n > 7 && strcasecmp(name + n - 7, ".ndjson") == 0))
		return PARAMS_JSONL;
	if (n > 5 && strcasecmp(name + n - 5, ".json") == 0)
		return PARAMS_JSON;
	return PARAMS_CSV;
}

/* ---- for the formats -------------------------------------------------------------------- */

struct str *params_field(struct params *p, const char *at)
{
	if (p->n == p->cap_fields) {
		p->cap_fields = p->cap_fields ? p->cap_fields * 2 : 16;
		p->field = xreallocarray(p->field, p->cap_fields, sizeof(*p->field));
	}
	p->field[p->n] = (struct str){ at, 0 };
	return &p->field[p->n++];
}

int params_more(struct params *p, struct err *err)
{
	size_t had = p->end - p->begin;

	if (p->eof)
		return 0;
	if (p->begin) {
		memmove(p->window, p->window + p->begin, had);
		p->begin = 0;
		p->end = had;
	}
	if (p->end + 1 >= p->cap) {
		if (p->cap >= PARAMS_ROW_MAX)
			return params_fault(p, p->line, p->row + 1, err,
					    "the row is larger than %d MiB (is a quote not "
					    "closed?)",
					    PARAMS_ROW_MAX >> 20);
		p->cap = p->cap ? p->cap * 2 : PARAMS_WINDOW;
		p->window = xrealloc(p->window, p->cap);
	}
	while (p->end + 1 < p->cap) {
		ssize_t got = p->read(p->ctx, p->window + p->end, p->cap - p->end - 1, err);

		if (got < 0)
			return err_prefix(err, "%s", p->o.name);
		if (got == 0) {
			p->eof = true;
			break;
		}
		p->end += (size_t)got;
	}
	p->window[p->end] = '\0';
	return p->end - p->begin > had;
}

int params_fault(const struct params *p, int64_t line, int64_t row, struct err *err,
		 const char *fmt, ...)
{
	char text[1500], where[32] = "";
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (p->list)
		return err_set(err, ERR_USAGE, "%s, object %lld: %s", p->o.name, (long long)line,
			       text);
	if (row > 0)
		snprintf(where, sizeof(where), " (row %lld)", (long long)row);
	return err_set(err, ERR_USAGE, "%s, line %lld%s: %s", p->o.name, (long long)line, where,
		       text);
}

static bool has_high_bit(const char *s, size_t n)
{
	uint64_t any = 0, w;

	for (; n >= 8; s += 8, n -= 8) {
		memcpy(&w, s, 8);
		any |= w;
	}
	for (; n; s++, n--)
		any |= (unsigned char)*s;
	return any & 0x8080808080808080u;
}

int params_check_text(const struct params *p, struct str s, struct err *err)
{
	bool header = p->columns.n == 0 && p->o.format <= PARAMS_TSV;
	int64_t row = header ? 0 : p->row + 1, line = p->line;

	if (memchr(s.p, '\0', s.n))
		return params_fault(p, line, row, err, "a NUL byte: this is no text file");
	if (!has_high_bit(s.p, s.n) || utf8_valid(s.p, s.n))
		return 0;
	for (size_t i = 0, k; i < s.n; i += k) {
		k = utf8_len(s.p + i, s.n - i);
		if (!k)
			return params_fault(p, line, row, err,
					    "not UTF-8 (byte 0x%02X): save the file as UTF-8",
					    (unsigned char)s.p[i]);
		line += s.p[i] == '\n';
	}
	return 0;
}

/* ---- the header ------------------------------------------------------------------------- */

/* BOM away; other encodings are named. */
static int check_encoding(struct params *p, struct err *err)
{
	const unsigned char *s = (const unsigned char *)p->window + p->begin;
	size_t n = p->end - p->begin;
	const char *name = NULL;

	if (n >= 3 && s[0] == 0xef && s[1] == 0xbb && s[2] == 0xbf) {
		p->begin += 3;
		return 0;
	}
	if (n >= 4 && ((s[0] == 0xff && s[1] == 0xfe && !s[2] && !s[3]) ||
		       (!s[0] && !s[1] && s[2] == 0xfe && s[3] == 0xff)))
		name = "UTF-32";
	else if (n >= 2 && ((s[0] == 0xff && s[1] == 0xfe) || (s[0] == 0xfe && s[1] == 0xff)))
		name = "UTF-16";
	else if (n >= 4 && ((!s[0] && s[1] && !s[2] && s[3]) || (s[0] && !s[1] && s[2] && !s[3])))
		name = "UTF-16";
	if (name)
		return err_set(err, ERR_USAGE,
			       "%s is %s, not UTF-8: save it as UTF-8 (iconv -f %s -t UTF-8)",
			       p->o.name, name, name);
	return 0;
}

static int check_names(const struct params *p, struct err *err)
{
	for (size_t i = 0; i < p->n; i++) {
		struct str s = p->field[i];

		if (!s.n)
			return params_fault(p, p->row_line, 0, err, "column %zu has an empty name",
					    i + 1);
		if (s.n >= 3 && memcmp(s.p, "kq_", 3) == 0)
			return params_fault(p, p->row_line, 0, err,
					    "column \"%.*s\": names that begin with kq_ are "
					    "kubeque's own",
					    (int)MIN(s.n, 100), s.p);
		for (size_t k = 0; k < i; k++)
			if (p->field[k].n == s.n && memcmp(p->field[k].p, s.p, s.n) == 0)
				return params_fault(p, p->row_line, 0, err,
						    "columns %zu and %zu are both named \"%.*s\"",
						    k + 1, i + 1, (int)MIN(s.n, 100), s.p);
	}
	return 0;
}

static int check_separator(const struct params *p, struct err *err)
{
	const char *first = p->field[0].p;

	if (p->n != 1 || p->o.format != PARAMS_CSV || (first > p->window && first[-1] == '"'))
		return 0; /* quoted: it is meant so */
	if (memchr(p->field[0].p, ';', p->field[0].n))
		return params_fault(p, p->row_line, 0, err,
				    "the header has one column and it holds \";\": the separator "
				    "seems to be "
				    "\";\" where a comma is needed");
	if (memchr(p->field[0].p, '\t', p->field[0].n))
		return params_fault(p, p->row_line, 0, err,
				    "the header has one column and it holds a tab: the separator "
				    "seems to be "
				    "the tab (then use --params-format tsv)");
	return 0;
}

static void set_columns(struct params *p, const struct str *name, size_t n)
{
	size_t sum = 0, at = 0;

	for (size_t i = 0; i < n; i++)
		sum += name[i].n + 1;
	p->names = xmalloc(sum + 1);
	p->name = xcalloc(n + 1, sizeof(*p->name));
	for (size_t i = 0; i < n; i++) {
		memcpy(p->names + at, name[i].p, name[i].n);
		p->names[at + name[i].n] = '\0';
		p->name[i] = (struct str){ p->names + at, name[i].n };
		at += name[i].n + 1;
	}
	p->columns = (struct columns){ p->name, n };
}

int params_take_header(struct params *p, struct err *err)
{
	if (check_separator(p, err) < 0 || check_names(p, err) < 0)
		return -1;
	set_columns(p, p->field, p->n);
	return 0;
}

/* ---- rows ------------------------------------------------------------------------------- */

/* One more row of the source, whatever --rows says. */
static int next_row(struct params *p, struct err *err)
{
	for (;;) {
		enum split s = p->split(p, err);

		if (s != SPLIT_MORE)
			return (int)s;
		if (params_more(p, err) < 0)
			return -1;
	}
}

static int open_header(struct params *p, struct err *err)
{
	int r;

	if (params_more(p, err) < 0 || check_encoding(p, err) < 0)
		return -1;
	if (p->o.format == PARAMS_COMMANDS)
		return 0;
	if (p->o.format == PARAMS_LINES) {
		set_columns(p, (const struct str[]){ STR("line") }, 1);
		return 0;
	}
	if (p->o.format == PARAMS_JSONL)
		return params_jsonl_header(p, err);
	r = next_row(p, err);
	if (r == 0)
		return err_set(err, ERR_USAGE, "%s is empty: its first line must name the columns",
			       p->o.name);
	return r < 0 ? -1 : params_take_header(p, err);
}

struct params *params_open(const struct params_options *o, params_read_fn read, void *ctx,
			   struct err *err)
{
	static enum split (*const split[])(struct params *, struct err *) = {
		[PARAMS_CSV] = params_split_csv,     [PARAMS_TSV] = params_split_tsv,
		[PARAMS_JSONL] = params_split_jsonl, [PARAMS_LINES] = params_split_line,
		[PARAMS_COMMANDS] = params_split_line, [PARAMS_JSON] = params_split_jsonl,
	};
	struct params *p = xcalloc(1, sizeof(*p));

	p->o = *o;
	p->split = split[o->format];
	p->read = read;
	p->ctx = ctx;
	if (o->format == PARAMS_JSON) {
		p->list = json_list_new(read, ctx);
		p->read = json_list_read;
		p->ctx = p->list;
		p->o.format = PARAMS_JSONL;
	}
	p->line = 1;
	buf_init(&p->values);
	if (open_header(p, err) < 0) {
		params_close(p);
		return NULL;
	}
	return p;
}

static enum split next_number(struct params *p, struct err *err)
{
	int64_t v;
	int n;

	(void)err;
	if (p->row >= p->seq.count)
		return SPLIT_END;
	v = p->seq.first + p->row * p->seq.step;
	n = snprintf(p->number, sizeof(p->number), "%lld", (long long)v);
	p->n = 0;
	params_field(p, p->number)->n = (size_t)n;
	return SPLIT_ROW;
}

static enum split next_word(struct params *p, struct err *err)
{
	struct str *f;

	if ((size_t)p->row >= p->n_words)
		return SPLIT_END;
	p->n = 0;
	f = params_field(p, p->words[p->row]);
	*f = str_of(f->p);
	if (utf8_valid(f->p, f->n))
		return SPLIT_ROW;
	err_set(err, ERR_USAGE, "--each: word %lld is not UTF-8", (long long)p->row + 1);
	return SPLIT_FAIL;
}

static struct params *open_list(const char *name, struct str column, const struct ranges *rows,
				enum split (*split)(struct params *, struct err *))
{
	struct params *p = xcalloc(1, sizeof(*p));

	p->o = (struct params_options){ .format = PARAMS_LINES, .name = name, .rows = rows };
	p->split = split;
	p->line = 1;
	buf_init(&p->values);
	set_columns(p, &column, 1);
	return p;
}

struct params *params_seq(const struct seq *seq, const struct ranges *rows)
{
	struct params *p = open_list("--seq", STR("index"), rows, next_number);

	p->seq = *seq;
	return p;
}

struct params *params_each(const char *const *words, size_t n, const struct ranges *rows)
{
	struct params *p = open_list("--each", STR("item"), rows, next_word);

	p->words = words;
	p->n_words = n;
	return p;
}

void params_close(struct params *p)
{
	if (!p)
		return;
	json_decref(p->first);
	buf_release(&p->values);
	free(p->list);
	free(p->window);
	free(p->field);
	free(p->names);
	free(p->name);
	free(p);
}

const struct columns *params_columns(const struct params *p)
{
	return &p->columns;
}

int64_t params_row(const struct params *p)
{
	return p->row;
}

/* At the end of the source: what --rows asked for must have been there. */
static int at_end(struct params *p, struct err *err)
{
	const struct ranges *r = p->o.rows;

	if (!p->row)
		return err_set(err, ERR_USAGE, "%s has no rows: there would be no task", p->o.name);
	if (r && p->range < r->n && r->p[p->range].first > p->row)
		return err_set(err, ERR_USAGE, "--rows: there is no row %lld, %s has %lld",
			       (long long)r->p[p->range].first, p->o.name, (long long)p->row);
	return 0;
}

static bool selected(struct params *p)
{
	const struct ranges *r = p->o.rows;

	while (p->range < r->n && p->row > r->p[p->range].last)
		p->range++;
	return p->range < r->n && p->row >= r->p[p->range].first;
}

int params_next(struct params *p, const struct str **row, struct err *err)
{
	const struct ranges *r = p->o.rows;

	for (;;) {
		if (r && r->n && p->range == r->n - 1 && p->row >= r->p[p->range].last)
			return 0; /* nothing behind it is asked for */
		int got = next_row(p, err);

		if (got == 0)
			return at_end(p, err);
		if (got < 0)
			return -1;
		p->row++;
		if (r && r->n && !selected(p))
			continue;
		*row = p->field;
		return 1;
	}
}
