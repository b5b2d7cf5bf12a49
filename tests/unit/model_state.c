/* The transition tables, compared cell by cell with the law written as text. */
#include "model/state.h"

#include "tap.h"

/* Columns: pending, claimed, ended, succeeded, failed, killed; '.' is a conflict. */
static const enum task_state task_states[] = { TASK_PENDING, TASK_CLAIMED, TASK_ENDED,
					       TASK_SUCCEEDED, TASK_FAILED, TASK_KILLED };
static const struct {
	enum task_event ev;
	bool success;
	const char *name, *next;
} task_rows[] = {
	{ TASK_EV_CLAIM, false, "claim", "2....." },
	{ TASK_EV_RELEASE, false, "release", ".0...." },
	{ TASK_EV_SUCCEED, false, "succeed", ".7...." },
	{ TASK_EV_END, false, "end", ".3...." },
	{ TASK_EV_ASK_AGAIN, false, "ask again", "..3..." },
	{ TASK_EV_RETRY, false, "retry", "..0..." },
	{ TASK_EV_COMPLETE, true, "complete as a success", "..7..." },
	{ TASK_EV_COMPLETE, false, "complete", "..8..." },
	{ TASK_EV_FAIL, true, "fail, whatever success says", "..8..." },
	{ TASK_EV_LOSE, false, "lose", ".0...." },
	{ TASK_EV_LOSE_FAIL, false, "lose and fail", ".8...." },
	{ TASK_EV_KILL, false, "kill", "999..." },
	{ TASK_EV_RESET, false, "reset", "...000" },
	{ TASK_EV_RESET_CLAIM, false, "reset of a claim", ".00..." },
};

/* Columns: submitting, open, killing, over, removed. */
static const struct {
	enum job_event ev;
	const char *name, *next;
} job_rows[] = {
	{ JOB_EV_BIND, "bind", "1...." },
	{ JOB_EV_END, "end", ".33.." },
	{ JOB_EV_KILL, "kill", ".2..." },
	{ JOB_EV_RESET, "reset", ".1.1." },
	{ JOB_EV_REMOVE, "remove", "44.4." },
};

/* Columns: live, draining, leaving, lost. */
static const struct {
	enum node_event ev;
	const char *name, *next;
} node_rows[] = {
	{ NODE_EV_DRAIN, "drain", "1..." },
	{ NODE_EV_LEAVE, "leave", "22.." },
	{ NODE_EV_STAY, "stay", "..0." },
	{ NODE_EV_LOSE, "lose", "333." },
};

static char digit(int state)
{
	return (char)(state < 0 ? '.' : '0' + state);
}

int main(void)
{
	char got[8];

	for (size_t i = 0; i < sizeof(task_rows) / sizeof(task_rows[0]); i++) {
		for (size_t s = 0; s < 6; s++)
			got[s] = digit(task_next(task_states[s], task_rows[i].ev,
						 task_rows[i].success));
		got[6] = '\0';
		is_str(got, task_rows[i].next, "task: %s", task_rows[i].name);
	}
	for (size_t i = 0; i < sizeof(job_rows) / sizeof(job_rows[0]); i++) {
		for (int s = 0; s < 5; s++)
			got[s] = digit(job_next((enum job_state)s, job_rows[i].ev));
		got[5] = '\0';
		is_str(got, job_rows[i].next, "job: %s", job_rows[i].name);
	}
	for (size_t i = 0; i < sizeof(node_rows) / sizeof(node_rows[0]); i++) {
		for (int s = 0; s < 4; s++)
			got[s] = digit(node_next((enum node_state)s, node_rows[i].ev));
		got[4] = '\0';
		is_str(got, node_rows[i].next, "node: %s", node_rows[i].name);
	}
	ok(task_is_open(TASK_ENDED) && !task_is_open(TASK_KILLED),
	   "an ended task is open, a killed one is not");
	ok(task_is_held(TASK_ENDED) && !task_is_held(TASK_PENDING),
	   "an ended task is held, a pending one is not");
	return tap_done();
}
