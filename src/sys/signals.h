#ifndef SYS_SIGNALS_H
#define SYS_SIGNALS_H
/*
 * Signals. A client asks to be interrupted (SIGINT, SIGTERM, SIGHUP set a flag and wake every wait
 * of this layer; the second SIGINT ends the process at once). A node reads them from a descriptor.
 * SIGPIPE is ignored by both. Spawned children get default dispositions (proc.h).
 */
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

/* For commands. Signals that were ignored when we were started (nohup) stay ignored. */
void signals_client(void);
/* First signal that came, 0: none. */
int signals_caught(void);
static inline bool signals_interrupted(void)
{
	return signals_caught() != 0;
}
/* If the signal that came was this one, it counts as handled: none has come from here on. */
bool signals_forget(int sig);
/* Readable once a signal came, and stays so; -1 before signals_client(). For poll. */
int signals_fd(void);
/* Called in the handler, so only async-signal-safe things (lua_sethook is); NULL: none. */
void signals_set_hook(void (*hook)(int sig));
/* ERR_INTERRUPTED when a signal came, for loops: 0 or -1. */
int signals_check(struct err *err);
/* Sleeps; ends early when a watched signal comes: 1 slept, 0 interrupted. */
int signals_sleep_ms(int64_t ms);

/* For nodes, before the first thread: blocks SIGINT, SIGTERM, SIGHUP, SIGCHLD, SIGUSR1 and returns
 * a non-blocking signalfd for them, or -1. */
int signals_node(struct err *err);
/* Next signal from it, 0: none now. */
int signals_next(int fd);

#endif
