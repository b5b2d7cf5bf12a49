/* SHA256_Init() and its kin: see hash_mem(). */
#define OPENSSL_SUPPRESS_DEPRECATED
#include "sys/hash.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/sha.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <unistd.h>

#include "base/base.h"
#include "base/id.h"
#include "sys/file.h"
#include "sys/machine.h"
#include "sys/signals.h"

enum { SUM_SIZE = 32, READ_SIZE = 1024 * 1024, THREADS_MAX = 256 };

struct hasher {
	EVP_MD_CTX *ctx;
};

static EVP_MD *sha256;
static pthread_once_t fetched = PTHREAD_ONCE_INIT;

static void fetch(void)
{
	/* openssl.cnf says nothing about SHA-256, and reading it costs half a millisecond. */
	(void)OPENSSL_init_crypto(OPENSSL_INIT_NO_LOAD_CONFIG, NULL);
	sha256 = EVP_MD_fetch(NULL, "SHA256", NULL);
	if (!sha256)
		abort(); /* an OpenSSL without SHA-256 cannot be worked with */
}

static void begin(struct hasher *h)
{
	if (EVP_DigestInit_ex2(h->ctx, sha256, NULL) != 1)
		abort();
}

struct hasher *hasher_new(void)
{
	struct hasher *h = xcalloc(1, sizeof(*h));

	pthread_once(&fetched, fetch);
	h->ctx = EVP_MD_CTX_new();
	if (!h->ctx)
		abort();
	begin(h);
	return h;
}

void hasher_add(struct hasher *h, const void *p, size_t n)
{
	if (n && EVP_DigestUpdate(h->ctx, p, n) != 1)
		abort();
}

void hasher_end(struct hasher *h, char *hex)
{
	unsigned char sum[SUM_SIZE];

	if (EVP_DigestFinal_ex(h->ctx, sum, NULL) != 1)
		abort();
	hex_encode(hex, sum, sizeof(sum));
	begin(h);
}

void hasher_free(struct hasher *h)
{
	if (!h)
		return;
	EVP_MD_CTX_free(h->ctx);
	free(h);
}

/*
 * The same code of the library without its front: a submission hashes two short texts, and the
 * first use of EVP in a process costs 0.8 ms, which is a fifth of all it takes.
 */
void hash_mem(const void *p, size_t n, char *hex)
{
	unsigned char sum[SUM_SIZE];
	SHA256_CTX ctx;

	if (SHA256_Init(&ctx) != 1 || SHA256_Update(&ctx, p, n) != 1 ||
	    SHA256_Final(sum, &ctx) != 1)
		abort();
	hex_encode(hex, sum, sizeof(sum));
}

bool hash_is_hex(const char *s)
{
	return strlen(s) == 2 * SUM_SIZE && strspn(s, "0123456789abcdef") == 2 * SUM_SIZE;
}

static bool same_file(const struct stat *a, const struct stat *b)
{
	return a->st_size == b->st_size && a->st_mtim.tv_sec == b->st_mtim.tv_sec &&
	       a->st_mtim.tv_nsec == b->st_mtim.tv_nsec && a->st_ctim.tv_sec == b->st_ctim.tv_sec &&
	       a->st_ctim.tv_nsec == b->st_ctim.tv_nsec;
}

/* With the memory to read into. On HASH_FAILED errno is what went wrong. */
static enum hash_result hash_with(struct hasher *h, char *space, int fd, int copy_to, char *hex,
				  struct stat *st)
{
	struct stat before, after;
	struct err ignored;
	off_t at = 0;

