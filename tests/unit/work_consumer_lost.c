/* Nodes that die or fall silent, and boots in between: what a reaper and other nodes make of them. */
#include "node_fixture.h"

#include "work/control.h"
#include "work/reaper.h"
#include "work/recover.h"

static size_t want_all(void *ctx, const struct job *job, int class, size_t left)
{
	(void)ctx;
	(void)job;
	(void)class;
	return left;
}

/* A node that dies at once, and one that is stopped past its lease and comes back. */
static void test_lost(void)
{
	const struct reaper_options ro = { .home = top, .lease_ms = 300 };
	struct reaper *r = reaper_new(&ro);
	struct err err = ERR_INIT;
	struct timespec pause = { .tv_nsec = 40000000 };
	int64_t a, next, until;
	struct task t;
	pid_t pid, other;

	begin("dies", "x", NULL, NULL);
	command("echo $KQ_ATTEMPT >>%s/ran; [ $KQ_ATTEMPT = 1 ] && sleep 61; echo $KQ_ATTEMPT",
			     top);
	a = submit();
	pid = node("n5", -1, 10000);
	ok(wait_file(".", "ran"), "it runs");
	(void)kill(pid, SIGKILL);
	is_int(ended(pid), 128 + SIGKILL, "its node is killed");
	is_int(reaper_look(r, queue, true, &next, &err), 1, "a looker finds it dead by its lock");
	task(a, 1, &t);
	ok(t.state == TASK_PENDING && t.lost == 1, "the task is pending again");
	is_int(nodes(), 0, "the node's row is gone");
	ok(!exists("dies", ".attempts/1.1"), "its stage too");
	pid = node("n6", -1, 300);
	ok(wait_over(a), "another node runs it");
	ok(has("dies", "1/stdout.txt", "2\n"), "at the second attempt");

	begin("stops", "x", NULL, NULL);
	command("touch %s/s$KQ_ATTEMPT; [ $KQ_ATTEMPT = 1 ] && sleep 61; echo $KQ_ATTEMPT", top);
	a = submit();
	ok(wait_file(".", "s1"), "a task runs");
	(void)kill(pid, SIGSTOP);
	until = clock_mono_ms() + WAIT_MS;
	task(a, 1, &t);
	while (t.state == TASK_CLAIMED && clock_mono_ms() < until) {
		if (reaper_look(r, queue, true, &next, &err) < 0)
			printf("# %s\n", err.text);
		(void)nanosleep(&pause, NULL);
		task(a, 1, &t);
	}
	ok(t.state == TASK_PENDING && t.lost == 1, "a silent node is given up after its lease");
	other = node("n7", 0, 10000);
	ok(wait_over(a), "another one runs its task");
	(void)kill(pid, SIGCONT);
	(void)kill(pid, SIGTERM);
	is_int(ended(pid), 0, "the one that comes back leaves");
	is_int(ended(other), 0, "as does the other");
	ok(has("stops", "1/stdout.txt", "2\n"), "and has changed nothing");
	until = clock_mono_ms() + WAIT_MS;
	while (nodes() && clock_mono_ms() < until) {
		(void)reaper_look(r, queue, true, &next, &err);
		(void)nanosleep(&pause, NULL);
	}
	is_int(nodes(), 0, "its old row is swept");
	reaper_free(r);
}

/* The work directory may be anywhere: whoever finds its node dead removes it. */
static void test_work_dir(void)
{
	const struct reaper_options ro = { .home = top, .lease_ms = 300 };
	struct reaper *r = reaper_new(&ro);
	char *work = xasprintf("%s/elsewhere", top);
	struct err err = ERR_INIT;
	int64_t a, next;
	pid_t pid;

	begin("elsewhere-job", "x", NULL, NULL);
	command("touch %s/w$KQ_ATTEMPT; [ $KQ_ATTEMPT = 1 ] && sleep 61; echo $KQ_ATTEMPT", top);
	a = submit();
	(void)setenv("KQ_TEST_WORK", work, 1);
	pid = node("n16", -1, 10000);
	ok(wait_file(".", "w1"), "a task runs in a work directory of its node's choice");
	ok(exists("elsewhere", "n16"), "which is there");
	(void)kill(pid, SIGKILL);
	is_int(ended(pid), 128 + SIGKILL, "its node is killed");
	is_int(reaper_look(r, queue, true, &next, &err), 1, "and found dead");
	ok(!exists("elsewhere", "n16") && exists("elsewhere", "."), "only its directory is gone");
	pid = node("n17", 0, 10000);
	ok(wait_over(a), "another one runs its task");
	is_int(ended(pid), 0, "and leaves");
	(void)unsetenv("KQ_TEST_WORK");
	reaper_free(r);
	free(work);
}

/* An ended task whose asker died, and nobody can be asked because the manifest is gone: it and
 * its neighbours are not left as they are. */
