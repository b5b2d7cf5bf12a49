#ifndef WORK_STAGE_H
#define WORK_STAGE_H
/*
 * From a work directory to a stage: what an attempt leaves becomes its outputs. FINE_PRINT "What
 * is an output", "The task writes its own result.json", "Files and space".
 *
 * Runs after the task's processes are gone, in a worker thread or inline. A hostile directory
 * (renamed, mode 0000, a million files, very deep) costs time, never the node.
 */
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include <time.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/vec.h"
#include "model/manifest.h"

/* An input as it was laid down, to tell whether the task changed it. */
struct stage_input {
	const char *dst;
	const char *sha256;
	int64_t size;
	ino_t ino;
	struct timespec mtim, ctim;
};

struct stage_file {
	const char *src, *dst; /* below the work directory, below the results; often the same */
	int64_t bytes;
	char sha256[65];
};

struct stage_skip {
	const char *src, *why;
};

enum stage_result {
	STAGE_OK = 1,
	STAGE_TASK = 0,   /* the task's own trouble: failed(<reason>), err says the reason */
	STAGE_NODE = -1,  /* the node's: disk full and the like; the attempt is to be released */
};

struct stage {
	/* in; borrowed */
	int work_fd;
	int stage_fd;
	unsigned dir_mode;
	struct strs results, exclude;
	const struct stage_input *inputs; /* sorted by dst */
	size_t n_inputs;
	bool link_inputs;
	bool keep_work;                   /* outputs are copied, the directory stays as it is */
	int64_t disk_limit;               /* bytes; 0: none */
	/* out */
	struct arena arena;               /* holds the texts */
	VEC(struct stage_file) files;
	VEC(struct stage_skip) skipped;
	int64_t bytes;
	const char *renamed[2];           /* names for the task's own stdout.txt and result.json */
};

void stage_init(struct stage *s);
void stage_release(struct stage *s);
void stage_clear(struct stage *s); /* ready for the next, keeps memory */
/* Moves or copies every output into the stage. */
enum stage_result stage_collect(struct stage *s, struct err *err);

#endif
