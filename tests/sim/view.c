/* What the queue holds: read past its interface, decoded, dumped and put back. */
#include <sqlite3.h>
#include <stdio.h>
#include <string.h>

#include "sim.h"

static const char *const labels[] = { "pending", "claimed", "killed", "complete(code=0)",
				      "complete(code=3)", "failed(lost)", "failed(policy)" };

int label_index(const char *label)
{
	for (size_t i = 0; i < ARRAY_SIZE(labels); i++) {
		if (strcmp(labels[i], label) == 0)
			return (int)i;
	}
	return 7;
}

/* ---- statements, kept for the life of a handle ---- */

enum { STATEMENTS = 64 };
static struct {
	sqlite3 *db;
	const char *sql;
	sqlite3_stmt *st;
} kept[STATEMENTS];

static sqlite3_stmt *prepare(struct sim *s, const char *sql)
{
	int i;

	for (i = 0; i < STATEMENTS && kept[i].st; i++) {
		if (kept[i].db == s->db && kept[i].sql == sql)
			return kept[i].st;
	}
	if (i == STATEMENTS || (i > 0 && kept[0].db != s->db)) {
		for (int k = 0; k < i; k++)
			(void)sqlite3_finalize(kept[k].st);
		memset(kept, 0, sizeof(kept));
		i = 0;
	}
	kept[i].db = s->db;
	kept[i].sql = sql;
	if (sqlite3_prepare_v2(s->db, sql, -1, &kept[i].st, NULL) != SQLITE_OK) {
		printf("Bail out! %s: %s\n", sql, sqlite3_errmsg(s->db));
		exit(1);
	}
	return kept[i].st;
}

static int incarnation(const unsigned char *name)
{
	return name && name[0] == 'n' ? (int)strtol((const char *)name + 1, NULL, 10) : 0;
}

/* ---- the view ---- */

static void load_jobs(struct sim *s, struct view *v)
{
	static const char sql[] = "SELECT born, v, rev, n, max_running, state, id, told FROM job";
	sqlite3_stmt *st = prepare(s, sql);

	while (sqlite3_step(st) == SQLITE_ROW) {
		int born = sqlite3_column_int(st, 0);

		if (born >= JOBS) {
			fail(s, "the simulator knows only %d jobs", JOBS);
			break;
		}
		v->job[born] = (struct view_job){
			.v = (int16_t)sqlite3_column_int(st, 1),
			.rev = (int16_t)sqlite3_column_int(st, 2),
			.n = (int16_t)sqlite3_column_int(st, 3),
			.max_running = (int16_t)sqlite3_column_int(st, 4),
			.state = (int8_t)sqlite3_column_int(st, 5),
			.id = sqlite3_column_text(st, 6)[0] == 'b',
			.told = sqlite3_column_int(st, 7) != 0,
		};
	}
	(void)sqlite3_reset(st);
}

static void load_tasks(struct sim *s, struct view *v)
{
	static const char sql[] = "SELECT k, v, state, attempt, acc, node, asks, tries, free, lost "
				  "FROM task";
	sqlite3_stmt *st = prepare(s, sql);

	while (sqlite3_step(st) == SQLITE_ROW) {
		int64_t k = sqlite3_column_int64(st, 0);

		if (k >> 32 >= JOBS || (k & 0xffff) >= TASKS)
			continue;
		v->task[k >> 32][k & 0xffff] = (struct view_task){
			.v = (int16_t)sqlite3_column_int(st, 1),
			.state = (int8_t)sqlite3_column_int(st, 2),
			.attempt = (int8_t)sqlite3_column_int(st, 3),
			.acc = (int8_t)sqlite3_column_int(st, 4),
			.node = (int8_t)incarnation(sqlite3_column_text(st, 5)),
			.asks = (int8_t)sqlite3_column_int(st, 6),
			.tries = (int8_t)sqlite3_column_int(st, 7),
			.free = (int8_t)sqlite3_column_int(st, 8),
			.lost = (int8_t)sqlite3_column_int(st, 9),
		};
		v->rows++;
	}
	(void)sqlite3_reset(st);
}

