/*
 * Bundles: what they hold and what they may not, modules that require each other, options, chains,
 * and what becomes of a policy that breaks.
 */
#include "policy_fixture.h"

#include "script/bundle.h"

static struct err err;

/* Loads and says whether that failed with these words. */
static bool refused(const char *const *policies, const char *const *modules, const char *words)
{
	struct policy *p = load_bundle(policies, modules, &err);
	bool yes = !p && err.code == ERR_SCRIPT && strstr(err.text, words);

	printf("# %s\n", p ? "it loads" : err.text);
	policy_close(p);
	return yes;
}

static bool damaged(const char *text)
{
	struct policy *p;

	err = (struct err)ERR_INIT;
	p = policy_lua_bundle(text, strlen(text), &err);
	printf("# %s\n", p ? "it loads" : err.text);
	policy_close(p);
	return !p && err.code == ERR_SCRIPT;
}

static void test_form(void)
{
	char *large = xmalloc(BUNDLE_MAX + 2);

	ok(damaged("") && damaged("[]") && damaged("{") && damaged("null"), "what is no object");
	ok(damaged("{\"schema\":2,\"policies\":[],\"modules\":{}}") && strstr(err.text, "newer"),
	   "another schema");
	ok(damaged("{\"schema\":1,\"policies\":[],\"modules\":{\"a\":{\"file\":\"a\",\"text\":\"\"}}}"),
	   "no policy");
	ok(damaged("{\"schema\":1,\"policies\":[{\"name\":\"a\",\"module\":\"a\"}],\"modules\":{}}"),
	   "no module");
	ok(damaged("{\"schema\":1,\"policies\":[{\"name\":\"a\",\"module\":\"b\"}],"
		   "\"modules\":{\"a\":{\"file\":\"a\",\"text\":\"return {}\"}}}"), "not that one");
	ok(damaged("{\"schema\":1,\"policies\":[{\"name\":\"a\",\"module\":\"a\",\"options\":[]}],"
		   "\"modules\":{\"a\":{\"file\":\"a\",\"text\":\"return {}\"}}}"), "options in a list");
	ok(damaged("{\"schema\":1,\"policies\":[{\"name\":\"a\",\"module\":\"a\"}],"
		   "\"modules\":{\"a\":{\"file\":\"a\"}}}"), "a module without text");
	memset(large, ' ', BUNDLE_MAX + 1);
	large[BUNDLE_MAX + 1] = '\0';
	ok(damaged(large) && strstr(err.text, "at most"), "more than 1 MiB");
	free(large);
}

static void test_files(void)
{
	ok(refused(LIST("p=p"), LIST("p", "return {\n  on_task_failed = functio() end }"), "p.lua:2:"),
	   "a syntax error has its line");
	ok(refused(LIST("p=p"), LIST("p", "local x\n\nx.y = 1"), "p.lua:3:"), "a mistake, too");
	ok(refused(LIST("p=p"), LIST("p", ""), "returns a table of hooks, not a boolean"), "no table");
	ok(refused(LIST("p=p"), LIST("p", "return kubeque.policy {\n  on_task_faild = next }"),
		   "(did you mean on_task_failed?)") && strstr(err.text, "p.lua:1:"),
	   "an unknown hook in kubeque.policy has its line");
	ok(refused(LIST("p=p"), LIST("p", "return { on_submitt = function() end }"),
		   "(did you mean on_submit?)"),
	   "in a plain table, too");
	ok(refused(LIST("p=p"), LIST("p", "return { scale = 3 }"), "'scale' is a function, not a number"),
	   "a hook that is none");
	ok(refused(LIST("p=p"), LIST("p", "return { summary = 3 }"), "'summary' is a text"), "summary");
	ok(refused(LIST("p=p"), LIST("p", "return { options = { ['a b'] = 1 } }"), "name of an option"),
	   "the name of an option");
	ok(refused(LIST("p=p"), LIST("p", "return { options = { f = print or next } }"), "its default"),
	   "the default of an option");
	ok(refused(LIST("p=p"), LIST("p", "while true do end"), "more than 500 ms"),
	   "a file has 500 ms");
	ok(refused(LIST("p=p"), LIST("p", "\033Lua"), "p.lua: bytecode"), "bytecode");
	ok(refused(LIST("p=p"), LIST("p", "error { code = 3 }"), "table"), "an error that is no text");
	ok(refused(LIST("p=p"), LIST("p", "local t = {} for i = 1, 1e9 do t[i] = { i } end"),
		   "not enough memory") || strstr(err.text, "more than 500 ms"), "64 MB");
}

