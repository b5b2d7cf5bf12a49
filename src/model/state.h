#ifndef MODEL_STATE_H
#define MODEL_STATE_H
/*
 * The one transition table of PROTOCOL.md "States and transitions". Every store write of a task
 * or job state goes through it. Whatever is not listed is a conflict and nothing is written.
 */
#include "model/task.h"

enum task_event {
	TASK_EV_CLAIM,
	TASK_EV_RELEASE,
	TASK_EV_SUCCEED,
	TASK_EV_END,
	TASK_EV_ASK_AGAIN,
	TASK_EV_RETRY,     /* verdict */
	TASK_EV_COMPLETE,  /* verdict: 3 -> 7 (code 0 or the policy says so) or 8 */
	TASK_EV_FAIL,      /* verdict */
	TASK_EV_LOSE,      /* 2 -> 0 */
	TASK_EV_LOSE_FAIL, /* 2 -> 8 */
	TASK_EV_KILL,
	TASK_EV_RESET,       /* 7, 8, 9 -> 0 */
	TASK_EV_RESET_CLAIM, /* 2, 3 -> 0, only of a lost node or with --owner */
};

enum job_event { JOB_EV_BIND, JOB_EV_END, JOB_EV_KILL, JOB_EV_RESET, JOB_EV_REMOVE };
enum node_event { NODE_EV_DRAIN, NODE_EV_LEAVE, NODE_EV_STAY, NODE_EV_LOSE };

/* The new state, or -1: conflict. For TASK_EV_COMPLETE the result is TASK_FAILED unless
 * `success`; it is ignored otherwise. */
int task_next(enum task_state from, enum task_event ev, bool success);
int job_next(enum job_state from, enum job_event ev);
int node_next(enum node_state from, enum node_event ev);

static inline bool task_is_open(enum task_state s)
{
	return s == TASK_PENDING || s == TASK_CLAIMED || s == TASK_ENDED;
}
static inline bool task_is_held(enum task_state s)
{
	return s == TASK_CLAIMED || s == TASK_ENDED;
}

#endif
