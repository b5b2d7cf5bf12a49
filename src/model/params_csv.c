/* Rows of CSV (RFC 4180), TSV and plain lines. */
#include "base/base.h"
#include "model/params_impl.h"

/* What ends the run of an unquoted CSV field. */
static const bool csv_stop[256] = { ['\0'] = true, ['\n'] = true, ['\r'] = true, [','] = true };

/* Where a row is being read. Nothing is changed in the window before the row is whole, so that it
 * can be read again from its beginning when it was not. */
struct cursor {
	char *p, *end;
	bool quoted;  /* some field was quoted: it may hold newlines */
	bool escaped; /* some field holds a doubled quote */
};

/* The same place, to be written to. */
static char *in_window(const struct params *p, const char *at)
{
	return p->window + (at - p->window);
}

/* Text of a field with doubled quotes is marked by its opening quote, which precedes it. */
static void unescape(char *base, struct str *f)
{
	size_t n = 0;

	for (size_t i = 0; i < f->n; i++) {
		base[n++] = base[i];
		if (base[i] == '"')
			i++; /* the second of two */
	}
	f->n = n;
}

static int64_t count_lines(const char *p, const char *end)
{
	int64_t n = 0;

	while (p < end && (p = memchr(p, '\n', (size_t)(end - p)))) {
		n++;
		p++;
	}
	return n;
}

/* Number of the row being read for messages: 0 for the header. */
static int64_t row_number(const struct params *p)
{
	return p->columns.n ? p->row + 1 : 0;
}

/* A quoted field: c->p is at the opening quote. Leaves it behind the closing one. */
static enum split quoted_field(struct params *p, struct cursor *c, struct err *err)
{
	struct str *f = params_field(p, c->p + 1);
	char *open = c->p, *q = c->p + 1;

	c->quoted = true;
	for (;;) {
		q = memchr(q, '"', (size_t)(c->end - q));
		if (!q && !p->eof)
			return SPLIT_MORE;
		if (!q) {
			params_fault(p, p->line + count_lines(p->window + p->begin, open),
				     row_number(p), err,
				     "the quote that opens here is never closed");
			return SPLIT_FAIL;
		}
		if (q + 1 == c->end && !p->eof)
			return SPLIT_MORE;
		if (q + 1 == c->end || q[1] != '"')
			break;
		c->escaped = true;
		q += 2;
	}
	f->n = (size_t)(q - f->p);
	c->p = q + 1;
	if (c->p == c->end || *c->p == ',' || *c->p == '\n')
		return SPLIT_ROW;
	if (*c->p == '\r') {
		if (c->p + 1 == c->end)
			return p->eof ? SPLIT_ROW : SPLIT_MORE;
		if (c->p[1] == '\n')
			return SPLIT_ROW;
	}
	params_fault(p, p->line + count_lines(p->window + p->begin, c->p), row_number(p), err,
		     "text behind a closing quote (a quote within a quoted field is written \"\")");
	return SPLIT_FAIL;
}

static enum split bare_field(struct params *p, struct cursor *c)
{
	struct str *f = params_field(p, c->p);
	char *q = c->p;

	for (;; q++) {
		while (!csv_stop[(unsigned char)*q])
			q++;
		if (q == c->end) {
			if (!p->eof)
				return SPLIT_MORE;
			break;
		}
		if (*q == ',' || *q == '\n')
			break;
		if (*q == '\r') {
			if (q + 1 == c->end && !p->eof)
				return SPLIT_MORE;
			if (q + 1 == c->end || q[1] == '\n')
				break;
		}
	}
	f->n = (size_t)(q - c->p);
	c->p = q;
	return SPLIT_ROW;
}

static int check_width(const struct params *p, struct err *err)
{
	if (p->columns.n && p->n != p->columns.n)
		return params_fault(p, p->line, p->row + 1, err,
				    "%zu field%s, but the header has %zu", p->n,
				    p->n == 1 ? "" : "s", p->columns.n);
	return 0;
}

/* Skips lines that hold nothing. False: the end of the window. */
static bool skip_empty(struct params *p)
{
	for (;;) {
		const char *s = p->window + p->begin;
		size_t n = p->end - p->begin;

		if (!n)
			return false;
		if (s[0] == '\n')
			p->begin++;
		else if (s[0] == '\r' && n > 1 && s[1] == '\n')
			p->begin += 2;
		else if (s[0] == '\r' && n == 1)
			return false; /* a later byte decides; at the end it is nothing */
		else
			return true;
		p->line++;
	}
}

enum split params_split_csv(struct params *p, struct err *err)
{
	struct cursor c = { .quoted = false };
	char *begin;

