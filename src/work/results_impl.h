#ifndef WORK_RESULTS_IMPL_H
#define WORK_RESULTS_IMPL_H
/* What results.c, publish.c and prepare.c share. */
#include "work/results.h"

#include "base/base.h"

struct results {
	char *dir;
	int fd;
	int afd; /* .attempts/, -1 for a reader where there is none */
	int64_t born;
	unsigned umask;
};

enum { RESULTS_STAGE_SIZE = 44 };

/* The (born, attempt) that result.json in dirfd/name says; 1, or 0: there is none, or it is not
 * one of ours. */
int results_name_of(int dirfd, const char *name, int64_t *born, int64_t *k, struct err *err);
/* Splits "<parent>/<base>"; opens the parent (made if missing). */
int results_parent(const char *dir, unsigned umask, bool create, int *pfd, char *base,
		   struct err *err);
/* ".<job>.<born>.<8 of the uuid>.new": the name under which a directory is prepared. */
void results_new_name(char *out, size_t size, const struct results_id *id);
/* A directory with marker and .attempts/ at pfd/name. */
int results_build(int pfd, const char *name, const struct results_id *id, unsigned umask,
		  struct err *err);
struct results *results_wrap(const char *dir, int fd, int64_t born, unsigned umask);

#endif
