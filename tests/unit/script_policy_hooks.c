/*
 * The hooks other than on_task_failed: what they are given, what they may answer, and every hook
 * with the 1st, 2nd, 3rd ... allocation failing (run it under ASan: nothing leaks).
 */
#include "policy_fixture.h"

static struct err err;

/* ---- on_submit ---------------------------------------------------------------------------- */

static const char given[] =
	"{\"id\":\"j\",\"n\":3,\"command\":[\"a\",\"b\"],\"columns\":[\"x\"],\"labels\":{},"
	"\"priority\":0,\"retries\":1,\"timeout\":0,\"max_running\":0,\"image\":\"none\","
	"\"resources\":{\"cpu\":1,\"memory\":0}}";

static int submit(const char *body, char **out)
{
	char *text = xasprintf("return { on_submit = function(job)\n%s\nend }", body);
	struct policy *p = load(text);
	int ret;

	err = (struct err)ERR_INIT;
	ret = policy_submit(p, given, out, &err);
	policy_close(p);
	free(text);
	return ret;
}

static bool submit_fails(const char *body, enum err_code code, const char *words)
{
	char *out;
	bool yes = submit(body, &out) < 0 && err.code == code && strstr(err.text, words) && !out;

	printf("# %s\n", err.text);
	free(out);
	return yes;
}

static void test_submit(void)
{
	char *out = NULL;

	is_int(submit("assert(job.n == 3 and job.command[2] == 'b' and #job.columns == 1)", &out), 0,
	       "the job is there to be read");
	ok(!out, "nothing is nothing");
	is_int(submit("return job", &out), 0, "the same job");
	ok(!out, "is nothing, too");
	is_int(submit("job.labels.a = 'b' job.retries = job.retries + 1 return job", &out), 0, "a change");
	ok(out && strstr(out, "\"labels\":{\"a\":\"b\"}") && strstr(out, "\"retries\":2") &&
	   strstr(out, "\"command\":[\"a\",\"b\"]"), "is in what comes back: %s", out);
	free(out);
	is_int(submit("return { priority = 5, resources = { cpu = 2, memory = '2G' }, nodes = 3,\n"
		      "timeout = '1h', image = 'none' }", &out), 0, "the changed part alone will do");
	ok(out && strstr(out, "\"priority\":5") && strstr(out, "\"memory\":\"2G\"") &&
	   strstr(out, "\"id\":\"j\""), "%s", out);
	free(out);
	ok(submit_fails("return nil, 'too late'", ERR_USAGE, "policy test.lua refused the job: too late"),
	   "nil and why");
	ok(submit_fails("return false, 'too late'", ERR_USAGE, "refused"), "false, too");
	ok(submit_fails("error 'boom'", ERR_SCRIPT, "test.lua:2: boom"), "an error has its line");
	ok(submit_fails("error { code = 'interrupted', message = 'x' }", ERR_SCRIPT, "x"),
	   "whatever code it has");
	ok(submit_fails("return 3", ERR_SCRIPT, "test.lua:1: on_submit returned: nil, the changed job"),
	   "a number");
	ok(submit_fails("return nil, {}", ERR_SCRIPT, "is a text"), "a reason that is none");
	ok(submit_fails("job.labels.x = 'y'", ERR_SCRIPT, "changed but not returned"),
	   "a change that is not returned");
	ok(submit_fails("job.lables = {} return job", ERR_SCRIPT, "did you mean labels"), "a slip");
	ok(submit_fails("job.n = 4 return job", ERR_SCRIPT, "another 'n'"), "what is fixed");
	ok(submit_fails("return { command = 'x' }", ERR_SCRIPT, "another 'command'"), "what it runs");
	ok(submit_fails("return { retries = 11 }", ERR_SCRIPT, "retries"), "too many retries");
	ok(submit_fails("return { retries = 1.5 }", ERR_SCRIPT, "retries"), "half a retry");
	ok(submit_fails("return { labels = { 1 } }", ERR_SCRIPT, "labels"), "labels in a list");
	ok(submit_fails("return { timeout = -1 }", ERR_SCRIPT, "timeout"), "a negative time limit");
	ok(submit_fails("return { timeout = 'soon' }", ERR_SCRIPT, "timeout"), "one that is none");
	ok(submit_fails("return { resources = { cpu = 'x' } }", ERR_SCRIPT, "resources"), "resources");
	ok(submit_fails("return { image = '' }", ERR_SCRIPT, "image"), "an image without a name");
	ok(submit_fails("return { nodes = -1 }", ERR_SCRIPT, "nodes"), "fewer than no nodes");
	ok(submit_fails("job.labels.f = next return job", ERR_SCRIPT, "function"), "a function in it");
	ok(submit_fails("job.labels.me = job return job", ERR_SCRIPT, "nested"), "a job in itself");
	ok(submit_fails("while true do end", ERR_SCRIPT, "more than 2000 ms"), "2 s");
}

