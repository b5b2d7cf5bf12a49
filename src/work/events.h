#ifndef WORK_EVENTS_H
#define WORK_EVENTS_H
/*
 * Telling policies what happened. Always after the commit that made it so: on_event is asked (if
 * the job's policy has it; nothing else costs anything), what it wants is queued and done by
 * children (work/deliver.h). Task events are told at most once and may be dropped; the end of a job
 * is told at least once: the job is marked as told when that is done, and whoever finds one that is
 * over and untold begins again.
 *
 * `struct events` may be NULL everywhere: nobody is told, jobs are marked as told at once.
 */
#include "queue/queue.h"
#include "work/policy.h"

struct events;

struct events_options {
	const char *home;      /* $KUBEQUE_HOME */
	struct policy *policy; /* borrowed; NULL: stock */
	const char *program;   /* NULL: this one */
	int log_fd;            /* what children have to say; -1: nowhere */
};
struct events *events_new(const struct events_options *o);
/* What waits is handed over to children, which go on by themselves. */
void events_free(struct events *e);

/* Has this job a policy of its own that listens? The stock one does not. */
bool events_wanted(struct policy *p, const struct job *job);
/* `kind` is one of policy.h; the view's task as it is now. `text`: the note of a verdict, or what
 * broke; NULL: none. */
void events_task(struct events *e, struct queue *q, const char *kind, const struct policy_view *v,
		 const char *text);
/* The job is over and not told. -1: the queue is out of reach, somebody will find it so. */
int events_over(struct events *e, struct queue *q, const struct job *job, struct err *err);

/* The effects that the policy wants for the end of this job, as JSON array (or nothing), and the
 * variables for commands, as JSON object. For the child that tells it. 0; -1: its hook broke (the
 * history says so), or the queue is out of reach. */
int events_ask_over(struct policy *p, struct queue *q, const struct job *job, struct buf *env,
		    struct buf *effects, struct err *err);

/* deliver_step(): children are started and looked after; ms until it wants to be called again, -1:
 * only after something happened. */
int64_t events_step(struct events *e);
/* Nothing waits and no child runs. */
bool events_idle(const struct events *e);

#endif
