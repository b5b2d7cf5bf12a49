#ifndef CAS_INPUTS_INTERNAL_H
#define CAS_INPUTS_INTERNAL_H
/* What the files of cas/inputs*.c share. */
#include <sys/stat.h>

#include "base/arena.h"
#include "base/map.h"
#include "base/str.h"
#include "base/vec.h"
#include "cas/inputs.h"

/* A directory that files came from: the key of its blob in the hash cache. */
struct input_dir {
	const char *abs;
};

struct input_spec {
	const char *text;
	const char *dst; /* of a word */
	size_t first, n;
};

struct input_set {
	struct inputs_options o;
	struct arena arena;
	VEC(struct input_file) files;
	VEC(struct input_dir) dirs;
	VEC(struct input_spec) specs;
	struct map by_text; /* of a pool: text -> its number, in the arena */
	char *cwd;
	int64_t bytes;
	bool checked;
};

/* inputs.c */
size_t inputs_note_dir(struct input_set *in, const char *abs);
void inputs_note_file(struct input_set *in, const char *spec, const char *src, const char *dst,
		      const char *name, size_t dir, const struct stat *st);
/* A file, or all below a directory, at `dst` ("" with a directory: the top). Follows links. */
int inputs_add_path(struct input_set *in, const char *spec, const char *src, const char *dst,
		    struct err *err);
bool inputs_excluded(const struct input_set *in, const char *path, const char *below);
/* ERR_USAGE unless it is a regular file that can be read. */
int inputs_check_file(int dirfd, const char *name, const char *src, const struct stat *st,
		      struct err *err);
/* ERR_USAGE "cannot look at F" for errno; a link that leads nowhere is named as such. */
int inputs_stat_fault(int dirfd, const char *name, const char *src, struct err *err);
/* "`what` NAME why", NAME escaped and cut; ERR_USAGE, returns -1. */
int inputs_refuse(struct err *err, const char *before, const char *name, const char *after);
/* One SPEC; `chain` holds the lists being read. */
struct inputs_chain {
	const struct inputs_chain *up;
	dev_t dev;
	ino_t ino;
};
int inputs_add_spec(struct input_set *in, const char *spec, const struct inputs_chain *chain,
		    struct err *err);

/* inputs_list.c */
int inputs_add_list(struct input_set *in, const char *path, const struct inputs_chain *chain,
		    struct err *err);
/* inputs_glob.c: every match; *count how many. dst.p NULL: none was given. */
int inputs_add_pattern(struct input_set *in, const char *spec, const char *pattern,
		       struct str dst, size_t *count, struct err *err);
/* inputs_walk.c: `abs` is the directory's absolute path for the hash cache. */
int inputs_walk(struct input_set *in, const char *spec, const char *src, const char *dst,
		const char *abs, struct err *err);

/* inputs_manifest.c: what the list depends on, but for the contents, which the stamps stand for;
 * and the list itself as an object, its hash in s->list. */
void inputs_fingerprint(const struct input_set *in, uint8_t *out);
int inputs_put_list(const struct input_set *in, struct inputs_store *s, struct err *err);

#endif
