/*
 * Policies in Lua: the stock one decides as the one in C does, and no script can hang, crash, fill
 * or escape its sandbox (ARCHITECTURE 7, its table).
 */
#include "policy_fixture.h"

static const struct {
	enum cause cause;
	int code, tries, retries;
} cases[] = {
	{ CAUSE_EXIT, 3, 0, 2 }, { CAUSE_EXIT, 3, 1, 2 }, { CAUSE_EXIT, 3, 2, 2 },
	{ CAUSE_EXIT, 3, 0, 0 }, { CAUSE_EXIT, 127, 0, 2 }, { CAUSE_EXIT, 126, 0, 2 },
	{ CAUSE_SIGNAL, -1, 0, 1 }, { CAUSE_TIMEOUT, -1, 0, 1 }, { CAUSE_OOM, -1, 5, 9 },
	{ CAUSE_DISK, -1, 0, 1 }, { CAUSE_MISSING_INPUT, -1, 0, 1 }, { CAUSE_OUTPUT, 0, 0, 1 },
	{ CAUSE_LOST, -1, 2, 2 }, { CAUSE_PREEMPTED, -1, 2, 2 }, { CAUSE_RELEASED, -1, 0, 0 },
};

static void test_stock(void)
{
	struct err err = ERR_INIT;
	struct policy *p = policy_lua_new("policies/default", &err);
	struct node node = { .id = "n1", .state = NODE_LIVE };
	struct policy_verdict lua, c;
	int same = 0;

	ok(p != NULL, "the stock policy loads");
	if (!p)
		return;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		reset_view();
		attempt.cause = cases[i].cause;
		attempt.exit_code = cases[i].code;
		task.tries = cases[i].tries;
		view.retries = cases[i].retries;
		if (ask(p, &lua, &err) < 0) {
			printf("# %s\n", err.text);
			continue;
		}
		policy_stock(&view, &c);
		if (lua.action == c.action && lua.after_ms == c.after_ms && lua.free == c.free)
			same++;
		else
			printf("# case %zu: %d/%d %lld/%lld\n", i, lua.action, c.action,
			       (long long)lua.after_ms, (long long)c.after_ms);
	}
	is_int(same, ARRAY_SIZE(cases), "it decides as the one in C does");
	reset_view();
	task.tries = 1;
	ask(p, &lua, &err);
	is_str(lua.note, "again: retry 2 of 2", "and says why");
	is_int(lua.after_ms, 1000, "the pause grows");
	task.state = TASK_CLAIMED;
	is_int(p->ops->task_lost(p, &view, &node, &lua, &err), 0, "a lost node: the hook answers");
	is_int(lua.action, POLICY_RETRY, "and the task is tried again");
	policy_close(p);
}

static void test_verdicts(void)
{
	struct policy_verdict v;
	struct err err;
	struct policy *p = load("return { on_task_failed = function(task, attempt, job)\n"
		"assert(task.parameters.x == '0.1' and task.class.resources.memory == 1000000000)\n"
		"assert(job.info.labels.a == 'b' and job.id == 'sample')\n"
		"return {'retry', after = '1m30s', free = true, elsewhere = true, note = 'more memory',\n"
		"  with = {memory = task.class.resources.memory * 2, cpu = 0.5}} end }");

	reset_view();
	is_int(ask(p, &v, &err), 0, "a table is a verdict");
	is_int(v.action, POLICY_RETRY, "its first item is the action");
	is_int(v.after_ms, 90000, "after may be a text");
	ok(v.free && v.elsewhere, "free, and elsewhere");
	is_str(v.note, "more memory", "note");
	ok(v.class && strstr(v.class, "\"memory\":2000000000") && strstr(v.class, "0.5") &&
	   strstr(v.class, "limits"), "with: laid over the class of the task");
	free(v.class);
	policy_close(p);

	p = load("return { on_task_failed = function() return 'complete' end, scale = function(s)\n"
		 " return s.pending + s.wanted end }");
	is_int(ask(p, &v, &err), 0, "a word is a verdict");
	ok(v.action == POLICY_COMPLETE && !v.elsewhere, "complete, and nothing else");
	struct policy_scale s = { .pending = 4, .wanted = 3 };
	int64_t target = 0;

	is_int(p->ops->scale(p, &s, &target, &err), 0, "scale answers");
	is_int(target, 7, "with a number");
	policy_close(p);

	p = load("return { }");
	is_int(ask(p, &v, &err), 0, "a policy without the hook");
	is_int(v.action, POLICY_RETRY, "is the stock one");
	is_int(p->ops->scale(p, &s, &target, &err), 0, "scale, too");
	is_int(target, -1, "has no opinion");
	policy_close(p);
}

