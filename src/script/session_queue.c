#include "script/session.h"

#include "base/base.h"
#include "queue/queue.h"

struct queue *session_queue(lua_State *L, struct err *err)
{
	struct session *s = session_get(L, err);

	if (!s)
		return NULL;
	if (!s->queue) {
		char *path = xasprintf("%s/queue.db", s->home);
		struct queue_sqlite_options o = {
			.path = path, .create = s->create, .read_only = s->read_only,
		};

		s->queue = queue_sqlite_open(&o, err);
		free(path);
	}
	return s->queue;
}
