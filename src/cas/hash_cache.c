/* hashes.db. */
#include "cas/hash_cache.h"

#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#include "base/base.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/map.h"
#include "base/vec.h"
#include "sys/db.h"

enum {
	SCHEMA = 1,
	BUSY_MS = 200,
	KEEP_DAYS = 90,
	LISTS_MAX = 1000,
};

/*
 * A blob: for each file a fixed head in the byte order of this machine (the file never leaves it),
 * then the name with its NUL, padded to 8 bytes.
 */
struct record {
	struct hash_stamp stamp;
	int64_t read_ns;
	uint8_t sha256[SHA256_SIZE];
	uint64_t name_len;
};
#define PAD8(n) (((n) + 7) & ~(size_t)7)

struct hash_entry {
	const char *name;
	struct hash_stamp stamp;
	int64_t read_ns;
	uint8_t sha256[SHA256_SIZE];
};

struct hash_dir {
	char *dir;
	char *blob;                     /* names of `old` point into it */
	VEC(struct hash_entry) old;     /* as loaded: sorted by name */
	struct map fresh;               /* name -> own struct hash_entry */
	bool stale;                     /* the row's `used` day is to be renewed */
	bool dirty;
};

struct hash_list {
	uint8_t fingerprint[SHA256_SIZE];
	char hex[SHA256_HEX_SIZE];
};

struct hash_cache {
	struct db *db; /* NULL: nothing is remembered */
	struct map dirs;
	VEC(struct hash_list) lists; /* to be written */
};

static const char sql_schema[] =
	"CREATE TABLE dir(path TEXT PRIMARY KEY, used INTEGER NOT NULL, entries BLOB NOT NULL)"
	" WITHOUT ROWID, STRICT;"
	"CREATE TABLE list(fingerprint BLOB PRIMARY KEY, used INTEGER NOT NULL,"
	" hash TEXT NOT NULL) WITHOUT ROWID, STRICT;";
static const char sql_get[] = "SELECT entries, used FROM dir WHERE path = ?1";
static const char sql_put[] =
	"INSERT INTO dir(path, used, entries) VALUES(?1, ?2, ?3)"
	" ON CONFLICT(path) DO UPDATE SET used = ?2, entries = ?3";
static const char sql_used[] = "UPDATE dir SET used = ?2 WHERE path = ?1";
static const char sql_list_get[] = "SELECT hash FROM list WHERE fingerprint = ?1";
static const char sql_list_put[] =
	"INSERT OR REPLACE INTO list(fingerprint, used, hash) VALUES(?1, ?2, ?3)";
static const char sql_prune[] = "DELETE FROM dir WHERE used < ?1";
static const char sql_list_prune[] =
	"DELETE FROM list WHERE used <"
	" (SELECT used FROM list ORDER BY used DESC LIMIT 1 OFFSET ?1)";

static int64_t today(void)
{
	return clock_wall_ms() / (24 * 3600 * 1000);
}

/* ---- open, close ------------------------------------------------------------------------ */

/* A file that is no database at all would stand in the way for ever. */
static void drop_rubbish(const char *path)
{
	static const char magic[] = "SQLite format 3";
	char head[sizeof(magic)];
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	ssize_t n;

	if (fd < 0)
		return;
	n = read(fd, head, sizeof(head));
	close(fd);
	if (n > 0 && ((size_t)n < sizeof(head) || memcmp(head, magic, sizeof(head)) != 0))
		unlink(path);
}

static struct db *open_db(const char *path, struct err *err)
{
	struct db_options o = { .path = path, .create = true, .busy_ms = BUSY_MS,
				.allow_network = false };
	struct db *db;
	int64_t version = 0;

	drop_rubbish(path);
	db = db_open(&o, err);
	if (!db)
		return NULL;
	if (db_user_version(db, &version, err) < 0)
		goto fail;
	if (version == 0) {
		if (db_begin(db, false, err) < 0)
			goto fail;
		if (db_user_version(db, &version, err) < 0 ||
		    (version == 0 && (db_exec(db, sql_schema, err) < 0 ||
				      db_set_user_version(db, SCHEMA, err) < 0)) ||
		    db_commit(db, err) < 0) {
			db_rollback(db);
			goto fail;
		}
		if (version == 0)
			version = SCHEMA;
	}
	if (version == SCHEMA)
		return db;
	err_set(err, ERR_CONFIG, "schema %" PRId64, version);
fail:
	db_close(db);
	return NULL;
}

struct hash_cache *hash_cache_open(const char *path)
{
	struct hash_cache *c = xcalloc(1, sizeof(*c));
	struct err err = ERR_INIT;

	if (!path)
		return c;
	c->db = open_db(path, &err);
	if (!c->db)
		log_debug("hash cache %s is not used: %s", path, err.text);
	return c;
}

static void free_entry(void *ctx UNUSED, const char *key UNUSED, void *value)
{
	free(value);
}

