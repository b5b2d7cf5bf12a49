/* on_submit of a job's policy: asked when all is checked and nothing is stored. */
#include <stdio.h>

#include "base/base.h"
#include "base/str.h"
#include "work/submit_hook.h"
#include "work/submit_impl.h"

/* ---- what it is given --------------------------------------------------------------------- */

static void add_member(struct buf *b, const char *key)
{
	if (b->n > 1)
		buf_addch(b, ',');
	buf_addf(b, "\"%s\":", key);
}

static void add_text(struct buf *b, const char *key, struct str s)
{
	add_member(b, key);
	buf_add_json(b, s.p ? s.p : "", s.n);
}

static void add_int(struct buf *b, const char *key, int64_t v)
{
	add_member(b, key);
	buf_addi(b, v);
}

static void add_texts(struct buf *b, const char *key, const struct strs *s)
{
	add_member(b, key);
	buf_addch(b, '[');
	for (size_t i = 0; i < s->n; i++) {
		if (i)
			buf_addch(b, ',');
		buf_add_json(b, s->p[i].p, s->p[i].n);
	}
	buf_addch(b, ']');
}

static void add_seconds(struct buf *b, const char *key, int64_t ms)
{
	add_member(b, key);
	buf_addf(b, ms % 1000 ? "%lld.%03d" : "%lld", (long long)(ms / 1000), (int)(ms % 1000));
}

/* What is given in info, as it is. */
static void add_info(struct buf *b, const json_t *info)
{
	static const char *const keys[] = { "labels", "nodes", "argv", "cwd" };

	for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
		const json_t *v = json_object_get(info, keys[i]);
		char *text = v ? json_dumps(v, JSON_COMPACT | JSON_ENCODE_ANY) : NULL;

		if (text || i == 0) {
			add_member(b, keys[i]);
			buf_adds(b, text ? text : "{}");
		}
		free(text);
	}
}

static void job_json(const struct submission *s, const json_t *info, struct buf *b)
{
	const struct plan *p = &s->plan;
	const struct submit_spec *spec = s->spec;
	const struct common *c = &p->common;
	struct strs columns = plan_columns(p);

	buf_addch(b, '{');
	add_text(b, "id", str_of(s->out->id));
	add_int(b, "n", p->n);
	add_text(b, "user", str_of(spec->user ? spec->user : ""));
	add_text(b, "cluster", str_of(spec->cluster ? spec->cluster : ""));
	if (c->command.n && c->one_word)
		add_text(b, "command", c->command.p[0]);
	else if (c->command.n)
		add_texts(b, "command", &c->command);
	add_texts(b, "columns", &columns);
	add_int(b, "inputs", (int64_t)(inputs_count(p->inputs) + inputs_count(p->pool)));
	add_int(b, "input_bytes", inputs_bytes(p->inputs) + inputs_bytes(p->pool));
	add_info(b, info);
	add_int(b, "priority", spec->priority);
	add_int(b, "max_running", spec->max_running);
	add_int(b, "retries", c->retries);
	add_seconds(b, "timeout", c->timeout_ms);
	add_text(b, "image", c->image);
	add_member(b, "resources");
	resources_add_json(b, &p->classes[0].r);
	buf_addch(b, '}');
}

/* ---- what it wants ------------------------------------------------------------------------ */

static char *keep(struct submission *s, const char *text)
{
	return text ? arena_dup(&s->plan.arena, text, strlen(text)) : NULL;
}

static void change_resources(struct submission *s, json_t *before, json_t *after)
{
	json_t *over = json_object();
	const char *name;
	json_t *v;
	char *text;

	json_object_foreach(after, name, v)
		if (!json_equal(json_object_get(before, name), v))
			json_object_set(over, name, v);
	json_object_foreach(before, name, v)
		if (!json_object_get(after, name) && strcmp(name, "cpu") != 0)
			json_object_set_new(over, name, json_integer(0));
	text = json_dumps(over, JSON_COMPACT);
	s->by_policy.resources_json = keep(s, text);
	free(text);
	json_decref(over);
}

static int change_image(struct submission *s, const char *image, struct err *err)
{
	if (s->spec->no_images && strcmp(image, "none") != 0)
		return err_set(err, ERR_SCRIPT, "image %.200s cannot be used yet: containers are "
			       "not built yet on this machine", image);
	s->by_policy.common.image = str_of(keep(s, image));
	s->by_policy.set |= SUBMIT_SET_IMAGE;
	return 0;
}

/* One key that differs. */
static int change(struct submission *s, const char *key, json_t *before, json_t *after,
		  json_t *info, struct err *err)
{
	struct submit_spec *c = &s->by_policy;

	if (strcmp(key, "labels") == 0 || strcmp(key, "nodes") == 0) {
		json_object_set(info, key, after);
	} else if (strcmp(key, "priority") == 0) {
		c->priority = json_integer_value(after);
	} else if (strcmp(key, "max_running") == 0) {
		c->max_running = json_integer_value(after);
	} else if (strcmp(key, "retries") == 0) {
		c->common.retries = json_integer_value(after);
		c->set |= SUBMIT_SET_RETRIES;
	} else if (strcmp(key, "timeout") == 0) {
		c->common.timeout_ms = submit_hook_timeout(after);
		c->set |= SUBMIT_SET_TIMEOUT;
	} else if (strcmp(key, "resources") == 0) {
		change_resources(s, before, after);
	} else if (strcmp(key, "image") == 0) {
		return change_image(s, json_string_value(after), err);
	}
	return 0;
}

static int apply(struct submission *s, const char *given, const char *answer, json_t *info,
		 struct err *err)
{
	json_t *job = json_loads(given, 0, NULL), *other = json_loads(answer, 0, NULL), *v;
	struct buf what = BUF_INIT;
	const char *key;
	char *text;
	int ret = 0;

	s->by_policy = *s->spec;
	json_object_foreach(other, key, v) {
		json_t *before = json_object_get(job, key);

		if (ret < 0 || json_equal(before, v))
			continue;
		ret = change(s, key, before, v, info, err);
		buf_addf(&what, "%s%s", what.n ? ", " : "", key);
	}
	text = json_dumps(info, JSON_COMPACT);
	s->by_policy.info = keep(s, text);
	free(text);
	s->spec = &s->by_policy;
	if (ret == 0)
		ret = plan_change(&s->plan, s->spec, err);
	if (ret == 0)
		submission_say(s, SUBMIT_EV_POLICY, what.p, 0, 0);
	buf_release(&what);
	json_decref(job);
	json_decref(other);
	if (ret == 0)
		return 0;
	if (err->code == ERR_USAGE)
		err->code = ERR_SCRIPT;
	return err_prefix(err, "the job as its policy changed it");
}

int submission_ask_policy(struct submission *s, struct err *err)
{
	json_t *info = json_loads(s->spec->info ? s->spec->info : "{}", 0, NULL), *nodes;
	struct buf given = BUF_INIT;
	char *answer = NULL;
	int ret = 0;

	if (s->to->policy) {
		job_json(s, info, &given);
		ret = policy_submit(s->to->policy, given.p, &answer, err);
	}
	if (ret == 0 && answer)
		ret = apply(s, given.p, answer, info, err);
	nodes = json_object_get(info, "nodes");
	if (nodes)
		s->out->nodes = json_integer_value(nodes);
	free(answer);
	buf_release(&given);
	json_decref(info);
	return ret;
}
