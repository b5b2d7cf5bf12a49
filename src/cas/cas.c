/* Content-addressed storage over a store. */
#include "cas/cas.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/base.h"
#include "base/clock.h"
#include "sys/file.h"
#include "sys/hash.h"

#define PINS ".pins/"
enum { PIN_KEY_SIZE = sizeof(PINS) + SHA256_HEX_SIZE };

struct cas {
	struct store *store;
};

struct cas *cas_take_store(struct store *s)
{
	struct cas *c = xcalloc(1, sizeof(*c));

	c->store = s;
	return c;
}

struct cas *cas_open_dir(const char *dir, bool create, struct err *err)
{
	struct store *s = store_files_open(dir, create, err);

	return s ? cas_take_store(s) : NULL;
}

void cas_close(struct cas *c)
{
	if (!c)
		return;
	store_close(c->store);
	free(c);
}

struct store *cas_store(struct cas *c)
{
	return c->store;
}

bool cas_hash_valid(const char *hex)
{
	return hash_is_hex(hex);
}

void cas_key(char *key, const char *hex)
{
	memcpy(key, hex, 2);
	key[2] = '/';
	memcpy(key + 3, hex + 2, SHA256_HEX_SIZE - 2);
}

/* The key of a hash that came from outside. */
static int key_of(char *key, const char *hex, struct err *err)
{
	if (!cas_hash_valid(hex))
		return err_set(err, ERR_USAGE, "%.80s is no sha256 in hex", hex);
	cas_key(key, hex);
	return 0;
}

/* An object of the wrong size is what a power cut left of it, a writable one what a task made of
 * a link: it goes. */
static int drop_unless_size(struct cas *c, const char *key, int64_t size, struct err *err)
{
	struct store_stat st;
	int ret = store_stat(c->store, key, &st, err);

	if (ret > 0 && (st.size != size || st.writable))
		ret = store_remove(c->store, key, &st, err);
	return ret < 0 ? -1 : 0;
}

/* ---- putting ---------------------------------------------------------------------------- */

int cas_put_bytes(struct cas *c, const void *p, size_t n, char *hex, struct err *err)
{
	struct store_source src = { .p = p, .n = n, .fd = -1 };
	char key[CAS_KEY_SIZE];

	hash_mem(p, n, hex);
	cas_key(key, hex);
	if (drop_unless_size(c, key, (int64_t)n, err) < 0)
		return -1;
	return store_put(c->store, key, &src, err);
}

int cas_put_fd(struct cas *c, int fd, const char *path, char *hex, int64_t *size, struct err *err)
{
	int ret = store_put_content(c->store, fd, hex, size, err);

	if (ret < 0 && err->code == ERR_CONFLICT)
		return err_set(err, ERR_USAGE, "%s changed while it was read: "
			       "submit again when nothing writes to it", path);
	return ret < 0 ? err_prefix(err, "%s", path) : ret;
}

int cas_put_file(struct cas *c, const char *path, char *hex, int64_t *size, struct err *err)
{
	/* O_NONBLOCK: a FIFO must not stop us before we see that it is one. */
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	struct stat st;
	int ret = -1;

	if (fd < 0)
		return err_sys(err, "cannot read %s", path);
	if (fstat(fd, &st) < 0)
		err_sys(err, "cannot read %s", path);
	else if (!S_ISREG(st.st_mode))
		err_set(err, ERR_USAGE, "%s is no regular file", path);
	else
		ret = cas_put_fd(c, fd, path, hex, size, err);
	close(fd);
	return ret;
}

/* ---- looking ---------------------------------------------------------------------------- */

int cas_has(struct cas *c, const char *hex, int64_t size, struct err *err)
{
	struct store_stat st;
	char key[CAS_KEY_SIZE];
	int64_t age;
	int ret;

	if (key_of(key, hex, err) < 0)
		return -1;
	ret = store_stat(c->store, key, &st, err);
	if (ret <= 0)
		return ret;
	if ((size >= 0 && st.size != size) || st.writable)
		return store_remove(c->store, key, &st, err) < 0 ? -1 : 0;
	age = clock_wall_ms() - st.mtime / 1000000;
	if (age >= 0 && age < CAS_TRUST_MS)
		return 1;
	return store_touch(c->store, key, err);
}

int cas_peek(struct cas *c, const char *hex, struct err *err)
{
	struct store_stat st;
	char key[CAS_KEY_SIZE];

	if (key_of(key, hex, err) < 0)
		return -1;
	return store_stat(c->store, key, &st, err);
}

int cas_sync(struct cas *c, struct err *err)
{
	return store_sync(c->store, err);
}

int cas_renew(struct cas *c, const char *hex, struct err *err)
{
	char key[CAS_KEY_SIZE];

	if (key_of(key, hex, err) < 0)
		return -1;
	return store_touch(c->store, key, err);
}

/* ---- getting ---------------------------------------------------------------------------- */

/* An object whose bytes are not what its name says would make every later put of the right bytes
 * a no-op, so it goes. */
static int damaged(struct cas *c, const char *key, const char *hex, struct err *err)
{
	struct err ignored = ERR_INIT;

	store_remove(c->store, key, NULL, &ignored);
	cas_unpin_all(c, &ignored);
	return err_set(err, ERR_IO, "object %s of the CAS was damaged and is removed: "
		       "submit its file again", hex);
}

