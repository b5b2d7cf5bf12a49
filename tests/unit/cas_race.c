/* An object that looked wrong is replaced by the right one before it is removed: that one stays. */
#include "cas/cas.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/base.h"
#include "base/err.h"
#include "sys/file.h"
#include "sys/hash.h"
#include "tap.h"

static const char text[] = "right";
enum { SIZE = sizeof(text) - 1 };

static const struct store_ops *real;
static struct cas *other; /* another process's handle on the same directory */
static char path[200];    /* of the object */
static bool armed;

/* What power cuts and tasks leave under the name of the object. */
static void spoil(const char *what, mode_t mode)
{
	struct err err = ERR_INIT;

	if (file_write(AT_FDCWD, path, what, strlen(what), mode, false, &err) < 0)
		printf("# %s\n", err.text);
}

static int stat_and_replace(struct store *s, const char *key, struct store_stat *out,
			    struct err *err)
{
	int ret = real->stat(s, key, out, err);
	char hex[SHA256_HEX_SIZE];

	if (armed) {
		armed = false;
		is_int(cas_put_bytes(other, text, SIZE, hex, err), 1,
		       "somebody puts the right one in its place");
	}
	return ret;
}

static bool is_right(const char *hex)
{
	struct buf b = BUF_INIT;
	struct err err = ERR_INIT;
	bool same = cas_get(other, hex, 100, &b, &err) == 1 && strcmp(b.p, text) == 0;

	buf_release(&b);
	return same;
}

static void test_has(struct cas *c, const char *hex)
{
	struct err err = ERR_INIT;

	spoil("ri", 0400);
	armed = true;
	ok(cas_has(c, hex, SIZE, &err) >= 0, "has, of one cut short");
	ok(!armed && is_right(hex), "leaves it");
	is_int(cas_has(c, hex, SIZE, &err), 1, "and finds it the next time");
	spoil("wrong", 0600);
	armed = true;
	ok(cas_has(c, hex, SIZE, &err) >= 0, "has, of one that a task could write");
	ok(!armed && is_right(hex), "leaves it");
}

static void test_put(struct cas *c, const char *hex)
{
	struct err err = ERR_INIT;
	char got[SHA256_HEX_SIZE];

	spoil("", 0400);
	armed = true;
	is_int(cas_put_bytes(c, text, SIZE, got, &err), 0, "put finds it there");
	ok(!armed && is_right(hex), "and leaves it");
}

static void test_linked(struct cas *c, const char *hex)
{
	struct err err = ERR_INIT;

	spoil("wrong", 0600);
	armed = true;
	ok(cas_check_linked(c, hex, SIZE, &err) >= 0, "the check of an input that was linked");
	ok(!armed && is_right(hex), "leaves it");
}

int main(void)
{
	char root[4096], hex[SHA256_HEX_SIZE], key[CAS_KEY_SIZE];
	const char *tmp = getenv("TMPDIR");
	struct err err = ERR_INIT;
	struct store_ops replacing;
	struct cas *c;

	(void)snprintf(root, sizeof(root), "%.4000s/kqtest.XXXXXX", tmp ? tmp : "/tmp");
	if (!mkdtemp(root) || chdir(root) < 0)
		return EXIT_FAILURE;
	c = cas_open_dir("CAS", true, &err);
	other = cas_open_dir("CAS", false, &err);
	if (!c || !other || cas_put_bytes(c, text, SIZE, hex, &err) < 0) {
		printf("Bail out! %s\n", err.text);
		return EXIT_FAILURE;
	}
	cas_key(key, hex);
	(void)snprintf(path, sizeof(path), "CAS/%s", key);
	real = cas_store(c)->ops;
	replacing = *real;
	replacing.stat = stat_and_replace;
	cas_store(c)->ops = &replacing;
	test_has(c, hex);
	test_put(c, hex);
	test_linked(c, hex);
	cas_close(c);
	cas_close(other);
	if (chdir("/") == 0)
		(void)file_rmtree(AT_FDCWD, root, &err);
	return tap_done();
}
