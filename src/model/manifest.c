/* Task lines and lists of inputs; the root object is in manifest_root.c. */
#include "model/manifest.h"

#include <stdio.h>

#include "base/base.h"
#include "model/json_impl.h"
#include "model/path.h"
#include "model/shell.h"
#include "model/task.h"
#include "model/template.h"

bool env_name_valid(struct str name)
{
	if (!name.n || (name.p[0] >= '0' && name.p[0] <= '9'))
		return false;
	for (size_t i = 0; i < name.n; i++) {
		char c = name.p[i];

		if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
		      c == '_'))
			return false;
	}
	return true;
}

/* ---- writing ---------------------------------------------------------------------------- */

void pairs_add_json(struct buf *out, const struct pairs *p)
{
	buf_addch(out, '{');
	for (size_t i = 0; i < p->n; i++) {
		if (i)
			buf_addch(out, ',');
		str_add_json(out, p->p[i].name);
		buf_addch(out, ':');
		str_add_json(out, p->p[i].value);
	}
	buf_addch(out, '}');
}

const struct pair *pairs_find(const struct pairs *p, const char *name)
{
	for (size_t i = 0; i < p->n; i++)
		if (str_eq(p->p[i].name, name))
			return &p->p[i];
	return NULL;
}

void command_add_json(struct buf *out, const struct task_spec *t)
{
	if (t->shell)
		str_add_json(out, t->command);
	else if (t->one_word && t->argv.n == 1)
		str_add_json(out, t->argv.p[0]);
	else
		strs_add_json(out, &t->argv);
}

void command_add_text(struct buf *out, const struct task_spec *t)
{
	if (t->shell) {
		buf_addstr(out, t->command);
		return;
	}
	for (size_t i = 0; i < t->argv.n; i++) {
		if (i)
			buf_addch(out, ' ');
		shell_add_word(out, t->argv.p[i]);
	}
}

static void add_input(struct buf *out, const struct input *in)
{
	buf_add(out, "{\"dst\":", 7);
	str_add_json(out, in->dst);
	if (in->url.n) {
		buf_adds(out, ",\"url\":");
		str_add_json(out, in->url);
	} else {
		buf_adds(out, ",\"sha256\":");
		str_add_json(out, in->sha256);
	}
	buf_adds(out, ",\"size\":");
	buf_addi(out, in->size);
	buf_adds(out, ",\"mode\":");
	buf_addi(out, in->mode);
	buf_adds(out, ",\"mtime_ns\":");
	buf_addi(out, in->mtime_ns);
	buf_addch(out, '}');
}

void manifest_add_input(struct buf *out, const struct input *in)
{
	add_input(out, in);
	buf_addch(out, '\n');
}

void manifest_add_task(struct buf *out, const struct task_spec *t)
{
	buf_add(out, "{\"command\":", 11);
	if (t->shell) {
		str_add_json(out, t->command);
	} else {
		strs_add_json(out, &t->argv);
		if (t->one_word)
			buf_adds(out, ",\"shell\":false");
	}
	if (t->parameters.n) {
		buf_add(out, ",\"parameters\":", 14);
		pairs_add_json(out, &t->parameters);
	}
	if (t->inputs.n) {
		buf_adds(out, ",\"inputs\":[");
		for (size_t i = 0; i < t->inputs.n; i++) {
			if (i)
				buf_addch(out, ',');
			add_input(out, &t->inputs.p[i]);
		}
		buf_addch(out, ']');
	}
	if (t->env.n) {
		buf_adds(out, ",\"env\":");
		pairs_add_json(out, &t->env);
	}
	if (t->cd.p) {
		buf_adds(out, ",\"cd\":");
		str_add_json(out, t->cd);
	}
	if (t->results.p) {
		buf_adds(out, ",\"results\":");
		strs_add_json(out, &t->results);
	}
	if (t->exclude.p) {
		buf_adds(out, ",\"exclude\":");
		strs_add_json(out, &t->exclude);
	}
	buf_add(out, "}\n", 2);
}

/* ---- reading ---------------------------------------------------------------------------- */

static bool is_sha256(struct str s)
{
	if (s.n != SHA256_HEX_SIZE - 1)
		return false;
	for (size_t i = 0; i < s.n; i++)
		if (!((s.p[i] >= '0' && s.p[i] <= '9') || (s.p[i] >= 'a' && s.p[i] <= 'f')))
			return false;
	return true;
}

static int input_key(struct arena *a, const char *key, json_t *v, struct input *in, struct err *err)
{
	int64_t mode;

	if (strcmp(key, "dst") == 0)
		return json_take_str(a, key, v, &in->dst, err);
	if (strcmp(key, "sha256") == 0)
		return json_take_str(a, key, v, &in->sha256, err);
	if (strcmp(key, "url") == 0)
		return json_take_str(a, key, v, &in->url, err);
	if (strcmp(key, "size") == 0)
		return json_take_int(key, v, 0, INT64_MAX, &in->size, err);
	if (strcmp(key, "mtime_ns") == 0)
		return json_take_int(key, v, INT64_MIN, INT64_MAX, &in->mtime_ns, err);
	if (strcmp(key, "mode") != 0)
		return err_set(err, ERR_IO, "unknown key %.60s", key);
	if (json_take_int(key, v, 0, 0777, &mode, err) < 0)
		return -1;
	in->mode = (unsigned)mode;
	return 0;
}

