-- Compiles Lua scripts into the program: embed.lua OUT_DIR FILE...
-- Writes OUT_DIR/lua_set.bin (texts and precompiled code, one after the other) and
-- OUT_DIR/lua_set.c (the table that points into it). A script that does not compile fails the
-- build with its file and line.

local out, files = arg[1], table.move(arg, 2, #arg, 1, {})

local function path_of(file)
  return (file:gsub("^lua/", ""):gsub("%.lua$", ""))
end

table.sort(files, function(a, b) return path_of(a) < path_of(b) end)

local blob, size, rows, failed = {}, 0, {}, false

local function add(text)
  local at = size
  blob[#blob + 1] = text
  blob[#blob + 1] = "\0"
  size = size + #text + 1
  return at
end

for _, file in ipairs(files) do
  local text = assert(io.open(file, "rb")):read("a")
  local path = path_of(file)
  local chunk, why = load(text, "@" .. path .. ".lua", "t")
  if not chunk then
    io.stderr:write("lua/", why, "\n")
    failed = true
  else
    local code = string.dump(chunk)
    rows[#rows + 1] = ("\t{ \"%s\", lua_set + %d, %d, lua_set + %d, %d },\n")
      :format(path, add(text), #text, add(code), #code)
  end
end
if failed then os.exit(1) end

local function write(name, text)
  local f <close> = assert(io.open(out .. "/" .. name, "wb"))
  assert(f:write(text))
end

write("lua_set.bin", table.concat(blob))
write("lua_set.c", ([[
/* Made by scripts/embed.lua. */
#include "script/embed.h"

__asm__(".pushsection .rodata\n"
	".global lua_set\n"
	".hidden lua_set\n"
	"lua_set:\n"
	".incbin \"%s/lua_set.bin\"\n"
	".byte 0\n"
	".popsection\n");
extern const char lua_set[] __attribute__((visibility("hidden")));

const struct embedded embedded_set[] = {
%s};
const size_t embedded_count = %d;
]]):format(out, table.concat(rows), #rows))
