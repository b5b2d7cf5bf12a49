-- What may stand at the end of a command line, for the shells' completion: from the declarations
-- of the commands, the store and the scripts that there are.
--
-- candidates(words) gets the words after `kubeque`, the last one being written (it may be ""), and
-- returns a list of { text, description }, or "files" or "dirs": names of these, which shells know
-- best. Nothing here fails or says anything: then there is nothing to offer.

local options = require "kubeque.options"

local M = {}

---Candidates that begin with what is there.
local function matching(list, begun)
  local out = {}
  for _, item in ipairs(list) do
    local text = type(item) == "table" and item[1] or item
    if text:sub(1, #begun) == begun then
      out[#out + 1] = type(item) == "table" and item or { text }
    end
  end
  return out
end

-- ---- what words stand for ----

local kinds = {}

---Job ids, newest first, and LAST; nothing when there is no store.
function kinds.JOB(begun)
  local list = {}
  local ok, opened = pcall(kubeque.open, { read_only = true })
  for _, job in ipairs(ok and opened and kubeque.queue.jobs { limit = 500 } or {}) do
    list[#list + 1] = { job.id, ("%s, %d tasks"):format(job.state, job.n) }
  end
  if #list > 0 then
    table.insert(list, 1, { "LAST", "the job submitted last" })
  end
  return matching(list, begun)
end

function kinds.NODE(begun)
  local list = {}
  local ok, opened = pcall(kubeque.open, { read_only = true })
  for _, node in ipairs(ok and opened and kubeque.queue.nodes() or {}) do
    list[#list + 1] = { node.id, node.state }
  end
  return matching(list, begun)
end

function kinds.COMMAND(begun)
  local cli, list = require "kubeque.cli", {}
  for _, name in ipairs(cli.names()) do
    list[#list + 1] = { name, cli.load(name).summary }
  end
  for _, own in ipairs(cli.own()) do
    if own.command and not own.replaces then
      list[#list + 1] = { own.name, own.command.summary }
    end
  end
  table.sort(list, function(a, b) return a[1] < b[1] end)
  return matching(list, begun)
end

---Names of scripts of one kind; files where none begins so.
local function scripts_of(kind)
  return function(begun)
    local list = matching(require("kubeque.scripts").names(kind), begun)
    return #list > 0 and list or "files"
  end
end

kinds.SPEC = scripts_of "policies"
kinds.RECIPE = scripts_of "recipes"
kinds.PATTERN, kinds["JOB.N"], kinds.JOB1, kinds.JOB2 = kinds.JOB, kinds.JOB, kinds.JOB, kinds.JOB

function kinds.FILE()
  return "files"
end

function kinds.DIR()
  return "dirs"
end

---Candidates for a placeholder of a declaration ("JOB", "FILE", "csv|tsv").
local function for_placeholder(name, begun)
  name = name:gsub("%.%.%.$", "")
  if kinds[name] then
    return kinds[name](begun)
  elseif name:find "^[%l%d|-]+$" and name:find("|", 1, true) then
    local list = {}
    for word in name:gmatch "[^|]+" do
      list[#list + 1] = word
    end
    return matching(list, begun)
  elseif name:find "FILE" then
    return "files"
  elseif name:find "DIR" then
    return "dirs"
  end
  return {}
end

local function for_value(option, begun)
  local decl = option.decl
  if decl.choices then
    return matching(decl.choices, begun)
  elseif option.key == "push" then
    return "files"
  elseif option.key == "stop" or option.key == "owner" then
    return kinds.NODE(begun)
  end
  return for_placeholder(decl.value or "", begun)
end

-- ---- the words so far ----

---Walks words up to the last: what was taken. Calls on_word(word) for those that are no options.
---Returns the option whose value the last word is, or nil; `true` second: options have ended.
local function walk(index, words, first, on_word)
  local at = first
  while at < #words do
    local word = words[at]
    at = at + 1
    if word == "--" then
      for i = at, #words - 1 do
        on_word(words[i], i)
      end
      return nil, true
    elseif word:sub(1, 2) == "--" and #word > 2 then
      local option = not word:find("=", 1, true) and index.long[word:sub(3)]
      if option and option.decl.value and option.decl.optional == nil then
        if at == #words then
          return option
        end
        at = at + 1
      end
    elseif word:sub(1, 1) == "-" and #word > 1 then
      local option = index.short[word:sub(-1)]
      if #word == 2 and option and option.decl.value and option.decl.optional == nil then
        if at == #words then
          return option
        end
        at = at + 1
      end
    elseif on_word(word, at - 1) then
      return nil, true
    end
  end
end

---Options that are not hidden, as they may be written.
local function option_list(index, begun)
  local list = {}
  for _, option in ipairs(index.list) do
    if not option.decl.hidden then
      list[#list + 1] = { option.name and "--" .. option.name or "-" .. option.shorts[1],
        option.decl.help }
    end
  end
  table.sort(list, function(a, b) return a[1] < b[1] end)
  return matching(list, begun)
end

---A word that begins with -: an option's name, or its value behind "=".
local function for_option(index, begun)
  local name, value = begun:match "^%-%-([^=]+)=(.*)$"
  if not name then
    return option_list(index, begun)
  end
  local option = index.long[name]
  local list = option and option.decl.value and for_value(option, value) or {}
  if type(list) == "string" then
    return list, #name + 3
  end
  local out = {}
  for i, item in ipairs(list) do
    out[i] = { ("--%s=%s"):format(name, item[1]), item[2] }
  end
  return out
end

---The actions of a command whose first word is one: what comes behind it.
local actions = {
  scripts = { eject = function(begun)
    local list = {}
    for _, kind in ipairs(require("kubeque.scripts").kinds) do
      for _, path in ipairs(kubeque.embedded.list(kind .. "/")) do
        list[#list + 1] = path:sub(#kind + 2)
      end
    end
    return matching(list, begun)
  end, check = function() return "files" end },
}

---Candidates for the words of a command: `given` are those that stand already.
local function for_argument(command, given, begun)
  local action = actions[command.name] and actions[command.name][given[1]]
  if action then
    return action(begun)
  elseif command.words then
    return "files"
  end
  local args = command.args or {}
  local decl = args[#given + 1] or (#args > 0 and args[#args].many and args[#args])
  return decl and for_placeholder(decl[1], begun) or {}
end

---@param words string[]
---@return table|string
function M.candidates(words)
  local begun, name, at = words[#words] or "", nil, nil
  local none = options.index {}
  local option = walk(none, words, 1, function(word, i)
    name, at = word, i
    return true
  end)
  if option then
    return for_value(option, begun)
  elseif not name then
    return begun:sub(1, 1) == "-" and for_option(none, begun) or kinds.COMMAND(begun)
  end
  local command = require("kubeque.cli").find(name)
  if not command then
    return {}
  end
  local index, given = options.index(command), {}
  local ended
  option, ended = walk(index, words, at + 1, function(word)
    given[#given + 1] = word
    return command.words
  end)
  if option then
    return for_value(option, begun)
  elseif begun:sub(1, 1) == "-" and not ended then
    return for_option(index, begun)
  end
  return for_argument(command, given, begun)
end

-- ---- shells ----

---bash divides words at "=": `--format = csv` is one word for us.
function M.joined(words)
  local out, i = {}, 1
  while i <= #words do
    local word = words[i]
    if word == "=" and #out > 0 and out[#out]:find "^%-%-" then
      out[#out] = out[#out] .. "=" .. (words[i + 1] or "")
      i = i + 1
    else
      out[#out + 1] = word
    end
    i = i + 1
  end
  return out
end

M.scripts = {}

M.scripts.bash = [[
# kubeque completion for bash: eval "$(kubeque completion bash)", or as a file in
# ~/.local/share/bash-completion/completions/kubeque
_kubeque() {
  local line
  COMPREPLY=()
  while IFS= read -r line; do
    case $line in
    :files) compopt -o default; COMPREPLY=(); return ;;
    :dirs) compopt -o dirnames; COMPREPLY=(); return ;;
    *) COMPREPLY+=("$(printf '%q' "${line%%$'\t'*}")") ;;
    esac
  done < <("${COMP_WORDS[0]}" complete --shell bash -- "${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null)
}
complete -F _kubeque kubeque
]]

M.scripts.zsh = [[
#compdef kubeque
# kubeque completion for zsh: eval "$(kubeque completion zsh)", or as a file _kubeque in $fpath
_kubeque() {
  local line
  local -a found
  while IFS= read -r line; do
    case $line in
    :files) _files; return ;;
    :dirs) _files -/; return ;;
    *$'\t'*) found+=("${${line%%$'\t'*}//:/\\:}:${line#*$'\t'}") ;;
    *) found+=("${line//:/\\:}") ;;
    esac
  done < <("${words[1]}" complete --shell zsh -- "${(@)words[2,CURRENT]}" 2>/dev/null)
  _describe kubeque found
}
compdef _kubeque kubeque
]]

M.scripts.fish = [[
# kubeque completion for fish: kubeque completion fish | source, or as a file
# ~/.config/fish/completions/kubeque.fish
function __kubeque_complete
  set -l words (commandline -opc) (commandline -ct)
  set -l found ($words[1] complete --shell fish -- $words[2..-1] 2>/dev/null)
  switch "$found[1]"
    case :files
      __fish_complete_path (commandline -ct)
    case :dirs
      __fish_complete_directories (commandline -ct)
    case '*'
      string join \n -- $found
  end
end
complete -c kubeque -f -a '(__kubeque_complete)'
]]

---What the shell's function reads: a candidate a line, its description behind a tab.
function M.lines(words, shell)
  if shell == "bash" then
    words = M.joined(words)
  end
  local list, out = M.candidates(words), {}
  if type(list) == "string" then
    return ":" .. list .. "\n"
  end
  local skip = shell == "bash" and #((words[#words] or ""):match "^%-%-[^=]*=" or "") or 0
  for i, item in ipairs(list) do
    local about = item[2] and item[2]:gsub("[%c]+", " ")
    out[i] = item[1]:sub(skip + 1) .. (about and "\t" .. about or "") .. "\n"
  end
  return table.concat(out)
end

return M
