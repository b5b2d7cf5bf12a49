#ifndef SCRIPT_POLICY_IMPL_H
#define SCRIPT_POLICY_IMPL_H
/*
 * What the files of a policy in Lua share: policy_lua.c (the ops: chains, budgets, errors),
 * policy_state.c (from a bundle to a state with hooks), policy_views.c (what hooks are given),
 * policy_verdict.c and policy_effects.c (what they answer).
 */
#include "base/vec.h"
#include "script/bundle.h"
#include "script/sandbox.h"
#include "work/policy.h"

enum {
	POLICY_TEXT_MAX = 1 << 20, /* JSON of effects */
	POLICY_JOB_MAX = 16 << 20,   /* of a job in on_submit: its command may be 1 MiB */
};

enum policy_hook { HOOK_SUBMIT, HOOK_FAILED, HOOK_LOST, HOOK_SCALE, HOOK_EVENT, HOOKS };
extern const char *const policy_hook_names[HOOKS + 1]; /* NULL at the end */

/* One policy of the chain. */
struct policy_part {
	const struct bundle_policy *from;
	unsigned wants;      /* POLICY_ bits, known after the first build */
	int line[HOOKS];     /* where the hook is defined */
	int errors;          /* in a row */
	bool off;            /* too many of them */
	VEC(int64_t) told;   /* jobs whose history says so */
	/* in the state */
	int hook[HOOKS];     /* references */
	int options, table;
};

/* Modules while the files are being loaded. */
struct policy_loader {
	const struct bundle *bundle;
	const char *stack[40];
	int depth;
	bool sealed;
};

/* The views made last: of many tasks of one job only their own part is new. */
struct view_cache {
	struct job job; /* numbers, id and info are copies; born 0: none */
	char *class;    /* JSON; NULL: none */
	int job_view, class_view; /* references */
};

struct policy_lua {
	struct policy base;
	struct bundle bundle;
	struct policy_part *parts;
	size_t n;
	unsigned wants;
	struct policy_loader loader;
	struct script *s; /* NULL: to be built before the next hook */
	struct view_cache views;
};

/* One call of a hook. */
struct hook_call {
	const struct policy_part *part;
	struct view_cache *views;
	const struct policy_view *view;
	const struct node *node;            /* on_task_lost */
	const struct policy_scale *scale;
	const struct policy_event *event;
	const char *job;                    /* on_submit: JSON */
	/* answers */
	struct policy_verdict *verdict;
	int64_t target;
	bool stock;                         /* it had no opinion */
	bool refused;                       /* on_submit: `text` says why */
	struct buf *text;                   /* on_submit: why, or the job; on_event: effects */
	struct buf *before;                 /* on_submit: the job as given */
	bool returned;                      /* the hook did, what it returned is being read */
	/* while the verdict is read */
	struct class *class;
	bool other_class;
};

/* ---- policy_state.c ---- */

/* Runs the files of the bundle in a new state and fills in the parts. -1 with ERR_SCRIPT. */
int policy_state_build(struct policy_lua *p, struct err *err);
void policy_state_close(struct policy_lua *p);

/* ---- policy_table.c; both raise ---- */

/* [-0, +0] Checks the table at idx; NULL when it is a policy, else why it is none, pushed
 * ([-0, +1]). */
const char *policy_table_fault(lua_State *L, int idx);
/* [-0, +1] The options of the policy table at idx: what was given (JSON, NULL: nothing) laid over
 * the defaults. */
void policy_push_options(lua_State *L, int idx, const char *given);

/* ---- policy_views.c; all raise, [-0, +1] ---- */

/* `now`: with label and reason, which it has when there is nothing to decide any more. */
void policy_push_task(lua_State *L, struct view_cache *c, const struct policy_view *v, bool now);
void policy_push_attempt(lua_State *L, const struct policy_view *v, bool same);
void policy_push_job(lua_State *L, struct view_cache *c, const struct job *j);
void policy_push_node(lua_State *L, const struct node *n);
void policy_push_scale(lua_State *L, struct view_cache *c, const struct policy_scale *s);
void policy_push_event(lua_State *L, struct view_cache *c, const struct policy_event *e);
/* For a state that is closed. Does not raise. */
void policy_forget_views(struct view_cache *c);

/* ---- policy_verdict.c; all raise ---- */

/* The answer of on_task_failed or on_task_lost on top. */
void policy_read_verdict(lua_State *L, struct hook_call *c);
/* The two answers of on_submit on top; `given` is the table that it was given. */
void policy_read_submit(lua_State *L, struct hook_call *c, int given);

/* ---- policy_effects.c; raises ---- */

/* The answer of on_event on top: added to c->text as items of a JSON array, without brackets. */
void policy_read_effects(lua_State *L, struct hook_call *c);

#endif
