#include "work/jobctx.h"

#include <jansson.h>

#include "base/base.h"
#include "base/vec.h"

enum {
	ROOT_LIMIT = 256 << 20,
	CHUNK_LIMIT = 2047 << 20, /* 1,000 tasks of 1 MiB, and their parameters */
	CACHE_MAX = 32,
};

/* ---- loading ---- */

static int load_info(struct jobctx *c, const char *home, struct err *err)
{
	json_error_t je;
	json_t *root = json_loads(c->job.info ? c->job.info : "", 0, &je);
	const char *results = json_string_value(json_object_get(root, "results"));
	const char *cas = json_string_value(json_object_get(root, "cas"));
	int64_t jobs = json_integer_value(json_object_get(root, "jobs"));
	size_t n;

	if (!results || *results != '/') {
		json_decref(root);
		return err_set(err, ERR_IO, "job %s does not say where its results go", c->job.id);
	}
	c->results_dir = xstrdup(results);
	n = strlen(c->results_dir);
	while (n > 1 && c->results_dir[n - 1] == '/')
		c->results_dir[--n] = '\0';
	c->cas_dir = cas && *cas == '/' ? xstrdup(cas) : xasprintf("%s/CAS", home);
	c->jobs = jobs > 0 ? jobs : 0;
	json_decref(root);
	return 0;
}

static int get_object(struct jobctx *c, struct str sha, size_t limit, const char *what,
		      struct buf *out, struct err *err)
{
	int ret;

	if (sha.n != SHA256_HEX_SIZE - 1)
		return err_set(err, ERR_IO, "the manifest of job %s is damaged (%s)", c->job.id,
			       what);
	ret = cas_get(c->cas, sha.p, limit, out, err);
	if (ret == 0)
		return err_set(err, ERR_IO,
			       "the manifest of job %s is gone (%s %.12s is not in %s)",
			       c->job.id, what, sha.p, c->cas_dir);
	return ret < 0 ? -1 : 0;
}

static int load_manifest(struct jobctx *c, struct err *err)
{
	struct buf text = BUF_INIT;
	int ret = -1;

	c->cas = cas_open_dir(c->cas_dir, false, err);
	if (!c->cas)
		goto out;
	if (get_object(c, str_of(c->job.root), ROOT_LIMIT, "root", &text, err) < 0 ||
	    manifest_parse_root(&c->arena, buf_str(&text), &c->root, err) < 0)
		goto out;
	if (c->root.chunk_size <= 0) {
		err_set(err, ERR_IO, "the manifest of job %s is damaged (chunk size)", c->job.id);
		goto out;
	}
	if (c->root.inputs.n) {
		buf_clear(&text);
		if (get_object(c, c->root.inputs, ROOT_LIMIT, "inputs", &text, err) < 0 ||
		    manifest_parse_inputs(&c->arena, buf_str(&text), &c->inputs, err) < 0)
			goto out;
	}
	ret = 0;
out:
	buf_release(&text);
	return ret;
}

/* NAME of "NAME=value" equals name. */
static bool env_is(const char *entry, struct str name)
{
	return strncmp(entry, name.p, name.n) == 0 && entry[name.n] == '=';
}

static void build_env(struct jobctx *c)
{
	const struct pairs *over = &c->root.common.env;

	c->env = xcalloc(c->secret.nenv + over->n + 1, sizeof(*c->env));
	for (size_t i = 0; i < c->secret.nenv; i++)
		c->env[c->n_env++] = c->secret.env[i];
	for (size_t i = 0; i < over->n; i++) {
		const struct pair *p = &over->p[i];
		size_t at = 0, len = p->name.n + 1 + p->value.n;
		char *e = arena_alloc(&c->arena, len + 1);

		memcpy(e, p->name.p, p->name.n);
		e[p->name.n] = '=';
		memcpy(e + p->name.n + 1, p->value.p, p->value.n);
		e[len] = '\0';
		while (at < c->n_env && !env_is(c->env[at], p->name))
			at++;
		c->env[at] = e;
		if (at == c->n_env)
			c->n_env++;
	}
}

