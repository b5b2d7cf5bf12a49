#ifndef WORK_CLEAN_INTERNAL_H
#define WORK_CLEAN_INTERNAL_H
/* What the files of work/clean*.c share. */
#include "base/vec.h"
#include "work/clean.h"

/* The marker of a results directory. */
enum clean_owner {
	CLEAN_NOBODY,    /* no marker: not a results directory */
	CLEAN_JOB,       /* a job of this queue that is there */
	CLEAN_FORGOTTEN, /* a job of this queue that is not */
	CLEAN_OTHER,     /* of another queue */
};
int clean_owner_of(const struct clean *c, int dirfd, const char *name, enum clean_owner *out,
		   struct err *err);

/* Bytes and files below a path; what vanishes meanwhile does not count. */
int clean_measure(int dirfd, const char *path, struct clean_sum *out, struct err *err);

/* Rows of jobs, copied, because nobody may ask the queue from inside its own callback. */
struct clean_jobs {
	VEC(struct job) v;
};
int clean_jobs(const struct clean *c, unsigned states, struct clean_jobs *out, struct err *err);
void clean_jobs_release(struct clean_jobs *j);
/* A text member of job.info, copied; NULL: not there. */
char *clean_job_info(const struct job *j, const char *key);

/* Names in a directory, copied. A missing directory has none. */
struct clean_names {
	VEC(char *) v;
};
int clean_names(int dirfd, const char *path, struct clean_names *out, struct err *err);
void clean_names_release(struct clean_names *n);

/* What clean_results() renames a directory to before it is removed, and then is sure to be ours. */
#define CLEAN_GONE_PREFIX ".kubeque-"
#define CLEAN_GONE_SUFFIX ".gone"

#endif
