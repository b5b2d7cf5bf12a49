/* From a specification to a job: what is stored of rows, commands and inputs. */
#include "submit_fixture.h"

#include <sys/stat.h>

#include "sys/hash.h"

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

/* The bundle of the job's policies goes where job.policy says, before anybody sees the job. */
static void policies(void)
{
	static const char text[] = "{\"schema\":1}";
	struct buf b = BUF_INIT;
	char hex[SHA256_HEX_SIZE];
	struct job j;

	hash_mem(text, strlen(text), hex);
	begin();
	command("true", NULL, NULL);
	spec.policy = hex;
	refused("there are no policies", "a digest of nothing");
	is_int(cas_has(cas, hex, -1, &err), 0, "the bundle is not there yet");
	begin();
	command("true", NULL, NULL);
	spec.id = "with-policies";
	spec.policy = hex;
	spec.bundle = text;
	is_int(submit(), 0, "a job with policies is submitted");
	is_int(queue_job_by_id(queue, "with-policies", &j, &err), 1, "it is there");
	is_str(j.policy, hex, "and names them by their digest");
	job_release(&j);
	is_int(cas_get(cas, hex, sizeof(text), &b, &err), 1, "under which they are");
	is_str(b.p, text, "as given");
	buf_release(&b);
	begin();
	command("true", NULL, NULL);
	spec.policy = hex;
	is_int(submit(), 0, "a digest of what is there will do");
	begin();
	command("true", NULL, NULL);
	spec.policy = hex;
	spec.bundle = "{}";
	refused("not what their digest says", "another text");
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

/* ---- what a submission is about -------------------------------------------------------------- */

static const char *content(void)
{
	static char hex[8][SHA256_HEX_SIZE];
	static unsigned next;
	char *out = hex[next++ % 8];

	spec.dry_run = true;
	spec.content = true;
	if (submit() < 0)
		printf("# %s\n", err.text);
	memcpy(out, result.content, SHA256_HEX_SIZE);
	return out;
}

static void begin_with(const char *file)
{
	static const char *const common[] = { "common" };

	begin();
	params(file);
	command("prog", "{x}", "^in-{x}");
	spec.push = common;
	spec.n_push = 1;
}

static void content_of_rows(void)
{
	char first[SHA256_HEX_SIZE];
	int before = jobs();

	write_file("c.csv", "x,y\n1,a b\n2,c\n", 0644);
	write_file("c.tsv", "x\ty\n1\ta b\n2\tc\n", 0644);
	write_file("d.csv", "x,y\n2,c\n1,a b\n", 0644);
	write_file("in-1", "one", 0644);
	write_file("in-2", "two", 0644);
	write_file("common", "all", 0644);
	begin_with("c.csv");
	memcpy(first, content(), sizeof(first));
	is_int((long long)strlen(first), 64, "a submission has a digest of what it is about");
	spec.id = "some-name";
	spec.priority = 5;
	spec.resources = "cpu=0.5,memory=1M";
	spec.common.timeout_ms = 5000;
	spec.common.retries = 3;
	spec.info = "{\"labels\":{\"a\":\"b\"}}";
	is_str(content(), first, "neither name nor resources nor limits nor labels matter");
	begin_with("c.tsv");
	is_str(content(), first, "rows are compared by what they say");
	begin_with("d.csv");
	ok(strcmp(content(), first) != 0, "their order matters");
	begin_with("c.csv");
	ranges_parse(STR("1"), &spec.only, &err);
	ok(strcmp(content(), first) != 0, "and which there are");
	ranges_release(&spec.only);
	begin_with("c.csv");
	spec.common.env = (struct pairs){ (struct pair[]){ { STR("A"), STR("<{y}>") } }, 1 };
	ok(strcmp(content(), first) != 0, "the environment matters");
	begin_with("c.csv");
	spec.common.image = STR("python:3");
	ok(strcmp(content(), first) != 0, "the image matters");
	begin_with("c.csv");
	spec.policy = "0123";
	ok(strcmp(content(), first) != 0, "the policy matters");
	begin_with("c.csv");
	write_file("in-2", "TWO", 0644);
	ok(strcmp(content(), first) != 0, "the content of one task's input matters");
	write_file("in-2", "two", 0644);
	is_str(content(), first, "not its times");
	write_file("common", "ALL", 0644);
	ok(strcmp(content(), first) != 0, "the content of common inputs matters");
	is_int(jobs(), before, "nothing was stored");
}

static void content_of_others(void)
{
	char first[SHA256_HEX_SIZE];

	write_file("l.sh", "echo 1\necho 2\n", 0644);
	begin();
	params("l.sh");
	spec.format = PARAMS_COMMANDS;
	memcpy(first, content(), sizeof(first));
	write_file("l.sh", "echo 1\necho 3\n", 0644);
	begin();
	params("l.sh");
	spec.format = PARAMS_COMMANDS;
	ok(strcmp(content(), first) != 0, "commands as rows");
	write_file("j.json", "{\"tasks\": [{\"command\": \"echo a\", \"downloads\": "
		   "[{\"src\": \"in-1\"}]}, {\"command\": \"echo b\"}]}", 0644);
	begin();
	spec.rows = SUBMIT_JOBFILE;
	spec.path = "j.json";
	memcpy(first, content(), sizeof(first));
	write_file("j.json", "{\"tasks\": [{\"command\": \"echo a\"}, {\"command\": \"echo b\", "
		   "\"downloads\": [{\"src\": \"in-1\"}]}]}", 0644);
	begin();
	spec.rows = SUBMIT_JOBFILE;
	spec.path = "j.json";
	ok(strcmp(content(), first) != 0, "a job file: which task has which input matters");
	begin();
	command("true", NULL, NULL);
	is_int(submit(), 0, "a submission");
	is_str(result.content, "", "has no digest when nobody asks");
}

static void tests(void)
{
	one_task();
	policies();
	rows();
	many_rows();
	inputs_of_tasks();
	dry();
	content_of_rows();
	content_of_others();
}

int main(void)
{
	return run_tests(tests);
}
