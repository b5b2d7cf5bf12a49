/* Conformance of queue.h: nodes. */
#include "contract/queue_fixture.h"

static int add_node(struct fix *f, const char *id, const char *cluster, bool first, uint64_t op)
{
	struct node n = { .cluster = xstrdup(cluster), .cap = xstrdup("{\"cpu\":2}"),
			  .info = xstrdup("{\"host\":\"h\"}"), .t = 1234 };
	int rc;

	snprintf(n.id, sizeof(n.id), "%s", id);
	rc = queue_node_register(f->q, &n, first, op, &f->err);
	node_release(&n);
	return rc;
}

static int copy_node(void *ctx, const struct node *n)
{
	struct node *out = ctx;

	node_release(out);
	*out = *n;
	out->cluster = xstrdup(n->cluster);
	out->cap = xstrdup(n->cap);
	out->info = xstrdup(n->info);
	return 0;
}

static struct node the_node(struct fix *f, const char *cluster)
{
	struct node n = { .v = 0 };

	(void)queue_nodes(f->other, cluster, copy_node, &n, &f->err);
	return n;
}

static int go(struct fix *f, const char *id, int64_t v, enum node_event ev)
{
	return queue_node_move(f->q, id, v, ev, id_u64(), &f->err);
}

static void registering(void)
{
	struct fix f;
	struct node n;

	fix_open(&f);
	is_int(add_node(&f, "A", "local", true, 1), 1, "a first node registers");
	is_int(add_node(&f, "A", "local", true, 1), 1, "repeated: the same");
	is_int(add_node(&f, "B", "local", true, 2), 0,
	       "a second first node of the cluster is refused");
	is_int(add_node(&f, "C", "far", true, 3), 1, "of another cluster it is not");
	is_int(add_node(&f, "D", "far", false, 4), 1, "nor one that need not be the first");
	is_int(add_node(&f, "D", "far", false, 5), -1, "a name is not used twice");
	n = the_node(&f, "local");
	is_str(n.id, "A", "nodes are listed by cluster");
	ok(n.state == NODE_LIVE && n.t == 1234 && n.v > 0 && n.beat == 0 && n.running == 0,
	   "live and without tasks");
	is_str(n.cap, "{\"cpu\":2}", "with capacity");
	is_str(n.info, "{\"host\":\"h\"}", "and info");
	is_int(queue_node_info(f.q, "A", "{\"message\":\"disk full\"}", &f.err), 0,
	       "info is replaced");
	node_release(&n);
	n = the_node(&f, "local");
	is_str(n.info, "{\"message\":\"disk full\"}", "as others see");
	node_release(&n);
	is_int(go(&f, "A", 0, NODE_EV_LEAVE), 1, "the first node leaves");
	is_int(add_node(&f, "B", "local", true, 6), 1, "then another may be the first");
	is_int(go(&f, "A", 0, NODE_EV_STAY), 0, "and the one that left cannot stay");
	is_int(queue_node_delete(f.q, "A", &f.err), 1, "its row goes");
	is_int(add_node(&f, "A", "local", true, 1), 1, "a late duplicate of its registration");
	n = the_node(&f, "local");
	is_str(n.id, "B", "brings nobody back");
	node_release(&n);
	fix_close(&f, "registering");
}

static void beating(void)
{
	struct fix f;
	enum node_state state;
	struct node n;

	fix_open(&f);
	(void)add_node(&f, "A", "local", true, 1);
	is_int(queue_beat(f.q, "A", 10, &state, &f.err), 1, "a beat");
	is_int(state, NODE_LIVE, "of a live node");
	is_int(queue_beat(f.q, "A", 10, &state, &f.err), 1, "repeated");
	n = the_node(&f, NULL);
	is_int(n.beat, 1, "moves the counter once");
	node_release(&n);
	(void)queue_beat(f.q, "A", 11, &state, &f.err);
	(void)go(&f, "A", 0, NODE_EV_DRAIN);
	is_int(queue_beat(f.q, "A", 12, &state, &f.err), 1, "a draining node beats");
	is_int(state, NODE_DRAINING, "and learns that it drains");
	n = the_node(&f, NULL);
	is_int(n.beat, 3, "each beat counts");
	node_release(&n);
	(void)go(&f, "A", 0, NODE_EV_LOSE);
	is_int(queue_beat(f.q, "A", 13, &state, &f.err), 1, "a lost node beats");
	is_int(state, NODE_LOST, "and learns that it is lost");
	n = the_node(&f, NULL);
	is_int(n.beat, 3, "its counter does not move");
	node_release(&n);
	(void)queue_node_delete(f.q, "A", &f.err);
	is_int(queue_beat(f.q, "A", 14, &state, &f.err), 0, "a node whose row is gone learns it");
	fix_close(&f, "beating");
}