static void free_dir(void *ctx UNUSED, const char *key UNUSED, void *value)
{
	struct hash_dir *d = value;

	map_each(&d->fresh, free_entry, NULL);
	map_release(&d->fresh);
	vec_release(&d->old);
	free(d->blob);
	free(d->dir);
	free(d);
}

void hash_cache_close(struct hash_cache *c)
{
	if (!c)
		return;
	map_each(&c->dirs, free_dir, NULL);
	map_release(&c->dirs);
	vec_release(&c->lists);
	db_close(c->db);
	free(c);
}

/* After an error the database is left alone for the rest of this handle's life. */
static void give_up(struct hash_cache *c, const struct err *err)
{
	log_debug("hash cache is not used any more: %s", err->text);
	db_close(c->db);
	c->db = NULL;
}

/* ---- directories ------------------------------------------------------------------------ */

/* A blob that does not parse to its end is ignored as a whole. */
static void parse_blob(struct hash_dir *d, struct str blob)
{
	size_t at = 0;

	d->blob = xmemdup(blob.p, blob.n);
	while (at < blob.n) {
		struct record r;
		struct hash_entry *e;

		if (blob.n - at < sizeof(r))
			goto damaged;
		memcpy(&r, d->blob + at, sizeof(r));
		at += sizeof(r);
		if (r.name_len == 0 || r.name_len > 255 || blob.n - at < PAD8(r.name_len + 1) ||
		    d->blob[at + r.name_len] != '\0')
			goto damaged;
		e = vec_push(&d->old);
		e->name = d->blob + at;
		e->stamp = r.stamp;
		e->read_ns = r.read_ns;
		memcpy(e->sha256, r.sha256, SHA256_SIZE);
		at += PAD8(r.name_len + 1);
	}
	return;
damaged:
	d->old.n = 0;
}

static void load_dir(struct hash_cache *c, struct hash_dir *d)
{
	struct err err = ERR_INIT;
	sqlite3_stmt *st = db_prepare(c->db, sql_get, &err);
	int rc = -1;

	if (st) {
		db_bind_text(st, 1, d->dir);
		rc = db_step(c->db, st, &err);
		if (rc > 0) {
			parse_blob(d, db_col_blob(st, 0));
			d->stale = db_col_int(st, 1) != today();
		}
	}
	db_reset(st);
	if (rc < 0)
		give_up(c, &err);
}

struct hash_dir *hash_cache_dir(struct hash_cache *c, const char *dir)
{
	struct hash_dir *d = map_get(&c->dirs, dir);

	if (d)
		return d;
	d = xcalloc(1, sizeof(*d));
	d->dir = xstrdup(dir);
	if (c->db)
		load_dir(c, d);
	map_set(&c->dirs, dir, d);
	return d;
}

static const struct hash_entry *find_old(const struct hash_dir *d, const char *name)
{
	size_t lo = 0, hi = d->old.n;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;
		int cmp = strcmp(name, d->old.p[mid].name);

		if (cmp == 0)
			return &d->old.p[mid];
		if (cmp < 0)
			hi = mid;
		else
			lo = mid + 1;
	}
	return NULL;
}

bool hash_dir_get(const struct hash_dir *d, const char *name, const struct hash_stamp *s,
		  uint8_t *sha256)
{
	const struct hash_entry *e = map_get(&d->fresh, name);

	if (!e)
		e = find_old(d, name);
	if (!e || !hash_stamp_eq(&e->stamp, s) || !hash_stamp_settled(s, e->read_ns))
		return false;
	memcpy(sha256, e->sha256, SHA256_SIZE);
	return true;
}

void hash_dir_set(struct hash_dir *d, const char *name, const struct hash_stamp *s,
		  int64_t read_ns, const uint8_t *sha256)
{
	struct hash_entry *e = map_get(&d->fresh, name);

	if (strlen(name) > 255)
		return;
	if (!e) {
		e = xcalloc(1, sizeof(*e));
		map_set(&d->fresh, name, e);
	}
	e->stamp = *s;
	e->read_ns = read_ns;
	memcpy(e->sha256, sha256, SHA256_SIZE);
	d->dirty = true;
}

/* ---- lists ------------------------------------------------------------------------------ */

bool hash_cache_list_get(struct hash_cache *c, const uint8_t *fingerprint, char *list_hex)
{
	struct err err = ERR_INIT;
	sqlite3_stmt *st;
	int rc = -1;

	if (!c->db)
		return false;
	st = db_prepare(c->db, sql_list_get, &err);
	if (st) {
		db_bind_blob(st, 1, fingerprint, SHA256_SIZE);
		rc = db_step(c->db, st, &err);
	}
	if (rc > 0) {
		const char *hex = db_col_text(st, 0);

		if (strlen(hex) == SHA256_HEX_SIZE - 1)
			memcpy(list_hex, hex, SHA256_HEX_SIZE);
		else
			rc = 0;
	}
	db_reset(st);
	if (rc < 0)
		give_up(c, &err);
	return rc > 0;
}

