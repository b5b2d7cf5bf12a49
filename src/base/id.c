#include "base/id.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/random.h>

#include "base/base.h"

static void fill_random(void *p, size_t n)
{
	unsigned char *out = p;

	while (n) {
		ssize_t k = getrandom(out, n, 0);

		if (k < 0) {
			if (errno == EINTR)
				continue;
			abort();
		}
		out += k;
		n -= (size_t)k;
	}
}

/* A forked child must not draw what its parent will draw, too: two processes would sign different
 * operations with the same name. */
static atomic_uint forks;

static void forked(void)
{
	atomic_fetch_add(&forks, 1);
}

static void watch_forks(void)
{
	if (pthread_atfork(NULL, NULL, forked) != 0)
		abort();
}

uint64_t id_u64(void)
{
	/* one getrandom for many: a signature costs nothing on the hot path */
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	static __thread uint64_t pool[64];
	static __thread size_t left;
	static __thread unsigned forks_seen;
	uint64_t v;

	pthread_once(&once, watch_forks);
	do {
		if (!left || forks_seen != atomic_load(&forks)) {
			fill_random(pool, sizeof(pool));
			left = ARRAY_SIZE(pool);
			forks_seen = atomic_load(&forks);
		}
		v = pool[--left] & INT64_MAX; /* fits SQLite's and JSON's signed 64 bits */
	} while (!v);
	return v;
}

void hex_encode(char *out, const void *p, size_t n)
{
	static const char digits[] = "0123456789abcdef";
	const unsigned char *in = p;

	for (size_t i = 0; i < n; i++) {
		out[2 * i] = digits[in[i] >> 4];
		out[2 * i + 1] = digits[in[i] & 15];
	}
	out[2 * n] = '\0';
}

void id_hex(char *out, size_t bytes)
{
	unsigned char raw[64];

	assert(bytes <= sizeof(raw));
	fill_random(raw, bytes);
	hex_encode(out, raw, bytes);
}
