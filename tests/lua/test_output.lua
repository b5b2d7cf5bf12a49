-- Listings in every format, and selectors.
-- luacheck: globals kubeque
package.path = arg[0]:match "^(.*)/" .. "/?.lua;" .. package.path
local t = require "tap"
local output = require "kubeque.output"
local select = require "kubeque.select"

local columns = {
  { "id" }, { "when", type = "time" }, { "took", type = "duration" }, { "size", type = "bytes" },
  { "labels" }, { "only_data", only = "data" }, { "only_table", only = "table" },
}
local rows = {
  { id = "a", when = 1505468988062, took = 90.5, size = 1500000, labels = { x = "1" },
    only_data = "d", only_table = "t" },
  { id = 'b,"\t\n', took = 1.25 },
}

---What a listing prints.
local function printed(opt, list)
  local text, real = {}, kubeque.out
  kubeque.out = function(...)
    for _, part in ipairs { ... } do
      text[#text + 1] = part
    end
  end
  local out = output.open(opt, columns)
  for _, row in ipairs(list or rows) do
    out:row(row)
  end
  out:close()
  kubeque.out = real
  return table.concat(text)
end

t.is(printed { json = true },
  '[\n{"id":"a","when":"2017-09-15T09:49:48.062Z","took":90.5,"size":1500000,"labels":{"x":"1"},'
  .. '"only_data":"d"},\n{"id":"b,\\"\\t\\n","when":null,"took":1.25,"size":null,"labels":null,'
  .. '"only_data":null}\n]\n', "json: one document, UTC times, null for what is unknown")
t.is(printed({ json = true }, {}), "[]\n", "json of nothing is an empty list")
t.is(#printed({ jsonl = true }):gsub("[^\n]", ""), 2, "jsonl: one object a line")
t.is(printed { format = "csv" }, 'id,when,took,size,labels,only_data\na,2017-09-15T09:49:48.062Z,'
  .. '90.5,1500000,"{""x"":""1""}",d\n"b,""\t\n",,1.25,,,\n', "csv is quoted as RFC 4180 says")
t.is(printed { format = "tsv" }, 'id\twhen\ttook\tsize\tlabels\tonly_data\n'
  .. 'a\t2017-09-15T09:49:48.062Z\t90.5\t1500000\t{"x":"1"}\td\nb,"\\t\\n\t\t1.25\t\t\t\n',
  "tsv: a tab ends a field")
t.is(printed { quiet = true }, 'a\nb,"\t\n\n', "-q: ids only")
local text = printed {}
t.like(text, "^ID +WHEN +TOOK +SIZE +LABELS +ONLY TABLE\n", "a table has a heading")
t.like(text, "\na .*2017%-09%-15 %d%d:49:48 +1m30s +1%.5M +x: 1 +t\n", "and amounts for people")
t.ok(not text:find("\t", 1, true), "and no control characters")
t.is(printed({}, {}), "", "an empty table prints nothing")
t.is(output.cut("äöü", 2), "äö", "text is cut by characters")

-- ---- selectors ----
t.same({ select.split "job" }, { "job" }, "an id alone")
t.same({ select.split "v1.2x" }, { "v1.2x" }, "a dot in an id")
t.same({ select.split "job.3" }, { "job", "3" }, "a task")
t.same({ select.split "a.b.3-7,9" }, { "a.b", "3-7,9" }, "tasks")
t.same({ select.split "s*.2" }, { "s*", "2" }, "tasks of a pattern")
t.same({ select.split "LAST.1" }, { "LAST", "1" }, "a task of LAST")
local ok, fault = pcall(select.split, "job.0")
t.ok(not ok and fault.code == "usage", "there is no task 0")

local ctx = { opened = false }
ok, fault = pcall(select.job, ctx, "nosuch")
t.ok(not ok and fault.code == "not_found" and fault.message:find("no job nosuch", 1, true) == 1,
  "without a store no job is found")
ok, fault = pcall(select.job, ctx, "LAST")
t.ok(not ok and fault.code == "not_found" and fault.message:find("LAST", 1, true), "LAST neither")
ok, fault = pcall(select.job, ctx, "a*")
t.ok(not ok and fault.code == "usage", "one job is no pattern")
t.same({ select.jobs(ctx, "a*") }, { {} }, "a pattern may match nothing")
t.done()
