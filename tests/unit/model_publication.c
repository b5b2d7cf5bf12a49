/* The decisions of publication, row by row. */
#include "model/publication.h"

#include "tap.h"

static enum stage_fate fate(enum task_state state, int64_t attempt, int64_t acc, int64_t k)
{
	const struct task row = { .state = state, .attempt = attempt, .acc = acc };

	return stage_fate(&row, k);
}

int main(void)
{
	ok(attempt_before(1, 9, 2, 1), "an older submission comes first");
	ok(attempt_before(2, 1, 2, 3), "in one submission the smaller attempt does");
	ok(!attempt_before(2, 3, 2, 3), "an attempt is not before itself");
	ok(!attempt_before(3, 1, 2, 9), "a later submission is never before an older one");

	is_int(fate(TASK_SUCCEEDED, 2, 2, 2), STAGE_PUBLISH, "the accepted attempt is published");
	is_int(fate(TASK_FAILED, 2, 2, 2), STAGE_PUBLISH, "also of a task that failed");
	is_int(fate(TASK_SUCCEEDED, 2, 2, 1), STAGE_DROP, "an earlier attempt is dropped");
	is_int(fate(TASK_CLAIMED, 2, 0, 2), STAGE_LEAVE, "the current claim is left alone");
	is_int(fate(TASK_ENDED, 2, 0, 2), STAGE_LEAVE, "so is one whose verdict is open");
	is_int(fate(TASK_CLAIMED, 3, 0, 2), STAGE_DROP, "the attempt before it is dropped");
	is_int(fate(TASK_PENDING, 2, 0, 2), STAGE_DROP, "one that was taken away is dropped");
	is_int(fate(TASK_KILLED, 2, 0, 2), STAGE_DROP, "so is one that was killed");
	is_int(fate(TASK_FAILED, 2, 0, 2), STAGE_DROP, "and one that was lost for good");
	is_int(fate(TASK_PENDING, 2, 0, 3), STAGE_LEAVE,
	       "an attempt from the future is left alone");
	is_int(stage_fate(NULL, 1), STAGE_DROP, "where there is no task, nothing counts");
	return tap_done();
}