static void test_require(void)
{
	struct policy_verdict v;
	struct policy *p = load_bundle(LIST("p=policies.p"), LIST(
		"policies.p", "local u, a, b = require 'lib.util', require 'lib.a', require 'lib.a'\n"
			"assert(a == b and ... == 'policies.p')\n"
			"assert(require 'kubeque.units' == kubeque.units)\n"
			"return { on_task_failed = function() return { 'retry', after = u.seconds } end }",
		"lib.util", "return { seconds = require('lib.a').x * 2 }",
		"lib.a", "return { x = 21 }"), &err);

	reset_view();
	ok(p && ask(p, &v, &err) == 0 && v.after_ms == 42000, "modules of the bundle are required");
	policy_close(p);
	ok(refused(LIST("p=a"), LIST("a", "return { x = require 'b' }", "b", "return require 'c'",
				     "c", "require 'b'"), "b -> c -> b"), "a cycle is named");
	ok(strstr(err.text, "c.lua:1:"), "with its line");
	ok(refused(LIST("p=a"), LIST("a", "return require 'a'"), "a -> a"), "the shortest one");
	ok(refused(LIST("p=a"), LIST("a", "\nlocal x = require 'os'"), "a.lua:2: module 'os' did not"),
	   "what is not in the bundle");
	ok(refused(LIST("p=a"), LIST("a", "return require 'b'", "b", "\n\nerror 'no'"), "b.lua:3: no"),
	   "a module that fails says where");
	p = load_bundle(LIST("p=a"), LIST("a", "local ok = pcall(require, 'b') local again, why = pcall("
		"require, 'b') assert(not ok and not again and not why:find 'each other', why) return {}",
		"b", "error 'no'"), &err);
	ok(p, "one that fails may be caught: %s", err.text);
	policy_close(p);
	p = load("return { on_task_failed = function() require 'x' end }");
	ok(ask(p, &v, &err) < 0 && strstr(err.text, "at the top of the file"),
	   "a hook requires nothing: %s", err.text);
	policy_close(p);
}

static void test_options(void)
{
	static const char file[] =
		"return kubeque.policy { name = 'x', summary = 's', same = true,\n"
		"  options = { cap = '16G', k = 3, price = 0.5, loud = false, kinds = { 'a' } },\n"
		"  on_task_failed = function(_, attempt, _, o)\n"
		"    assert(attempt.same == 4)\n"
		"    return { 'fail', note = table.concat({ o.cap, o.k, o.price, tostring(o.loud),\n"
		"      table.concat(o.kinds, '+') }, ' ') } end }";
	struct policy_verdict v;
	struct buf text = BUF_INIT;
	struct policy *p;

	reset_view();
	view.same = 4;
	p = load_bundle(LIST("x=x", "y=x={\"cap\":\"8G\",\"k\":\"5\",\"price\":2,\"loud\":\"yes\","
			     "\"kinds\":[\"b\",\"c\"]}"), LIST("x", file), &err);
	ok(p && ask(p, &v, &err) == 0, "options: %s", err.text);
	is_str(v.note, "16G 3 0.5 false a", "defaults");
	ok(p && policy_lua_describe(p, &text, &err) == 0, "described");
	ok(strstr(text.p, "\"options\":{\"cap\":\"8G\",\"k\":5,\"kinds\":[\"b\",\"c\"],\"loud\":true,"
		  "\"price\":2}"), "what is given is laid over them, as their type: %s", text.p);
	ok(strstr(text.p, "{\"hooks\":[\"on_task_failed\"],\"name\":\"x\","), "hooks and names");
	ok(policy_wants(p, &job) == (POLICY_FAILED | POLICY_SAME), "and what it wants to know");
	policy_close(p);
	buf_release(&text);
	ok(refused(LIST("p=x={\"kap\":1}"), LIST("x", file), "no option 'kap' (did you mean cap?)"),
	   "an option that does not exist");
	ok(refused(LIST("p=x={\"k\":\"many\"}"), LIST("x", file), "'k' is a number, not 'many'"),
	   "one of another type");
	ok(refused(LIST("p=x={\"loud\":\"maybe\"}"), LIST("x", file), "'loud' is a boolean"),
	   "a boolean is true or false");
	ok(refused(LIST("p=x={\"k\":[1]}"), LIST("x", file), "'k' is a number, not a table"), "a list");
	ok(refused(LIST("p=x={\"k\":1}"), LIST("x", "return {}"), "no option 'k'"), "none at all");
	p = load_bundle(LIST("p=x"), LIST("x", "return { options = { k = 1 }, on_task_failed = function("
					  "_, _, _, o) o.k = 2 end }"), &err);
	ok(ask(p, &v, &err) < 0 && strstr(err.text, "cannot be changed"), "options are read-only");
	policy_close(p);
}

