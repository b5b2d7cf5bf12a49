#ifndef WORK_TASK_RUN_H
#define WORK_TASK_RUN_H
/*
 * One attempt of one task: its inputs, its environment, its process, what it leaves. Pure
 * mechanics for one run; which one runs when is consumer.c's.
 *
 * The life of a run: claimed -> staging (inputs, by a worker) -> staged -> running -> leftovers
 * -> collecting (by a worker, or inline when there is nothing) -> done. Between two threads a run
 * belongs to the one that works on it.
 */
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/arena.h"
#include "model/manifest.h"
#include "queue/queue.h"
#include "sys/proc.h"
#include "work/jobctx.h"
#include "work/stage.h"
#include "work/workdir.h"

enum run_state {
	RUN_CLAIMED,
	RUN_STAGING,
	RUN_STAGED,
	RUN_RUNNING,
	RUN_LEFTOVERS,
	RUN_COLLECTING,
	RUN_DONE,      /* outcome is filled */
	RUN_GIVEN_BACK, /* to be released: the node's trouble, or it was not started */
	RUN_GONE,      /* taken away from us before it ended: nothing to report */
};

/* Why we stopped it. The first reason stands. */
enum run_stop { STOP_NONE, STOP_TIMEOUT, STOP_MEMORY, STOP_TAKEN, STOP_LEAVE };

struct slot {
	int index;
	struct workdir dir;
	struct stage stage;     /* reused */
};

struct run {
	struct run *next;
	struct claimed c;
	struct jobctx *ctx;     /* referenced */
	enum run_state state;
	struct arena arena;
	struct task_spec spec;
	bool spec_ok;
	struct slot *slot;
	int stage_fd, out_fd;
	struct stage_input *inputs;
	size_t n_inputs;
	struct resources need;
	int64_t born_ns;        /* when its claim had come back */
	int64_t claimed_ns;     /* since when it could have started */
	int64_t started_ns, started_ms;
	int64_t memory_now;     /* of its process group, when last looked at */
	pid_t pid;              /* 0: none */
	enum run_stop stop;
	int64_t deadline_ns;    /* timeout, then KILL; INT64_MAX: none */
	bool termed, killed;
	int64_t term_ns;        /* when it ended by a SIGTERM that was not ours; 0: it did not */
	int64_t memory_limit, grace_ms;
	struct proc_end end;
	int64_t stdout_bytes;
	char stdout_sha256[SHA256_HEX_SIZE];
	struct outcome out;     /* out.a is what is stored */
	enum cause cause;       /* when no process ran: why, with `reason`; CAUSE_NONE else */
	char reason[REASON_SIZE];
	bool collecting;        /* with a worker, for its end */
	bool staged;            /* a stage directory was made */
	char *params_json;      /* for the policy, when it did not succeed */
	char fault[REASON_SIZE]; /* RUN_GIVEN_BACK by the node's trouble: why */
	bool nospace;
	char *kept;             /* work directory that was kept */
};

/* What every run of a node shares. */
struct run_env {
	const char *node;
	const struct workroot *work;
	int null_fd;
	int64_t grace_ms;
};

struct run *run_new(const struct claimed *c, struct jobctx *ctx);
void run_free(struct run *r);

/* Reads the manifest line. On damage the run is failed: state RUN_COLLECTING follows. */
int run_load(struct run *r, const struct run_env *e, struct err *err);
/* NULL-terminated environment in the run's arena, and the slot's parameters' file. */
const char *const *run_environ(struct run *r, const struct run_env *e, struct err *err);
/* True when the worker has something to lay down. */
bool run_has_inputs(const struct run *r);
/* Slot and stage; then lays down the inputs (may take long). RUN_STAGED; on the task's fault the
 * outcome is prepared (missing input F); on the node's RUN_GIVEN_BACK. */
void run_stage(struct run *r, const struct run_env *e);
/* Starts the process: RUN_RUNNING; a program that is not there makes an ended run at once. */
void run_start(struct run *r, const struct run_env *e);
/* Sends TERM (first) or KILL (second, or `hard`). */
void run_stop(struct run *r, enum run_stop why, bool hard);
/* The first process ended. True when leftovers of its group live (RUN_LEFTOVERS). */
bool run_ended(struct run *r, const struct proc_end *end);
/* Nothing to collect, so that it may be done inline in microseconds? */
bool run_is_quick(const struct run *r, const struct run_env *e);
/* After the queue said that the task was killed meanwhile: only stdout.txt and a result.json that
 * says so stay in the stage. */
int run_restage_killed(struct run *r, struct err *err);
/* Outputs (none when it is quick), result.json, work directory cleared; then RUN_DONE,
 * RUN_GIVEN_BACK or RUN_GONE. */
void run_collect(struct run *r, const struct run_env *e, bool quick);

#endif
