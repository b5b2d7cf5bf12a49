#ifndef WORK_SCALE_H
#define WORK_SCALE_H
/*
 * How many nodes a job's policy wants. Clients ask when they submit, and while they wait and no
 * node lives; else the oldest living node of a cluster asks, for the jobs that have waiting tasks
 * and a policy with `scale`. It only ever adds: a node leaves when it finds nothing to do (linger),
 * or when a user says so; a target below what lives adds none.
 *
 * Nodes are started by a child of this binary (`kubeque scale`, lua/kubeque/scaler.lua), which
 * counts again under a lock and asks the configured provider.
 */
#include <stdbool.h>

#include "queue/queue.h"
#include "work/policy.h"

enum { SCALE_MAX = 1000 /* nodes that a policy may want */ };

/* What a policy decides by: `live` nodes there are. The job is borrowed. */
int scale_state(struct queue *q, const struct job *job, int64_t live, int64_t now,
		struct policy_scale *out, struct err *err);
/* A target within bounds: no more than there are open tasks, at most SCALE_MAX, at most twice what
 * lives and ten more at a time; what --nodes says is always allowed. */
int64_t scale_clamp(const struct policy_scale *s, int64_t target);

struct scaler;
struct scaler_options {
	const char *home, *cluster, *node; /* borrowed */
	struct policy *policy;             /* borrowed; NULL: never asked */
	const char *program;               /* what starts nodes; NULL: this one */
	int log_fd;
};
struct scaler *scaler_new(const struct scaler_options *o);
void scaler_free(struct scaler *s); /* NULL-safe; its child goes on */
/* One look; cheap when there is nothing to ask. Called about once a second. */
void scaler_look(struct scaler *s, struct queue *q);

#endif
