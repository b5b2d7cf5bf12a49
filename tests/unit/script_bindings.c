/*
 * Every binding runs again and again while the 1st, 2nd, 3rd ... allocation of Lua (and all after
 * it) fails, until it succeeds: nothing may leak, crash or be left half open. Run it under ASan.
 */
#include <arpa/inet.h>
#include <ftw.h>
#include <netinet/in.h>
#include <pthread.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/base.h"
#include "base/log.h"
#include "queue/queue.h"
#include "script/call.h"
#include "script/session.h"
#include "script/state.h"
#include "tap.h"

static char home[] = "/tmp/kubeque-test-XXXXXX";

static const char setup[] =
	"assert(kubeque.session{home = HOME, create = true})\n"
	"assert(kubeque.fs.mkdir_p(HOME .. '/a/b'))\n"
	"assert(kubeque.fs.write(HOME .. '/a/x.txt', 'hello world'))\n"
	"assert(kubeque.fs.write(HOME .. '/a/c.ini', '[config]\\nk = v\\n; c\\n[other]\\n'))\n"
	"FAILED = assert(kubeque.submit{id = 'failed', cluster = 'other', words = {'false'}}).born\n"
	"assert(kubeque.fs.write(HOME .. '/a/p.csv', 'x,y\\n1,2\\n3,4\\n'))\n"
	"assert(kubeque.fs.write(HOME .. '/a/p.json', '[{\"x\":1},{\"x\":2}]'))\n"
	"OVER = assert(kubeque.submit{id = 'over', rows = 'one', words = {'true'},\n"
	"  default_image = 'none', cluster = 'local'}).born\n"
	"assert(kubeque.control.kill(OVER) == 1)\n"
	"local r = assert(kubeque.submit{id = 'job', rows = 'seq', seq = '1..3',\n"
	"  words = {'echo', '{index}'}, default_image = 'none', cluster = 'local',\n"
	"  env = {'A=b'}, info = '{\"labels\":{\"a\":\"b\"}}'})\n"
	"JOB = assert(kubeque.queue.job('job'))\n"
	"assert(JOB.born == r.born and JOB.n == 3 and r.n == 3)\n"
	"MANIFEST = assert(kubeque.manifest(JOB))\n"
	"BUNDLE = kubeque.json.encode{schema = 1, policies = {{name = 'p', module = 'p'}}, modules = {\n"
	"  p = {file = 'p.lua', text = [[return kubeque.policy {\n"
	"    on_task_failed = function(task, attempt)\n"
	"      return { 'retry', with = { memory = task.class.resources.memory * 2 },\n"
	"        note = task.parameters.a .. attempt.exit_code }\n"
	"    end,\n"
	"    on_task_lost = function(_, node) return { 'wait', note = node.id .. node.waits } end,\n"
	"  }]]}}}\n"
	"BOTH = kubeque.json.encode{schema = 1, policies = {{name = 'p', module = 'p', options = {k = 2}}},\n"
	"  modules = {p = {file = 'p.lua', text = 'return { options = {k = 1}, on_submit = function(job)'\n"
	"    .. ' if job.command == \"no\" then return nil, \"why\" end job.nodes = 7 return job end }'}}}\n";

