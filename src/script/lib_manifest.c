/*
 * kubeque.manifest(job) -> m: what the tasks of a job are.
 *   m:common()  -> what all share: command (text), argv or shell line, cd, env, image, resources,
 *                  limits, timeout, retries, grace, results, exclude, outputs, ...
 *   m:columns() -> names of the parameters, as submitted
 *   m:inputs()  -> list of {dst =, sha256 = | url =, size =, mode =, mtime =} that all share
 *   m:task(n)   -> {n =, command = text for people, shell = line | argv = list, parameters =
 *                  {{name, value}, ...}, inputs =, env = {NAME = value}, cd =}
 * The chunk that was read last is kept, so a walk in order reads each once.
 */
#include "model/manifest.h"

#include <inttypes.h>
#include <string.h>

#include "base/base.h"
#include "base/vec.h"
#include "cas/cas.h"
#include "script/call.h"
#include "script/convert.h"
#include "script/json.h"
#include "script/libs.h"
#include "script/session.h"

#define MANIFEST_META "kubeque.manifest"

enum { OBJECT_MAX = 1 << 30 };

struct manifest {
	struct cas *cas;
	struct arena root_arena, task_arena;
	struct root root;
	struct buf chunk; /* number chunk_k - 1 */
	int64_t chunk_k;  /* 0: none is read */
	VEC(size_t) line; /* where each line of it begins, and the end */
};

static int manifest_close(lua_State *L)
{
	struct manifest *m = luaL_checkudata(L, 1, MANIFEST_META);

	cas_close(m->cas);
	m->cas = NULL;
	arena_release(&m->root_arena);
	arena_release(&m->task_arena);
	buf_release(&m->chunk);
	vec_release(&m->line);
	m->chunk_k = 0;
	return 0;
}

static struct manifest *check_manifest(lua_State *L)
{
	struct manifest *m = luaL_checkudata(L, 1, MANIFEST_META);

	if (!m->cas)
		luaL_error(L, "this manifest is closed");
	return m;
}

static int get_object(struct manifest *m, const char *hex, const char *what, struct buf *out,
		      struct err *err)
{
	int found = cas_get(m->cas, hex, OBJECT_MAX, out, err);

	if (found < 0)
		return err_prefix(err, "%s of the job", what);
	if (found == 0)
		return err_set(err, ERR_IO, "%s of the job is not in the CAS any more", what);
	return 0;
}

/* [-0, +1] info.cas of the job at 1, else the session's. */
static const char *cas_dir(lua_State *L, const struct session *s)
{
	if (lua_getfield(L, 1, "info") == LUA_TTABLE &&
	    lua_getfield(L, -1, "cas") == LUA_TSTRING && lua_tostring(L, -1)[0] == '/') {
		lua_remove(L, -2);
		return lua_tostring(L, -1);
	}
	return s->cas;
}

static int manifest_(lua_State *L)
{
	struct err err = ERR_INIT;
	struct session *s = session_get(L, &err);
	struct manifest *m;
	const char *dir, *root;
	struct buf *text;

	luaL_checktype(L, 1, LUA_TTABLE);
	if (!s)
		return script_fail(L, &err);
	if (lua_getfield(L, 1, "root") != LUA_TSTRING)
		return luaL_argerror(L, 1, "a job table expected");
	root = lua_tostring(L, -1);
	dir = cas_dir(L, s);
	text = script_new_buf(L);
	m = lua_newuserdatauv(L, sizeof(*m), 0);
	memset(m, 0, sizeof(*m));
	m->chunk = (struct buf)BUF_INIT;
	luaL_setmetatable(L, MANIFEST_META);
	m->cas = cas_open_dir(dir, false, &err);
	if (!m->cas || get_object(m, root, "the manifest", text, &err) < 0 ||
	    manifest_parse_root(&m->root_arena, buf_str(text), &m->root, &err) < 0)
		return script_fail(L, &err);
	return 1;
}

/* ---- pushing ---------------------------------------------------------------------------- */

static void push_str(lua_State *L, struct str s)
{
	lua_pushlstring(L, s.p ? s.p : "", s.n);
}

static void set_strs(lua_State *L, const char *name, const struct strs *list)
{
	lua_createtable(L, (int)MIN(list->n, 100000), 0);
	for (size_t i = 0; i < list->n; i++) {
		push_str(L, list->p[i]);
		lua_rawseti(L, -2, (lua_Integer)i + 1);
	}
	lua_setfield(L, -2, name);
}

