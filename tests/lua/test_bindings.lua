-- The libraries of the global `kubeque`, inside the program.

package.path = arg[0]:match("^(.*)/[^/]*$") .. "/?.lua"
local tap = require "tap"
local is, same, like, ok = tap.is, tap.same, tap.like, tap.ok
local fs, proc, json, units = kubeque.fs, kubeque.proc, kubeque.json, kubeque.units

local dir = assert(fs.tmpdir())

-- json: what goes in comes out, 64 bits wide
is(json.encode { b = 1, a = { 1, 2 } }, '{"a":[1,2],"b":1}', "keys are sorted")
is(json.encode(json.array {}), "[]", "an empty list says so")
is(json.encode {}, "{}", "an empty table is an object")
is(json.encode(json.decode "[]"), "[]", "an empty list stays one")
is(json.decode "9007199254740993", 9007199254740993, "integers keep 64 bits")
is(json.encode(math.mininteger), "-9223372036854775808", "the smallest one, too")
is(json.encode(0.1), "0.1", "the shortest number that reads back")
is(json.encode(1e300), "1e+300", "a large one")
is(json.decode("1e300"), 1e300, "and back")
ok(json.decode('{"a":null}').a == json.null, "null is a value of its own")
is(json.encode { a = json.null }, '{"a":null}', "and written as such")
is(json.encode { { a = 1 } , indent = nil }, '[{"a":1}]', "a list of objects")
is(json.encode({ a = { 1 } }, { indent = 2 }), '{\n  "a": [\n    1\n  ]\n}', "indented")
is(json.encode("a\"\\\n\1\u{e9}"), '"a\\"\\\\\\n\\u0001\u{e9}"', "texts are escaped")
is(json.encode("\xff"), '"\\\\xFF"', "a byte that is no UTF-8 is shown")
local value, why, code = json.decode '{"a":1,}'
ok(value == nil and code == "usage", "what is no JSON is refused")
like(why, "line 1", "with its place")
ok(not json.decode("99999999999999999999"), "a number of more than 64 bits is refused")

-- files
ok(fs.write(dir .. "/a", "hello\0world"), "a file is written")
is(fs.read(dir .. "/a"), "hello\0world", "and read, NUL bytes and all")
is(fs.read(dir .. "/a", 5), "hello", "its beginning")
is(fs.read(dir .. "/a", 5, 6), "world", "a part")
is(fs.read(dir .. "/a", 5, 600), "", "nothing behind its end")
is(fs.tail(dir .. "/a", 5), "world", "its end")
is(select(3, fs.read(dir .. "/nope")), "not_found", "a missing file has a code")
is(fs.stat(dir .. "/a").size, 11, "stat")
ok(fs.mkdir_p(dir .. "/x/y"), "directories")
ok(fs.write(dir .. "/x/y/.h.csv", ""), "a hidden file")
same(fs.list(dir), { "a", "x" }, "list is sorted")
same(fs.glob(dir .. "/**/*.csv"), { dir .. "/x/y/.h.csv" }, "** goes down, a leading dot is nothing special")
same(fs.glob(dir .. "/*.csv"), {}, "* stays on its level")
same(fs.glob(dir .. "/nosuch/*"), {}, "a pattern below nothing")
ok(fs.rename(dir .. "/a", dir .. "/b") and not fs.stat(dir .. "/a"), "rename")
ok(fs.writable(dir) and fs.executable "/bin/sh", "access")
ok(fs.free(dir) > 0, "free space")
is(type(fs.filesystem(dir)), "string", "the file system has a name")
is(fs.realpath(dir .. "/x/../x"), fs.realpath(dir) .. "/x", "realpath")

