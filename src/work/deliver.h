#ifndef WORK_DELIVER_H
#define WORK_DELIVER_H
/*
 * What policies want done when something happens (webhooks, commands): queued here, done by
 * children of this binary (`kubeque deliver`, JSON on stdin: see lua/kubeque/deliver.lua), so that
 * neither a server that hangs nor a command that runs long delays a task.
 *
 * Effects wait in lanes: one a job, policy and server or program. A lane has one child at a time,
 * which gets what has come together meanwhile; so many effects cost few processes, their order
 * holds, and one that hangs delays its own lane only. Lanes and children are bounded; what does not
 * fit is dropped, and the log says so.
 *
 * Children have a session of their own: they go on when their parent ends. A handle belongs to one
 * thread, which calls deliver_step() now and then.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct deliver;

enum {
	DELIVER_CHILDREN = 4,       /* at a time */
	DELIVER_LANES = 200,
	DELIVER_LANE_ITEMS = 1000,  /* that wait in a lane */
	DELIVER_BYTES = 8 << 20,    /* in all lanes */
	DELIVER_BATCH_ITEMS = 100,  /* for one child */
	DELIVER_BATCH_BYTES = 256 << 10,
};

struct deliver_options {
	const char *home;    /* $KUBEQUE_HOME */
	const char *program; /* NULL: this one */
	int log_fd;          /* where children write what they have to say; -1: nowhere */
};
struct deliver *deliver_new(const struct deliver_options *o);
/* Starts what still waits, as far as it may (DELIVER_LANES children), and forgets it all. */
void deliver_free(struct deliver *d);

/* Queues `effects` (a JSON array, see work/policy.h) of job `born`; `env` is a JSON object with
 * variables for commands. */
void deliver_add(struct deliver *d, int64_t born, const char *job_id, const char *env,
		 const char *effects);
/* This job is over: a child shall ask its policy, do what that wants, and mark the job as told.
 * Nothing when one does already. After `patience_ms`, if nobody else has done so by then. */
void deliver_over(struct deliver *d, int64_t born, int64_t patience_ms);

/* Sees which children have ended and starts others. Returns in how many ms it is to be called again
 * (-1: only after something was added). */
int64_t deliver_step(struct deliver *d);
/* Nothing waits and no child runs. */
bool deliver_idle(const struct deliver *d);

#endif
