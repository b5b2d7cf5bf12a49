/*
 * kubeque.submit(spec): a job from a specification that a command line was turned into.
 *
 *   id, mode ("new" | "clean" | "rerun" | "rerun-any"), dry_run, content, cluster, priority,
 *   policy (digest of a bundle in the CAS) or bundle (its text): its on_submit is asked,
 *   max_running, info (JSON object), capacity (JSON object)
 *   rows ("one" | "params" | "seq" | "each" | "jobfile"), path, format, seq, each, only
 *   spool (of kubeque.spool, instead of path)
 *   words, push, push_exclude, cd, clean_env,
 *   env (list of "NAME=value", or "=NAME=value" when the value is no template)
 *   image, timeout, retries, results, exclude: only when the user said so
 *   default_image, default_cpu, default_memory (bytes), resources (text of -r), jobs (-j), grace,
 *   outputs, keep_work, max_stdout (bytes), link_inputs, no_images (a policy may set none)
 *   event = function(kind, text, n, bytes): see enum submit_event; kinds are its names in lower
 *   case. What it returns does not matter.
 *
 * -> {born=, id=, n=, kept=, nodes= (if said, by info or the policy), files=, bytes=,
 *   upload_files=, upload_bytes=} or nil, text, code.
 *   With dry_run and `content` also content=, the digest of what it is about (work/submit.h).
 */
#include <math.h>
#include <sys/stat.h>

#include "base/base.h"
#include "script/bundle.h"
#include "script/call.h"
#include "script/convert.h"
#include "script/libs.h"
#include "script/policy_lua.h"
#include "script/session.h"
#include "script/spool.h"
#include "sys/hash.h"
#include "sys/machine.h"
#include "sys/signals.h"
#include "work/secret.h"
#include "work/submit.h"

#define CALL_META "kubeque.submission"

/* All that one call owns. */
struct submit_call {
	lua_State *L;
	struct submit_spec spec;
	struct submit_target target;
	struct arena arena;
	struct buf secret;
	struct user user;
	struct cas *cas;
	char bundle[SHA256_HEX_SIZE]; /* digest of spec.bundle */
	struct policy *policy; /* of the bundle */
	int event;       /* stack index of the function, 0: none */
	bool broken;     /* it raised */
	struct err err;
};

static int close_call(lua_State *L)
{
	struct submit_call *c = luaL_checkudata(L, 1, CALL_META);

	arena_release(&c->arena);
	buf_release(&c->secret);
	user_release(&c->user);
	ranges_release(&c->spec.only);
	cas_close(c->cas);
	c->cas = NULL;
	policy_close(c->policy);
	c->policy = NULL;
	return 0;
}

/* [-0, +1] */
static struct submit_call *new_call(lua_State *L)
{
	struct submit_call *c = lua_newuserdatauv(L, sizeof(*c), 0);

	*c = (struct submit_call){ .L = L, .secret = BUF_INIT, .err = ERR_INIT };
	luaL_setmetatable(L, CALL_META);
	lua_toclose(L, -1);
	return c;
}

/* ---- events ---------------------------------------------------------------------------------- */

static void on_event(void *ctx, enum submit_event ev, const char *text, int64_t n, int64_t bytes)
{
	static const char *const names[] = {
		[SUBMIT_EV_INPUTS] = "inputs",
		[SUBMIT_EV_WARNING] = "warning",
		[SUBMIT_EV_DIRECTORY] = "directory",
		[SUBMIT_EV_PRESENT] = "present",
		[SUBMIT_EV_UPLOADED] = "uploaded",
		[SUBMIT_EV_MISSING] = "missing",
		[SUBMIT_EV_SUBMITTING] = "submitting",
		[SUBMIT_EV_PROGRESS] = "progress",
		[SUBMIT_EV_BATCH] = "batch",
		[SUBMIT_EV_SAVED] = "saved",
		[SUBMIT_EV_KEPT] = "kept",
		[SUBMIT_EV_POLICY] = "policy",
		[SUBMIT_EV_KEPT_CHANGED] = "kept_changed",
	};
	struct submit_call *c = ctx;

	if (!c->event || c->broken)
		return;
	lua_pushvalue(c->L, c->event);
	lua_pushstring(c->L, names[ev]);
	lua_pushstring(c->L, text);
	lua_pushinteger(c->L, n);
	lua_pushinteger(c->L, bytes);
	if (script_call(c->L, 4, 0, &c->err) < 0)
		c->broken = true;
}

