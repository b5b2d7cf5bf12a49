/* Values of a job file, and where they stand. */
#include <stdarg.h>
#include <stdio.h>

#include "base/base.h"
#include "model/jobfile_impl.h"
#include "model/json_impl.h"
#include "model/path.h"
#include "model/units.h"

int jobfile_fault(struct jobfile_reader *r, const char *fmt, ...)
{
	char text[1024];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	return err_set(r->err, ERR_USAGE, "%s: %.600s: %s", r->name,
		       r->path.n ? r->path.p : "the file", text);
}

/* Steps into a key or an item; the mark is what jobfile_leave() takes. */
size_t jobfile_enter(struct jobfile_reader *r, const char *key)
{
	size_t mark = r->path.n;

	buf_addf(&r->path, "%s%.100s", mark ? "." : "", key);
	return mark;
}

size_t jobfile_enter_item(struct jobfile_reader *r, size_t i)
{
	size_t mark = r->path.n;

	buf_addf(&r->path, "[%zu]", i);
	return mark;
}

void jobfile_leave(struct jobfile_reader *r, size_t mark)
{
	r->path.n = mark;
	if (r->path.cap)
		r->path.p[mark] = '\0';
}

/* ---- values ----------------------------------------------------------------------------- */

static const char *type_name(const json_t *v)
{
	switch (json_typeof(v)) {
	case JSON_OBJECT: return "an object";
	case JSON_ARRAY: return "a list";
	case JSON_STRING: return "a text";
	case JSON_INTEGER:
	case JSON_REAL: return "a number";
	case JSON_TRUE:
	case JSON_FALSE: return "true or false";
	case JSON_NULL: return "null";
	}
	return "something else";
}

int jobfile_want(struct jobfile_reader *r, const json_t *v, bool is, const char *what)
{
	return is ? 0 : jobfile_fault(r, "%s is needed here, not %s", what, type_name(v));
}

int jobfile_text(struct jobfile_reader *r, const json_t *v, struct str *out)
{
	if (jobfile_want(r, v, json_is_string(v), "a text") < 0)
		return -1;
	*out = (struct str){ arena_dup(&r->j->arena, json_string_value(v), json_string_length(v)),
			     json_string_length(v) };
	return 0;
}

int jobfile_texts(struct jobfile_reader *r, json_t *v, struct strs *out)
{
	size_t i;
	json_t *item;

	if (jobfile_want(r, v, json_is_array(v), "a list of texts") < 0)
		return -1;
	out->n = json_array_size(v);
	out->p = arena_calloc(&r->j->arena, out->n, sizeof(*out->p));
	json_array_foreach(v, i, item) {
		size_t mark = jobfile_enter_item(r, i);

		if (jobfile_text(r, item, &out->p[i]) < 0)
			return -1;
		jobfile_leave(r, mark);
	}
	return 0;
}

/* A number without a needless point: the shortest decimal that reads back to the same double. */
static void number_text(const json_t *v, char *out, size_t n)
{
	if (json_is_integer(v)) {
		snprintf(out, n, "%lld", (long long)json_integer_value(v));
		return;
	}
	for (int digits = 15; digits <= 17; digits++) {
		double back;

		snprintf(out, n, "%.*g", digits, json_real_value(v));
		for (char *p = out; *p; p++) /* printf follows the locale */
			if (*p == ',')
				*p = '.';
		if (str_to_double(out, &back) && !(back < json_real_value(v)) &&
		    !(back > json_real_value(v)))
			return;
	}
}

/* A parameter: texts as they are, numbers and booleans as written, null is empty, the rest is
 * compact JSON, as in JSON Lines. */
int jobfile_value(struct jobfile_reader *r, const json_t *v, struct str *out)
{
	char number[64];
	const char *text = "";
	char *dump = NULL;

	if (json_is_string(v))
		return jobfile_text(r, v, out);
	if (json_is_number(v)) {
		number_text(v, number, sizeof(number));
		text = number;
	} else if (json_is_boolean(v)) {
		text = json_is_true(v) ? "true" : "false";
	} else if (!json_is_null(v)) {
		text = dump = json_dumps(v, JSON_COMPACT);
	}
	*out = (struct str){ arena_strdup(&r->j->arena, text), strlen(text) };
	free(dump);
	return 0;
}

