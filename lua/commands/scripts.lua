-- Every script in effect, where it came from and what it overrides; copies of stock ones to edit.

local fault = require "kubeque.fault"
local names = require "kubeque.names"
local output = require "kubeque.output"
local scripts = require "kubeque.scripts"

local columns = {
  { "kind" }, { "name" }, { "place" }, { "overrides" }, { "path" }, { "note" },
}

-- ---- listing ----

---Why a script that was found cannot be used, or nil. Bodies of commands run (for at most half a
---second); of others only the syntax is looked at.
local function fault_of(found)
  if found.blocked then
    return found.blocked
  elseif found.place == "builtin" then
    return nil
  elseif found.kind == "commands" then
    local _, why = require("kubeque.cli").check_own(found)
    return why
  end
  local text, why = found.text()
  if not text then
    return why
  end
  local chunk
  chunk, why = scripts.compile(text, found.path)
  return not chunk and why or nil
end

local function overrides_text(found)
  local out = {}
  for i, other in ipairs(found.overrides) do
    out[i] = other.place
  end
  return table.concat(out, ", ")
end

local function list(opt)
  local data = opt.json or opt.jsonl
  local out = output.open(opt, columns)
  for _, found in ipairs(scripts.list { kind = opt.kind and scripts.plural[opt.kind] }) do
    if not (opt.own and found.place == "builtin") then
      local why = fault_of(found)
      out:row { kind = scripts.singular[found.kind], name = found.name, place = found.place,
        path = found.path or "", note = why or "",
        overrides = data and kubeque.json.array(found.overrides) or overrides_text(found) }
    end
  end
  out:close()
end

-- ---- eject ----

---The stock script of this name: its kind and text.
local function stock(name, kind)
  local hits = {}
  for _, folder in ipairs(scripts.kinds) do
    local text = kubeque.embedded.text(folder .. "/" .. name)
    if text and (not kind or scripts.plural[kind] == folder) then
      hits[#hits + 1] = { folder = folder, text = text }
    end
  end
  if #hits > 1 then
    fault.raisef("usage", "%s is a %s and a %s: say which with --kind", name,
      scripts.singular[hits[1].folder], scripts.singular[hits[2].folder])
  elseif not hits[1] then
    local known = {}
    for _, folder in ipairs(scripts.kinds) do
      for _, path in ipairs(kubeque.embedded.list(folder .. "/")) do
        known[#known + 1] = path:sub(#folder + 2)
      end
    end
    fault.raisef("usage", 'there is no stock %s "%s"%s', kind or "script", name,
      names.hint(name, known, { other = "see: kubeque scripts" }))
  end
  return hits[1]
end

---The text to edit: it says where it is from, and a command that it stands for the stock one.
local function ejected(name, hit)
  local head = ("-- The stock %s of kubeque %s, to be changed. The original is still there as\n"
    .. "-- require \"builtin.%s.%s\"; without this file it is in effect again.\n--\n"):format(
    scripts.singular[hit.folder], kubeque.version.kubeque, hit.folder, name)
  local text = hit.text
  if hit.folder == "commands" then
    local n
    text, n = text:gsub(('\n(%%s*)name = "%s",[^\n]*'):format(name:gsub("%-", "%%-")),
      "%0\n%1replaces = true,", 1)
    if n == 0 then
      fault.raisef("script", "%s cannot be ejected: write a command with replaces = true that "
        .. "hands over to require \"builtin.commands.%s\"", name, name)
    end
  end
  return head .. text
end

local function eject(opt, args)
  if #args ~= 1 then
    return nil, "eject takes one name: kubeque scripts eject NAME", "usage"
  end
  local hit = stock(args[1], opt.kind)
  local paths = require("kubeque.install").write(opt.to or "user",
    { { ("%s/%s.lua"):format(hit.folder, args[1]), ejected(args[1], hit) } })
  kubeque.out(paths[1] .. "\n")
end

-- ---- check ----

local function check(_, files)
  if #files == 0 then
    return nil, "check takes files: kubeque scripts check FILE...", "usage"
  end
  return require("kubeque.check").main(files)
end

local actions = { eject = eject, check = check }

local function run(opt, args)
  local action = args[1]
  if not action then
    return list(opt)
  elseif not actions[action] then
    return nil, ('scripts does not know "%s"%s'):format(action,
      names.hint(action, names.of(actions),
        { other = "it lists, or does eject or check" })), "usage"
  end
  return actions[action](opt, table.move(args, 2, #args, 1, {}))
end

return {
  name = "scripts",
  summary = "list every script in effect, copy a stock one to edit, check one",
  usage = "scripts [eject NAME | check FILE...] [options]",
  description = [[
Scripts are commands, policies, providers and recipes: files NAME.lua in a folder of that name, in
the project's .kubeque.d/lua (once it is trusted), in ~/.config/kubeque/lua, in /etc/kubeque/lua, or
built in. The first place that has a name wins; the list says what it overrides, and in its note why
one is not used.

  kubeque scripts eject status     copies the stock command for you to change
  kubeque scripts check FILE       looks for mistakes without running anything]],
  options = output.with_options {
    { "kind", value = "KIND", type = "choice",
      choices = { "command", "policy", "provider", "recipe" }, help = "only these" },
    { "own", help = "only those that are not built in" },
    { "to", value = "PLACE", type = "choice", choices = { "user", "project" },
      help = "eject: into ~/.config/kubeque/lua (user) or .kubeque.d/lua (project)" },
  },
  args = { { "eject|check", optional = true }, { "NAME", optional = true, many = true } },
  run = run,
}
