/*
 * A new job takes the name of an old one while the old one's results are being removed: the old
 * directory was moved aside between look and removal, and nothing of the new job's may go.
 */
#include "tap.h"

#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "base/base.h"
#include "base/clock.h"
#include "base/id.h"
#include "base/log.h"
#include "sys/file.h"
#include "work/clean.h"
#include "work/control.h"
#include "work/results.h"

enum { WAIT_MS = 20000 };

static char home[PATH_MAX], prefix[PATH_MAX + 16], place[PATH_MAX + 32];
static struct err err;
static struct queue *q, *other; /* the one that is watched; another client's */

static void die(const char *what)
{
	printf("Bail out! %s: %s\n", what, err.text);
	exit(1);
}

/* ---- in between: what happens at an instant of somebody else's work ---- */

static void (*at_look)(void);   /* after the next look for a job or a task */
static void (*at_unlink)(void); /* before the next entry goes */
static const struct queue_ops *real;

static void happen(void (**what)(void))
{
	void (*now)(void) = *what;

	*what = NULL;
	if (now)
		now();
}

static int look_job(struct queue *s, int64_t born, struct job *out, struct err *e)
{
	int ret = real->job_get(s, born, out, e);

	happen(&at_look);
	return ret;
}

static int look_task(struct queue *s, int64_t job, int64_t n, struct task *out, struct err *e)
{
	int ret = real->task_get(s, job, n, out, e);

	happen(&at_look);
	return ret;
}

/* Stands before the C library's. */
int unlinkat(int fd, const char *name, int flag)
{
	happen(&at_unlink);
	return (int)syscall(SYS_unlinkat, fd, name, flag);
}

/* ---- jobs ---- */

static int64_t submit(struct queue *s, int64_t replace)
{
	char *info = xasprintf("{\"results\":\"%s\"}", place);
	struct job_new j = { .id = "j", .user = "me", .cluster = "local", .classes = "[{}]",
			     .info = info, .secret = "{}", .policy = "", .t = 1 };
	struct bind b = { .n = 2, .root = "r", .replace = replace, .op = id_u64() };
	struct task_new t[2] = { { 0 } };

	if (queue_submit_begin(s, &j, &b.born, &err) < 0 ||
	    queue_submit_add(s, b.born, 1, t, 2, &err) < 0)
		die("submit");
	if (queue_submit_bind(s, &b, &err) != BIND_DONE)
		die("bind");
	free(info);
	return b.born;
}

static void stage(struct results *r, int64_t born, int64_t n, const char *text)
{
	char *json = xasprintf("{\"name\":\"%lld.1.node\"}\n", (long long)born);
	int fd = results_stage_make(r, n, 1, &err);

	if (fd < 0 || file_write(fd, "out", text, strlen(text), 0644, false, &err) < 0 ||
	    file_write(fd, "result.json", json, strlen(json), 0644, false, &err) < 0)
		die("stage");
	close(fd);
	free(json);
}

/* Task 1 is published, an attempt of task 2 is staged, each with this text. */
static void leave_results(int64_t born, const char *text)
{
	const struct results_id id = { queue_uuid(q), born, "j" };
	struct results *r = NULL;

	if (results_open(place, &id, 022, &r, &err) != 1)
		die("results");
	stage(r, born, 1, text);
	if (results_publish(r, 1, 1, &err) != 1)
		die("publish");
	stage(r, born, 2, text);
	results_close(r);
}

static bool holds(const char *name, const char *text)
{
	char *path = xasprintf("%s/%s", place, name);
	struct buf b = BUF_INIT;
	struct err e = ERR_INIT;
	bool same = file_read(AT_FDCWD, path, 100, &b, &e) > 0 && strcmp(b.p, text) == 0;

	buf_release(&b);
	free(path);
	return same;
}

static bool new_is_whole(void)
{
	return holds("1/out", "new") && holds(".attempts/2.1/out", "new");
}

static int64_t killed(void)
{
	const struct control c = { .queue = other, .home = home };
	int64_t born = submit(other, 0), count;

	leave_results(born, "old");
	if (control_kill(&c, born, NULL, &count, &err) < 0)
		die("kill");
	return born;
}

/* Its rows go, its results stay. */
static void forgotten(void)
{
	const struct control c = { .queue = other, .home = home };
	int64_t born = killed();

	if (control_remove(&c, born, false, false, &err) < 0)
		die("remove");
	leave_results(born, "old");
}

static void clear(void)
{
	const struct control c = { .queue = other, .home = home };
	struct job j = { 0 };
	int64_t count;

	at_look = at_unlink = NULL;
	err = (struct err)ERR_INIT;
	if (queue_job_by_id(other, "j", &j, &err) > 0 &&
	    (control_kill(&c, j.born, NULL, &count, &err) < 0 ||
	     control_remove(&c, j.born, true, false, &err) < 0))
		die("clear");
	job_release(&j);
	if (file_rmtree(AT_FDCWD, prefix, &err) < 0)
		die("clear");
}

/* ---- the new job, and when it comes ---- */

