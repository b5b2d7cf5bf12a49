/* on_submit at work: asked when all is checked and nothing stored, obeyed, checked again. */
#include "submit_fixture.h"

#include "work/policy.h"

static const char *answer; /* what the policy wants; NULL: nothing */
static enum err_code refusal;
static int asked;
static char given[4096];

static int on_submit(struct policy *p, const char *job, char **out, struct err *e)
{
	(void)p;
	asked++;
	(void)snprintf(given, sizeof(given), "%s", job);
	if (refusal)
		return err_set(e, refusal, "policy x refused the job: %s", answer);
	*out = answer ? xstrdup(answer) : NULL;
	return 0;
}

static const struct policy_ops ops = { .name = "test", .submit = on_submit };
static struct policy policy = { &ops };

static void start(const char *wants)
{
	begin();
	command("echo", "a b", NULL);
	target.policy = &policy;
	spec.info = "{\"cas\":\"/x\",\"labels\":{\"a\":\"b\"},\"argv\":[\"echo\"]}";
	answer = wants;
	refusal = ERR_NONE;
	asked = 0;
}

static void test_given(void)
{
	struct job j;

	start(NULL);
	spec.id = "given";
	spec.priority = 3;
	spec.common.timeout_ms = 1500;
	is_int(submit(), 0, "a job whose policy has nothing to say");
	is_int(asked, 1, "it was asked once");
	is_str(given, "{\"id\":\"given\",\"n\":1,\"user\":\"me\",\"cluster\":\"local\",\"command\":[\"echo\","
	       "\"a b\"],\"columns\":[],\"inputs\":0,\"input_bytes\":0,\"labels\":{\"a\":\"b\"},\"argv\":"
	       "[\"echo\"],\"priority\":3,\"max_running\":0,\"retries\":0,\"timeout\":1.500,\"image\":"
	       "\"none\",\"resources\":{\"cpu\":1,\"memory\":0}}", "about this");
	is_int(queue_job_by_id(queue, "given", &j, &err), 1, "the job is there");
	ok(strstr(j.info, "\"labels\":{\"a\":\"b\"}") && j.priority == 3, "as it was");
	job_release(&j);
	start(NULL);
	spec.dry_run = true;
	is_int(submit(), 0, "a dry run");
	is_int(asked, 1, "asks, too");
	start(NULL);
	command("{nope}", NULL, NULL);
	spec.rows = SUBMIT_SEQ;
	spec.seq = (struct seq){ .first = 1, .step = 1, .count = 2 };
	refused("nope", "what is wrong by itself");
	is_int(asked, 0, "is not asked about");
}

static void test_changes(void)
{
	struct class class[CLASSES_MAX];
	struct job j;

	start("{\"labels\":{\"c\":\"d\"},\"priority\":7,\"retries\":4,\"timeout\":90,\"max_running\":2,"
	      "\"nodes\":3,\"resources\":{\"cpu\":0.5,\"memory\":\"1M\"}}");
	spec.id = "changed";
	is_int(submit(), 0, "a job that its policy changes: %s", err.text);
	is_int(result.nodes, 3, "says how many nodes it has now");
	ok(lines.n && strstr(lines.p[0], "labels, priority, retries, timeout, max_running, nodes, resources"),
	   "and what was changed");
	is_int(queue_job_by_id(queue, "changed", &j, &err), 1, "it is there");
	ok(j.priority == 7 && j.max_running == 2, "priority, max_running");
	ok(strstr(j.info, "\"labels\":{\"c\":\"d\"}") && strstr(j.info, "\"nodes\":3") &&
	   strstr(j.info, "\"cas\":\"/x\""), "labels and nodes: %s", j.info);
	is_int(classes_parse_json(j.classes, class, CLASSES_MAX, &err), 1, "one class");
	ok(class[0].r.cpu == 500 && class[0].r.memory == 1000000 && class[0].limits == RESOURCE_MEMORY,
	   "resources; memory that is named is a limit");
	job_release(&j);
	read_root(result.born);
	ok(root.common.retries == 4 && root.common.timeout_ms == 90000 &&
	   root.common.resources.cpu == 500, "and in the manifest");
}

/* Tasks of a job file keep what they say themselves, also when only some of them are taken. */
static void test_jobfile(void)
{
	struct class class[CLASSES_MAX];
	struct task t;
	struct job j;

	write_file("job.json", "{\"resources\":{\"cpu\":1},\"tasks\":[{\"command\":\"a\"},"
		   "{\"command\":\"b\",\"resources\":{\"cpu\":0.5}},{\"command\":\"c\"},"
		   "{\"command\":\"d\",\"resources\":{\"cpu\":0.25}}]}", 0644);
	start("{\"resources\":{\"cpu\":1,\"memory\":5000}}");
	spec.id = "file";
	spec.n_words = 0;
	spec.rows = SUBMIT_JOBFILE;
	spec.path = "job.json";
	is_int(ranges_parse(STR("2-4"), &spec.only, &err), 0, "rows 2 to 4 of a job file");
	is_int(submit(), 0, "with a policy: %s", err.text);
	is_int(queue_job_by_id(queue, "file", &j, &err), 1, "are a job");
	is_int(classes_parse_json(j.classes, class, CLASSES_MAX, &err), 3, "of three classes");
	for (int64_t n = 1; n <= 3; n++) {
		static const int64_t cpu[] = { 500, 1000, 250 };

		is_int(queue_task_get(queue, j.born, n, &t, &err), 1, "task %d", (int)n);
		ok(class[t.class].r.cpu == cpu[n - 1] && class[t.class].r.memory == 5000,
		   "has its own CPUs and the memory that the policy gives all");
	}
	job_release(&j);
	ranges_release(&spec.only);
}

static void test_refused(void)
{
	start("labels are missing");
	refusal = ERR_USAGE;
	refused("refused the job: labels are missing", "by the policy");
	is_int(err.code, ERR_USAGE, "is the user's to mend");
	start("{\"resources\":{\"cpu\":1e6}}");
	refused("the job as its policy changed it", "what no node can have");
	is_int(err.code, ERR_SCRIPT, "is the policy's fault");
	start("{\"image\":\"debian\"}");
	spec.no_images = true;
	refused("image debian", "an image where there are none");
	start("{\"image\":\"debian\"}");
	is_int(submit(), 0, "elsewhere it is fine");
	read_root(result.born);
	ok(str_eq(root.common.image, "debian"), "and stored");
}

static void tests(void)
{
	test_given();
	test_changes();
	test_jobfile();
	test_refused();
}

int main(void)
{
	return run_tests(tests);
}
