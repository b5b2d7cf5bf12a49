-- More nodes for a job's cluster.

local fault = require "kubeque.fault"

local function is_count(text)
  return text:match("^%d+$") ~= nil
end

---Which word is the job and which the number. Of two numbers the first is the job.
local function order(a, b)
  if is_count(b) then
    return a, b
  elseif is_count(a) then
    return b, a
  end
  fault.raisef("usage", "%s: how many nodes? usage: kubeque addnodes JOB N", b)
end

local function run(opt, args, ctx)
  ctx:session()
  local name, text = order(args[1], args[2])
  local count = math.tointeger(tonumber(text))
  if not count or count < 1 or count > 1000 then
    fault.raisef("usage", "%s nodes: from 1 to 1000 can be added", text)
  end
  local job = require("kubeque.select").job(ctx, name, true)
  local started = require("kubeque.nodes").add(ctx, { count = count, job = job.id })
  if opt.quiet then
    for _, node in ipairs(started) do
      kubeque.out(node.id .. "\n")
    end
  else
    kubeque.log.info(("Added %d node%s to the cluster of %s"):format(#started,
      #started == 1 and "" or "s", job.id))
  end
end

return {
  name = "addnodes",
  summary = "add nodes to the cluster of a job",
  usage = "addnodes JOB N",
  description = "The provider of the configuration starts them (docs/providers.md). On this machine, "
    .. "the default, a further node adds CPU slots: more tasks run at a time than there are CPUs. "
    .. "Memory is counted once for the machine.",
  args = { { "JOB" }, { "N" } },
  run = run,
}
