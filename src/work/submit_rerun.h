#ifndef WORK_SUBMIT_RERUN_H
#define WORK_SUBMIT_RERUN_H
/*
 * --rerun: which tasks of the job that had the id before keep their result.
 *
 * Tasks are matched by their parameters, whatever their number; without parameters by the command
 * (a job of one task without parameters matches another such). A match is unchanged when command,
 * directory, environment given with the job, image and inputs (destination, content, mode; not
 * the mtime) are the same. The earlier job is read once, as a stream; 32 bytes are kept for each
 * of its tasks that succeeded.
 */
#include "work/submit_plan.h"

struct rerun;

/* Verdict of an attempt that was kept although something had changed: the manifest does not say
 * what made it, so a later --rerun takes it for changed. */
#define RERUN_NOTE "kept by --rerun=any: made by another command or with other inputs"

/* Reads the earlier job. */
int rerun_open(const struct submit_target *to, const struct job *old, struct rerun **out,
	       struct err *err);
void rerun_close(struct rerun *r);
/* The common part of the new job; `inputs_list` as stored, NULL in a dry run. */
int rerun_begin(struct rerun *r, const struct plan *p, const char *inputs_list, struct err *err);
/*
 * The earlier task that the new task n keeps the result of: 1 with *old_n and its accepted attempt
 * *old_k, 0 none. With `any` a changed one will do, *changed says so. Each earlier task is given
 * away once.
 */
int rerun_match(struct rerun *r, const struct task_spec *t, int class, bool any, int64_t *old_n,
		int64_t *old_k, bool *changed);

#endif
