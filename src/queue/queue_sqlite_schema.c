#include "queue/queue_sqlite.h"

#include <stdio.h>

#include "base/id.h"
#include "sys/signals.h"

enum { WAIT_MS = 200 };

/*
 * Schema 1. Numbers of states are those of model/task.h. `op` columns hold the 8 random bytes with
 * which a write signs itself; a claim, a beat and everything else sign a node's row in different
 * columns, because different threads write them.
 */
static const char schema_1[] =
"CREATE TABLE meta(key TEXT PRIMARY KEY, value ANY) STRICT, WITHOUT ROWID;"
"CREATE TABLE job("
" born INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL, v INTEGER NOT NULL,"
" rev INTEGER NOT NULL, state INTEGER NOT NULL, bound INTEGER NOT NULL,"
" user TEXT NOT NULL, cluster TEXT NOT NULL, priority INTEGER NOT NULL,"
" max_running INTEGER NOT NULL, n INTEGER NOT NULL, t INTEGER NOT NULL, ended INTEGER NOT NULL,"
" told INTEGER NOT NULL, root TEXT, policy TEXT, classes TEXT, info TEXT, secret TEXT) STRICT;"
"CREATE UNIQUE INDEX job_id ON job(id) WHERE state IN (1,2,3);"
"CREATE INDEX job_open ON job(cluster, priority DESC, bound) WHERE state=1;"
"CREATE INDEX job_user ON job(user, bound) WHERE state IN (1,2,3);"
"CREATE TABLE task("
" k INTEGER PRIMARY KEY, v INTEGER NOT NULL, op INTEGER NOT NULL, state INTEGER NOT NULL,"
" class INTEGER NOT NULL, due INTEGER NOT NULL, attempt INTEGER NOT NULL, acc INTEGER NOT NULL,"
" tries INTEGER NOT NULL, free INTEGER NOT NULL, lost INTEGER NOT NULL, asks INTEGER NOT NULL,"
" node TEXT, label TEXT, reason TEXT) STRICT;"
"CREATE INDEX ready ON task(k>>32, class, due) WHERE state=0 AND v>1;"
"CREATE INDEX held ON task(node) WHERE state IN (2,3);"
"CREATE TABLE span("
" job INTEGER NOT NULL, class INTEGER NOT NULL, first INTEGER NOT NULL, last INTEGER NOT NULL,"
" PRIMARY KEY(job, class, first)) STRICT, WITHOUT ROWID;"
"CREATE TABLE attempt("
" k INTEGER NOT NULL, a INTEGER NOT NULL, op INTEGER NOT NULL, vop INTEGER NOT NULL,"
" node TEXT, label TEXT, cause INTEGER NOT NULL, exit_code INTEGER NOT NULL,"
" signal INTEGER NOT NULL, started INTEGER NOT NULL, ended INTEGER NOT NULL,"
" elapsed_us INTEGER NOT NULL, user_us INTEGER NOT NULL, system_us INTEGER NOT NULL,"
" max_memory INTEGER NOT NULL, block_in INTEGER NOT NULL, block_out INTEGER NOT NULL,"
" result TEXT, result_bytes INTEGER NOT NULL, reason TEXT, verdict TEXT, tail TEXT,"
" PRIMARY KEY(k, a)) STRICT, WITHOUT ROWID;"
"CREATE TABLE tally("
" job INTEGER NOT NULL, label TEXT NOT NULL, count INTEGER NOT NULL,"
" PRIMARY KEY(job, label)) STRICT, WITHOUT ROWID;"
"CREATE TABLE node("
" id TEXT PRIMARY KEY, v INTEGER NOT NULL, op INTEGER NOT NULL, claim_op INTEGER NOT NULL,"
" beat_op INTEGER NOT NULL, seq INTEGER NOT NULL, state INTEGER NOT NULL,"
" first INTEGER NOT NULL, beat INTEGER NOT NULL, waits INTEGER NOT NULL,"
" memory INTEGER NOT NULL, t INTEGER NOT NULL, cluster TEXT NOT NULL, cap TEXT, info TEXT)"
" STRICT, WITHOUT ROWID;"
"CREATE UNIQUE INDEX node_first ON node(cluster) WHERE first=1 AND state=0;"
"CREATE TABLE event("
" seq INTEGER PRIMARY KEY AUTOINCREMENT, t INTEGER NOT NULL, job INTEGER NOT NULL,"
" n INTEGER NOT NULL, kind TEXT NOT NULL, text TEXT) STRICT;"
"CREATE TABLE done("
" op INTEGER PRIMARY KEY, seq INTEGER NOT NULL, answer INTEGER NOT NULL,"
" extra INTEGER NOT NULL) STRICT;"
"CREATE UNIQUE INDEX done_seq ON done(seq);";

/*
 * Schema 2: the youngest job (by uid) that ever held an id, kept while an older submission of
 * whatever id is not complete. Attempts are ordered by (born, attempt), so a submission that began
 * before a job which already had the id, ran and was forgotten could never publish: its bind is
 * refused.
 */
