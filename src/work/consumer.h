#ifndef WORK_CONSUMER_H
#define WORK_CONSUMER_H
/*
 * A node: the process that claims tasks, runs them, stores what became of them and publishes
 * their results. One call runs it from registration to leaving. Policies come in as an object;
 * there is no Lua here.
 *
 * Threads: the main thread runs tasks, the committer owns the queue handle, the policy and all
 * publication, the lease thread (own queue handle) beats and watches the other two, a few workers
 * copy inputs and hash outputs.
 */
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "work/policy.h"

struct consumer_options {
	const char *home;      /* $KUBEQUE_HOME: queue.db, nodes/, bells/, work/ */
	const char *cluster;
	const char *node_id;   /* NULL: "<host>-<12 hex>"; after a loss a new one is made anyway */
	bool first;            /* first node of its cluster: leave if there is one */
	const char *cap;       /* JSON object: cpu, memory (bytes), gpu, ...; NULL: this machine */
	const char *work_dir;  /* NULL: <home>/work */
	const char *version;   /* of this program, for the node's row; NULL: not said */
	const char *log;       /* where stderr goes, for the node's row; NULL: unknown */
	int64_t lease_ms;      /* 0: 10,000 */
	int64_t heartbeat_ms;  /* 0: 2,000 */
	int64_t linger_ms;     /* idle time before it leaves; -1: for ever; 0: at once */
	int64_t watch_ms;      /* how often it looks whether it is stuck: after 30 looks in which a
				* policy or the main loop stood still the process ends; 0: 1,000 */
	int64_t grace_ms;      /* TERM to KILL where a job does not say; 0: 10,000 */
	bool power;            /* durability=power: flush files before each group commit */
	const char *program;   /* what delivers events and starts nodes; NULL: this one */
	struct policy *policy; /* borrowed; NULL: stock; used by one thread at a time */
};

/* What options hold when nothing is said: linger 30 s, grace 10 s, heartbeat 2 s, lease 10 s. */
#define CONSUMER_OPTIONS_INIT \
	{ .cluster = "local", .linger_ms = 30000, .lease_ms = 10000, .heartbeat_ms = 2000, \
	  .grace_ms = 10000 }

/*
 * Runs the node until it lingered long enough, was told to drain, or got SIGTERM or SIGINT (a
 * second one gives its tasks back and leaves). Blocks signals in the calling thread, so it is
 * called before any other thread exists. 0 when it left in order (also when another node was the
 * first one already), -1 when it could not start or its store is unusable.
 */
int consumer_run(const struct consumer_options *o, struct err *err);

/* "<host, cut>-<12 hex>"; out holds NODE_ID_SIZE. */
void consumer_node_id(char *out);

#endif
