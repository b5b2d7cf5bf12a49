#ifndef MODEL_JOBFILE_IMPL_H
#define MODEL_JOBFILE_IMPL_H
/* Inside of model/jobfile: a reader that knows where it is in the tree. */
#include <jansson.h>

#include "base/buf.h"
#include "base/map.h"
#include "base/vec.h"
#include "model/jobfile.h"

/* `path` says where it is: "tasks[3].downloads[0].dst". */
struct jobfile_reader {
	struct jobfile *j;
	const char *name;
	struct buf path;
	struct map columns; /* names of parameters seen */
	VEC(struct str) column;
	struct err *err;
};

/* Sets "NAME: PATH: TEXT"; always -1. */
int jobfile_fault(struct jobfile_reader *r, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
/* Steps into a key or an item; the mark is what jobfile_leave() takes. */
size_t jobfile_enter(struct jobfile_reader *r, const char *key);
size_t jobfile_enter_item(struct jobfile_reader *r, size_t i);
void jobfile_leave(struct jobfile_reader *r, size_t mark);

/* Refuses a value of the wrong type unless `is`. */
int jobfile_want(struct jobfile_reader *r, const json_t *v, bool is, const char *what);
/* Refuses the key that was entered; `known` ends with NULL. */
int jobfile_unknown(struct jobfile_reader *r, const char *key, const char *const *known);
/* Calls `take` for every key of an object, with the path set. */
typedef int (*jobfile_key_fn)(struct jobfile_reader *r, void *ctx, const char *key, json_t *v);
int jobfile_each(struct jobfile_reader *r, json_t *v, jobfile_key_fn take, void *ctx);

/* Values, copied into the arena of the job file. */
int jobfile_text(struct jobfile_reader *r, const json_t *v, struct str *out);
int jobfile_texts(struct jobfile_reader *r, json_t *v, struct strs *out);
int jobfile_patterns(struct jobfile_reader *r, json_t *v, struct strs *out);
int jobfile_value(struct jobfile_reader *r, const json_t *v, struct str *out);
int jobfile_duration(struct jobfile_reader *r, const json_t *v, int64_t *ms);
int jobfile_count(struct jobfile_reader *r, const json_t *v, int64_t *out);
int jobfile_resources(struct jobfile_reader *r, json_t *v, struct resources *out, unsigned *given);
int jobfile_env(struct jobfile_reader *r, json_t *v, struct pairs *out);
int jobfile_cd(struct jobfile_reader *r, const json_t *v, struct str *out);

#endif
