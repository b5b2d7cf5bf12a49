#ifndef WORK_CONSUMER_IMPL_H
#define WORK_CONSUMER_IMPL_H
/* What the files of the main loop share: consumer.c (life), begin.c, schedule.c (claimed to
 * running), ending.c (running to stored). Everything here belongs to the main thread. */
#include "base/vec.h"
#include "sys/bell.h"
#include "sys/lock.h"
#include "work/committer.h"
#include "work/consumer.h"
#include "work/lease.h"
#include "work/task_run.h"
#include "work/workers.h"

enum {
	UNSTARTED_MS = 5000,  /* claimed and not started so long: somebody else shall have it */
	HOLD_MS = 5000,       /* no claims after trouble of this node's */
	LOOP_MS = 1000,       /* the loop moves at least so often */
	LEFTOVERS_MS = 5,     /* how often remains of a process group are looked at */
	TERM_MS = 250,        /* whose task got a SIGTERM may get one himself until then */
	LEFTOVERS_KILLED_MS = 2000, /* killed ones that stay longer are not waited for */
	DELIVER_MS = 65 * 1000, /* a node that leaves waits so long for what is being delivered */
	DELIVER_LOOK_MS = 20,
	MEMORY_MS = 100,
	STDOUT_MS = 1000,
	RUNNING_MAX = 512,    /* tasks at once, whatever they need */
	RUNNING_SLOTS = 1024, /* hash table by pid */
};

enum phase {
	PHASE_RUN,
	PHASE_DRAIN, /* claims nothing, ends what runs */
	PHASE_QUIT,  /* stops what runs, gives it back */
	PHASE_LOST,  /* others have our tasks: kill, forget, start over */
};

struct run_list {
	struct run *head, **tail;
	size_t n;
};

struct consumer {
	const struct consumer_options *o;
	char node[NODE_ID_SIZE];
	struct resources cap, free, reserved; /* reserved: claimed, not started */
	enum phase phase;
	bool vanished;                        /* the store was removed under us */
	bool told_to_leave;                   /* by a signal: no new life after a loss */

	int home_fd, nodes_fd, bells_fd, sig_fd, wake_fd, ep_fd, null_fd;
	struct bell bell;
	struct lock lock;
	struct workroot work;
	struct run_env env;
	struct committer *committer;
	struct workers *workers;
	struct lease *lease;
	atomic_uint main_tick, commit_tick;
	atomic_int asking;          /* the policy is being asked */

	struct run_list ready;      /* claimed; lost ones first */
	struct run_list staged;     /* inputs are there */
	struct run_list leftovers;  /* ended, remains of the group live */
	struct run_list terminated; /* ended by SIGTERM, maybe everybody's */
	struct run *running[RUNNING_SLOTS]; /* by pid */
	size_t n_running, n_staging, n_collecting, n_stored; /* n_stored: with the committer */
	size_t n_limited, n_cut;    /* running ones with a memory limit, with --max-stdout */
	VEC(struct slot *) slots;   /* free ones */
	int n_slots;

	bool claiming, hint, room_moved;
	size_t low_water;
	int64_t next_due;           /* wall ms */
	int64_t hold_ns;            /* no claims before */
	bool troubled;
	int64_t idle_ns;            /* since when nothing is to be done; 0: something is */
	int64_t deadline_ns, memory_ns, stdout_ns, stale_ns, store_ns; /* when to look at each */
};

void run_list_init(struct run_list *l);
void run_list_add(struct run_list *l, struct run *r);
struct run *run_list_pop(struct run_list *l);

/* ---- begin.c ---- */
int begin_capacity(struct consumer *c, struct err *err);
/* Lock, bell, descriptors, work directory. */
int begin_files(struct consumer *c, struct err *err);
struct queue *begin_queue(struct consumer *c, struct err *err);
/* The node's row: 1 it stands, 0 another first node lives. */
int begin_register(struct consumer *c, struct queue *q, struct err *err);
/* Both handles are owned from now on. */
void begin_threads(struct consumer *c, struct queue *q, struct queue *lease_q);

/* ---- schedule.c ---- */
void schedule_claimed(struct consumer *c, struct run *list);
void schedule_staged(struct consumer *c, struct run *r); /* back from a worker */
/* Starts what fits, stages ahead, gives back what waited too long, asks for more. */
void schedule(struct consumer *c);
size_t schedule_unstarted(const struct consumer *c);
/* The run is over in one way or another: frees its slot, hands it to the committer. */
void hand_over(struct consumer *c, struct run *r);

/* ---- ending.c ---- */
void ending_running(struct consumer *c, struct run *r); /* it was started */
void ending_reap(struct consumer *c);
void ending_collect(struct consumer *c, struct run *r); /* inline, or by a worker */
/* Timeouts, kills, limits, leftovers. */
void ending_deadlines(struct consumer *c, int64_t now_ns);
/* What the queue said we hold: tasks that are not ours any more are stopped. */
void ending_held(struct consumer *c, const struct lease_news *news);
void ending_stop_all(struct consumer *c, enum run_stop why, bool hard);

/* ---- node_logs.c ---- */

/* Old logs of nodes that are gone are removed. */
void node_logs_trim(int nodes_fd);

#endif
