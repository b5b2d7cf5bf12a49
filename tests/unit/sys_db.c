/* sys/db.h: the rules for SQLite. */
#include "tap.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <sys/resource.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/base.h"
#include "base/clock.h"
#include "sys/db.h"
#include "sys/file.h"

static int top;
static char dir[PATH_MAX];
static struct err err;
static const char sql_insert[] = "INSERT INTO t(k, v) VALUES (?, ?)";
static const char sql_count[] = "SELECT count(*) FROM t";
static const char sql_get[] = "SELECT v, k FROM t WHERE k = ?";

static struct db *open_db(const char *name, bool create, bool read_only, int64_t busy_ms)
{
	char *path = xasprintf("%s/%s", dir, name);
	struct db_options o = { .path = path, .create = create, .read_only = read_only,
				.busy_ms = busy_ms };
	struct db *db;

	err.code = ERR_NONE;
	db = db_open(&o, &err);
	free(path);
	return db;
}

static int insert(struct db *db, int64_t k, const char *v)
{
	sqlite3_stmt *st = db_prepare(db, sql_insert, &err);

	if (!st)
		return -1;
	db_bind_int(st, 1, k);
	db_bind_text(st, 2, v);
	return db_run(db, st, &err);
}

static int64_t count(struct db *db)
{
	int64_t n = -1;

	db_int(db, db_prepare(db, sql_count, &err), -1, &n, &err);
	return n;
}

static void test_open(void)
{
	struct stat st;
	struct db *db;

	ok(!open_db("a.db", false, false, 0) && err.code == ERR_NOT_FOUND,
	   "a missing database is not found");
	ok(!open_db("no/a.db", true, false, 0) && err.code == ERR_NOT_FOUND, "nor its directory");
	db = open_db("a.db", true, false, 0);
	ok(db, "it can be made");
	ok(fstatat(top, "a.db", &st, 0) == 0 && (st.st_mode & 0777) == 0600, "for us alone");
	is_int(db_exec(db, "CREATE TABLE t(k INTEGER PRIMARY KEY, v TEXT)", &err), 0,
	       "statements run");
	ok(fstatat(top, "a.db-wal", &st, 0) == 0 && (st.st_mode & 0777) == 0600, "in WAL mode");
	db_close(db);
	if (file_write(top, "bad.db", "this is no database, but long enough to look like one....",
		       57, 0600,
		       false, &err) < 0)
		exit(1);
	ok(!open_db("bad.db", false, false, 0) && err.code == ERR_CONFIG &&
	   strstr(err.text, "bad.db"),
	   "a file that is none is refused by name");
	db_close(NULL);
}

static void test_statements(void)
{
	struct db *db = open_db("a.db", false, false, 0);
	sqlite3_stmt *st;
	int64_t v = 0;

	ok(db_begin(db, false, &err) == 0 && insert(db, 1, "one") == 0 &&
	   insert(db, 2, NULL) == 0 &&
	   db_in_transaction(db) && db_commit(db, &err) == 0 && !db_in_transaction(db),
	   "a transaction");
	is_int(count(db), 2, "what was committed is there");
	ok(db_begin(db, true, &err) == 0 && insert(db, 3, "x") == 0, "another one");
	db_rollback(db);
	db_rollback(db);
	is_int(count(db), 2, "what was rolled back is not");
	ok(insert(db, 1, "again") < 0 && err.code == ERR_CONFLICT,
	   "a broken constraint is a conflict");
	ok(db_prepare(db, sql_get, &err) == db_prepare(db, sql_get, &err), "statements are kept");
	st = db_prepare(db, sql_get, &err);
	db_bind_int(st, 1, 1);
	ok(db_step(db, st, &err) == 1 && strcmp(db_col_text(st, 0), "one") == 0 &&
	   db_col_int(st, 1) == 1 &&
	   db_step(db, st, &err) == 0, "rows are read");
	db_reset(st);
	db_bind_int(st, 1, 2);
	ok(db_step(db, st, &err) == 1 && strcmp(db_col_text(st, 0), "") == 0 && db_col_null(st, 0),
	   "NULL reads as the empty text");
	db_reset(st);
	db_bind_int(st, 1, 77);
	ok(db_int(db, st, -5, &v, &err) == 0 && v == -5, "no row gives what was asked for");
	ok(!db_prepare(db, "SELECT nonsense FROM nowhere", &err) && err.code == ERR_IO,
	   "wrong SQL is an error");
	ok(db_set_user_version(db, 7, &err) == 0 && db_user_version(db, &v, &err) == 0 && v == 7,
	   "the schema has a version");
	db_close(db);
}

static int hook(void *ctx, int64_t waited_ms)
{
	int *calls = ctx;

	(void)waited_ms;
	++*calls;
	return *calls >= 2;
}

static void *commit_soon(void *arg)
{
	struct err e = ERR_INIT;

	db_commit(arg, &e);
	return NULL;
}

