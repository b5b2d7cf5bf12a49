/* Every sentence of cas/store.h, over every implementation: a factory each. */
#include "cas/store.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/base.h"
#include "cas/cas.h"
#include "sys/file.h"
#include "sys/hash.h"
#include "tap.h"

struct factory {
	const char *name;
	/* A handle on the one store of this run; called several times. */
	struct store *(*open)(struct err *err);
};

static char root[4096], store_path[4200];
static int rootfd;

static struct store *open_files(struct err *err)
{
	return store_files_open(store_path, true, err);
}

static int temp_file(const char *text, size_t n)
{
	char name[FILE_TEMP_SIZE];
	struct err err = ERR_INIT;
	int fd = file_temp(rootfd, "src", 0600, name, &err);

	assert(fd >= 0 && file_write_fd(fd, text, n, &err) == 0);
	return fd;
}

static int put(struct store *s, const char *key, const char *text)
{
	struct store_source src = { .p = text, .n = strlen(text), .fd = -1 };
	struct err err = ERR_INIT;

	return store_put(s, key, &src, &err);
}

static bool holds(struct store *s, const char *key, const char *text)
{
	struct buf b = BUF_INIT;
	struct err err = ERR_INIT;
	bool same = store_get(s, key, 1 << 20, &b, &err) == 1 && strcmp(b.p, text) == 0;

	buf_release(&b);
	return same;
}

static void test_put_get(struct store *s)
{
	struct err err = ERR_INIT;
	struct store_stat st, later;
	struct buf b = BUF_INIT;
	int fd = temp_file("from a file", 11), dst;
	struct store_source src = { .fd = fd, .size = 11 };

	is_int(put(s, "a/b/c", "text"), 1, "put of a new key says that it was stored");
	ok(holds(s, "a/b/c", "text"), "and get gives the bytes");
	is_int(put(s, "a/b/c", "other"), 0, "put of a key that is there says so");
	ok(holds(s, "a/b/c", "text"), "and changes nothing");
	is_int(store_put(s, "f", &src, &err), 1, "put of a descriptor");
	ok(holds(s, "f", "from a file"), "stores its bytes");
	src.size = 5;
	is_int(store_put(s, "short", &src, &err), -1,
	       "a file of another size than said is refused");
	is_int(err.code, ERR_CONFLICT, "as a conflict");
	err = (struct err)ERR_INIT;
	is_int(store_stat(s, "short", &st, &err), 0, "and nothing appears under its key");
	is_int(put(s, "empty", ""), 1, "an empty object");
	ok(holds(s, "empty", ""), "is an object");
	is_int(store_get(s, "nope", 10, &b, &err), 0, "get of a missing key is an answer");
	is_int(store_get(s, "f", 5, &b, &err), -1, "get above the limit is refused");
	err = (struct err)ERR_INIT;
	is_int(store_stat(s, "nope", &st, &err), 0, "stat of a missing key is an answer");
	is_int(store_stat(s, "f", &st, &err), 1, "stat");
	is_int(st.size, 11, "gives the size");
	usleep(20000);
	is_int(store_touch(s, "f", &err), 1, "touch");
	is_int(store_stat(s, "f", &later, &err), 1, "of an object");
	ok(later.mtime > st.mtime, "renews its time");
	is_int(store_touch(s, "nope", &err), 0, "touch of a missing key is an answer");
	is_int(store_get_file(s, "f", rootfd, "out", 0750, &err), 1, "get into a file");
	dst = openat(rootfd, "out", O_RDONLY | O_CLOEXEC);
	struct stat out;

	ok(dst >= 0 && fstat(dst, &out) == 0 && out.st_size == 11 && (out.st_mode & 0777) == 0750,
	   "with content and mode");
	is_int(out.st_nlink, 1, "a file of its own");
	close(dst);
	is_int(store_get_file(s, "f", rootfd, "out", 0600, &err), -1,
	       "never over one that is there");
	err = (struct err)ERR_INIT;
	is_int(store_get_file(s, "nope", rootfd, "out2", 0600, &err), 0,
	       "get_file of a missing key");
	ok(faccessat(rootfd, "out2", F_OK, 0) < 0, "makes nothing");
	unlinkat(rootfd, "out", 0);
	close(fd);
	buf_release(&b);
}

static void test_keys(struct store *s)
{
	static const char *const bad[] = { "", "/a", "../a", "a/../b", "a//b", "./a", "a/",
					   ".tmp/x",
					   ".lock", "a\xff" };

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		is_int(put(s, bad[i], "x"), -1, "\"%s\" is no key", i == 9 ? "a\\xff" : bad[i]);
}

struct seen {
	int n, stop_at;
	char last[64];
};

static int see(void *ctx, const char *key, const struct store_stat *st UNUSED)
{
	struct seen *l = ctx;

	l->n++;
	snprintf(l->last, sizeof(l->last), "%s", key);
	return l->stop_at < 0 ? -1 : l->n == l->stop_at;
}