static bool on_stop(void *ctx)
{
	const struct submit_call *c = ctx;

	return c->broken || signals_interrupted();
}

/* ---- reading the table ----------------------------------------------------------------------- */

static int choice(lua_State *L, const char *key, const char *text, const char *const *names)
{
	for (int i = 0; names[i]; i++) {
		if (strcmp(text, names[i]) == 0)
			return i;
	}
	return luaL_error(L, "option '%s': there is no '%s'", key, text);
}

static struct strs strs_of(struct submit_call *c, const char *const *p, size_t n)
{
	struct strs s = { arena_alloc(&c->arena, (n + 1) * sizeof(*s.p)), n };

	for (size_t i = 0; i < n; i++)
		s.p[i] = str_of(p[i]);
	return s;
}

/* "NAME=value" and "=NAME=value" texts as pairs. */
static struct pairs pairs_of(lua_State *L, struct submit_call *c, const char *const *p, size_t n)
{
	struct pairs out = { arena_alloc(&c->arena, (n + 1) * sizeof(*out.p)), n };
	bool *literal = arena_calloc(&c->arena, n + 1, sizeof(*literal));

	for (size_t i = 0; i < n; i++) {
		const char *name = p[i], *eq;

		literal[i] = *name == '=';
		name += literal[i];
		eq = strchr(name, '=');
		if (!eq) {
			luaL_error(L, "option 'env': '%s' is not NAME=value", p[i]);
			return out;
		}
		out.p[i].name = arena_str(&c->arena, (struct str){ name, (size_t)(eq - name) });
		out.p[i].value = str_of(eq + 1);
	}
	c->spec.env_literal = literal;
	return out;
}

struct texts {
	int spool, each, words, push, push_exclude, env, results, exclude;
};

static void read_lists(lua_State *L, struct submit_call *c, const struct texts *t)
{
	struct submit_spec *s = &c->spec;
	const char *const *p;
	size_t n;

	if (t->spool)
		s->spool = script_check_spool(L, t->spool);
	if (t->each)
		s->each = script_check_strings(L, t->each, &s->n_each);
	if (t->words)
		s->words = script_check_strings(L, t->words, &s->n_words);
	if (t->push)
		s->push = script_check_strings(L, t->push, &s->n_push);
	if (t->push_exclude)
		s->push_exclude = script_check_strings(L, t->push_exclude, &n);
	if (t->env) {
		p = script_check_strings(L, t->env, &n);
		s->common.env = pairs_of(L, c, p, n);
	}
	if (t->results) {
		p = script_check_strings(L, t->results, &n);
		s->common.results = strs_of(c, p, n);
		s->set |= SUBMIT_SET_RESULTS;
	}
	if (t->exclude) {
		p = script_check_strings(L, t->exclude, &n);
		s->common.exclude = strs_of(c, p, n);
		s->set |= SUBMIT_SET_EXCLUDE;
	}
}

struct words {
	const char *mode, *rows, *format, *seq, *only, *cd, *image, *default_image, *outputs;
	int64_t timeout_ms, retries;
	double cpu;
};

static void read_rows(lua_State *L, struct submit_call *c, const struct words *w)
{
	static const char *const rows[] = { "one", "params", "seq", "each", "jobfile", NULL };
	static const char *const modes[] = { "new", "clean", "rerun", "rerun-any", NULL };
	static const char *const formats[] = { "csv", "tsv", "jsonl", "lines", "commands",
					       "json", NULL };
	struct submit_spec *s = &c->spec;
	struct err err = ERR_INIT;

	s->mode = (enum submit_mode)choice(L, "mode", w->mode, modes);
	s->rows = (enum submit_rows)choice(L, "rows", w->rows, rows);
	if (w->format)
		s->format = (enum params_format)choice(L, "format", w->format, formats);
	else if (s->path)
		s->format = params_format_of(s->path);
	if (w->seq && seq_parse(w->seq, &s->seq, &err) < 0)
		script_raise(L, &err);
	if (w->only && ranges_parse(str_of(w->only), &s->only, &err) < 0) {
		err_prefix(&err, "option --rows");
		script_raise(L, &err);
	}
	if (s->spool && (s->path || s->rows != SUBMIT_PARAMS))
		luaL_error(L, "option 'spool' goes with rows 'params', without 'path'");
	if ((s->rows == SUBMIT_PARAMS || s->rows == SUBMIT_JOBFILE) !=
	    (s->path != NULL || s->spool != NULL))
		luaL_error(L, "option 'path' goes with rows 'params' and 'jobfile'");
}

