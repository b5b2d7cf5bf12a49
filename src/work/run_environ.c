/* What a task sees in its environment: FINE_PRINT "Environment", "KQ_PARAM_ names". */
#include <stdio.h>
#include <string.h>

#include "base/base.h"
#include "work/task_run.h"

enum { PARAM_VALUE_MAX = 32 * 1024, TAIL_NAMES = 8 };

struct env_list {
	const char **p;
	size_t n;
	struct arena *a;
};

static void add(struct env_list *l, const char *prefix, struct str value)
{
	size_t n = strlen(prefix);
	char *e = arena_alloc(l->a, n + value.n + 1);

	memcpy(e, prefix, n);
	if (value.n)
		memcpy(e + n, value.p, value.n);
	e[n + value.n] = '\0';
	l->p[l->n++] = e;
}

static void add_int(struct env_list *l, const char *prefix, int64_t v)
{
	char t[24];
	int n = snprintf(t, sizeof(t), "%lld", (long long)v);

	add(l, prefix, (struct str){ t, (size_t)n });
}

/* NAME=value over whatever is there. */
static void set(struct env_list *l, struct str name, struct str value)
{
	char *e = arena_alloc(l->a, name.n + value.n + 2);

	memcpy(e, name.p, name.n);
	e[name.n] = '=';
	if (value.n)
		memcpy(e + name.n + 1, value.p, value.n);
	e[name.n + 1 + value.n] = '\0';
	for (size_t i = 0; i < l->n; i++) {
		if (strncmp(l->p[i], e, name.n + 1) == 0) {
			l->p[i] = e;
			return;
		}
	}
	l->p[l->n++] = e;
}

static char name_char(char c)
{
	bool ok = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');

	return ok ? c : '_';
}

static bool same_name(struct str a, struct str b)
{
	if (a.n != b.n)
		return false;
	for (size_t i = 0; i < a.n; i++)
		if (name_char(a.p[i]) != name_char(b.p[i]))
			return false;
	return true;
}

static bool is_ambiguous(const struct pairs *p, size_t i)
{
	for (size_t k = 0; k < p->n; k++)
		if (k != i && same_name(p->p[i].name, p->p[k].name))
			return true;
	return false;
}

static void add_params(struct env_list *l, const struct pairs *p)
{
	for (size_t i = 0; i < p->n; i++) {
		struct str name = p->p[i].name, value = p->p[i].value;
		static const char prefix[] = "KQ_PARAM_";
		size_t at = sizeof(prefix) - 1;
		char *e;

		if (value.n > PARAM_VALUE_MAX || is_ambiguous(p, i))
			continue;
		e = arena_alloc(l->a, at + name.n + value.n + 2);
		memcpy(e, prefix, at);
		for (size_t k = 0; k < name.n; k++)
			e[at++] = name_char(name.p[k]);
		e[at++] = '=';
		if (value.n)
			memcpy(e + at, value.p, value.n);
		e[at + value.n] = '\0';
		l->p[l->n++] = e;
	}
}

const char *const *run_environ(struct run *r, const struct run_env *e, struct err *err)
{
	const struct jobctx *c = r->ctx;
	const struct workdir *d = &r->slot->dir;
	const char *cd = r->spec.cd.p ? r->spec.cd.p : c->root.common.cd.p;
	struct env_list l = { .a = &r->arena };

	l.p = arena_alloc(&r->arena, (c->n_env + r->spec.env.n + r->spec.parameters.n + TAIL_NAMES +
				      1) * sizeof(*l.p));
	memcpy(l.p, c->env, c->n_env * sizeof(*l.p));
	l.n = c->n_env;
	for (size_t i = 0; i < r->spec.env.n; i++)
		set(&l, r->spec.env.p[i].name, r->spec.env.p[i].value);
	if (cd && *cd) {
		char *pwd = xasprintf("%s/%s", d->path, cd);

		add(&l, "PWD=", str_of(pwd));
		free(pwd);
	} else {
		add(&l, "PWD=", str_of(d->path));
	}
	add(&l, "KQ_JOB=", str_of(c->job.id));
	add_int(&l, "KQ_TASK=", r->c.n);
	add_int(&l, "KQ_ATTEMPT=", r->c.attempt);
	add(&l, "KQ_NODE=", str_of(e->node));
	add(&l, "KQ_WORK=", str_of(d->path));
	if (r->spec.parameters.n) {
		struct buf json = BUF_INIT;
		int ret;

		pairs_add_json(&json, &r->spec.parameters);
		buf_addch(&json, '\n');
		ret = workdir_params(&r->slot->dir, e->work, json.p, json.n, err);
		buf_release(&json);
		if (ret < 0)
			return NULL;
		add(&l, "KQ_PARAMS=", str_of(d->params_path));
		add_params(&l, &r->spec.parameters);
	}
	l.p[l.n] = NULL;
	return l.p;
}
