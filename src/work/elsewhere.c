/*
 * Attempts that shall be made on another node. A class that avoids this node is left to others as
 * long as one of them can run it; who is alone, or becomes so, runs its tasks after all.
 *
 * The other nodes are looked at before a claim, not in its transaction: one that leaves just then
 * is noticed at the next look, within LOOK_MS. Until its tasks are taken this node comes back to
 * look and does not leave, so they are never nobody's.
 */
#include <jansson.h>

#include "base/base.h"
#include "base/clock.h"
#include "sys/bell.h"
#include "work/committer_impl.h"

enum {
	LOOK_MS = 1000,  /* how often, while there are such tasks */
	FRESH_MS = 500,  /* a look serves for all claims within this time */
};

/* A node that says what is wrong with it claims nothing. */
static bool is_troubled(const struct node *n)
{
	json_t *info, *message;
	bool troubled;

	if (!n->info || !strstr(n->info, "\"message\""))
		return false;
	info = json_loads(n->info, 0, NULL);
	message = json_object_get(info, "message");
	troubled = json_is_string(message) && json_string_length(message) > 0;
	json_decref(info);
	return troubled;
}

static int see_node(void *ctx, const struct node *n)
{
	struct committer *c = ctx;
	struct resources cap = { .cpu = 0 };
	struct err err = ERR_INIT;

	if (n->state != NODE_LIVE || strcmp(n->id, c->node) == 0 || is_troubled(n) ||
	    resources_parse_json(n->cap, &cap, NULL, &err) < 0)
		return 0;
	for (size_t i = 0; i < c->others.n; i++)
		if (resources_equal(&c->others.p[i], &cap))
			return 0;
	*vec_push(&c->others) = cap;
	return 0;
}

static bool is_fresh(const struct committer *c)
{
	return c->others_ns && clock_mono_ns() - c->others_ns < (int64_t)FRESH_MS * 1000000;
}

static void look(struct committer *c)
{
	struct err err = ERR_INIT;

	c->others.n = 0;
	c->others_ns = 0;
	if (queue_nodes(c->q, c->opt.o->cluster, see_node, c, &err) == 0)
		c->others_ns = clock_mono_ns();
}

void elsewhere_wanted(struct committer *c)
{
	c->avoided = true;
	c->others_ns = 0; /* one may have come */
	(void)bell_ring_all(c->opt.bells_fd, "n.");
}

void elsewhere_begin(struct committer *c)
{
	if (c->avoided && !is_fresh(c))
		look(c);
	c->known = is_fresh(c);
	c->avoided = c->left_to_others = false;
}

static bool is_for_others(const struct committer *c, const struct class *k, int64_t jobs)
{
	for (size_t i = 0; i < c->others.n; i++) {
		struct resources need = k->r;

		share_cpus(&need, jobs, &c->others.p[i]);
		if (resources_fit(&need, &c->others.p[i]))
			return true;
	}
	return false;
}

bool elsewhere_waits(struct committer *c, const struct class *k, int64_t jobs)
{
	if (strcmp(k->avoid, c->node) != 0)
		return false;
	c->avoided = true;
	if (c->known && !is_for_others(c, k, jobs))
		return false;
	c->left_to_others = true;
	return true;
}

void elsewhere_end(struct committer *c, struct claim_reply *reply)
{
	int64_t wait = LOOK_MS;

	if (!c->left_to_others)
		return;
	if (!c->known) { /* what was left for want of a look is claimed again, with one */
		look(c);
		wait = is_fresh(c) ? 0 : LOOK_MS;
	}
	reply->next_due = MIN(reply->next_due, clock_wall_ms() + wait);
}
