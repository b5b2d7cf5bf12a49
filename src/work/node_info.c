/* What a node says of itself in its row. */
#include <unistd.h>

#include "base/base.h"
#include "sys/machine.h"
#include "sys/proc.h"
#include "work/committer.h"

void node_info_json(struct buf *out, const struct consumer_options *o, const char *node,
		    const char *message)
{
	struct proc_info self = { 0 };
	struct machine m;

	machine_get(&m);
	(void)proc_info(getpid(), &self);
	buf_adds(out, "{\"host\":");
	buf_add_json(out, m.host, strlen(m.host));
	buf_adds(out, ",\"pid\":");
	buf_addi(out, getpid());
	buf_adds(out, ",\"start\":");
	buf_addi(out, (int64_t)self.start);
	buf_adds(out, ",\"boot\":");
	buf_add_json(out, m.boot_id, strlen(m.boot_id));
	if (o->version) {
		buf_adds(out, ",\"version\":");
		buf_add_json(out, o->version, strlen(o->version));
	}
	if (o->log) {
		buf_adds(out, ",\"log\":");
		buf_add_json(out, o->log, strlen(o->log));
	}
	if (o->node_id) { /* what its provider knows it by, also under a later id */
		buf_adds(out, ",\"launched\":");
		buf_add_json(out, o->node_id, strlen(o->node_id));
	}
	if (o->work_dir) { /* removed by whoever finds the node dead */
		char *work = xasprintf("%s/%s", o->work_dir, node);

		buf_adds(out, ",\"work\":");
		buf_add_json(out, work, strlen(work));
		free(work);
	}
	buf_adds(out, o->first ? ",\"first\":true" : ",\"first\":false");
	if (message) {
		buf_adds(out, ",\"message\":");
		buf_add_json(out, message, strlen(message));
	}
	buf_addch(out, '}');
}
