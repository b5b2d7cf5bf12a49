#include "work/deliver.h"

#include <jansson.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/base.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/vec.h"
#include "sys/file.h"
#include "sys/proc.h"

enum {
	LOOK_MS = 100,            /* while children run */
	LIFE_MS = 15 * 60 * 1000, /* a child that lives longer is stuck */
	KEY_SIZE = 400,
};

struct lane {
	char key[KEY_SIZE];  /* what it is for, in words */
	int64_t over;        /* born of the job that is over; 0: effects */
	int64_t patience_ms; /* before it is told */
	VEC(char *) items;   /* JSON */
	size_t bytes;
	size_t dropped;
	int pidfd;           /* of its child; -1: none */
	int64_t since_ms;    /* when it was started */
};

struct deliver {
	char *home, *program;
	int log_fd;
	bool last;           /* one child a lane takes all there is */
	VEC(struct lane *) lanes;
	size_t next;         /* lane whose turn it is */
	size_t bytes;
	int children;
};

struct deliver *deliver_new(const struct deliver_options *o)
{
	struct deliver *d = xcalloc(1, sizeof(*d));

	d->home = xstrdup(o->home);
	d->program = o->program ? xstrdup(o->program) : NULL;
	d->log_fd = o->log_fd;
	return d;
}

/* ---- lanes ---- */

static void lane_clear(struct deliver *d, struct lane *l, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		l->bytes -= strlen(l->items.p[i]);
		d->bytes -= strlen(l->items.p[i]);
		free(l->items.p[i]);
	}
	if (n) /* memmove() of nothing from nowhere is none */
		memmove(l->items.p, l->items.p + n, (l->items.n - n) * sizeof(*l->items.p));
	l->items.n -= n;
}

static void lane_free(struct deliver *d, struct lane *l)
{
	if (l->dropped)
		log_warn("%s: %zu were dropped, there were too many", l->key, l->dropped);
	lane_clear(d, l, l->items.n);
	vec_release(&l->items);
	if (l->pidfd >= 0)
		close(l->pidfd);
	free(l);
}

static bool lane_idle(const struct lane *l)
{
	return l->pidfd < 0 && !l->items.n && !l->over;
}

/* The lane of this key; made if there is room, else NULL. */
static struct lane *lane_get(struct deliver *d, const char *key)
{
	struct lane *l;

	for (size_t i = 0; i < d->lanes.n; i++)
		if (strcmp(d->lanes.p[i]->key, key) == 0)
			return d->lanes.p[i];
	if (d->lanes.n >= DELIVER_LANES)
		return NULL;
	l = xcalloc(1, sizeof(*l));
	l->pidfd = -1;
	(void)snprintf(l->key, sizeof(l->key), "%s", key);
	*vec_push(&d->lanes) = l;
	return l;
}

static void drop_idle_lanes(struct deliver *d)
{
	size_t keep = 0;

	for (size_t i = 0; i < d->lanes.n; i++) {
		struct lane *l = d->lanes.p[i];

		if (lane_idle(l))
			lane_free(d, l);
		else
			d->lanes.p[keep++] = l;
	}
	d->lanes.n = keep;
}

/* ---- adding ---- */

/* "Job sample: webhook policy, https://host:port": what is said of it holds no secret, and effects
 * that may delay each other share it. */
static void key_of(int64_t born, const char *job_id, json_t *effect, char *out, size_t size)
{
	const char *policy = json_string_value(json_object_get(effect, "policy"));
	const char *url = json_string_value(json_object_get(effect, "webhook"));
	json_t *command = json_object_get(effect, "command");
	const char *program = json_string_value(json_array_get(command, 0));
	size_t host = 0;

	if (url) {
		const char *start = strstr(url, "://");

		host = start ? (size_t)(start + 3 - url) + strcspn(start + 3, "/?#\\") : 0;
		start = memrchr(url, '@', host);
		if (start) { /* user and password go */
			host -= (size_t)(start + 1 - url);
			url = start + 1;
		}
	}
	(void)snprintf(out, size, "Job %.100s (%lld): %s of policy %.60s, %.*s", job_id,
		       (long long)born, url ? "webhooks" : "commands", policy ? policy : "?",
		       (int)MIN(url ? host : 200, 200), url ? url : program ? program : "?");
}

static void add_item(struct deliver *d, struct lane *l, char *item)
{
	size_t n = strlen(item);

	if (l->items.n >= DELIVER_LANE_ITEMS || d->bytes + n > DELIVER_BYTES) {
		if (!l->dropped++)
			log_warn("%s: more come than can be delivered, some are dropped", l->key);
		free(item);
		return;
	}
	*vec_push(&l->items) = item;
	l->bytes += n;
	d->bytes += n;
}

void deliver_add(struct deliver *d, int64_t born, const char *job_id, const char *env,
		 const char *effects)
{
	json_t *list = json_loads(effects, JSON_ALLOW_NUL, NULL), *effect;
	char key[KEY_SIZE];
	size_t i;

	json_array_foreach(list, i, effect) {
		char *text = json_dumps(effect, JSON_COMPACT);
		struct lane *l;

		key_of(born, job_id, effect, key, sizeof(key));
		l = lane_get(d, key);
		if (!l)
			log_warn("%s: dropped, too many others wait", key);
		else
			add_item(d, l, xasprintf("{\"job\":%lld,\"env\":%s,\"effect\":%s}",
						 (long long)born, env, text));
		free(text);
	}
	json_decref(list);
}

