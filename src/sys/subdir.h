#ifndef SYS_SUBDIR_H
#define SYS_SUBDIR_H
/*
 * Directories below one directory, entered component by component without following links and
 * made where they are missing (mode 0777 less the umask). The one entered last stays open, so that
 * a sorted list of files costs one open a directory.
 */
#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

struct subdir {
	int top;    /* borrowed */
	int cur;    /* -1: none */
	char *path; /* of cur */
	unsigned mode; /* of directories that are made, less the umask of the process: 0777 */
};

void subdir_init(struct subdir *d, int top);
void subdir_release(struct subdir *d); /* closes what it opened; d may be used again */
/* The directory named by the first n bytes of `path` (0: the top itself), a clean relative path.
 * Descriptor, borrowed until the next call; -1: err->sys is ENOENT (only without `make`), ENOTDIR
 * or ELOOP (something else lies there), or what else happened. */
int subdir_enter(struct subdir *d, const char *path, size_t n, bool make, struct err *err);
/* The same for the directory of a file; *name is its last component. */
int subdir_of(struct subdir *d, const char *path, bool make, const char **name, struct err *err);

#endif
