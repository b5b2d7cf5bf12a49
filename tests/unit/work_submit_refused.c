/* Submissions that are refused, interrupted, or whose files change meanwhile: nothing is left. */
#include "submit_fixture.h"

static void limits(void)
{
	size_t n = 200000;
	char *big = xmalloc(n + 16);

	memset(big, 'x', n);
	memcpy(big, "v\n1\n", 4);
	big[n] = '\n';
	big[n + 1] = '\0';
	write_file("big.csv", big, 0644);
	begin();
	params("big.csv");
	command("echo", "{v}", NULL);
	refused("131071 (column \"v\")", "a word above the limit");
	begin();
	params("big.csv");
	command("true", NULL, NULL);
	is_int(submit(), 0, "a value that is in no command may be large");
	begin();
	command("true", NULL, NULL);
	spec.resources = "cpu=100000";
	refused("cpu", "more CPUs than a node can have");
	begin();
	command("true", NULL, NULL);
	spec.resources = "licence=3";
	refused("licence", "a resource that no node has");
	begin();
	command("true", NULL, NULL);
	spec.resources = "licence=3";
	spec.capacity = "{\"licence\":4}";
	is_int(submit(), 0, "unless nodes are declared to have it");
	begin();
	command("true", NULL, NULL);
	spec.common.cd = STR("../x");
	refused("--cd", "a directory outside");
	begin();
	command("true", NULL, NULL);
	spec.common.env = (struct pairs){ (struct pair[]){ { STR("KQ_X"), STR("1") } }, 1 };
	refused("KQ_", "--env KQ_X");
	begin();
	command("true", NULL, NULL);
	spec.id = "job.3";
	refused("job.3", "an id that looks like a task");
	write_file("kq.csv", "kq_x\n1\n", 0644);
	begin();
	params("kq.csv");
	command("true", NULL, NULL);
	refused("kq_", "a column of kubeque's own name");
	begin();
	params(".");
	command("true", NULL, NULL);
	refused("is a directory", "a directory for a params file");
	begin();
	params("not-there.csv");
	command("true", NULL, NULL);
	refused("not-there.csv", "a params file that is not there");
	free(big);
}

static int stop_at; /* at the how manieth question */

static bool on_stop(void *ctx)
{
	(void)ctx;
	return --stop_at == 0;
}

static void interruption(void)
{
	for (int at = 1; at <= 4; at++) {
		begin();
		spec.rows = SUBMIT_SEQ;
		seq_parse("30000", &spec.seq, &err);
		command("echo", "{index}", NULL);
		target.stop = on_stop;
		stop_at = at * 2;
		refused("interrupted", "an interruption");
		is_int(err.code, ERR_INTERRUPTED, "as such");
	}
}

static bool change_file(void *ctx)
{
	static int asked;

	(void)ctx;
	if (++asked == 3)
		write_file("moving.csv", "x\n1\n2\n", 0644);
	return false;
}

static void changed_params(void)
{
	struct buf text = BUF_INIT;

	buf_adds(&text, "x\n");
	for (int i = 0; i < 20000; i++)
		buf_addf(&text, "%d\n", i);
	write_file("moving.csv", text.p, 0644);
	begin();
	params("moving.csv");
	command("echo", "{x}", NULL);
	target.stop = change_file;
	refused("moving.csv changed while it was read", "a file that is replaced meanwhile");
	buf_release(&text);
}

static bool append_row(void *ctx)
{
	int fd = open("moving.csv", O_WRONLY | O_APPEND | O_CLOEXEC);

	(void)ctx;
	if (fd >= 0) {
		if (write(fd, "7\n", 2) != 2)
			printf("# cannot write\n");
		close(fd);
	}
	return false;
}

static void growing_params(void)
{
	struct buf text = BUF_INIT;

	buf_adds(&text, "x\n");
	for (int i = 0; i < 20000; i++)
		buf_addf(&text, "%d\n", i);
	write_file("moving.csv", text.p, 0644);
	begin();
	params("moving.csv");
	command("echo", "{x}", NULL);
	target.stop = append_row;
	refused("moving.csv changed while it was read", "a file that changes meanwhile");
	buf_release(&text);
}

static void tests(void)
{
	limits();
	interruption();
	changed_params();
	growing_params();
}

int main(void)
{
	return run_tests(tests);
}
