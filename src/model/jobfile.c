#include "model/jobfile.h"

#include "base/base.h"
#include "model/jobfile_impl.h"
#include "model/path.h"

/* ---- downloads and uploads -------------------------------------------------------------- */

static int take_destination(struct jobfile_reader *r, const json_t *v, struct str *out)
{
	struct buf b = BUF_INIT;
	struct err err = ERR_INIT;
	struct str text;
	int ret = -1;

	if (jobfile_text(r, v, &text) < 0)
		return -1;
	if (path_destination(text, &b, &err) < 0) {
		jobfile_fault(r, "%s", err.text);
		goto out;
	}
	*out = arena_str(&r->j->arena, buf_str(&b));
	ret = 0;
out:
	buf_release(&b);
	return ret;
}

static int download_key(struct jobfile_reader *r, void *ctx, const char *key, json_t *v)
{
	static const char *const known[] = { "src", "src_url", "dst", "executable", NULL };
	struct download *d = ctx;

	if (strcmp(key, "src") == 0) {
		if (jobfile_text(r, v, &d->src) < 0)
			return -1;
		return d->src.n ? 0 : jobfile_fault(r, "the path is empty");
	}
	if (strcmp(key, "src_url") == 0) {
		if (jobfile_text(r, v, &d->url) < 0)
			return -1;
		return path_is_url(d->url) ? 0 : jobfile_fault(r, "a gs:// URL is needed here");
	}
	if (strcmp(key, "dst") == 0)
		return take_destination(r, v, &d->dst);
	if (strcmp(key, "executable") != 0)
		return jobfile_unknown(r, key, known);
	if (jobfile_want(r, v, json_is_boolean(v), "true or false") < 0)
		return -1;
	d->executable = json_is_true(v);
	return 0;
}

static int take_downloads(struct jobfile_reader *r, json_t *v, struct downloads *out)
{
	size_t i;
	json_t *item;

	if (jobfile_want(r, v, json_is_array(v), "a list") < 0)
		return -1;
	out->n = json_array_size(v);
	out->p = arena_calloc(&r->j->arena, out->n, sizeof(*out->p));
	json_array_foreach(v, i, item) {
		struct download *d = &out->p[i];
		size_t mark = jobfile_enter_item(r, i);

		d->executable = -1;
		if (jobfile_each(r, item, download_key, d) < 0)
			return -1;
		if (!d->src.n == !d->url.n)
			return jobfile_fault(r, "one of src and src_url is needed");
		jobfile_leave(r, mark);
	}
	return 0;
}

struct uploads {
	struct strs *include, *exclude;
};

static int uploads_key(struct jobfile_reader *r, void *ctx, const char *key, json_t *v)
{
	static const char *const known[] = { "include_patterns", "exclude_patterns", NULL };
	struct uploads *u = ctx;

	if (strcmp(key, "include_patterns") == 0)
		return jobfile_patterns(r, v, u->include);
	if (strcmp(key, "exclude_patterns") == 0)
		return jobfile_patterns(r, v, u->exclude);
	return jobfile_unknown(r, key, known);
}

static int common_key(struct jobfile_reader *r, void *ctx, const char *key, json_t *v)
{
	static const char *const known[] = { "working_dir", "downloads", "uploads", "timeout",
					     "retries", NULL };
	struct jobfile *j = r->j;
	struct uploads u = { &j->common.results, &j->common.exclude };

	(void)ctx;
	if (strcmp(key, "working_dir") == 0)
		return jobfile_cd(r, v, &j->common.cd);
	if (strcmp(key, "downloads") == 0)
		return take_downloads(r, v, &j->downloads);
	if (strcmp(key, "uploads") == 0)
		return jobfile_each(r, v, uploads_key, &u);
	if (strcmp(key, "timeout") == 0)
		return jobfile_duration(r, v, &j->common.timeout_ms);
	if (strcmp(key, "retries") == 0)
		return jobfile_count(r, v, &j->common.retries);
	return jobfile_unknown(r, key, known);
}

/* ---- tasks ------------------------------------------------------------------------------ */

static int parameter_key(struct jobfile_reader *r, void *ctx, const char *key, json_t *v)
{
	struct pairs *p = ctx;
	struct pair *pair = &p->p[p->n++];

	pair->name = (struct str){ arena_strdup(&r->j->arena, key), strlen(key) };
	if (!*key)
		return jobfile_fault(r, "a parameter needs a name");
	if (str_starts(key, "kq_"))
		return jobfile_fault(r, "names of parameters that begin with kq_ are kubeque's "
					"own");
	if (!map_get(&r->columns, key)) {
		map_set(&r->columns, key, r);
		*vec_push(&r->column) = pair->name;
	}
	return jobfile_value(r, v, &pair->value);
}

static int take_command(struct jobfile_reader *r, json_t *v, struct task_spec *t)
{
	if (json_is_string(v)) {
		t->shell = true;
		if (jobfile_text(r, v, &t->command) < 0)
			return -1;
		return t->command.n ? 0 : jobfile_fault(r, "the command is empty");
	}
	if (jobfile_want(r, v, json_is_array(v), "a text or a list of texts") < 0 ||
	    jobfile_texts(r, v, &t->argv) < 0)
		return -1;
	if (!t->argv.n || !t->argv.p[0].n)
		return jobfile_fault(r, "the command is empty");
	return 0;
}

