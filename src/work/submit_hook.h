#ifndef WORK_SUBMIT_HOOK_H
#define WORK_SUBMIT_HOOK_H
/*
 * on_submit: what a policy sees of a job that is about to be stored, and what it may change.
 *
 * The job is a JSON object. To be read: id, n (tasks), user, cluster, command (text, or list of
 * words; absent for job files), columns, argv, cwd, inputs (files), input_bytes. To be changed:
 * labels, priority, retries, timeout (seconds), resources, max_running, image, nodes (absent: not
 * said). A key that the answer lacks stays as it is; `resources` and `labels` are replaced whole.
 */
#include <jansson.h>

#include "base/err.h"

/* The answer laid over the job that was given: *out (caller frees), NULL when nothing changed. -1
 * with ERR_SCRIPT: it has an unknown key, changes what is fixed, or a value is none. */
int submit_hook_merge(const char *given, const char *answer, char **out, struct err *err);
/* Seconds (number) or a duration (text) as milliseconds; -1: it is none. */
int64_t submit_hook_timeout(const json_t *v);

#endif