static const char schema_2[] =
"CREATE TABLE name(id TEXT PRIMARY KEY, born INTEGER NOT NULL) STRICT, WITHOUT ROWID;"
"INSERT INTO name SELECT id, max(born) FROM job WHERE bound>0 GROUP BY id;"
"CREATE INDEX job_submitting ON job(born) WHERE state=0;";

/*
 * Schema 3: for policies. Table `asked`: what a policy was asked about an attempt, and answered, so
 * that it can be asked again (policy test). `sig` is attempt_signature() of a failed attempt, the
 * first of its task that failed so; successes have none and are not indexed. `stopped` is the note
 * of a verdict that stopped the job. job.spent is, while a job is open, the node time of its
 * cluster when it was submitted, and when it is over what came to it; table `spent` holds the ages
 * of nodes that are gone.
 */
static const char schema_3[] =
"CREATE TABLE asked("
" k INTEGER NOT NULL, a INTEGER NOT NULL, text TEXT NOT NULL,"
" PRIMARY KEY(k, a)) STRICT, WITHOUT ROWID;"
"ALTER TABLE attempt ADD COLUMN sig INTEGER;"
"CREATE INDEX failure ON attempt(k>>32, sig) WHERE sig IS NOT NULL;"
"ALTER TABLE job ADD COLUMN stopped TEXT;"
"ALTER TABLE job ADD COLUMN spent INTEGER NOT NULL DEFAULT 0;"
"CREATE TABLE spent(cluster TEXT PRIMARY KEY, ms INTEGER NOT NULL) STRICT, WITHOUT ROWID;";

/* For readers of an older queue, which they may not change: what it lacks is seen as empty. */
static const char older_2[] =
"PRAGMA query_only=0;"
"CREATE TEMP TABLE asked(k INTEGER NOT NULL, a INTEGER NOT NULL, text TEXT NOT NULL);"
"CREATE TEMP VIEW attempt AS SELECT *, NULL AS sig FROM main.attempt;"
"CREATE TEMP VIEW job AS SELECT *, NULL AS stopped, 0 AS spent FROM main.job;"
"CREATE TEMP TABLE spent(cluster TEXT PRIMARY KEY, ms INTEGER NOT NULL);"
"PRAGMA query_only=1;";

static const struct sq_step steps[] = {
	{ 1, schema_1 },
	{ 2, schema_2 },
	{ 3, schema_3 },
};

static const char sql_application[] = "PRAGMA application_id";
static const char sql_set_application[] = "PRAGMA application_id=1802855013";
static const char sql_tables[] = "SELECT count(*) FROM sqlite_schema";
static const char sql_insert_uuid[] =
	"INSERT OR IGNORE INTO meta VALUES('uuid', ?1), ('bound', 0)";
static const char sql_uuid[] = "SELECT value FROM meta WHERE key='uuid'";
static const char sql_living[] =
	"SELECT id, info, (SELECT count(*) FROM task WHERE task.node=node.id AND state IN (2,3)) "
	"FROM node WHERE state<>3";
static const char sql_drain[] = "UPDATE node SET state=1, v=v+1 WHERE state=0";

static int not_ours(const struct queue_sqlite *q, struct err *err)
{
	return err_set(err, ERR_CONFIG, "%s is a database of another program: move it away, or "
		       "set KUBEQUE_HOME to another directory", q->path);
}

/* An SQLite file that another program made is not touched. */
static int check_owner(struct queue_sqlite *q, int64_t version, struct err *err)
{
	sqlite3_stmt *st = db_prepare(q->db, sql_application, err);
	int64_t application, tables;

	if (!st || db_int(q->db, st, 0, &application, err) < 0)
		return -1;
	if (application == SQ_APPLICATION)
		return 0;
	st = db_prepare(q->db, sql_tables, err);
	if (!st || db_int(q->db, st, 0, &tables, err) < 0)
		return -1;
	return application != 0 || version != 0 || tables != 0 ? not_ours(q, err) : 0;
}

/* Nodes of an older kubeque would write rows they do not understand, so they have to leave first.
 * In a transaction. 1: one lives, *who says which; 0: none; -1. */
static int living_node(struct queue_sqlite *q, char **who, struct err *err)
{
	sqlite3_stmt *st = db_prepare(q->db, sql_living, err);
	int rc;

	if (!st)
		return -1;
	while ((rc = db_step(q->db, st, err)) == 1) {
		int64_t tasks = db_col_int(st, 2);
		char version[64];

		if (!sq_node_lives(db_col_text(st, 1)))
			continue;
		sq_node_version(db_col_text(st, 1), version, sizeof(version));
		*who = xasprintf("waiting for node %s (kubeque %s) to finish %lld task%s before "
				 "upgrading the queue", db_col_text(st, 0), version,
				 (long long)tasks, tasks == 1 ? "" : "s");
		break;
	}
	db_reset(st);
	return rc;
}