static const char *const snippets[] = {
	"assert(kubeque.json.encode({1, {a = 'b', c = {}}, true}, {indent = 2}))",
	"assert(kubeque.json.decode('[1, {\"a\": [null, 1.5, \"x\"]}, 9007199254740993]'))",
	"local v, m, c = kubeque.json.decode('[1,') assert(not v and c == 'usage')",
	"assert(kubeque.csv.row{'a', 'b,c', 1} == 'a,\"b,c\",1\\n')",
	"assert(kubeque.units.memory('1.5G') == 1500000000 and kubeque.units.duration('1h') == 3600)",
	"assert(kubeque.units.format_bytes(1500) and kubeque.units.format_duration(90))",
	"assert(kubeque.units.resources('cpu=2,memory=1G,licence=1').licence == 1)",
	"assert(kubeque.ranges('3-7,9')[2][1] == 9)",
	"assert(kubeque.template.expand('{a}-{{a}}', {a = 1, b = 'x'}) == '1-{a}')",
	"assert(kubeque.template.shell('echo {a}', {a = 'x y'}) == \"echo 'x y'\")",
	"local t, m, c = kubeque.template.expand('{c}', {a = 1}) assert(not t and c == 'usage', m)",
	"local r, m, c = kubeque.ranges('7-3') assert(not r and c == 'usage')",
	"assert(kubeque.distance('a', 'b') == 1 and kubeque.glob('*.c', 'x.c'))",
	"assert(kubeque.fs.read(HOME .. '/a/x.txt') == 'hello world')",
	"assert(kubeque.fs.read(HOME .. '/a/x.txt', 5, 6) == 'world')",
	"assert(kubeque.fs.tail(HOME .. '/a/x.txt', 5) == 'world')",
	"assert(kubeque.fs.stat(HOME).type == 'dir' and not kubeque.fs.stat(HOME .. '/nope'))",
	"assert(#kubeque.fs.list(HOME .. '/a') == 5)",
	"assert(#kubeque.fs.glob(HOME .. '/a/*.txt') == 1)",
	"assert(kubeque.fs.realpath('/') == '/' and kubeque.fs.cwd())",
	"assert(kubeque.fs.free(HOME) and kubeque.fs.filesystem(HOME))",
	"assert(kubeque.fs.write(HOME .. '/a/y', 'z') and kubeque.fs.remove(HOME .. '/a/y'))",
	"assert(kubeque.ini(HOME .. '/a/c.ini')[1].value == 'v')",
	"local r, m, c = kubeque.ini(HOME .. '/a/x.txt') assert(not r and c == 'config', m)",
	"local h = assert(kubeque.cas.put_string('text')) assert(kubeque.cas.get(h) == 'text' and kubeque.cas.has(h))",
	"assert(kubeque.cas.put(HOME .. '/a/x.txt') == kubeque.cas.hash(HOME .. '/a/x.txt'))",
	"assert(#kubeque.cas.hash{HOME .. '/a/x.txt', HOME .. '/a/c.ini'} == 2)",
	"local r, m, c = kubeque.cas.hash{HOME .. '/nope'} assert(not r and c == 'io', m)",
	"local r, m, c = kubeque.cas.get(('0'):rep(64)) assert(not r and c == 'not_found')",
	"assert(kubeque.cas.hash_string('hello world') == kubeque.cas.hash(HOME .. '/a/x.txt'))",
	"local ok, m = pcall(function() return kubeque.fs.raed end)\n"
	"assert(not ok and m:find('did you mean kubeque.fs.read?', 1, true), m)",
	"local ok, m = pcall(function() return kubeque.quue end)\n"
	"assert(not ok and m:find('did you mean kubeque.queue?', 1, true), m)",
	"assert(kubeque.command and kubeque.config.linger)",
	"assert(kubeque.budget({seconds = 9, message = 'slow'}, function(a) return a end, 7) == 7)",
	"local ok, e = pcall(kubeque.budget, {seconds = 0, message = 'slow', code = 'busy'},\n"
	"  function() while true do end end) assert(not ok and e.code == 'busy', e)",
	"local ok, e = pcall(require, 'nosuch') assert(not ok and e:find('no module', 1, true), e)",
	"assert(kubeque.proc.user() and kubeque.proc.umask() and kubeque.proc.env())",
	"assert(kubeque.proc.run{'/bin/true', env = {A = 'b'}} == 0)",
	"assert(kubeque.proc.run{'/bin/true', timeout = 60, stderr = 'inherit'} == 0)",
	"local r, m, c = kubeque.proc.run{'/bin/sleep', '60', timeout = 0.01} assert(not r and c == 'timeout', m)",
	"local r = kubeque.proc.all{commands = {{'/bin/cat', stdin = 'a'}, {'/nosuch'}}, parallel = 2}\n"
	"assert(r[1].out == 'a' and r[1].code == 0 and r[2].code == 127 and r[2].err:find('not found'))",
	"assert(kubeque.queue.job('job').id == 'job' and kubeque.queue.job('LAST').n == 3)",
	"local j, m, c = kubeque.queue.job('nosuch') assert(not j and c == 'not_found')",
	"assert(kubeque.queue.job_by_born(JOB.born).id == 'job')",
	"assert(#kubeque.queue.jobs{pattern = 'j*', limit = 10, states = {'open'}} == 1)",
	"assert(kubeque.queue.counts(JOB.born).pending == 3)",
	"local t = kubeque.queue.tasks(JOB.born, {ranges = '2-3', states = {'pending'}}) assert(#t == 2)",
	"assert(kubeque.queue.task(JOB.born, 2).n == 2 and not kubeque.queue.task(JOB.born, 9))",
	"assert(#kubeque.queue.asked(JOB.born, 1) == 0)",
	"local r, m, c = kubeque.policies.ask{bundle = BUNDLE, job = JOB.born, n = 1, k = 1}\n"
	"assert(not r and c == 'not_found', m)",
	"local r, m, c = kubeque.policies.ask{bundle = BUNDLE, job = FAILED, n = 1, k = 1,\n"
	"  class = '{\"resources\":{\"memory\":5}}', parameters = '{\"a\":\"b\"}', tries = 1, same = 2}\n"
	"assert(r.action == 'retry' and r.class.resources.memory == 10 and r.note == 'b3', m)",
	"local r, m, c = kubeque.policies.ask{bundle = BUNDLE, job = FAILED, n = 1, k = 1,\n"
	"  node = {id = 'x', state = 'LOST', cluster = 'c', cap = '{}', info = '{}', waits = 3}}\n"
	"assert(r.action == 'wait' and r.note == 'x3', m)",
	"assert(#kubeque.queue.attempts(JOB.born, 1) == 0 and not kubeque.queue.attempt(JOB.born, 1))",
	"assert(#kubeque.queue.nodes('local') == 0 and #kubeque.queue.held('x') == 0)",
	"assert(kubeque.queue.events(JOB.born, 0))",
	"assert(#kubeque.queue.uuid() == 32 and kubeque.queue.change())",
	"assert(#kubeque.submitter(JOB.born).env >= 0 and not kubeque.submitter(999))",
	"local m = assert(kubeque.manifest(JOB)) m:close()",
	"assert(MANIFEST:common().image == 'none' and MANIFEST:columns()[1] == 'index')",
	"assert(MANIFEST:task(2).argv[2] == '2' and #MANIFEST:inputs() == 0 and not MANIFEST:task(4))",
	"assert(kubeque.results.dir(JOB) and not kubeque.results.path(JOB, 1))",
	"assert(not kubeque.results.stdout(JOB, 1))",
	"local b <close> = kubeque.watch(JOB.born) assert(b:wait(0) == 'timeout')",
	"assert(#kubeque.nodes.list('local') == 0 and not kubeque.nodes.stop('nosuch'))",
	"local p = os.tmpname() assert(kubeque.fs.append(p, 'a') and kubeque.fs.append(p, 'b'))\n"
	"assert(kubeque.fs.read(p) == 'ab') local l = assert(kubeque.fs.lock(p))\n"
	"local other, why, code = kubeque.fs.lock(p, 0.01) assert(not other and code == 'busy')\n"
	"l:close() kubeque.fs.remove(p)",
	"assert(#kubeque.submit{rows = 'seq', seq = '1..3', words = {'echo', '{index}'},"
	" dry_run = true, content = true}.content == 64)",
	"assert(kubeque.submit{rows = 'each', each = {'a', 'b'}, words = {'echo', '{item}'},"
	" dry_run = true,\n"
	"  default_image = 'none', cluster = 'local', event = function() end}.n == 2)",
	"local r, m, c = kubeque.submit{rows = 'one', words = {'echo'}, push = {'/nosuch'}, dry_run = true,\n"
	"  default_image = 'none', cluster = 'local'} assert(not r and c == 'usage', m)",
	"local p = assert(kubeque.policies.check(BOTH)) assert(p[1].name == 'p' and p[1].options.k == 2)",
	"local r, m, c = kubeque.policies.check('{}') assert(not r and c == 'script', m)",
	/* nil without a reason: it failed three times and is off */
	"local n, why = kubeque.policies.scale{pending = 1, job = JOB.born} assert(n == 1 or not why, why)",
	"local r, m, c = kubeque.policies.scale{job = 999} assert(not r and c == 'not_found', m)",
	"assert(kubeque.submit{rows = 'one', words = {'a'}, bundle = BOTH, dry_run = true,\n"
	"  default_image = 'none', cluster = 'local'}.nodes == 7)",
	"local r, m, c = kubeque.submit{rows = 'one', words = {'no'}, bundle = BOTH, dry_run = true,\n"
	"  default_image = 'none', cluster = 'local'} assert(not r and c == 'usage', m)",
	"assert(kubeque.control.kill(JOB.born, '3') <= 1)",
	"assert(kubeque.control.reset(JOB.born, {ranges = '3', states = {'killed'}}) <= 1)",
	"assert(kubeque.control.drain('nosuch') == false)",
	"assert(kubeque.machine().cpus > 0 and kubeque.machine_check())",
	"assert(kubeque.reap{lease = 20} == 0)",
	"assert(kubeque.control.ring_nodes())",
	"local r, m, c = kubeque.control.remove(JOB.born, {}) assert(not r and c == 'conflict', m)",
	"assert(kubeque.units.possible('{\"cpu\":2}', '{\"cpu\":1}', '{\"cpu\":4,\"memory\":1}'))",
	"local r, m, c = kubeque.units.possible('{\"cpu\":2}', '{\"cpu\":1}')\n"
	"assert(not r and c == 'usage' and m:find('cpu'))",
	"assert(kubeque.csv.row{''} == '\"\"\\n' and kubeque.csv.row{'', ''} == ',\\n')",
	"assert(kubeque.proc.call{'/bin/sh', '-c', 'exit $A', env = {A = '3'}, cwd = '/'} == 3)",
	"assert(kubeque.proc.call{'/nosuch'} == 127)",
	"kubeque.fs.remove_tree(HOME .. '/m') assert(kubeque.fs.mkdir_p(HOME .. '/m'))\n"
	"assert(kubeque.materialize{cas = HOME .. '/CAS', dir = HOME .. '/m', inputs = {}})\n"
	"local r, m, c = kubeque.materialize{cas = HOME .. '/CAS', dir = HOME .. '/m', inputs = {\n"
	"  {dst = 'x', sha256 = ('0'):rep(64), size = 1}}} assert(not r, m)",
	"assert(require('kubeque.fs') == kubeque.fs)",
	"assert(#kubeque.embedded.list('commands/') > 20 and #kubeque.embedded.list('nosuch/') == 0)",
	"assert(kubeque.line.load()) kubeque.line.add('x') assert(not kubeque.line.forget_interrupt())",
	"assert(kubeque.line.read('', function() return {} end) == nil)", /* stdin is at its end */
	"assert(kubeque.session(function() end))",
	"local s, m, c = kubeque.screen() assert(not s and c == 'usage', m)",
	"assert(kubeque.embedded.text('policies/default'):find('on_task_failed'))",
	"local r, m, c = kubeque.embedded.text('nosuch') assert(not r and c == 'not_found', m)",
	"local r = assert(kubeque.http.request{url = URL, headers = {a = 'b', c = 1}, body = 'x'})\n"
	"assert(r.status == 201 and r.body == 'done' and r.headers.x == '1, 2' and r.retry_after == 3)",
	"local r, m, c = kubeque.http.request{url = 'http://127.0.0.1:1/'} assert(not r and c == 'busy', m)",
	"assert(kubeque.http.version():find('libcurl'))",
	"local p = kubeque.params local r = p.product({a = p.range(1, 3)}, {u = p.uniform(0, 1)})\n"
	"  :map{c = function(row) return row.a .. 'x' end}\n"
	"local s = assert(kubeque.spool(r)) assert(s.count == 3 and #s.sha256 == 64 and s.columns[3] == 'c')\n"
	"assert(kubeque.submit{rows = 'params', spool = s, words = {'echo', '{c}'}, dry_run = true,\n"
	"  default_image = 'none', cluster = 'local'}.n == 3) s:close()",
	"local s, m, c = kubeque.spool(kubeque.params.values{1, 0/0}) assert(not s and c == 'script', m)",
	"assert(#kubeque.params.file(HOME .. '/a/p.csv'):rows() == 2)",
	"assert(kubeque.params.json(HOME .. '/a/p.json'):rows()[2].x == '2')",
	"local s, m, c = kubeque.source.file(HOME .. '/nope.csv') assert(not s and c == 'usage', m)",
	"assert(kubeque.params.sqlite(HOME .. '/queue.db', 'select 1 as a, 2.5 as b'):rows()[1].b == 2.5)",
	"local s, m, c = kubeque.source.sqlite(HOME .. '/queue.db', 'nonsense') assert(not s, m)",
	"assert(kubeque.sweep.params({'a=1..3', 'b=log:1..100:3'}, {sample = 4}):count() == 4)",
	"assert(kubeque.csv.text(0.1) == '0.1' and kubeque.csv.text(2.0) == '2')",
	"assert(kubeque.events.over(JOB.born) == false and kubeque.events.told(JOB.born))",
	"assert(kubeque.events.over(OVER).job == 'over' and #kubeque.events.over(OVER).effects == 0)",
	"assert(kubeque.time.utc(kubeque.time.now()) and kubeque.time.log(0) and kubeque.time.id(0))",
};

