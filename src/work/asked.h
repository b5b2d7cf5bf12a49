#ifndef WORK_ASKED_H
#define WORK_ASKED_H
/*
 * The record of one question to a job's policy: the numbers it saw that nothing else keeps, and its
 * answer as it was applied. `kubeque policy test` asks again with it. A JSON object:
 *
 *   {"tries":0,"free":0,"lost":0,"retries":2,"same":0,"class":{..},
 *    "node":{"id":"..","state":"LOST","cluster":"..","cap":{..},"info":{..},
 *            "waits":0,"registered":..,"running":1,"memory":0},     of a lost task
 *    "answer":{"action":"retry","after":0.5,"free":true,"elsewhere":true,"stop":true,
 *              "class":{..},"note":".."},
 *    "broke":"why",                                    the hook failed, the stock verdict was used
 *    "bounded":"note"}             the nodes had less than was asked for: what was done, in words
 *
 * What is false, 0 or absent in an answer is left out.
 */
#include "base/buf.h"
#include "work/policy.h"

/* `lost` NULL: on_task_failed was asked. `broke` NULL: it answered. */
void asked_begin(struct buf *out, const struct policy_view *v, const struct node *lost,
		 const struct policy_verdict *verdict, const char *broke);
void asked_end(struct buf *out, const char *bounded);
/* The action's name: "retry", "fail", "complete", "wait". */
const char *policy_action_name(enum policy_action a);

#endif