static void load_nodes(struct sim *s, struct view *v)
{
	static const char sql[] = "SELECT id, v, beat, state, waits, seq FROM node";
	sqlite3_stmt *st = prepare(s, sql);

	while (sqlite3_step(st) == SQLITE_ROW) {
		int i = incarnation(sqlite3_column_text(st, 0));

		if (i <= 0 || i >= NODES)
			continue;
		v->node[i] = (struct view_node){
			.v = (int16_t)sqlite3_column_int(st, 1),
			.beat = sqlite3_column_int(st, 2),
			.state = (int8_t)sqlite3_column_int(st, 3),
			.waits = (int8_t)sqlite3_column_int(st, 4),
			.seq = (int8_t)sqlite3_column_int(st, 5),
		};
	}
	(void)sqlite3_reset(st);
}

static void load_tally(struct sim *s, struct view *v)
{
	static const char sql[] = "SELECT job, label, count FROM tally";
	sqlite3_stmt *st = prepare(s, sql);

	while (sqlite3_step(st) == SQLITE_ROW) {
		int job = sqlite3_column_int(st, 0);

		if (job < JOBS)
			v->tally[job][label_index((const char *)sqlite3_column_text(st, 1))] +=
				(int16_t)sqlite3_column_int(st, 2);
		v->rows++;
	}
	(void)sqlite3_reset(st);
}

static int32_t count_rest(struct sim *s)
{
	static const char sql[] = "SELECT (SELECT count(*) FROM span) + "
				  "(SELECT count(*) FROM attempt) + (SELECT count(*) FROM job)";
	sqlite3_stmt *st = prepare(s, sql);
	int32_t n = sqlite3_step(st) == SQLITE_ROW ? sqlite3_column_int(st, 0) : -1;

	(void)sqlite3_reset(st);
	return n;
}

void view_load(struct sim *s, struct view *v)
{
	memset(v, 0, sizeof(*v));
	for (int i = 0; i < JOBS; i++) {
		v->job[i].state = -1;
		for (int n = 0; n < TASKS; n++)
			v->task[i][n].state = -1;
	}
	for (int i = 0; i < NODES; i++)
		v->node[i].state = -1;
	load_jobs(s, v);
	load_tasks(s, v);
	load_nodes(s, v);
	load_tally(s, v);
	if (s->w.calm || s->explore)
		v->rows += count_rest(s);
}

/* ---- dump and restore ---- */

/* Each SELECT gives whole rows in an order of their own, with times replaced by whether they are
 * set; rows that only differ in what cannot matter are the same. */
static const struct {
	const char *name, *select, *insert, *clear;
} tables[] = {
	{ "job",
	  "SELECT born, id, v, rev, state, bound, user, cluster, priority, max_running, n, t, "
	  "ended>0, told, root, policy, classes, info, secret, stopped, 0 FROM job ORDER BY born",
	  "INSERT INTO job VALUES(?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)", "DELETE FROM job" },
	{ "task", "SELECT * FROM task ORDER BY k",
	  "INSERT INTO task VALUES(?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)", "DELETE FROM task" },
	{ "span", "SELECT * FROM span ORDER BY 1, 2, 3", "INSERT INTO span VALUES(?,?,?,?)",
	  "DELETE FROM span" },
	{ "attempt",
	  "SELECT k, a, op, vop, node, label, cause, exit_code, signal, 0, ended>0, 0, 0, "
	  "0, 0, 0, 0, result, result_bytes, reason, verdict, tail, sig "
	  "FROM attempt ORDER BY 1, 2",
	  "INSERT INTO attempt VALUES(?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)",
	  "DELETE FROM attempt" },
	{ "tally", "SELECT job, label, count FROM tally WHERE count<>0 ORDER BY 1, 2",
	  "INSERT INTO tally VALUES(?,?,?)", "DELETE FROM tally" },
	{ "node",
	  "SELECT id, v, op, claim_op, beat_op, seq, state, first, beat, waits, memory, 0, "
	  "cluster, cap, info FROM node ORDER BY 1",
	  "INSERT INTO node VALUES(?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)", "DELETE FROM node" },
	{ "done", "SELECT op, row_number() OVER (ORDER BY op), answer, extra FROM done ORDER BY op",
	  "INSERT INTO done VALUES(?,?,?,?)", "DELETE FROM done" },
	{ "meta", "SELECT key, value FROM meta WHERE key='bound'", "INSERT INTO meta VALUES(?,?)",
	  "DELETE FROM meta WHERE key='bound'" },
};

