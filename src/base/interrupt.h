#ifndef BASE_INTERRUPT_H
#define BASE_INTERRUPT_H
/*
 * The one thing a signal handler of a client does: it notes which signal came. Whoever waits or
 * loops for long looks here, undoes what is half done and returns ERR_INTERRUPTED. System calls
 * that wait return EINTR (the handlers are installed without SA_RESTART).
 */
#include <signal.h>
#include <stdbool.h>

extern volatile sig_atomic_t interrupt_signal; /* SIGINT, SIGTERM or SIGHUP; 0: none */

static inline bool interrupted(void)
{
	return interrupt_signal != 0;
}

#endif
