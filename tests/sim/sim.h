#ifndef TESTS_SIM_SIM_H
#define TESTS_SIM_SIM_H
/*
 * The simulator of PROTOCOL.md: nodes, reapers, killers, resetters, cleaners, submitters and a
 * detector of ends, written as step functions over the real queue in the order of the law's
 * procedures, with an object store in memory. After every step the invariants are asserted.
 *
 * Everything that may go one way or another is asked of choose() or fault(): a seeded generator in
 * a random walk, an enumeration in an exhaustive exploration. The whole world beside the queue is
 * one plain struct, so that it can be copied.
 */
#include <stdbool.h>
#include <stdint.h>

#include "base/base.h"
#include "base/buf.h"
#include "queue/queue.h"

enum {
	JOBS = 10,     /* uids 1..JOBS-1 in one episode */
	IDS = 2,       /* job ids "a", "b" */
	TASKS = 11,    /* tasks 1..TASKS-1 of a job */
	ATTEMPTS = 30, /* of a task, in one episode */
	SLOTS = 4,     /* node processes */
	NODES = 40,    /* incarnations of nodes in one episode */
	RUNS = 3,      /* tasks a node holds */
	REAPERS = 2,
	CLIENTS = 6,
	LATE = 8,      /* calls that may be delivered once more */
	LEASE = 600,   /* steps */
};

/* ---- calls of the queue ----------------------------------------------------------------- */

enum call_kind {
	CALL_NONE, CALL_REGISTER, CALL_BEAT, CALL_CLAIM, CALL_RELEASE, CALL_FINISH, CALL_VERDICT,
	CALL_ASK, CALL_NODE_MOVE, CALL_NODE_WAIT, CALL_NODE_DELETE, CALL_JOB_MOVE, CALL_KILL,
	CALL_RESET, CALL_TOLD, CALL_JOB_DELETE, CALL_BEGIN, CALL_ADD, CALL_BIND, CALL_ABORT,
	CALL_KINDS
};

struct row {
	int8_t job, n, k, code; /* code: exit code, or tries */
	uint8_t ev, yes;
	int16_t v;
};

struct call {
	uint8_t kind, ev, n_rows;
	bool repeated, more, first, force;
	int8_t node;  /* incarnation, 0: none */
	int8_t job, n, id, max;
	int8_t rc;    /* answer; -2: conflict */
	uint8_t states;
	int16_t v, after, seq;
	uint32_t op;
	struct row rows[RUNS];
};

/* ---- the world beside the queue --------------------------------------------------------- */

enum run_state { RUN_NONE, RUN_CLAIMED, RUN_RUNNING, RUN_PART, RUN_STAGED, RUN_ENDED, RUN_ACCEPTED,
		 RUN_RETRIED, RUN_REFUSED, RUN_PUBLISH, RUN_DROP };
struct run {
	uint8_t st;
	int8_t job, n, k, code;
	int16_t v;
};

enum pc {
	PC_OFF, PC_REGISTER, PC_WORK, PC_LEAVING, PC_STAY, PC_GO, PC_LOST, /* node */
	PC_LOOK, PC_MARK, PC_WAIT, PC_SWEEP, PC_ASKED, PC_SALVAGE, PC_ACT, PC_FORGET, /* reaper */
	PC_KILLING, PC_END, PC_TELL,
	PC_IDLE, PC_STEP1, PC_STEP2, PC_STEP3, PC_STEP4, PC_DONE, /* clients */
};

struct node_proc {
	uint8_t pc;
	bool learned;    /* knows that it is lost */
	bool draining;
	int8_t id;       /* incarnation, 0: off */
	int16_t seq;
	int32_t beat_at, frozen; /* steps */
	struct run run[RUNS];
	struct call call;        /* not answered yet */
};

struct looked {
	int32_t beat, since, last;
};

struct reaper_proc {
	uint8_t pc, back;
	bool alive;
	int8_t node, job, n, k, job2;
	int16_t v;
	uint8_t act;
	int32_t frozen;
	struct looked seen[NODES];
	struct call call;
};

