/* The hash cache: when an entry is believed. */
#include "cas/hash_cache.h"

#include <fcntl.h>
#include <unistd.h>

#include "base/base.h"
#include "sys/file.h"
#include "tap.h"

#define SECOND INT64_C(1000000000)

int main(void)
{
	const char *tmp = getenv("TMPDIR");
	char root[4096], path[4200];
	struct err err = ERR_INIT;
	struct hash_cache *c;
	struct hash_dir *d;
	uint8_t sum[SHA256_SIZE], got[SHA256_SIZE];
	char hex[SHA256_HEX_SIZE];
	struct hash_stamp s = { 10, 100 * SECOND + 5, 100 * SECOND + 5, 7 }, t;

	snprintf(root, sizeof(root), "%.4000s/kqtest.XXXXXX", tmp ? tmp : "/tmp");
	if (!mkdtemp(root))
		return EXIT_FAILURE;
	snprintf(path, sizeof(path), "%s/hashes.db", root);
	for (size_t i = 0; i < sizeof(sum); i++)
		sum[i] = (uint8_t)i;

	c = hash_cache_open(path);
	d = hash_cache_dir(c, "/a");
	ok(!hash_dir_get(d, "f", &s, got), "an empty cache knows nothing");
	hash_dir_set(d, "f", &s, 101 * SECOND, sum);
	ok(hash_dir_get(d, "f", &s, got) && memcmp(got, sum, sizeof(sum)) == 0,
	   "what was set is known");
	hash_dir_set(d, "racy", &s, 100 * SECOND + 1000, sum);
	ok(!hash_dir_get(d, "racy", &s, got), "not when the file was too young when it was read");
	t = s;
	t.ctime_ns = 100 * SECOND;
	hash_dir_set(d, "coarse", &t, 101 * SECOND, sum);
	ok(!hash_dir_get(d, "coarse", &t, got), "with whole seconds it must be older");
	hash_dir_set(d, "coarse", &t, 103 * SECOND, sum);
	ok(hash_dir_get(d, "coarse", &t, got), "and then it is believed");
	hash_dir_set(hash_cache_dir(c, "/b"), "f", &s, 101 * SECOND, sum);
	hash_cache_list_set(c, sum, "5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03");
	hash_cache_save(c);
	hash_cache_close(c);

	c = hash_cache_open(path);
	d = hash_cache_dir(c, "/a");
	ok(hash_dir_get(d, "f", &s, got) && memcmp(got, sum, sizeof(sum)) == 0,
	   "it is kept in a file");
	ok(!hash_dir_get(d, "racy", &s, got), "with the time of reading");
	ok(!hash_dir_get(d, "g", &s, got), "another name is not known");
	t = s;
	t.size++;
	ok(!hash_dir_get(d, "f", &t, got), "nor another size");
	t = s;
	t.mtime_ns++;
	ok(!hash_dir_get(d, "f", &t, got), "nor another mtime");
	t = s;
	t.ctime_ns++;
	ok(!hash_dir_get(d, "f", &t, got), "nor another ctime");
	t = s;
	t.ino++;
	ok(!hash_dir_get(d, "f", &t, got), "nor another inode");
	ok(hash_cache_list_get(c, sum, hex) && strncmp(hex, "5891", 4) == 0, "lists are kept");
	got[0] = 99;
	ok(!hash_cache_list_get(c, got, hex), "by their fingerprint");
	hash_dir_set(d, "g", &s, 101 * SECOND, sum);
	hash_cache_save(c);
	hash_cache_close(c);
	c = hash_cache_open(path);
	d = hash_cache_dir(c, "/a");
	ok(hash_dir_get(d, "f", &s, got) && hash_dir_get(d, "g", &s, got), "saving merges");
	hash_cache_close(c);

	file_write(AT_FDCWD, path, "rubbish", 7, 0600, false, &err);
	c = hash_cache_open(path);
	d = hash_cache_dir(c, "/a");
	ok(!hash_dir_get(d, "f", &s, got), "a damaged file is an empty cache");
	hash_dir_set(d, "f", &s, 101 * SECOND, sum);
	hash_cache_save(c);
	hash_cache_close(c);
	c = hash_cache_open(path);
	ok(hash_dir_get(hash_cache_dir(c, "/a"), "f", &s, got), "that is written anew");
	hash_cache_close(c);
	c = hash_cache_open(NULL);
	hash_dir_set(hash_cache_dir(c, "/a"), "f", &s, 101 * SECOND, sum);
	hash_cache_save(c);
	hash_cache_close(c);
	file_rmtree(AT_FDCWD, root, &err);
	return tap_done();
}
