/* From a bundle to a state in which hooks can be called: files, `require`, options. */
#include <string.h>

#include "base/base.h"
#include "script/call.h"
#include "script/policy_impl.h"
#include "script/sandbox_keep.h"
#include "script/sandbox_lib.h"
#include "script/sandbox_view.h"

enum { BODY_MS = 500 };

const char *const policy_hook_names[HOOKS + 1] = {
	[HOOK_SUBMIT] = "on_submit", [HOOK_FAILED] = "on_task_failed",
	[HOOK_LOST] = "on_task_lost", [HOOK_SCALE] = "scale", [HOOK_EVENT] = "on_event",
};
static const unsigned hook_bits[HOOKS] = {
	[HOOK_SUBMIT] = POLICY_SUBMIT, [HOOK_FAILED] = POLICY_FAILED, [HOOK_LOST] = POLICY_LOST,
	[HOOK_SCALE] = POLICY_SCALE, [HOOK_EVENT] = POLICY_EVENT,
};

static char loaded_key; /* registry: modules by name; false while one is being loaded */

/* kubeque.policy{...} -> the table, if it is a policy. */
static int register_policy(lua_State *L)
{
	const char *fault;

	lua_settop(L, 1);
	fault = policy_table_fault(L, 1);
	if (fault)
		return luaL_error(L, "%s", fault);
	return 1;
}

/* ---- require ------------------------------------------------------------------------------ */

static int cycle(lua_State *L, const struct policy_loader *l, const char *name)
{
	int from = 0;
	luaL_Buffer b;

	for (int i = 0; i < l->depth; i++)
		if (strcmp(l->stack[i], name) == 0)
			from = i;
	luaL_buffinit(L, &b);
	for (int i = from; i < l->depth; i++) {
		luaL_addstring(&b, l->stack[i]);
		luaL_addstring(&b, " -> ");
	}
	luaL_addstring(&b, name);
	luaL_pushresult(&b);
	return luaL_error(L, "modules require each other: %s", lua_tostring(L, -1));
}

/* [-0, +1] kubeque.units and the like, which need no file. */
static bool push_library(lua_State *L, const char *name)
{
	if (strncmp(name, "kubeque.", 8) != 0)
		return false;
	sandbox_lib_kubeque(L);
	lua_pushstring(L, name + 8);
	if (lua_rawget(L, -2) != LUA_TNIL) {
		lua_remove(L, -2);
		return true;
	}
	lua_pop(L, 2);
	return false;
}

static void run_module(lua_State *L, struct policy_loader *l, const struct bundle_module *m)
{
	const char *chunk = lua_pushfstring(L, "@%s", m->file);
	int depth = l->depth;

	if (depth == ARRAY_SIZE(l->stack))
		luaL_error(L, "modules require each other more than %d deep", depth);
	if (m->n && m->text[0] == LUA_SIGNATURE[0])
		luaL_error(L, "%s: bytecode is not allowed, only the text of a script", m->file);
	if (luaL_loadbufferx(L, m->text, m->n, chunk, "t") != LUA_OK)
		lua_error(L);
	l->stack[l->depth++] = m->name;
	lua_pushstring(L, m->name);
	lua_pushstring(L, m->file);
	if (lua_pcall(L, 2, 1, 0) != LUA_OK) {
		l->depth = depth; /* somebody may catch this */
		lua_rawgetp(L, LUA_REGISTRYINDEX, &loaded_key);
		lua_pushnil(L);
		lua_setfield(L, -2, m->name);
		lua_pop(L, 1);
		lua_error(L);
	}
	l->depth = depth;
	if (lua_isnil(L, -1)) {
		lua_pop(L, 1);
		lua_pushboolean(L, 1);
	}
}

/* [-0, +1] */
static void push_module(lua_State *L, struct policy_loader *l, const char *name)
{
	const struct bundle_module *m = bundle_find(l->bundle, name);
	int loaded;

	luaL_checkstack(L, 10, NULL);
	lua_rawgetp(L, LUA_REGISTRYINDEX, &loaded_key);
	loaded = lua_gettop(L);
	if (lua_getfield(L, loaded, name) != LUA_TNIL) {
		if (lua_type(L, -1) == LUA_TBOOLEAN && !lua_toboolean(L, -1))
			cycle(L, l, name);
		lua_remove(L, loaded);
		return;
	}
	if (!m) {
		if (push_library(L, name)) {
			lua_replace(L, loaded);
			lua_settop(L, loaded);
			return;
		}
		luaL_error(L, "module '%s' did not travel with the job: write require \"%s\" with "
			   "the name as a plain text at the top of the file, and put the module "
			   "beside the policy or into a folder of scripts", name, name);
		return;
	}
	lua_pushboolean(L, 0);
	lua_setfield(L, loaded, name);
	run_module(L, l, m);
	lua_pushvalue(L, -1);
	lua_setfield(L, loaded, name);
	lua_replace(L, loaded);
	lua_settop(L, loaded);
}

