#ifndef WORK_SUBMIT_PLAN_H
#define WORK_SUBMIT_PLAN_H
/*
 * What a submission will do, worked out before anything is stored: the templates compiled once,
 * the inputs found, the classes merged; and the making of one task from one row, which both passes
 * share, so that what was checked is what is stored.
 */
#include "cas/inputs.h"
#include "model/template.h"
#include "work/submit_rows.h"

/* NAME=value of --env whose value depends on the row. */
struct plan_env {
	struct str name;
	struct template value;
};

struct plan {
	const struct submit_spec *spec;
	const struct submit_target *to;
	struct rows rows;
	struct arena arena;
	int64_t n;              /* tasks, after plan_check() */

	struct common common;   /* as it will be stored */
	struct command command;
	struct template cd;
	struct plan_env *env;   /* that depend on the row */
	size_t n_env;
	struct template *push;  /* that depend on the row */
	size_t n_push;
	const char **word_dst;  /* where each constant ^word lands; else NULL */
	struct param_names names;

	struct input_set *inputs; /* common to all tasks */
	struct input_set *pool;   /* of single tasks */
	struct hash_cache *cache; /* NULL until inputs are stored */
	struct {
		size_t *id, n;
	} *file_ids;              /* job file: specs of each task */

	struct class classes[CLASSES_MAX];
	size_t n_classes;
	uint8_t *task_class;      /* job file: of each task, else NULL: all of class 0 */

	/* Above what fixed + factor * its bytes says, a row has to be made to know its size. */
	size_t fixed, factor;
	size_t base_env;          /* bytes of the submitter's environment */
	struct hasher *content;   /* of what the submission is about; NULL: nobody asked */
	bool every_row;           /* each row has to be made to be checked */
	bool has_command;
	bool has_cd;              /* the directory depends on the row */
	bool own_inputs;          /* some task has inputs of its own */
};

/* One task being made; the texts of `task` live here until the next call. */
struct task_maker {
	struct task_spec task;
	struct buf text;
	struct buf path;
	size_t *offset;
	struct pair *parameters, *env;
	struct str *argv;
	size_t *ids;                     /* specs of the pool */
	size_t n_ids, cap_ids;
	const struct input_file **files; /* what they bring beside the common inputs */
	size_t n_files;
	struct input *inputs;
	char *sha256;
	size_t cap_inputs;
};

/* Opens rows, compiles, looks at the common inputs. Released by plan_close(), also after an
 * error. */
int plan_open(struct plan *p, const struct submit_target *to, const struct submit_spec *spec,
	      struct err *err);
void plan_close(struct plan *p);
/* After plan_check(): another spec of the same rows. What it says of image, time limit, retries and
 * resources counts from now on, checked as it was before. */
int plan_change(struct plan *p, const struct submit_spec *spec, struct err *err);
/* The first pass: every row. Afterwards plan->n is known and the rows are rewound. */
int plan_check(struct plan *p, struct err *err);

/* Of the parameters, as they go into the root object. */
struct strs plan_columns(const struct plan *p);

void maker_init(struct task_maker *m, const struct plan *p);
void maker_release(struct task_maker *m);
/*
 * Makes the task of a row, with every check that concerns it alone. While `checking`, its inputs
 * are added to the pool; afterwards (inputs stored) they are filled into m->task.inputs.
 */
int maker_make(struct task_maker *m, struct plan *p, const struct row *row, bool checking,
	       struct err *err);

/* submit_inputs.c */

/* -u, ^ and downloads that are the same for all tasks, checked against each other. */
int plan_add_inputs(struct plan *p, struct err *err);
/* The inputs of one task of its own (ids in m): found and compared while checking. */
int maker_find_inputs(struct task_maker *m, struct plan *p, const struct row *row,
		      struct err *err);
/* The same in the second pass, as manifest lines have them. */
void maker_fill_inputs(struct task_maker *m);
/* Notes a spec of the pool as this task's. */
void maker_add_id(struct task_maker *m, size_t id);
/* The file that provides `dst` to this task, or NULL. */
const struct input_file *maker_provides(const struct task_maker *m, const struct plan *p,
					const char *dst);

/* submit_content.c: submit_result.content. After plan_open(); each row of the first pass, of which
 * `m` is the task where it was made; when the inputs are hashed. */
void content_begin(struct plan *p);
void content_add_row(struct plan *p, const struct row *row, const struct task_maker *m);
void content_end(struct plan *p, char *hex);

/* submit_class.c */

/* Classes from defaults, job file and command line, and whether any node can have them. */
int plan_classes(struct plan *p, struct err *err);

#endif