	if (!skip_empty(p))
		return p->eof ? SPLIT_END : SPLIT_MORE;
	begin = c.p = p->window + p->begin;
	c.end = p->window + p->end;
	p->n = 0;
	for (;;) {
		enum split s =
			*c.p == '"' && c.p < c.end ? quoted_field(p, &c, err) : bare_field(p, &c);

		if (s != SPLIT_ROW)
			return s;
		if (c.p == c.end || *c.p != ',')
			break;
		c.p++;
	}
	if (params_check_text(p, (struct str){ begin, (size_t)(c.p - begin) }, err) < 0 ||
	    check_width(p, err) < 0)
		return SPLIT_FAIL;
	p->row_line = p->line;
	if (c.quoted)
		p->line += count_lines(begin, c.p);
	if (c.p < c.end)
		p->line++;
	p->begin = (size_t)(c.p - p->window);
	if (p->begin < p->end && p->window[p->begin] == '\r')
		p->begin++;
	if (p->begin < p->end && p->window[p->begin] == '\n')
		p->begin++;
	if (c.escaped)
		for (size_t i = 0; i < p->n; i++)
			if (p->field[i].p > begin && p->field[i].p[-1] == '"')
				unescape(in_window(p, p->field[i].p), &p->field[i]);
	for (size_t i = 0; i < p->n; i++)
		in_window(p, p->field[i].p)[p->field[i].n] = '\0';
	return SPLIT_ROW;
}

/* The next line that is not empty, without its end; SPLIT_ROW with *line. */
static enum split take_line(struct params *p, struct str *line, struct err *err)
{
	char *s, *nl;
	size_t n;

	if (!skip_empty(p))
		return p->eof ? SPLIT_END : SPLIT_MORE;
	s = p->window + p->begin;
	n = p->end - p->begin;
	nl = memchr(s, '\n', n);
	if (!nl && !p->eof)
		return SPLIT_MORE;
	if (nl)
		n = (size_t)(nl - s);
	p->begin += n + (nl != NULL);
	if (n && s[n - 1] == '\r')
		n--;
	if (params_check_text(p, (struct str){ s, n }, err) < 0)
		return SPLIT_FAIL;
	p->row_line = p->line++;
	s[n] = '\0';
	*line = (struct str){ s, n };
	return SPLIT_ROW;
}

enum split params_split_tsv(struct params *p, struct err *err)
{
	struct str line = { NULL, 0 };
	enum split s = take_line(p, &line, err);
	char *at, *end;

	if (s != SPLIT_ROW)
		return s;
	at = in_window(p, line.p);
	end = at + line.n;
	p->n = 0;
	for (;;) {
		struct str *f = params_field(p, at);
		char *tab = memchr(at, '\t', (size_t)(end - at));

		f->n = (size_t)((tab ? tab : end) - at);
		at[f->n] = '\0';
		if (!tab)
			break;
		at = tab + 1;
	}
	p->line--; /* messages name the row's own line */
	if (check_width(p, err) < 0)
		return SPLIT_FAIL;
	p->line++;
	return SPLIT_ROW;
}

enum split params_split_line(struct params *p, struct err *err)
{
	struct str line = { NULL, 0 };
	enum split s;

	do
		s = take_line(p, &line, err);
	while (s == SPLIT_ROW && p->o.format == PARAMS_COMMANDS &&
	       !line.p[strspn(line.p, " \t\r")]);
	if (s != SPLIT_ROW)
		return s;
	p->n = 0;
	*params_field(p, line.p) = line;
	return SPLIT_ROW;
}

/* ---- writing ---------------------------------------------------------------------------- */

static void add_field(struct buf *out, struct str f, bool quote)
{
	for (size_t i = 0; i < f.n && !quote; i++)
		quote = f.p[i] == '"' || f.p[i] == ',' || f.p[i] == '\n' || f.p[i] == '\r';
	if (!quote) {
		buf_addstr(out, f);
		return;
	}
	buf_addch(out, '"');
	for (size_t i = 0; i < f.n; i++) {
		if (f.p[i] == '"')
			buf_addch(out, '"');
		buf_addch(out, f.p[i]);
	}
	buf_addch(out, '"');
}

void csv_add_field(struct buf *out, struct str f)
{
	/* what looks like a byte order mark at the start of a file would not come back */
	add_field(out, f, f.n >= 3 && memcmp(f.p, "\xef\xbb\xbf", 3) == 0);
}

void csv_add_row(struct buf *out, const struct str *field, size_t n)
{
	if (n == 1 && (!field[0].n || memchr(field[0].p, ';', field[0].n) ||
		       memchr(field[0].p, '\t', field[0].n))) {
		/* a bare empty line would be no row, and a separator would look like a mistake */
		add_field(out, field[0], true);
		buf_addch(out, '\n');
		return;
	}
	for (size_t i = 0; i < n; i++) {
		if (i)
			buf_addch(out, ',');
		csv_add_field(out, field[i]);
	}
	buf_addch(out, '\n');
}
