#ifndef WORK_SUBMIT_STORE_H
#define WORK_SUBMIT_STORE_H
/*
 * The second pass of a submission: manifest chunks into the CAS, light rows into the queue. In
 * large jobs a thread makes the chunks while the caller's adds the rows.
 */
#include <stdatomic.h>

#include "base/vec.h"
#include "work/submit_plan.h"

enum { STORE_BATCH = 30000 };

struct chunk_name {
	char hex[SHA256_HEX_SIZE];
};

/* Makes task after task and stores every MANIFEST_CHUNK of them. */
struct chunker {
	struct plan *plan;
	struct cas *cas;
	struct task_maker maker; /* .task is the one made last */
	struct buf text;
	int64_t n;               /* tasks made */
	VEC(struct chunk_name) chunks;
	atomic_bool cancel;
	int ret;                 /* of the thread */
	struct err err;
};

void chunker_init(struct chunker *c, struct plan *p, struct cas *cas);
void chunker_release(struct chunker *c);
/* The next task: 1, 0 at the end (all chunks stored), -1. */
int chunker_next(struct chunker *c, struct err *err);

/* Chunks and rows of a job none of whose tasks is kept. */
int store_tasks(struct chunker *c, int64_t born, struct err *err);
/* Puts the root object; its name goes into root_hex. */
int store_root(struct chunker *c, const char *inputs_list, char *root_hex, struct err *err);
/* Renews what was stored more than half of CAS_TRUST_MS ago (since is monotonic). ERR_BUSY when
 * something was collected meanwhile. */
int store_renew(struct chunker *c, int64_t since_ms, const char *inputs_list,
		const char *root_hex, struct err *err);

#endif