static void read_common(lua_State *L, struct submit_call *c, const struct words *w)
{
	struct submit_spec *s = &c->spec;
	struct common *m = &s->common;

	m->image = str_of(w->image ? w->image : w->default_image);
	m->cd = str_of(w->cd ? w->cd : "");
	m->timeout_ms = MAX(w->timeout_ms, 0);
	m->retries = MAX(w->retries, 0);
	if (!(w->cpu >= 0.001 && w->cpu <= 1e9))
		luaL_error(L, "option 'default_cpu' is out of range");
	m->resources.cpu = llround(w->cpu * 1000);
	if (w->outputs && !outputs_parse(w->outputs, &m->outputs))
		luaL_error(L, "option 'outputs': there is no '%s'", w->outputs);
	s->set |= (w->image ? SUBMIT_SET_IMAGE : 0u) | (w->cd ? SUBMIT_SET_CD : 0u) |
		  (w->timeout_ms >= 0 ? SUBMIT_SET_TIMEOUT : 0u) |
		  (w->retries >= 0 ? SUBMIT_SET_RETRIES : 0u);
}

/* What is on the stack stays there for as long as the call runs. raises */
static void read_spec(lua_State *L, struct submit_call *c)
{
	struct submit_spec *s = &c->spec;
	struct common *m = &s->common;
	struct words w = { .mode = "new", .rows = "one", .default_image = "none", .cpu = 1,
			   .timeout_ms = -1, .retries = -1 };
	struct texts t = { 0 };
	const struct opt opts[] = {
		{ "id", .str = &s->id },
		{ "mode", .str = &w.mode },
		{ "dry_run", .flag = &s->dry_run },
		{ "content", .flag = &s->content },
		{ "cluster", .str = &s->cluster },
		{ "policy", .str = &s->policy },
		{ "bundle", .str = &s->bundle },
		{ "priority", .i64 = &s->priority, .lo = -1000000, .hi = 1000000 },
		{ "max_running", .i64 = &s->max_running, .hi = INT32_MAX },
		{ "info", .str = &s->info },
		{ "capacity", .str = &s->capacity },
		{ "rows", .str = &w.rows },
		{ "path", .str = &s->path },
		{ "spool", .any = &t.spool },
		{ "format", .str = &w.format },
		{ "seq", .str = &w.seq },
		{ "each", .table = &t.each },
		{ "only", .str = &w.only },
		{ "words", .table = &t.words },
		{ "push", .table = &t.push },
		{ "push_exclude", .table = &t.push_exclude },
		{ "cd", .str = &w.cd },
		{ "env", .table = &t.env },
		{ "clean_env", .flag = &m->clean_env },
		{ "image", .str = &w.image },
		{ "default_image", .str = &w.default_image },
		{ "timeout", .ms = &w.timeout_ms },
		{ "retries", .i64 = &w.retries, .hi = TRIES_MAX },
		{ "results", .table = &t.results },
		{ "exclude", .table = &t.exclude },
		{ "default_cpu", .num = &w.cpu },
		{ "default_memory", .i64 = &m->resources.memory, .hi = INT64_MAX },
		{ "resources", .str = &s->resources },
		{ "jobs", .i64 = &s->jobs, .lo = 1, .hi = INT32_MAX },
		{ "grace", .ms = &m->grace_ms },
		{ "outputs", .str = &w.outputs },
		{ "keep_work", .flag = &m->keep_work },
		{ "max_stdout", .i64 = &m->max_stdout, .hi = INT64_MAX },
		{ "link_inputs", .flag = &m->link_inputs },
		{ "no_images", .flag = &s->no_images },
		{ "event", .fn = &c->event },
	};

	common_init(m);
	script_options(L, 1, opts, ARRAY_SIZE(opts));
	read_lists(L, c, &t);
	read_rows(L, c, &w);
	read_common(L, c, &w);
	if (s->bundle) {
		hash_mem(s->bundle, strlen(s->bundle), c->bundle);
		s->policy = c->bundle;
	}
	luaL_checkstack(L, 20, NULL);
}