static void moving(void)
{
	struct fix f;
	struct node n;
	int64_t v;

	fix_open(&f);
	(void)add_node(&f, "A", "local", false, 1);
	n = the_node(&f, NULL);
	v = n.v;
	node_release(&n);
	is_int(go(&f, "A", v + 1, NODE_EV_LOSE), 0, "a moved version is refused");
	is_int(queue_node_wait(f.q, "A", v, 20, &f.err), 1, "a reaper waits one more lease");
	is_int(queue_node_wait(f.q, "A", v, 20, &f.err), 1, "repeated: the same");
	is_int(queue_node_wait(f.q, "A", v, 21, &f.err), 0, "at the old version it is refused");
	is_int(go(&f, "A", v, NODE_EV_LOSE), 0, "and so is the mark of another reaper");
	for (int i = 0; i < 2; i++) {
		n = the_node(&f, NULL);
		is_int(queue_node_wait(f.q, "A", n.v, id_u64(), &f.err), 1, "again");
		node_release(&n);
	}
	n = the_node(&f, NULL);
	is_int(n.waits, 3, "three times");
	is_int(queue_node_wait(f.q, "A", n.v, id_u64(), &f.err), 0, "is the end");
	node_release(&n);
	is_int(queue_node_delete(f.q, "A", &f.err), 0, "a live node's row is not deleted");
	is_int(go(&f, "A", 0, NODE_EV_STAY), 0, "a live node has nothing to stay from");
	is_int(queue_node_move(f.q, "A", 0, NODE_EV_LEAVE, 30, &f.err), 1, "it leaves");
	is_int(go(&f, "A", 0, NODE_EV_STAY), 1, "and stays");
	is_int(queue_node_move(f.q, "A", 0, NODE_EV_LEAVE, 30, &f.err), 1, "a late duplicate");
	n = the_node(&f, NULL);
	is_int(n.state, NODE_LIVE, "of its leaving changes nothing");
	node_release(&n);
	is_int(go(&f, "A", 0, NODE_EV_LEAVE), 1, "it leaves again");
	is_int(queue_node_delete(f.q, "A", &f.err), 1, "and is gone");
	is_int(queue_node_delete(f.q, "A", &f.err), 1, "repeated: the same");
	is_int(go(&f, "A", 0, NODE_EV_LOSE), 0, "who is gone cannot be lost");
	fix_close(&f, "moving");
}

static void holding(void)
{
	struct fix f;
	struct claimed c[3];
	struct node n;

	fix_open(&f);
	(void)add_node(&f, "A", "local", false, 1);
	(void)submit(&f, (struct spec){ .id = "j", .n = 3 });
	(void)claim(&f, "A", 2, c);
	n = the_node(&f, NULL);
	is_int(n.running, 2, "a node row says how many tasks it holds");
	node_release(&n);
	(void)go(&f, "A", 0, NODE_EV_LEAVE);
	is_int(queue_node_delete(f.q, "A", &f.err), 0, "a leaving node that holds tasks stays");
	(void)finish(&f, "A", &c[0], 0);
	(void)finish(&f, "A", &c[1], 1);
	is_int(queue_node_delete(f.q, "A", &f.err), 0, "also while a verdict is open");
	is_int(verdict(&f, verdict_of(&c[1], TASK_EV_RETRY)), 1, "which it may give");
	is_int(queue_node_delete(f.q, "A", &f.err), 1, "then it goes");
	fix_close(&f, "holding");
}

int main(void)
{
	registering();
	beating();
	moving();
	holding();
	return tap_done();
}
