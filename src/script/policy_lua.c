#include "script/policy_lua.h"

#include <stdio.h>
#include <string.h>

#include "base/base.h"
#include "base/log.h"
#include "base/str.h"
#include "script/embed.h"
#include "script/json.h"
#include "script/policy_impl.h"
#include "script/sandbox_keep.h"
#include "script/sandbox_lib.h"
#include "work/submit_hook.h"

enum { ERRORS_MAX = 3 }; /* in a row, then a policy is off */

static const int64_t budget_ms[HOOKS] = {
	[HOOK_SUBMIT] = 2000, [HOOK_FAILED] = 100, [HOOK_LOST] = 100, [HOOK_SCALE] = 100,
	[HOOK_EVENT] = 50,
};

static struct policy_lua *policy_lua_of(struct policy *base)
{
	return container_of(base, struct policy_lua, base);
}

/* ---- calling ------------------------------------------------------------------------------ */

/* [-0, +1] raises. */
static void push_hook(lua_State *L, const struct hook_call *c, enum policy_hook h)
{
	luaL_checkstack(L, 20, NULL);
	lua_rawgeti(L, LUA_REGISTRYINDEX, c->part->hook[h]);
}

/* Arguments and then the options are on top of the hook. raises. */
static void call_hook(lua_State *L, struct hook_call *c, int nargs, int nresults)
{
	lua_rawgeti(L, LUA_REGISTRYINDEX, c->part->options);
	lua_call(L, nargs + 1, nresults);
	c->returned = true;
}

static int call_failed(lua_State *L)
{
	struct hook_call *c = lua_touserdata(L, 1);

	push_hook(L, c, HOOK_FAILED);
	sandbox_seed(L, c->view->task->n, c->view->attempt->k);
	policy_push_task(L, c->views, c->view, false);
	policy_push_attempt(L, c->view, c->part->wants & POLICY_SAME);
	policy_push_job(L, c->views, c->view->job);
	call_hook(L, c, 3, 1);
	policy_read_verdict(L, c);
	return 0;
}

static int call_lost(lua_State *L)
{
	struct hook_call *c = lua_touserdata(L, 1);

	push_hook(L, c, HOOK_LOST);
	sandbox_seed(L, c->view->task->n, c->view->task->attempt);
	policy_push_task(L, c->views, c->view, false);
	policy_push_node(L, c->node);
	policy_push_job(L, c->views, c->view->job);
	call_hook(L, c, 3, 1);
	policy_read_verdict(L, c);
	return 0;
}

static int call_scale(lua_State *L)
{
	struct hook_call *c = lua_touserdata(L, 1);

	push_hook(L, c, HOOK_SCALE);
	sandbox_seed(L, c->scale->pending, c->scale->nodes);
	policy_push_scale(L, c->views, c->scale);
	call_hook(L, c, 1, 1);
	c->stock = lua_isnil(L, -1);
	if (c->stock)
		return 0;
	if (!lua_isinteger(L, -1) || lua_tointeger(L, -1) < 0 || lua_tointeger(L, -1) > 1000000)
		return luaL_error(L, "a number of nodes (0 to 1000000) or nil expected");
	c->target = lua_tointeger(L, -1);
	return 0;
}

static int call_submit(lua_State *L)
{
	struct hook_call *c = lua_touserdata(L, 1);
	struct err err = ERR_INIT;
	int given;

	push_hook(L, c, HOOK_SUBMIT);
	sandbox_seed(L, 0, 0);
	if (script_push_json(L, c->job, strlen(c->job), &err) < 0)
		return luaL_error(L, "%s", err.text);
	given = lua_gettop(L);
	buf_clear(c->before);
	script_add_json(L, given, c->before, POLICY_JOB_MAX);
	lua_pushvalue(L, given); /* kept below the call */
	lua_insert(L, 2);
	call_hook(L, c, 1, 2);
	policy_read_submit(L, c, 2);
	return 0;
}

static int call_event(lua_State *L)
{
	struct hook_call *c = lua_touserdata(L, 1);
	const struct policy_view *v = c->event->view;

	push_hook(L, c, HOOK_EVENT);
	sandbox_seed(L, v && v->task ? v->task->n : 0, v && v->attempt ? v->attempt->k : 0);
	policy_push_event(L, c->views, c->event);
	call_hook(L, c, 1, 1);
	policy_read_effects(L, c);
	return 0;
}

static const lua_CFunction bodies[HOOKS] = {
	[HOOK_SUBMIT] = call_submit, [HOOK_FAILED] = call_failed, [HOOK_LOST] = call_lost,
	[HOOK_SCALE] = call_scale, [HOOK_EVENT] = call_event,
};

static int restore_body(lua_State *L)
{
	sandbox_restore(L);
	return 0;
}

