#ifndef NODES_NODES_H
#define NODES_NODES_H
/*
 * Where nodes come from: local processes now, Compute Engine and any Lua table later. A provider
 * starts and stops consumers; what a node does once it lives is in the queue's node rows.
 */
#include "base/err.h"
#include "model/task.h"

struct nodes;

struct nodes_request {
	const char *cluster;
	int count;            /* how many to add */
	bool first;           /* only if the cluster has none (the loser leaves by itself) */
	const char *job;      /* id of the job they are for, for the log line; NULL: none */
};

struct provider_node {
	const char *id;
	const char *state; /* the provider's own word */
	const char *log;   /* URL or path */
};
typedef int (*provider_node_fn)(void *ctx, const struct provider_node *n);

struct nodes_ops {
	const char *name;
	int (*list)(struct nodes *p, const char *cluster, provider_node_fn fn, void *ctx,
		    struct err *err);
	/* Starts nodes; calls fn for each, with the place of its log. Returns how many. */
	int (*add)(struct nodes *p, const struct nodes_request *r, provider_node_fn fn, void *ctx,
		   struct err *err);
	/* Ends nodes: asks first (drain), with `force` at once. 1 found, 0 no such node. */
	int (*remove)(struct nodes *p, const char *id, bool force, struct err *err);
	void (*close)(struct nodes *p);
};

struct nodes {
	const struct nodes_ops *ops;
};

static inline int nodes_list(struct nodes *p, const char *cluster, provider_node_fn fn, void *ctx,
			     struct err *err)
{
	return p->ops->list(p, cluster, fn, ctx, err);
}
static inline int nodes_add(struct nodes *p, const struct nodes_request *r, provider_node_fn fn,
			    void *ctx, struct err *err)
{
	return p->ops->add(p, r, fn, ctx, err);
}
static inline int nodes_remove(struct nodes *p, const char *id, bool force, struct err *err)
{
	return p->ops->remove(p, id, force, err);
}
static inline void nodes_close(struct nodes *p)
{
	if (p)
		p->ops->close(p);
}

/*
 * Consumers as detached processes of this machine: own session, stdin /dev/null, output to
 * <home>/nodes/<id>.log, started from /proc/self/exe with `consume` and `args` (NULL-terminated),
 * never through a shell. `home` is $KUBEQUE_HOME.
 */
struct nodes *nodes_local_new(const char *home, const char *const *args);

#endif
