-- `help` and docs/commands.md, from the declarations of the commands.

local options = require "kubeque.options"

local M = {}

local INDENT = 26

---Breaks text into lines of at most `width` characters at blanks.
function M.wrap(text, width)
  local lines, line = {}, ""
  for word in text:gmatch("%S+") do
    if line ~= "" and #line + 1 + #word > width then
      lines[#lines + 1], line = line, word
    else
      line = line == "" and word or line .. " " .. word
    end
  end
  lines[#lines + 1] = line
  return lines
end

---One entry of a two-column list.
local function entry(out, left, text, width)
  local lines = M.wrap(text or "", math.max(20, width - INDENT))
  left = "  " .. left
  if #left > INDENT - 2 then
    out[#out + 1] = left
    left = ""
  end
  for _, line in ipairs(lines) do
    out[#out + 1] = (left .. (" "):rep(INDENT - #left) .. line):gsub("%s+$", "")
    left = ""
  end
end

local function paragraphs(out, text, width)
  for paragraph in (text .. "\n\n"):gmatch("(.-)\n%s*\n") do
    out[#out + 1] = ""
    if paragraph:find("^  ") then -- an example: as it is
      out[#out + 1] = paragraph
    else
      for _, line in ipairs(M.wrap(paragraph, width)) do
        out[#out + 1] = line
      end
    end
  end
end

local function sentence(text)
  return text:sub(1, 1):upper() .. text:sub(2) .. "."
end

---`kubeque help NAME`.
function M.command(command, width)
  width = math.min(math.max(width or 80, 40), 100)
  local out = { "usage: kubeque " .. command.usage, "" }
  for _, line in ipairs(M.wrap(sentence(command.summary), width)) do
    out[#out + 1] = line
  end
  if command.description then
    paragraphs(out, command.description, width)
  end
  local own, common = options.groups(command)
  if #own > 0 then
    out[#out + 1] = "\nOptions:"
    for _, option in ipairs(own) do
      entry(out, options.spelling(option), option.decl.help, width)
    end
  end
  out[#out + 1] = "\nOptions of every command:"
  for _, option in ipairs(common) do
    entry(out, options.spelling(option), option.decl.help, width)
  end
  return table.concat(out, "\n") .. "\n"
end

---A line (or more) of the overview.
local function overview_entry(out, name, text, width)
  local left = "  " .. name
  for _, line in ipairs(M.wrap(text, width - 15)) do
    if #left > 14 then
      out[#out + 1] = left
      left = ""
    end
    out[#out + 1] = left .. (" "):rep(15 - #left) .. line
    left = ""
  end
end

local whose = { project = "of this project", user = "yours", site = "of this site" }

---What help says of a command of the user's (kubeque.cli.own()).
local function own_text(own)
  if own.fault then
    return "cannot be used: " .. own.fault
  end
  return ("%s (%s%s)"):format(own.command.summary, whose[own.place],
    own.replaces and ", instead of kubeque's" or "")
end

---`kubeque help`: all commands, a line each. `load(name)` gives a command; `own`: kubeque.cli.own().
function M.overview(groups, load, width, own)
  width = math.min(math.max(width or 80, 40), 100)
  local out = { "usage: kubeque COMMAND [options] [arguments]", "",
    "Runs batches of commands, on this machine or on many." }
  for _, group in ipairs(groups) do
    out[#out + 1] = "\n" .. group.title .. ":"
    for _, name in ipairs(group) do
      overview_entry(out, name, load(name).summary, width)
    end
  end
  if own and #own > 0 then
    out[#out + 1] = "\nNot built in:"
    for _, command in ipairs(own) do
      overview_entry(out, command.name, own_text(command), width)
    end
  end
  out[#out + 1] = "\nOne command: kubeque help COMMAND. A first job: kubeque sub echo hello"
  return table.concat(out, "\n") .. "\n"
end

local function escape(text)
  return (text:gsub("[|<>]", { ["|"] = "\\|", ["<"] = "&lt;", [">"] = "&gt;" }))
end

local function markdown_options(out, list)
  out[#out + 1] = "| option | meaning |\n| --- | --- |"
  for _, option in ipairs(list) do
    local spelling = options.spelling(option):gsub("|", "\\|")
    local help = escape(option.decl.help or "")
    if option.decl.many then
      help = help .. " (repeatable)"
    end
    out[#out + 1] = ("| `%s` | %s |"):format(spelling, help)
  end
end

---docs/commands.md.
function M.markdown(groups, load)
  local out = { "# Commands\n",
    "Made by `make docs` from the declarations that the program itself uses; edit those.\n",
    "Options of every command, before or after its name:\n" }
  local _, common = options.groups({ options = {} })
  markdown_options(out, common)
  for _, group in ipairs(groups) do
    out[#out + 1] = "\n## " .. group.title
    for _, name in ipairs(group) do
      local command = load(name)
      out[#out + 1] = ("\n### kubeque %s\n\n```\nkubeque %s\n```\n\n%s"):format(name,
        command.usage, sentence(command.summary))
      if command.description then
        for paragraph in (command.description .. "\n\n"):gmatch("(.-)\n%s*\n") do
          out[#out + 1] = "\n" .. (paragraph:find("^  ") and "```\n" .. paragraph .. "\n```" or
            table.concat(M.wrap(escape(paragraph), 100), "\n"))
        end
      end
      local own = options.groups(command)
      if #own > 0 then
        out[#out + 1] = ""
        markdown_options(out, own)
      end
    end
  end
  return table.concat(out, "\n") .. "\n"
end

return M
