/* The root object of a manifest: what all tasks share, and where the rest is. */
#include "base/base.h"
#include "model/json_impl.h"
#include "model/path.h"

static const char *const outputs_names[] = {
	[OUTPUTS_ALL] = "all", [OUTPUTS_FAILED] = "failed", [OUTPUTS_NONE] = "none",
};

const char *outputs_name(enum outputs o)
{
	return outputs_names[o];
}

bool outputs_parse(const char *text, enum outputs *out)
{
	for (size_t i = 0; i < ARRAY_SIZE(outputs_names); i++)
		if (strcmp(text, outputs_names[i]) == 0) {
			*out = (enum outputs)i;
			return true;
		}
	return false;
}

void common_init(struct common *c)
{
	*c = (struct common){
		.cd = STR(""),
		.image = STR("none"),
		.resources = { .cpu = 1000 },
		.grace_ms = 10000,
	};
}

void common_class(const struct common *c, struct class *out)
{
	class_init(out);
	out->r = c->resources;
	out->limits = c->limits;
	if (c->image.n < sizeof(out->image)) {
		memcpy(out->image, c->image.p, c->image.n);
		out->image[c->image.n] = '\0';
	}
}

static void add_int(struct buf *out, const char *key, int64_t v)
{
	buf_addf(out, ",\"%s\":", key);
	buf_addi(out, v);
}

static void add_flag(struct buf *out, const char *key, bool v)
{
	if (v)
		buf_addf(out, ",\"%s\":true", key);
}

static void add_globs(struct buf *out, const char *key, const struct strs *v)
{
	if (!v->n)
		return;
	buf_addf(out, ",\"%s\":", key);
	strs_add_json(out, v);
}

static void add_common(struct buf *out, const struct common *c)
{
	buf_adds(out, "{\"command\":");
	if (c->one_word && c->command.n == 1)
		str_add_json(out, c->command.p[0]);
	else
		strs_add_json(out, &c->command);
	buf_adds(out, ",\"cd\":");
	str_add_json(out, c->cd);
	buf_adds(out, ",\"env\":");
	pairs_add_json(out, &c->env);
	buf_adds(out, ",\"image\":");
	str_add_json(out, c->image);
	buf_adds(out, ",\"resources\":");
	resources_add_json(out, &c->resources);
	if (c->limits) {
		buf_adds(out, ",\"limits\":");
		limits_add_json(out, c->limits);
	}
	add_int(out, "timeout_ms", c->timeout_ms);
	add_int(out, "retries", c->retries);
	add_int(out, "grace_ms", c->grace_ms);
	add_globs(out, "results", &c->results);
	add_globs(out, "exclude", &c->exclude);
	buf_addf(out, ",\"outputs\":\"%s\"", outputs_name(c->outputs));
	add_flag(out, "keep_work", c->keep_work);
	add_flag(out, "clean_env", c->clean_env);
	add_flag(out, "link_inputs", c->link_inputs);
	if (c->max_stdout)
		add_int(out, "max_stdout", c->max_stdout);
	buf_addch(out, '}');
}

void manifest_add_root(struct buf *out, const struct root *r)
{
	buf_addf(out, "{\"schema\":%d,\"n\":%lld,\"columns\":", MANIFEST_SCHEMA, (long long)r->n);
	strs_add_json(out, &r->columns);
	buf_addf(out, ",\"chunk_size\":%lld,\"chunks\":", (long long)r->chunk_size);
	strs_add_json(out, &r->chunks);
	buf_adds(out, ",\"inputs\":");
	if (r->inputs.n)
		str_add_json(out, r->inputs);
	else
		buf_adds(out, "null");
	buf_adds(out, ",\"common\":");
	add_common(out, &r->common);
	buf_addch(out, '}');
}

/* ---- reading ---------------------------------------------------------------------------- */

static int take_command(struct arena *a, json_t *v, struct common *c, struct err *err)
{
	c->one_word = json_is_string(v);
	if (!c->one_word)
		return json_take_strs(a, "command", v, &c->command, err);
	c->command = (struct strs){ arena_calloc(a, 1, sizeof(struct str)), 1 };
	return json_take_str(a, "command", v, c->command.p, err);
}

static int take_outputs(struct arena *a, json_t *v, struct common *c, struct err *err)
{
	struct str s;

	if (json_take_str(a, "outputs", v, &s, err) < 0)
		return -1;
	if (!outputs_parse(s.p, &c->outputs))
		return err_set(err, ERR_IO, "outputs: not all, failed or none");
	return 0;
}

static int take_cd(struct arena *a, json_t *v, struct common *c, struct err *err)
{
	if (json_take_str(a, "cd", v, &c->cd, err) < 0)
		return -1;
	if (c->cd.n && !path_is_destination(c->cd))
		return err_set(err, ERR_IO, "cd: \"%.200s\" does not lie in the work directory",
			       c->cd.p);
	return 0;
}