static void set_env(lua_State *L, const struct pairs *env)
{
	lua_createtable(L, 0, (int)MIN(env->n, 100000));
	for (size_t i = 0; i < env->n; i++) {
		push_str(L, env->p[i].name);
		push_str(L, env->p[i].value);
		lua_rawset(L, -3);
	}
	lua_setfield(L, -2, "env");
}

static void set_parameters(lua_State *L, const struct pairs *p)
{
	lua_createtable(L, (int)MIN(p->n, 100000), 0);
	for (size_t i = 0; i < p->n; i++) {
		lua_createtable(L, 2, 0);
		push_str(L, p->p[i].name);
		lua_rawseti(L, -2, 1);
		push_str(L, p->p[i].value);
		lua_rawseti(L, -2, 2);
		lua_rawseti(L, -2, (lua_Integer)i + 1);
	}
	lua_setfield(L, -2, "parameters");
}

static void push_inputs(lua_State *L, const struct inputs *in)
{
	lua_createtable(L, (int)MIN(in->n, 100000), 0);
	for (size_t i = 0; i < in->n; i++) {
		const struct input *one = &in->p[i];

		lua_createtable(L, 0, 5);
		push_str(L, one->dst);
		lua_setfield(L, -2, "dst");
		push_str(L, one->sha256.n ? one->sha256 : one->url);
		lua_setfield(L, -2, one->sha256.n ? "sha256" : "url");
		script_set_i64(L, "size", one->size);
		script_set_i64(L, "mode", one->mode);
		script_set_i64(L, "mtime", one->mtime_ns / 1000000);
		lua_rawseti(L, -2, (lua_Integer)i + 1);
	}
}

static void set_limits(lua_State *L, unsigned limits)
{
	static const struct { unsigned bit; const char *name; } names[] = {
		{ RESOURCE_CPU, "cpu" }, { RESOURCE_MEMORY, "memory" },
		{ RESOURCE_GPU, "gpu" }, { RESOURCE_DISK, "disk" },
	};

	lua_newtable(L);
	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (limits & names[i].bit)
			script_set_bool(L, names[i].name, true);
	lua_setfield(L, -2, "limits");
}

static void set_resources(lua_State *L, const struct resources *r)
{
	lua_newtable(L);
	script_set_num(L, "cpu", (double)r->cpu / 1000);
	script_set_i64(L, "memory", r->memory);
	if (r->gpu)
		script_set_i64(L, "gpu", r->gpu);
	if (r->disk)
		script_set_i64(L, "disk", r->disk);
	for (size_t i = 0; i < r->n_named; i++)
		script_set_num(L, r->named[i].name, (double)r->named[i].milli / 1000);
	lua_setfield(L, -2, "resources");
}

static int manifest_common(lua_State *L)
{
	const struct manifest *m = check_manifest(L);
	const struct common *c = &m->root.common;

	lua_createtable(L, 0, 24);
	set_strs(L, "argv", &c->command);
	script_set_bool(L, "one_word", c->one_word);
	push_str(L, c->cd);
	lua_setfield(L, -2, "cd");
	set_env(L, &c->env);
	push_str(L, c->image);
	lua_setfield(L, -2, "image");
	set_resources(L, &c->resources);
	set_limits(L, c->limits);
	script_set_num(L, "timeout", (double)c->timeout_ms / 1000);
	script_set_i64(L, "retries", c->retries);
	script_set_num(L, "grace", (double)c->grace_ms / 1000);
	set_strs(L, "results", &c->results);
	set_strs(L, "exclude", &c->exclude);
	script_set_str(L, "outputs", outputs_name(c->outputs));
	script_set_bool(L, "keep_work", c->keep_work);
	script_set_bool(L, "clean_env", c->clean_env);
	script_set_bool(L, "link_inputs", c->link_inputs);
	script_set_i64(L, "max_stdout", c->max_stdout);
	return 1;
}

static int manifest_columns(lua_State *L)
{
	const struct manifest *m = check_manifest(L);

	lua_newtable(L);
	set_strs(L, "columns", &m->root.columns);
	lua_getfield(L, -1, "columns");
	return 1;
}

/* How many tasks. */
static int manifest_n(lua_State *L)
{
	lua_pushinteger(L, check_manifest(L)->root.n);
	return 1;
}

