#include "script/policy_router.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "base/base.h"
#include "base/log.h"
#include "base/vec.h"
#include "cas/cas.h"
#include "script/bundle.h"
#include "script/policy_lua.h"

enum {
	LOADED_MAX = 16, /* bundles in memory */
	ERRORS_MAX = 3,  /* in a row, then a bundle is not tried again */
};

struct entry {
	char digest[SHA256_HEX_SIZE];
	struct policy *policy; /* NULL: not loaded */
	int errors;
	char *news;            /* why it could not be loaded, not said yet; NULL: nothing new */
	int64_t used;
	VEC(int64_t) told;     /* jobs whose history says that it is off */
};

struct router {
	struct policy base;
	char *home;
	struct policy *stock;  /* NULL: not loaded yet */
	VEC(struct entry) entries;
	int64_t clock;
};

static struct router *router_of(struct policy *base)
{
	return container_of(base, struct router, base);
}

/* ---- loading ------------------------------------------------------------------------------ */

static struct policy *stock_of(struct router *r, struct err *err)
{
	if (!r->stock)
		r->stock = policy_lua_new("policies/default", err);
	return r->stock;
}

static char *cas_dir_of(const struct router *r, const struct job *job)
{
	json_t *info = json_loads(job->info ? job->info : "", 0, NULL);
	const char *dir = json_string_value(json_object_get(info, "cas"));
	char *out = dir && *dir == '/' ? xstrdup(dir) : xasprintf("%s/CAS", r->home);

	json_decref(info);
	return out;
}

static struct policy *load(const struct router *r, const struct job *job, struct err *err)
{
	char *dir = cas_dir_of(r, job);
	struct cas *cas = cas_open_dir(dir, false, err);
	struct buf text = BUF_INIT;
	struct policy *p = NULL;
	int ret;

	if (cas) {
		ret = cas_get(cas, job->policy, BUNDLE_MAX, &text, err);
		if (ret == 0)
			err_set(err, ERR_SCRIPT, "%.12s is not in %s", job->policy, dir);
		if (ret > 0)
			p = policy_lua_bundle(text.p, text.n, err);
		cas_close(cas);
	}
	if (!p) {
		err_prefix(err, "the policies of job %s cannot be loaded", job->id);
		if (err->code != ERR_BUSY) /* no use in trying again */
			err->code = ERR_SCRIPT;
	}
	buf_release(&text);
	free(dir);
	return p;
}

static struct entry *entry_of(struct router *r, const char *digest)
{
	struct entry *e;

	for (size_t i = 0; i < r->entries.n; i++)
		if (strcmp(r->entries.p[i].digest, digest) == 0)
			return &r->entries.p[i];
	e = vec_push(&r->entries);
	*e = (struct entry){ .policy = NULL };
	(void)snprintf(e->digest, sizeof(e->digest), "%s", digest);
	return e;
}

/* Room for one more. */
static void unload_oldest(struct router *r)
{
	struct entry *oldest = NULL;
	int loaded = 0;

	for (size_t i = 0; i < r->entries.n; i++) {
		struct entry *e = &r->entries.p[i];

		if (!e->policy)
			continue;
		loaded++;
		if (!oldest || e->used < oldest->used)
			oldest = e;
	}
	if (loaded < LOADED_MAX)
		return;
	policy_close(oldest->policy);
	oldest->policy = NULL;
}

/* The policy of a job's bundle. NULL: it cannot be had; with err set when that is news. */
static struct policy *bundle_of(struct router *r, const struct job *job, struct err *err)
{
	struct entry *e = entry_of(r, job->policy);