static int common_key(struct arena *a, const char *k, json_t *v, struct common *c, struct err *err)
{
	if (strcmp(k, "command") == 0)
		return take_command(a, v, c, err);
	if (strcmp(k, "cd") == 0)
		return take_cd(a, v, c, err);
	if (strcmp(k, "env") == 0)
		return json_take_pairs(a, k, v, &c->env, err);
	if (strcmp(k, "image") == 0)
		return json_take_str(a, k, v, &c->image, err);
	if (strcmp(k, "resources") == 0)
		return resources_from_json(v, &c->resources, NULL, err);
	if (strcmp(k, "limits") == 0)
		return limits_from_json(v, &c->limits, err);
	if (strcmp(k, "timeout_ms") == 0)
		return json_take_int(k, v, 0, INT64_MAX, &c->timeout_ms, err);
	if (strcmp(k, "retries") == 0)
		return json_take_int(k, v, 0, INT64_MAX, &c->retries, err);
	if (strcmp(k, "grace_ms") == 0)
		return json_take_int(k, v, 0, INT64_MAX, &c->grace_ms, err);
	if (strcmp(k, "max_stdout") == 0)
		return json_take_int(k, v, 0, INT64_MAX, &c->max_stdout, err);
	if (strcmp(k, "results") == 0)
		return json_take_strs(a, k, v, &c->results, err);
	if (strcmp(k, "exclude") == 0)
		return json_take_strs(a, k, v, &c->exclude, err);
	if (strcmp(k, "outputs") == 0)
		return take_outputs(a, v, c, err);
	if (strcmp(k, "keep_work") == 0)
		return json_take_bool(k, v, &c->keep_work, err);
	if (strcmp(k, "clean_env") == 0)
		return json_take_bool(k, v, &c->clean_env, err);
	if (strcmp(k, "link_inputs") == 0)
		return json_take_bool(k, v, &c->link_inputs, err);
	return err_set(err, ERR_IO, "unknown key %.60s", k);
}

static int take_common(struct arena *a, json_t *v, struct common *c, struct err *err)
{
	const char *key;
	json_t *item;

	if (!json_is_object(v))
		return err_set(err, ERR_IO, "common: not an object");
	json_object_foreach(v, key, item)
		if (common_key(a, key, item, c, err) < 0)
			return err_prefix(err, "common");
	return 0;
}

static int root_key(struct arena *a, const char *k, json_t *v, struct root *r, struct err *err)
{
	int64_t schema;

	if (strcmp(k, "schema") == 0)
		return json_take_int(k, v, MANIFEST_SCHEMA, MANIFEST_SCHEMA, &schema, err);
	if (strcmp(k, "n") == 0)
		return json_take_int(k, v, 0, INT64_MAX, &r->n, err);
	if (strcmp(k, "chunk_size") == 0)
		return json_take_int(k, v, 1, INT64_MAX, &r->chunk_size, err);
	if (strcmp(k, "columns") == 0)
		return json_take_strs(a, k, v, &r->columns, err);
	if (strcmp(k, "chunks") == 0)
		return json_take_strs(a, k, v, &r->chunks, err);
	if (strcmp(k, "inputs") == 0)
		return json_is_null(v) ? 0 : json_take_str(a, k, v, &r->inputs, err);
	if (strcmp(k, "common") == 0)
		return take_common(a, v, &r->common, err);
	return err_set(err, ERR_IO, "unknown key %.60s", k);
}

static int root_from(struct arena *a, json_t *root, struct root *out, struct err *err)
{
	const char *key;
	json_t *v;

	if (!json_is_object(root))
		return err_set(err, ERR_IO, "not an object");
	json_object_foreach(root, key, v)
		if (root_key(a, key, v, out, err) < 0)
			return -1;
	if (!json_object_get(root, "schema") || !out->chunk_size ||
	    (int64_t)out->chunks.n != out->n / out->chunk_size + (out->n % out->chunk_size != 0))
		return err_set(err, ERR_IO, "its numbers do not agree");
	return 0;
}

int manifest_parse_root(struct arena *a, struct str text, struct root *out, struct err *err)
{
	json_error_t je;
	json_t *root = json_loadb(text.p, text.n, JSON_REJECT_DUPLICATES, &je);
	int ret = -1;

	*out = (struct root){ .n = 0 };
	common_init(&out->common);
	if (root)
		ret = root_from(a, root, out, err);
	else
		err_set(err, ERR_IO, "%s", je.text);
	json_decref(root);
	if (ret == 0)
		return 0;
	err->code = ERR_IO;
	return err_prefix(err, "the manifest of the job is damaged");
}
