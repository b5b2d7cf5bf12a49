/* The CAS, its collector, and inputs laid into a directory. */
#include "cas/cas.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/base.h"
#include "base/clock.h"
#include "cas/gc.h"
#include "cas/materialize.h"
#include "model/manifest.h"
#include "sys/file.h"
#include "sys/hash.h"
#include "tap.h"

static int rootfd;

/* The object becomes `hours` old. */
static void age(const char *key, int hours)
{
	char path[200];
	struct timespec ts[2] = { { .tv_nsec = UTIME_OMIT },
				  { .tv_sec = clock_wall_ms() / 1000 - hours * 3600 } };

	snprintf(path, sizeof(path), "CAS/%s", key);
	if (utimensat(rootfd, path, ts, 0) < 0)
		printf("# cannot age %s\n", path);
}

static void age_object(const char *hex, int hours)
{
	char key[CAS_KEY_SIZE];

	cas_key(key, hex);
	age(key, hours);
}

static void damage(const char *hex, const char *text)
{
	char key[CAS_KEY_SIZE], path[200];
	struct err err = ERR_INIT;

	cas_key(key, hex);
	snprintf(path, sizeof(path), "CAS/%s", key);
	file_write(rootfd, path, text, strlen(text), 0400, false, &err);
}

static void test_put_get(struct cas *c)
{
	struct err err = ERR_INIT;
	char hex[SHA256_HEX_SIZE], again[SHA256_HEX_SIZE];
	struct buf b = BUF_INIT;
	int64_t size;

	is_int(cas_put_bytes(c, "hello\n", 6, hex, &err), 1, "bytes are stored");
	is_str(hex, "5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03",
	       "under their sha256");
	is_int(cas_put_bytes(c, "hello\n", 6, again, &err), 0, "once");
	file_write(rootfd, "f", "hello\n", 6, 0600, false, &err);
	is_int(cas_put_file(c, "f", again, &size, &err), 0,
	       "a file with the same content was there");
	is_str(again, hex, "and has the same name");
	is_int(cas_put_file(c, "nope", again, &size, &err), -1, "a missing file is an error");
	err = (struct err)ERR_INIT;
	is_int(cas_put_file(c, ".", again, &size, &err), -1, "as is a directory");
	err = (struct err)ERR_INIT;
	mkfifo("fifo", 0600);
	is_int(cas_put_file(c, "fifo", again, &size, &err), -1, "and a FIFO, without hanging");
	err = (struct err)ERR_INIT;
	is_int(cas_get(c, hex, 100, &b, &err), 1, "get");
	is_str(b.p, "hello\n", "gives the bytes");
	is_int(cas_has(c, "../../etc/passwd", -1, &err), -1, "a name that is no hash is refused");
	err = (struct err)ERR_INIT;
	damage(hex, "hullo\n");
	is_int(cas_get(c, hex, 100, &b, &err), -1, "a damaged object is noticed");
	ok(strstr(err.text, "damaged"), "said");
	is_int(cas_peek(c, hex, &err), 0, "and removed, so that it can be stored again");
	err = (struct err)ERR_INIT;
	is_int(cas_put_bytes(c, "hello\n", 6, hex, &err), 1, "which it is");
	damage(hex, "hullo\n");
	is_int(cas_get_file(c, hex, rootfd, "laid", 0400, true, &err), -1,
	       "a file is verified, too");
	ok(faccessat(rootfd, "laid", F_OK, 0) < 0, "and nothing bad is left");
	err = (struct err)ERR_INIT;
	/* What a power cut may leave of an object. */
	cas_put_bytes(c, "hello\n", 6, hex, &err);
	damage(hex, "");
	is_int(cas_put_bytes(c, "hello\n", 6, hex, &err), 1, "an object cut short is stored again");
	damage(hex, "he");
	is_int(cas_put_file(c, "f", hex, &size, &err), 1, "from a file, too");
	damage(hex, "");
	is_int(cas_has(c, hex, 6, &err), 0, "and is not there for who knows its size");
	is_int(cas_peek(c, hex, &err), 0, "nor for anybody afterwards");
	is_int(cas_sync(c, &err), 0, "sync");
	buf_release(&b);
}

