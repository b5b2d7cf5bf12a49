-- Options: declarations, parsing, help.
package.path = arg[0]:match "^(.*)/" .. "/?.lua;" .. package.path
local t = require "tap"
local options = require "kubeque.options"

local command = {
  name = "sub", usage = "sub [options] command", summary = "submit a job", words = true,
  options = {
    { "name", "n", value = "ID", help = "job id" },
    { "push", "u", value = "SPEC", many = true, help = "an input" },
    { "params", "p", value = "FILE", help = "one task a row" },
    { "retries", value = "N", type = "int", min = 0, max = 10, help = "further attempts" },
    { "timeout", value = "DUR", type = "duration", help = "a limit" },
    { "env", value = "K=V", type = "kv", bare = true, many = true, help = "environment" },
    { "format", value = "F", type = "choice", choices = { "csv", "tsv" }, help = "how" },
    { "show", value = "any|failed", optional = "all", type = "choice",
      choices = { "any", "failed" }, help = "copy output" },
    { "dry-run", "dryrun", help = "change nothing" },
    { "each", value = "WORD...", type = "words", help = "one task a word" },
    { "jobs", "j", value = "N", type = "int", help = "at a time" },
    { "max-stdout", value = "SIZE", type = "memory", help = "cut" },
    { "detached", "d", help = "flag" },
  },
}
local plain = { name = "x", usage = "x A [B]", options = command.options,
  args = { { "A" }, { "B", optional = true } } }

local opt, args = options.parse(command, { "-n", "a", "--push=x", "-u", "y", "prog", "-n", "z" })
t.is(opt.name, "a", "a short option takes the next word")
t.same(opt.push, { "x", "y" }, "a repeatable option is a list, in both spellings")
t.same(args, { "prog", "-n", "z" }, "options end at the first word that is none")

args = select(2, options.parse(command, { "--", "--name" }))
t.same(args, { "--name" }, "-- ends the options")
opt, args = options.parse(plain, { "a", "-n", "b", "--", "-c" })
t.same({ args, opt.name }, { { "a", "-c" }, "b" }, "elsewhere options may follow words")

opt = options.parse(command, { "-qdj4", "x" })
t.same({ opt.quiet, opt.detached, opt.jobs }, { true, true, 4 }, "short options bundle")
opt = options.parse(command, { "--dryrun", "--show", "--timeout", "1h30m", "--max-stdout=1.5G" })
t.same({ opt.dry_run, opt.show, opt.timeout, opt.max_stdout }, { true, "all", 5400, 1500000000 },
  "aliases, optional values, durations, sizes")
opt = options.parse(command, { "--show=failed", "--env", "A=b=c", "--env", "HOME" })
t.same({ opt.show, opt.env }, { "failed", { { key = "A", value = "b=c" }, { key = "HOME" } } },
  "K=V splits at the first =")
opt, args = options.parse(command, { "--each", "a", "-b", "--", "echo", "{item}" })
t.same({ opt.each, args }, { { "a", "-b" }, { "echo", "{item}" } }, "--each takes words up to --")

local function refused(argv, c)
  local got, why, code = options.parse(c or command, argv)
  return not got and code == "usage" and why
end
t.is(refused { "--parms", "f" }, "unknown option --parms (did you mean --params?)", "a typo")
t.is(refused { "--para", "f" }, "unknown option --para (did you mean --params?)", "an abbreviation")
t.like(refused { "-z" }, "^unknown option %-z", "an unknown letter")
t.is(refused { "-name", "x" } or "ok", "ok", "-name is -n with the value ame")
t.is(refused { "--retries", "x" }, 'option --retries: "x" is not a whole number', "not a number")
t.like(refused { "--retries=-1" }, "too small", "below the least")
t.like(refused { "--retries", "11" }, "too large", "above the most")
t.like(refused { "--timeout", "5q" }, "option %-%-timeout: \"5q\" is no duration", "a bad duration")
t.is(refused { "--format", "xml" }, 'option --format: "xml" is none of csv, tsv', "a bad choice")
t.is(refused { "--name" }, "option --name needs a value: --name ID", "a missing value")
t.is(refused { "--dry-run=1" }, "option --dry-run takes no value", "a flag with a value")
t.like(refused { "--env", "=x" }, "is not K=V", "K=V without K")
t.like(refused { "--each", "a" }, "end with %-%-", "--each without --")
t.like(refused({}, plain), "^A is missing; usage: kubeque x A %[B%]", "a missing word")
t.like(refused({ "a", "b", "c" }, plain), '^unexpected "c"', "a word too many")

local _, _, at = options.parse({}, { "-q", "--config", "f", "status", "-q" }, 1, true)
t.is(at, 4, "the options before the command end at its name")

local help = require("kubeque.help").command(command, 80)
t.like(help, "\n  %-n, %-%-name ID +job id\n", "help lists short and long name, value, meaning")
t.like(help, "%-%-show%[=any|failed%]", "help shows an optional value")
for line in help:gmatch("[^\n]+") do
  if #line > 80 then
    t.ok(false, "help fits 80 columns: " .. line)
  end
end
t.is(#options.dump(command), 13 + 6, "the dump has own and common options")
t.done()