/* Every one of these must come back as an error, soon, and leave the policy usable. */
static const struct { const char *what, *body, *message; } bad[] = {
	{ "an endless loop", "while true do end", "took too long" },
	{ "an endless loop in pcall", "while true do pcall(function() while true do end end) end",
	  "took too long" },
	{ "an endless loop in xpcall with a handler",
	  "while true do xpcall(function() while true do end end, function() while true do end end) end",
	  NULL },
	{ "a coroutine", "coroutine.wrap(function() while true do end end)()", "coroutine" },
	{ "an endless __close", "local x <close> = setmetatable({}, {__close = function() while true do end "
	  "end}) error('x')", NULL },
	{ "__gc", "setmetatable({}, {__gc = function() while true do end end})",
	  "__gc is not allowed" },
	{ "a table bomb", "local t = {} for i = 1, 1e9 do t[i] = {i} end", NULL },
	{ "a long text", "return ('x'):rep(1000000000)", "not enough memory" },
	{ "deep recursion", "local function f() return 1 + f() end return f()", NULL },
	{ "recursion in C", "local function f() return ('x'):gsub('x', f) end return f()",
	  "overflow" },
	{ "a pattern too complex", "return (('a'):rep(300000)):find(('a?'):rep(300000)..'b')",
	  NULL },
	{ "a pattern that takes a minute", "return ('a'):rep(700):find(('.-'):rep(30) .. 'b')",
	  "took too long" },
	{ "the same in pcall", "pcall(string.find, ('a'):rep(700), ('.-'):rep(30) .. 'b')",
	  "took too long" },
	{ "table.move without end", "table.move({}, 1, 1 << 60, 1, {})", "too many elements" },
	{ "error(nil)", "error(nil)", "nil" },
	{ "error of a table", "error({})", "table" },
	{ "a __tostring that raises",
	  "error(setmetatable({}, {__tostring = function() error('again') end}))",
	  "cannot be shown" },
	{ "a __tostring that never ends",
	  "error(setmetatable({}, {__tostring = function() while true do end end}))", NULL },
	{ "os", "os.exit(3)", "os" },
	{ "io", "io.open('/etc/passwd')", "io" },
	{ "debug", "debug.sethook()", "debug" },
	{ "require", "require('os')", "require" },
	{ "loadfile", "loadfile('/etc/passwd')", "loadfile" },
	{ "string.dump", "string.dump(function() end)", "dump" },
	{ "a new global", "leak = 1", "keeps no globals" },
	{ "writing to a view", "task.n = 5", "cannot be changed" },
	{ "writing to a nested view", "task.class.resources.cpu = 5", "cannot be changed" },
	{ "writing to a nested view of the job", "job.info.labels.x = 5", "cannot be changed" },
	{ "a number as verdict", "return 3", "action expected" },
	{ "an unknown action", "return 'rerty'", "no action is called" },
	{ "an unknown key", "return {'retry', aftre = 3}", "did you mean after" },
	{ "a misspelt flag", "return {'retry', elswhere = true}", "did you mean elsewhere" },
	{ "a node's name for a flag", "return {'retry', elsewhere = 'n1'}", "elsewhere" },
	{ "no action", "return {after = 3}", "needs an action" },
	{ "a pause that is no number", "return {'retry', after = 0/0}", "seconds expected" },
	{ "a negative pause", "return {'retry', after = -1}", "seconds expected" },
	{ "an unknown unit", "return {'retry', with = {memory = '5Q'}}", "5Q" },
	{ "with: a table", "return {'retry', with = {memory = {}}}", "amounts expected" },
};

