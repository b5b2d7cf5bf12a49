/*
 * Attempts that shall be made by another node than the one that failed: by another one if there is
 * any that can, also when it has no room yet; by the same one when it is, or becomes, alone. No
 * task waits for ever, and nobody leaves it behind.
 */
#include "node_fixture.h"

#include "base/id.h"
#include "sys/lock.h"
#include "work/policy.h"

enum { LONG_MS = 60000 }; /* a lease that does not end here */

/* Three more attempts, each elsewhere, of a job whose name begins with "go". */
static int go_on(struct policy *p, const struct policy_view *v, struct policy_verdict *out,
		 struct err *err)
{
	(void)p;
	(void)err;
	*out = (struct policy_verdict){ .action = POLICY_FAIL };
	if (strncmp(v->job->id, "go", 2) == 0 && v->task->tries < 3) {
		out->action = POLICY_RETRY;
		out->elsewhere = true;
	}
	return 0;
}

/* ---- looks ---- */

static int count_live(void *ctx, const struct node *n)
{
	*(int *)ctx += n->state == NODE_LIVE;
	return 0;
}

static int live(void)
{
	struct err err = ERR_INIT;
	int n = 0;

	(void)queue_nodes(queue, NULL, count_live, &n, &err);
	return n;
}

static bool wait_live(int n)
{
	int64_t until = clock_mono_ms() + WAIT_MS;
	struct timespec t = { .tv_nsec = 2000000 };

	while (live() != n && clock_mono_ms() < until)
		(void)nanosleep(&t, NULL);
	return live() == n;
}

/* Sleeps until the task waits to be tried again. */
static bool wait_failed(int64_t born)
{
	int64_t until = clock_mono_ms() + WAIT_MS;
	struct timespec t = { .tv_nsec = 2000000 };
	struct task now;

	do {
		task(born, 1, &now);
		if (now.state == TASK_PENDING && now.attempt == 1)
			return true;
		(void)nanosleep(&t, NULL);
	} while (clock_mono_ms() < until);
	return false;
}

static int add_node(void *ctx, const struct attempt *a)
{
	buf_addf(ctx, "%s ", a->node);
	return 0;
}

/* Who made the attempts of task 1. */
static const char *makers(int64_t born)
{
	static char text[400];
	struct err err = ERR_INIT;
	struct buf b = BUF_INIT;

	(void)queue_attempts(queue, born, 1, add_node, &b, &err);
	(void)snprintf(text, sizeof(text), "%s", b.n ? b.p : "");
	buf_release(&b);
	return text;
}

static int64_t job(const char *id, const char *line)
{
	begin(id, line, NULL, NULL);
	return submit();
}

/* A task that is held up until a file is there, and its node with it. */
static int64_t hold(const char *id)
{
	begin(id, "x", NULL, NULL);
	command("[ $KQ_ATTEMPT = 1 ] || exit 0; touch %s/%s.held; "
		"while [ ! -e %s/%s.gate ]; do sleep 0.01; done", top, id, top, id);
	spec.common.resources.cpu = 2000;
	return submit();
}

static bool is_held(const char *id)
{
	char *name = xasprintf("%s.held", id);
	bool there = wait_file(".", name);

	free(name);
	return there;
}

/* It is left alone by a node that runs what was submitted after it. */
static void is_left_alone(int64_t born, const char *other, const char *by)
{
	int64_t plain = job(other, "true");

	ok(wait_over(plain), "what comes later is run");
	is_str(makers(plain), by, "by the node that had failed");
	is_str(makers(born), by, "which leaves the task to another one");
	is_str(label(born, 1), "pending", "that has no room yet");
}

/* ---- tests ---- */

static void to_and_fro(void)
{
	pid_t a = node("a1", -1, LONG_MS), b = node("a2", -1, LONG_MS);
	int64_t born;
	const char *who;

	ok(wait_live(2), "two nodes");
	born = job("go-1", "exit 75");
	ok(wait_over(born), "a task fails four times");
	who = makers(born);
	ok(strcmp(who, "a1 a2 a1 a2 ") == 0 || strcmp(who, "a2 a1 a2 a1 ") == 0,
	   "never twice in a row on the same node: %s", who);
	is_str(label(born, 1), "complete(code=75)", "and ends as its policy said");
	(void)kill(a, SIGTERM);
	(void)kill(b, SIGTERM);
	is_int(ended(a) + ended(b), 0, "the nodes leave");
}

static void alone(void)
{
	int64_t born = job("go-2", "exit 75");

	is_int(ended(node("b1", 0, LONG_MS)), 0, "a node for itself ends when all is done");
	ok(is_over(born), "which it is");
	is_str(makers(born), "b1 b1 b1 b1 ", "all attempts are its own");
}

