#ifndef SCRIPT_INTERRUPT_H
#define SCRIPT_INTERRUPT_H
/*
 * Ctrl-C, SIGTERM and SIGHUP for commands. The first signal is noted (sys/signals.h) and waits
 * end early. A command that looks (kubeque.interrupted(), or a wait or call that answered
 * "interrupted") ends by itself in its own words; one that does not look is stopped by a raised
 * error after 1,000,000 instructions of Lua, and so is one that goes on waiting after it was told
 * ten times. A second signal ends the process at once. No task is touched by any of this: tasks
 * belong to nodes.
 */
#include <lua.h>

/* Installs the handlers; L is the state to stop. Signals ignored by the parent (nohup) stay so. */
void interrupt_install(lua_State *L);
/* The script has asked, and stops by itself. */
void interrupt_seen(void);
/* The script has been told by the answer of a wait or call that a signal ended. */
void interrupt_answered(void);

#endif
