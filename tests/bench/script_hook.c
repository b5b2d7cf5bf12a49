/*
 * What asking a policy costs, in CPU time of one thread: prints "WHAT NANOSECONDS" a line, the least
 * of several runs. `absent` is a policy without the hook, `present` one whose hook answers at once
 * (so: making the views, calling, reading the verdict, forgetting what it did), the others are
 * stock ones.
 */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/base.h"
#include "base/log.h"
#include "script/policy_lua.h"

enum { CALLS = 20000, RUNS = 5 };

static struct job job = { .born = 1, .id = "sample-job", .n = 1000 };
static struct task task = { .job = 1, .n = 17, .v = 3, .state = TASK_ENDED, .attempt = 1 };
static struct attempt attempt = {
	.job = 1, .n = 17, .k = 1, .cause = CAUSE_EXIT, .exit_code = 3,
	.started = 1700000000000, .ended = 1700000001000, .elapsed_us = 1000000,
	.user_us = 900000, .system_us = 50000, .max_memory = 123456789,
};
static struct policy_view view = {
	.job = &job, .task = &task, .attempt = &attempt, .retries = 2,
	.class = "{\"resources\":{\"cpu\":1,\"memory\":1000000000},\"limits\":[\"memory\"],"
		 "\"image\":\"none\"}",
	.parameters = "{\"lr\":\"0.001\",\"seed\":\"7\",\"opt\":\"adam\"}",
};

static double cpu_ns(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static int measure(const char *what, struct policy *p)
{
	struct err err = ERR_INIT;
	double best = 1e18;

	if (!p) {
		(void)fprintf(stderr, "%s does not load\n", what);
		return 1;
	}
	for (int run = 0; run < RUNS; run++) {
		double start = cpu_ns();

		for (int i = 0; i < CALLS; i++) {
			struct policy_verdict v;

			task.n = i + 1; /* as a node sees it: another task each time */
			attempt.n = task.n;
			if (policy_task_failed(p, &view, &v, &err) < 0) {
				(void)fprintf(stderr, "%s\n", err.text);
				return 1;
			}
			free(v.class);
		}
		best = MIN(best, (cpu_ns() - start) / CALLS);
	}
	printf("%s %.0f\n", what, best);
	policy_close(p);
	return 0;
}

static struct policy *of_text(const char *text)
{
	struct err err = ERR_INIT;

	return policy_lua_new_text("bench.lua", text, strlen(text), &err);
}

static struct policy *stock(const char *path)
{
	struct err err = ERR_INIT;

	return policy_lua_new(path, &err);
}

int main(void)
{
	char user[] = "me", cluster[] = "local", classes[] = "[]";
	char info[] = "{\"results\":\"/home/me/.local/share/kubeque/results/sample-job\","
		      "\"cas\":\"/home/me/.local/share/kubeque/CAS\",\"labels\":{\"a\":\"b\"},"
		      "\"argv\":[\"python\",\"fit.py\",\"{lr}\",\"{seed}\"],\"cwd\":\"/home/me/work\"}";
	char tail[] = "Traceback (most recent call last):\n  File \"fit.py\", line 10, in <module>\n"
		      "ValueError: loss is not a number\n";
	int bad = 0;

	log_set_level(LOG_LEVEL_ERROR);
	job.user = user;
	job.cluster = cluster;
	job.classes = classes;
	job.info = info;
	attempt.tail = tail;
	bad |= measure("absent", of_text("return { scale = function() end }"));
	bad |= measure("present", of_text("return { on_task_failed = function() end }"));
	bad |= measure("reads", of_text(
		"return { on_task_failed = function(task, attempt, job)\n"
		"if task.tries < task.retries and attempt.tail:find('not a number') and\n"
		"  task.parameters.opt == 'adam' and job.info.labels.a == 'b' then\n"
		"  return { 'retry', after = 10, note = 'again' } end end }"));
	bad |= measure("default", stock("policies/default"));
	bad |= measure("memory", stock("policies/memory"));
	return bad;
}
