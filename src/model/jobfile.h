#ifndef MODEL_JOBFILE_H
#define MODEL_JOBFILE_H
/*
 * The JSON job file of `sub -f`. Commands in it are final: no {}, no ^, no @. Read strictly: an
 * unknown key, a wrong type, a duplicate key or a missing command is ERR_USAGE that names the file
 * and the JSON path (tasks[3].downloads[0].dst), unknown keys with the nearest known one.
 */
#include "base/arena.h"
#include "base/err.h"
#include "base/str.h"
#include "model/manifest.h"

/* An input as written: where it is, and where it goes. */
struct download {
	struct str src;  /* local path; n == 0: it is a url */
	struct str url;  /* gs://... */
	struct str dst;  /* normalised; p == NULL: not given */
	int executable;  /* 1 yes, 0 no, -1 as the source */
};

struct downloads {
	struct download *p;
	size_t n;
};

struct jobfile_task {
	struct task_spec task;      /* .inputs is empty: see downloads */
	struct downloads downloads; /* in addition to the common ones; the same dst replaces */
	struct class class;         /* merged with the common one */
	bool has_class;             /* differs from the common one */
};

struct jobfile {
	struct arena arena;
	struct common common;       /* results and exclude from uploads */
	unsigned given;             /* RESOURCE_ bits that the file's resources name */
	struct downloads downloads;
	struct jobfile_task *tasks;
	size_t n;
	struct strs columns;        /* of the parameters, in order of first appearance */
};

/* `name` is the file's name for messages; `text` the whole file. *out is released by the caller,
 * also after an error. */
int jobfile_parse(const char *name, struct str text, struct jobfile *out, struct err *err);
void jobfile_release(struct jobfile *j);

#endif
