/* sys/hash.h: sums of memory, of files, of many files at once. */
#include "tap.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdatomic.h>
#include <unistd.h>

#include "base/base.h"
#include "sys/file.h"
#include "sys/hash.h"

static int top;
static struct err err;

static void test_one(void)
{
	static const char abc[] = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
	char hex[SHA256_HEX_SIZE];
	struct hasher *h = hasher_new();
	struct buf b = BUF_INIT;
	struct stat st;
	int fd, out;

	hash_mem("abc", 3, hex);
	is_str(hex, abc, "sum of memory");
	hasher_add(h, "a", 1);
	hasher_add(h, "bc", 2);
	hasher_end(h, hex);
	is_str(hex, abc, "sum in pieces");
	hasher_end(h, hex);
	is_str(hex, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
	       "the hasher is empty again");
	hasher_free(h);
	ok(hash_is_hex(abc) && !hash_is_hex("abc") && !hash_is_hex("") &&
	   !hash_is_hex("Ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
	   "what is a sum in hex");
	fd = openat(top, "one", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	out = openat(top, "copy", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (fd < 0 || file_write_fd(fd, "abc", 3, &err) < 0)
		exit(1);
	is_int(hash_fd(fd, out, hex, &st, &err), HASH_OK, "sum of a descriptor");
	is_str(hex, abc, "from its beginning");
	ok(st.st_size == 3 && file_read(top, "copy", 10, &b, &err) == 1 && strcmp(b.p, "abc") == 0,
	   "with a copy on the way");
	is_int(hash_fd(top, -1, hex, &st, &err), HASH_FAILED, "a directory has no sum");
	buf_release(&b);
	close(fd);
	close(out);
}

/* Whoever writes while we read must be found out: the copy goes to a pipe that is read by the one
 * who then changes the file. */
struct meddler {
	int from, file;
};

static void *meddle(void *arg)
{
	struct meddler *m = arg;
	char space[4096];
	bool done = false;

	while (read(m->from, space, sizeof(space)) > 0)
		if (!done) {
			if (pwrite(m->file, "changed", 7, 0) < 0)
				exit(1);
			done = true;
		}
	return NULL;
}

static void test_change(void)
{
	char hex[SHA256_HEX_SIZE];
	struct meddler m;
	pthread_t id;
	int fd, p[2];

	fd = openat(top, "moving", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (fd < 0 || ftruncate(fd, 4 << 20) < 0 || pipe2(p, O_CLOEXEC) < 0)
		exit(1);
	m = (struct meddler){ p[0], fd };
	pthread_create(&id, NULL, meddle, &m);
	is_int(hash_fd(fd, p[1], hex, NULL, &err), HASH_CHANGED,
	       "a file that changes meanwhile is told");
	close(p[1]);
	pthread_join(id, NULL);
	close(p[0]);
	close(fd);
}

struct hooks {
	atomic_int sinks, dones;
	int stop_after;
};

static int sink(void *ctx, struct hash_item *it)
{
	struct hooks *h = ctx;

	(void)it;
	atomic_fetch_add(&h->sinks, 1);
	return open("/dev/null", O_WRONLY | O_CLOEXEC);
}

static void done(void *ctx, struct hash_item *it, int fd)
{
	struct hooks *h = ctx;

	(void)it;
	atomic_fetch_add(&h->dones, 1);
	if (fd >= 0)
		close(fd);
}

static bool stop(void *ctx)
{
	struct hooks *h = ctx;

	return h->stop_after && atomic_load(&h->dones) >= h->stop_after;
}

static void test_many(void)
{
	enum { N = 300 };
	static char names[N][16];
	static struct hash_item items[N];
	struct hooks state = { .stop_after = 0 };
	struct hash_hooks hooks = { .ctx = &state, .sink = sink, .done = done, .stop = stop };
	char want[SHA256_HEX_SIZE];
	size_t bad = 0;

	for (int i = 0; i < N; i++) {
		char text[64];
		int n = snprintf(text, sizeof(text), "content of %d", i);

		(void)snprintf(names[i], sizeof(names[i]), "m%d", i);
		if (i != 7 && file_write(top, names[i], text, (size_t)n, 0600, false, &err) < 0)
			exit(1);
		items[i] = (struct hash_item){ .dirfd = top, .path = names[i], .size = i };
	}
	is_int(hash_files(items, N, 4, &hooks), 1, "of 300 files one is missing");
	ok(items[7].result == HASH_FAILED && items[7].sys == ENOENT, "and says so");
	for (int i = 0; i < N; i++) {
		char text[64];
		int n = snprintf(text, sizeof(text), "content of %d", i);

		hash_mem(text, (size_t)n, want);
		bad += i != 7 && (items[i].result != HASH_OK || strcmp(want, items[i].hex) != 0 ||
				  items[i].st.st_size != n);
	}
	is_int(bad, 0, "all others are right");
	ok(atomic_load(&state.sinks) == N - 1 && atomic_load(&state.dones) == N,
	   "hooks were called");
	state = (struct hooks){ .stop_after = 10 };
	ok(hash_files(items, N, 2, &hooks) > 200 && items[0].result == HASH_FAILED &&
	   items[0].sys == ECANCELED, "a batch can be stopped");
	is_int(hash_files(items, 0, 0, NULL), 0, "nothing to do is fine");
}

int main(void)
{
	char dir[PATH_MAX];
	const char *tmp = getenv("TMPDIR");

	(void)snprintf(dir, sizeof(dir), "%s/kq-hash-XXXXXX", tmp ? tmp : "/tmp");
	if (!mkdtemp(dir) || (top = file_open_dir(AT_FDCWD, dir, &err)) < 0)
		return 1;
	test_one();
	test_change();
	test_many();
	close(top);
	file_rmtree(AT_FDCWD, dir, &err);
	return tap_done();
}
