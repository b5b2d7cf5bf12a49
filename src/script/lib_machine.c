/*
 * kubeque.machine() -> {cpus=, threads=, memory=, memory_available=, host=, machine_id=, boot_id=}:
 * what this process may use of this machine.
 */
#include "sys/machine.h"

#include "base/base.h"
#include "script/convert.h"
#include "script/libs.h"

static int machine_(lua_State *L)
{
	struct machine m;

	machine_get(&m);
	lua_newtable(L);
	script_set_num(L, "cpus", m.cpus);
	script_set_i64(L, "threads", m.threads);
	script_set_i64(L, "memory", m.memory);
	script_set_i64(L, "memory_available", m.memory_available);
	script_set_str(L, "host", m.host);
	script_set_str(L, "machine_id", m.machine_id);
	script_set_str(L, "boot_id", m.boot_id);
	return 1;
}

/* kubeque.machine_check() -> true, or nil, what this system lacks, "config" */
static int machine_check_(lua_State *L)
{
	struct err err = ERR_INIT;

	if (machine_check(&err) < 0) {
		luaL_pushfail(L);
		lua_pushstring(L, err.text);
		lua_pushstring(L, err_code_name(err.code));
		return 3;
	}
	lua_pushboolean(L, 1);
	return 1;
}

void lib_machine(lua_State *L)
{
	lua_pushcfunction(L, machine_);
	lua_setfield(L, -2, "machine");
	lua_pushcfunction(L, machine_check_);
	lua_setfield(L, -2, "machine_check");
}