/* Options that must be refused by name. */
static const struct { const char *code, *message; } wrong[] = {
	{ "kubeque.session{hom = '/x'}", "unknown option 'hom' (did you mean home?)" },
	{ "kubeque.session{home = 3}", "option 'home': string expected, got number" },
	{ "kubeque.session{}", "option 'home' is missing" },
	{ "kubeque.session{home = '/a\\0b'}", "NUL byte" },
	{ "kubeque.session{home = 'relative'}", "absolute path" },
	{ "kubeque.queue.jobs{limit = 1.5}", "option 'limit' is out of range" },
	{ "kubeque.queue.jobs{limit = -1}", "option 'limit' is out of range" },
	{ "kubeque.queue.jobs{limit = 0/0}", "option 'limit' is out of range" },
	{ "kubeque.queue.jobs{limit = '5'}", "option 'limit': number expected, got string" },
	{ "kubeque.queue.jobs{'x'}", "options are names" },
	{ "kubeque.queue.jobs{states = {'opne'}}", "no state 'opne' can be given here" },
	{ "kubeque.queue.tasks(JOB.born, {states = {}})", "empty" },
	{ "kubeque.queue.job(3.5, 'x').x = 1", NULL },
	{ "kubeque.control.reset(JOB.born, {states = {'pending'}})", "no state 'pending' can be given here" },
	{ "kubeque.control.reset(JOB.born, {})", "option 'states' is missing" },
	{ "kubeque.materialize{cas = '/x', dir = '/y'}", "option 'inputs' is missing" },
	{ "kubeque.proc.call{}", "no program" },
	{ "kubeque.sleep(-1)", "out of range" },
	{ "kubeque.sleep(1e300)", "out of range" },
	{ "kubeque.sleep(0/0)", "out of range" },
	{ "kubeque.time.utc(1 << 62)", "out of range" },
	{ "kubeque.json.encode(print)", "no word for a function" },
	{ "kubeque.json.encode({1, a = 2})", "names and other keys" },
	{ "local t = {} t.t = t kubeque.json.encode(t)", "nested deeper" },
	{ "kubeque.json.encode(1/0)", "no word for" },
	{ "kubeque.proc.run{}", "no program" },
	{ "kubeque.http.request{}", "option 'url' is missing" },
	{ "kubeque.http.request{url = URL, boddy = 'x'}", "did you mean body?" },
	{ "kubeque.http.request{url = URL, body = {}}", "option 'body': string expected" },
	{ "kubeque.http.request{url = URL, headers = {'x'}}", "option 'headers'" },
	{ "kubeque.http.request{url = URL, headers = {['a: b'] = 'x'}}", "no name of a header" },
	{ "kubeque.http.request{url = URL, headers = {a = {}}}", "option 'headers'" },
	{ "kubeque.http.request{url = URL, timeout = 0}", "option 'timeout' is out of range" },
	{ "assert(kubeque.http.request{url = 'nosuch'})", "begins with http:// or https://" },
	{ "kubeque.proc.all{commands = {{}}}", "no program" },
	{ "kubeque.proc.all{comands = {}}", "did you mean commands?" },
	{ "kubeque.proc.all{commands = {{'/bin/cat', stdin = 'a'}, 3}}", "table expected" },
	{ "kubeque.proc.run{'/bin/true', stderr = 'x'}", "inherit" },
	{ "kubeque.proc.run{'/bin/true', timeout = -1}", "out of range" },
	{ "kubeque.spool(3)", "table expected" },
	{ "kubeque.spool{}", "params expected" },
	{ "kubeque.spool{columns = {}, open = print}", "params without columns" },
	{ "kubeque.spool{columns = {1}, open = print}", "column 1 has no name" },
	{ "kubeque.spool{columns = {'a'}, open = function() end}", "function expected" },
	{ "kubeque.submit{rows = 'params', spool = {}}", "kubeque.spool expected, got table" },
	{ "kubeque.source.file('x', 'xml')", "invalid option 'xml'" },
	{ "MANIFEST.close(3)", "kubeque.manifest expected" },
	{ "local m = kubeque.manifest(JOB) m:close() m:common()", "closed" },
};