int cas_get(struct cas *c, const char *hex, size_t limit, struct buf *out, struct err *err)
{
	char key[CAS_KEY_SIZE], got[SHA256_HEX_SIZE];
	size_t before = out->n;
	int ret;

	if (key_of(key, hex, err) < 0)
		return -1;
	ret = store_get(c->store, key, limit, out, err);
	if (ret <= 0)
		return ret;
	hash_mem(out->p + before, out->n - before, got);
	if (strcmp(got, hex) == 0)
		return 1;
	out->n = before;
	return damaged(c, key, hex, err);
}

static int verify_file(struct cas *c, const char *key, const char *hex, int dirfd,
		       const char *path, struct err *err)
{
	char got[SHA256_HEX_SIZE];
	int fd = openat(dirfd, path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	enum hash_result r;

	if (fd < 0)
		return err_sys(err, "cannot read %s back", path);
	r = hash_fd(fd, -1, got, NULL, err);
	close(fd);
	if (r == HASH_FAILED)
		return -1;
	return r == HASH_OK && strcmp(got, hex) == 0 ? 0 : damaged(c, key, hex, err);
}

int cas_get_file(struct cas *c, const char *hex, int dirfd, const char *path, unsigned mode,
		 bool verify, struct err *err)
{
	char key[CAS_KEY_SIZE];
	int ret;

	if (key_of(key, hex, err) < 0)
		return -1;
	/* Read back before the mode may forbid it. */
	ret = store_get_file(c->store, key, dirfd, path, verify ? mode | 0400 : mode, err);
	if (ret <= 0 || !verify)
		return ret;
	if (verify_file(c, key, hex, dirfd, path, err) < 0) {
		unlinkat(dirfd, path, 0);
		return -1;
	}
	return 1;
}

enum { LOOKS_MAX = 10 }; /* touches in between make one look again */

int cas_check_linked(struct cas *c, const char *hex, int64_t size, struct err *err)
{
	struct store_stat st;
	char key[CAS_KEY_SIZE];
	bool changed = false;
	int ret = 0;

	if (key_of(key, hex, err) < 0)
		return -1;
	/* only what was seen to be wrong goes: somebody may have put the right one in its place */
	for (int i = 0; i < LOOKS_MAX; i++) {
		ret = store_stat(c->store, key, &st, err);
		if (ret <= 0 || (!st.writable && st.size == size))
			break;
		changed = true;
		ret = store_remove(c->store, key, &st, err);
		if (ret != 0)
			break;
	}
	if (ret < 0)
		return -1;
	if (!changed)
		return 1;
	return cas_unpin_all(c, err) < 0 ? -1 : 0;
}

/* ---- pins ------------------------------------------------------------------------------- */

static int pin_key(char *key, const char *list, struct err *err)
{
	if (!cas_hash_valid(list))
		return err_set(err, ERR_USAGE, "%.80s is no sha256 in hex", list);
	memcpy(key, PINS, sizeof(PINS) - 1);
	memcpy(key + sizeof(PINS) - 1, list, SHA256_HEX_SIZE);
	return 0;
}

int cas_pin_renew(struct cas *c, const char *list, struct err *err)
{
	char key[PIN_KEY_SIZE];

	if (pin_key(key, list, err) < 0)
		return -1;
	return store_touch(c->store, key, err);
}

int cas_pin(struct cas *c, const char *list, struct err *err)
{
	struct store_source src = { .p = "", .n = 0, .fd = -1 };
	char key[PIN_KEY_SIZE];

	if (pin_key(key, list, err) < 0 || store_sync(c->store, err) < 0)
		return -1;
	return store_put(c->store, key, &src, err) < 0 ? -1 : 0;
}

struct key_list {
	struct buf keys; /* NUL-separated */
};

static int note_key(void *ctx, const char *key, const struct store_stat *st UNUSED)
{
	struct key_list *l = ctx;

	buf_add(&l->keys, key, strlen(key) + 1);
	return 0;
}

int cas_unpin_all(struct cas *c, struct err *err)
{
	struct key_list l = { BUF_INIT };
	int ret = store_list(c->store, PINS, note_key, &l, err);

	for (size_t i = 0; ret == 0 && i < l.keys.n; i += strlen(l.keys.p + i) + 1)
		if (store_remove(c->store, l.keys.p + i, NULL, err) < 0)
			ret = -1;
	buf_release(&l.keys);
	return ret;
}

/* ---- queues ----------------------------------------------------------------------------- */

#define QUEUES ".queues/"
enum { HOME_MAX = 16 * 1024 };

int cas_register(struct cas *c, const char *uuid, const char *home, struct err *err)
{
	struct store_source src = { .p = home, .n = strlen(home), .fd = -1 };
	char *key = xasprintf(QUEUES "%s", uuid);
	struct store_stat st;
	int ret = store_stat(c->store, key, &st, err);

	if (ret == 0)
		ret = store_put(c->store, key, &src, err);
	free(key);
	return ret < 0 ? -1 : 0;
}

int cas_other_queue(struct cas *c, const char *uuid, const char *home, char **other,
		    struct err *err)
{
	struct key_list l = { BUF_INIT };
	struct buf text = BUF_INIT;
	int ret = store_list(c->store, QUEUES, note_key, &l, err);

	*other = NULL;
	for (size_t i = 0; ret == 0 && !*other && i < l.keys.n; i += strlen(l.keys.p + i) + 1) {
		const char *key = l.keys.p + i;

		if (strcmp(key + sizeof(QUEUES) - 1, uuid) == 0)
			continue;
		buf_clear(&text);
		ret = store_get(c->store, key, HOME_MAX, &text, err) < 0 ? -1 : 0;
		if (ret == 0 && strcmp(text.p, home) != 0)
			*other = xstrdup(text.p);
	}
	buf_release(&text);
	buf_release(&l.keys);
	return ret;
}