static int manifest_inputs(lua_State *L)
{
	struct manifest *m = check_manifest(L);
	struct err err = ERR_INIT;
	struct inputs in = { 0 };
	struct buf *text = script_new_buf(L);

	arena_reset(&m->task_arena);
	if (m->root.inputs.n &&
	    (get_object(m, m->root.inputs.p, "the list of inputs", text, &err) < 0 ||
	     manifest_parse_inputs(&m->task_arena, buf_str(text), &in, &err) < 0))
		return script_fail(L, &err);
	push_inputs(L, &in);
	return 1;
}

/* ---- tasks ------------------------------------------------------------------------------ */

static void index_lines(struct manifest *m)
{
	const char *p = m->chunk.p, *end = p + m->chunk.n;

	m->line.n = 0;
	while (p < end) {
		const char *nl = memchr(p, '\n', (size_t)(end - p));

		*vec_push(&m->line) = (size_t)(p - m->chunk.p);
		p = nl ? nl + 1 : end;
	}
	*vec_push(&m->line) = m->chunk.n;
}

static int load_chunk(struct manifest *m, int64_t k, struct err *err)
{
	if (m->chunk_k == k + 1)
		return 0;
	if (k < 0 || (size_t)k >= m->root.chunks.n)
		return err_set(err, ERR_IO, "the manifest of the job is damaged: no chunk %" PRId64,
			       k + 1);
	m->chunk_k = 0;
	buf_clear(&m->chunk);
	if (get_object(m, m->root.chunks.p[k].p, "a part of the manifest", &m->chunk, err) < 0)
		return -1;
	index_lines(m);
	m->chunk_k = k + 1;
	return 0;
}

static int read_task(struct manifest *m, int64_t n, struct task_spec *t, struct err *err)
{
	int64_t k = (n - 1) / m->root.chunk_size;
	size_t i = (size_t)((n - 1) % m->root.chunk_size);
	struct str line;

	if (load_chunk(m, k, err) < 0)
		return -1;
	if (i + 1 >= m->line.n)
		return err_set(err, ERR_IO, "the manifest of the job is damaged: no task %" PRId64,
			       n);
	line.p = m->chunk.p + m->line.p[i];
	line.n = m->line.p[i + 1] - m->line.p[i];
	arena_reset(&m->task_arena);
	return manifest_parse_task(&m->task_arena, line, t, err);
}

static int manifest_task(lua_State *L)
{
	struct manifest *m = check_manifest(L);
	int64_t n = script_check_i64(L, 2, INT64_MIN, INT64_MAX);
	struct err err = ERR_INIT;
	struct task_spec t = { 0 };
	struct buf *text = script_new_buf(L);

	if (n < 1 || n > m->root.n) {
		err_set(&err, ERR_NOT_FOUND, "no task %" PRId64 ": the job has tasks 1 to %" PRId64,
			n, m->root.n);
		return script_fail(L, &err);
	}
	if (read_task(m, n, &t, &err) < 0)
		return script_fail(L, &err);
	command_add_text(text, &t);
	lua_createtable(L, 0, 8);
	script_set_i64(L, "n", n);
	lua_pushlstring(L, text->p, text->n);
	lua_setfield(L, -2, "command");
	if (t.shell) {
		push_str(L, t.command);
		lua_setfield(L, -2, "shell");
	} else {
		set_strs(L, "argv", &t.argv);
	}
	script_set_bool(L, "one_word", t.one_word);
	set_parameters(L, &t.parameters);
	push_inputs(L, &t.inputs);
	lua_setfield(L, -2, "inputs");
	set_env(L, &t.env);
	if (t.cd.p) {
		push_str(L, t.cd);
		lua_setfield(L, -2, "cd");
	}
	if (t.results.p)
		set_strs(L, "results", &t.results);
	if (t.exclude.p)
		set_strs(L, "exclude", &t.exclude);
	return 1;
}

static const luaL_Reg manifest_methods[] = {
	{ "close", manifest_close },
	{ "columns", manifest_columns },
	{ "common", manifest_common },
	{ "inputs", manifest_inputs },
	{ "n", manifest_n },
	{ "task", manifest_task },
	{ NULL, NULL },
};

void lib_manifest(lua_State *L)
{
	script_metatable(L, MANIFEST_META, manifest_methods, manifest_close);
	lua_pushcfunction(L, manifest_);
	lua_setfield(L, -2, "manifest");
}
