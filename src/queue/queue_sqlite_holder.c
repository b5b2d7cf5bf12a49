#include "queue/queue_sqlite.h"

#include <jansson.h>
#include <stdio.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "sys/lock.h"
#include "sys/machine.h"
#include "sys/proc.h"

/*
 * Who holds the write lock? In WAL mode it is a POSIX lock on byte 120 of the -shm file, so the
 * kernel knows the process. A node that was stopped inside a transaction would stop everybody; it
 * is our own, it lost its lease long ago, and so it is killed. Nobody else is.
 */

enum { GAP_MS = 5000 };

struct search {
	int64_t pid;
	uint64_t start;
	const char *boot;
	bool found;
};

static int64_t member_int(const json_t *o, const char *key)
{
	return json_integer_value(json_object_get(o, key));
}

static int is_holder(void *ctx, const struct node *n)
{
	struct search *s = ctx;
	json_t *info = json_loads(n->info ? n->info : "", 0, NULL);
	const char *boot = json_string_value(json_object_get(info, "boot"));

	if (info && member_int(info, "pid") == s->pid &&
	    (uint64_t)member_int(info, "start") == s->start && boot && strcmp(boot, s->boot) == 0)
		s->found = true;
	json_decref(info);
	return s->found;
}

bool sq_node_lives(const char *text)
{
	json_t *info = json_loads(text ? text : "", 0, NULL);
	const char *boot = json_string_value(json_object_get(info, "boot"));
	int64_t pid = member_int(info, "pid");
	struct proc_info p;
	struct machine m;
	bool lives = true;

	if (boot && pid > 0) {
		machine_get(&m);
		lives = strcmp(boot, m.boot_id) == 0 && proc_info((pid_t)pid, &p) == 1 &&
			p.state != 'Z' && p.start == (uint64_t)member_int(info, "start");
	}
	json_decref(info);
	return lives;
}

void sq_node_version(const char *text, char *out, size_t size)
{
	json_t *info = json_loads(text ? text : "", 0, NULL);
	const char *version = json_string_value(json_object_get(info, "version"));

	snprintf(out, size, "%s", version ? version : "of another version");
	json_decref(info);
}

/* Reads the nodes through a handle of its own: the other one is inside a call. */
static bool is_node(const struct queue_sqlite *q, int64_t pid, uint64_t start)
{
	const struct queue_sqlite_options o = { .path = q->path, .busy_ms = 100,
						.read_only = true };
	struct err err = ERR_INIT;
	struct machine m;
	struct search s = { .pid = pid, .start = start };
	struct queue *other = queue_sqlite_open(&o, &err);

	if (!other)
		return false;
	machine_get(&m);
	s.boot = m.boot_id;
	(void)queue_nodes(other, NULL, is_holder, &s, &err);
	queue_close(other);
	return s.found;
}

/* Process and the head of the WAL index, which every commit changes: while both stay as they are,
 * it is one transaction that holds the lock. */
static void look(const char *path, struct holder_look *out)
{
	int fd = lock_db_shm(path);

	*out = (struct holder_look){ .pid = lock_db_writer(path) };
	if (fd >= 0 && pread(fd, out->head, sizeof(out->head), 0) < 0)
		out->pid = 0;
}

/* The looks go on over several waits that all ended in vain: nodes wait less than a lease at a
 * time. A gap between two looks means that nobody tried meanwhile: what is seen then is a new
 * series. */
int sq_holder_hook(void *ctx, int64_t waited_ms UNUSED)
{
	struct queue_sqlite *q = ctx;
	int64_t t = clock_mono_ms();
	struct holder_look now;
	struct proc_info p;

	look(q->path, &now);
	if (now.pid != q->held_by.pid || memcmp(now.head, q->held_by.head, sizeof(now.head)) != 0 ||
	    t - q->looked_ms > MAX(q->lease_ms / 2, GAP_MS)) {
		q->held_by = now;
		q->held_since_ms = t;
	}
	q->looked_ms = t;
	if (t - q->held_since_ms < q->lease_ms)
		return 0;
	if (now.pid <= 1 || now.pid == getpid() || proc_info((pid_t)now.pid, &p) != 1)
		return 0;
	if (is_node(q, now.pid, p.start))
		(void)proc_kill_exact((pid_t)now.pid, p.start, SIGKILL);
	return 0;
}
