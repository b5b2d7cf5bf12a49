/*
 * kubeque.clean: what is left behind (work/clean.h).
 *   clean.cas{older = seconds, dry_run =} -> {objects=, bytes=}
 *   clean.results(id, {dry_run =}) -> {files=, bytes=}: results of a forgotten job go; of a
 *   remembered one they can only be counted
 *   clean.work_dirs{work_dir =} -> true: work directories of dead nodes, stages, temporary
 *   files and whatever else dead processes left
 *   clean.du{work_dir =} -> list of {what=, kind=, bytes=, files=, path=}
 */
#include "work/clean.h"

#include "base/base.h"
#include "script/call.h"
#include "script/convert.h"
#include "script/libs.h"
#include "script/session.h"

/* 0, or -1 with err: there is no store. */
static int clean_of(lua_State *L, struct clean *c, struct err *err)
{
	struct session *s = session_get(L, err);

	c->queue = s ? session_queue(L, err) : NULL;
	if (!c->queue)
		return -1;
	c->home = s->home;
	c->prefix = s->prefix;
	c->cas = s->cas;
	return 0;
}

static int clean_cas_(lua_State *L)
{
	int64_t older_ms = 7 * 24 * 3600 * INT64_C(1000);
	bool dry_run = false;
	const struct opt opts[] = {
		{ "older", .ms = &older_ms },
		{ "dry_run", .flag = &dry_run },
	};
	struct clean c = { .work_dir = NULL };
	struct clean_sum sum;
	struct err err = ERR_INIT;

	script_options(L, 1, opts, ARRAY_SIZE(opts));
	if (clean_of(L, &c, &err) < 0 || clean_cas(&c, older_ms, dry_run, &sum, &err) < 0)
		return script_fail(L, &err);
	lua_createtable(L, 0, 2);
	script_set_i64(L, "objects", sum.files);
	script_set_i64(L, "bytes", sum.bytes);
	return 1;
}

static int clean_results_(lua_State *L)
{
	const char *id = script_check_text(L, 1);
	bool dry_run = false;
	const struct opt opts[] = { { "dry_run", .flag = &dry_run } };
	struct clean c = { .work_dir = NULL };
	struct clean_sum sum;
	struct err err = ERR_INIT;

	script_options(L, 2, opts, ARRAY_SIZE(opts));
	if (clean_of(L, &c, &err) < 0 || clean_results(&c, id, dry_run, &sum, &err) < 0)
		return script_fail(L, &err);
	lua_createtable(L, 0, 2);
	script_set_i64(L, "files", sum.files);
	script_set_i64(L, "bytes", sum.bytes);
	return 1;
}

static int clean_work_dirs_(lua_State *L)
{
	struct clean c = { .work_dir = NULL };
	const struct opt opts[] = { { "work_dir", .str = &c.work_dir } };
	struct err err = ERR_INIT;

	script_options(L, 1, opts, ARRAY_SIZE(opts));
	if (clean_of(L, &c, &err) < 0)
		return script_fail(L, &err);
	c.policy = session_policy(L, &err);
	if (!c.policy || clean_leftovers(&c, &err) < 0)
		return script_fail(L, &err);
	lua_pushboolean(L, 1);
	return 1;
}

static void push_row(lua_State *L, const void *p)
{
	const struct du_row *r = p;

	lua_createtable(L, 0, 5);
	script_set_str(L, "what", r->what);
	script_set_str(L, "kind", r->kind);
	script_set_i64(L, "bytes", r->sum.bytes);
	script_set_i64(L, "files", r->sum.files);
	script_set_str(L, "path", r->path);
}

static int add_row(void *ctx, const struct du_row *row)
{
	return script_list_add(ctx, push_row, row);
}

static int clean_du_(lua_State *L)
{
	struct clean c = { .work_dir = NULL };
	const struct opt opts[] = { { "work_dir", .str = &c.work_dir } };
	struct err err = ERR_INIT;
	struct script_list list;

	script_options(L, 1, opts, ARRAY_SIZE(opts));
	if (clean_of(L, &c, &err) < 0)
		return script_fail(L, &err);
	script_list_begin(&list, L);
	if (clean_du(&c, add_row, &list, &err) < 0 && !list.failed)
		return script_fail(L, &err);
	script_list_end(&list);
	return 1;
}

static const luaL_Reg clean_functions[] = {
	{ "cas", clean_cas_ },
	{ "du", clean_du_ },
	{ "results", clean_results_ },
	{ "work_dirs", clean_work_dirs_ },
	{ NULL, NULL },
};

void lib_clean(lua_State *L)
{
	script_lib(L, "clean", clean_functions);
}