/* One look: 1 somebody lives and was told to drain, 0 nobody or the queue is new by now, -1. */
static int drain_nodes(struct queue_sqlite *q, int newest, char **who, struct err *err)
{
	int64_t version;
	int rc;

	if (db_begin(q->db, false, err) < 0)
		return -1;
	rc = db_user_version(q->db, &version, err);
	if (rc == 0 && version < newest)
		rc = living_node(q, who, err);
	if (rc == 1 && db_exec(q->db, sql_drain, err) == 0)
		return db_commit(q->db, err) < 0 ? -1 : 1;
	db_rollback(q->db);
	return rc == 1 ? -1 : rc;
}

static int wait_for_nodes(struct queue_sqlite *q, int newest, struct err *err)
{
	int64_t end = q->patient ? INT64_MAX : clock_mono_ms() + q->busy_ms;
	bool told = false;

	for (;;) {
		char *who = NULL;
		int rc = drain_nodes(q, newest, &who, err);

		if (rc == 1 && !told && q->notice)
			q->notice(q->ctx, who);
		told = true;
		if (rc == 1 && clock_mono_ms() >= end)
			rc = err_set(err, ERR_BUSY, "%s", who);
		free(who);
		if (rc <= 0)
			return rc;
		if (!signals_sleep_ms(WAIT_MS))
			return signals_check(err);
	}
}

/* In the transaction: somebody else may have done this step meanwhile. */
static int step_apply(struct queue_sqlite *q, const struct sq_step *s, int64_t started,
		      struct err *err)
{
	char uuid[33], *who = NULL;
	int64_t version;
	sqlite3_stmt *st;

	if (db_user_version(q->db, &version, err) < 0)
		return -1;
	if (version >= s->to)
		return 0;
	if (started > 0) { /* one may have come since we looked */
		int rc = living_node(q, &who, err);

		if (rc == 1)
			rc = err_set(err, ERR_BUSY, "%s", who);
		free(who);
		if (rc < 0)
			return -1;
	}
	if (db_exec(q->db, s->sql, err) < 0 ||
	    (version == 0 && db_exec(q->db, sql_set_application, err) < 0))
		return -1;
	if (version == 0) {
		id_hex(uuid, 16);
		st = db_prepare(q->db, sql_insert_uuid, err);
		if (!st)
			return -1;
		db_bind_text(st, 1, uuid);
		if (db_run(q->db, st, err) < 0)
			return -1;
	}
	return db_set_user_version(q->db, s->to, err);
}

static int read_uuid(struct queue_sqlite *q, struct err *err)
{
	sqlite3_stmt *st = db_prepare(q->db, sql_uuid, err);
	int rc = st ? db_step(q->db, st, err) : -1;

	if (rc == 1)
		snprintf(q->uuid, sizeof(q->uuid), "%s", db_col_text(st, 0));
	else if (rc == 0)
		rc = not_ours(q, err);
	db_reset(st);
	return rc < 0 ? -1 : 0;
}

/* Version and owner from one snapshot: somebody may be making the queue at this moment. */
static int look(struct queue_sqlite *q, int64_t *version, struct err *err)
{
	int rc;

	if (db_exec(q->db, "BEGIN", err) < 0)
		return -1;
	rc = db_user_version(q->db, version, err) < 0 || check_owner(q, *version, err) < 0 ? -1 : 0;
	db_rollback(q->db);
	return rc;
}

int sq_migrate_steps(struct queue_sqlite *q, const struct sq_step *s, size_t n, bool read_only,
		     struct err *err)
{
	int newest = s[n - 1].to;
	int64_t version;

	if (look(q, &version, err) < 0)
		return -1;
	if (version > newest)
		return err_set(err, ERR_CONFIG, "%s has schema %lld, this kubeque knows schema %d: "
			       "use the newer kubeque", q->path, (long long)version, newest);
	if (version == 0 && read_only) {
		/* somebody makes it right now, or died of it: an empty queue */
		err_set(err, ERR_NOT_FOUND, "%s is empty", q->path);
		return -1;
	}
	if (version < newest && version >= SQ_READABLE && read_only) {
		if (version < 3 && db_exec(q->db, older_2, err) < 0)
			return -1;
		return read_uuid(q, err);
	}
	if (version < newest && read_only)
		return err_set(err, ERR_CONFIG, "%s has schema %lld, this kubeque needs schema %d: "
			       "any command that writes upgrades it", q->path,
			       (long long)version, newest);
	if (version > 0 && version < newest && wait_for_nodes(q, newest, err) < 0)
		return -1;
	if (version < newest) { /* all steps at once: nobody sees one in between */
		if (db_begin(q->db, true, err) < 0)
			return -1;
		for (size_t i = 0; i < n; i++)
			if (step_apply(q, &s[i], version, err) < 0) {
				db_rollback(q->db);
				return -1;
			}
		if (db_commit(q->db, err) < 0)
			return -1;
	}
	return read_uuid(q, err);
}

int sq_migrate(struct queue_sqlite *q, bool read_only, struct err *err)
{
	return sq_migrate_steps(q, steps, ARRAY_SIZE(steps), read_only, err);
}
