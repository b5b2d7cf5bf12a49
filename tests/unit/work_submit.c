/* From a specification to a job: what is refused, what is stored, what an interruption leaves. */
#include "work/submit.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/base.h"
#include "base/vec.h"
#include "sys/file.h"
#include "tap.h"
#include "work/results.h"

static char top[256];
static struct queue *queue;
static struct cas *cas;
static struct submit_target target;
static struct submit_spec spec;
static struct submit_result result;
static struct err err;
static const char *words[8];
static VEC(char *) lines;
static int stop_at; /* 0: never; else at the how manieth question */

static void on_event(void *ctx, enum submit_event ev, const char *text, int64_t n, int64_t bytes)
{
	(void)ctx;
	*vec_push(&lines) = xasprintf("%d %s %lld %lld", (int)ev, text ? text : "-",
				      (long long)n, (long long)bytes);
}

static bool on_stop(void *ctx)
{
	(void)ctx;
	return stop_at > 0 && --stop_at == 0;
}

static void forget_lines(void)
{
	for (size_t i = 0; i < lines.n; i++)
		free(lines.p[i]);
	lines.n = 0;
}

static void write_file(const char *name, const char *text, mode_t mode)
{
	struct err e = ERR_INIT;

	if (file_write(AT_FDCWD, name, text, strlen(text), mode, false, &e) < 0)
		printf("# %s\n", e.text);
}

static void begin(void)
{
	spec = (struct submit_spec){ .user = "me", .cluster = "local", .prefix = top,
				     .priority = 0 };
	common_init(&spec.common);
	spec.common.image = STR("none");
	spec.common.resources.cpu = 1000;
	target = (struct submit_target){ .queue = queue, .cas = cas, .home = top,
					 .fn = on_event, .stop = on_stop };
	err = (struct err)ERR_INIT;
	stop_at = 0;
	forget_lines();
}

static void command(const char *a, const char *b, const char *c)
{
	words[0] = a;
	words[1] = b;
	words[2] = c;
	spec.words = words;
	spec.n_words = c ? 3 : b ? 2 : 1;
}

static void params(const char *path)
{
	spec.rows = SUBMIT_PARAMS;
	spec.path = path;
	spec.format = params_format_of(path);
}

static int submit(void)
{
	return submit_run(&target, &spec, &result, &err);
}

static int count_job(void *ctx, const struct job *j)
{
	(void)j;
	++*(int *)ctx;
	return 0;
}

static int jobs(void)
{
	struct job_filter f = { .pattern = NULL, .states = 0x1f };
	struct err e = ERR_INIT;
	int n = 0;

	queue_jobs(queue, &f, count_job, &n, &e);
	return n;
}

static void refused(const char *says, const char *what)
{
	int before = jobs(), ret = submit();

	ok(ret < 0 && strstr(err.text, says), "refused: %s", what);
	if (ret == 0 || !strstr(err.text, says))
		printf("#   got %d \"%s\", want \"%s\"\n", ret, ret < 0 ? err.text : "", says);
	is_int(jobs(), before, "nothing is left of: %s", what);
}

/* ---- what was stored ------------------------------------------------------------------------- */

static struct arena arena;
static struct root root;

static void read_root(int64_t born)
{
	struct buf text = BUF_INIT;
	struct job j;

	arena_reset(&arena);
	root = (struct root){ .n = 0 };
	if (queue_job_get(queue, born, &j, &err) <= 0)
		return;
	if (cas_get(cas, j.root, 1 << 26, &text, &err) <= 0 ||
	    manifest_parse_root(&arena, buf_str(&text), &root, &err) < 0)
		printf("# %s\n", err.text);
	buf_release(&text);
	job_release(&j);
}

static struct task_spec task(int64_t n)
{
	struct buf text = BUF_INIT;
	struct task_spec t = { .shell = false };
	struct str line;

	if (cas_get(cas, root.chunks.p[(n - 1) / 1000].p, 1 << 28, &text, &err) <= 0 ||
	    !manifest_line(buf_str(&text), (size_t)((n - 1) % 1000), &line) ||
	    manifest_parse_task(&arena, line, &t, &err) < 0)
		printf("# task %lld: %s\n", (long long)n, err.text);
	buf_release(&text);
	return t;
}

/* ---- tests ----------------------------------------------------------------------------------- */

