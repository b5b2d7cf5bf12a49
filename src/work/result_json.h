#ifndef WORK_RESULT_JSON_H
#define WORK_RESULT_JSON_H
/* The text of result.json: CONTRACT section 5, FINE_PRINT "Keys of resource_usage". */
#include "base/buf.h"
#include "model/manifest.h"
#include "model/task.h"
#include "work/jobctx.h"
#include "work/stage.h"

struct result_json {
	const struct jobctx *ctx;
	const struct task_spec *spec;    /* NULL: the manifest could not be read */
	const struct attempt *attempt;
	const struct stage *stage;       /* NULL: no outputs */
	int64_t stdout_bytes;
	const char *stdout_sha256;       /* "" : not known */
	const char *work_kept;           /* path of a kept work directory, NULL: none */
};
/* "name" stands in the first 512 bytes: results_name_of() reads no more. */
void result_json_add(struct buf *out, const struct result_json *r);
/* "0", "3", "signaled(SIGKILL)", or "" where there was no process; out holds 40 bytes. */
void result_return_code(char *out, int exit_code, int signal);

#endif