/* An error in what a hook returned has no place of its own. */
static void say_where(const struct policy_part *part, enum policy_hook h, const struct hook_call *c,
		      struct err *err)
{
	if (c->returned)
		err_prefix(err, "%s:%d: %s returned", part->from->module->file, part->line[h],
			   policy_hook_names[h]);
	err_prefix(err, "policy %s", part->from->name);
}

static void count_error(struct policy_part *part, const struct err *err)
{
	if (++part->errors < ERRORS_MAX)
		return;
	part->off = true;
	log_warn("%s; policy %s failed %d times in a row and is off in this process, the built-in "
		 "one decides", err->text, part->from->name, ERRORS_MAX);
}

/* Calls the hook of one policy. Whatever breaks costs the state. */
static int run(struct policy_lua *p, struct policy_part *part, enum policy_hook h,
	       struct hook_call *c, struct err *err)
{
	int ret = -1;

	c->part = part;
	c->views = &p->views;
	c->returned = false;
	if (p->s || policy_state_build(p, err) == 0) {
		lua_settop(p->s->L, 0);
		lua_pushcfunction(p->s->L, bodies[h]);
		lua_pushlightuserdata(p->s->L, c);
		ret = sandbox_call(p->s, 1, 0, budget_ms[h], err);
		if (ret < 0)
			say_where(part, h, c, err);
	}
	if (ret == 0) {
		lua_pushcfunction(p->s->L, restore_body);
		ret = sandbox_call(p->s, 0, 0, budget_ms[h], err);
	}
	if (ret == 0) {
		part->errors = 0;
		return 0;
	}
	policy_state_close(p);
	count_error(part, err);
	return -1;
}

static bool has_hook(const struct policy_part *part, unsigned bit)
{
	return !part->off && (part->wants & bit);
}

/* ---- verdicts ----------------------------------------------------------------------------- */

/* Once a job and process: that a policy is off; true with the text. */
static bool tell_off(struct policy_part *part, int64_t job, char *out, size_t size)
{
	for (size_t i = 0; i < part->told.n; i++)
		if (part->told.p[i] == job)
			return false;
	*vec_push(&part->told) = job;
	(void)snprintf(out, size, "policy %s failed %d times in a row and is off in this process: "
		       "the built-in one decides", part->from->name, ERRORS_MAX);
	return true;
}

static void forget(struct policy_verdict *v)
{
	free(v->class);
	v->class = NULL;
	v->action = POLICY_FAIL;
	v->after_ms = 0;
	v->free = v->stop = false;
	v->note[0] = '\0';
}

/* Asks one policy after the other until one has an opinion. */
static int decide(struct policy_lua *p, enum policy_hook h, unsigned bit, struct hook_call *c,
		  struct err *err)
{
	struct policy_verdict *out = c->verdict;
	char trouble[REASON_SIZE] = "";
	int64_t job = c->view->job->born;
	bool broken = false, answered = false;

	*out = (struct policy_verdict){ .action = POLICY_FAIL };
	for (size_t i = 0; i < p->n && !answered; i++) {
		struct policy_part *part = &p->parts[i];
		struct err why = ERR_INIT;

		if (part->off && (part->wants & bit))
			(void)tell_off(part, job, trouble, sizeof(trouble));
		if (!has_hook(part, bit))
			continue;
		c->stock = false;
		if (run(p, part, h, c, &why) == 0) {
			answered = !c->stock;
			continue;
		}
		forget(out);
		if (part->off && tell_off(part, job, trouble, sizeof(trouble)))
			err_prefix(&why, "%s", trouble);
		if (!broken)
			*err = why;
		broken = true;
	}
	if (broken && !answered)
		return -1;
	if (!answered)
		policy_stock(c->view, out);
	if (broken)
		(void)snprintf(trouble, sizeof(trouble), "%.*s", REASON_SIZE - 1, err->text);
	memcpy(out->trouble, trouble, sizeof(trouble));
	return 0;
}

static int lua_task_failed(struct policy *base, const struct policy_view *v,
			   struct policy_verdict *out, struct err *err)
{
	struct hook_call c = { .view = v, .verdict = out };

	return decide(policy_lua_of(base), HOOK_FAILED, POLICY_FAILED, &c, err);
}

static int lua_task_lost(struct policy *base, const struct policy_view *v, const struct node *node,
			 struct policy_verdict *out, struct err *err)
{
	struct hook_call c = { .view = v, .node = node, .verdict = out };

	return decide(policy_lua_of(base), HOOK_LOST, POLICY_LOST, &c, err);
}

/* ---- the other hooks ---------------------------------------------------------------------- */

static unsigned lua_wants(struct policy *base, const struct job *job)
{
	struct policy_lua *p = policy_lua_of(base);
	unsigned bits = 0;

	(void)job;
	for (size_t i = 0; i < p->n; i++)
		if (!p->parts[i].off)
			bits |= p->parts[i].wants;
	return bits;
}

