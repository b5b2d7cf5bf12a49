#ifndef WORK_RESULTS_H
#define WORK_RESULTS_H
/*
 * Results directories: <prefix>/<job>/<n>/ with stdout.txt, result.json and the outputs, and
 * <prefix>/<job>/.attempts/<n>.<attempt>/ for what is not accepted yet.
 *
 * The marker <prefix>/<job>/.kubeque says whose directory it is. Whoever opens it for an older or
 * foreign job gets nothing (or, to write, moves the old directory to <job>~YYYYMMDD-HHMMSS).
 * Publication raises a register and never lowers it: the order of attempts is (born, attempt), as
 * in the "name" of result.json. Anyone may redo any step; every step survives a kill.
 */
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "model/task.h"

enum {
	RESULTS_NAME_SIZE = 96,           /* "<born>.<attempt>.<node>" */
	RESULTS_ATTEMPT_TAIL = 64 * 1024, /* of stdout.txt, kept of an attempt that was followed */
};

struct results;

/* Whose directory it is. Strings are borrowed. */
struct results_id {
	const char *queue; /* uuid of the queue */
	int64_t born;
	const char *job;   /* id */
};

/* ---- opening ---- */

/* The results directory of a job (its info "results", absolute) for writing: makes it, puts a
 * prepared one in its place, or moves away what another submission left. `umask` is the
 * submitter's. 1 opened, 0: the directory belongs to a later job of this queue (ours is gone). */
int results_open(const char *dir, const struct results_id *id, unsigned umask,
		 struct results **out, struct err *err);
/* For reading: 1, or 0: there is none, or it is not this job's. Changes nothing. */
int results_find(const char *dir, const struct results_id *id, struct results **out,
		 struct err *err);
void results_close(struct results *r);

const char *results_dir(const struct results *r);
/* Descriptors of the directory and of .attempts/ (-1 when a reader found none); borrowed. */
int results_fd(const struct results *r);
int results_attempts_fd(const struct results *r);
/* Mode bits for new files (0666 & ~umask) and directories of this job's results. */
unsigned results_file_mode(const struct results *r);
unsigned results_dir_mode(const struct results *r);

/* ---- reading ---- */

/* Where the files of attempt k of task n are: published, else staged whole (with result.json).
 * `path` (caller frees) is the directory. 1 found, 0 not. k == 0: whatever is published. */
int results_locate(const struct results *r, int64_t n, int64_t k, char **path, struct err *err);
/* The stdout.txt to show of attempt k: published, staged, being written, or (of an attempt that
 * was followed by another) its kept last 64 KiB. `path` is freed by the caller. 1, 0. */
int results_stdout(const struct results *r, int64_t n, int64_t k, char **path, struct err *err);

/* ---- writing ---- */

/* "<n>.<k>", the name below .attempts/; out holds 44 bytes. */
void results_stage_name(char *out, int64_t n, int64_t k);
/* Makes .attempts/<n>.<k>/ new and empty (whatever a dead namesake left is removed) and gives
 * its descriptor, or -1. */
int results_stage_make(struct results *r, int64_t n, int64_t k, struct err *err);
/* The accepted attempt becomes what is published for n. 1: published (now or before), 0: nothing
 * of this attempt is there, or something newer is published (then the stage is removed). */
int results_publish(struct results *r, int64_t n, int64_t k, struct err *err);
/* An attempt that was followed by another, or was not accepted: its stage goes; with `keep_tail`
 * the last 64 KiB of its stdout.txt stay as .attempts/<n>.<k>.log. */
int results_drop(struct results *r, int64_t n, int64_t k, bool keep_tail, struct err *err);
/* Calls fn for every staged attempt. 0 goes on, 1 stops, -1 fails (err is not touched). */
typedef int (*results_fn)(void *ctx, int64_t n, int64_t k);
int results_staged(const struct results *r, results_fn fn, void *ctx, struct err *err);

/* ---- a directory prepared before the job is bound (--rerun) ---- */

/* Begins a directory for id->born beside the one in use, invisible to users. results_open() for
 * that born, by anybody, puts it in place. To be called between submit_begin and submit_bind. */
int results_prepare(const char *dir, const struct results_id *id, unsigned umask,
		    struct results **out, struct err *err);
/* Takes over the published task old_n of `old` as task n of the prepared directory: files are
 * cloned, else hard-linked (results are never changed in place), result.json is rewritten where
 * it names the task. `sha256` (SHA256_HEX_SIZE) and `bytes` are of the new result.json, for the
 * attempt. 1, or 0: nothing is published there for attempt k. */
int results_prepare_keep(struct results *prepared, const struct results *old, int64_t old_n,
			 int64_t old_k, int64_t n, char *sha256, int64_t *bytes,
			 struct err *err);
/* The submission was given up: removes it. Closes nothing. */
int results_prepare_abort(struct results *prepared, struct err *err);

#endif
