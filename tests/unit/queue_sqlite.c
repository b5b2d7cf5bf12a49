/* What is SQLite's own: the file, its schema, its locks. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "contract/queue_fixture.h"
#include "queue/queue_sqlite.h"
#include "sys/lock.h"
#include "sys/machine.h"
#include "sys/proc.h"

static char dir[200];

static const char *path_of(const char *name)
{
	static char path[4][300];
	static int next;
	char *p = path[next++ & 3];

	snprintf(p, sizeof(path[0]), "%s/%s", dir, name);
	return p;
}

static struct queue *open_at(const char *name, bool create, bool read_only, struct err *err)
{
	const struct queue_sqlite_options o = { .path = path_of(name), .create = create,
						.read_only = read_only, .busy_ms = 300 };

	return queue_sqlite_open(&o, err);
}

static void write_file(const char *name, const char *text)
{
	FILE *file = fopen(path_of(name), "we");

	if (file) {
		fputs(text, file);
		fclose(file);
	}
}

static void sql(const char *name, const char *text)
{
	sqlite3 *db;

	if (sqlite3_open(path_of(name), &db) == SQLITE_OK)
		(void)sqlite3_exec(db, text, NULL, NULL, NULL);
	sqlite3_close(db);
}

static void the_file(void)
{
	struct err err = ERR_INIT;
	struct queue *q;
	struct stat st;
	char uuid[33];
	mode_t mask = umask(0);

	ok(!open_at("q.db", false, false, &err), "a queue that is not there is not made");
	is_int(err.code, ERR_NOT_FOUND, "it is not found");
	q = open_at("q.db", true, false, &err);
	ok(q, "it is made on demand");
	umask(mask);
	is_int(stat(path_of("q.db"), &st) == 0 ? st.st_mode & 07777 : 0, 0600,
	       "for its owner alone");
	is_int(stat(path_of("q.db-wal"), &st) == 0 ? st.st_mode & 07777 : 0, 0600, "its log, too");
	snprintf(uuid, sizeof(uuid), "%s", queue_uuid(q));
	queue_close(q);
	q = open_at("q.db", true, false, &err);
	is_str(queue_uuid(q), uuid, "its name stays");
	queue_close(q);
}

static void not_ours(void)
{
	struct err err = ERR_INIT;

	write_file("text.db", "this is a text of more than one hundred bytes, so that it cannot be "
		   "taken for the beginning of a database, whatever is looked at\n");
	ok(!open_at("text.db", true, false, &err), "a file that is no database is refused");
	is_int(err.code, ERR_CONFIG, "as a matter of configuration");
	ok(strstr(err.text, "text.db"), "which names the file: %s", err.text);
	sql("foreign.db", "CREATE TABLE music(title); PRAGMA user_version=1");
	ok(!open_at("foreign.db", true, false, &err), "another program's database is refused");
	is_int(err.code, ERR_CONFIG, "in the same way");
	ok(strstr(err.text, "foreign.db"), "with the file: %s", err.text);
	ok(!open_at(".", true, false, &err), "a directory is refused");
}

static char noted[300];

static void note(void *ctx, const char *text)
{
	(void)ctx;
	snprintf(noted, sizeof(noted), "%s", text);
}

static void schemas(void)
{
	static const struct sq_step more[] = {
		{ SQ_SCHEMA, "SELECT 1" },
		{ SQ_SCHEMA + 1, "ALTER TABLE job ADD COLUMN colour TEXT; CREATE TABLE extra(x)" },
		{ SQ_SCHEMA + 2, "CREATE TABLE extra(x)" }, /* fails: it is there */
	};
	struct err err = ERR_INIT;
	struct queue *q = open_at("s.db", true, false, &err);
	struct queue_sqlite *s = sq_of(q);
	struct node n = { .id = "A", .cluster = NULL };
	struct proc_info p = { .start = 0 };
	struct machine m;
	int64_t version = 0;
	char old[32], new[32];
	enum node_state state = NODE_LIVE;

	n.cluster = n.cap = xstrdup("{}");
	machine_get(&m);
	(void)proc_info(getpid(), &p);
	n.info = xasprintf("{\"pid\":%d,\"start\":%llu,\"boot\":\"%s\"}", (int)getpid(),
			   (unsigned long long)p.start, m.boot_id);
	(void)queue_node_register(q, &n, false, 1, &err);
	s->notice = note;
	is_int(sq_migrate_steps(s, more, 2, false, &err), -1, "no migration while a node lives");
	is_int(err.code, ERR_BUSY, "which is a reason to wait");
	ok(strstr(err.text, "waiting for node A"), "for the node: %s", err.text);
	is_str(noted, err.text, "which was said at once");
	is_int(queue_beat(q, "A", 5, &state, &err), 1, "the node");
	is_int(state, NODE_DRAINING, "was told to drain");
	snprintf(n.info, strlen(n.info), "{\"pid\":%d,\"start\":1,\"boot\":\"x\"}", (int)getpid());
	(void)queue_node_info(q, "A", n.info, &err);
	is_int(sq_migrate_steps(s, more, 2, true, &err), 0, "a reader reads what is there");
	(void)db_user_version(s->db, &version, &err);
	is_int(version, SQ_SCHEMA, "and does not migrate");
	is_int(sq_migrate_steps(s, more, 2, false, &err), 0,
	       "a writer does, whatever a dead node left");
	(void)db_user_version(s->db, &version, &err);
	is_int(version, SQ_SCHEMA + 1, "to the newest schema");
	is_int(sq_migrate_steps(s, more, 2, false, &err), 0, "once");
	is_int(sq_migrate_steps(s, more, 3, false, &err), -1, "a step that fails");
	(void)db_user_version(s->db, &version, &err);
	is_int(version, SQ_SCHEMA + 1, "changes nothing");
	queue_close(q);
	free(n.cap);
	free(n.info);
	ok(!open_at("s.db", true, false, &err), "an older program refuses a newer schema");
	is_int(err.code, ERR_CONFIG, "as a matter of configuration");
	snprintf(old, sizeof(old), "schema %d", SQ_SCHEMA);
	snprintf(new, sizeof(new), "schema %d", SQ_SCHEMA + 1);
	ok(strstr(err.text, old) && strstr(err.text, new), "naming both: %s", err.text);
}