void hash_cache_list_set(struct hash_cache *c, const uint8_t *fingerprint, const char *list_hex)
{
	struct hash_list *l = vec_push(&c->lists);

	memcpy(l->fingerprint, fingerprint, SHA256_SIZE);
	memcpy(l->hex, list_hex, SHA256_HEX_SIZE);
}

/* ---- saving ----------------------------------------------------------------------------- */

struct save {
	struct hash_cache *c;
	VEC(struct hash_entry) merged;
	struct buf blob;
	struct err err;
	int rc;
};

static int by_name(const void *a, const void *b)
{
	const struct hash_entry *x = a, *y = b;

	return strcmp(x->name, y->name);
}

static void merge_fresh(void *ctx, const char *key, void *value)
{
	struct save *s = ctx;
	struct hash_entry e = *(const struct hash_entry *)value;

	e.name = key;
	*vec_push(&s->merged) = e;
}

static void write_blob(struct save *s)
{
	static const char zero[8];

	buf_clear(&s->blob);
	for (size_t i = 0; i < s->merged.n; i++) {
		const struct hash_entry *e = &s->merged.p[i];
		struct record r = { .stamp = e->stamp, .read_ns = e->read_ns,
				    .name_len = strlen(e->name) };

		memcpy(r.sha256, e->sha256, SHA256_SIZE);
		buf_add(&s->blob, &r, sizeof(r));
		buf_add(&s->blob, e->name, r.name_len);
		buf_add(&s->blob, zero, PAD8(r.name_len + 1) - r.name_len);
	}
}

static void save_dir(void *ctx, const char *key UNUSED, void *value)
{
	struct save *s = ctx;
	struct hash_dir *d = value;
	sqlite3_stmt *st;

	if (s->rc < 0 || (!d->dirty && !d->stale))
		return;
	st = db_prepare(s->c->db, d->dirty ? sql_put : sql_used, &s->err);
	if (!st) {
		s->rc = -1;
		return;
	}
	db_bind_text(st, 1, d->dir);
	db_bind_int(st, 2, today());
	if (d->dirty) {
		s->merged.n = 0;
		map_each(&d->fresh, merge_fresh, s);
		for (size_t i = 0; i < d->old.n; i++)
			if (!map_get(&d->fresh, d->old.p[i].name))
				*vec_push(&s->merged) = d->old.p[i];
		qsort(s->merged.p, s->merged.n, sizeof(*s->merged.p), by_name);
		write_blob(s);
		db_bind_blob(st, 3, s->blob.p, s->blob.n);
	}
	s->rc = db_run(s->c->db, st, &s->err);
}

static int run_int(struct db *db, const char *sql, int64_t v, struct err *err)
{
	sqlite3_stmt *st = db_prepare(db, sql, err);

	if (!st)
		return -1;
	db_bind_int(st, 1, v);
	return db_run(db, st, err);
}

static int save_lists(struct hash_cache *c, struct err *err)
{
	for (size_t i = 0; i < c->lists.n; i++) {
		sqlite3_stmt *st = db_prepare(c->db, sql_list_put, err);

		if (!st)
			return -1;
		db_bind_blob(st, 1, c->lists.p[i].fingerprint, SHA256_SIZE);
		db_bind_int(st, 2, clock_wall_ms());
		db_bind_text(st, 3, c->lists.p[i].hex);
		if (db_run(c->db, st, err) < 0)
			return -1;
	}
	return run_int(c->db, sql_list_prune, LISTS_MAX, err);
}

static void clear_flags(void *ctx UNUSED, const char *key UNUSED, void *value)
{
	struct hash_dir *d = value;

	d->dirty = d->stale = false;
}

struct dirty_count {
	size_t n;
};

static void count_dirty(void *ctx, const char *key UNUSED, void *value)
{
	struct dirty_count *n = ctx;
	const struct hash_dir *d = value;

	n->n += d->dirty || d->stale;
}

void hash_cache_save(struct hash_cache *c)
{
	struct save s = { .c = c, .blob = BUF_INIT, .err = ERR_INIT };
	struct dirty_count dirty = { c->lists.n };

	map_each(&c->dirs, count_dirty, &dirty);
	if (!c->db || dirty.n == 0)
		return;
	if (db_begin(c->db, false, &s.err) < 0) {
		log_debug("hash cache is not written: %s", s.err.text);
		return;
	}
	map_each(&c->dirs, save_dir, &s);
	if (s.rc == 0)
		s.rc = run_int(c->db, sql_prune, today() - KEEP_DAYS, &s.err);
	if (s.rc == 0)
		s.rc = save_lists(c, &s.err);
	if (s.rc == 0)
		s.rc = db_commit(c->db, &s.err);
	if (s.rc < 0) {
		db_rollback(c->db);
		log_debug("hash cache is not written: %s", s.err.text);
	} else {
		map_each(&c->dirs, clear_flags, NULL);
		c->lists.n = 0;
	}
	buf_release(&s.blob);
	vec_release(&s.merged);
}