int jobfile_duration(struct jobfile_reader *r, const json_t *v, int64_t *ms)
{
	char text[64];
	struct err err = ERR_INIT;

	if (jobfile_want(r, v, json_is_number(v) || json_is_string(v),
			 "seconds or a text such as \"5m\"") < 0)
		return -1;
	if (json_is_string(v))
		snprintf(text, sizeof(text), "%.60s", json_string_value(v));
	else if (json_is_integer(v))
		snprintf(text, sizeof(text), "%lld", (long long)json_integer_value(v));
	else
		snprintf(text, sizeof(text), "%.3f", json_real_value(v));
	return units_duration(text, ms, &err) < 0 ? jobfile_fault(r, "%s", err.text) : 0;
}

int jobfile_count(struct jobfile_reader *r, const json_t *v, int64_t *out)
{
	if (jobfile_want(r, v, json_is_integer(v) && json_integer_value(v) >= 0,
			 "a whole number from 0") < 0)
		return -1;
	*out = json_integer_value(v);
	return 0;
}

int jobfile_resources(struct jobfile_reader *r, json_t *v, struct resources *out, unsigned *given)
{
	const char *key;
	json_t *item;

	if (jobfile_want(r, v, json_is_object(v), "an object") < 0)
		return -1;
	json_object_foreach(v, key, item) {
		size_t mark = jobfile_enter(r, key);
		struct err err = ERR_INIT;
		json_t *one = json_pack("{sO}", key, item);
		int ret = resources_from_json(one, out, given, &err);

		json_decref(one);
		if (ret < 0)
			return jobfile_fault(r, "%s", err.text);
		jobfile_leave(r, mark);
	}
	return 0;
}

int jobfile_env(struct jobfile_reader *r, json_t *v, struct pairs *out)
{
	const char *key;
	json_t *item;
	size_t i = 0;

	if (jobfile_want(r, v, json_is_object(v), "an object") < 0)
		return -1;
	out->n = json_object_size(v);
	out->p = arena_calloc(&r->j->arena, out->n, sizeof(*out->p));
	json_object_foreach(v, key, item) {
		size_t mark = jobfile_enter(r, key);
		struct pair *p = &out->p[i++];

		p->name = (struct str){ arena_strdup(&r->j->arena, key), strlen(key) };
		if (!env_name_valid(p->name))
			return jobfile_fault(r, "a name of a variable holds only letters, digits "
						"and _");
		if (str_starts(key, "KQ_"))
			return jobfile_fault(r, "variables that begin with KQ_ are kubeque's own");
		if (jobfile_text(r, item, &p->value) < 0)
			return -1;
		jobfile_leave(r, mark);
	}
	return 0;
}

int jobfile_cd(struct jobfile_reader *r, const json_t *v, struct str *out)
{
	struct buf b = BUF_INIT;
	struct err err = ERR_INIT;
	struct str text;

	if (jobfile_text(r, v, &text) < 0)
		return -1;
	if (!text.n || str_eq(text, ".")) {
		*out = STR("");
		return 0;
	}
	int ret = path_destination(text, &b, &err);

	if (ret < 0)
		jobfile_fault(r, "%s", err.text);
	else
		*out = arena_str(&r->j->arena, buf_str(&b));
	buf_release(&b);
	return ret;
}

/* Patterns for outputs, normalised. */
int jobfile_patterns(struct jobfile_reader *r, json_t *v, struct strs *out)
{
	if (jobfile_texts(r, v, out) < 0)
		return -1;
	for (size_t i = 0; i < out->n; i++) {
		size_t mark = jobfile_enter_item(r, i);
		struct buf b = BUF_INIT;
		struct err err = ERR_INIT;
		int ret = path_pattern(out->p[i], &b, &err);

		if (ret < 0)
			jobfile_fault(r, "%s", err.text);
		else
			out->p[i] = arena_str(&r->j->arena, buf_str(&b));
		buf_release(&b);
		if (ret < 0)
			return -1;
		jobfile_leave(r, mark);
	}
	return 0;
}

/* ---- keys ------------------------------------------------------------------------------- */

int jobfile_unknown(struct jobfile_reader *r, const char *key, const char *const *known)
{
	const char *near = str_nearest(key, known);

	return jobfile_fault(r, "unknown key%s%s%s", near ? " (did you mean " : "",
			     near ? near : "", near ? "?)" : "");
}

int jobfile_each(struct jobfile_reader *r, json_t *v, jobfile_key_fn take, void *ctx)
{
	const char *key;
	json_t *item;

	if (jobfile_want(r, v, json_is_object(v), "an object") < 0)
		return -1;
	json_object_foreach(v, key, item) {
		size_t mark = jobfile_enter(r, key);

		if (take(r, ctx, key, item) < 0)
			return -1;
		jobfile_leave(r, mark);
	}
	return 0;
}
