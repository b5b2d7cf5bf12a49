/* Manifests and job files: round trips, and what is refused when read. */
#include "model/manifest.h"

#include "base/base.h"
#include "model/jobfile.h"
#include "tap.h"

static const char sha[] = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

static void test_task(void)
{
	struct str argv[] = { STR("prog"), STR("a \"b\"\n"), STR("\xc3\xa9") };
	struct pair parameters[] = { { STR("x"), STR("0.1") }, { STR("we\"ird"), STR("") } };
	struct pair env[] = { { STR("A"), STR("b=c") } };
	struct input in[] = { { STR("a/b"), { sha, 64 }, { NULL, 0 }, 7, 1505468988062000000,
				0755 },
			      { STR("k"), { NULL, 0 }, STR("gs://b/k"), 9, -1, 0644 } };
	struct task_spec t = { .argv = { argv, 3 }, .parameters = { parameters, 2 },
			       .inputs = { in, 2 },
			       .env = { env, 1 }, .cd = STR("s") }, u;
	struct arena a = ARENA_INIT;
	struct buf b = BUF_INIT, c = BUF_INIT;
	struct err err = ERR_INIT;
	struct str line;

	manifest_add_task(&b, &t);
	ok(manifest_parse_task(&a, buf_str(&b), &u, &err) == 0, "a full task reads back: %s",
	   err.text);
	manifest_add_task(&c, &u);
	is_str(c.p, b.p, "and is written the same");
	ok(u.argv.n == 3 && str_eq(u.argv.p[1], "a \"b\"\n") && u.inputs.p[0].mode == 0755 &&
	   u.inputs.p[0].mtime_ns == 1505468988062000000 && str_eq(u.cd, "s"), "with its values");
	ok(pairs_find(&u.parameters, "x") && !pairs_find(&u.parameters, "y"),
	   "parameters are found");
	buf_clear(&b);
	t = (struct task_spec){ .shell = true, .command = STR("echo hi | wc") };
	manifest_add_task(&b, &t);
	t = (struct task_spec){ .one_word = true,
				.argv = { (struct str[]){ STR("/bin/true") }, 1 } };
	manifest_add_task(&b, &t);
	is_str(b.p, "{\"command\":\"echo hi | wc\"}\n{\"command\":[\"/bin/true\"],\"shell\":false}\n",
	       "small tasks are small");
	ok(manifest_line(buf_str(&b), 1, &line) && manifest_parse_task(&a, line, &u, &err) == 0 &&
	   u.one_word && !u.shell && u.cd.p == NULL, "the second line of a chunk");
	ok(!manifest_line(buf_str(&b), 2, &line), "there is no third");
	buf_clear(&c);
	command_add_json(&c, &u);
	is_str(c.p, "\"/bin/true\"", "a one-word command is shown as its word");
	buf_clear(&c);
	t = (struct task_spec){ .argv = { argv, 2 } };
	command_add_text(&c, &t);
	is_str(c.p, "prog 'a \"b\"\n'", "an argument vector as a line");
	buf_release(&b);
	buf_release(&c);
	arena_release(&a);
}

static void test_damage(void)
{
	static const char *const bad[] = {
		"", "{}", "[]", "{\"command\":", "{\"command\":1}", "{\"command\":\"\"}",
		"{\"command\":[]}",
		"{\"command\":[\"\"]}", "{\"command\":[1]}", "{\"command\":\"x\",\"what\":1}",
		"{\"command\":\"x\",\"cd\":\"../x\"}", "{\"command\":\"x\",\"env\":{\"A=B\":\"\"}}",
		"{\"command\":\"x\",\"parameters\":{\"a\":1}}",
		"{\"command\":\"x\",\"inputs\":[{\"dst\":\"../x\",\"url\":\"gs://b/k\"}]}",
		"{\"command\":\"x\",\"inputs\":[{\"dst\":\"/x\",\"url\":\"gs://b/k\"}]}",
		"{\"command\":\"x\",\"inputs\":[{\"dst\":\"a//x\",\"url\":\"gs://b/k\"}]}",
		"{\"command\":\"x\",\"inputs\":[{\"dst\":\"x\"}]}",
		"{\"command\":\"x\",\"inputs\":[{\"dst\":\"x\",\"sha256\":\"../../x\"}]}",
		"{\"command\":\"x\",\"inputs\":[{\"dst\":\"x\",\"url\":\"file:///etc/passwd\"}]}",
		"{\"command\":\"x\",\"inputs\":[{\"dst\":\"x\",\"url\":\"gs://b/k\",\"mode\":2048}]}",
	};
	struct arena a = ARENA_INIT;
	struct err err = ERR_INIT;
	struct task_spec t;

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		ok(manifest_parse_task(&a, str_of(bad[i]), &t, &err) < 0 && err.code == ERR_IO,
		   "%s: %s",
		   bad[i], err.text);
	arena_release(&a);
}

