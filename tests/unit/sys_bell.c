/* sys/bell.h, sys/lock.h, sys/signals.h: waking, excluding, interrupting. */
#include "tap.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <sqlite3.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/base.h"
#include "base/clock.h"
#include "sys/bell.h"
#include "sys/db.h"
#include "sys/file.h"
#include "sys/lock.h"
#include "sys/signals.h"

static int top;
static char dir[PATH_MAX];
static struct err err;

static void *ring_soon(void *arg)
{
	int *bells = arg;

	while (!bell_ring(*bells, "n.one"))
		;
	return NULL;
}

static void test_bells(void)
{
	struct bell a = BELL_INIT, b = BELL_INIT, r = BELL_INIT;
	struct timespec old[2] = { { .tv_sec = 1000 }, { .tv_sec = 1000 } };
	struct stat st;
	pthread_t id;
	int bells = bell_dir(top, &err);

	ok(bells >= 0, "there is a directory of bells");
	is_int(bell_ring(bells, "n.one"), 0, "a bell that nobody has");
	ok(bell_open(&a, bells, "n.one", &err) == 0 && bell_open(&b, bells, "w.1.x", &err) == 0,
	   "bells are made");
	is_int(bell_wait(&a, 0), BELL_TIMEOUT, "nothing rang yet");
	is_int(bell_ring(bells, "n.one"), 1, "one is rung");
	is_int(bell_wait(&b, 0), BELL_TIMEOUT, "the other one is silent");
	is_int(bell_wait(&a, 10000), BELL_RANG, "it rang before we listened");
	is_int(bell_wait(&a, 0), BELL_TIMEOUT, "and that was heard once");
	pthread_create(&id, NULL, ring_soon, &bells);
	is_int(bell_wait(&a, 10000), BELL_RANG, "it rings while we listen");
	pthread_join(id, NULL);
	for (int i = 0; i < 70000; i++)
		if (!bell_ring(bells, "n.one"))
			exit(1);
	ok(true, "a bell that nobody drains blocks nobody");
	bell_drain(&a);
	while (bell_wait(&a, 0) == BELL_RANG)
		;
	ok(bell_open_random(&r, bells, "w.1.", &err) == 0 && strlen(r.name) == 20,
	   "a bell with a random name");
	is_int(bell_ring_all(bells, "w.1."), 2, "all with a prefix are rung");
	ok(bell_wait(&b, 0) == BELL_RANG && bell_wait(&r, 0) == BELL_RANG &&
	   bell_wait(&a, 0) == BELL_TIMEOUT, "and no other");
	if (mkfifoat(bells, "w.1.dead", 0600) < 0)
		exit(1);
	is_int(bell_ring_all(bells, "w."), 2, "one of the dead is passed over");
	is_int(fstatat(bells, "w.1.dead", &st, 0), 0, "and stays while it is young");
	if (utimensat(bells, "w.1.dead", old, 0) < 0)
		exit(1);
	bell_ring_all(bells, "w.");
	is_int(fstatat(bells, "w.1.dead", &st, 0), 0, "its ctime counts as well as its mtime");
	bell_close(&a);
	bell_close(&a);
	bell_close(&b);
	bell_close(&r);
	is_int(bell_ring_all(bells, ""), 0, "closed bells are gone");
	ok(bell_open(&a, bells, "../x", &err) < 0 && bell_open(&a, bells, "", &err) < 0,
	   "a bell's name is one component");
	close(bells);
}

/* A child that does what fn says, tells that it has begun, and stays until it is killed. */
static pid_t holder(void (*fn)(void))
{
	char byte;
	pid_t pid;
	int p[2];

	if (pipe(p) < 0)
		exit(1);
	pid = fork();
	if (pid == 0) {
		fn();
		if (write(p[1], "x", 1) != 1)
			_exit(1);
		for (;;)
			pause();
	}
	if (read(p[0], &byte, 1) != 1)
		exit(1);
	close(p[0]);
	close(p[1]);
	return pid;
}

