#ifndef WORK_WORKDIR_H
#define WORK_WORKDIR_H
/*
 * Work directories: one a slot under <work>/<node>/, used again when it is proven empty, since
 * making and removing a directory for every task costs more than all else. Beside it lies the
 * parameters' file of the slot.
 */
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"

struct workroot {
	int fd;       /* <work>/<node>/ */
	int kept_fd;  /* <work>/, for kept/ */
	char *path;
	char *kept;   /* <work>/kept */
	char name[64];
};
int workroot_open(struct workroot *w, const char *work_dir, const char *node, struct err *err);
/* Removes the node's directory and all in it. */
void workroot_close(struct workroot *w);

struct workdir {
	char name[24];
	char *path;
	int fd;          /* -1: not made */
	dev_t dev;
	ino_t ino;
	char *params_path;
	int params_fd;
	ino_t params_ino;
	size_t params_n; /* bytes in it now */
};
void workdir_init(struct workdir *d, const struct workroot *w, int slot);
/* Empty, mode 0700, and under its name: made, or cleared if it must be. */
int workdir_prepare(struct workdir *d, const struct workroot *w, struct err *err);
/* After the task: 1 nothing is in it and it is where it was; 0 it must be looked at. */
int workdir_untouched(const struct workdir *d, const struct workroot *w);
/* Empties it, or gives it up (the next prepare makes a new one). Never fails. */
void workdir_clear(struct workdir *d, const struct workroot *w);
/* Moves it to <work>/kept/<name>; `path` (caller frees) says where. */
int workdir_keep(struct workdir *d, const struct workroot *w, const char *name, char **path,
		 struct err *err);
/* The text becomes the content of the slot's parameters' file. */
int workdir_params(struct workdir *d, const struct workroot *w, const void *p, size_t n,
		   struct err *err);
void workdir_release(struct workdir *d);

#endif