/* One input object into *in (checked), from a parsed line. */
static int input_from_json(struct arena *a, json_t *v, struct input *in, struct err *err)
{
	const char *key;
	json_t *item;

	*in = (struct input){ .mode = 0644 };
	if (!json_is_object(v))
		return err_set(err, ERR_IO, "not an object");
	json_object_foreach(v, key, item)
		if (input_key(a, key, item, in, err) < 0)
			return -1;
	if (!path_is_destination(in->dst))
		return err_set(err, ERR_IO,
			       "destination \"%.200s\" does not lie in the work directory",
			       in->dst.p ? in->dst.p : "");
	if (in->url.n ? in->sha256.n || !path_is_url(in->url) : !is_sha256(in->sha256))
		return err_set(err, ERR_IO, "input \"%.200s\" has neither a sha256 nor a url",
			       in->dst.p);
	return 0;
}

static int take_inputs(struct arena *a, json_t *list, struct inputs *out, struct err *err)
{
	size_t i;
	json_t *v;

	if (!json_is_array(list))
		return err_set(err, ERR_IO, "inputs: not a list");
	out->n = json_array_size(list);
	out->p = arena_calloc(a, out->n, sizeof(*out->p));
	json_array_foreach(list, i, v)
		if (input_from_json(a, v, &out->p[i], err) < 0)
			return err_prefix(err, "inputs[%zu]", i);
	return 0;
}

static int take_env(struct arena *a, json_t *v, struct pairs *out, struct err *err)
{
	if (json_take_pairs(a, "env", v, out, err) < 0)
		return -1;
	for (size_t i = 0; i < out->n; i++)
		if (!env_name_valid(out->p[i].name))
			return err_set(err, ERR_IO, "env: \"%.60s\" is no name of a variable",
				       out->p[i].name.p);
	return 0;
}

static int take_cd(struct arena *a, json_t *v, struct str *out, struct err *err)
{
	if (json_take_str(a, "cd", v, out, err) < 0)
		return -1;
	if (out->n && !path_is_destination(*out))
		return err_set(err, ERR_IO, "cd: \"%.200s\" does not lie in the work directory",
			       out->p);
	return 0;
}

static int task_key(struct arena *a, const char *key, json_t *v, struct task_spec *t,
		    struct err *err)
{
	bool shell;

	if (strcmp(key, "command") == 0) {
		t->shell = json_is_string(v);
		return t->shell ? json_take_str(a, key, v, &t->command, err)
				: json_take_strs(a, key, v, &t->argv, err);
	}
	if (strcmp(key, "parameters") == 0)
		return json_take_pairs(a, key, v, &t->parameters, err);
	if (strcmp(key, "inputs") == 0)
		return take_inputs(a, v, &t->inputs, err);
	if (strcmp(key, "env") == 0)
		return take_env(a, v, &t->env, err);
	if (strcmp(key, "cd") == 0)
		return take_cd(a, v, &t->cd, err);
	if (strcmp(key, "results") == 0)
		return json_take_strs(a, key, v, &t->results, err);
	if (strcmp(key, "exclude") == 0)
		return json_take_strs(a, key, v, &t->exclude, err);
	if (strcmp(key, "shell") != 0)
		return err_set(err, ERR_IO, "unknown key %.60s", key);
	if (json_take_bool(key, v, &shell, err) < 0)
		return -1;
	t->one_word = !shell;
	return 0;
}

static int task_from_json(struct arena *a, json_t *root, struct task_spec *t, struct err *err)
{
	const char *key;
	json_t *v;

	*t = (struct task_spec){ .shell = false };
	if (!json_is_object(root))
		return err_set(err, ERR_IO, "not an object");
	json_object_foreach(root, key, v)
		if (task_key(a, key, v, t, err) < 0)
			return -1;
	if (t->shell ? !t->command.n : !t->argv.n || !t->argv.p[0].n)
		return err_set(err, ERR_IO, "no command");
	return 0;
}

/* A manifest that was stored cannot be the user's mistake. */
static int damaged(struct err *err, const char *what)
{
	err->code = ERR_IO;
	return err_prefix(err, "%s is damaged", what);
}

int manifest_parse_task(struct arena *a, struct str line, struct task_spec *out, struct err *err)
{
	json_error_t je;
	json_t *root = json_loadb(line.p, line.n, JSON_REJECT_DUPLICATES, &je);
	int ret;

	if (!root) {
		err_set(err, ERR_IO, "%s", je.text);
		return damaged(err, "a task of the manifest");
	}
	ret = task_from_json(a, root, out, err);
	json_decref(root);
	return ret < 0 ? damaged(err, "a task of the manifest") : 0;
}

bool manifest_line(struct str chunk, size_t i, struct str *line)
{
	const char *p = chunk.p, *end = chunk.p + chunk.n;

	for (;; i--) {
		const char *nl = p < end ? memchr(p, '\n', (size_t)(end - p)) : NULL;

		if (p == end)
			return false;
		if (!i) {
			*line = (struct str){ p, (size_t)((nl ? nl : end) - p) };
			return true;
		}
		if (!nl)
			return false;
		p = nl + 1;
	}
}

int manifest_parse_inputs(struct arena *a, struct str text, struct inputs *out, struct err *err)
{
	const char *p = text.p, *end = text.p + text.n;
	size_t lines = 0;

	for (size_t i = 0; i < text.n; i++)
		lines += text.p[i] == '\n';
	*out = (struct inputs){ arena_calloc(a, lines + 1, sizeof(*out->p)), 0 };
	while (p < end) {
		const char *nl = memchr(p, '\n', (size_t)(end - p));
		size_t n = (size_t)((nl ? nl : end) - p);
		json_error_t je;
		json_t *v = json_loadb(p, n, JSON_REJECT_DUPLICATES, &je);
		int ret = -1;

		if (v)
			ret = input_from_json(a, v, &out->p[out->n], err);
		else
			err_set(err, ERR_IO, "%s", je.text);
		json_decref(v);
		if (ret < 0)
			return damaged(err, "the list of inputs");
		out->n++;
		p += n + (nl != NULL);
	}
	return 0;
}
