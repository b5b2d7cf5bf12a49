#include "base/base.h"
#include "model/json_impl.h"

int json_take_str(struct arena *a, const char *key, const json_t *v, struct str *out,
		  struct err *err)
{
	if (!json_is_string(v))
		return err_set(err, ERR_USAGE, "%s: not a text", key);
	*out = (struct str){ arena_dup(a, json_string_value(v), json_string_length(v)),
			     json_string_length(v) };
	return 0;
}

int json_take_strs(struct arena *a, const char *key, json_t *v, struct strs *out, struct err *err)
{
	size_t i;
	json_t *item;

	if (!json_is_array(v))
		return err_set(err, ERR_USAGE, "%s: not a list", key);
	out->p = arena_calloc(a, json_array_size(v), sizeof(*out->p));
	out->n = json_array_size(v);
	json_array_foreach(v, i, item)
		if (json_take_str(a, "", item, &out->p[i], err) < 0)
			return err_set(err, ERR_USAGE, "%s[%zu]: not a text", key, i);
	return 0;
}

int json_take_pairs(struct arena *a, const char *key, json_t *v, struct pairs *out, struct err *err)
{
	size_t i = 0;
	const char *name;
	json_t *item;

	if (!json_is_object(v))
		return err_set(err, ERR_USAGE, "%s: not an object", key);
	out->n = json_object_size(v);
	out->p = arena_calloc(a, out->n, sizeof(*out->p));
	json_object_foreach(v, name, item) {
		struct pair *p = &out->p[i++];
		size_t n = strlen(name);

		p->name = (struct str){ arena_dup(a, name, n), n };
		if (json_take_str(a, "", item, &p->value, err) < 0)
			return err_set(err, ERR_USAGE, "%s.%.100s: not a text", key, name);
	}
	return 0;
}

int json_take_int(const char *key, const json_t *v, int64_t lo, int64_t hi, int64_t *out,
		  struct err *err)
{
	if (!json_is_integer(v) || json_integer_value(v) < lo || json_integer_value(v) > hi)
		return err_set(err, ERR_USAGE, "%s: not a whole number from %lld to %lld", key,
			       (long long)lo, (long long)hi);
	*out = json_integer_value(v);
	return 0;
}

int json_take_bool(const char *key, const json_t *v, bool *out, struct err *err)
{
	if (!json_is_boolean(v))
		return err_set(err, ERR_USAGE, "%s: not true or false", key);
	*out = json_is_true(v);
	return 0;
}

/* Bytes that stand for themselves in a JSON text. */
static bool json_plain(struct str s)
{
	for (size_t i = 0; i < s.n; i++) {
		unsigned char c = (unsigned char)s.p[i];

		if (c < 0x20 || c >= 0x7f || c == '"' || c == '\\')
			return false;
	}
	return true;
}

void str_add_json(struct buf *out, struct str s)
{
	if (!json_plain(s)) {
		buf_add_json(out, s.p, s.n);
		return;
	}
	buf_grow(out, s.n + 2);
	char *p = out->p + out->n;

	*p++ = '"';
	if (s.n)
		memcpy(p, s.p, s.n);
	p += s.n;
	*p++ = '"';
	*p = '\0';
	out->n += s.n + 2;
}

void strs_add_json(struct buf *out, const struct strs *s)
{
	buf_addch(out, '[');
	for (size_t i = 0; i < s->n; i++) {
		if (i)
			buf_addch(out, ',');
		str_add_json(out, s->p[i]);
	}
	buf_addch(out, ']');
}