enum client_kind { CLIENT_KILLER, CLIENT_RESETTER, CLIENT_CLEANER, CLIENT_SUBMITTER,
		   CLIENT_SUBMITTER2, CLIENT_DETECTOR };
struct client_proc {
	uint8_t kind, pc;
	int8_t job, n, k, replace, act;
	int16_t after;
	uint8_t states;
	int8_t owner;
	int32_t frozen;
	struct call call;
};

/* Object store: bit k of a mask is attempt k. */
struct store {
	uint32_t part[JOBS][TASKS], whole[JOBS][TASKS];
	uint32_t accepted[JOBS][TASKS]; /* ever named by acc */
	int8_t owner[JOBS][TASKS][ATTEMPTS + 2];
	struct { int8_t job, k; } published[IDS][TASKS];
};

/* How often a fault may still happen; negative: for ever, by chance. */
enum fault_kind { FAULT_CRASH, FAULT_RCRASH, FAULT_SUSPECT, FAULT_LOST_ANSWER, FAULT_BAD_EXIT,
		  FAULT_KILL, FAULT_RESET, FAULT_CLEAN, FAULT_LATE, FAULT_OUTAGE, FAULT_FREEZE,
		  FAULT_WAIT, FAULT_LEAVE, FAULT_SUBMIT, FAULT_STOP, FAULT_KINDS };

struct world {
	int32_t now;
	bool down_writes, down_reads;
	int32_t up_at;
	bool calm;      /* no faults, nothing new: come to rest */
	bool suspected; /* a living node was marked lost, or tasks were taken from one */
	int8_t incarnations;
	int8_t budget[FAULT_KINDS];
	int8_t job_id[JOBS];   /* which id a uid has, -1: none */
	bool bound[JOBS];      /* a submitter was told that it stands */
	struct store store;
	struct node_proc node[SLOTS];
	struct reaper_proc reaper[REAPERS];
	struct client_proc client[CLIENTS];
};

/* ---- what the queue holds, decoded ------------------------------------------------------ */

struct view_task {
	int16_t v;
	int8_t state, attempt, acc, node, asks, tries, free, lost; /* state -1: no row */
};
struct view_job {
	int16_t v, rev, n, max_running;
	int8_t state, id; /* state -1: no row */
	bool told;
};
struct view_node {
	int16_t v;
	int32_t beat;
	int8_t state, waits, seq; /* state -1: no row */
};
struct view {
	struct view_job job[JOBS];
	struct view_task task[JOBS][TASKS];
	struct view_node node[NODES];
	int16_t tally[JOBS][8]; /* by label_index() */
	int32_t rows;           /* in all tables that a cleaned queue must not have */
};

struct content; /* of the queue's tables, for exploration */

struct sim {
	uint64_t seed, rng;
	int breaks;          /* rule taken away, 0: none */
	bool trace, explore;
	int n_nodes, n_reapers, n_tasks, n_jobs;
	int jobs, tasks, nodes; /* numbers from 1 to below these are in use */
	unsigned clients;    /* bit mask of client_kind that take part */
	bool liveness;       /* outages, but nobody is delayed: nobody may be lost */
	struct world w;
	struct view view;    /* of the queue as it is now */
	struct queue *q;
	void *db;            /* raw handle for looking */
	char path[300];
	uint64_t steps;
	const char *who;     /* whose step it is */
	int who_index;
	/* how often: a call moved something, was refused, was repeated; and what befell */
	uint64_t moved[CALL_KINDS], idle[CALL_KINDS], repeated[CALL_KINDS];
	uint64_t befell[FAULT_KINDS];
	struct call late[LATE];
	int n_late;
	bool late_now;       /* this call is such a one */
	struct buf log;      /* of this episode, when tracing or failed */
	char failure[300];   /* "" while everything holds */
	/* exploration */
	struct content *contents;
	uint32_t content;    /* of world w */
	uint32_t loaded;     /* what the database holds */
	unsigned path_n, path_at, path_choice[32], path_of[32];
};

