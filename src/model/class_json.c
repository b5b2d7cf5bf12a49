/* Resources and classes as text and JSON. */
#include "model/class.h"

#include <stdio.h>

#include "base/base.h"
#include "base/str.h"
#include "model/json_impl.h"
#include "model/units.h"

static const struct {
	const char *name;
	unsigned bit;
} limit_names[] = {
	{ "cpu", RESOURCE_CPU },
	{ "memory", RESOURCE_MEMORY },
	{ "disk", RESOURCE_DISK },
};

void resources_add_json(struct buf *out, const struct resources *r)
{
	buf_adds(out, "{\"cpu\":");
	units_add_milli(out, r->cpu);
	buf_adds(out, ",\"memory\":");
	buf_addi(out, r->memory);
	if (r->gpu) {
		buf_adds(out, ",\"gpu\":");
		buf_addi(out, r->gpu);
	}
	if (r->disk) {
		buf_adds(out, ",\"disk\":");
		buf_addi(out, r->disk);
	}
	for (size_t i = 0; i < r->n_named; i++) {
		if (!r->named[i].milli)
			continue;
		buf_addch(out, ',');
		buf_add_json(out, r->named[i].name, strlen(r->named[i].name));
		buf_addch(out, ':');
		units_add_milli(out, r->named[i].milli);
	}
	buf_addch(out, '}');
}

/* A JSON number or text as the amount that a user would write. */
static int amount_text(const json_t *v, char *out, size_t n)
{
	if (json_is_string(v)) {
		if (json_string_length(v) != strlen(json_string_value(v)) ||
		    json_string_length(v) >= n)
			return -1;
		snprintf(out, n, "%s", json_string_value(v));
	} else if (json_is_integer(v)) {
		snprintf(out, n, "%lld", (long long)json_integer_value(v));
	} else if (json_is_real(v)) {
		double d = json_real_value(v);

		if (!(d >= 0 && d < 1e15))
			return -1;
		snprintf(out, n, "%.6f", d);
		for (size_t k = strlen(out); k && out[k - 1] == '0' && strchr(out, '.');)
			out[--k] = '\0';
	} else {
		return -1;
	}
	for (char *p = out; *p; p++) /* printf follows the locale */
		if (*p == ',')
			*p = '.';
	return 0;
}

int resources_from_json(json_t *root, struct resources *r, unsigned *given, struct err *err)
{
	const char *key;
	json_t *v;

	if (!json_is_object(root))
		return err_set(err, ERR_USAGE, "resources are no JSON object");
	json_object_foreach(root, key, v) {
		char amount[80];

		if (amount_text(v, amount, sizeof(amount)) < 0)
			return err_set(err, ERR_USAGE, "resource %.60s is no amount", key);
		if (resources_set(r, key, amount, given, err) < 0)
			return -1;
	}
	return 0;
}

static json_t *load(const char *text, struct err *err)
{
	json_error_t je;
	json_t *root = json_loads(text, JSON_REJECT_DUPLICATES, &je);

	if (!root)
		err_set(err, ERR_USAGE, "not valid JSON: %s", je.text);
	return root;
}

int resources_parse_json(const char *text, struct resources *r, unsigned *given, struct err *err)
{
	json_t *root = load(text, err);
	int ret = root ? resources_from_json(root, r, given, err) : -1;

	json_decref(root);
	return ret;
}

void limits_add_json(struct buf *out, unsigned limits)
{
	bool first = true;

	buf_addch(out, '[');
	for (size_t i = 0; i < ARRAY_SIZE(limit_names); i++) {
		if (!(limits & limit_names[i].bit))
			continue;
		buf_addf(out, "%s\"%s\"", first ? "" : ",", limit_names[i].name);
		first = false;
	}
	buf_addch(out, ']');
}