/* As at sub: soft limits, never above our hard ones, and niceness. */
static void build_limits(struct jobctx *c)
{
	for (int i = 0; i < SECRET_LIMITS; i++) {
		struct rlimit l;
		rlim_t want;

		if (!c->secret.has_limit[i] || getrlimit((__rlimit_resource_t)i, &l) < 0)
			continue;
		want = c->secret.limit[i] < 0 ? RLIM_INFINITY : (rlim_t)c->secret.limit[i];
		want = MIN(want, l.rlim_max);
		if (want == l.rlim_cur)
			continue;
		l.rlim_cur = want;
		c->limits[c->n_limits++] = (struct proc_limit){ .resource = i, .value = l };
	}
	c->nice = MAX(0, c->secret.nice - getpriority(PRIO_PROCESS, 0));
}

int jobctx_results(struct jobctx *c, struct queue *q, struct err *err)
{
	const struct results_id id = {
		.queue = queue_uuid(q), .born = c->job.born, .job = c->job.id,
	};

	if (c->results)
		return 1;
	return results_open(c->results_dir, &id, c->secret.umask, &c->results, err);
}

int jobctx_load(struct queue *q, const char *home, int64_t born, int what, struct jobctx **out,
		struct err *err)
{
	struct jobctx *c = xcalloc(1, sizeof(*c));
	struct buf head = BUF_INIT;
	int ret;

	*out = NULL;
	atomic_init(&c->refs, 1);
	c->chunk[0].index = c->chunk[1].index = -1;
	buf_init(&c->chunk[0].text);
	buf_init(&c->chunk[1].text);
	ret = queue_job_get(q, born, &c->job, err);
	if (ret <= 0)
		goto out;
	ret = -1;
	if (load_info(c, home, err) < 0 || secret_parse(&c->secret, c->job.secret, err) < 0)
		goto out;
	c->n_classes = classes_parse_json(c->job.classes ? c->job.classes : "[]", c->classes,
					  CLASSES_MAX, err);
	if (c->n_classes < 0 || load_manifest(c, err) < 0)
		goto out;
	build_env(c);
	build_limits(c);
	buf_adds(&head, "{\"job\":");
	buf_add_json(&head, c->job.id, strlen(c->job.id));
	buf_adds(&head, ",\"task\":");
	c->json_head = buf_detach(&head);
	ret = what == JOBCTX_RUN ? jobctx_results(c, q, err) : 1;
out:
	buf_release(&head);
	if (ret > 0)
		*out = c;
	else
		jobctx_unref(c);
	return ret;
}

struct jobctx *jobctx_ref(struct jobctx *c)
{
	atomic_fetch_add(&c->refs, 1);
	return c;
}

void jobctx_unref(struct jobctx *c)
{
	if (!c || atomic_fetch_sub(&c->refs, 1) != 1)
		return;
	for (size_t i = 0; i < ARRAY_SIZE(c->chunk); i++) {
		buf_release(&c->chunk[i].text);
		free(c->chunk[i].line);
	}
	results_close(c->results);
	if (c->cas)
		cas_close(c->cas);
	free(c->env);
	free(c->json_head);
	free(c->results_dir);
	free(c->cas_dir);
	secret_release(&c->secret);
	arena_release(&c->arena);
	job_release(&c->job);
	free(c);
}

/* ---- chunks ---- */

static const struct jobctx_chunk *chunk_load(struct jobctx *c, int64_t index, struct err *err)
{
	struct jobctx_chunk *k;
	VEC(size_t) line = { 0 };

	for (int i = 0; i < 2; i++) {
		if (c->chunk[i].index == index) {
			c->chunk_last = i;
			return &c->chunk[i];
		}
	}
	if ((size_t)index >= c->root.chunks.n)
		goto damaged;
	k = &c->chunk[1 - c->chunk_last];
	k->index = -1;
	buf_clear(&k->text);
	if (get_object(c, c->root.chunks.p[index], CHUNK_LIMIT, "chunk", &k->text, err) < 0)
		return NULL;
	for (size_t at = 0; at < k->text.n;) {
		const char *nl = memchr(k->text.p + at, '\n', k->text.n - at);

		*vec_push(&line) = at;
		at = nl ? (size_t)(nl - k->text.p) + 1 : k->text.n;
	}
	k->n = line.n;
	*vec_push(&line) = k->text.n;
	free(k->line);
	k->line = line.p;
	k->index = index;
	c->chunk_last = 1 - c->chunk_last;
	return k;
damaged:
	err_set(err, ERR_IO, "the manifest of job %s has no chunk %lld", c->job.id,
		(long long)index);
	return NULL;
}

