/*
 * kubeque.fetch(born, {dest=, flat=, force=, only = list of globs, ranges = "3-7,9",
 * progress = function(files, bytes)}) -> {tasks=, files=, bytes=, skipped=, pending=, lost=}:
 * results into a directory of the user (work/fetch.h). What `progress` returns does not matter; an
 * error in it ends the fetch.
 */
#include "work/fetch.h"

#include "base/base.h"
#include "script/call.h"
#include "script/convert.h"
#include "script/libs.h"
#include "script/ranges.h"
#include "script/session.h"

struct fetch_call {
	lua_State *L;
	int progress;   /* stack index, 0: none */
	struct err err; /* what it raised */
};

static int on_progress(void *ctx, int64_t files, int64_t bytes)
{
	struct fetch_call *c = ctx;

	if (!c->progress)
		return 0;
	lua_pushvalue(c->L, c->progress);
	lua_pushinteger(c->L, files);
	lua_pushinteger(c->L, bytes);
	return script_call(c->L, 2, 0, &c->err);
}

static int fetch_(lua_State *L)
{
	int64_t born = script_check_born(L, 1);
	struct fetch_call c = { .L = L, .err = ERR_INIT };
	struct fetch_options o = { .progress = on_progress, .ctx = &c };
	struct fetch_result r;
	struct err err = ERR_INIT;
	const char *ranges = NULL;
	int only = 0;
	size_t n;
	const struct opt opts[] = {
		{ "dest", .str = &o.dest, .required = true },
		{ "flat", .flag = &o.flat },
		{ "force", .flag = &o.force },
		{ "only", .table = &only },
		{ "ranges", .str = &ranges },
		{ "progress", .fn = &c.progress },
	};
	struct session *s;
	struct queue *q;

	script_options(L, 2, opts, ARRAY_SIZE(opts));
	if (only)
		o.only = script_check_strings(L, only, &n);
	if (ranges && script_ranges(L, ranges, &o.ranges, &err) < 0)
		return script_fail(L, &err);
	luaL_checkstack(L, 10, NULL);
	s = session_get(L, &err);
	q = s ? session_queue(L, &err) : NULL;
	if (!q)
		return script_fail(L, &err);
	o.home = s->home;
	if (fetch_run(q, born, &o, &r, &err) < 0)
		return script_fail(L, c.err.code ? &c.err : &err);
	lua_createtable(L, 0, 6);
	script_set_i64(L, "tasks", r.tasks);
	script_set_i64(L, "files", r.files);
	script_set_i64(L, "bytes", r.bytes);
	script_set_i64(L, "skipped", r.skipped);
	script_set_i64(L, "pending", r.pending);
	script_set_i64(L, "lost", r.lost);
	return 1;
}

void lib_fetch(lua_State *L)
{
	lua_pushcfunction(L, fetch_);
	lua_setfield(L, -2, "fetch");
}
