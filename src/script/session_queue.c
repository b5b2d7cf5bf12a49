#include "script/session.h"

#include "base/base.h"
#include "base/log.h"
#include "queue/queue.h"
#include "work/recover.h"

static void notice(void *ctx, const char *text)
{
	(void)ctx;
	log_info("%s", text);
}

static struct queue *open_queue(const struct session *s, bool create, bool read_only,
				struct err *err)
{
	char *path = xasprintf("%s/queue.db", s->home);
	struct queue_sqlite_options o = { .path = path, .create = create, .read_only = read_only,
					  .lease_ms = s->lease_ms, .notice = notice,
					  .patient = true };
	struct queue *q = queue_sqlite_open(&o, err);

	free(path);
	return q;
}

/* The first to come after a crash looks whether what is said to be complete is there. Whoever only
 * reads does so too, where it may write; what it cannot check is left to the next. */
static void recover(const struct session *s)
{
	struct err err = ERR_INIT;
	int due = recover_due(s->home, &err), ret = 0;
	struct queue *own = NULL;

	if (due > 0) {
		own = s->read_only ? open_queue(s, false, false, &err) : NULL;
		ret = s->read_only && !own ? -1
					   : recover_check(s->home, own ? own : s->queue, &err);
		queue_close(own);
	}
	if (due < 0 || ret < 0)
		log_warn("Results could not be checked after the last crash: %s", err.text);
}

struct queue *session_queue(lua_State *L, struct err *err)
{
	struct session *s = session_get(L, err);

	if (!s)
		return NULL;
	if (!s->queue) {
		s->queue = open_queue(s, s->create, s->read_only, err);
		if (s->queue)
			recover(s);
	}
	return s->queue;
}
