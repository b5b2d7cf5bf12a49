#ifndef WORK_FETCH_INTERNAL_H
#define WORK_FETCH_INTERNAL_H
/* What the files of work/fetch*.c share. */
#include <sys/stat.h>

#include "base/arena.h"
#include "base/map.h"
#include "base/vec.h"
#include "sys/subdir.h"
#include "work/fetch.h"
#include "work/jobctx.h"
#include "work/results.h"

struct fetch_task {
	int64_t n, k;
};

struct fetch {
	struct queue *q;
	const struct fetch_options *o;
	struct fetch_result *out;
	struct jobctx *ctx;
	struct results *results;       /* NULL: there are none yet */
	int destfd;                    /* -1: not made yet */
	VEC(struct fetch_task) tasks;  /* that have results */
	int64_t need_bytes, need_files;
	struct map flat;               /* path -> its task, in flat_arena */
	struct arena flat_arena;
};

/* ---- fetch_list.c: what is published, what was fetched before ---- */

struct fetch_file {
	const char *path; /* in its directory */
	int64_t size, mtime_ns;
	unsigned mode;
};
struct fetch_list {
	struct arena arena;
	VEC(struct fetch_file) files; /* sorted, but result.json is last */
};
void fetch_list_release(struct fetch_list *l);
/* Regular files below a directory that `only` lets through. */
int fetch_list_read(int dirfd, const char *const *only, struct fetch_list *out, struct err *err);
/* The paths that a fetched result.json names, sizes unknown, if it is of this job and task: 1;
 * 0: there is none, or it is another's. */
int fetch_list_old(int dirfd, const char *path, const char *job, int64_t n,
		   struct fetch_list *out, struct err *err);
bool fetch_list_has(const struct fetch_list *l, const char *path);
/* Job whose results a directory holds by its tasks.csv: 1 with *job (caller frees; empty: the file
 * was not made by fetch), 0 none. */
int fetch_owner(int dirfd, char **job, struct err *err);

/* ---- fetch_plan.c ---- */

enum fetch_place { FETCH_FRESH, FETCH_OURS, FETCH_FOREIGN };
/* What lies at DIR/<n>. */
int fetch_place_of(int destfd, const char *job, int64_t n, enum fetch_place *out, struct err *err);
/* The published directory of a task as descriptor; published first if that was left undone. -1. */
int fetch_open_task(struct fetch *f, const struct fetch_task *t, struct err *err);
/* Where a file of task n lands, below DIR. */
void fetch_target(const struct fetch *f, int64_t n, const char *path, struct buf *out);
/* Which tasks there are and whether all of it may be done. */
int fetch_plan(struct fetch *f, struct err *err);

/* ---- fetch_copy.c ---- */

int fetch_task(struct fetch *f, const struct fetch_task *t, struct err *err);
/* Same size and time, or else same bytes: 1, 0, -1. *st (may be NULL) is of the file that is there;
 * st_mode 0: nothing is. */
int fetch_same(int sdir, const struct fetch_file *s, int ddir, const char *name, bool look,
	       struct stat *st, struct err *err);

/* ---- fetch_csv.c ---- */

int fetch_write_csv(struct fetch *f, struct err *err);

/* A page of tasks after `after`; filter->after and limit are set. */
struct fetch_page {
	VEC(struct task) tasks;
};
int fetch_page(struct queue *q, int64_t job, struct task_filter *filter, int64_t after,
	       struct fetch_page *out, struct err *err);

#endif