void deliver_over(struct deliver *d, int64_t born, int64_t patience_ms)
{
	char key[KEY_SIZE];
	struct lane *l;

	(void)snprintf(key, sizeof(key), "End of job %lld", (long long)born);
	l = lane_get(d, key);
	if (!l || l->pidfd >= 0)
		return; /* somebody finds it untold, later */
	l->over = born;
	l->patience_ms = patience_ms;
}

/* ---- children ---- */

static bool fits(const struct lane *l, size_t taken, const struct buf *out)
{
	return taken < DELIVER_BATCH_ITEMS &&
	       out->n + strlen(l->items.p[taken]) < DELIVER_BATCH_BYTES;
}

/* What the child reads; *taken items are in it. */
static void batch(const struct deliver *d, const struct lane *l, struct buf *out, size_t *taken)
{
	*taken = 0;
	buf_adds(out, "{\"home\":");
	buf_add_json(out, d->home, strlen(d->home));
	if (l->over) {
		buf_addf(out, ",\"over\":%lld,\"patience_ms\":%lld}", (long long)l->over,
			 (long long)l->patience_ms);
		return;
	}
	buf_adds(out, ",\"what\":");
	buf_add_json(out, l->key, strlen(l->key));
	buf_adds(out, ",\"items\":[");
	while (*taken < l->items.n && (d->last || !*taken || fits(l, *taken, out))) {
		buf_adds(out, *taken ? "," : "");
		buf_adds(out, l->items.p[(*taken)++]);
	}
	buf_adds(out, "]}");
}

/* An unnamed file that holds the text, at its beginning; -1 with err. */
static int as_file(const struct buf *text, struct err *err)
{
	int fd = memfd_create("kubeque-deliver", MFD_CLOEXEC);

	if (fd < 0)
		return err_sys(err, "memfd_create");
	if (file_write_fd(fd, text->p, text->n, err) < 0 || lseek(fd, 0, SEEK_SET) < 0) {
		close(fd);
		return -1;
	}
	return fd;
}

/* 0 with *pidfd (-1: it has ended already), -1. */
static int start(const struct deliver *d, const struct buf *text, int *pidfd, struct err *err)
{
	struct proc_spec spec = PROC_SPEC_INIT;
	char binary[4096];
	const char *argv[] = { binary, "deliver", NULL };
	const char **env = proc_own_env();
	struct proc_failure why;
	pid_t pid;
	int ret = -1;

	if (d->program)
		(void)snprintf(binary, sizeof(binary), "%s", d->program);
	else
		proc_own_binary(binary, sizeof(binary));
	spec.in_fd = as_file(text, err);
	if (spec.in_fd < 0)
		goto out;
	spec.argv = argv;
	spec.env = env;
	spec.cwd = "/";
	spec.out_fd = spec.err_fd = d->log_fd;
	spec.umask = 077;
	ret = proc_daemon(&spec, &pid, &why, err);
	close(spec.in_fd);
	if (ret == 0)
		ret = err_set(err, ERR_IO, "%s cannot be started", binary);
	if (ret > 0) {
		*pidfd = proc_pidfd_open(pid);
		ret = 0;
	}
out:
	free(env);
	return ret;
}

static void lane_start(struct deliver *d, struct lane *l)
{
	struct buf text = BUF_INIT;
	struct err err = ERR_INIT;
	size_t taken;

	batch(d, l, &text, &taken);
	if (start(d, &text, &l->pidfd, &err) < 0) {
		log_warn("%s: %s", l->key, err.text);
		l->dropped += taken;
	}
	l->over = 0; /* whoever finds it untold tries again */
	l->since_ms = clock_mono_ms();
	d->children += l->pidfd >= 0;
	lane_clear(d, l, taken);
	buf_release(&text);
}

static void lane_look(struct deliver *d, struct lane *l)
{
	struct pollfd p = { .fd = l->pidfd, .events = POLLIN };

	if (l->pidfd < 0)
		return;
	if (poll(&p, 1, 0) <= 0) {
		if (clock_mono_ms() - l->since_ms < LIFE_MS)
			return;
		log_warn("%s: delivering takes longer than %d minutes, it is ended", l->key,
			 LIFE_MS / 60000);
		(void)proc_pidfd_kill(l->pidfd, SIGKILL);
	}
	close(l->pidfd);
	l->pidfd = -1;
	d->children--;
}

static void start_lanes(struct deliver *d, int max)
{
	for (size_t i = 0; i < d->lanes.n && d->children < max; i++) {
		struct lane *l = d->lanes.p[(d->next + i) % d->lanes.n];

		if (l->pidfd < 0 && (l->items.n || l->over))
			lane_start(d, l);
	}
	d->next++;
}

int64_t deliver_step(struct deliver *d)
{
	for (size_t i = 0; i < d->lanes.n; i++)
		lane_look(d, d->lanes.p[i]);
	start_lanes(d, DELIVER_CHILDREN);
	drop_idle_lanes(d);
	return deliver_idle(d) ? -1 : LOOK_MS;
}

bool deliver_idle(const struct deliver *d)
{
	return d->lanes.n == 0;
}

void deliver_free(struct deliver *d)
{
	if (!d)
		return;
	d->last = true;
	start_lanes(d, DELIVER_LANES);
	for (size_t i = 0; i < d->lanes.n; i++) {
		d->lanes.p[i]->dropped += d->lanes.p[i]->items.n;
		lane_free(d, d->lanes.p[i]);
	}
	vec_release(&d->lanes);
	free(d->home);
	free(d->program);
	free(d);
}