static void test_busy(void)
{
	char *path = xasprintf("%s/a.db", dir);
	int calls = 0;
	struct db_options o = { .path = path, .busy_ms = 60000, .hook_ms = 5, .hook = hook,
				.ctx = &calls };
	struct db *a = open_db("a.db", false, false, 0), *b = open_db("a.db", false, false, 20), *c;
	int64_t before = db_data_version(b);
	pthread_t id;

	if (db_begin(a, false, &err) < 0 || insert(a, 10, "x") < 0)
		exit(1);
	ok(db_begin(b, false, &err) < 0 && err.code == ERR_BUSY, "who waits too long is told busy");
	is_int(count(b), 2, "readers do not wait");
	c = db_open(&o, &err);
	ok(c && db_begin(c, false, &err) < 0 && err.code == ERR_BUSY && calls == 2,
	   "who waits long may look for the culprit, and give up");
	calls = -1000000;
	pthread_create(&id, NULL, commit_soon, a);
	is_int(db_begin(c, false, &err), 0, "who waits gets the lock");
	pthread_join(id, NULL);
	db_rollback(c);
	ok(db_data_version(b) != before, "a commit elsewhere moves the data version");
	before = db_data_version(b);
	insert(b, 11, "y");
	is_int(db_data_version(b), before, "an own one does not");
	db_close(a);
	db_close(b);
	db_close(c);
	free(path);
}

static void test_read_only(void)
{
	struct db *db = open_db("a.db", false, true, 0);

	ok(db && count(db) == 4, "read-only handles read");
	ok(insert(db, 99, "x") < 0 && err.code == ERR_CONFIG, "and do not write");
	db_close(db);
}

/* A file size limit is as good as a full disk. */
static void test_full(void)
{
	pid_t pid = fork();
	int status;

	if (pid == 0) {
		struct rlimit limit = { 300000, 300000 };
		struct db *db = open_db("full.db", true, false, 0);
		char *big = xmalloc(100001);
		int failed = 0;

		memset(big, 'x', 100000);
		big[100000] = '\0';
		(void)signal(SIGXFSZ, SIG_IGN);
		if (!db || db_exec(db, "CREATE TABLE t(k INTEGER PRIMARY KEY, v TEXT)", &err) < 0)
			_exit(1);
		setrlimit(RLIMIT_FSIZE, &limit);
		for (int i = 0; i < 20 && !failed; i++) {
			failed = db_begin(db, false, &err) < 0 || insert(db, i, big) < 0;
			if (failed)
				db_rollback(db);
			else
				failed = db_commit(db, &err) < 0;
		}
		_exit(failed && !db_in_transaction(db) && count(db) >= 0 ? 7 : 1);
	}
	waitpid(pid, &status, 0);
	ok(WIFEXITED(status) && WEXITSTATUS(status) == 7,
	   "a write that finds no room fails, and the database can be read still");
}

/* The path of the database may be as long as the system allows. */
static void test_long(void)
{
	struct db_options o = { .create = true };
	struct buf path = BUF_INIT;
	struct db *db, *two;
	char name[201];

	memset(name, 'p', 200);
	name[200] = '\0';
	buf_adds(&path, dir);
	while (path.n < 3700) {
		buf_addf(&path, "/%s", name);
		if (mkdir(path.p, 0700) < 0)
			exit(1);
	}
	buf_adds(&path, "/queue.db");
	o.path = path.p;
	db = db_open(&o, &err);
	ok(db && db_exec(db, "CREATE TABLE t(k INTEGER PRIMARY KEY, v TEXT)", &err) == 0 &&
	   insert(db, 1, "x") == 0, "a path of 3,700 bytes is fine");
	two = db_open(&o, &err);
	ok(two && count(two) == 1 && insert(two, 2, "y") == 0 && count(db) == 2,
	   "for several handles");
	db_close(db);
	ok(two && insert(two, 3, "z") == 0 && count(two) == 3, "each with its own descriptor");
	db_close(two);
	buf_release(&path);
}

static void *maker(void *arg)
{
	char *path = xasprintf("%s/race.db", dir);
	struct db_options o = { .path = path, .create = true };
	struct err e = ERR_INIT;
	struct db *db = db_open(&o, &e);

	*(bool *)arg = db && db_exec(db, "CREATE TABLE IF NOT EXISTS t(x)", &e) == 0;
	if (!*(bool *)arg)
		printf("# %s\n", e.text);
	db_close(db);
	free(path);
	return NULL;
}

static void test_race(void)
{
	pthread_t id[6];
	bool fine[6], all = true;

	for (int i = 0; i < 6; i++)
		pthread_create(&id[i], NULL, maker, &fine[i]);
	for (int i = 0; i < 6; i++) {
		pthread_join(id[i], NULL);
		all = all && fine[i];
	}
	ok(all, "six may make a database at once");
}

int main(void)
{
	const char *tmp = getenv("TMPDIR");

	(void)snprintf(dir, sizeof(dir), "%s/kq-db-XXXXXX", tmp ? tmp : "/tmp");
	if (!mkdtemp(dir) || (top = file_open_dir(AT_FDCWD, dir, &err)) < 0)
		return 1;
	test_open();
	test_statements();
	test_busy();
	test_read_only();
	test_full();
	test_long();
	test_race();
	close(top);
	file_rmtree(AT_FDCWD, dir, &err);
	return tap_done();
}