static int require_(lua_State *L)
{
	struct policy_loader *l = lua_touserdata(L, lua_upvalueindex(1));
	const char *name = luaL_checkstring(L, 1);

	if (l->sealed)
		return luaL_error(L, "require '%s': a hook cannot load modules, require them at "
				  "the top of the file", name);
	push_module(L, l, name);
	return 1;
}

/* ---- building ----------------------------------------------------------------------------- */

struct build {
	struct policy_lua *p;
	struct policy_part *part;
};

static int open_body(lua_State *L)
{
	struct build *b = lua_touserdata(L, 1);

	lua_newtable(L);
	lua_rawsetp(L, LUA_REGISTRYINDEX, &loaded_key);
	lua_pushlightuserdata(L, &b->p->loader);
	lua_pushcclosure(L, require_, 1);
	lua_setglobal(L, "require");
	sandbox_lib_kubeque(L);
	lua_pushcfunction(L, register_policy);
	lua_setfield(L, -2, "policy");
	return 0;
}

static void take_hooks(lua_State *L, struct policy_part *part)
{
	part->wants = 0;
	for (size_t i = 0; i < HOOKS; i++) {
		lua_Debug ar;

		part->hook[i] = LUA_NOREF;
		if (lua_getfield(L, 2, policy_hook_names[i]) == LUA_TFUNCTION) {
			lua_pushvalue(L, -1);
			(void)lua_getinfo(L, ">S", &ar);
			part->line[i] = ar.linedefined;
			part->wants |= hook_bits[i];
			part->hook[i] = luaL_ref(L, LUA_REGISTRYINDEX);
		} else {
			lua_pop(L, 1);
		}
	}
	if (lua_getfield(L, 2, "same") == LUA_TBOOLEAN && lua_toboolean(L, -1) &&
	    (part->wants & POLICY_FAILED))
		part->wants |= POLICY_SAME;
	lua_pop(L, 1);
}

/* One policy of the chain: its file has run when this returns. */
static int part_body(lua_State *L)
{
	struct build *b = lua_touserdata(L, 1);
	struct policy_part *part = b->part;
	const char *fault;

	push_module(L, &b->p->loader, part->from->module->name); /* 2 */
	fault = policy_table_fault(L, 2);
	if (fault)
		return luaL_error(L, "%s: %s", part->from->module->file, fault);
	take_hooks(L, part);
	policy_push_options(L, 2, part->from->options);
	sandbox_read_only(L);
	part->options = luaL_ref(L, LUA_REGISTRYINDEX);
	lua_pushvalue(L, 2);
	part->table = luaL_ref(L, LUA_REGISTRYINDEX);
	return 0;
}

static int seal_body(lua_State *L)
{
	struct build *b = lua_touserdata(L, 1);

	b->p->loader.sealed = true;
	lua_newtable(L);
	for (size_t i = 0; i < b->p->n; i++) {
		for (size_t h = 0; h < HOOKS; h++) {
			if (b->p->parts[i].hook[h] == LUA_NOREF)
				continue;
			lua_rawgeti(L, LUA_REGISTRYINDEX, b->p->parts[i].hook[h]);
			lua_rawseti(L, -2, (lua_Integer)lua_rawlen(L, -2) + 1);
		}
	}
	sandbox_keep(L);
	return 0;
}

static int step(struct policy_lua *p, lua_CFunction body, struct policy_part *part,
		struct err *err)
{
	struct build b = { p, part };

	lua_pushcfunction(p->s->L, body);
	lua_pushlightuserdata(p->s->L, &b);
	return sandbox_call(p->s, 1, 0, BODY_MS, err);
}

int policy_state_build(struct policy_lua *p, struct err *err)
{
	p->loader = (struct policy_loader){ .bundle = &p->bundle };
	p->s = sandbox_new(err);
	if (!p->s)
		return -1;
	if (step(p, open_body, NULL, err) < 0)
		goto fail;
	p->wants = 0;
	for (size_t i = 0; i < p->n; i++) {
		if (step(p, part_body, &p->parts[i], err) < 0) {
			err_prefix(err, "policy %s", p->parts[i].from->name);
			goto fail;
		}
		p->wants |= p->parts[i].wants;
	}
	if (sandbox_seal(p->s, err) < 0 || step(p, seal_body, NULL, err) < 0)
		goto fail;
	return 0;
fail:
	policy_state_close(p);
	return -1;
}

void policy_state_close(struct policy_lua *p)
{
	script_free(p->s);
	p->s = NULL;
	policy_forget_views(&p->views);
}