/* Compiles and runs; 0, or -1 with err. */
static int run(lua_State *L, const char *code, struct err *err)
{
	int ret;

	*err = (struct err)ERR_INIT;
	if (luaL_loadstring(L, code) != LUA_OK) {
		err_set(err, ERR_SCRIPT, "%s", lua_tostring(L, -1));
		lua_pop(L, 1);
		return -1;
	}
	ret = script_call(L, 0, 0, err);
	lua_settop(L, 0);
	return ret;
}

/* One snippet with less and less memory missing. */
static void sweep(lua_State *L, const char *code)
{
	struct err err = ERR_INIT;
	int64_t at;
	int ret = -1;

	if (luaL_loadstring(L, code) != LUA_OK) {
		ok(false, "%s: %s", code, lua_tostring(L, -1));
		lua_settop(L, 0);
		return;
	}
	for (at = 1; at < 20000 && ret < 0; at++) {
		lua_pushvalue(L, 1);
		lua_gc(L, LUA_GCCOLLECT);
		script_fail_at = at;
		ret = script_call(L, 0, 0, &err);
		script_fail_at = 0;
		if (ret < 0 && !strstr(err.text, "not enough memory") &&
		    !strstr(err.text, "stack overflow"))
			break;
		lua_settop(L, 1);
	}
	ok(ret == 0, "%s (%lld failures)", code, (long long)at - 2);
	if (ret < 0)
		printf("# %s\n", err.text);
	lua_settop(L, 0);
}

