#include "base/id.h"

#include <errno.h>
#include <sys/random.h>

#include "base/base.h"

void id_random(void *p, size_t n)
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

uint64_t id_u64(void)
{
	/* one getrandom for many: a signature costs nothing on the hot path */
	static __thread uint64_t pool[64];
	static __thread size_t left;
	uint64_t v;

	do {
		if (!left) {
			id_random(pool, sizeof(pool));
			left = ARRAY_SIZE(pool);
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
	id_random(raw, bytes);
	hex_encode(out, raw, bytes);
}