void class_add_json(struct buf *out, const struct class *c)
{
	buf_adds(out, "{\"resources\":");
	resources_add_json(out, &c->r);
	if (c->limits) {
		buf_adds(out, ",\"limits\":");
		limits_add_json(out, c->limits);
	}
	buf_adds(out, ",\"image\":");
	buf_add_json(out, c->image, strlen(c->image));
	if (c->timeout_ms >= 0)
		buf_addf(out, ",\"timeout_ms\":%lld", (long long)c->timeout_ms);
	if (c->retries >= 0)
		buf_addf(out, ",\"retries\":%lld", (long long)c->retries);
	if (c->keep_work)
		buf_adds(out, ",\"keep_work\":true");
	if (*c->avoid) {
		buf_adds(out, ",\"avoid\":");
		buf_add_json(out, c->avoid, strlen(c->avoid));
	}
	buf_addch(out, '}');
}

int limits_from_json(json_t *list, unsigned *limits, struct err *err)
{
	size_t i;
	json_t *v;

	if (!json_is_array(list))
		return err_set(err, ERR_USAGE, "limits: not a list");
	json_array_foreach(list, i, v) {
		unsigned bit = 0;

		for (size_t k = 0; json_is_string(v) && k < ARRAY_SIZE(limit_names); k++)
			if (strcmp(json_string_value(v), limit_names[k].name) == 0)
				bit = limit_names[k].bit;
		if (!bit)
			return err_set(err, ERR_USAGE, "limits[%zu]: not cpu, memory or disk", i);
		*limits |= bit;
	}
	return 0;
}

static int count_from(const char *key, json_t *v, int64_t *out, struct err *err)
{
	if (!json_is_integer(v) || json_integer_value(v) < 0)
		return err_set(err, ERR_USAGE, "%s: not a whole number from 0", key);
	*out = json_integer_value(v);
	return 0;
}

/* A text that fits into `size`, without zero bytes. */
static int text_from(const char *key, json_t *v, char *out, size_t size, struct err *err)
{
	if (!json_is_string(v) || json_string_length(v) >= size ||
	    json_string_length(v) != strlen(json_string_value(v)))
		return err_set(err, ERR_USAGE, "%s: not a text below %zu bytes", key, size);
	snprintf(out, size, "%s", json_string_value(v));
	return 0;
}

static int class_key(const char *key, json_t *v, struct class *c, struct err *err)
{
	if (strcmp(key, "resources") == 0)
		return resources_from_json(v, &c->r, NULL, err);
	if (strcmp(key, "limits") == 0)
		return limits_from_json(v, &c->limits, err);
	if (strcmp(key, "timeout_ms") == 0)
		return count_from(key, v, &c->timeout_ms, err);
	if (strcmp(key, "retries") == 0)
		return count_from(key, v, &c->retries, err);
	if (strcmp(key, "keep_work") == 0) {
		c->keep_work = json_is_true(v);
		return 0;
	}
	if (strcmp(key, "avoid") == 0)
		return text_from(key, v, c->avoid, sizeof(c->avoid), err);
	if (strcmp(key, "image") == 0)
		return text_from(key, v, c->image, sizeof(c->image), err);
	return err_set(err, ERR_USAGE, "class: unknown key %.60s", key);
}

static int class_from(json_t *root, struct class *c, struct err *err)
{
	const char *key;
	json_t *v;

	class_init(c);
	if (!json_is_object(root))
		return err_set(err, ERR_USAGE, "class: not a JSON object");
	json_object_foreach(root, key, v)
		if (class_key(key, v, c, err) < 0)
			return -1;
	return 0;
}

int class_parse_json(const char *text, struct class *c, struct err *err)
{
	json_t *root = load(text, err);
	int ret = root ? class_from(root, c, err) : -1;

	json_decref(root);
	return ret;
}

int classes_parse_json(const char *text, struct class *out, size_t max, struct err *err)
{
	json_t *root = load(text, err), *v;
	int ret = -1;
	size_t i;

	if (!root)
		return -1;
	if (!json_is_array(root) || json_array_size(root) > CLASSES_PARSE_MAX) {
		err_set(err, ERR_USAGE, "classes: not a JSON list of at most %d",
			CLASSES_PARSE_MAX);
		goto out;
	}
	json_array_foreach(root, i, v) {
		if (i < max && class_from(v, &out[i], err) < 0) {
			err_prefix(err, "classes[%zu]", i);
			goto out;
		}
	}
	ret = (int)json_array_size(root);
out:
	json_decref(root);
	return ret;
}