	if (fstat(fd, &before) < 0)
		return HASH_FAILED;
	if (!S_ISREG(before.st_mode)) {
		errno = S_ISDIR(before.st_mode) ? EISDIR : EINVAL;
		return HASH_FAILED;
	}
	if (before.st_size > READ_SIZE)
		(void)posix_fadvise(fd, 0, 0, POSIX_FADV_SEQUENTIAL);
	for (;;) {
		ssize_t n;

		if (at > 0 && signals_interrupted()) { /* nobody waits for the rest of a big file */
			hasher_end(h, hex);
			errno = ECANCELED;
			return HASH_FAILED;
		}
		n = pread(fd, space, READ_SIZE, at);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 || (n > 0 && copy_to >= 0 &&
			      file_write_fd(copy_to, space, (size_t)n, &ignored) < 0)) {
			int saved = errno;

			hasher_end(h, hex);
			errno = saved;
			return HASH_FAILED;
		}
		if (n == 0)
			break;
		hasher_add(h, space, (size_t)n);
		at += n;
		if (n < READ_SIZE && at == before.st_size)
			break; /* the usual end, without another read */
	}
	hasher_end(h, hex);
	if (fstat(fd, &after) < 0)
		return HASH_FAILED;
	if (st)
		*st = after;
	return same_file(&before, &after) && at == after.st_size ? HASH_OK : HASH_CHANGED;
}

enum hash_result hash_fd(int fd, int copy_to, char *hex, struct stat *st, struct err *err)
{
	struct hasher *h = hasher_new();
	char *space = xmalloc(READ_SIZE); /* only what is read into is ever touched */
	enum hash_result r = hash_with(h, space, fd, copy_to, hex, st);

	if (r == HASH_FAILED && errno == ECANCELED)
		err_set(err, ERR_INTERRUPTED, "interrupted");
	else if (r == HASH_FAILED)
		err_sys(err, "cannot read");
	free(space);
	hasher_free(h);
	return r;
}

/* ---- many files ------------------------------------------------------------------------- */

struct batch {
	struct hash_item **order;
	size_t n;
	const struct hash_hooks *hooks;
	atomic_size_t next, bad;
};

static void hash_one(struct batch *b, struct hasher *h, char *space, struct hash_item *it)
{
	int sink = -1, fd;

	fd = openat(it->dirfd, it->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (fd < 0) {
		it->result = HASH_FAILED;
		it->sys = errno;
	} else {
		if (b->hooks && b->hooks->sink)
			sink = b->hooks->sink(b->hooks->ctx, it);
		it->result = hash_with(h, space, fd, sink, it->hex, &it->st);
		it->sys = it->result == HASH_FAILED ? errno : 0;
		close(fd);
	}
	if (b->hooks && b->hooks->done)
		b->hooks->done(b->hooks->ctx, it, sink);
}

static void *worker(void *arg)
{
	struct batch *b = arg;
	struct hasher *h = hasher_new();
	char *space = xmalloc(READ_SIZE);

	for (;;) {
		size_t i = atomic_fetch_add(&b->next, 1);

		if (i >= b->n)
			break;
		if (b->hooks && b->hooks->stop && b->hooks->stop(b->hooks->ctx)) {
			b->order[i]->result = HASH_FAILED;
			b->order[i]->sys = ECANCELED;
		} else {
			hash_one(b, h, space, b->order[i]);
		}
		if (b->order[i]->result != HASH_OK)
			atomic_fetch_add(&b->bad, 1);
	}
	free(space);
	hasher_free(h);
	return NULL;
}

static int big_first(const void *a, const void *b)
{
	const struct hash_item *const *x = a, *const *y = b;

	if ((*x)->size != (*y)->size)
		return (*x)->size < (*y)->size ? 1 : -1;
	return *x < *y ? -1 : *x > *y;
}

size_t hash_files(struct hash_item *items, size_t n, int threads, const struct hash_hooks *hooks)
{
	struct batch b = { .n = n, .hooks = hooks };
	pthread_t ids[THREADS_MAX] = { 0 };
	int started = 0;

	if (n == 0)
		return 0;
	if (threads <= 0)
		threads = machine_threads();
	threads = (int)MIN((size_t)MIN(threads, THREADS_MAX), n);
	b.order = xreallocarray(NULL, n, sizeof(struct hash_item *));
	for (size_t i = 0; i < n; i++)
		b.order[i] = &items[i];
	qsort(b.order, n, sizeof(struct hash_item *), big_first);
	while (started < threads - 1 && pthread_create(&ids[started], NULL, worker, &b) == 0)
		started++;
	worker(&b);
	for (int i = 0; i < started; i++)
		pthread_join(ids[i], NULL);
	free(b.order);
	return atomic_load(&b.bad);
}