static void test_submit_chain(void)
{
	struct policy *p = load_bundle(LIST("a=one", "b=two"), LIST(
		"one", "return { on_submit = function(job) job.labels.a = '1' return job end }",
		"two", "return { on_submit = function(job) if job.labels.a == '1' then job.retries = 7 end\n"
		       "return job end }"), &err);
	char *out = NULL;

	is_int(policy_submit(p, given, &out, &err), 0, "one policy after the other");
	ok(out && strstr(out, "\"retries\":7") && strstr(out, "\"a\":\"1\""),
	   "sees what the one before made of it: %s", out);
	free(out);
	policy_close(p);
}

/* ---- on_event ----------------------------------------------------------------------------- */

static struct policy_event event = { .kind = "task_failed", .job = &job, .view = &view,
				     .text = "given up" };

static const char *tell(const char *body)
{
	static char out[2048];
	char *text = xasprintf("return { on_event = function(event, options)\n%s\nend }", body);
	struct policy *p = load(text);
	struct buf effects = BUF_INIT;

	err = (struct err)ERR_INIT;
	reset_view();
	if (policy_event(p, &event, &effects, &err) < 0)
		(void)snprintf(out, sizeof(out), "%.2000s", err.text);
	else
		(void)snprintf(out, sizeof(out), "%.2000s", effects.p);
	buf_release(&effects);
	policy_close(p);
	free(text);
	return out;
}