-- what is compiled in
ok(#kubeque.embedded.list() > #kubeque.embedded.list "commands/", "all scripts, and those of a folder")
is(kubeque.embedded.list("policies/default")[1], "policies/default", "by path without the ending")
like(kubeque.embedded.text "commands/sub", 'name = "sub"', "as written")
is(select(3, kubeque.embedded.text "commands/nosuch"), "not_found", "one that is not there")

-- ini: what inih would take in silence is refused with its line
local function ini(text)
  fs.write(dir .. "/c", text)
  return kubeque.ini(dir .. "/c")
end
local rows, sections = ini "\u{feff}# c\n[config]\nA = b c ; d\nempty =\r\n; x\n[other]\nk: v\n"
same(rows, { { section = "config", key = "A", value = "b c", line = 3 },
  { section = "config", key = "empty", value = "", line = 4 },
  { section = "other", key = "k", value = "v", line = 7 } }, "keys with their lines")
same(sections, { { section = "config", line = 2 }, { section = "other", line = 6 } }, "sections")
for text, message in pairs {
  ["[a]\nk=" .. ("x"):rep(4095)] = ":2: this line is longer than 4096 bytes",
  ["[a]\nk=1\n  more\n"] = ":3: a line that continues",
  ["[a]\nword\n"] = ":2: this is neither",
  ["[a\n"] = ":1: a section without",
  ["k=1\0\n"] = ":1: this line holds a NUL",
  ["=1\n"] = ":1: a value without",
  ["[" .. ("x"):rep(60) .. "]\n"] = ":1: the name of this section",
} do
  local r, m, c = ini(text)
  ok(r == nil and c == "config", "refused: " .. message)
  ok(m and m:find(message, 1, true), "and why: " .. tostring(m))
end
ok(ini("[a]\nk=" .. ("x"):rep(4094)), "4096 bytes are fine")

-- processes
same({ proc.run { "sh", "-c", "cat; echo e >&2; exit 3", stdin = "in" } }, { 3, "in", "e\n" },
  "code, stdout, stderr")
do
  local began = kubeque.time.mono()
  local got = proc.all { timeout = 0.3, commands = { { "sleep", "60" }, { "sh", "-c", "exit 3" },
    { "sleep", "60" }, { "cat", stdin = "x" } } }
  ok(got[1].timeout and got[3].timeout and got[1].code == 255 and kubeque.time.mono() - began < 10,
    "several programs at a time, each with its limit")
  same({ got[2].code, got[4].code, got[4].out, got[4].timeout }, { 3, 0, "x", nil },
    "what each said, in order")
end
is(proc.run { "/nosuch/program" }, 127, "127: not there")
is(proc.run { "sh", "-c", "kill -9 $$" }, 137, "128 + signal")
same({ proc.run { "sh", "-c", "echo $A$B", env = { A = "x", PATH = "/bin:/usr/bin" } } },
  { 0, "x\n", "" }, "an environment of its own")
is(select(2, proc.run { "pwd", cwd = "/" }), "/\n", "a directory of its own")
proc.setenv("KQ_TEST", "1")
is(proc.env().KQ_TEST, "1", "setenv")
proc.setenv("KQ_TEST", nil)
is(proc.env().KQ_TEST, nil, "unset")
is(proc.user_name(0), "root", "names of users")
ok(proc.umask() < 512, "umask")

-- units
is(units.memory "1.5G", 1500000000, "memory")
is(units.duration "1h30m", 5400, "duration")
is(math.type(units.duration "90"), "integer", "whole seconds are integers")
is(units.duration "500ms", 0.5, "parts of a second are not")
same(units.resources "cpu=0.5,memory=2G,licence=1", { cpu = 0.5, memory = 2000000000, licence = 1 },
  "resources")
is(select(3, units.resources "memory=5Q"), "usage", "5Q is refused")
is(kubeque.csv.row { "a", 'b"c', "d,e", 1, "" }, 'a,"b""c","d,e",1,\n', "a row of CSV")
same(kubeque.ranges "9,3-5,4-7", { { 3, 7 }, { 9, 9 } }, "ranges are merged")
is(kubeque.job_id_fault "fine-1", nil, "an id")
ok(kubeque.job_id_fault "a/b" and kubeque.job_id_fault "" and kubeque.job_id_fault "LAST"
  and kubeque.job_id_fault(("x"):rep(500)) and kubeque.job_id_fault "a.3", "and what is none")

-- time and waiting
like(kubeque.time.utc(1505468988062), "^2017%-09%-15T09:49:48%.062Z$", "UTC")
is(kubeque.sleep(0.001), "timeout", "sleep")
is(kubeque.interrupted(), nil, "nobody interrupted")
local before = kubeque.log.level "error"
is(kubeque.log.level(before), "error", "log level")

-- a store of its own
local q = kubeque.queue
is(select(3, q.job "x"), "usage", "no store is open yet")
assert(kubeque.session { home = dir .. "/home", create = true } == true)
fs.mkdir_p(dir .. "/home", 448)
is(select(3, q.job "LAST"), "not_found", "no job yet")
local done = assert(kubeque.submit { id = "one", rows = "seq", seq = "3", words = { "echo", "{index}" },
  default_image = "none", cluster = "local", info = '{"labels":{"a":"b"}}' })
local job = assert(q.job "LAST")
is(job.id, "one", "LAST is the job just submitted")
same({ job.born, job.n, job.state, job.info.labels.a }, { done.born, 3, "open", "b" }, "and its row")
ok(job.secret == nil, "without what is secret")
same(q.counts(job.born), { pending = 3 }, "counts")
is(#q.tasks(job.born, { after = 1, limit = 1 }), 1, "tasks by page")
is(q.tasks(job.born, { after = 1 })[1].n, 2, "in order")
is(#q.tasks(job.born, { states = { "claimed", "killed" } }), 0, "by state")
is(#q.tasks(job.born, { label = "pending" }), 3, "by label")
is(#q.jobs { pattern = "o*" }, 1, "jobs by pattern")
is(#q.jobs { before = job.bound }, 0, "jobs by page")
local m <close> = kubeque.manifest(job)
is(m:n(), 3, "the manifest")
same(m:task(2).argv, { "echo", "2" }, "a task's words")
same(m:task(3).parameters, { { "index", "3" } }, "and parameters")
is(select(3, m:task(4)), "not_found", "no fourth task")
is(m:common().image, "none", "what all share")
is(kubeque.results.path(job, 1), nil, "no results yet")
is(kubeque.policies.scale { pending = 3, nodes = 0 }, 1, "the stock policy wants one node")
is(kubeque.policies.scale { pending = 3, nodes = 1, wanted = 4 }, 4, "or what the user wants")
do
  local bell <close> = kubeque.watch(job.born)
  is(bell:wait(0), "timeout", "nobody rang")
  is(#fs.list(dir .. "/home/bells"), 1, "a bell is a file")
end
is(#fs.list(dir .. "/home/bells"), 0, "and gone when it is closed")

ok(fs.remove_tree(dir) and not fs.stat(dir), "remove_tree")
tap.done()
