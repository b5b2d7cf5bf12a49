/* Hashes as text, and the stamps of files. */
#include "cas/hash_cache.h"

#include "base/base.h"

void hash_to_hex(char *hex, const uint8_t *sha256)
{
	static const char digit[] = "0123456789abcdef";

	for (size_t i = 0; i < SHA256_SIZE; i++) {
		hex[2 * i] = digit[sha256[i] >> 4];
		hex[2 * i + 1] = digit[sha256[i] & 15];
	}
	hex[2 * SHA256_SIZE] = '\0';
}

static unsigned nibble(char c)
{
	return (unsigned char)c <= '9' ? (unsigned char)c - (unsigned)'0'
				       : (unsigned char)c - (unsigned)'a' + 10;
}

void hash_from_hex(uint8_t *sha256, const char *hex)
{
	for (size_t i = 0; i < SHA256_SIZE; i++)
		sha256[i] = (uint8_t)(nibble(hex[2 * i]) << 4 | nibble(hex[2 * i + 1]));
}

void hash_stamp_of(struct hash_stamp *out, const struct stat *st)
{
	out->size = st->st_size;
	out->mtime_ns = st->st_mtim.tv_sec * INT64_C(1000000000) + st->st_mtim.tv_nsec;
	out->ctime_ns = st->st_ctim.tv_sec * INT64_C(1000000000) + st->st_ctim.tv_nsec;
	out->ino = st->st_ino;
}

bool hash_stamp_eq(const struct hash_stamp *a, const struct hash_stamp *b)
{
	return a->size == b->size && a->mtime_ns == b->mtime_ns && a->ctime_ns == b->ctime_ns &&
	       a->ino == b->ino;
}

bool hash_stamp_settled(const struct hash_stamp *s, int64_t read_ns)
{
	/* A change after our reading moves ctime, unless it falls into the same tick of the file
	 * system's clock: 1 to 10 ms where it keeps nanoseconds, 2 s where it keeps seconds. */
	int64_t tick = s->ctime_ns % 1000000000 == 0 ? INT64_C(2100000000) : INT64_C(50000000);

	return s->ctime_ns < read_ns - tick;
}
