#ifndef WORK_SALVAGE_H
#define WORK_SALVAGE_H
/* What a dead node left in the results directories: stages that count are published, the rest
 * goes. */
#include "queue/queue.h"

/* Stages of `node` (and those that a later attempt has gone past) in all jobs of the cluster
 * (NULL: of all). Repeatable; trouble is logged, and the next one goes on. */
void salvage_stages(struct queue *q, const char *cluster, const char *node);

#endif