/* A web server that always says the same. */
static void *serve(void *arg)
{
	static const char text[] = "HTTP/1.1 201 Created\r\nContent-Length: 4\r\nX: 1\r\nX: 2\r\n"
				   "Retry-After: 3\r\nConnection: close\r\n\r\ndone";
	int listener = (int)(intptr_t)arg, fd;

	while ((fd = accept(listener, NULL, NULL)) >= 0) {
		char request[4096], *end = NULL;
		size_t n = 0;
		ssize_t got;

		while (!end && (got = read(fd, request + n, sizeof(request) - n - 1)) > 0) {
			n += (size_t)got;
			request[n] = '\0';
			end = strstr(request, "\r\n\r\nx");
		}
		(void)send(fd, text, sizeof(text) - 1, MSG_NOSIGNAL);
		(void)shutdown(fd, SHUT_WR);
		(void)!read(fd, request, sizeof(request));
		close(fd);
	}
	return NULL;
}

static bool start_server(char *url, size_t size)
{
	struct sockaddr_in a = { .sin_family = AF_INET,
				 .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t n = sizeof(a);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	pthread_t t;

	if (bind(fd, (struct sockaddr *)&a, n) < 0 || listen(fd, 16) < 0 ||
	    getsockname(fd, (struct sockaddr *)&a, &n) < 0)
		return false;
	(void)snprintf(url, size, "http://127.0.0.1:%d/", ntohs(a.sin_port));
	return pthread_create(&t, NULL, serve, (void *)(intptr_t)fd) == 0;
}

static int remove_one(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
	(void)st;
	(void)flag;
	(void)ftw;
	return remove(path);
}

static size_t want_one(void *ctx, const struct job *job, int class, size_t left)
{
	(void)ctx, (void)job, (void)class, (void)left;
	return 1;
}

/* The task of job `failed` has run once, and ended with code 3. */
static int fail_task(struct err *err)
{
	char path[300], empty[] = "{}", cap[] = "{\"cpu\":1,\"memory\":1000}", cluster[] = "other";
	const struct queue_sqlite_options o = { .path = path, .busy_ms = 5000 };
	const struct node n = { .id = "N", .cluster = cluster, .cap = cap, .info = empty };
	struct claim_request req = { .node = "N", .op = 7, .seq = -1, .max = 1, .want = want_one };
	struct outcome out = { .a = { .n = 1, .k = 1, .cause = CAUSE_EXIT, .exit_code = 3 } };
	struct claim_reply reply;
	struct claimed got;
	struct queue *q;

	(void)snprintf(path, sizeof(path), "%s/queue.db", home);
	q = queue_sqlite_open(&o, err);
	if (!q || queue_node_register(q, &n, false, 8, err) < 0 ||
	    queue_claim(q, &req, &got, &reply, err) != 1)
		return -1;
	out.v = got.v;
	out.a.job = got.job;
	(void)queue_finish(q, "N", &out, 1, -1, 9, err);
	queue_close(q);
	return out.answer == ANSWER_ACCEPTED ? 0 : -1;
}

int main(void)
{
	struct err err = ERR_INIT;
	struct script *s = script_host_new(&err);
	char url[64];

	(void)setenv("no_proxy", "*", 1);
	if (!s || !mkdtemp(home) || !start_server(url, sizeof(url)))
		return 1;
	lua_pushstring(s->L, url);
	lua_setglobal(s->L, "URL");
	lua_pushstring(s->L, home);
	lua_setglobal(s->L, "HOME");
	ok(run(s->L, setup, &err) == 0, "a job is submitted %s", err.text);
	ok(fail_task(&err) == 0, "a task of another one has failed %s", err.text);
	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
		int ret = run(s->L, wrong[i].code, &err);

		ok(ret < 0 && (!wrong[i].message || strstr(err.text, wrong[i].message)), "%s: %s",
		   wrong[i].code, err.text);
	}
	for (size_t i = 0; i < ARRAY_SIZE(snippets); i++)
		sweep(s->L, snippets[i]);
	script_free(s);

	int64_t at;

	for (at = 1; at < 100000; at++) {
		script_fail_at = at;
		s = script_host_new(&err);
		script_fail_at = 0;
		if (s)
			break;
	}
	ok(s && at > 100, "a state is built in spite of %lld failures", (long long)at - 1);
	script_free(s);
	(void)nftw(home, remove_one, 16, FTW_DEPTH | FTW_PHYS);
	return tap_done();
}