static int lua_scale(struct policy *base, const struct policy_scale *s, int64_t *target,
		     struct err *err)
{
	struct policy_lua *p = policy_lua_of(base);
	bool broken = false;

	*target = -1;
	for (size_t i = 0; i < p->n; i++) {
		struct hook_call c = { .scale = s };
		struct err why = ERR_INIT;

		if (!has_hook(&p->parts[i], POLICY_SCALE))
			continue;
		if (run(p, &p->parts[i], HOOK_SCALE, &c, &why) < 0) {
			*err = why;
			broken = true;
		} else if (!c.stock) {
			*target = c.target;
			return 0;
		}
	}
	return broken ? -1 : 0;
}

static int lua_submit(struct policy *base, const char *job, char **out, struct err *err)
{
	struct policy_lua *p = policy_lua_of(base);
	struct buf text = BUF_INIT, before = BUF_INIT;
	int ret = 0;

	*out = NULL;
	for (size_t i = 0; ret == 0 && i < p->n; i++) {
		struct policy_part *part = &p->parts[i];
		struct hook_call c = { .job = *out ? *out : job, .text = &text, .before = &before };
		char *changed = NULL;

		if (!has_hook(part, POLICY_SUBMIT))
			continue;
		ret = run(p, part, HOOK_SUBMIT, &c, err);
		if (ret < 0 || c.stock)
			continue;
		if (c.refused) {
			ret = err_set(err, ERR_USAGE, "policy %s refused the job: %s",
				      part->from->name, text.p);
			continue;
		}
		ret = submit_hook_merge(c.job, text.p, &changed, err);
		if (ret < 0)
			say_where(part, HOOK_SUBMIT, &c, err);
		else
			free(*out);
		if (ret == 0)
			*out = changed;
	}
	buf_release(&text);
	buf_release(&before);
	if (ret < 0) {
		free(*out);
		*out = NULL;
	}
	return ret;
}

static int lua_event(struct policy *base, const struct policy_event *e, struct buf *effects,
		     struct err *err)
{
	struct policy_lua *p = policy_lua_of(base);
	struct buf items = BUF_INIT;
	int ret = 0;

	for (size_t i = 0; i < p->n; i++) {
		struct policy_part *part = &p->parts[i];
		struct hook_call c = { .event = e, .text = &items };
		struct err why = ERR_INIT;
		size_t before = items.n;

		if (!has_hook(part, POLICY_EVENT) || run(p, part, HOOK_EVENT, &c, &why) == 0)
			continue;
		items.n = before; /* what the others want is done */
		if (ret == 0)
			*err = why;
		ret = -1;
	}
	if (items.n) {
		buf_addch(effects, '[');
		buf_add(effects, items.p, items.n);
		buf_addch(effects, ']');
	}
	buf_release(&items);
	return ret;
}

/* ---- opening and closing ------------------------------------------------------------------ */

static void lua_close_(struct policy *base)
{
	struct policy_lua *p = policy_lua_of(base);

	policy_state_close(p);
	for (size_t i = 0; i < p->n; i++)
		vec_release(&p->parts[i].told);
	free(p->parts);
	bundle_release(&p->bundle);
	free(p);
}

/* Takes the bundle. */
static struct policy *open_bundle(struct bundle *b, struct err *err)
{
	static const struct policy_ops ops = {
		.name = "lua", .wants = lua_wants, .task_failed = lua_task_failed,
		.task_lost = lua_task_lost, .scale = lua_scale, .submit = lua_submit,
		.event = lua_event, .close = lua_close_,
	};
	struct policy_lua *p = xcalloc(1, sizeof(*p));

	p->base.ops = &ops;
	p->bundle = *b;
	p->n = b->n_policies;
	p->parts = xcalloc(p->n, sizeof(*p->parts));
	for (size_t i = 0; i < p->n; i++)
		p->parts[i].from = &p->bundle.policies[i];
	if (policy_state_build(p, err) == 0)
		return &p->base;
	lua_close_(&p->base);
	return NULL;
}

struct policy *policy_lua_bundle(const char *text, size_t n, struct err *err)
{
	struct bundle b;

	return bundle_parse(&b, text, n, err) < 0 ? NULL : open_bundle(&b, err);
}

struct policy *policy_lua_new_text(const char *name, const char *text, size_t n, struct err *err)
{
	struct bundle b;

	bundle_single(&b, name, name, text, n);
	return open_bundle(&b, err);
}

struct policy *policy_lua_new(const char *path, struct err *err)
{
	const struct embedded *e = embedded_find(path);
	struct bundle b;
	char *file;

	if (!e) {
		err_set(err, ERR_SCRIPT, "no policy %s is part of kubeque", path);
		return NULL;
	}
	file = xasprintf("%s.lua", path);
	bundle_single(&b, path, file, e->text, e->text_n);
	free(file);
	return open_bundle(&b, err);
}