/* The first that is not nil decides; one that breaks does not keep the others from it. */
static void test_chain(void)
{
	static const char *const modules[] = {
		"nothing", "return { on_task_failed = function() end, scale = function() end }",
		"later", "return { on_task_failed = function() return { 'retry', after = 7 } end,\n"
			 "  scale = function() return 5 end }",
		"fails", "return { on_task_failed = function() return 'fail' end,\n"
			 "  scale = function() return 6 end }",
		"broken", "return { on_task_failed = function() error 'broken' end,\n"
			  "  scale = function() error 'broken' end }",
		NULL,
	};
	struct policy_scale s = { .pending = 1 };
	struct policy_verdict v;
	struct policy *p;
	int64_t target;

	reset_view();
	log_set_level(LOG_LEVEL_ERROR);
	p = load_bundle(LIST("a=nothing", "b=later", "c=fails"), modules, &err);
	ok(ask(p, &v, &err) == 0 && v.action == POLICY_RETRY && v.after_ms == 7000,
	   "the first that has an opinion");
	ok(policy_scale(p, &s, &target, &err) == 0 && target == 5, "of scale, too");
	policy_close(p);
	p = load_bundle(LIST("a=nothing"), modules, &err);
	ok(ask(p, &v, &err) == 0 && v.after_ms == 500, "none: the stock verdict");
	policy_close(p);
	p = load_bundle(LIST("bad=broken", "b=later"), modules, &err);
	for (int i = 0; i < 2; i++)
		ok(ask(p, &v, &err) == 0 && v.after_ms == 7000 && strstr(v.trouble, "broken"),
		   "one that breaks, and another decides: %s", v.trouble);
	ok(ask(p, &v, &err) == 0 && v.after_ms == 7000 && strstr(v.trouble, "bad") &&
	   strstr(v.trouble, "is off"), "the third time it says that it is off: %s", v.trouble);
	ok(ask(p, &v, &err) == 0 && v.after_ms == 7000 && !*v.trouble, "then it is left out");
	ok(policy_scale(p, &s, &target, &err) == 0 && target == 5, "altogether");
	ok(policy_wants(p, &job) == (POLICY_FAILED | POLICY_SCALE), "the other one is not");
	policy_close(p);
	p = load_bundle(LIST("bad=broken"), modules, &err);
	is_int(ask(p, &v, &err), -1, "alone it is an error");
	ok(strstr(err.text, "policy bad: broken.lua:1: broken"), "that names it: %s", err.text);
	is_int(policy_scale(p, &s, &target, &err), -1, "of scale, too");
	ok(target == -1, "without a target");
	policy_close(p);
	log_set_level(LOG_LEVEL_INFO);
}

/* Nothing of one question is there at the next, in the same process or another. */
static void test_nothing_stays(void)
{
	struct policy_verdict a, b;
	struct policy *p = load_bundle(LIST("p=p"), LIST(
		"p", "local n, seen, lib = 0, {}, require 'lib'\n"
		     "return { on_task_failed = function(task)\n"
		     "  n = n + 1 seen[#seen + 1] = task.n lib.count = lib.count + 1\n"
		     "  return { 'retry', after = n + #seen + lib.count + math.random(1000) } end }",
		"lib", "return { count = 0 }"), &err);

	reset_view();
	is_int(ask(p, &a, &err), 0, "a policy that counts");
	task.n = 3;
	is_int(ask(p, &b, &err), 0, "is asked about another task");
	ok(a.after_ms != b.after_ms, "which has other random numbers");
	task.n = 2;
	for (int i = 0; i < 5; i++) {
		is_int(ask(p, &b, &err), 0, "and about the first again");
		is_int(b.after_ms, a.after_ms, "the same question, the same answer");
	}
	policy_close(p);
}

int main(void)
{
	test_form();
	test_files();
	test_require();
	test_options();
	test_chain();
	test_nothing_stays();
	release_view();
	return tap_done();
}