static void one_task(void)
{
	struct job j;
	struct task_spec t;

	begin();
	command("true", NULL, NULL);
	spec.id = "one";
	spec.info = "{\"labels\":{\"a\":\"b\"}}";
	is_int(submit(), 0, "one task is submitted");
	is_int(result.n, 1, "it is one");
	is_int(queue_job_by_id(queue, "one", &j, &err), 1, "it is there");
	is_int(j.state, JOB_OPEN, "and open");
	ok(strstr(j.info, "\"results\":\"") && strstr(j.info, "/one\"") &&
	   strstr(j.info, "\"labels\":{\"a\":\"b\"}"), "info has results and what was given");
	is_str(j.user, "me", "the user is noted");
	job_release(&j);
	read_root(result.born);
	is_int(root.n, 1, "the root says one task");
	t = task(1);
	ok(!t.shell && t.one_word && t.argv.n == 1, "a plain word needs no shell");
	is_int((long long)lines.n, 3, "three lines: id, batch, definition");
	refused("Existing job with id \"one\", aborting!", "an id in use");
	is_int(err.code, ERR_CONFLICT, "as a conflict");
	begin();
	command("true", NULL, NULL);
	is_int(submit(), 0, "an id is drawn");
	ok(strlen(result.id) == 20 && result.id[8] == '-' && result.id[15] == '-',
	   "it looks like 20170915-094948-3f0a");
	begin();
	command("echo a; echo b", NULL, NULL);
	is_int(submit(), 0, "a shell line");
	read_root(result.born);
	t = task(1);
	ok(t.shell && str_eq(t.command, "echo a; echo b"), "goes to the shell as it is");
}

static void rows(void)
{
	struct task_spec t;

	write_file("p.csv", "x,y\n1,a b\n2,it's\n", 0644);
	begin();
	params("p.csv");
	command("prog", "{x}", "-{y}-");
	is_int(submit(), 0, "a params file");
	is_int(result.n, 2, "two rows, two tasks");
	read_root(result.born);
	is_int((long long)root.columns.n, 2, "the columns are kept");
	t = task(2);
	ok(t.argv.n == 3 && str_eq(t.argv.p[2], "-it's-"), "values are placed");
	ok(t.parameters.n == 2 && str_eq(t.parameters.p[1].value, "it's"), "and kept");
	begin();
	params("p.csv");
	command("echo {y}", NULL, NULL);
	is_int(submit(), 0, "in a shell line");
	read_root(result.born);
	t = task(2);
	ok(str_eq(t.command, "echo 'it'\\''s'"), "values are quoted");
	begin();
	params("p.csv");
	command("prog-{x}", NULL, NULL);
	is_int(submit(), 0, "a plain word with a value");
	read_root(result.born);
	t = task(2);
	ok(!t.shell && t.one_word && str_eq(t.argv.p[0], "prog-2"), "still needs no shell");
	begin();
	params("p.csv");
	command("echo", "{z}", NULL);
	refused("z", "a name that is no column");
	begin();
	params("p.csv");
	command("echo", "{x}", NULL);
	spec.common.cd = STR("d/{x}");
	spec.common.env = (struct pairs){ (struct pair[]){ { STR("A"), STR("<{y}>") },
							   { STR("B"), STR("b") },
							   { STR("A"), STR("{x}") } }, 3 };
	is_int(submit(), 0, "directory and environment of each task");
	read_root(result.born);
	t = task(2);
	ok(str_eq(t.cd, "d/2"), "--cd is expanded");
	ok(t.env.n == 1 && str_eq(t.env.p[0].value, "2"), "--env: the last one of a name wins");
	ok(root.common.env.n == 1 && str_eq(root.common.env.p[0].name, "B"),
	   "what is the same for all is common");
}

static void many_rows(void)
{
	struct task_filter f = { .limit = 0 };
	struct task_spec t;
	struct err e = ERR_INIT;
	struct task row;

	(void)f;
	begin();
	spec.rows = SUBMIT_SEQ;
	is_int(seq_parse("2500", &spec.seq, &err), 0, "--seq 2500");
	command("echo", "{index}", NULL);
	is_int(submit(), 0, "more rows than a chunk has");
	read_root(result.born);
	is_int((long long)root.chunks.n, 3, "three chunks");
	t = task(2500);
	ok(str_eq(t.argv.p[1], "2500"), "the last task is the last row");
	is_int(queue_task_get(queue, result.born, 2500, &row, &e), 1, "its row is there");
	is_int(row.state, TASK_PENDING, "and pending");
	begin();
	spec.rows = SUBMIT_SEQ;
	seq_parse("10..1..4", &spec.seq, &err);
	command("echo {index}", NULL, NULL);
	is_int(submit(), 0, "--seq 10..1..4");
	is_int(result.n, 3, "counts down by four");
	begin();
	spec.rows = SUBMIT_EACH;
	spec.each = (const char *const[]){ "a", "b c" };
	spec.n_each = 2;
	command("echo", "{item}", NULL);
	is_int(submit(), 0, "--each");
	read_root(result.born);
	t = task(2);
	ok(str_eq(t.argv.p[1], "b c"), "a word a task");
	write_file("cmds", "echo {x} $A\ntrue\n", 0644);
	begin();
	params("cmds");
	spec.format = PARAMS_COMMANDS;
	is_int(submit(), 0, "--commands");
	read_root(result.born);
	t = task(1);
	ok(t.shell && str_eq(t.command, "echo {x} $A"), "lines are taken as they are");
	t = task(2);
	ok(!t.shell, "and a plain one needs no shell");
}

