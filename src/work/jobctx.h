#ifndef WORK_JOBCTX_H
#define WORK_JOBCTX_H
/*
 * What a node, a reaper or a reader needs to know of a job to run or settle its tasks: the row,
 * the manifest's root, the classes, the submitter's environment, where results go. Built once a
 * job, read-only afterwards (shared by reference count between threads), except for the chunk
 * cache, which belongs to the one thread that calls jobctx_task().
 */
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"
#include "cas/cas.h"
#include "model/class.h"
#include "model/manifest.h"
#include "queue/queue.h"
#include "sys/proc.h"
#include "work/results.h"
#include "work/secret.h"

struct jobctx_chunk {
	int64_t index; /* -1: none */
	struct buf text;
	size_t *line;  /* offsets; n + 1 of them */
	size_t n;
};

struct jobctx {
	atomic_int refs;
	struct job job;
	struct arena arena;
	struct root root;
	struct inputs inputs;     /* common ones, in order of dst */
	struct class classes[CLASSES_MAX];
	int n_classes;
	struct secret secret;
	char *results_dir;
	char *cas_dir;
	int64_t jobs;             /* -j N: each task counts as CPUS/N; 0: not said */
	struct cas *cas;          /* owned */
	struct results *results;  /* owned; NULL: not opened */
	struct proc_limit limits[SECRET_LIMITS]; /* soft limits that differ from ours */
	size_t n_limits;
	int nice;                 /* relative to ours, never below 0 */
	const char **env;         /* stored environment with --env laid over, NULL-terminated */
	size_t n_env;
	atomic_llong mean_us;     /* how long its tasks took lately; 0: not known */
	char *json_head;          /* `{"job":"id","task":` */
	struct jobctx_chunk chunk[2];
	int chunk_last;
};

enum { JOBCTX_SETTLE = 0, JOBCTX_RUN = 1 };
/*
 * Loads job `born`. JOBCTX_RUN also opens its results directory for writing and parses the stored
 * environment. 1; 0: there is no such job any more (or its directory belongs to a later one);
 * -1: ERR_IO for a damaged or missing manifest, ERR_BUSY or ERR_NOSPACE for what may pass.
 */
int jobctx_load(struct queue *q, const char *home, int64_t born, int what, struct jobctx **out,
		struct err *err);
struct jobctx *jobctx_ref(struct jobctx *c);
void jobctx_unref(struct jobctx *c); /* NULL-safe */

/* The manifest line of task n, parsed into the arena. 0/-1. One thread only. */
int jobctx_task(struct jobctx *c, int64_t n, struct arena *a, struct task_spec *out,
		struct err *err);
/* Opens the results for writing if that was not done: 1, 0 they belong to a later job. */
int jobctx_results(struct jobctx *c, struct queue *q, struct err *err);

int64_t jobctx_timeout_ms(const struct jobctx *c, int class);
int jobctx_retries(const struct jobctx *c, int class);
bool jobctx_keep_work(const struct jobctx *c, int class);
/* JSON of a class into out, without the node it may avoid: that is none of the policies' business
 * and holds for one attempt. */
void jobctx_class_json(const struct jobctx *c, int class, struct buf *out);

/* A few jobs by born, for one thread. */
struct jobctx_cache;
struct jobctx_cache *jobctx_cache_new(const char *home, int what);
void jobctx_cache_free(struct jobctx_cache *c);
/* As jobctx_load, borrowed until the next call with another job. `class` at least must be known
 * (a retry may have added classes): an older copy is loaded again. */
int jobctx_get(struct jobctx_cache *c, struct queue *q, int64_t born, int class,
	       struct jobctx **out, struct err *err);
/* One that is there, or NULL; borrowed. */
struct jobctx *jobctx_peek(const struct jobctx_cache *c, int64_t born);
void jobctx_forget(struct jobctx_cache *c, int64_t born);

#endif
