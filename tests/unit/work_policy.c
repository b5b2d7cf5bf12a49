/* What C makes of a verdict before it is applied: no more than the nodes of the cluster have. */
#include "work/policy.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/base.h"
#include "queue/queue.h"
#include "sys/file.h"
#include "sys/machine.h"
#include "tap.h"

static struct err err;
static struct queue *queue;
static char local[] = "local", other[] = "other";
static struct job job = { .born = 1, .id = "j", .cluster = local };
static struct task task = { .n = 1, .state = TASK_ENDED };
static const struct policy_view view = {
	.job = &job, .task = &task,
	.class = "{\"resources\":{\"cpu\":1,\"memory\":1000,\"gpu\":3},\"image\":\"none\"}",
};

static void add_node(const char *id, char *cluster, const char *cap)
{
	static uint64_t op;
	char info[] = "{}", *copy = xstrdup(cap);
	struct node n = { .cluster = cluster, .cap = copy, .info = info };

	(void)snprintf(n.id, sizeof(n.id), "%s", id);
	if (queue_node_register(queue, &n, false, ++op, &err) < 0)
		printf("# %s\n", err.text);
	free(copy);
}

/* A verdict that asks for these resources, bounded. */
static const char *bound(const char *resources, const char *note)
{
	static char out[1024];
	struct policy_verdict v = { .action = POLICY_RETRY };

	v.class = xasprintf("{\"resources\":%s,\"image\":\"none\"}", resources);
	(void)snprintf(v.note, sizeof(v.note), "%s", note);
	policy_bound(queue, &view, &v);
	(void)snprintf(out, sizeof(out), "%s %s", v.class, v.note);
	free(v.class);
	return out;
}

static void tests(void)
{
	struct policy_verdict v = { .action = POLICY_FAIL };
	struct machine m;
	char *want;

	machine_get(&m);
	want = xasprintf("\"memory\":%lld", (long long)m.memory);
	ok(strstr(bound("{\"cpu\":1,\"memory\":9000000000000000}", ""), want),
	   "without nodes it is what this machine has");
	free(want);
	add_node("a", local, "{\"cpu\":2,\"memory\":4000,\"licence\":3}");
	add_node("b", local, "{\"cpu\":4,\"memory\":2000}");
	add_node("c", other, "{\"cpu\":99,\"memory\":99000}");
	is_str(bound("{\"cpu\":2,\"memory\":3000,\"gpu\":3}", "more"),
	       "{\"resources\":{\"cpu\":2,\"memory\":3000,\"gpu\":3},\"image\":\"none\"} more",
	       "what a node has is given, and what the task had");
	is_str(bound("{\"cpu\":8,\"memory\":8000,\"gpu\":4}", "more"),
	       "{\"resources\":{\"cpu\":4,\"memory\":4000,\"gpu\":3},\"image\":\"none\"} more, limited to "
	       "what a node has", "more is not, and the note says so");
	is_str(bound("{\"cpu\":1,\"memory\":1000,\"licence\":5,\"tape\":1}", ""),
	       "{\"resources\":{\"cpu\":1,\"memory\":1000,\"licence\":3},\"image\":\"none\"} limited to "
	       "what a node has", "named ones, too: what no node has is left out");
	policy_bound(queue, &view, &v);
	ok(!v.class && !*v.note, "a verdict without resources stays as it is");
}

int main(void)
{
	const char *tmp = getenv("TMPDIR");
	struct queue_sqlite_options o = { .create = true, .fast = true };
	char top[300], path[320];

	(void)snprintf(top, sizeof(top), "%s/kq-policy-XXXXXX", tmp ? tmp : "/tmp");
	if (!mkdtemp(top))
		return 1;
	(void)snprintf(path, sizeof(path), "%s/queue.db", top);
	o.path = path;
	queue = queue_sqlite_open(&o, &err);
	if (!queue)
		return 1;
	tests();
	queue_close(queue);
	(void)file_rmtree(AT_FDCWD, top, &err);
	return tap_done();
}
