#include "model/jobfile.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/base.h"
#include "base/map.h"
#include "base/vec.h"
#include "model/json_impl.h"
#include "model/path.h"
#include "model/units.h"

/* Where the reader is, as text: "tasks[3].downloads[0].dst". */
struct reader {
	struct jobfile *j;
	const char *name;
	struct buf path;
	struct map columns; /* names of parameters seen */
	VEC(struct str) column;
	struct err *err;
};

static int fault(struct reader *r, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static int fault(struct reader *r, const char *fmt, ...)
{
	char text[1024];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	return err_set(r->err, ERR_USAGE, "%s: %.600s: %s", r->name,
		       r->path.n ? r->path.p : "the file", text);
}

/* Steps into a key or an item; the mark is what leave() takes. */
static size_t enter(struct reader *r, const char *key)
{
	size_t mark = r->path.n;

	buf_addf(&r->path, "%s%.100s", mark ? "." : "", key);
	return mark;
}

static size_t enter_item(struct reader *r, size_t i)
{
	size_t mark = r->path.n;

	buf_addf(&r->path, "[%zu]", i);
	return mark;
}

static void leave(struct reader *r, size_t mark)
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

static int want(struct reader *r, const json_t *v, bool is, const char *what)
{
	return is ? 0 : fault(r, "%s is needed here, not %s", what, type_name(v));
}

static int take_text(struct reader *r, const json_t *v, struct str *out)
{
	if (want(r, v, json_is_string(v), "a text") < 0)
		return -1;
	*out = (struct str){ arena_dup(&r->j->arena, json_string_value(v), json_string_length(v)),
			     json_string_length(v) };
	return 0;
}

static int take_texts(struct reader *r, json_t *v, struct strs *out)
{
	size_t i;
	json_t *item;

	if (want(r, v, json_is_array(v), "a list of texts") < 0)
		return -1;
	out->n = json_array_size(v);
	out->p = arena_calloc(&r->j->arena, out->n, sizeof(*out->p));
	json_array_foreach(v, i, item) {
		size_t mark = enter_item(r, i);

		if (take_text(r, item, &out->p[i]) < 0)
			return -1;
		leave(r, mark);
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
static int take_value(struct reader *r, const json_t *v, struct str *out)
{
	char number[64];
	const char *text = "";
	char *dump = NULL;

	if (json_is_string(v))
		return take_text(r, v, out);
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

static int take_duration(struct reader *r, const json_t *v, int64_t *ms)
{
	char text[64];
	struct err err = ERR_INIT;

	if (want(r, v, json_is_number(v) || json_is_string(v), "seconds or a text such as \"5m\"") < 0)
		return -1;
	if (json_is_string(v))
		snprintf(text, sizeof(text), "%.60s", json_string_value(v));
	else if (json_is_integer(v))
		snprintf(text, sizeof(text), "%lld", (long long)json_integer_value(v));
	else
		snprintf(text, sizeof(text), "%.3f", json_real_value(v));
	return units_duration(text, ms, &err) < 0 ? fault(r, "%s", err.text) : 0;
}

static int take_count(struct reader *r, const json_t *v, int64_t *out)
{
	if (want(r, v, json_is_integer(v) && json_integer_value(v) >= 0, "a whole number from 0") < 0)
		return -1;
	*out = json_integer_value(v);
	return 0;
}

static int take_resources(struct reader *r, json_t *v, struct resources *out, unsigned *given)
{
	const char *key;
	json_t *item;

	if (want(r, v, json_is_object(v), "an object") < 0)
		return -1;
	json_object_foreach(v, key, item) {
		size_t mark = enter(r, key);
		struct err err = ERR_INIT;
		json_t *one = json_pack("{sO}", key, item);
		int ret = resources_from_json(one, out, given, &err);

		json_decref(one);
		if (ret < 0)
			return fault(r, "%s", err.text);
		leave(r, mark);
	}
	return 0;
}

static int take_env(struct reader *r, json_t *v, struct pairs *out)
{
	const char *key;
	json_t *item;
	size_t i = 0;

	if (want(r, v, json_is_object(v), "an object") < 0)
		return -1;
	out->n = json_object_size(v);
	out->p = arena_calloc(&r->j->arena, out->n, sizeof(*out->p));
	json_object_foreach(v, key, item) {
		size_t mark = enter(r, key);
		struct pair *p = &out->p[i++];

		p->name = (struct str){ arena_strdup(&r->j->arena, key), strlen(key) };
		if (!env_name_valid(p->name))
			return fault(r, "a name of a variable holds only letters, digits and _");
		if (str_starts(key, "KQ_"))
			return fault(r, "variables that begin with KQ_ are kubeque's own");
		if (take_text(r, item, &p->value) < 0)
			return -1;
		leave(r, mark);
	}
	return 0;
}

static int take_cd(struct reader *r, const json_t *v, struct str *out)
{
	struct buf b = BUF_INIT;
	struct err err = ERR_INIT;
	struct str text;

	if (take_text(r, v, &text) < 0)
		return -1;
	if (!text.n || str_eq(text, ".")) {
		*out = STR("");
		return 0;
	}
	int ret = path_destination(text, &b, &err);

	if (ret < 0)
		fault(r, "%s", err.text);
	else
		*out = arena_str(&r->j->arena, buf_str(&b));
	buf_release(&b);
	return ret;
}

/* ---- keys ------------------------------------------------------------------------------- */

static int unknown_key(struct reader *r, const char *key, const char *const *known)
{
	const char *near = NULL;
	int distance = 4;

	for (; *known; known++)
		if (str_distance(key, *known) < distance) {
			distance = str_distance(key, *known);
			near = *known;
		}
	return fault(r, "unknown key%s%s%s", near ? " (did you mean \"" : "", near ? near : "",
		     near ? "\"?)" : "");
}

/* Calls `take` for every key of an object, with the path set. */
typedef int (*key_fn)(struct reader *r, void *ctx, const char *key, json_t *v);
static int each_key(struct reader *r, json_t *v, key_fn take, void *ctx)
{
	const char *key;
	json_t *item;

	if (want(r, v, json_is_object(v), "an object") < 0)
		return -1;
	json_object_foreach(v, key, item) {
		size_t mark = enter(r, key);

		if (take(r, ctx, key, item) < 0)
			return -1;
		leave(r, mark);
	}
	return 0;
}

static int take_destination(struct reader *r, const json_t *v, struct str *out)
{
	struct buf b = BUF_INIT;
	struct err err = ERR_INIT;
	struct str text;
	int ret = -1;

	if (take_text(r, v, &text) < 0)
		return -1;
	if (path_destination(text, &b, &err) < 0) {
		fault(r, "%s", err.text);
		goto out;
	}
	*out = arena_str(&r->j->arena, buf_str(&b));
	ret = 0;
out:
	buf_release(&b);
	return ret;
}

static int download_key(struct reader *r, void *ctx, const char *key, json_t *v)
{
	static const char *const known[] = { "src", "src_url", "dst", "executable", NULL };
	struct download *d = ctx;

	if (strcmp(key, "src") == 0) {
		if (take_text(r, v, &d->src) < 0)
			return -1;
		return d->src.n ? 0 : fault(r, "the path is empty");
	}
	if (strcmp(key, "src_url") == 0) {
		if (take_text(r, v, &d->url) < 0)
			return -1;
		return path_is_url(d->url) ? 0 : fault(r, "a gs:// URL is needed here");
	}
	if (strcmp(key, "dst") == 0)
		return take_destination(r, v, &d->dst);
	if (strcmp(key, "executable") != 0)
		return unknown_key(r, key, known);
	if (want(r, v, json_is_boolean(v), "true or false") < 0)
		return -1;
	d->executable = json_is_true(v);
	return 0;
}

static int take_downloads(struct reader *r, json_t *v, struct downloads *out)
{
	size_t i;
	json_t *item;

	if (want(r, v, json_is_array(v), "a list") < 0)
		return -1;
	out->n = json_array_size(v);
	out->p = arena_calloc(&r->j->arena, out->n, sizeof(*out->p));
	json_array_foreach(v, i, item) {
		struct download *d = &out->p[i];
		size_t mark = enter_item(r, i);

		d->executable = -1;
		if (each_key(r, item, download_key, d) < 0)
			return -1;
		if (!d->src.n == !d->url.n)
			return fault(r, "one of src and src_url is needed");
		leave(r, mark);
	}
	return 0;
}

struct uploads {
	struct strs *include, *exclude;
	bool has_include, has_exclude;
};

static int uploads_key(struct reader *r, void *ctx, const char *key, json_t *v)
{
	static const char *const known[] = { "include_patterns", "exclude_patterns", NULL };
	struct uploads *u = ctx;

	if (strcmp(key, "include_patterns") == 0) {
		u->has_include = true;
		return take_texts(r, v, u->include);
	}
	if (strcmp(key, "exclude_patterns") == 0) {
		u->has_exclude = true;
		return take_texts(r, v, u->exclude);
	}
	return unknown_key(r, key, known);
}

static int common_key(struct reader *r, void *ctx, const char *key, json_t *v)
{
	static const char *const known[] = { "working_dir", "downloads", "uploads", "timeout",
					     "retries", NULL };
	struct jobfile *j = r->j;
	struct uploads u = { &j->common.results, &j->common.exclude, false, false };

	(void)ctx;
	if (strcmp(key, "working_dir") == 0)
		return take_cd(r, v, &j->common.cd);
	if (strcmp(key, "downloads") == 0)
		return take_downloads(r, v, &j->downloads);
	if (strcmp(key, "uploads") == 0)
		return each_key(r, v, uploads_key, &u);
	if (strcmp(key, "timeout") == 0)
		return take_duration(r, v, &j->common.timeout_ms);
	if (strcmp(key, "retries") == 0)
		return take_count(r, v, &j->common.retries);
	return unknown_key(r, key, known);
}

/* ---- tasks ------------------------------------------------------------------------------ */

static int parameter_key(struct reader *r, void *ctx, const char *key, json_t *v)
{
	struct pairs *p = ctx;
	struct pair *pair = &p->p[p->n++];

	pair->name = (struct str){ arena_strdup(&r->j->arena, key), strlen(key) };
	if (!*key)
		return fault(r, "a parameter needs a name");
	if (str_starts(key, "kq_"))
		return fault(r, "names of parameters that begin with kq_ are kubeque's own");
	if (!map_get(&r->columns, key)) {
		map_set(&r->columns, key, r);
		*vec_push(&r->column) = pair->name;
	}
	return take_value(r, v, &pair->value);
}

static int take_command(struct reader *r, json_t *v, struct task_spec *t)
{
	if (json_is_string(v)) {
		t->shell = true;
		if (take_text(r, v, &t->command) < 0)
			return -1;
		return t->command.n ? 0 : fault(r, "the command is empty");
	}
	if (want(r, v, json_is_array(v), "a text or a list of texts") < 0 ||
	    take_texts(r, v, &t->argv) < 0)
		return -1;
	if (!t->argv.n || !t->argv.p[0].n)
		return fault(r, "the command is empty");
	return 0;
}

/* Keys of a task that make it another class; `c` is the common one to begin with. */
static int class_key(struct reader *r, struct class *c, const char *key, json_t *v)
{
	struct str image;
	unsigned given = 0;

	if (strcmp(key, "timeout") == 0)
		return take_duration(r, v, &c->timeout_ms);
	if (strcmp(key, "retries") == 0)
		return take_count(r, v, &c->retries);
	if (strcmp(key, "resources") == 0) {
		if (take_resources(r, v, &c->r, &given) < 0)
			return -1;
		c->limits |= given & (RESOURCE_MEMORY | RESOURCE_DISK);
		return 0;
	}
	if (take_text(r, v, &image) < 0)
		return -1;
	if (!image.n || image.n >= sizeof(c->image))
		return fault(r, "no name of an image");
	memcpy(c->image, image.p, image.n + 1);
	return 0;
}

static int task_key(struct reader *r, void *ctx, const char *key, json_t *v)
{
	static const char *const known[] = { "command", "parameters", "downloads", "uploads",
					     "resources", "env", "timeout", "working_dir", "image",
					     "retries", NULL };
	struct jobfile_task *t = ctx;
	struct uploads u = { &t->include, &t->exclude, false, false };
	int ret;

	if (strcmp(key, "command") == 0)
		return take_command(r, v, &t->task);
	if (strcmp(key, "parameters") == 0) {
		t->task.parameters.p = arena_calloc(&r->j->arena, json_object_size(v),
						    sizeof(struct pair));
		return each_key(r, v, parameter_key, &t->task.parameters);
	}
	if (strcmp(key, "downloads") == 0)
		return take_downloads(r, v, &t->downloads);
	if (strcmp(key, "env") == 0)
		return take_env(r, v, &t->task.env);
	if (strcmp(key, "working_dir") == 0)
		return take_cd(r, v, &t->task.cd);
	if (strcmp(key, "uploads") == 0) {
		ret = each_key(r, v, uploads_key, &u);
		t->has_include = u.has_include;
		t->has_exclude = u.has_exclude;
		return ret;
	}
	if (strcmp(key, "resources") == 0 || strcmp(key, "timeout") == 0 ||
	    strcmp(key, "image") == 0 || strcmp(key, "retries") == 0)
		return class_key(r, &t->class, key, v);
	return unknown_key(r, key, known);
}

static int take_tasks(struct reader *r, json_t *v)
{
	struct jobfile *j = r->j;
	struct class common;
	size_t i, mark = enter(r, "tasks");
	json_t *item;

	if (want(r, v, json_is_array(v), "a list") < 0)
		return -1;
	if (!json_array_size(v))
		return fault(r, "the list is empty: there would be no task");
	common_class(&j->common, &common);
	j->n = json_array_size(v);
	j->tasks = arena_calloc(&j->arena, j->n, sizeof(*j->tasks));
	json_array_foreach(v, i, item) {
		struct jobfile_task *t = &j->tasks[i];
		size_t at = enter_item(r, i);

		t->class = common;
		if (each_key(r, item, task_key, t) < 0)
			return -1;
		if (!t->task.shell && !t->task.argv.n)
			return fault(r, "command is missing");
		t->has_class = !class_equal(&t->class, &common);
		leave(r, at);
	}
	leave(r, mark);
	return 0;
}

/* Everything but the tasks, which need to know what is common. */
static int top_key(struct reader *r, void *ctx, const char *key, json_t *v)
{
	static const char *const known[] = { "image", "resources", "env", "common", "tasks", NULL };
	struct common *c = &r->j->common;

	(void)ctx;
	if (strcmp(key, "tasks") == 0)
		return 0;
	if (strcmp(key, "image") == 0) {
		if (take_text(r, v, &c->image) < 0)
			return -1;
		return c->image.n && c->image.n < CLASS_IMAGE_SIZE ? 0 : fault(r, "no name of an image");
	}
	if (strcmp(key, "resources") == 0) {
		if (take_resources(r, v, &c->resources, &r->j->given) < 0)
			return -1;
		c->limits |= r->j->given & (RESOURCE_MEMORY | RESOURCE_DISK);
		return 0;
	}
	if (strcmp(key, "env") == 0)
		return take_env(r, v, &c->env);
	if (strcmp(key, "common") == 0)
		return each_key(r, v, common_key, NULL);
	return unknown_key(r, key, known);
}

static int read_all(struct reader *r, json_t *root)
{
	json_t *tasks;

	if (each_key(r, root, top_key, NULL) < 0)
		return -1;
	tasks = json_object_get(root, "tasks");
	if (!tasks)
		return fault(r, "tasks is missing: a list of {\"command\": ...}");
	if (take_tasks(r, tasks) < 0)
		return -1;
	r->j->columns.n = r->column.n;
	r->j->columns.p = arena_alloc(&r->j->arena, r->column.n * sizeof(struct str));
	if (r->column.n)
		memcpy(r->j->columns.p, r->column.p, r->column.n * sizeof(struct str));
	return 0;
}

int jobfile_parse(const char *name, struct str text, struct jobfile *out, struct err *err)
{
	struct reader r = { .j = out, .name = name, .path = BUF_INIT, .columns = MAP_INIT, .err = err };
	json_error_t je;
	json_t *root;
	int ret = -1;

	*out = (struct jobfile){ .arena = ARENA_INIT };
	common_init(&out->common);
	if (text.n >= 3 && memcmp(text.p, "\xef\xbb\xbf", 3) == 0)
		text = (struct str){ text.p + 3, text.n - 3 };
	root = json_loadb(text.p, text.n, JSON_REJECT_DUPLICATES, &je);
	if (root)
		ret = read_all(&r, root);
	else
		err_set(err, ERR_USAGE, "%s, line %d, column %d: not valid JSON: %s", name, je.line,
			je.column, je.text);
	json_decref(root);
	buf_release(&r.path);
	map_release(&r.columns);
	vec_release(&r.column);
	return ret;
}

void jobfile_release(struct jobfile *j)
{
	arena_release(&j->arena);
	*j = (struct jobfile){ .arena = ARENA_INIT };
}
