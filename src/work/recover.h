#ifndef WORK_RECOVER_H
#define WORK_RECOVER_H
/*
 * After a power cut or kernel crash: the first client or node of a new boot checks the results of
 * tasks that ended in the last minute before it against the sizes and sha256 in result.json, and
 * makes damaged ones pending again.
 */
#include "base/err.h"
#include "queue/queue.h"

/* Has nobody checked since this machine started? 1, 0, -1. One small read. */
int recover_due(const char *home, struct err *err);
/*
 * Looks at <home>/boot, the boot id last seen. 0: nothing to do (same boot, or nothing damaged),
 * n > 0: so many tasks were made pending again; -1: could not be checked (the next one tries
 * again). Cheap when the boot id is known: one small read. Makes the file when there is none.
 */
int recover_check(const char *home, struct queue *q, struct err *err);

#endif