/* However many failed: an index answers, as far as is asked. */
static void plans(void)
{
	struct err err = ERR_INIT;
	struct queue *q = open_at("p.db", true, false, &err);
	sqlite3_stmt *st;
	char plan[300] = "";

	if (sqlite3_prepare_v2(db_handle(sq_of(q)->db),
			       "EXPLAIN QUERY PLAN SELECT 1 FROM attempt WHERE k>>32=1 AND sig=2 "
			       "LIMIT 100", -1, &st, NULL) == SQLITE_OK &&
	    sqlite3_step(st) == SQLITE_ROW)
		snprintf(plan, sizeof(plan), "%s", (const char *)sqlite3_column_text(st, 3));
	(void)sqlite3_finalize(st);
	ok(strstr(plan, "INDEX failure (<expr>=? AND sig=?)"), "failures alike: %s", plan);
	queue_close(q);
}

/* A queue of the schema before: what it holds is there afterwards, what it lacked is empty. */
static void schema_2(void)
{
	struct err err = ERR_INIT;
	struct fix f = { .err = ERR_INIT };
	struct claimed c[2];
	struct attempt a;
	struct job j;
	int64_t born, count = -1;

	snprintf(f.dir, sizeof(f.dir), "%s/two", dir);
	if (mkdir(f.dir, 0700) < 0)
		return;
	f.q = f.other = fix_handle(&f);
	(void)node(&f, "A");
	born = submit(&f, (struct spec){ .id = "j", .n = 2 });
	(void)claim(&f, "A", 2, c);
	is_int(finish(&f, "A", &c[0], 3), 1, "a queue in which a task failed");
	is_int(verdict(&f, verdict_of(&c[0], TASK_EV_COMPLETE)), 1, "for good");
	queue_close(f.q);
	sql("two/queue.db", "DROP TABLE spent; DROP INDEX failure; UPDATE node SET state=3;"
	    "DROP TABLE asked; ALTER TABLE attempt DROP COLUMN sig;"
	    "ALTER TABLE job DROP COLUMN stopped; ALTER TABLE job DROP COLUMN spent;"
	    "PRAGMA user_version=2");
	f.q = open_at("two/queue.db", false, true, &err);
	ok(f.q, "is made one of schema 2, and opened by a reader %s", err.text);
	is_int(queue_job_get(f.q, born, &j, &err), 1, "who finds the job");
	ok(j.stopped == NULL && j.n == 2, "stopped by nobody");
	job_release(&j);
	is_int(queue_attempt_get(f.q, born, 1, 1, &a, &err), 1, "and the attempt");
	is_int(a.exit_code, 3, "as it was");
	is_int(queue_asked(f.q, born, 1, NULL, NULL, &err), 0, "of which nothing was asked");
	attempt_release(&a);
	is_int(queue_node_time(f.q, born, clock_wall_ms(), &count, &err), 0, "node time is told");
	queue_close(f.q);
	f.q = f.other = fix_handle(&f);
	is_int(queue_attempt_get(f.q, born, 1, 1, &a, &err), 1, "whoever writes upgrades it");
	is_int(queue_same(f.q, born, attempt_signature(&a), 100, &count, &err), 0, "failures");
	is_int(count, 0, "of before are not counted");
	attempt_release(&a);
	(void)node(&f, "B");
	is_int(reset_states(&f, born, 1U << TASK_FAILED, NULL), 1, "run again");
	is_int(claim(&f, "B", 1, c), 1, "by a new node");
	is_int(finish(&f, "B", c, 3), 1, "it fails again");
	is_int(queue_attempt_get(f.q, born, 1, 2, &a, &err), 1, "its attempt");
	(void)queue_same(f.q, born, attempt_signature(&a), 100, &count, &err);
	is_int(count, 1, "is counted");
	attempt_release(&a);
	queue_close(f.q);
}

