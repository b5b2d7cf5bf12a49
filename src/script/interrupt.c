#include "script/interrupt.h"

#include "base/base.h"
#include "script/call.h"
#include "sys/signals.h"

enum {
	PATIENCE = 1000000, /* instructions, about 10 ms */
	ANSWERS = 10,	    /* "interrupted", before a loop of waits is taken for deaf */
};

static lua_State *main_state;
static int answers;

static void stop(lua_State *L, lua_Debug *ar)
{
	struct err err = ERR_INIT;

	(void)ar;
	lua_sethook(L, NULL, 0, 0);
	err_set(&err, ERR_INTERRUPTED, "Interrupted");
	script_raise(L, &err);
}

/* In the handler: setting a hook is safe there (lua.c does it, too). */
static void on_signal(int sig)
{
	(void)sig;
	lua_sethook(main_state, stop, LUA_MASKCOUNT, PATIENCE);
}

void interrupt_install(lua_State *L)
{
	main_state = L;
	signals_client();
	signals_set_hook(on_signal);
}

void interrupt_seen(void)
{
	answers = 0;
	if (signals_interrupted() && main_state)
		lua_sethook(main_state, NULL, 0, 0);
}

void interrupt_answered(void)
{
	if (!signals_interrupted() || !main_state)
		return;
	if (++answers < ANSWERS)
		lua_sethook(main_state, NULL, 0, 0);
	else
		lua_sethook(main_state, stop, LUA_MASKCOUNT, 1);
}