/* Keys of a task that make it another class; `c` is the common one to begin with. */
static int class_key(struct jobfile_reader *r, struct class *c, const char *key, json_t *v)
{
	struct str image;
	unsigned given = 0;

	if (strcmp(key, "timeout") == 0)
		return jobfile_duration(r, v, &c->timeout_ms);
	if (strcmp(key, "retries") == 0)
		return jobfile_count(r, v, &c->retries);
	if (strcmp(key, "resources") == 0) {
		if (jobfile_resources(r, v, &c->r, &given) < 0)
			return -1;
		c->limits |= given & (RESOURCE_MEMORY | RESOURCE_DISK);
		return 0;
	}
	if (jobfile_text(r, v, &image) < 0)
		return -1;
	if (!image.n || image.n >= sizeof(c->image))
		return jobfile_fault(r, "no name of an image");
	memcpy(c->image, image.p, image.n + 1);
	return 0;
}

static int task_key(struct jobfile_reader *r, void *ctx, const char *key, json_t *v)
{
	static const char *const known[] = { "command", "parameters", "downloads", "uploads",
					     "resources", "env", "timeout", "working_dir", "image",
					     "retries", NULL };
	struct jobfile_task *t = ctx;
	struct uploads u = { &t->task.results, &t->task.exclude };

	if (strcmp(key, "command") == 0)
		return take_command(r, v, &t->task);
	if (strcmp(key, "parameters") == 0) {
		t->task.parameters.p = arena_calloc(&r->j->arena, json_object_size(v),
						    sizeof(struct pair));
		return jobfile_each(r, v, parameter_key, &t->task.parameters);
	}
	if (strcmp(key, "downloads") == 0)
		return take_downloads(r, v, &t->downloads);
	if (strcmp(key, "env") == 0)
		return jobfile_env(r, v, &t->task.env);
	if (strcmp(key, "working_dir") == 0)
		return jobfile_cd(r, v, &t->task.cd);
	if (strcmp(key, "uploads") == 0)
		return jobfile_each(r, v, uploads_key, &u);
	if (strcmp(key, "resources") == 0 || strcmp(key, "timeout") == 0 ||
	    strcmp(key, "image") == 0 || strcmp(key, "retries") == 0)
		return class_key(r, &t->class, key, v);
	return jobfile_unknown(r, key, known);
}

static int take_tasks(struct jobfile_reader *r, json_t *v)
{
	struct jobfile *j = r->j;
	struct class common;
	size_t i, mark = jobfile_enter(r, "tasks");
	json_t *item;

	if (jobfile_want(r, v, json_is_array(v), "a list") < 0)
		return -1;
	if (!json_array_size(v))
		return jobfile_fault(r, "the list is empty: there would be no task");
	common_class(&j->common, &common);
	j->n = json_array_size(v);
	j->tasks = arena_calloc(&j->arena, j->n, sizeof(*j->tasks));
	json_array_foreach(v, i, item) {
		struct jobfile_task *t = &j->tasks[i];
		size_t at = jobfile_enter_item(r, i);

		t->class = common;
		if (jobfile_each(r, item, task_key, t) < 0)
			return -1;
		if (!t->task.shell && !t->task.argv.n)
			return jobfile_fault(r, "command is missing");
		t->has_class = !class_equal(&t->class, &common);
		jobfile_leave(r, at);
	}
	jobfile_leave(r, mark);
	return 0;
}

/* Everything but the tasks, which need to know what is common. */
static int top_key(struct jobfile_reader *r, void *ctx, const char *key, json_t *v)
{
	static const char *const known[] = { "image", "resources", "env", "common", "tasks", NULL };
	struct common *c = &r->j->common;

	(void)ctx;
	if (strcmp(key, "tasks") == 0)
		return 0;
	if (strcmp(key, "image") == 0) {
		if (jobfile_text(r, v, &c->image) < 0)
			return -1;
		if (!c->image.n || c->image.n >= CLASS_IMAGE_SIZE)
			return jobfile_fault(r, "no name of an image");
		return 0;
	}
	if (strcmp(key, "resources") == 0) {
		if (jobfile_resources(r, v, &c->resources, &r->j->given) < 0)
			return -1;
		c->limits |= r->j->given & (RESOURCE_MEMORY | RESOURCE_DISK);
		return 0;
	}
	if (strcmp(key, "env") == 0)
		return jobfile_env(r, v, &c->env);
	if (strcmp(key, "common") == 0)
		return jobfile_each(r, v, common_key, NULL);
	return jobfile_unknown(r, key, known);
}

static int read_all(struct jobfile_reader *r, json_t *root)
{
	json_t *tasks;

	if (jobfile_each(r, root, top_key, NULL) < 0)
		return -1;
	tasks = json_object_get(root, "tasks");
	if (!tasks)
		return jobfile_fault(r, "tasks is missing: a list of {\"command\": ...}");
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
	struct jobfile_reader r = {
		.j = out, .name = name, .path = BUF_INIT, .columns = MAP_INIT, .err = err
	};
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
			je.column,
			strstr(je.text, "ALLOW_NUL") ? "\\u0000 can be in no text" : je.text);
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
