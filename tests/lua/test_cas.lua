-- kubeque.cas: content by its hash.

package.path = arg[0]:match("^(.*)/[^/]*$") .. "/?.lua"
local tap = require "tap"
local is, same, like, ok = tap.is, tap.same, tap.like, tap.ok
local cas, fs = kubeque.cas, kubeque.fs

local dir = assert(fs.tmpdir())
local hello <const> = "5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03"

ok(kubeque.session { home = dir .. "/home", create = true }, "a session")
fs.write(dir .. "/f", "hello\n")
is(cas.hash(dir .. "/f"), hello, "the hash of a file")
fs.write(dir .. "/g", "")
same(cas.hash { dir .. "/f", dir .. "/g", dir .. "/f" }, { hello,
  "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855", hello }, "of several, in order")
same(cas.hash {}, {}, "of none")
local hash, why, code = cas.hash { dir .. "/f", dir .. "/nope" }
ok(hash == nil and why:find("/nope", 1, true) and code, "a missing one is named")

same({ cas.put(dir .. "/f") }, { hello, 6 }, "put stores a file")
same({ cas.put(dir .. "/f") }, { hello, 6 }, "and says the same when it is there")
is(cas.put_string "hello\n", hello, "text with the same content has the same name")
is(cas.has(hello), true, "it is there")
is(cas.has(("0"):rep(64)), false, "something else is not")
is(cas.get(hello), "hello\n", "get gives the bytes")
is(select(3, cas.get(("0"):rep(64))), "not_found", "or says that there is nothing")
local binary = cas.put_string "a\0b"
is(cas.get(binary), "a\0b", "NUL bytes come through")
ok(not pcall(cas.get, "nonsense"), "a hash that is none is misuse")
like(select(2, cas.put(dir)), "no regular file", "a directory is no file")

fs.remove_tree(dir)
tap.done()