/* ---- sim.c: choices and reports ---- */
unsigned choose(struct sim *s, unsigned n); /* 0..n-1 */
bool chance(struct sim *s, unsigned one_in); /* random walks only; never when exploring */
bool fault(struct sim *s, enum fault_kind f, unsigned one_in);
void say(struct sim *s, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void fail(struct sim *s, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
uint64_t mix(uint64_t *state);

/* ---- calls.c ---- */
extern const char *const call_names[]; /* by call_kind */
void queue_start(struct sim *s); /* a new, empty queue */
void queue_stop(struct sim *s);
/* One call: true when it was answered (c->rc and rows), false: out of reach or answer lost. The
 * caller keeps it and sends it again. `owner` makes op. */
bool perform(struct sim *s, struct call *c);
/* Reads (the view) are answered only while the queue can be read. */
bool readable(struct sim *s);
/* A recorded call arrives once more. */
void deliver_late(struct sim *s);
void call_text(const struct call *c, char *out, size_t n);
/* The call on the real queue, no faults. */
void call_run(struct sim *s, struct call *c);

/* ---- contents.c: only while exploring ---- */
void contents_start(struct sim *s); /* the queue as it is now is the first content */
void contents_stop(struct sim *s);
void contents_stats(const struct sim *s, uint64_t *n, uint64_t *calls);
const struct view *content_view(const struct sim *s, uint32_t id);
/* The call on content s->content, which moves on. */
void contents_call(struct sim *s, struct call *c);
uint64_t hash_bytes(const void *p, size_t n, uint64_t h);

/* ---- view.c ---- */
void view_load(struct sim *s, struct view *v); /* from the database */
int label_index(const char *label);
uint64_t content_hash(struct sim *s);          /* of all tables, times left out */
void content_dump(struct sim *s, struct buf *out);
void content_restore(struct sim *s, const char *p, size_t n);

/* ---- store.c ---- */
void store_stage(struct sim *s, int job, int n, int k, int node, bool whole);
void store_drop(struct sim *s, int job, int n, int k);
void store_publish(struct sim *s, int job, int n, int k);
bool store_has_stage(const struct sim *s, int job, int n, int k);
/* What is to be done with a stage: enum stage_fate, by the real function. */
int store_fate(struct sim *s, int job, int n, int k);

/* ---- node.c, reaper.c, clients.c: one step of one process ---- */
void node_start(struct sim *s, int slot);
void node_step(struct sim *s, int slot);
void node_crash(struct sim *s, int slot);
/* Must it beat before anything else? */
bool node_beat_due(const struct sim *s, int slot);
void node_beat(struct sim *s, int slot);
int node_slot_of(const struct sim *s, int incarnation); /* living process, or -1 */
void reaper_step(struct sim *s, int i);
void reaper_crash(struct sim *s, int i);
bool reaper_idle(const struct sim *s, int i);
void client_step(struct sim *s, int i);
void client_crash(struct sim *s, int i);
bool client_idle(const struct sim *s, int i);

/* ---- check.c ---- */
/* After a step: from view `before` to s->view. */
void check_step(struct sim *s, const struct view *before);
void check_rest(struct sim *s);    /* nothing moves any more */
void check_cleaned(struct sim *s); /* and everything was cleaned */

/* ---- walk.c, explore.c ---- */
struct walk_result {
	uint64_t steps, episodes;
	uint64_t failing_seed; /* of the episode that failed */
};
/* Random episodes until `steps` are made; false: failed, s->failure and s->log say how. */
bool walk(struct sim *s, uint64_t seed, uint64_t steps, struct walk_result *r);
/* One episode. */
bool walk_episode(struct sim *s, uint64_t seed);

struct explore_setup {
	const char *name;
	int nodes, reapers;
	unsigned clients;
	int8_t budget[FAULT_KINDS];
};
struct explore_result {
	uint64_t states, edges, contents, calls;
	bool finished;
};
bool explore(struct sim *s, const struct explore_setup *e, uint64_t limit,
	     struct explore_result *r);
extern const struct explore_setup explore_setups[];
extern const int n_explore_setups;

#endif
