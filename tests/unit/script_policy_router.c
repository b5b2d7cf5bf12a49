/*
 * The policy of nodes: each job is judged by the bundle it came with, whatever becomes of that, and
 * every other job by the stock policy.
 */
#include "work/events.h"

#include "policy_fixture.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cas/cas.h"
#include "script/policy_router.h"
#include "sys/file.h"

static struct err err;
static char top[300];
static struct cas *cas;

/* The job has this bundle now, in the CAS of its info. */
static void give(const char *body)
{
	char *text = make_bundle(LIST("p=p"), LIST("p", body));

	(void)cas_put_bytes(cas, text, strlen(text), job.policy, &err);
	free(text);
	free(job.info);
	job.info = xasprintf("{\"cas\":\"%s/CAS\"}", top);
}

static char *path_of(const char *digest)
{
	char key[CAS_KEY_SIZE];

	cas_key(key, digest);
	return xasprintf("%s/CAS/%s", top, key);
}

static void begin(int64_t born)
{
	reset_view();
	job.born = born;
	job.policy[0] = '\0';
	err = (struct err)ERR_INIT;
}

static void test_choice(void)
{
	struct policy *r = policy_router_new(top);
	const struct policy_event event = { .kind = "job_ended", .job = &job };
	struct policy_scale s = { .job = &job, .pending = 1, .wanted = 4 };
	struct buf effects = BUF_INIT;
	struct policy_verdict v;
	int64_t target;

	begin(1);
	ok(ask(r, &v, &err) == 0 && v.after_ms == 500, "a job without policies has the stock one");
	is_int(policy_wants(r, &job), POLICY_FAILED | POLICY_LOST | POLICY_SCALE, "which is no listener");
	ok(policy_scale(r, &s, &target, &err) == 0 && target == 4, "and says how many nodes");
	ok(policy_event(r, &event, &effects, &err) == 0 && !effects.n, "it hears of nothing");
	s.job = NULL;
	ok(policy_scale(r, &s, &target, &err) == 0 && target == 4, "also when no job is named");
	s.job = &job;
	give("return { same = true, on_task_failed = function() return { 'retry', after = 9 } end,\n"
	     "on_event = function() return { command = { 'x' } } end, scale = function() end }");
	ok(ask(r, &v, &err) == 0 && v.after_ms == 9000, "one with a bundle is judged by that");
	is_int(policy_wants(r, &job), POLICY_FAILED | POLICY_SAME | POLICY_EVENT | POLICY_SCALE,
	       "and asks for what that has");
	ok(policy_scale(r, &s, &target, &err) == 0 && target == 4, "nil from scale is the stock answer");
	ok(policy_event(r, &event, &effects, &err) == 0 && effects.n, "events are told to it");
	buf_clear(&effects);
	begin(2);
	give("return { on_task_failed = function() return { 'retry', after = 8 } end }");
	free(job.info);
	job.info = xstrdup("{}");
	ok(ask(r, &v, &err) == 0 && v.after_ms == 8000, "its CAS is that of the home if it does not say");
	begin(3);
	ok(ask(r, &v, &err) == 0 && v.after_ms == 500, "the others still have the stock one");
	buf_release(&effects);
	policy_close(r);
}

/* More bundles than are kept in memory, in turn. */
static void test_many(void)
{
	struct policy *r = policy_router_new(top);
	struct policy_verdict v;
	int right = 0;

	for (int round = 0; round < 2; round++) {
		for (int i = 1; i <= 20; i++) {
			char *body = xasprintf("return { on_task_failed = function() return "
					       "{ 'retry', after = %d } end }", i);

			begin(i);
			give(body);
			free(body);
			right += ask(r, &v, &err) == 0 && v.after_ms == i * 1000;
		}
	}
	is_int(right, 40, "twenty jobs in turn, twice, each by its own");
	policy_close(r);
}

/* What cannot be loaded is an error three times; then the stock verdict stands, and each job says
 * so once. */
static void remove_object(void);

static void broken(const char *what, void (*damage)(void))
{
	struct policy *r = policy_router_new(top);
	struct policy_verdict v;

	begin(10);
	give("return { on_task_failed = function() return { 'retry', after = 9 } end }");
	damage();
	for (int i = 0; i < 5; i++) /* it is looked for once, until somebody has heard of it */
		is_int(policy_wants(r, &job) & (POLICY_FAILED | POLICY_EVENT),
		       POLICY_FAILED | POLICY_EVENT, "%s: verdicts and events are asked for", what);
	for (int i = 0; i < 3; i++)
		ok(ask(r, &v, &err) < 0 && strstr(err.text, "the policies of job sample"),
		   "%s: error %d: %s", what, i + 1, err.text);
	is_int(ask(r, &v, &err), 0, "%s: then it is off", what);
	is_int(v.after_ms, 500, "and the stock verdict stands");
	job.born = 11;
	ok(ask(r, &v, &err) < 0 && strstr(err.text, "3 times in a row"), "%s: another job is told: %s",
	   what, err.text);
	ok(ask(r, &v, &err) == 0 && v.after_ms == 500, "once");
	begin(12);
	give("return { on_task_failed = function() return { 'retry', after = 7 } end }");
	ok(ask(r, &v, &err) == 0 && v.after_ms == 7000, "and another bundle is none of that");
	policy_close(r);
}

/* A job whose tasks all succeed hears of it, too. */
static void test_told(void)
{
	const struct policy_event e = { .kind = "job_ended", .job = &job };
	struct policy *r = policy_router_new(top);
	struct buf effects = BUF_INIT;

	begin(20);
	give("return { on_event = function() return { command = { 'x' } } end }");
	ok(policy_event(r, &e, &effects, &err) == 0 && effects.n, "an event is told");
	policy_close(r);
	r = policy_router_new(top);
	remove_object();
	for (int i = 0; i < 3; i++)
		ok(events_wanted(r, &job) && policy_event(r, &e, &effects, &err) < 0 &&
		   err.code == ERR_SCRIPT && strstr(err.text, "cannot be loaded"),
		   "to nobody: %s", err.text);
	is_int(policy_event(r, &e, &effects, &err), 0, "until it is off");
	buf_release(&effects);
	policy_close(r);
}

static void remove_object(void)
{
	char *path = path_of(job.policy);

	(void)unlink(path);
	free(path);
}

static void cut_object(void)
{
	char *path = path_of(job.policy);

	(void)chmod(path, 0600);
	(void)!truncate(path, 20);
	free(path);
}

static void no_such_cas(void)
{
	free(job.info);
	job.info = xstrdup("{\"cas\":\"/nonexistent/CAS\"}");
}

static void not_lua(void)
{
	give("return {");
}

int main(void)
{
	const char *tmp = getenv("TMPDIR");
	char path[400];

	(void)snprintf(top, sizeof(top), "%s/kq-router-XXXXXX", tmp ? tmp : "/tmp");
	if (!mkdtemp(top))
		return 1;
	(void)snprintf(path, sizeof(path), "%s/CAS", top);
	cas = cas_open_dir(path, true, &err);
	log_set_level(LOG_LEVEL_ERROR);
	test_choice();
	test_told();
	test_many();
	broken("a bundle that is gone", remove_object);
	broken("one that was cut", cut_object);
	broken("a CAS that is not there", no_such_cas);
	broken("a file that is no Lua", not_lua);
	release_view();
	cas_close(cas);
	(void)file_rmtree(AT_FDCWD, top, &err);
	return tap_done();
}