static void test_event(void)
{
	is_str(tell("assert(event.kind == 'task_failed' and event.task.n == 2 and event.text == 'given up')\n"
		    "assert(event.attempt.exit_code == 3 and event.job.id == 'sample')\n"
		    "assert(event.task.parameters.x == '0.1' and not event.counts)"), "",
	       "an event is told, nothing is asked for");
	is_str(tell("return {}"), "", "an empty list, too");
	is_str(tell("return { webhook = 'http://x/y', body = { a = event.task.n, j = event.job.info } }"),
	       "[{\"policy\":\"test.lua\",\"webhook\":\"http://x/y\","
	       "\"body\":\"{\\\"a\\\":2,\\\"j\\\":{\\\"labels\\\":{\\\"a\\\":\\\"b\\\"}}}\","
	       "\"headers\":{\"Content-Type\":\"application/json\"},\"timeout_ms\":10000}]",
	       "a webhook with a table as JSON");
	is_str(tell("return { webhook = 'https://x', body = 'a\\nb', timeout = '2s', headers = { X = 'y' } }"),
	       "[{\"policy\":\"test.lua\",\"webhook\":\"https://x\",\"body\":\"a\\nb\","
	       "\"headers\":{\"X\":\"y\"},\"timeout_ms\":2000}]", "with a text, headers, a time limit");
	is_str(tell("return { { command = { 'mail', 'me' }, stdin = event.kind }, { command = { 'x' }, stdin = '' } }"),
	       "[{\"policy\":\"test.lua\",\"command\":[\"mail\",\"me\"],\"stdin\":\"task_failed\","
	       "\"timeout_ms\":10000},{\"policy\":\"test.lua\",\"command\":[\"x\"],\"stdin\":\"\","
	       "\"timeout_ms\":10000}]", "a list of commands");
	ok(strstr(tell("return { command = { 'x' } }"), "\"stdin\":\"{\\\"attempt\\\":{"),
	   "without anything to send it is the event");
	ok(strstr(tell("return { webhook = 'http://x', body = event }"), "\\\"kind\\\":\\\"task_failed\\\""),
	   "the event itself is a body");
	ok(strstr(tell("return 'x'"), "test.lua:1: on_event returned: nil, an effect or a list"), "a text");
	ok(strstr(tell("return { 'x' }"), "effect 1 is a table"), "a list of texts");
	ok(strstr(tell("return { webhok = 'http://x' }"), "did you mean webhook"), "a slip");
	ok(strstr(tell("return { webhook = 'ftp://x' }"), "http:// or https://"), "another protocol");
	ok(strstr(tell("return { webhook = 'http://x\\r\\nHost: y' }"), "http:// or"), "a second line");
	ok(strstr(tell("return { webhook = 'http://x', headers = { A = 'b\\nc' } }"), "no name and value"),
	   "a header of two lines");
	ok(strstr(tell("return { command = {} }"), "a list of words"), "no program");
	ok(strstr(tell("return { command = { 'a', 3 } }"), "word 2"), "a number as a word");
	ok(strstr(tell("return { command = { 'a\\0b' } }"), "NUL"), "a NUL");
	ok(strstr(tell("return { command = { 'a' }, webhook = 'http://x' }"), "an effect is"), "both");
	ok(strstr(tell("return { body = 'x' }"), "an effect is"), "neither");
	ok(strstr(tell("return { command = { 'a' }, body = 'x' }"), "go with webhook"), "a body for it");
	ok(strstr(tell("return { webhook = 'http://x', stdin = 'x' }"), "goes with command"), "stdin for it");
	ok(strstr(tell("return { webhook = 'http://x', timeout = 0 }"), "timeout"), "no time at all");
	ok(strstr(tell("return { webhook = 'http://x', timeout = 0/0 }"), "timeout"), "NaN");
	ok(strstr(tell("return { webhook = 'http://x', body = ('x'):rep(1200000) }"), "1024 KiB"), "too much");
	ok(strstr(tell("local s, t = ('x'):rep(200000), { 'a' } for i = 2, 100000 do t[i] = s end "
		       "return { command = t }"),
		  "1024 KiB"), "a word without end, in which memory would");
	ok(strstr(tell("local s, t = ('x'):rep(200000), {} for i = 2, 10000 do t['h' .. i] = s end\n"
		       "return { webhook = 'http://x', headers = t }"), "1024 KiB"), "headers of that kind");
	ok(strstr(tell("local t = {} for i = 1, 17 do t[i] = { command = { 'a' } } end return t"), "more than 16"),
	   "too many");
	ok(strstr(tell("while true do end"), "more than 50 ms"), "50 ms");
}

static void test_long(void)
{
	char word[1001], *words = xstrdup("\"x\"");
	struct policy *p = load("return { on_event = function(e) local a = e.job.info.argv\n"
				"assert(a[1] == 'x' and a[2] == ('y'):rep(1000) and #a < 20 and a[#a] == '...')\n"
				"return { webhook = 'http://x' } end }");
	struct buf effects = BUF_INIT;

	memset(word, 'y', 1000);
	word[1000] = '\0';
	for (int i = 0; i < 400; i++) {
		char *more = xasprintf("%s,\"%s\"", words, word);

		free(words);
		words = more;
	}
	reset_view();
	free(job.info);
	job.info = xasprintf("{\"argv\":[%s]}", words);
	err = (struct err)ERR_INIT;
	is_int(policy_event(p, &event, &effects, &err), 0, "a long command line is cut: %s", err.text);
	ok(effects.n > 10000 && effects.n < 30000, "and what is sent is small");
	free(words);
	buf_release(&effects);
	policy_close(p);
}

