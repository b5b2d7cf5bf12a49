-- Bytes and files: by job (forgotten ones too), of the CAS, of what was left behind.

local fault = require "kubeque.fault"
local output = require "kubeque.output"

local columns = {
  { "what" }, { "kind" }, { "bytes", type = "bytes" }, { "files", type = "number" }, { "path" },
}

local function run(opt, args, ctx)
  local out = output.open(opt, columns)
  if ctx:session { read_only = true } then
    local pattern = args[1]
    if pattern then -- LAST and ids that exist nowhere are told apart here
      pattern = pattern == "LAST" and require("kubeque.select").job(ctx, pattern, true).id or pattern
    end
    local found
    for _, row in ipairs(fault.check(kubeque.clean.du())) do
      if not pattern or (row.kind == "job" or row.kind == "forgotten")
        and kubeque.glob(pattern, row.what) then
        found = true
        out:row(row)
      end
    end
    if pattern and not found then
      require("kubeque.select").jobs(ctx, pattern, true) -- exit 3 for an id that is none
    end
  elseif args[1] then
    require("kubeque.select").jobs(ctx, args[1])
  end
  out:close()
end

return {
  name = "du",
  summary = "show how many bytes and files jobs, the CAS and leftovers take",
  usage = "du [PATTERN] [options]",
  options = output.with_options {},
  args = { { "PATTERN", optional = true } },
  run = run,
}