	e->used = ++r->clock;
	if (e->policy)
		return e->policy;
	if (e->news) {
		err_set(err, ERR_SCRIPT, "%s", e->news);
		free(e->news);
		e->news = NULL;
		return NULL;
	}
	if (e->errors < ERRORS_MAX) {
		unload_oldest(r);
		e->policy = load(r, job, err);
		if (e->policy) {
			e->errors = 0;
			return e->policy;
		}
		if (++e->errors < ERRORS_MAX)
			return NULL;
		*vec_push(&e->told) = job->born;
		err_prefix(err, "off in this process after %d errors in a row, the built-in one "
			   "decides", ERRORS_MAX);
		log_warn("Policy %s", err->text);
		return NULL;
	}
	for (size_t i = 0; i < e->told.n; i++)
		if (e->told.p[i] == job->born)
			return NULL;
	*vec_push(&e->told) = job->born;
	err_set(err, ERR_SCRIPT, "the policies of job %s could not be loaded %d times in a row: "
		"the built-in one decides", job->id, ERRORS_MAX);
	return NULL;
}

/* Who decides for this job; NULL: nobody can be asked. -1: the bundle is broken, and that is
 * news. */
static int pick(struct router *r, const struct job *job, struct policy **out, struct err *err)
{
	struct err why = ERR_INIT;

	*out = job && *job->policy ? bundle_of(r, job, &why) : stock_of(r, &why);
	if (*out || why.code == ERR_NONE)
		return 0;
	*err = why;
	return -1;
}

/* ---- asking ------------------------------------------------------------------------------- */

static unsigned router_wants(struct policy *base, const struct job *job)
{
	struct router *r = router_of(base);
	struct err err = ERR_INIT;
	struct policy *p;
	struct entry *e;

	if (!*job->policy)
		return policy_wants(stock_of(r, &err), job);
	e = entry_of(r, job->policy);
	p = e->news ? NULL : bundle_of(r, job, &err);
	if (p)
		return policy_wants(p, job);
	if (err.code != ERR_NONE)
		e->news = xstrdup(err.text);
	return POLICY_FAILED | POLICY_LOST | POLICY_EVENT; /* which say why not */
}

static int router_failed(struct policy *base, const struct policy_view *v,
			 struct policy_verdict *out, struct err *err)
{
	struct policy *p;

	if (pick(router_of(base), v->job, &p, err) < 0)
		return -1;
	return policy_task_failed(p, v, out, err);
}

static int router_lost(struct policy *base, const struct policy_view *v, const struct node *node,
		       struct policy_verdict *out, struct err *err)
{
	struct policy *p;

	if (pick(router_of(base), v->job, &p, err) < 0)
		return -1;
	return policy_task_lost(p, v, node, out, err);
}

/* A policy without an opinion leaves it to the stock one. */
static int router_scale(struct policy *base, const struct policy_scale *s, int64_t *target,
			struct err *err)
{
	struct router *r = router_of(base);
	struct policy *p;
	int ret;

	*target = -1;
	ret = pick(r, s->job, &p, err);
	if (ret == 0)
		ret = policy_scale(p, s, target, err);
	if (ret < 0 || *target >= 0 || p == r->stock)
		return ret;
	p = stock_of(r, err);
	return p ? policy_scale(p, s, target, err) : -1;
}

static int router_event(struct policy *base, const struct policy_event *e, struct buf *effects,
			struct err *err)
{
	struct policy *p;

	if (!*e->job->policy)
		return 0;
	if (pick(router_of(base), e->job, &p, err) < 0)
		return -1;
	return policy_event(p, e, effects, err);
}

static void router_close(struct policy *base)
{
	struct router *r = router_of(base);

	for (size_t i = 0; i < r->entries.n; i++) {
		policy_close(r->entries.p[i].policy);
		free(r->entries.p[i].news);
		vec_release(&r->entries.p[i].told);
	}
	vec_release(&r->entries);
	policy_close(r->stock);
	free(r->home);
	free(r);
}

struct policy *policy_router_new(const char *home)
{
	static const struct policy_ops ops = {
		.name = "router", .wants = router_wants, .task_failed = router_failed,
		.task_lost = router_lost, .scale = router_scale, .event = router_event,
		.close = router_close,
	};
	struct router *r = xcalloc(1, sizeof(*r));

	r->base.ops = &ops;
	r->home = xstrdup(home);
	return &r->base;
}
