/* What a verdict may ask for: no more than the nodes have. */
#include <stdio.h>
#include <string.h>

#include "base/base.h"
#include "model/class.h"
#include "model/units.h"
#include "queue/queue.h"
#include "sys/machine.h"
#include "work/policy.h"

struct cluster {
	struct resources largest;
	int nodes;
};

static int add_node(void *ctx, const struct node *n)
{
	struct cluster *c = ctx;
	struct resources cap = { .cpu = 0 };
	struct err err = ERR_INIT;

	if (n->state != NODE_LIVE || resources_parse_json(n->cap, &cap, NULL, &err) < 0)
		return 0;
	resources_max(&c->largest, &cap);
	c->nodes++;
	return 0;
}

static bool look_at(struct queue *q, const char *name, struct cluster *out)
{
	struct err err = ERR_INIT;
	struct machine m;

	*out = (struct cluster){ .nodes = 0 };
	if (queue_nodes(q, name, add_node, out, &err) < 0)
		return false;
	if (out->nodes)
		return true;
	machine_get(&m);
	out->largest.cpu = MAX((int64_t)(m.cpus * 1000.0), 1000);
	out->largest.memory = m.memory;
	return true;
}

/* True when it was too much. What the task had already is not taken away. */
static bool limit(int64_t *want, int64_t had, int64_t have)
{
	int64_t most = MAX(had, have);

	if (*want <= most)
		return false;
	*want = most;
	return true;
}

static bool limit_named(struct resources *want, const struct resources *had,
			const struct resources *have)
{
	bool limited = false;
	size_t n = 0;

	for (size_t i = 0; i < want->n_named; i++) {
		struct resource_named *r = &want->named[i];

		limited |= limit(&r->milli, resources_named(had, r->name),
				 resources_named(have, r->name));
		if (r->milli)
			want->named[n++] = *r;
	}
	want->n_named = n;
	return limited;
}

/* More memory was asked for after there was too little, and there is no more. */
static bool is_hopeless(const struct policy_view *v, const struct class *want,
			const struct class *had)
{
	return v->attempt && v->attempt->cause == CAUSE_OOM && want->r.memory <= had->r.memory;
}

static void give_up(struct policy_verdict *out, int64_t memory)
{
	struct buf most = BUF_INIT;

	units_add_memory(&most, memory);
	free(out->class);
	out->class = NULL;
	out->action = POLICY_FAIL;
	out->after_ms = 0;
	out->free = out->elsewhere = false;
	(void)snprintf(out->note, sizeof(out->note),
		       "given up: it ran out of memory, and no node has more than it had (%s)",
		       most.p);
	buf_release(&most);
}

static void add_note(struct policy_verdict *out)
{
	size_t n = strlen(out->note);

	(void)snprintf(out->note + n, sizeof(out->note) - n, "%slimited to what a node has",
		       n ? ", " : "");
}

bool policy_bound(struct queue *q, const struct policy_view *v, struct policy_verdict *out)
{
	struct class want, had;
	struct cluster c;
	struct err err = ERR_INIT;
	struct buf text = BUF_INIT;
	bool limited, memory;

	if (!out->class || class_parse_json(out->class, &want, &err) < 0 ||
	    class_parse_json(v->class && *v->class ? v->class : "{}", &had, &err) < 0 ||
	    !look_at(q, v->job->cluster, &c))
		return false;
	limited = limit(&want.r.cpu, had.r.cpu, c.largest.cpu);
	memory = limit(&want.r.memory, had.r.memory, c.largest.memory);
	limited |= memory;
	limited |= limit(&want.r.gpu, had.r.gpu, c.largest.gpu);
	limited |= limit(&want.r.disk, had.r.disk, c.largest.disk);
	limited |= limit_named(&want.r, &had.r, &c.largest);
	if (!limited)
		return false;
	if (memory && is_hopeless(v, &want, &had)) {
		give_up(out, had.r.memory);
		return true;
	}
	class_add_json(&text, &want);
	free(out->class);
	out->class = buf_detach(&text);
	add_note(out);
	return true;
}
