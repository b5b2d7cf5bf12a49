#ifndef WORK_REAPER_IMPL_H
#define WORK_REAPER_IMPL_H
/* What reaper.c (looking) and lose.c (the tasks of the lost) share. */
#include "base/vec.h"
#include "work/jobctx.h"
#include "work/reaper.h"

/* What one looker saw of a node. */
struct seen {
	char id[NODE_ID_SIZE];
	int64_t beat;
	int64_t since_ns, last_ns; /* of this series of looks; since 0: none */
	bool present;
};

struct reaper {
	struct reaper_options opt;
	char *home, *cluster, *self;
	int nodes_fd, bells_fd;
	struct jobctx_cache *jobs;
	VEC(struct seen) seen;
};

/* Before the node is marked: any "wait" gives it one more lease. 1 go on, 0 wait, -1. */
int lose_may(struct reaper *r, struct queue *q, const struct node *n, struct err *err);
/* Until the lost node holds nothing; *count how many tasks it held. */
int lose_sweep(struct reaper *r, struct queue *q, const struct node *n, size_t *count,
	       struct err *err);

#endif
