-- The language of sweeps.
package.path = arg[0]:match "^(.*)/" .. "/?.lua;" .. package.path
local t = require "tap"
local sweep = kubeque.sweep

local function text(params)
  local lines = { table.concat(params.columns, ",") }
  for row in params:each() do
    local cells = {}
    for i, name in ipairs(params.columns) do
      cells[i] = kubeque.csv.text(row[name])
    end
    lines[#lines + 1] = table.concat(cells, " ")
  end
  return table.concat(lines, ";")
end

local function of(...)
  return text(sweep.params { ... })
end

t.is(of "s=1..3", "s;1;2;3", "A..B")
t.is(of "s=3..1", "s;3;2;1", "counting down")
t.is(of "s=-1..1", "s;-1;0;1", "below 0")
t.is(of "t=0..1..0.25", "t;0;0.25;0.5;0.75;1", "in steps")
t.is(of "t=1..0..-0.5", "t;1;0.5;0", "in steps downwards")
t.is(of "t=1e3..3e3..1e3", "t;1000;2000;3000", "exponents")
t.is(of "t=.5..2.5", "t;0.5;1.5;2.5", "fractions, in steps of 1")
t.is(of "x=lin:0..1:5", "x;0;0.25;0.5;0.75;1", "lin")
t.is(of "x=log:1e-5..1e-1:5", "x;1e-05;0.0001;0.001;0.01;0.1", "log")
t.is(of "x=log:1e2..1e-1:4", "x;100;10;1;0.1", "log downwards")
t.is(of "o=adam,sgd", "o;adam;sgd", "values")
t.is(of "o=1e-3,01, a ,", "o;1e-3;01; a ;", "values are as they stand, the empty one too")
t.is(of [[o="a,b",c"d,"say ""hi""",""]], "o;a,b;c\"d;say \"hi\";", "quoted values")
t.is(of [[o="1..5"]], "o;1..5", "what is quoted is a value")
t.is(of [[o="log:1..2:3",x]], "o;log:1..2:3;x", "also if it looks like a kind")
t.is(of "o=http://a/b,ftp://c", "o;http://a/b;ftp://c", "a colon is text where no kind is meant")
t.is(of "o=main..dev", "o;main..dev", "as are two points between words")
t.is(of "o=a=b", "o;a=b", "only the first = counts")
t.is(of("a=1,2", "b=x,y"), "a,b;1 x;1 y;2 x;2 y", "the last factor varies fastest")

t.is(text(sweep.params({ "a=1,2", "b=x,y", "c=7,8" }, { zip = { "a,c" } })),
  "a,c,b;1 7 x;1 7 y;2 8 x;2 8 y", "zip: in the place of the first")
t.is(text(sweep.params { "a=5,\"1..3\"" }), "a;5;1..3", "a text like a range, in quotes")
t.is(text(sweep.params { "a=..3,v1..v2" }), "a;..3;v1..v2", "texts that are no ranges")
t.is(text(sweep.params { "a=9223372036854775806..9223372036854775808" }), "a;9223372036854775806",
  "a whole number keeps its digits where the bounds are fractions")
t.is(text(sweep.params({ "k=0", "a=1,2", "b=x,y", "c=7,8", "d=3,4" }, { zip = { "c,a", "b,d" } })),
  "k,a,c,b,d;0 1 7 x 3;0 1 7 y 4;0 2 8 x 3;0 2 8 y 4", "two groups")

local drawn = sweep.params { "a=1..2", "u=uniform:0..1", "i=int:1..3", "n=normal:5,0",
  "l=loguniform:2..2" }
t.is(drawn:count(), 2, "random factors do not multiply")
t.same({ drawn[2].n, drawn[2].l }, { 5.0, 2.0 }, "normal and loguniform")
t.ok(drawn[1].u ~= drawn[2].u and math.type(drawn[1].i) == "integer", "drawn for each row")
t.ok(sweep.params({ "a=1", "u=uniform:0..1" }, { seed = 1 })[1].u ~= drawn[1].u, "from the seed")
t.is(sweep.params({ "u=uniform:0..1" }, { sample = 3 })[2].u, drawn[2].u,
  "samples of random factors alone")
local lhs = sweep.params({ "x=uniform:0..4", "o=a,b,c,d" }, { lhs = 4, seed = 2 })
local strata, options = {}, {}
for row in lhs:each() do
  strata[math.floor(row.x)], options[row.o] = true, true
end
t.ok(strata[0] and strata[1] and strata[2] and strata[3] and options.a and options.b and options.c
  and options.d, "lhs")
t.is(sweep.params({ "x=uniform:0..1", "o=a,b" }, { sobol = 8 }):count(), 8, "sobol")
t.same(sweep.params({ "a=1..1000", "b=1..1000" }, { sample = 3 }):rows(),
  kubeque.params.product({ a = kubeque.params.range(1, 1000) },
    { b = kubeque.params.range(1, 1000) }):sample(3):rows(), "sample is that of kubeque.params")

-- what a seed gave once it gives for ever: the whole text of a sweep with every kind of number
t.is(kubeque.spool(sweep.params({ "lr=log:1e-5..1e-1:3", "u=loguniform:1e-5..1e-1", "n=normal:0,1",
  "i=int:1..100", "x=uniform:-1..1" }, { seed = 42 })).sha256,
  "d35e8749e2a99e4fd918062f2f02d646e6bc1a8cd41bd73020afed025cb78f1a",
  "the same numbers on every machine, in every version")

local function fails(texts, opts)
  local ok, why = pcall(sweep.params, texts, opts)
  return not ok and why or "no error"
end
for factor, want in pairs {
  ["lr=log:1e-5..x:7"] = 'character 14: the second bound: "x" is no number',
  ["lr=log:1e-5..1"] = "character 15: \":\" and the number of points",
  ["lr=log:1e-5..1:0"] = "character 16: the number of points is a whole number",
  ["lr=log:1e-5..1:3:4"] = "character 17: nothing more is expected",
  ["lr=log:0..1:3"] = "bounds are above 0",
  ["lr=lgo:1..2:3"] = "did you mean log?",
  ["lr=normla:0,1"] = "did you mean normal?",
  ["lr"] = "a factor is NAME=VALUES",
  ["=1"] = "a factor is NAME=VALUES",
  ["a="] = "character 3: a value is missing",
  ['a="x'] = "character 3: the quote is not closed",
  ['a="x"y'] = "character 6: a comma is needed",
  ["a=1..2..0"] = "a step of 0",
  ["a=1..2..-1"] = "leads away",
  ["a=1..2,5"] = "character 7: nothing more",
  ["a=1..1e400"] = "is too large",
  ["a=1..0x5"] = "is no number",
  ["a=uniform:2..1"] = "above the highest",
  ["a=normal:1"] = "standard deviation",
  ["a=normal:1,-1"] = "deviation is negative",
  ["a=int:1.5..2"] = "a whole number",
  ["kq_a=1"] = "kubeque's own",
} do
  local why = fails { "z=1", factor }
  t.ok(why:find(want, 1, true) and why:find("factor 2, " .. factor .. ": ", 1, true)
    and why:find "test_sweep.lua:%d+: ", "refused, with factor and place: " .. factor)
end
for why, got in pairs {
  ["at least one factor"] = fails {},
  ["factors 1 and 3 are both named \"a\""] = fails { "a=1", "b=1", "a=2" },
  ["every factor is random"] = fails { "a=uniform:0..1" },
  ["--sample and --sobol exclude each other"] = fails({ "a=1" }, { sample = 1, sobol = 1 }),
  ["--sample: 3 rows were asked for and there are 2"] = fails({ "a=1,2" }, { sample = 3 }),
  ["--zip: \"a\" has 2 rows and \"b\" has 3"] = fails({ "a=1,2", "b=1..3" }, { zip = { "a,b" } }),
  ["--zip: there is no factor \"c\""] = fails({ "a=1,2", "b=1..3" }, { zip = { "a,c" } }),
  ["--zip a: at least two names"] = fails({ "a=1,2", "b=1..3" }, { zip = { "a" } }),
  ["--zip a,a: \"a\" stands in --zip a,a already"] = fails({ "a=1,2", "b=1,2" }, { zip = { "a,a" } }),
  ["--zip b,c: \"b\" stands in --zip a,b already"] = fails({ "a=1,2", "b=1,2", "c=1,2" },
    { zip = { "a,b", "b,c" } }),
  ["factor 1, a=5,1..3: character 5: a range stands alone"] = fails { "a=5,1..3" },
  ["factor 1, a=1...3: character 7: two points stand between the bounds"] = fails { "a=1...3" },
  ["the text is not UTF-8"] = fails { "a=\xff" },
  ["--zip: \"b\" is random"] = fails({ "a=1", "b=uniform:0..1" }, { zip = { "a,b" } }),
  ["unknown option sampel (did you mean sample?)"] = fails({ "a=1" }, { sampel = 1 }),
} do
  t.ok(got:find(why, 1, true), "refused: " .. why)
end
t.done()