static void test_root(void)
{
	struct str glob[] = { STR("**/*.png") }, command[] = { STR("render {x}") },
		   chunk[] = { { sha, 64 } };
	struct str columns[] = { STR("x"), STR("y z") };
	struct root r = { .n = 1000, .columns = { columns, 2 }, .chunk_size = MANIFEST_CHUNK,
			  .chunks = { chunk, 1 }, .inputs = { sha, 64 } }, s;
	struct arena a = ARENA_INIT;
	struct buf b = BUF_INIT, c = BUF_INIT;
	struct err err = ERR_INIT;
	struct class class;

	common_init(&r.common);
	r.common.command = (struct strs){ command, 1 };
	r.common.one_word = true;
	r.common.results = (struct strs){ glob, 1 };
	r.common.limits = RESOURCE_MEMORY;
	r.common.resources.memory = 1000;
	r.common.timeout_ms = 5000;
	r.common.keep_work = true;
	r.common.max_stdout = 99;
	r.common.outputs = OUTPUTS_FAILED;
	manifest_add_root(&b, &r);
	ok(manifest_parse_root(&a, buf_str(&b), &s, &err) == 0, "a root reads back: %s", err.text);
	manifest_add_root(&c, &s);
	is_str(c.p, b.p, "and is written the same");
	common_class(&s.common, &class);
	ok(class.r.memory == 1000 && class.limits == RESOURCE_MEMORY && class.timeout_ms == -1 &&
	   strcmp(class.image, "none") == 0, "its class");
	buf_clear(&b);
	r.n = 1001;
	manifest_add_root(&b, &r);
	ok(manifest_parse_root(&a, buf_str(&b), &s, &err) < 0 && err.code == ERR_IO,
	   "too few chunks: %s", err.text);
	ok(manifest_parse_root(&a, STR("{\"schema\":2}"), &s, &err) < 0, "another schema: %s",
	   err.text);
	buf_release(&b);
	buf_release(&c);
	arena_release(&a);
}

static void test_inputs(void)
{
	struct input in = { STR("a"), { sha, 64 }, { NULL, 0 }, 7, 5, 0600 };
	struct arena a = ARENA_INIT;
	struct buf b = BUF_INIT;
	struct err err = ERR_INIT;
	struct inputs list;

	for (int i = 0; i < 3; i++)
		manifest_add_input(&b, &in);
	ok(manifest_parse_inputs(&a, buf_str(&b), &list, &err) == 0 && list.n == 3, "three inputs");
	ok(list.p[2].mode == 0600 && str_eq(list.p[2].sha256, sha), "the last one");
	buf_adds(&b, "{\"dst\":\"..\"}\n");
	ok(manifest_parse_inputs(&a, buf_str(&b), &list, &err) < 0, "%s", err.text);
	ok(manifest_parse_inputs(&a, STR(""), &list, &err) == 0 && list.n == 0, "no inputs");
	buf_release(&b);
	arena_release(&a);
}

static void test_jobfile(void)
{
	static const char text[] =
		"{\"image\":\"none\",\"resources\":{\"cpu\":2,\"memory\":\"1G\"},\"env\":{\"A\":\"b\"},"
		"\"tasks\":[{\"command\":\"echo {x}\",\"parameters\":{\"x\":1.50,\"s\":\"t\",\"b\":true,\"n\":null,"
		"\"l\":[1, 2]}},{\"command\":[\"a\",\"^b\"],\"timeout\":\"5m\",\"env\":{\"C\":\"\"},"
		"\"parameters\":{\"y\":\"2\",\"x\":\"\"},\"uploads\":{\"exclude_patterns\":[]},"
		"\"downloads\":[{\"src\":\"f\",\"dst\":\"./a//b\",\"executable\":true}]}],"
		"\"common\":{\"working_dir\":\"w\",\"downloads\":[{\"src_url\":\"gs://b/k\"}],"
		"\"uploads\":{\"include_patterns\":[\"*.png\"]},\"timeout\":90,\"retries\":2}}";
	struct jobfile j;
	struct err err = ERR_INIT;
	int r = jobfile_parse("j.json", STR(text), &j, &err);

	if (!ok(r == 0, "a job file is read: %s", err.text))
		return;
	ok(j.n == 2 && j.common.timeout_ms == 90000 && j.common.retries == 2 &&
	   str_eq(j.common.cd, "w") &&
	   j.common.resources.cpu == 2000 && j.common.limits == RESOURCE_MEMORY, "the common part");
	ok(j.downloads.n == 1 && str_eq(j.downloads.p[0].url, "gs://b/k") &&
	   !j.downloads.p[0].dst.p,
	   "common downloads");
	is_int(j.columns.n, 6, "columns in order of first appearance");
	ok(str_eq(j.columns.p[0], "x") && str_eq(j.columns.p[5], "y"), "x first, y last");
	ok(j.tasks[0].task.shell && str_eq(j.tasks[0].task.command, "echo {x}") &&
	   !j.tasks[0].has_class,
	   "a text is a shell line, as it is");
	is_str(j.tasks[0].task.parameters.p[0].value.p, "1.5", "a number as text");
	is_str(j.tasks[0].task.parameters.p[2].value.p, "true", "true as text");
	is_str(j.tasks[0].task.parameters.p[3].value.p, "", "null is empty");
	is_str(j.tasks[0].task.parameters.p[4].value.p, "[1,2]", "a list is compact JSON");
	ok(j.tasks[1].has_class && j.tasks[1].class.timeout_ms == 300000 &&
	   j.tasks[1].class.r.cpu == 2000,
	   "a task with another timeout has a class");
	ok(str_eq(j.tasks[1].downloads.p[0].dst, "a/b") &&
	   j.tasks[1].downloads.p[0].executable == 1 &&
	   j.tasks[1].task.exclude.p && !j.tasks[1].task.results.p, "its downloads and uploads");
	jobfile_release(&j);
}

