#ifndef MODEL_PUBLICATION_H
#define MODEL_PUBLICATION_H
/*
 * The two decisions of publication, by PROTOCOL rules 3, 4 and 6: which of two attempts counts for
 * more, and what is to be done with what an attempt has staged. Pure; whoever publishes, salvages
 * or cleans asks here.
 */
#include "model/task.h"

/* The order of attempts is (born, attempt): is a before b? What is published only ever rises. */
bool attempt_before(int64_t born_a, int64_t k_a, int64_t born_b, int64_t k_b);

enum stage_fate {
	STAGE_LEAVE,   /* its fate is open: others are at it, or nobody knows yet */
	STAGE_PUBLISH, /* the queue accepted it */
	STAGE_DROP,    /* the queue says that it was not accepted, and never will be */
};

/* What the task's row, as read just now, says of attempt k. `row` NULL: there is no such task any
 * more; on files what is staged then is garbage, because clean has published what counted. */
enum stage_fate stage_fate(const struct task *row, int64_t k);

#endif