static void test_hostile(void)
{
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		char *text = xasprintf("return { on_task_failed = function(task, attempt, job)\n"
				       "if attempt.exit_code == 4 then return 'fail' end\n"
				       "%s\nend }", bad[i].body);
		struct policy *p = load(text);
		struct policy_verdict v;
		struct err err;
		int64_t start = clock_mono_ms(), took;
		int ret;

		reset_view();
		ret = p ? ask(p, &v, &err) : 0;
		took = clock_mono_ms() - start;
		ok(ret < 0 && err.code == ERR_SCRIPT &&
		   (!bad[i].message || strstr(err.text, bad[i].message)), "%s is an error",
		   bad[i].what);
		if (ret < 0)
			printf("# %s\n", err.text);
		ok(took < 3000, "%s ends (%lld ms)", bad[i].what, (long long)took);
		attempt.exit_code = 4;
		if (p)
			is_int(ask(p, &v, &err), 0, "and the policy goes on");
		policy_close(p);
		free(text);
	}
}

static void test_off(void)
{
	struct policy *p = load("local n = 0\nreturn { on_task_failed = function(task) n = n + 1\n"
				"if task.tries > 0 then return 'fail' end error('broken ' .. n) end }");
	struct policy_verdict v;
	struct err err;

	reset_view();
	log_set_level(LOG_LEVEL_ERROR);
	is_int(ask(p, &v, &err), -1, "first error");
	ok(strstr(err.text, "broken 1"), "which names it: %s", err.text);
	is_int(ask(p, &v, &err), -1, "second error");
	ok(strstr(err.text, "broken 1"), "in a state that is new: %s", err.text);
	task.tries = 1;
	is_int(ask(p, &v, &err), 0, "a success in between");
	task.tries = 0;
	for (int i = 0; i < 3; i++)
		is_int(ask(p, &v, &err), -1, "error %d in a row", i + 1);
	ok(strstr(err.text, "is off"), "the third says that it is off: %s", err.text);
	task.tries = 1;
	is_int(ask(p, &v, &err), 0, "after three in a row the stock verdict stands");
	is_int(v.action, POLICY_RETRY, "whatever the policy would say");
	ok(!*v.trouble, "its job was told with the third error");
	job.born = 2;
	is_int(ask(p, &v, &err), 0, "another job");
	ok(strstr(v.trouble, "is off"), "is told that it is off: %s", v.trouble);
	is_int(ask(p, &v, &err), 0, "and asks again");
	ok(!*v.trouble, "it is told once");
	job.born = 1;
	policy_close(p);
	log_set_level(LOG_LEVEL_INFO);
}

static void test_random(void)
{
	const char *text = "return { on_task_failed = function() return {'retry', "
			   "after = math.random(1, 1000000) / 100} end }";
	struct policy *p = load(text), *q = load(text);
	struct policy_verdict a, b, c;
	struct err err;

	reset_view();
	ask(p, &a, &err);
	ask(p, &b, &err);
	is_int(a.after_ms, b.after_ms, "the same attempt, the same random numbers");
	ask(q, &b, &err);
	is_int(a.after_ms, b.after_ms, "in another process, too");
	attempt.k = 2;
	ask(p, &c, &err);
	ok(a.after_ms != c.after_ms, "another attempt, other ones");
	policy_close(p);
	policy_close(q);
}