/* All are told, and one that breaks takes nothing from the others. */
static void test_event_chain(void)
{
	struct policy *p = load_bundle(LIST("a=one", "b=bad", "c=one"), LIST(
		"one", "return { on_event = function(e) return { command = { e.kind } } end }",
		"bad", "return { on_event = function() error 'no' end }"), &err);
	const struct policy_event over = { .kind = "job_ended", .job = &job,
					   .counts = "{\"complete(code=0)\":3}" };
	struct buf effects = BUF_INIT;

	reset_view();
	is_int(policy_event(p, &over, &effects, &err), -1, "one of three breaks");
	ok(strstr(err.text, "policy b: bad.lua:1: no"), "it is named: %s", err.text);
	ok(strstr(effects.p, "[{\"policy\":\"a\",\"command\":[\"job_ended\"]") &&
	   strstr(effects.p, "{\"policy\":\"c\""), "the others have what they asked for");
	buf_release(&effects);
	policy_close(p);
}

/* ---- on_task_lost, scale, stop ------------------------------------------------------------- */

static void test_lost(void)
{
	char cluster[] = "local", cap[] = "{\"cpu\":4}", info[] = "{\"host\":\"h\"}";
	const struct node node = { .id = "n1", .state = NODE_LIVE, .cluster = cluster, .cap = cap,
				   .info = info, .waits = 1 };
	struct policy *p = load("return { on_task_lost = function(task, node, job)\n"
		"assert(node.id == 'n1' and node.cap.cpu == 4 and node.info.host == 'h')\n"
		"assert(task.state == 'claimed' and job.id == 'sample')\n"
		"return node.waits < 3 and 'wait' or 'fail' end }");
	struct policy_verdict v;

	reset_view();
	task.state = TASK_CLAIMED;
	is_int(policy_task_lost(p, &view, &node, &v, &err), 0, "on_task_lost");
	is_int(v.action, POLICY_WAIT, "waits");
	policy_clamp(&view, &v);
	is_int(v.action, POLICY_WAIT, "as it may, for a lost node");
	policy_close(p);
	p = load("return { on_task_lost = function() while true do end end }");
	is_int(policy_task_lost(p, &view, &node, &v, &err), -1, "one that never ends is an error");
	policy_close(p);
}

static void test_stop(void)
{
	struct policy *p = load("return { on_task_failed = function(t)\n"
		"return { t.tries == 0 and 'fail' or 'retry', stop = true, note = 'enough' } end }");
	struct policy_verdict v;

	reset_view();
	is_int(ask(p, &v, &err), 0, "stop");
	policy_clamp(&view, &v);
	ok(v.stop && v.action == POLICY_FAIL, "goes with fail");
	task.tries = 1;
	is_int(ask(p, &v, &err), 0, "and");
	policy_clamp(&view, &v);
	ok(!v.stop && v.action == POLICY_RETRY, "not with retry");
	policy_close(p);
}

static void test_scale(void)
{
	static const struct {
		const char *body;
		int64_t target; /* -2: an error */
	} cases[] = {
		{ "return s.pending + s.nodes", 7 }, { "return nil", -1 }, { "return 0", 0 },
		{ "return 2.0", -2 }, { "return -1", -2 }, { "return 'two'", -2 },
		{ "return 1e9", -2 }, { "return math.huge", -2 }, { "s.nodes = 3", -2 },
		{ "return s.job.id == 'sample' and 3", 3 }, { "error(nil)", -2 },
		{ "return s.node_hours == 2 and s.oldest_pending == 1.5 and 1", 1 },
		{ "while true do end", -2 },
	};
	const struct policy_scale s = { .job = &job, .pending = 4, .nodes = 3, .wanted = 2,
					.oldest_pending_ms = 1500, .node_ms = 7200000 };

	reset_view();
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		char *text = xasprintf("return { scale = function(s) %s end }", cases[i].body);
		struct policy *p = load(text);
		int64_t target = 99;
		int ret = policy_scale(p, &s, &target, &err);

		ok(cases[i].target == -2 ? ret < 0 && target == -1 : ret == 0 && target == cases[i].target,
		   "scale: %s", cases[i].body);
		policy_close(p);
		free(text);
	}
}

