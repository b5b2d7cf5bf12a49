/*
 * Rows of JSON Lines. jansson says what is valid and decodes the texts; a small scan of the same
 * line gives numbers, lists and objects in their own spelling.
 */
#include "base/base.h"
#include "model/params_impl.h"

/* Behind the text literal that begins at p (which is known to be valid). */
static const char *skip_text(const char *p)
{
	for (p++; *p != '"'; p++)
		if (*p == '\\')
			p++;
	return p + 1;
}

static const char *skip_blank(const char *p)
{
	return p + strspn(p, " \t\r\n");
}

/* Appends the value at p without blanks outside texts, if out is not NULL; returns what follows. */
static const char *compact(const char *p, struct buf *out)
{
	int depth = 0;

	do {
		const char *from = p;

		if (*p == '"') {
			p = skip_text(p);
		} else if (strchr("{}[],:", *p)) {
			depth += *p == '{' || *p == '[';
			depth -= *p == '}' || *p == ']';
			p++;
		} else {
			p += strcspn(p, "{}[],: \t\r\n\"");
		}
		if (out)
			buf_add(out, from, (size_t)(p - from));
		p = skip_blank(p);
	} while (depth > 0);
	return p;
}

static struct str key_of(void *iter)
{
	return str_of(json_object_iter_key(iter));
}

static int unknown_key(const struct params *p, struct str key, struct err *err)
{
	struct buf list = BUF_INIT;

	columns_add_list(&list, &p->columns);
	params_fault(p, p->row_line, p->row + 1, err,
		     "the key \"%.*s\" is not in the first line, whose keys are the columns: "
		     "%.1000s",
		     (int)MIN(key.n, 100), key.p, list.p);
	buf_release(&list);
	return -1;
}

static int column_of(const struct params *p, struct str key, size_t hint, size_t *out)
{
	for (size_t k = 0; k < p->columns.n; k++) {
		size_t i = (hint + k) % p->columns.n;

		if (p->columns.name[i].n == key.n &&
		    memcmp(p->columns.name[i].p, key.p, key.n) == 0) {
			*out = i;
			return 0;
		}
	}
	return -1;
}

/* Values of `object`, whose text is `line`, in the order of the columns. */
static int take_values(struct params *p, json_t *object, struct str line, struct err *err)
{
	const char *at = skip_blank(line.p) + 1, *base; /* behind the { */
	size_t i = 0, column = 0;

	p->n = 0;
	for (size_t k = 0; k < p->columns.n; k++)
		params_field(p, NULL);
	buf_clear(&p->values);
	buf_grow(&p->values, line.n + p->columns.n); /* decoding adds nothing: it will not move */
	base = p->values.p;
	for (void *it = json_object_iter(object); it; it = json_object_iter_next(object, it), i++) {
		const json_t *v = json_object_iter_value(it);
		size_t begin = p->values.n;

		if (column_of(p, key_of(it), i, &column) < 0)
			return unknown_key(p, key_of(it), err);
		at = skip_blank(skip_text(skip_blank(at))) + 1; /* behind the : */
		at = skip_blank(at);
		if (json_is_string(v))
			buf_add(&p->values, json_string_value(v), json_string_length(v));
		at = compact(at, json_is_string(v) || json_is_null(v) ? NULL : &p->values);
		at++; /* the , or } */
		p->field[column] = (struct str){ p->values.p + begin, p->values.n - begin };
		buf_addch(&p->values, '\0');
	}
	assert(p->values.p == base);
	for (size_t k = 0; k < p->columns.n; k++)
		if (!p->field[k].p)
			return params_fault(p, p->row_line, p->row + 1, err,
					    "the key \"%.*s\" of the first line is missing",
					    (int)MIN(p->columns.name[k].n, 100),
					    p->columns.name[k].p);
	return 0;
}

/* The next line as an object; SPLIT_ROW with *object and *line. */
static enum split load_line(struct params *p, json_t **object, struct str *line, struct err *err)
{
	json_error_t je;
	enum split s;

	do
		s = params_split_line(p, err);
	while (s == SPLIT_ROW && !p->field[0].p[strspn(p->field[0].p, " \t\r")]);
	if (s != SPLIT_ROW)
		return s;
	*line = p->field[0];
	*object =
		json_loadb(line->p, line->n,
			   JSON_REJECT_DUPLICATES | JSON_DECODE_ANY | JSON_DECODE_INT_AS_REAL, &je);
	if (!*object) {
		params_fault(p, p->row_line, p->row + 1, err, "not valid JSON: %s",
			     strstr(je.text, "ALLOW_NUL") ? "\\u0000 can be in no text" : je.text);
		return SPLIT_FAIL;
	}
	if (json_is_object(*object))
		return SPLIT_ROW;
	params_fault(p, p->row_line, p->row + 1, err,
		     "not a JSON object: one {...} a line is needed");
	json_decref(*object);
	*object = NULL;
	return SPLIT_FAIL;
}

static enum split load_whole(struct params *p, json_t **object, struct str *line, struct err *err)
{
	enum split s;

	while ((s = load_line(p, object, line, err)) == SPLIT_MORE)
		if (params_more(p, err) < 0)
			return SPLIT_FAIL;
	return s;
}

int params_jsonl_header(struct params *p, struct err *err)
{
	struct str line = { NULL, 0 };
	json_t *object = NULL;
	enum split s = load_whole(p, &object, &line, err);

	if (s == SPLIT_END)
		return err_set(err, ERR_USAGE, "%s has no rows: there would be no task", p->o.name);
	if (s == SPLIT_FAIL)
		return -1;
	p->n = 0;
	for (void *it = json_object_iter(object); it; it = json_object_iter_next(object, it)) {
		struct str key = key_of(it);

		*params_field(p, key.p) = key;
	}
	p->first = object;
	if (!p->n)
		return params_fault(p, p->row_line, 0, err,
				    "the first object has no keys: they are the columns");
	if (params_take_header(p, err) < 0)
		return -1;
	return take_values(p, object, line, err);
}

enum split params_split_jsonl(struct params *p, struct err *err)
{
	struct str line = { NULL, 0 };
	json_t *object = NULL;
	enum split s;
	int ret;

	if (p->first) { /* its values were taken with the header */
		json_decref(p->first);
		p->first = NULL;
		return SPLIT_ROW;
	}
	s = load_line(p, &object, &line, err);
	if (s != SPLIT_ROW)
		return s;
	ret = take_values(p, object, line, err);
	json_decref(object);
	return ret < 0 ? SPLIT_FAIL : SPLIT_ROW;
}