static void finish(pid_t pid)
{
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

static void hold_lock(void)
{
	struct lock l = LOCK_INIT;

	if (lock_take(&l, top, "lock", false, 0, &err) != 1)
		_exit(1);
}

static void *drop_it(void *arg)
{
	struct lock *l = arg;

	lock_remove(l, top, "lock");
	return NULL;
}

static void test_locks(void)
{
	struct lock l = LOCK_INIT, m = LOCK_INIT;
	struct stat st;
	pthread_t id;
	pid_t pid;

	is_int(lock_probe(top, "lock", &err), 0, "no lock file, no holder");
	pid = holder(hold_lock);
	is_int(lock_probe(top, "lock", &err), 1, "a lock is seen from outside");
	is_int(lock_take(&l, top, "lock", false, 0, &err), 0, "and excludes others");
	is_int(lock_take(&l, top, "lock", true, 5, &err), 0, "sharers too, after a wait");
	finish(pid);
	is_int(lock_probe(top, "lock", &err), 0, "it ends with its holder");
	is_int(lock_take(&l, top, "lock", true, 0, &err), 1, "now it can be taken");
	is_int(lock_take(&m, top, "lock", true, 0, &err), 1, "shared by two");
	lock_drop(&m);
	lock_drop(&l);
	is_int(lock_take(&l, top, "lock", false, 0, &err), 1, "or by one alone");
	pthread_create(&id, NULL, drop_it, &l);
	is_int(lock_take(&m, top, "lock", false, -1, &err), 1, "who waits gets it");
	pthread_join(id, NULL);
	ok(fstatat(top, "lock", &st, 0) == 0 && lock_take(&l, top, "lock", false, 0, &err) == 0,
	   "and holds the file that has the name, not the one that was removed");
	lock_remove(&m, top, "lock");
	ok(fstatat(top, "lock", &st, 0) < 0, "a lock file can be removed");
}

static void hold_db(void)
{
	struct db_options o = { .create = true };
	struct db *db;

	o.path = xasprintf("%s/q.db", dir);
	db = db_open(&o, &err);
	if (!db || db_exec(db, "CREATE TABLE t(x)", &err) < 0 || db_begin(db, false, &err) < 0)
		_exit(1);
}

static void test_writer(void)
{
	char *path = xasprintf("%s/q.db", dir);
	pid_t pid = holder(hold_db);

	is_int(lock_db_writer(path), pid, "the writer of a database is found");
	is_int(lock_db_writer(path), pid, "again and again");
	finish(pid);
	is_int(lock_db_writer(path), 0, "nobody writes when it is dead");
	is_int(lock_db_writer("/no/such"), 0, "nor where there is no database");
	free(path);
}

static void *interrupt_soon(void *arg)
{
	(void)arg;
	kill(getpid(), SIGTERM);
	return NULL;
}

static void test_signals(void)
{
	struct bell b = BELL_INIT;
	struct lock l = LOCK_INIT;
	int bells = bell_dir(top, &err), status;
	pthread_t id;
	pid_t pid;

	signals_client();
	is_int(signals_caught(), 0, "no signal yet");
	is_int(signals_sleep_ms(1), 1, "a sleep that ends by itself");
	bell_open(&b, bells, "w.2.s", &err);
	pthread_create(&id, NULL, interrupt_soon, NULL);
	is_int(bell_wait(&b, 20000), BELL_INTERRUPTED, "a signal ends a wait");
	pthread_join(id, NULL);
	is_int(signals_caught(), SIGTERM, "and is known");
	is_int(bell_wait(&b, 20000), BELL_INTERRUPTED, "also for later waits");
	is_int(signals_sleep_ms(20000), 0, "and sleeps");
	pid = holder(hold_lock);
	ok(lock_take(&l, top, "lock", false, -1, &err) < 0 && err.code == ERR_INTERRUPTED,
	   "and for those who wait for a lock");
	finish(pid);
	ok(signals_check(&err) < 0, "loops can ask");
	bell_close(&b);
	close(bells);
	pid = fork();
	if (pid == 0) {
		raise(SIGINT);
		raise(SIGINT);
		_exit(1);
	}
	waitpid(pid, &status, 0);
	ok(WIFEXITED(status) && WEXITSTATUS(status) == 130, "the second Ctrl-C ends at once");
	pid = fork();
	if (pid == 0) {
		int fd = signals_node(&err);

		kill(getpid(), SIGTERM);
		_exit(fd >= 0 && signals_next(fd) == SIGTERM && signals_next(fd) == 0 ? 7 : 1);
	}
	waitpid(pid, &status, 0);
	ok(WIFEXITED(status) && WEXITSTATUS(status) == 7,
	   "a node reads its signals from a descriptor");
}

int main(void)
{
	const char *tmp = getenv("TMPDIR");

	(void)snprintf(dir, sizeof(dir), "%s/kq-bell-XXXXXX", tmp ? tmp : "/tmp");
	if (!mkdtemp(dir) || (top = file_open_dir(AT_FDCWD, dir, &err)) < 0)
		return 1;
	test_bells();
	test_locks();
	test_writer();
	test_signals();
	close(top);
	file_rmtree(AT_FDCWD, dir, &err);
	return tap_done();
}
