#include "model/state.h"

/* The tables of PROTOCOL.md "States and transitions", one row a line; -1 is a conflict. */

static int when(bool legal, int to)
{
	return legal ? to : -1;
}

int task_next(enum task_state from, enum task_event ev, bool success)
{
	bool ended = from == TASK_SUCCEEDED || from == TASK_FAILED || from == TASK_KILLED;

	switch (ev) {
	case TASK_EV_CLAIM:
		return when(from == TASK_PENDING, TASK_CLAIMED);
	case TASK_EV_RELEASE:
	case TASK_EV_LOSE:
		return when(from == TASK_CLAIMED, TASK_PENDING);
	case TASK_EV_SUCCEED:
		return when(from == TASK_CLAIMED, TASK_SUCCEEDED);
	case TASK_EV_END:
		return when(from == TASK_CLAIMED, TASK_ENDED);
	case TASK_EV_LOSE_FAIL:
		return when(from == TASK_CLAIMED, TASK_FAILED);
	case TASK_EV_ASK_AGAIN:
		return when(from == TASK_ENDED, TASK_ENDED);
	case TASK_EV_RETRY:
		return when(from == TASK_ENDED, TASK_PENDING);
	case TASK_EV_COMPLETE:
		return when(from == TASK_ENDED, success ? TASK_SUCCEEDED : TASK_FAILED);
	case TASK_EV_FAIL:
		return when(from == TASK_ENDED, TASK_FAILED);
	case TASK_EV_KILL:
		return when(task_is_open(from), TASK_KILLED);
	case TASK_EV_RESET:
		return when(ended, TASK_PENDING);
	case TASK_EV_RESET_CLAIM:
		return when(task_is_held(from), TASK_PENDING);
	}
	return -1;
}

int job_next(enum job_state from, enum job_event ev)
{
	switch (ev) {
	case JOB_EV_BIND:
		return when(from == JOB_SUBMITTING, JOB_OPEN);
	case JOB_EV_END:
		return when(from == JOB_OPEN || from == JOB_KILLING, JOB_OVER);
	case JOB_EV_KILL:
		return when(from == JOB_OPEN, JOB_KILLING);
	case JOB_EV_RESET:
		return when(from == JOB_OPEN || from == JOB_OVER, JOB_OPEN);
	case JOB_EV_REMOVE:
		return when(from == JOB_SUBMITTING || from == JOB_OPEN || from == JOB_OVER,
			    JOB_REMOVED);
	}
	return -1;
}

int node_next(enum node_state from, enum node_event ev)
{
	switch (ev) {
	case NODE_EV_DRAIN:
		return when(from == NODE_LIVE, NODE_DRAINING);
	case NODE_EV_LEAVE:
		return when(from == NODE_LIVE || from == NODE_DRAINING, NODE_LEAVING);
	case NODE_EV_STAY:
		return when(from == NODE_LEAVING, NODE_LIVE);
	case NODE_EV_LOSE:
		return when(from == NODE_LIVE || from == NODE_DRAINING || from == NODE_LEAVING,
			    NODE_LOST);
	}
	return -1;
}