static void readers(void)
{
	struct err err = ERR_INIT;
	struct queue *q = open_at("r.db", true, false, &err), *r;
	struct job j;

	r = open_at("r.db", false, true, &err);
	ok(r, "a queue is opened for reading");
	is_int(queue_job_by_id(r, "x", &j, &err), 0, "and read");
	is_int(queue_node_info(r, "A", "{}", &err), -1, "nothing can be written");
	queue_close(r);
	queue_close(q);
}

static void locked(void)
{
	struct err err = ERR_INIT;
	struct queue *q = open_at("l.db", true, false, &err);
	const struct event e = { .kind = "x", .text = "y" };
	sqlite3 *holder;
	int64_t t;

	is_int(sqlite3_open(path_of("l.db"), &holder), SQLITE_OK, "another handle");
	is_int(sqlite3_exec(holder, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK, "locks it");
	t = clock_mono_ms();
	is_int(queue_event_add(q, &e, &err), -1, "a write gives up");
	is_int(err.code, ERR_BUSY, "as busy");
	t = clock_mono_ms() - t;
	ok(t >= 250 && t < 5000, "after the time to wait (%lld ms)", (long long)t);
	is_int(queue_events(q, 0, 0, NULL, NULL, &err), 0, "reading goes on meanwhile");
	sqlite3_exec(holder, "ROLLBACK", NULL, NULL, NULL);
	is_int(queue_event_add(q, &e, &err), 0, "the same call is fine afterwards");
	sqlite3_close(holder);
	queue_close(q);
}

/* In a child: registers as this process's node, stops inside a transaction. */
static void hold_and_stop(bool as_node, int ready)
{
	struct err err = ERR_INIT;
	struct queue *q = open_at("h.db", true, false, &err);
	struct node n = { .id = "stopped" };
	struct machine m;
	struct proc_info p;

	machine_get(&m);
	if (!q || proc_info(getpid(), &p) != 1)
		_exit(1);
	n.cluster = n.cap = xstrdup("{}");
	n.info = xasprintf("{\"pid\":%d,\"start\":%llu,\"boot\":\"%s\"}", (int)getpid(),
			   (unsigned long long)p.start, m.boot_id);
	if (as_node && queue_node_register(q, &n, false, 1, &err) != 1)
		_exit(1);
	if (db_begin(sq_of(q)->db, false, &err) < 0 || write(ready, "x", 1) != 1)
		_exit(1);
	raise(SIGSTOP);
	_exit(0);
}

static pid_t stopped_child(bool as_node)
{
	int fd[2];
	char c;
	pid_t pid;

	if (pipe2(fd, O_CLOEXEC) < 0)
		return -1;
	pid = fork();
	if (pid == 0)
		hold_and_stop(as_node, fd[1]);
	close(fd[1]);
	if (read(fd[0], &c, 1) != 1)
		printf("# the child failed\n");
	close(fd[0]);
	(void)waitpid(pid, NULL, WUNTRACED);
	return pid;
}

static void stuck_holder(void)
{
	struct err err = ERR_INIT;
	const struct event e = { .kind = "x", .text = "y" };
	struct queue_sqlite_options o = { .path = path_of("h.db"), .create = true,
					  .busy_ms = 2500, .lease_ms = 500 };
	struct queue *q;
	char text[32];
	int status = 0;
	pid_t pid = stopped_child(false);

	q = queue_sqlite_open(&o, &err);
	ok(q, "opening needs no write lock");
	if (!q)
		return;
	is_int(lock_db_writer(path_of("h.db")), pid, "the holder of the write lock is known");
	is_int(queue_event_add(q, &e, &err), -1, "a stranger who holds it is not touched");
	is_int(err.code, ERR_BUSY, "the call is busy");
	snprintf(text, sizeof(text), "process %d", (int)pid);
	ok(strstr(err.text, text), "and names it: %s", err.text);
	is_int(waitpid(pid, &status, WNOHANG), 0, "it lives");
	(void)kill(pid, SIGKILL);
	(void)waitpid(pid, &status, 0);

	pid = stopped_child(true);
	is_int(queue_event_add(q, &e, &err), 0,
	       "a node that stopped inside a transaction is ended");
	(void)waitpid(pid, &status, 0);
	ok(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL, "by a signal");
	queue_close(q);
}

int main(void)
{
	const char *tmp = getenv("TMPDIR");

	snprintf(dir, sizeof(dir), "%s/kqsqlite.XXXXXX", tmp ? tmp : "/tmp");
	if (!mkdtemp(dir))
		return 1;
	the_file();
	not_ours();
	schemas();
	plans();
	schema_2();
	readers();
	locked();
	stuck_holder();
	(void)nftw(dir, fix_remove_one, 8, FTW_DEPTH | FTW_PHYS);
	return tap_done();
}
