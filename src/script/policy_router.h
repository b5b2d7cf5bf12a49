#ifndef SCRIPT_POLICY_ROUTER_H
#define SCRIPT_POLICY_ROUTER_H
/*
 * The policy of nodes and clients: picks by job. A job with a bundle (job.policy) is judged by that
 * bundle, taken from the job's own CAS and kept for the next question; every other one by the stock
 * policy in Lua. A bundle that is missing or damaged is tried three times, then it is off for this
 * process and the verdicts of work/policy.c stand; the history of each of its jobs says so.
 *
 * Used by one thread at a time.
 */
#include "work/policy.h"

/* `home`: where the CAS is for jobs that do not say. Nothing is loaded before it is asked for. */
struct policy *policy_router_new(const char *home);

#endif
