#ifndef WORK_COMMITTER_IMPL_H
#define WORK_COMMITTER_IMPL_H
/* What the files of the committer share: committer.c (thread), commit.c
 * (storing), claim.c, elsewhere.c, leave.c. */
#include <pthread.h>

#include "base/vec.h"
#include "work/committer.h"
#include "work/events.h"
#include "work/jobctx.h"
#include "work/reaper.h"
#include "work/scale.h"

/* Per job of which tasks were seen: what one needs, and when its watchers were rung. */
struct job_need {
	int64_t born;
	char *classes;             /* as parsed */
	int n;
	struct class class[CLASSES_MAX];
};
struct watched {
	int64_t born;
	int64_t rung_ns;
	bool due;
};

/* An accepted attempt that could not be put in its place. */
struct unpublished {
	struct jobctx *ctx; /* referenced */
	int64_t n, k;
};

enum request { REQUEST_NONE, REQUEST_LEAVE, REQUEST_LEAVE_DRAINED };

/* The policy, with a mark that it is being asked: that may not take long. */
struct watched_policy {
	struct policy base;
	struct policy *inner;
	atomic_int *asking;
	atomic_uint *tick; /* moves with each question; may be NULL */
};
/* watched_policy.c: `inner` borrowed, may be NULL. */
void watched_policy_init(struct watched_policy *w, struct policy *inner, atomic_int *asking,
			 atomic_uint *tick);

struct committer {
	/* constant */
	struct committer_options opt;
	char node[NODE_ID_SIZE];
	struct queue *q;
	pthread_t thread;
	atomic_bool delivers;

	/* under lock */
	pthread_mutex_t lock;
	pthread_cond_t more, answered;
	bool stop, abandon, drain, flush, want;
	struct claim_room room;
	struct run *put, **put_tail;
	size_t n_put;
	int64_t first_put_ns;
	enum request request;
	enum committer_leave answer;
	char *message;
	bool message_new;
	struct committer_news news;
	struct run **claimed_tail;
	size_t committing;

	/* the thread's own */
	struct watched_policy policy;
	struct jobctx_cache *jobs;
	struct reaper *reaper;
	struct events *events;
	struct scaler *scaler;
	int64_t events_ns;         /* when they are looked after again */
	int64_t look_ns, finish_jobs_ns, change_ns, publish_ns;
	int64_t change;
	VEC(struct job_need *) needs;
	VEC(struct watched) watched;
	VEC(struct unpublished) unpublished;
	int64_t claims;            /* claims that found something; -1: not known */
	int64_t memory_held;       /* bytes set aside by what this node holds */
	/* during a claim */
	const struct claim_room *claim_room;
	struct resources claim_free;
	size_t claim_unstarted;
	int64_t claim_memory;
	/* elsewhere.c */
	VEC(struct resources) others; /* what nodes there are besides this one, each size once */
	int64_t others_ns;            /* when that was looked up; 0: not */
	bool known;                   /* it holds during this claim */
	bool avoided;                 /* the last claim met a class that avoids this node */
	bool left_to_others;          /* and it was left to another one, or for want of a look */
};

/* Stores a group (linked by next); frees its runs. Does not return before it is stored, unless
 * the committer is told to stop while the queue stays out of reach. */
void commit_group(struct committer *c, struct run *group);
/* What could not be put in its place is tried again. */
void publish_again(struct committer *c);
/* One claim for this room; the runs go to the news. */
void claim_some(struct committer *c, const struct claim_room *room);
/* -j N: as many as N even where CPUs are fewer: each then counts as CPUS/N. */
void share_cpus(struct resources *need, int64_t jobs, const struct resources *cap);
/* elsewhere.c: tasks of this node shall be tried again by others. */
void elsewhere_wanted(struct committer *c);
/* Around a claim; the reply says when to look again. */
void elsewhere_begin(struct committer *c);
void elsewhere_end(struct committer *c, struct claim_reply *reply);
/* In it: are tasks of this class, which avoids a node, to be left to another node than this? */
bool elsewhere_waits(struct committer *c, const struct class *k, int64_t jobs);
/* The answer to a claim that is not made. */
void claim_none(struct committer *c);
/* The node's policy; NULL: the stock one. */
struct policy *committer_policy(struct committer *c);
/* Tells whoever watches this job; at most ten times a second, at once when it is over. */
void watch_ring(struct committer *c, int64_t born, bool over);
/* Rings what is due; how long until the next, ms. */
int64_t watch_due(struct committer *c);
/* tell.c: the task of a run whose outcome is stored, its verdict open. */
void run_as_ended(const struct committer *c, const struct run *r, struct task *t);
/* Its task succeeded; its job is over by the last commit. */
void tell_success(struct committer *c, struct run *r);
void tell_over(struct committer *c, const struct run *r);
/* Starts and looks after those who deliver. */
void tell_step(struct committer *c);
/* leave.c: the node's row to leaving and away, or back to live; to draining. */
enum committer_leave leave_store(struct committer *c, bool drained);
void leave_drain(struct committer *c);
/* Sleeps between attempts to reach the queue; false: told to stop. */
bool committer_pause(struct committer *c, int64_t *pause_ms, const struct err *why);
void committer_note_due(struct committer *c, int64_t due_ms);
/* This node cannot run tasks now (disk full, ...): it shall stop claiming for a while. */
void committer_note_trouble(struct committer *c, const struct err *why);

#endif
