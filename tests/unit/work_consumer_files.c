/* Files a node finds or does not find: results somebody removed, inputs that are gone, old logs. */
#include "node_fixture.h"

#include <sys/stat.h>

#include "sys/lock.h"

/* Somebody removes the results directory of a job that runs. */
static void test_results_removed(void)
{
	struct err err = ERR_INIT;
	char *path;
	int64_t a;
	pid_t pid;

	begin("removed", "x", NULL, NULL);
	command("touch %s/r$KQ_TASK; while [ ! -e %s/go2 ]; do sleep 0.02; done; echo $KQ_TASK",
		top, top);
	seq(3);
	spec.max_running = 1;
	a = submit();
	pid = node("n15", -1, 10000);
	ok(wait_file(".", "r1"), "a task runs");
	path = xasprintf("%s/removed", top);
	is_int(file_rmtree(AT_FDCWD, path, &err), 1, "its results directory is removed");
	free(path);
	make("go2");
	ok(wait_over(a), "the job ends");
	is_str(label(a, 1), "complete(code=0)", "what ran while it was removed ran again");
	ok(has("removed", "1/stdout.txt", "1\n") && has("removed", "3/stdout.txt", "3\n"),
	   "the directory was made anew");
	(void)kill(pid, SIGTERM);
	is_int(ended(pid), 0, "the node leaves");
}

/* Logs of nodes do not pile up. */
static void test_logs(void)
{
	const struct timespec old[2] = { { .tv_sec = 1000000000 }, { .tv_sec = 1000000000 } };
	struct err err = ERR_INIT;
	char *nodes = xasprintf("%s/nodes", top);
	int fd = open(nodes, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct lock lock = LOCK_INIT;
	int64_t a;
	pid_t pid;

	make("nodes/gone.log");
	make("nodes/lives.log");
	make("nodes/young.log");
	(void)utimensat(fd, "gone.log", old, 0);
	(void)utimensat(fd, "lives.log", old, 0);
	is_int(lock_take(&lock, fd, "lives.lock", false, 0, &err), 1, "a node with an old log");
	begin("logs", "true", NULL, NULL);
	a = submit();
	pid = node("n19", 0, 10000);
	ok(wait_over(a), "a node comes");
	is_int(ended(pid), 0, "and leaves");
	ok(!exists("nodes", "gone.log"), "the old log of a node that is gone is removed");
	ok(exists("nodes", "lives.log"), "not that of one that lives");
	ok(exists("nodes", "young.log"), "and not a young one");
	lock_remove(&lock, fd, "lives.lock");
	close(fd);
	free(nodes);
}

static void test_missing_input(void)
{
	char key[CAS_KEY_SIZE], hex[SHA256_HEX_SIZE], *path;
	struct err err = ERR_INIT;
	static const char *push[1];
	int64_t a;
	pid_t pid;

	path = xasprintf("%s/in.txt", top);
	(void)file_write(AT_FDCWD, path, "input\n", 6, 0644, false, &err);
	begin("input", "cat in.txt; echo more >>in.txt", NULL, NULL);
	push[0] = path;
	spec.push = push;
	spec.n_push = 1;
	a = submit();
	pid = node("n12", 0, 10000);
	ok(wait_over(a), "a task with an input ends");
	is_int(ended(pid), 0, "the node leaves");
	ok(has("input", "1/stdout.txt", "input\n"), "it saw the input");
	ok(has("input", "1/in.txt", "input\nmore\n"), "the changed input is an output");
	spec.id = "input2";
	words[0] = "cat in.txt; touch in.txt";
	a = submit();
	pid = node("n13", 0, 10000);
	ok(wait_over(a), "another one ends");
	is_int(ended(pid), 0, "the node leaves");
	ok(!exists("input2", "1/in.txt"), "an input that was only touched is none");
	spec.id = "input3";
	a = submit();
	if (cas_put_bytes(cas, "input\n", 6, hex, &err) < 0)
		printf("# %s\n", err.text);
	cas_key(key, hex);
	free(path);
	path = xasprintf("%s/CAS/%s", top, key);
	(void)unlink(path);
	pid = node("n14", 0, 10000);
	ok(wait_over(a), "a task whose input is gone ends");
	is_int(ended(pid), 0, "the node leaves");
	is_str(label(a, 1), "failed(missing input in.txt)", "and says which");
	free(path);
}

static void tests(void)
{
	test_results_removed();
	test_logs();
	test_missing_input();
}

int main(int argc, char **argv)
{
	return run_tests(argc, argv, tests);
}