int jobctx_task(struct jobctx *c, int64_t n, struct arena *a, struct task_spec *out,
		struct err *err)
{
	const struct jobctx_chunk *k;
	size_t i;

	if (n < 1)
		return err_set(err, ERR_IO, "job %s has no task %lld", c->job.id, (long long)n);
	k = chunk_load(c, (n - 1) / c->root.chunk_size, err);
	if (!k)
		return -1;
	i = (size_t)((n - 1) % c->root.chunk_size);
	if (i >= k->n)
		return err_set(err, ERR_IO, "the manifest of job %s has no task %lld", c->job.id,
			       (long long)n);
	return manifest_parse_task(a, (struct str){ k->text.p + k->line[i],
						    k->line[i + 1] - k->line[i] }, out, err);
}

/* ---- small things ---- */

int64_t jobctx_timeout_ms(const struct jobctx *c, int class)
{
	if (class >= 0 && class < c->n_classes && c->classes[class].timeout_ms >= 0)
		return c->classes[class].timeout_ms;
	return c->root.common.timeout_ms;
}

bool jobctx_keep_work(const struct jobctx *c, int class)
{
	return c->root.common.keep_work ||
	       (class >= 0 && class < c->n_classes && c->classes[class].keep_work);
}

int jobctx_retries(const struct jobctx *c, int class)
{
	int64_t n = c->root.common.retries;

	if (class >= 0 && class < c->n_classes && c->classes[class].retries >= 0)
		n = c->classes[class].retries;
	return (int)MIN(n, TRIES_MAX);
}

void jobctx_class_json(const struct jobctx *c, int class, struct buf *out)
{
	struct class k;

	class_init(&k);
	if (class >= 0 && class < c->n_classes)
		k = c->classes[class];
	k.avoid[0] = '\0';
	class_add_json(out, &k);
}

/* ---- the cache ---- */

struct jobctx_cache {
	char *home;
	int what;
	VEC(struct jobctx *) jobs; /* last used last */
};

struct jobctx_cache *jobctx_cache_new(const char *home, int what)
{
	struct jobctx_cache *c = xcalloc(1, sizeof(*c));

	c->home = xstrdup(home);
	c->what = what;
	return c;
}

void jobctx_cache_free(struct jobctx_cache *c)
{
	if (!c)
		return;
	for (size_t i = 0; i < c->jobs.n; i++)
		jobctx_unref(c->jobs.p[i]);
	vec_release(&c->jobs);
	free(c->home);
	free(c);
}

static void drop_at(struct jobctx_cache *c, size_t i)
{
	jobctx_unref(c->jobs.p[i]);
	memmove(&c->jobs.p[i], &c->jobs.p[i + 1], (c->jobs.n - i - 1) * sizeof(*c->jobs.p));
	c->jobs.n--;
}

void jobctx_forget(struct jobctx_cache *c, int64_t born)
{
	for (size_t i = 0; i < c->jobs.n; i++) {
		if (c->jobs.p[i]->job.born == born) {
			drop_at(c, i);
			return;
		}
	}
}

struct jobctx *jobctx_peek(const struct jobctx_cache *c, int64_t born)
{
	for (size_t i = c->jobs.n; i-- > 0;)
		if (c->jobs.p[i]->job.born == born)
			return c->jobs.p[i];
	return NULL;
}

int jobctx_get(struct jobctx_cache *c, struct queue *q, int64_t born, int class,
	       struct jobctx **out, struct err *err)
{
	int ret;

	for (size_t i = c->jobs.n; i-- > 0;) {
		struct jobctx *j = c->jobs.p[i];

		if (j->job.born != born)
			continue;
		if (class >= j->n_classes) {
			drop_at(c, i);
			break;
		}
		memmove(&c->jobs.p[i], &c->jobs.p[i + 1],
			(c->jobs.n - i - 1) * sizeof(*c->jobs.p));
		c->jobs.p[c->jobs.n - 1] = j;
		*out = j;
		return 1;
	}
	if (c->jobs.n >= CACHE_MAX)
		drop_at(c, 0);
	ret = jobctx_load(q, c->home, born, c->what, out, err);
	if (ret > 0)
		*vec_push(&c->jobs) = *out;
	return ret;
}