static void test_trust(struct cas *c)
{
	struct err err = ERR_INIT;
	char hex[SHA256_HEX_SIZE], key[CAS_KEY_SIZE];
	struct store_stat st;

	cas_put_bytes(c, "trust", 5, hex, &err);
	cas_key(key, hex);
	age_object(hex, 5);
	is_int(cas_peek(c, hex, &err), 1, "peek");
	store_stat(cas_store(c), key, &st, &err);
	ok(clock_wall_ms() - st.mtime / 1000000 > 4 * 3600 * 1000, "touches nothing");
	is_int(cas_has(c, hex, 5, &err), 1, "has");
	store_stat(cas_store(c), key, &st, &err);
	ok(clock_wall_ms() - st.mtime / 1000000 < 60 * 1000, "renews what was old");
}

struct refs {
	const char *hex;
	struct cas *cas;
	bool fail;
	const char *touch; /* renewed while the references are read */
};

static int give_refs(void *ctx, struct cas_refs *r, struct err *err)
{
	struct refs *g = ctx;

	if (g->fail)
		return err_set(err, ERR_IO, "unreadable chunk");
	if (g->touch)
		cas_renew(g->cas, g->touch, err);
	return g->hex ? cas_refs_add_list(r, g->cas, g->hex, err) : 0;
}

/* A list that names one object; both old. */
static void make_list(struct cas *c, const char *hex, char *list)
{
	struct input in = { .dst = STR("x"), .sha256 = str_of(hex), .size = 1, .mode = 0644 };
	struct buf b = BUF_INIT;
	struct err err = ERR_INIT;

	manifest_add_input(&b, &in);
	cas_put_bytes(c, b.p, b.n, list, &err);
	buf_release(&b);
}

static void test_gc(struct cas *c)
{
	struct err err = ERR_INIT;
	char used[SHA256_HEX_SIZE], list[SHA256_HEX_SIZE], old[SHA256_HEX_SIZE];
	char young[SHA256_HEX_SIZE], pinned[SHA256_HEX_SIZE], pin[SHA256_HEX_SIZE];
	char key[100];
	struct refs refs = { .cas = c, .fail = true };
	struct cas_gc g = { .older_ms = 1000, .references = give_refs, .ctx = &refs };

	cas_put_bytes(c, "used", 4, used, &err);
	make_list(c, used, list);
	cas_put_bytes(c, "old", 3, old, &err);
	cas_put_bytes(c, "young", 5, young, &err);
	cas_put_bytes(c, "pinned", 6, pinned, &err);
	make_list(c, pinned, pin);
	cas_pin(c, pin, &err);
	age_object(used, 2);
	age_object(list, 2);
	age_object(old, 2);
	age_object(pinned, 2);
	age_object(pin, 2);
	is_int(cas_gc(c, &g, &err), -1, "references that cannot be read stop the collector");
	is_int(cas_peek(c, old, &err), 1, "before anything is removed");
	err = (struct err)ERR_INIT;
	refs = (struct refs){ .cas = c, .hex = list };
	g.dry_run = true;
	is_int(cas_gc(c, &g, &err), 0, "a dry run");
	is_int(g.objects, 1, "counts");
	is_int(cas_peek(c, old, &err), 1, "and removes nothing");
	g.dry_run = false;
	refs.touch = old;
	is_int(cas_gc(c, &g, &err), 0, "collection while somebody renews an object");
	is_int(cas_peek(c, old, &err), 1, "leaves that");
	refs.touch = NULL;
	age_object(old, 2);
	is_int(cas_gc(c, &g, &err), 0, "collection");
	is_int(g.objects, 1, "of one object");
	is_int(g.bytes, 3, "and its bytes");
	is_int(cas_peek(c, old, &err), 0, "what nobody refers to goes");
	is_int(cas_peek(c, used, &err), 1, "what a job refers to stays");
	is_int(cas_peek(c, young, &err), 1,
	       "so does what is young, whatever AGE says below an hour");
	is_int(cas_peek(c, pinned, &err), 1, "and what a young pin names");
	snprintf(key, sizeof(key), ".pins/%s", pin);
	age(key, 2);
	is_int(cas_gc(c, &g, &err), 0, "with an old pin");
	is_int(cas_pin_renew(c, pin, &err), 0, "the pin goes");
	is_int(cas_peek(c, pinned, &err), 0, "and what it named");
	refs.hex = old;
	is_int(cas_gc(c, &g, &err), -1, "a list that is gone stops the collector");
}

