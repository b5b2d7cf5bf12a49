/*
 * A list of objects in a .json file, read as JSON Lines: brackets and commas around its elements
 * go, each element becomes one line. Only a few flags are kept, so a list of any length streams.
 */
#include "base/base.h"
#include "model/params_impl.h"

struct json_list {
	params_read_fn read;
	void *ctx;
	enum { LIST_START, LIST_BEFORE, LIST_IN, LIST_END } at;
	size_t bom;      /* how much of a byte order mark was seen */
	int depth;       /* of brackets inside of the element */
	int64_t element; /* the current one, from 1 */
	bool in_text, escaped;
};

static const char bom[3] = { '\xef', '\xbb', '\xbf' };

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static int fault(const struct json_list *l, struct err *err, const char *what)
{
	if (l->element)
		return err_set(err, ERR_USAGE, "object %lld: %s", (long long)l->element, what);
	return err_set(err, ERR_USAGE, "%s", what);
}

/* A character of an element: what becomes of it. */
static char inside(struct json_list *l, char c)
{
	if (l->in_text) {
		l->in_text = c != '"' || l->escaped;
		l->escaped = c == '\\' && !l->escaped;
		return c;
	}
	if (c == '"')
		l->in_text = true;
	else if (c == '{' || c == '[')
		l->depth++;
	else if (c == ']' && l->depth == 0)
		l->at = LIST_END;
	else if (c == '}' || c == ']')
		l->depth -= l->depth > 0; /* one too many makes the element invalid */
	else if (c == ',' && l->depth == 0)
		l->at = LIST_BEFORE;
	if (l->at != LIST_IN)
		return '\n';
	return is_blank(c) ? ' ' : c;
}

/* Before the list, between two elements, behind the list: 0, or -1 for what may not be there. */
static int outside(struct json_list *l, char c, struct err *err)
{
	if (l->at == LIST_START && l->bom < sizeof(bom) && c == bom[l->bom]) {
		l->bom++;
		return 0;
	}
	if (is_blank(c))
		return 0;
	if (l->at == LIST_END)
		return fault(l, err, "the list has ended, nothing may follow it");
	if (l->at == LIST_START && (c != '[' || l->bom % sizeof(bom)))
		return fault(l, err, "a list of objects is needed: [{...}, {...}]");
	if (l->at == LIST_BEFORE && c == ']' && l->element == 0)
		l->at = LIST_END;
	else if (l->at == LIST_BEFORE && (c == ']' || c == ','))
		return fault(l, err, "a comma is followed by no object");
	else
		l->at = l->at == LIST_START ? LIST_BEFORE : LIST_IN;
	l->element += l->at == LIST_IN;
	return 0;
}

/* Changes the text in place; its new length, or -1. */
static ssize_t change(struct json_list *l, char *p, size_t n, struct err *err)
{
	size_t out = 0;

	for (size_t i = 0; i < n; i++) {
		if (l->at != LIST_IN && outside(l, p[i], err) < 0)
			return -1;
		if (l->at == LIST_IN)
			p[out++] = inside(l, p[i]);
	}
	return (ssize_t)out;
}

ssize_t json_list_read(void *ctx, void *p, size_t n, struct err *err)
{
	struct json_list *l = ctx;

	for (;;) {
		ssize_t got = l->read(l->ctx, p, n, err);

		if (got < 0)
			return -1;
		if (got == 0 && l->at != LIST_END)
			return fault(l, err, l->at == LIST_START ? "the file is empty: a list of "
				     "objects is needed" : "the list does not end: ] is missing");
		if (got == 0)
			return 0;
		got = change(l, p, (size_t)got, err);
		if (got)
			return got;
	}
}

struct json_list *json_list_new(params_read_fn read, void *ctx)
{
	struct json_list *l = xcalloc(1, sizeof(*l));

	l->read = read;
	l->ctx = ctx;
	return l;
}
