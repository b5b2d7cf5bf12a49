#ifndef WORK_SUBMIT_IMPL_H
#define WORK_SUBMIT_IMPL_H
/* What the files of a submission share: its state from the specification to the bound job. */
#include "work/results.h"
#include "work/submit_rerun.h"
#include "work/submit_store.h"

struct submission {
	const struct submit_target *to;
	const struct submit_spec *spec;
	struct submit_spec by_policy; /* by its policy; its texts live in plan.arena */
	struct submit_result *out;
	struct plan plan;
	struct job old;      /* the job that has the id; born 0: none */
	struct rerun *rerun;
	struct results *prepared, *earlier;
	char list[SHA256_HEX_SIZE]; /* of the common inputs */
	int64_t since_ms;    /* when the first byte was stored */
	int64_t changed;     /* kept although changed */
	bool announced;
};

static inline void submission_say(const struct submission *s, enum submit_event ev,
				  const char *text, int64_t n, int64_t bytes)
{
	if (s->to->fn)
		s->to->fn(s->to->ctx, ev, text, n, bytes);
}
/* ERR_INTERRUPTED when somebody asked us to stop. */
int submission_check_stop(const struct submission *s, struct err *err);

/* submit_id.c */

/* Looks up the id that was given, so that a refusal comes before any work; bind decides. */
int submission_look_up_id(struct submission *s, struct err *err);
/* "20170915-094948-3f0a", one that is free now. */
int submission_draw_id(struct submission *s, struct err *err);
/* The two refusals of an id; both return -1. */
int submission_taken(const char *id, struct err *err);
int submission_held(const char *id, struct err *err);

/* submit_policy.c */

/* Asks the policy and does what it wants to the checked plan. */
int submission_ask_policy(struct submission *s, struct err *err);

/* submit_keep.c: --rerun */

/* Chunks and rows of a job some of whose tasks keep their results, which go to a directory that
 * is prepared beside the one in use. */
int submission_store_kept(struct submission *s, struct chunker *c, const char *dir,
			  struct err *err);
/* A dry run: how many tasks would keep their results. */
int submission_count_kept(struct submission *s, struct err *err);
/* The job is visible: what was prepared takes its place, or what an earlier job of this name left
 * is moved away. */
void submission_put_in_place(struct submission *s, const char *dir);
/* Rows of the job that was replaced go, for as long as that is quick; `clean` does the rest. */
void submission_forget_old(struct submission *s);

#endif