static void inputs_of_tasks(void)
{
	struct task_spec t;
	const char *push[] = { "d/{f}.txt", NULL };

	mkdir("d", 0755);
	write_file("d/1.txt", "one", 0644);
	write_file("d/2.txt", "two", 0644);
	write_file("run.sh", "#!/bin/sh\n", 0755);
	write_file("plain.sh", "#!/bin/sh\n", 0644);
	write_file("f.csv", "f\n1\n2\n", 0644);
	begin();
	params("f.csv");
	spec.push = push;
	spec.n_push = 1;
	command("^run.sh", "^d/{f}.txt", "^^x");
	is_int(submit(), 0, "inputs by placeholder");
	read_root(result.born);
	t = task(2);
	ok(t.inputs.n == 1 && str_eq(t.inputs.p[0].dst, "d/2.txt"), "are the task's own, once");
	ok(str_eq(t.argv.p[0], "./run.sh"), "a program from ^ is found");
	ok(str_eq(t.argv.p[1], "d/2.txt") && str_eq(t.argv.p[2], "^x"), "^^ is a ^");
	is_int((long long)root.inputs.n, 64, "common ones are in a list of their own");
	is_int(result.upload_files, 3, "three files were uploaded, each once");
	begin();
	command("^run.sh", "x", NULL);
	spec.common.cd = STR("s");
	is_int(submit(), 0, "^ and --cd");
	read_root(result.born);
	ok(str_eq(task(1).argv.p[0], "../run.sh"), "the path is as seen from there");
	begin();
	command("^plain.sh", "x", NULL);
	refused("plain.sh is not executable (chmod +x, or: sh '^plain.sh')", "^ of no program");
	begin();
	command("d/2.txt", "x", NULL);
	spec.push = (const char *const[]){ "d/1.txt" };
	spec.n_push = 1;
	refused("d/2.txt is not among the inputs (did the shell expand a * after -u? quote it)",
		"the unquoted pattern");
	begin();
	command("grep", "^ERROR", NULL);
	refused("no file \"ERROR\" (to pass a word that begins with ^, write ^^ERROR)",
		"a ^ that is no file");
	write_file("f.csv", "f\n1\n3\n", 0644);
	begin();
	params("f.csv");
	spec.push = push;
	spec.n_push = 1;
	command("true", NULL, NULL);
	refused("d/3.txt", "an input of one task that is not there");
}

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
	params("d");
	command("true", NULL, NULL);
	refused("is a directory", "a directory for a params file");
	begin();
	params("not-there.csv");
	command("true", NULL, NULL);
	refused("not-there.csv", "a params file that is not there");
	free(big);
}

static void interruption(void)
{
	for (int at = 1; at <= 4; at++) {
		begin();
		spec.rows = SUBMIT_SEQ;
		seq_parse("30000", &spec.seq, &err);
		command("echo", "{index}", NULL);
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

static void dry(void)
{
	int before = jobs();

	begin();
	spec.dry_run = true;
	spec.id = "dry";
	spec.push = (const char *const[]){ "d", "run.sh" };
	spec.n_push = 2;
	command("true", NULL, NULL);
	is_int(submit(), 0, "a dry run");
	is_int(jobs(), before, "stores nothing");
	is_int(result.files, 3, "and counts the inputs");
	is_int(result.born, 0, "there is no job");
	target.queue = NULL;
	target.cas = NULL;
	target.home = NULL;
	is_int(submit(), 0, "also without a store");
	is_int(result.upload_files, 3, "where everything would be uploaded");
}

int main(void)
{
	struct queue_sqlite_options o = { .create = true };
	const char *tmp = getenv("TMPDIR");
	char path[300];

	snprintf(top, sizeof(top), "%s/submit-XXXXXX", tmp ? tmp : "/tmp");
	if (!mkdtemp(top) || chdir(top) < 0)
		return 1;
	snprintf(path, sizeof(path), "%s/queue.db", top);
	o.path = path;
	queue = queue_sqlite_open(&o, &err);
	cas = cas_open_dir("CAS", true, &err);
	if (!queue || !cas) {
		printf("# %s\n", err.text);
		return 1;
	}
	one_task();
	rows();
	many_rows();
	inputs_of_tasks();
	limits();
	interruption();
	changed_params();
	growing_params();
	dry();
	forget_lines();
	vec_release(&lines);
	arena_release(&arena);
	queue_close(queue);
	cas_close(cas);
	if (chdir("/") == 0)
		file_rmtree(AT_FDCWD, top, &err);
	return tap_done();
}