static void test_files(void)
{
	struct err err = ERR_INIT;

	ok(!load("return {"), "a syntax error");
	ok(!load("return 3"), "no table");
	ok(!load("return { on_task_faild = function() end }"), "a hook that does not exist");
	ok(!load("while true do end"), "a file that never ends");
	ok(!load("\033Lua"), "bytecode");
	ok(!policy_lua_new("policies/nosuch", &err), "no such policy: %s", err.text);
}

/* Fails the first, second, third ... allocation of a hook until it succeeds. */
static void test_no_memory(void)
{
	struct policy *p = load("return { on_task_failed = function(task, attempt)\n"
		"local t = {} for i = 1, 20 do t[i] = ('x'):rep(i) .. attempt.cause end\n"
		"return {'retry', after = #t, note = table.concat(t), with = {memory = '3G'}} end }");
	int failed = 0;

	reset_view();
	log_set_level(LOG_LEVEL_ERROR);
	for (int64_t at = 1; at < 100000; at++) {
		struct policy_verdict v = { 0 };
		struct err err;
		int ret;

		script_fail_at = at;
		ret = ask(p, &v, &err);
		script_fail_at = 0;
		free(v.class);
		v.class = NULL;
		if (ret == 0)
			break;
		failed++;
		if (ask(p, &v, &err) < 0) { /* counts the errors back to none */
			ok(false, "the policy goes on after failure %d: %s", failed, err.text);
			break;
		}
		free(v.class);
	}
	ok(failed > 20, "%d allocations failed one after the other, and nothing broke", failed);
	policy_close(p);
	for (failed = 0; failed < 100000; failed++) {
		struct err err = ERR_INIT;

		script_fail_at = failed + 1;
		p = policy_lua_new("policies/default", &err);
		script_fail_at = 0;
		if (p)
			break;
		if (err.code != ERR_SCRIPT) {
			ok(false, "failure %d says what it is: %s", failed, err.text);
			break;
		}
	}
	ok(p && failed > 300, "the same %d times while a state was built", failed);
	policy_close(p);
	log_set_level(LOG_LEVEL_INFO);
}

static void test_clamp(void)
{
	struct policy_verdict v = { .action = POLICY_RETRY, .after_ms = INT64_MAX };

	reset_view();
	policy_clamp(&view, &v);
	is_int(v.after_ms, 24 * 3600 * 1000, "a pause is at most a day");
	task.tries = TRIES_MAX;
	policy_clamp(&view, &v);
	is_int(v.action, POLICY_FAIL, "no more than 10 retries");
	v = (struct policy_verdict){ .action = POLICY_RETRY, .free = true, .after_ms = -5 };
	policy_clamp(&view, &v);
	ok(v.action == POLICY_RETRY && v.free && v.after_ms == 0, "a free one does not count");
	task.free = FREE_MAX;
	policy_clamp(&view, &v);
	is_int(v.action, POLICY_FAIL, "but only 100 times");
	v = (struct policy_verdict){ .action = POLICY_WAIT };
	policy_clamp(&view, &v);
	is_int(v.action, POLICY_FAIL, "an ended attempt cannot be waited for");
	task.state = TASK_CLAIMED;
	v = (struct policy_verdict){ .action = POLICY_COMPLETE };
	policy_clamp(&view, &v);
	is_int(v.action, POLICY_RETRY, "a lost one cannot be complete");
	v = (struct policy_verdict){ .action = POLICY_RETRY, .elsewhere = true };
	policy_clamp(&view, &v);
	ok(!v.elsewhere, "it runs elsewhere as it is");
	reset_view();
	v = (struct policy_verdict){ .action = POLICY_RETRY, .elsewhere = true };
	policy_clamp(&view, &v);
	ok(v.elsewhere, "one that failed runs elsewhere");
	v.action = POLICY_COMPLETE;
	policy_clamp(&view, &v);
	ok(!v.elsewhere, "if it runs at all");
}

int main(void)
{
	test_stock();
	test_verdicts();
	test_hostile();
	test_off();
	test_random();
	test_files();
	test_no_memory();
	test_clamp();
	release_view();
	return tap_done();
}
