#include "script/interrupt.h"

#include <signal.h>
#include <unistd.h>

#include "base/base.h"
#include "base/interrupt.h"
#include "script/call.h"

enum { PATIENCE = 1000000 }; /* instructions, about 10 ms */

static lua_State *main_state;

static void stop(lua_State *L, lua_Debug *ar)
{
	struct err err = ERR_INIT;

	(void)ar;
	lua_sethook(L, NULL, 0, 0);
	err_set(&err, ERR_INTERRUPTED, "Interrupted");
	script_raise(L, &err);
}

static void on_signal(int sig)
{
	if (interrupt_signal)
		_exit(128 + sig);
	interrupt_signal = sig;
	if (main_state) /* as lua.c does: setting a hook is safe in a handler */
		lua_sethook(main_state, stop, LUA_MASKCOUNT, PATIENCE);
}

void interrupt_install(lua_State *L)
{
	static const int signals[] = { SIGINT, SIGTERM, SIGHUP };
	struct sigaction act = { .sa_handler = on_signal }, old;

	main_state = L;
	for (size_t i = 0; i < ARRAY_SIZE(signals); i++) {
		if (sigaction(signals[i], NULL, &old) == 0 && old.sa_handler == SIG_IGN)
			continue;
		(void)sigaction(signals[i], &act, NULL);
	}
	act.sa_handler = SIG_IGN;
	(void)sigaction(SIGPIPE, &act, NULL); /* a closed stdout is seen as EPIPE */
}

void interrupt_seen(void)
{
	if (interrupt_signal && main_state)
		lua_sethook(main_state, NULL, 0, 0);
}

const char *interrupt_name(void)
{
	switch (interrupt_signal) {
	case SIGINT:
		return "SIGINT";
	case SIGTERM:
		return "SIGTERM";
	case SIGHUP:
		return "SIGHUP";
	default:
		return NULL;
	}
}
