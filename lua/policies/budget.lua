-- Adds no more nodes once those there were have cost so much. Nodes that run go on until they are
-- out of work; what was started is paid for.
--
--   kubeque sub --nodes 20 --policy budget:limit=50,price=0.4 ...
--
-- The cost is what all nodes of the cluster have lived while the job was open, ended ones too, times
-- the price of an hour.

return kubeque.policy {
  name = "budget",
  summary = "add no more nodes once they have cost so much",
  options = {
    limit = 0, -- in the currency of the price
    price = 0, -- of one node for one hour
  },

  on_submit = function(_, options)
    if options.limit <= 0 or options.price <= 0 then
      return nil, "budget needs two amounts: --policy budget:limit=50,price=0.4 (price: a node, an hour)"
    end
  end,

  scale = function(state, options)
    local cost = state.node_hours * options.price
    if cost >= options.limit then
      return state.nodes
    end
  end,
}