static void no_room_yet(void)
{
	int64_t held = hold("hold-3"), born;
	pid_t busy = node("c1", 0, LONG_MS), failing;

	ok(is_held("hold-3"), "a node is busy");
	born = job("go-3", "[ $KQ_NODE = c1 ] || exit 75");
	failing = node("c2", 0, LONG_MS);
	ok(wait_failed(born), "a task fails on another one");
	is_left_alone(born, "plain-3", "c2 ");
	make("hold-3.gate");
	ok(wait_over(born) && wait_over(held), "when there is room");
	is_str(makers(born), "c2 c1 ", "the other node runs it");
	is_str(label(born, 1), "complete(code=0)", "with success");
	is_int(ended(busy) + ended(failing), 0, "and both leave");
}

static void becomes_alone(void)
{
	int64_t held = hold("hold-4"), born;
	pid_t busy = node("d1", -1, LONG_MS), failing;

	ok(is_held("hold-4"), "a node is busy");
	born = job("go-4", "[ $KQ_ATTEMPT != 1 ] || exit 75");
	failing = node("d2", 0, LONG_MS);
	ok(wait_failed(born), "a task fails on another one");
	is_left_alone(born, "plain-4", "d2 ");
	(void)kill(busy, SIGKILL);
	(void)ended(busy);
	ok(wait_over(born) && wait_over(held), "when the other is gone");
	is_str(makers(born), "d2 d2 ", "it is run where it failed after all");
	is_int(ended(failing), 0, "by a node that had not left, and leaves now");
}

/* A node that is nothing but a row, and a lock that we hold. */
static void row(const char *id, const char *cluster, const char *cap, const char *info,
		struct lock *lock)
{
	struct node n = { .cluster = xstrdup(cluster), .cap = xstrdup(cap),
			  .info = xstrdup(info) };
	char *path = xasprintf("%s/nodes/%s.lock", top, id);
	struct err err = ERR_INIT;

	(void)snprintf(n.id, sizeof(n.id), "%s", id);
	is_int(lock_take(lock, AT_FDCWD, path, false, 0, &err), 1, "%s lives", id);
	is_int(queue_node_register(queue, &n, false, id_u64(), &err), 1, "and is registered");
	node_release(&n);
	free(path);
}

static void others_that_cannot(void)
{
	static const char cap[] = "{\"cpu\":2,\"memory\":1000000000}";
	struct lock lock[5] = { LOCK_INIT, LOCK_INIT, LOCK_INIT, LOCK_INIT, LOCK_INIT };
	struct err err = ERR_INIT;
	int64_t born;
	pid_t pid;

	row("small", "local", "{\"cpu\":0.5,\"memory\":1000000000}", "{}", &lock[0]);
	row("ill", "local", cap, "{\"message\":\"no space left\"}", &lock[1]);
	row("far", "other", cap, "{}", &lock[2]);
	row("drained", "local", cap, "{}", &lock[3]);
	is_int(queue_node_move(queue, "drained", 0, NODE_EV_DRAIN, id_u64(), &err), 1, "one drains");
	pid = node("e1", -1, LONG_MS);
	born = job("go-5", "exit 75");
	ok(wait_over(born), "nodes that cannot run a task");
	is_str(makers(born), "e1 e1 e1 e1 ", "are not waited for");
	is_int(nodes(), 5, "though they are there");
	row("large", "local", cap, "{}", &lock[4]);
	born = job("go-6", "[ $KQ_ATTEMPT != 1 ] || exit 75");
	ok(wait_failed(born), "with one that could it fails once");
	is_left_alone(born, "plain-6", "e1 ");
	is_int(queue_node_move(queue, "large", 0, NODE_EV_LEAVE, id_u64(), &err), 1, "that leaves");
	ok(wait_over(born), "and it runs");
	is_str(makers(born), "e1 e1 ", "where it was");
	(void)kill(pid, SIGTERM);
	is_int(ended(pid), 0, "the node leaves");
	for (size_t i = 0; i < ARRAY_SIZE(lock); i++)
		lock_drop(&lock[i]);
}

static void tests(void)
{
	to_and_fro();
	alone();
	no_room_yet();
	becomes_alone();
	others_that_cannot();
}

int main(int argc, char **argv)
{
	static const struct policy_ops ops = { .name = "elsewhere", .task_failed = go_on };
	static struct policy policy = { &ops };

	node_policy = &policy;
	return run_tests(argc, argv, tests);
}