static void test_bad_jobfiles(void)
{
	static const struct {
		const char *text, *part;
	} bad[] = {
		{ "", "j.json, line" },
		{ "{\"tasks\":[}", "j.json, line 1, column" },
		{ "[]", "an object is needed here, not a list" },
		{ "{}", "tasks is missing" },
		{ "{\"tasks\":[]}", "tasks: the list is empty" },
		{ "{\"tasks\":{}}", "tasks: a list is needed here, not an object" },
		{ "{\"taks\":[]}", "taks: unknown key (did you mean tasks?)" },
		{ "{\"tasks\":[{}]}", "tasks[0]: command is missing" },
		{ "{\"tasks\":[1]}", "tasks[0]: an object is needed here, not a number" },
		{ "{\"tasks\":[{\"comand\":\"x\"}]}",
		  "tasks[0].comand: unknown key (did you mean command?)" },
		{ "{\"tasks\":[{\"command\":1}]}", "tasks[0].command: a text or a list of texts" },
		{ "{\"tasks\":[{\"command\":\"\"}]}", "tasks[0].command: the command is empty" },
		{ "{\"tasks\":[{\"command\":[\"a\",1]}]}",
		  "tasks[0].command[1]: a text is needed" },
		{ "{\"tasks\":[{\"command\":\"x\"},{\"command\":\"x\",\"downloads\":"
		  "[{\"src\":\"a\",\"dst\":\"../x\"}]}]}",
		  "tasks[1].downloads[0].dst: destination \"../x\" leaves the work directory" },
		{ "{\"tasks\":[{\"command\":\"x\",\"downloads\":[{\"dst\":\"x\"}]}]}",
		  "tasks[0].downloads[0]: one of src and src_url" },
		{ "{\"tasks\":[{\"command\":\"x\",\"downloads\":[{\"src\":\"a\",\"src_url\":\"gs://b/k\"}]}]}",
		  "tasks[0].downloads[0]: one of src and src_url" },
		{ "{\"tasks\":[{\"command\":\"x\",\"resources\":{\"memory\":\"5Q\"}}]}",
		  "tasks[0].resources.memory: " },
		{ "{\"tasks\":[{\"command\":\"x\",\"timeout\":-1}]}", "tasks[0].timeout: " },
		{ "{\"tasks\":[{\"command\":\"x\",\"timeout\":true}]}",
		  "tasks[0].timeout: seconds" },
		{ "{\"tasks\":[{\"command\":\"x\",\"env\":{\"KQ_JOB\":\"x\"}}]}",
		  "tasks[0].env.KQ_JOB: " },
		{ "{\"tasks\":[{\"command\":\"x\",\"env\":{\"A\":1}}]}", "tasks[0].env.A: a text" },
		{ "{\"tasks\":[{\"command\":\"x\",\"parameters\":{\"kq_x\":1}}]}",
		  "tasks[0].parameters.kq_x: " },
		{ "{\"common\":{\"retries\":1.5},\"tasks\":[{\"command\":\"x\"}]}",
		  "common.retries: " },
		{ "{\"common\":{\"working_dir\":\"/x\"},\"tasks\":[{\"command\":\"x\"}]}",
		  "common.working_dir: " },
		{ "{\"common\":{\"uploads\":{\"include\":[]}},\"tasks\":[]}",
		  "common.uploads.include: unknown key" },
		{ "{\"tasks\":[],\"tasks\":[]}", "duplicate" },
		{ "{\"tasks\":[{\"command\":\"a\\u0000b\"}]}", "not valid JSON" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		struct jobfile j;
		struct err err = ERR_INIT;
		int r = jobfile_parse("j.json", str_of(bad[i].text), &j, &err);

		if (!ok(r < 0 && err.code == ERR_USAGE && strstr(err.text, bad[i].part), "%s",
			bad[i].part))
			printf("#   %s\n", r < 0 ? err.text : "accepted");
		jobfile_release(&j);
	}
}

int main(void)
{
	test_task();
	test_damage();
	test_root();
	test_inputs();
	test_jobfile();
	test_bad_jobfiles();
	return tap_done();
}
