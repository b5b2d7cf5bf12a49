#ifndef WORK_SALVAGE_H
#define WORK_SALVAGE_H
/* What a dead node left in the results directories: stages that count are published, the rest
 * goes. */
#include "queue/queue.h"
#include "work/results.h"

/* Stages of `node` (and those that a later attempt has gone past) in all jobs of the cluster
 * (NULL: of all). Repeatable; trouble is logged, and the next one goes on. */
void salvage_stages(struct queue *q, const char *cluster, const char *node);

/* All stages of one job that is over: who was told so wants to find the results in their place,
 * whether or not their node was fast enough. 0/-1. */
int salvage_results(struct queue *q, struct results *r, int64_t born, struct err *err);

#endif