static void test_list_remove(struct store *s)
{
	struct err err = ERR_INIT;
	struct seen l = { .stop_at = 1000 };
	struct store_stat st;

	put(s, "l/aa/1", "1");
	put(s, "l/aa/2", "2");
	put(s, "l/ab/3", "3");
	put(s, "lx", "4");
	is_int(store_list(s, "l/", see, &l, &err), 0, "list of a directory");
	is_int(l.n, 3, "gives what is below it");
	l = (struct seen){ .stop_at = 1000 };
	store_list(s, "l/aa/2", see, &l, &err);
	is_str(l.last, "l/aa/2", "a whole key is a prefix, too");
	l = (struct seen){ .stop_at = 1000 };
	store_list(s, "l/a", see, &l, &err);
	is_int(l.n, 3, "and part of a name");
	l = (struct seen){ .stop_at = 2 };
	is_int(store_list(s, "", see, &l, &err), 0, "a callback can stop the list");
	is_int(l.n, 2, "at once");
	l = (struct seen){ .stop_at = -1 };
	is_int(store_list(s, "", see, &l, &err), -1, "or let it fail");
	err = (struct err)ERR_INIT;

	store_stat(s, "lx", &st, &err);
	usleep(20000);
	store_touch(s, "lx", &err);
	is_int(store_remove(s, "lx", &st, &err), 0, "an object that was touched is not removed");
	ok(holds(s, "lx", "4"), "and is still there");
	store_stat(s, "lx", &st, &err);
	is_int(store_remove(s, "lx", &st, &err), 1, "one that was not is");
	is_int(store_stat(s, "lx", &st, &err), 0, "gone");
	is_int(store_remove(s, "lx", &st, &err), 1, "removing it again is fine");
	is_int(store_remove(s, "l/ab/3", NULL, &err), 1, "removal whatever the times");
}

static void test_content(struct store *s)
{
	struct err err = ERR_INIT;
	char hex[SHA256_HEX_SIZE], want[SHA256_HEX_SIZE], key[CAS_KEY_SIZE];
	int fd = temp_file("content", 7);
	int64_t size = 0, swept = 0;

	hash_mem("content", 7, want);
	is_int(store_put_content(s, fd, hex, &size, &err), 1, "put_content stores");
	is_str(hex, want, "under the sha256 of what was read");
	is_int(size, 7, "and tells the size");
	cas_key(key, hex);
	ok(holds(s, key, "content"), "the bytes are there");
	is_int(store_put_content(s, fd, hex, &size, &err), 0, "a second time it was there");
	is_int(store_sweep(s, &swept, &err), 0, "sweep");
	is_int(swept, 0, "finds nothing left behind");
	close(fd);
	is_int(store_put_content(s, 9999, hex, &size, &err), -1, "what cannot be read is an error");
	err = (struct err)ERR_INIT;
	is_int(store_sweep(s, &swept, &err), 0, "and leaves");
	is_int(swept, 0, "nothing behind");
	is_int(store_sync(s, &err), 0, "sync");
}

struct racer {
	struct store *s;
	int stored, failed;
};

static void *race(void *arg)
{
	struct racer *r = arg;

	for (int i = 0; i < 200; i++) {
		char key[32], text[32];
		int rc;

		snprintf(key, sizeof(key), "r/%02d/%d", i % 7, i);
		snprintf(text, sizeof(text), "text %d", i);
		rc = put(r->s, key, text);
		if (rc < 0 || !holds(r->s, key, text))
			r->failed++;
		else
			r->stored += rc;
	}
	return NULL;
}

static void test_race(const struct factory *f)
{
	struct racer r[4];
	pthread_t t[4];
	struct err err = ERR_INIT;
	struct store *one = f->open(&err), *two = f->open(&err);
	int stored = 0, failed = 0;

	for (int i = 0; i < 4; i++) {
		r[i] = (struct racer){ .s = i < 2 ? one : two };
		pthread_create(&t[i], NULL, race, &r[i]);
	}
	for (int i = 0; i < 4; i++) {
		pthread_join(t[i], NULL);
		stored += r[i].stored;
		failed += r[i].failed;
	}
	is_int(failed, 0, "four writers of the same keys over two handles all succeed");
	is_int(stored, 200, "and exactly one of them stored each");
	store_close(one);
	store_close(two);
}

/* What only a directory can show. */
static void test_files_only(struct store *s)
{
	struct err err = ERR_INIT;
	char path[4400];
	struct stat st;
	int64_t swept;
	int fd;

	put(s, "mode", "x");
	snprintf(path, sizeof(path), "%s/mode", store_path);
	ok(stat(path, &st) == 0 && (st.st_mode & 07777) == 0400, "objects are 0400");
	ok(stat(store_path, &st) == 0 && (st.st_mode & 07777) == 0700, "in a directory of 0700");
	snprintf(path, sizeof(path), "%s/.tmp/oleft", store_path);
	fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0400);
	close(fd);
	is_int(store_sweep(s, &swept, &err), 0, "sweep");
	is_int(swept, 1, "removes what a dead writer left");
	is_int(store_link(s, "mode", rootfd, "linked", &err), 1, "link");
	ok(fstatat(rootfd, "linked", &st, 0) == 0 && st.st_nlink == 2, "is a hard link");
	is_int(store_link(s, "nope", rootfd, "linked2", &err), 0, "of what is there");
	ok(store_files_open("/proc/nope", false, &err) == NULL && err.code == ERR_NOT_FOUND,
	   "a store that is not there is ERR_NOT_FOUND");
}

static const struct factory factories[] = { { "files", open_files } };

int main(void)
{
	const char *tmp = getenv("TMPDIR");
	struct err err = ERR_INIT;

	snprintf(root, sizeof(root), "%.4000s/kqtest.XXXXXX", tmp ? tmp : "/tmp");
	if (!mkdtemp(root))
		return EXIT_FAILURE;
	snprintf(store_path, sizeof(store_path), "%s/store", root);
	rootfd = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	for (size_t i = 0; i < ARRAY_SIZE(factories); i++) {
		struct store *s = factories[i].open(&err);

		ok(s != NULL, "a store of %s opens", factories[i].name);
		test_put_get(s);
		test_keys(s);
		test_list_remove(s);
		test_content(s);
		test_race(&factories[i]);
		store_close(s);
	}
	struct store *s = open_files(&err);

	test_files_only(s);
	store_close(s);
	close(rootfd);
	file_rmtree(AT_FDCWD, root, &err);
	return tap_done();
}