static void test_materialize(struct cas *c)
{
	struct err err = ERR_INIT;
	char hex[SHA256_HEX_SIZE], gone[SHA256_HEX_SIZE];
	struct materialize m;
	struct stat st;
	int fd;

	mkdir("work", 0700);
	mkdir("outside", 0700);
	fd = open("work", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (symlinkat("../outside", fd, "link") < 0)
		printf("# no link\n");
	cas_put_bytes(c, "input", 5, hex, &err);
	hash_mem("never stored", 12, gone);
	materialize_init(&m, c, fd);

	struct materialize_file f = { "a/b/c", hex, 5, 0755, INT64_C(1000000000123456789) };

	is_int(materialize_file(&m, &f, &err), MATERIALIZE_OK, "an input is laid down");
	ok(fstatat(fd, "a/b/c", &st, 0) == 0 && (st.st_mode & 07777) == 0755 && st.st_nlink == 1,
	   "with its mode, a file of its own");
	ok(st.st_mtim.tv_sec == 1000000000 && st.st_mtim.tv_nsec == 123456789, "and its mtime");
	f.dst = "a/b/d";
	is_int(materialize_file(&m, &f, &err), MATERIALIZE_OK, "another one beside it");
	is_int(materialize_file(&m, &f, &err), MATERIALIZE_UNSAFE, "not twice");
	err = (struct err)ERR_INIT;
	f.dst = "../x";
	is_int(materialize_file(&m, &f, &err), MATERIALIZE_UNSAFE, "not outside");
	err = (struct err)ERR_INIT;
	f.dst = "link/x";
	is_int(materialize_file(&m, &f, &err), MATERIALIZE_UNSAFE, "not through a link");
	ok(access("outside/x", F_OK) < 0, "nothing was written there");
	err = (struct err)ERR_INIT;
	f.dst = "a/b/c/d";
	is_int(materialize_file(&m, &f, &err), MATERIALIZE_UNSAFE, "not below a file");
	err = (struct err)ERR_INIT;
	f = (struct materialize_file){ "in/F", gone, 12, 0644, 0 };
	is_int(materialize_file(&m, &f, &err), MATERIALIZE_MISSING, "an object that is not there");
	is_str(err.text, "missing input in/F", "is named as the label needs it");
	err = (struct err)ERR_INIT;
	damage(hex, "cut");
	f = (struct materialize_file){ "e", hex, 5, 0644, 0 };
	is_int(materialize_file(&m, &f, &err), MATERIALIZE_MISSING,
	       "one cut short counts as missing");
	is_int(cas_peek(c, hex, &err), 0, "and is removed");
	err = (struct err)ERR_INIT;
	is_int(materialize_dir(&m, "x/y", &err), MATERIALIZE_OK, "a directory for --cd");
	is_int(materialize_dir(&m, "/x", &err), MATERIALIZE_UNSAFE, "only inside");
	err = (struct err)ERR_INIT;
	cas_put_bytes(c, "linked", 6, hex, &err);
	m.link = true;
	f = (struct materialize_file){ "l", hex, 6, 0644, 0 };
	is_int(materialize_file(&m, &f, &err), MATERIALIZE_OK, "--link-inputs");
	ok(fstatat(fd, "l", &st, 0) == 0 && st.st_nlink == 2 && (st.st_mode & 0777) == 0400,
	   "are read-only links");
	materialize_release(&m);
	close(fd);
}

int main(void)
{
	char root[4096];
	const char *tmp = getenv("TMPDIR");
	struct err err = ERR_INIT;
	struct cas *c;

	snprintf(root, sizeof(root), "%.4000s/kqtest.XXXXXX", tmp ? tmp : "/tmp");
	if (!mkdtemp(root) || chdir(root) < 0)
		return EXIT_FAILURE;
	rootfd = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	ok(cas_open_dir("CAS", false, &err) == NULL && err.code == ERR_NOT_FOUND, "no CAS yet");
	c = cas_open_dir("CAS", true, &err);
	test_put_get(c);
	test_trust(c);
	test_materialize(c);
	test_gc(c);
	cas_close(c);
	close(rootfd);
	if (chdir("/") == 0)
		file_rmtree(AT_FDCWD, root, &err);
	return tap_done();
}