static void dump_row(sqlite3_stmt *st, struct buf *out)
{
	for (int i = 0; i < sqlite3_column_count(st); i++) {
		unsigned char type = (unsigned char)sqlite3_column_type(st, i);
		int64_t v = sqlite3_column_int64(st, i);

		buf_add(out, &type, 1);
		if (type == SQLITE_INTEGER) {
			buf_add(out, &v, sizeof(v));
		} else if (type == SQLITE_TEXT) {
			uint32_t n = (uint32_t)sqlite3_column_bytes(st, i);

			buf_add(out, &n, sizeof(n));
			buf_add(out, sqlite3_column_text(st, i), n);
		}
	}
}

void content_dump(struct sim *s, struct buf *out)
{
	for (size_t t = 0; t < ARRAY_SIZE(tables); t++) {
		sqlite3_stmt *st = prepare(s, tables[t].select);
		size_t at = out->n;
		uint32_t rows = 0;

		buf_add(out, &rows, sizeof(rows));
		while (sqlite3_step(st) == SQLITE_ROW) {
			dump_row(st, out);
			rows++;
		}
		(void)sqlite3_reset(st);
		memcpy(out->p + at, &rows, sizeof(rows));
	}
}

static const char *restore_row(sqlite3_stmt *st, const char *p)
{
	for (int i = 1; i <= sqlite3_bind_parameter_count(st); i++) {
		unsigned char type = (unsigned char)*p++;
		int64_t v;
		uint32_t n;

		if (type == SQLITE_INTEGER) {
			memcpy(&v, p, sizeof(v));
			p += sizeof(v);
			(void)sqlite3_bind_int64(st, i, v);
		} else if (type == SQLITE_TEXT) {
			memcpy(&n, p, sizeof(n));
			p += sizeof(n);
			(void)sqlite3_bind_text(st, i, p, (int)n, SQLITE_STATIC);
			p += n;
		} else {
			(void)sqlite3_bind_null(st, i);
		}
	}
	return p;
}

static void run_sql(struct sim *s, sqlite3_stmt *st)
{
	if (sqlite3_step(st) != SQLITE_DONE) {
		printf("Bail out! restore: %s\n", sqlite3_errmsg(s->db));
		exit(1);
	}
	(void)sqlite3_reset(st);
}

void content_restore(struct sim *s, const char *p, size_t n)
{
	static const char begin[] = "BEGIN IMMEDIATE", commit[] = "COMMIT";
	const char *end = p + n;

	run_sql(s, prepare(s, begin));
	for (size_t t = 0; t < ARRAY_SIZE(tables); t++) {
		sqlite3_stmt *st = prepare(s, tables[t].insert);
		uint32_t rows;

		run_sql(s, prepare(s, tables[t].clear));
		memcpy(&rows, p, sizeof(rows));
		p += sizeof(rows);
		for (uint32_t i = 0; i < rows; i++) {
			p = restore_row(st, p);
			run_sql(s, st);
		}
	}
	run_sql(s, prepare(s, commit));
	assert(p == end);
}

uint64_t content_hash(struct sim *s)
{
	struct buf b = BUF_INIT;
	uint64_t h = 0xcbf29ce484222325ULL;

	content_dump(s, &b);
	for (size_t i = 0; i < b.n; i++)
		h = (h ^ (unsigned char)b.p[i]) * 0x100000001b3ULL;
	buf_release(&b);
	return h;
}