/* ---- the target ------------------------------------------------------------------------------ */

static int open_target(lua_State *L, struct submit_call *c, struct err *err)
{
	struct session *session = session_get(L, err);
	struct submit_target *t = &c->target;

	*t = (struct submit_target){ .fn = on_event, .stop = on_stop, .ctx = c };
	if (!session)
		return c->spec.dry_run ? 0 : -1;
	t->home = session->home;
	t->queue = session_queue(L, err);
	if (!t->queue)
		return -1;
	c->cas = cas_open_dir(session->cas, session->create && !c->spec.dry_run, err);
	if (!c->cas && !(c->spec.dry_run && err->code == ERR_NOT_FOUND))
		return -1;
	if (c->cas && !c->spec.dry_run &&
	    cas_register(c->cas, queue_uuid(t->queue), session->home, err) < 0)
		return -1;
	t->cas = c->cas;
	c->spec.prefix = session->prefix;
	if (!c->spec.cluster)
		c->spec.cluster = session->cluster;
	return 0;
}

/* The policies whose on_submit is asked. */
static int open_policy(struct submit_call *c, struct err *err)
{
	struct submit_spec *s = &c->spec;
	struct buf text = BUF_INIT;
	int ret = 1;

	if (s->bundle)
		c->policy = policy_lua_bundle(s->bundle, strlen(s->bundle), err);
	else if (s->policy && *s->policy && c->cas)
		ret = cas_get(c->cas, s->policy, BUNDLE_MAX, &text, err);
	if (ret > 0 && text.n)
		c->policy = policy_lua_bundle(text.p, text.n, err);
	buf_release(&text);
	if (ret < 0 || (!c->policy && (s->bundle || text.n)))
		return -1;
	if (policy_wants(c->policy, NULL) & POLICY_SUBMIT)
		c->target.policy = c->policy;
	return 0;
}

static void add_submitter(struct submit_call *c)
{
	mode_t mask = umask(077);

	umask(mask);
	user_get(&c->user);
	c->spec.user = c->user.name;
	c->spec.umask = mask;
	secret_capture(&c->secret, c->spec.common.clean_env, mask);
	c->spec.secret = c->secret.p;
}

static void push_result(lua_State *L, const void *p)
{
	const struct submit_result *r = p;

	lua_createtable(L, 0, 9);
	script_set_i64(L, "born", r->born);
	script_set_str(L, "id", r->id);
	script_set_i64(L, "n", r->n);
	script_set_i64(L, "kept", r->kept);
	if (r->nodes >= 0)
		script_set_i64(L, "nodes", r->nodes);
	script_set_i64(L, "files", r->files);
	script_set_i64(L, "bytes", r->bytes);
	script_set_i64(L, "upload_files", r->upload_files);
	script_set_i64(L, "upload_bytes", r->upload_bytes);
	if (*r->content)
		script_set_str(L, "content", r->content);
}

static int submit_(lua_State *L)
{
	struct err err = ERR_INIT;
	struct submit_result r;
	struct submit_call *c;

	luaL_checktype(L, 1, LUA_TTABLE);
	lua_settop(L, 1);
	c = new_call(L);
	read_spec(L, c);
	add_submitter(c);
	if (open_target(L, c, &err) < 0 || open_policy(c, &err) < 0 ||
	    submit_run(&c->target, &c->spec, &r, &err) < 0)
		return script_fail(L, c->broken ? &c->err : &err);
	push_result(L, &r);
	return 1;
}

void lib_submit(lua_State *L)
{
	static const luaL_Reg none[] = { { NULL, NULL } };

	script_metatable(L, CALL_META, none, close_call);
	lua_pushcfunction(L, submit_);
	lua_setfield(L, -2, "submit");
}