/* ---- no memory ---------------------------------------------------------------------------- */

static const char all[] =
	"local lib = require 'lib'\n"
	"return kubeque.policy { name = 'all', same = true, options = { k = 1, list = { 'a' } },\n"
	"  on_submit = function(job, o) job.labels.k = tostring(o.k) return job end,\n"
	"  on_task_failed = function(t, a, j, o)\n"
	"    return { 'retry', after = o.k, note = a.cause .. j.id .. lib.x, with = { memory = '3G' } } end,\n"
	"  on_task_lost = function(t, n) return { 'wait', note = n.id } end,\n"
	"  scale = function(s) return s.pending + #s.job.id end,\n"
	"  on_event = function(e) return { { webhook = 'http://x', body = e, headers = { a = 'b' } },\n"
	"    { command = { 'x', e.kind }, stdin = { e.task.n } } } end }";

static struct policy *load_all(void)
{
	return load_bundle(LIST("all=all={\"k\":\"2\"}"), LIST("all", all, "lib", "return { x = 'y' }"),
			   &err);
}

/* One call of each kind; 0, and everything it answered is freed. */
static int call(struct policy *p, int kind)
{
	char cluster[] = "local", empty[] = "{}";
	const struct node node = { .id = "n1", .cluster = cluster, .cap = empty, .info = empty };
	const struct policy_scale s = { .job = &job, .pending = 4 };
	struct policy_verdict v = { .class = NULL };
	struct buf text = BUF_INIT;
	char *out = NULL;
	int64_t target;
	int ret = -1;

	err = (struct err)ERR_INIT;
	switch (kind) {
	case 0: ret = policy_task_failed(p, &view, &v, &err); break;
	case 1: ret = policy_task_lost(p, &view, &node, &v, &err); break;
	case 2: ret = policy_scale(p, &s, &target, &err); break;
	case 3: ret = policy_submit(p, given, &out, &err); break;
	case 4: ret = policy_event(p, &event, &text, &err); break;
	case 5: ret = policy_lua_describe(p, &text, &err); break;
	default: break;
	}
	if (ret < 0 && (v.class || out || text.n))
		ok(false, "an error has no answer (%d)", kind);
	free(v.class);
	free(out);
	buf_release(&text);
	return ret;
}

static void test_no_memory(void)
{
	static const char *const names[] = { "on_task_failed", "on_task_lost", "scale", "on_submit",
					     "on_event", "describing" };
	struct policy *p = load_all();

	reset_view();
	log_set_level(LOG_LEVEL_ERROR);
	for (int kind = 0; p && kind < (int)ARRAY_SIZE(names); kind++) {
		int failed = 0, ret = -1;

		for (int64_t at = 1; ret < 0 && at < 100000; at++) {
			view.same = 1;
			job.born = at; /* views that were kept are made again */
			script_fail_at = at;
			ret = call(p, kind);
			script_fail_at = 0;
			failed += ret < 0;
			if (ret < 0 && call(p, kind) < 0) { /* in a new state, and counts from 0 again */
				ok(false, "%s goes on after failure %d: %s", names[kind], failed,
				   err.text);
				break;
			}
		}
		ok(ret == 0 && failed > 5, "%s: %d allocations failed", names[kind], failed);
	}
	policy_close(p);
	p = NULL;
	for (int at = 1; !p && at < 100000; at++) {
		script_fail_at = at;
		p = load_all();
		script_fail_at = 0;
		if (!p && err.code != ERR_SCRIPT) {
			ok(false, "failure %d says what it is: %s", at, err.text);
			break;
		}
		if (p)
			ok(at > 400, "a bundle is loaded in spite of %d failures", at - 1);
	}
	policy_close(p);
	log_set_level(LOG_LEVEL_INFO);
}

int main(void)
{
	reset_view();
	test_submit();
	test_submit_chain();
	test_event();
	test_long();
	test_event_chain();
	test_lost();
	test_stop();
	test_scale();
	test_no_memory();
	release_view();
	return tap_done();
}
