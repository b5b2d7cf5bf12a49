#ifndef WORK_WORKERS_H
#define WORK_WORKERS_H
/* A few threads that lay down inputs and collect outputs: work that may take long. */
#include "work/task_run.h"

struct workers;

/* `wake_fd` (an eventfd) is written when something is done. */
struct workers *workers_new(int threads, const struct run_env *env, int wake_fd);
/* Waits for what is being done; frees. */
void workers_free(struct workers *w);
/* A run in RUN_STAGING is staged, one in RUN_COLLECTING is collected. It belongs to the workers
 * until workers_take() gives it back. */
void workers_put(struct workers *w, struct run *r);
/* All that are done since the last call, linked by next; NULL: none. */
struct run *workers_take(struct workers *w);

#endif