static void test_no_manifest(void)
{
	const struct reaper_options ro = { .home = top, .lease_ms = 300 };
	struct reaper *r = reaper_new(&ro);
	struct claim_reply reply;
	struct claimed got[4];
	struct claim_request req = { .node = "n18", .op = 77, .seq = -1, .max = 4,
				     .now = clock_wall_ms(), .want = want_all };
	struct outcome o = { .v = 0 };
	struct node n = { .id = "n18" };
	char key[CAS_KEY_SIZE], cluster[] = "local", empty[] = "{}", *path;
	struct job j = { 0 };
	struct err err = ERR_INIT;
	int64_t a, next;

	begin("no-manifest", "true", NULL, NULL);
	seq(3);
	a = submit();
	n.cluster = cluster;
	n.cap = n.info = empty;
	is_int(queue_node_register(queue, &n, false, 76, &err), 1, "a node comes");
	is_int(queue_claim(queue, &req, got, &reply, &err), 3, "takes three tasks");
	o.v = got[0].v;
	o.a = (struct attempt){ .job = a, .n = 1, .k = 1, .cause = CAUSE_EXIT, .exit_code = 3 };
	(void)snprintf(o.a.label, sizeof(o.a.label), "complete(code=3)");
	(void)snprintf(o.a.node, sizeof(o.a.node), "n18");
	is_int(queue_finish(queue, "n18", &o, 1, -1, 78, &err), 0, "ends the first and dies");
	is_int(queue_job_get(queue, a, &j, &err), 1, "its job");
	cas_key(key, j.root);
	job_release(&j);
	path = xasprintf("%s/CAS/%s", top, key);
	is_int(unlink(path), 0, "whose manifest is removed");
	free(path);
	is_int(reaper_look(r, queue, true, &next, &err), 1, "a looker deals with it");
	is_str(label(a, 1), "complete(code=3)", "the first is as it ended");
	struct task t;
	task(a, 2, &t);
	is_int(t.state, TASK_PENDING, "the second is pending again");
	is_int(nodes(), 0, "the node is gone");
	(void)control_remove(&(struct control){ .queue = queue, .home = top }, a, true, false,
			     &err);
	reaper_free(r);
}

/* A kill whose client died is brought to its end, however many jobs came after it. */
static void test_old_kill(void)
{
	const struct reaper_options ro = { .home = top, .lease_ms = 300 };
	struct reaper *r = reaper_new(&ro);
	struct err err = ERR_INIT;
	int64_t first, last = 0;
	char id[32];

	begin("old-kill", "true", NULL, NULL);
	first = submit();
	is_int(queue_job_move(queue, first, JOB_EV_KILL, false, 79, &err), 1, "a kill begins");
	for (int i = 0; i < 210; i++) {
		(void)snprintf(id, sizeof(id), "later%d", i);
		begin(id, "true", NULL, NULL);
		last = submit();
		if (queue_job_move(queue, last, JOB_EV_KILL, false, 1000 + (uint64_t)i, &err) < 0)
			printf("# %s\n", err.text);
	}
	is_int(reaper_finish_jobs(r, queue, &err), 0, "a looker goes on with what is half done");
	ok(is_over(last), "the last of many jobs");
	ok(is_over(first), "and the first");
	reaper_free(r);
}

static void test_recover(void)
{
	struct err err = ERR_INIT;
	struct task t;
	int64_t a;
	pid_t pid;
	char *path;

	begin("crash", "echo data >f", NULL, NULL);
	seq(3);
	a = submit();
	pid = node("n10", 0, 10000);
	ok(wait_over(a), "a job ends");
	is_int(ended(pid), 0, "and its node leaves");
	is_int(recover_check(top, queue, &err), 0, "in the same boot nothing is looked at");
	path = xasprintf("%s/crash/2/f", top);
	(void)!truncate(path, 0);
	free(path);
	path = xasprintf("%s/boot", top);
	(void)file_write(AT_FDCWD, path, "another\n", 8, 0600, false, &err);
	free(path);
	is_int(recover_check(top, queue, &err), 1, "after another boot the damaged one is found");
	task(a, 2, &t);
	is_int(t.state, TASK_PENDING, "it is pending again");
	task(a, 3, &t);
	is_int(t.state, TASK_SUCCEEDED, "the others are as they were");
	is_int(recover_check(top, queue, &err), 0, "once");
	pid = node("n11", 0, 10000);
	ok(wait_over(a), "it is run again");
	is_int(ended(pid), 0, "the node leaves");
	ok(has("crash", "2/f", "data\n"), "and whole again");
}

static void tests(void)
{
	test_lost();
	test_work_dir();
	test_no_manifest();
	test_old_kill();
	test_recover();
}

int main(int argc, char **argv)
{
	return run_tests(argc, argv, tests);
}
