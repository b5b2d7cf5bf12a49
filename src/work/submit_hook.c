#include "work/submit_hook.h"

#include "base/base.h"
#include "base/str.h"
#include "model/class.h"
#include "model/task.h"
#include "model/units.h"

enum { NODES_MAX = 10000, PRIORITY_MAX = 1000000 };

static const char *const fixed[] = { "id", "n", "user", "cluster", "command", "columns", "argv",
				     "cwd", "inputs", "input_bytes" };
static const char *const changeable[] = { "labels", "priority", "retries", "timeout", "resources",
					  "max_running", "image", "nodes" };

#define CHANGEABLE "labels, priority, retries, timeout, resources, max_running, image and nodes"

static bool is_in(const char *const *names, size_t n, const char *name)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(names[i], name) == 0)
			return true;
	return false;
}

/* ---- the answer --------------------------------------------------------------------------- */

static int unknown_key(const char *key, struct err *err)
{
	struct guess g = guess_of(key);

	for (size_t i = 0; i < ARRAY_SIZE(changeable); i++)
		guess_try(&g, changeable[i]);
	if (g.best)
		return err_set(err, ERR_SCRIPT, "a job with '%.60s', which no job has (did you "
			       "mean %s?)", key, g.best);
	return err_set(err, ERR_SCRIPT, "a job with '%.60s', which no job has (it may change "
		       CHANGEABLE ")", key);
}

static bool is_whole(const json_t *v, int64_t lo, int64_t hi)
{
	return json_is_integer(v) && json_integer_value(v) >= lo && json_integer_value(v) <= hi;
}

static bool is_labels(json_t *v)
{
	const char *key;
	json_t *item;

	if (!json_is_object(v))
		return false;
	json_object_foreach(v, key, item)
		if (!*key || !json_is_string(item))
			return false;
	return true;
}

int64_t submit_hook_timeout(const json_t *v)
{
	struct err err = ERR_INIT;
	int64_t ms = -1;
	double s;

	if (json_is_string(v))
		return units_duration(json_string_value(v), &ms, &err) < 0 ? -1 : ms;
	s = json_number_value(v);
	if (!json_is_number(v) || !(s >= 0 && s <= 3e9))
		return -1;
	return (int64_t)(s * 1000 + 0.5);
}

static int check_resources(json_t *v, struct err *err)
{
	struct resources r = { .cpu = 0 };
	char *text = json_dumps(v, JSON_ENCODE_ANY);
	int ret = -1;

	if (text && json_is_object(v))
		ret = resources_parse_json(text, &r, NULL, err);
	else
		err_set(err, ERR_SCRIPT, "not a table of names and amounts");
	free(text);
	if (ret == 0)
		return 0;
	err->code = ERR_SCRIPT;
	return err_prefix(err, "resources");
}

static int check_value(const char *key, json_t *v, struct err *err)
{
	const char *want = NULL;

	if (strcmp(key, "resources") == 0)
		return check_resources(v, err);
	if (strcmp(key, "labels") == 0 && !is_labels(v))
		want = "a table of names and texts";
	else if (strcmp(key, "priority") == 0 && !is_whole(v, -PRIORITY_MAX, PRIORITY_MAX))
		want = "a whole number from -1000000 to 1000000";
	else if (strcmp(key, "retries") == 0 && !is_whole(v, 0, TRIES_MAX))
		want = "a whole number from 0 to 10";
	else if (strcmp(key, "max_running") == 0 && !is_whole(v, 0, INT32_MAX))
		want = "a whole number from 0 (no limit)";
	else if (strcmp(key, "nodes") == 0 && !is_whole(v, 0, NODES_MAX))
		want = "a whole number from 0 to 10000";
	else if (strcmp(key, "timeout") == 0 && submit_hook_timeout(v) < 0)
		want = "seconds or a duration (\"1h30m\"), 0 for none";
	else if (strcmp(key, "image") == 0 &&
		 (!json_is_string(v) || !*json_string_value(v) ||
		  json_string_length(v) >= CLASS_IMAGE_SIZE))
		want = "a text";
	return want ? err_set(err, ERR_SCRIPT, "%s: %s expected", key, want) : 0;
}

static int merge(json_t *job, json_t *answer, bool *changed, struct err *err)
{
	const char *key;
	json_t *v;

	json_object_foreach(answer, key, v) {
		bool same = json_equal(json_object_get(job, key), v);

		if (is_in(fixed, ARRAY_SIZE(fixed), key)) {
			if (!same)
				return err_set(err, ERR_SCRIPT, "a job with another '%s': it may "
					       "change " CHANGEABLE " only", key);
			continue;
		}
		if (!is_in(changeable, ARRAY_SIZE(changeable), key))
			return unknown_key(key, err);
		if (same)
			continue;
		if (check_value(key, v, err) < 0)
			return -1;
		json_object_set(job, key, v);
		*changed = true;
	}
	return 0;
}

int submit_hook_merge(const char *given, const char *answer, char **out, struct err *err)
{
	json_t *job = json_loads(given, 0, NULL), *other = json_loads(answer, 0, NULL);
	bool changed = false;
	char *text = NULL;
	int ret;

	*out = NULL;
	if (!json_is_object(job) || !json_is_object(other))
		ret = err_set(err, ERR_SCRIPT, "something that is no job: a table with names "
			      "expected");
	else
		ret = merge(job, other, &changed, err);
	if (ret == 0 && changed) {
		text = json_dumps(job, JSON_COMPACT | JSON_SORT_KEYS);
		*out = xstrdup(text ? text : "{}");
	}
	free(text);
	json_decref(job);
	json_decref(other);
	return ret;
}