static int64_t old; /* the job whose name it takes; 0: it is forgotten */
static atomic_int begun, done;
static pthread_t thread;

static void come(void)
{
	leave_results(submit(other, old), "new");
}

static void *come_by_itself(void *arg)
{
	const int64_t *born = arg;

	atomic_store(&begun, 1);
	leave_results(*born, "new");
	atomic_store(&done, 1);
	return NULL;
}

/* Somebody waits for the lock of the directory of results directories. */
static bool somebody_waits(void)
{
	struct buf b = BUF_INIT;
	struct err e = ERR_INIT;
	struct stat st;
	char want[40];
	bool found = false;

	if (stat(prefix, &st) < 0 || file_read(AT_FDCWD, "/proc/locks", 1 << 20, &b, &e) <= 0)
		goto out;
	(void)snprintf(want, sizeof(want), ":%llu ", (unsigned long long)st.st_ino);
	for (char *line = b.p; line && !found; line = strchr(line + 1, '\n')) {
		char *arrow = strstr(line, "-> FLOCK"), *inode = strstr(line, want);
		char *end = strchr(line + 1, '\n');

		found = arrow && inode && (!end || (arrow < end && inode < end));
	}
out:
	buf_release(&b);
	return found;
}

/* As far as it can while the other one is where it is: it is there, or has to wait. */
static void come_if_it_may(void)
{
	static int64_t born;
	int64_t until = clock_mono_ms() + WAIT_MS;
	struct timespec pause = { .tv_nsec = 1000000 };

	born = submit(other, 0);
	if (pthread_create(&thread, NULL, come_by_itself, &born) != 0)
		die("thread");
	while (!atomic_load(&done) && !(atomic_load(&begun) && somebody_waits()) &&
	       clock_mono_ms() < until)
		(void)nanosleep(&pause, NULL);
}

/* ---- tests ---- */

static void test_clean_results(const struct clean *c)
{
	struct clean_sum sum;

	forgotten();
	is_int(clean_results(c, "j", false, &sum, &err), 0, "results of a forgotten job go");
	ok(access(place, F_OK) < 0, "all of them");

	forgotten();
	/* between "there is no such job" and the look at whose directory it is */
	at_look = come_if_it_may;
	ok(clean_results(c, "j", false, &sum, &err) <= 0, "a job of this name comes meanwhile");
	pthread_join(thread, NULL);
	ok(new_is_whole(), "its results are not removed with the old ones");
	err = (struct err)ERR_INIT;
	ok(clean_results(c, "j", false, &sum, &err) < 0 && err.code == ERR_CONFLICT,
	   "nor later: it is remembered");
	clear();
}

static void test_remove(const struct control *c)
{
	for (int results = 1; results >= 0; results--) {
		old = killed();
		if (results)
			at_unlink = come; /* the old one's entries begin to go */
		else
			at_look = come; /* what of the old one is staged is being looked at */
		is_int(control_remove(c, old, true, results, &err), 0, "a job is forgotten%s",
		       results ? " with its results" : "");
		ok(!at_unlink && !at_look && new_is_whole(),
		   "a new one of its name, which came meanwhile, has its own");
		clear();
	}
}

static void test_leftovers(const struct clean *c)
{
	forgotten();
	is_int(clean_leftovers(c, &err), 0, "leftovers go");
	ok(holds("1/out", "old") && !holds(".attempts/2.1/out", "old"),
	   "of a forgotten job what is staged");
	forgotten();
	old = 0;
	at_look = come;
	is_int(clean_leftovers(c, &err), 0, "a job of its name comes meanwhile");
	ok(!at_look && new_is_whole(), "whose stages stay");
	clear();
}

int main(void)
{
	const char *tmp = getenv("TMPDIR");
	struct queue_sqlite_options o = { .create = true };
	struct queue_ops watched;
	struct clean clean = { .home = home, .prefix = prefix };
	struct control control = { .home = home };
	char path[PATH_MAX + 16], cas[PATH_MAX + 16];

	(void)snprintf(home, sizeof(home), "%.3000s/kq-clean-XXXXXX", tmp ? tmp : "/tmp");
	if (!mkdtemp(home))
		return 1;
	log_set_level(LOG_LEVEL_ERROR);
	(void)snprintf(prefix, sizeof(prefix), "%s/results", home);
	(void)snprintf(place, sizeof(place), "%s/j", prefix);
	(void)snprintf(cas, sizeof(cas), "%s/CAS", home);
	(void)snprintf(path, sizeof(path), "%s/queue.db", home);
	o.path = path;
	q = queue_sqlite_open(&o, &err);
	other = queue_sqlite_open(&o, &err);
	if (!q || !other)
		die("queue");
	real = q->ops;
	watched = *real;
	watched.job_get = look_job;
	watched.task_get = look_task;
	q->ops = &watched;
	clean.queue = control.queue = q;
	clean.cas = cas;
	test_clean_results(&clean);
	test_remove(&control);
	test_leftovers(&clean);
	queue_close(q);
	queue_close(other);
	(void)file_rmtree(AT_FDCWD, home, &err);
	return tap_done();
}
