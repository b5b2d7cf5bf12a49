-- docs/configuration.md, from the table of keys.

local M = {}

local intro = [[
# Configuration

Made by `make docs` from the table that the program itself uses (`lua/kubeque/keys.lua`); edit
that.

Without any configuration kubeque runs on this machine. Settings are lines `key = value` in a
section `[config]`:

```
[config]
default_resource_cpu = 0.5
default_url_prefix = results/
```

Strongest first, a value comes from: options of the command · environment variables
`KUBEQUE_<KEY>` (capitals) · the file of `--config FILE` or `KUBEQUE_CONFIG`, which is read
instead of all others · the nearest `.kubeque` from the current directory upwards (as far as the
home directory or a mount point) · `~/.kubeque` · `${XDG_CONFIG_HOME:-~/.config}/kubeque/config`
· what gcloud holds · the default. Files merge key by key, but the keys that say *where* (marked
below) are taken together from the first file that sets `default_url_prefix` or `project`.
`kubeque config` prints every key, its value and where it came from; `kubeque validate` tries
each part for real.

A file found on the way up that belongs to another user, or that others can write, is not read;
one line says so. A relative path in a file starts at that file; `~/` and `file://` are
understood, a trailing `/` does not matter. Key names may be written in any case. Comments begin
with `;` or `#` at the start of a line, and ` ;` after a value ends it. Unknown keys are
warnings with the nearest known name; unknown sections, lines that are neither key, section nor
comment, continuation lines and lines above 4,096 bytes are errors with file and line.

Memory is `100M`, `1.5G` or plain bytes (K, M, G, T are powers of 1000; Ki, Mi, Gi, Ti of 1024);
durations are `90`, `90s`, `5m`, `2h`, `1d`, `1h30m`; CPUs may be a fraction.

| key | default | where | meaning |
| --- | --- | --- | --- |
]]

local providers = [[

## Node providers

`provider` chooses where nodes come from, `provider.KEY = value` sets an option of it (in the
environment `KUBEQUE_PROVIDER_KEY`). Such lines count if their file chooses the same provider or
none. What a provider does not know is an error with file, line and the nearest name.
[providers.md](providers.md) says how to choose one and how to write one.
]]

local outro = [[

## The store of this machine

`$KUBEQUE_HOME` holds the queue, the CAS, the results and the logs of nodes; `default_url_prefix`
moves the results and, unless `cas_url_prefix` is set, the CAS with them. It belongs to one user and
one machine. On a network file system the queue lives in `/var/tmp/kubeque-UID` instead.

## Other environment variables

`KUBEQUE_HOME`, `KUBEQUE_CONFIG` as above. `NO_COLOR` (not empty) removes colour, `FORCE_COLOR` (not
empty, not 0) gives `status` its colour when piped, too; `TERM=dumb` and a stderr that is no
terminal remove the live line; `COLUMNS` is the width of tables on a terminal and of the live line.
Any other `KUBEQUE_X` is a warning.
]]

local function default_of(key)
  if key.shown then
    return key.shown
  elseif key.default == nil then
    return ""
  end
  return "`" .. require("kubeque.config").show(key, key.default) .. "`"
end

function M.markdown()
  local out = {}
  for _, key in ipairs(require "kubeque.keys") do
    local name = key.env and "`" .. key.env .. "` (environment only)" or "`" .. key[1] .. "`"
    for _, alias in ipairs(key.alias or {}) do
      name = name .. ", `" .. alias .. "`"
    end
    local help = key.help:gsub("|", "\\|")
    if key.choices then
      help = help .. ": `" .. table.concat(key.choices, "`, `") .. "`"
    end
    out[#out + 1] = ("| %s | %s | %s | %s |"):format(name, default_of(key),
      key.where and "yes" or "", help)
  end
  return intro .. table.concat(out, "\n") .. "\n" .. providers
    .. require("kubeque.provider").markdown() .. outro
end

return M
