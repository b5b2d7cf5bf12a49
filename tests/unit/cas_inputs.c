/* -u and ^: what is taken, where it lands, what is refused, what is stored. */
#include "cas/inputs.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/base.h"
#include "cas/materialize.h"
#include "sys/file.h"
#include "tap.h"
#include "unprivileged.h"

static char root[4096];

static void make(const char *path, const char *text)
{
	struct err err = ERR_INIT;
	char *dir = xstrdup(path), *slash = strrchr(dir, '/');

	if (slash) {
		*slash = '\0';
		file_mkdirs(AT_FDCWD, dir, 0700, &err);
	}
	free(dir);
	if (file_write(AT_FDCWD, path, text, strlen(text), 0644, false, &err) < 0)
		printf("# %s\n", err.text);
}

static void link_to(const char *target, const char *path)
{
	if (symlink(target, path) < 0)
		printf("# cannot link %s\n", path);
}

/* Specs ("^x" is a word), NULL-terminated, checked: the destinations joined by blanks, or "! " and
 * the error. */
static const char *landed_with(const char *const *exclude, const char *const *specs)
{
	static struct buf out = BUF_INIT;
	struct inputs_options o = { .exclude = exclude };
	struct input_set *in = inputs_new(&o);
	struct err err = ERR_INIT;
	const char *dst;
	int rc = 0;

	buf_clear(&out);
	for (; *specs && rc == 0; specs++)
		rc = **specs == '^' ? inputs_add_word(in, *specs + 1, NULL, &dst, &err)
				    : inputs_add(in, *specs, NULL, &err);
	if (rc == 0)
		rc = inputs_check(in, &err);
	if (rc < 0)
		buf_addf(&out, "! %s", err.text);
	for (size_t i = 0; rc == 0 && i < inputs_count(in); i++)
		buf_addf(&out, "%s%s", i ? " " : "", inputs_at(in, i)->dst);
	inputs_free(in);
	return out.p;
}
#define landed(...) landed_with(NULL, (const char *const[]){ __VA_ARGS__, NULL })
#define refused(word, ...) do { \
	const char *got_ = landed(__VA_ARGS__); \
	if (!ok(got_[0] == '!' && strstr(got_, word), "refused: %s", #__VA_ARGS__)) \
		printf("#   got %s\n", got_); \
} while (0)


static void test_places(void)
{
	char absolute[4200];

	make("a.txt", "a");
	make("b.txt", "b");
	make("same.txt", "a");
	make("d/x.txt", "x");
	make("d/.hidden", "h");
	make("d/sub/y.txt", "y");
	make("d-x", "between");
	make("data/1.csv", "1");
	make("data/2.csv", "2");
	make("data/deep/3.csv", "3");
	make("odd:name", "o");
	make("@at", "at");
	snprintf(absolute, sizeof(absolute), "%s/d/x.txt", root);
	is_str(landed("a.txt"), "a.txt", "a file keeps its relative path");
	is_str(landed("./d//x.txt"), "d/x.txt", "normalised");
	is_str(landed(absolute), "x.txt", "an absolute one lands under its base name");
	is_str(landed("a.txt:q/r"), "q/r", "src:dst");
	is_str(landed("a.txt:q/"), "q/a.txt", "a dst that ends in / is a directory");
	is_str(landed("a.txt:."), "a.txt", "as is .");
	is_str(landed("d"), "d/.hidden d/sub/y.txt d/x.txt", "a directory, hidden files too");
	is_str(landed("d/"), "d/.hidden d/sub/y.txt d/x.txt", "with a slash as well");
	is_str(landed("d:z"), "z/.hidden z/sub/y.txt z/x.txt", "dir:dst puts the files under dst");
	is_str(landed("d:z/"), "z/d/.hidden z/d/sub/y.txt z/d/x.txt",
	       "dir:dst/ under its base name");
	is_str(landed("odd:name"), "odd:name", "a name with a colon that is there is that file");
	is_str(landed("./@at"), "@at", "./@name is a file");
	is_str(landed("data/*.csv"), "data/1.csv data/2.csv", "a pattern");
	is_str(landed("data/**/*.csv"), "data/1.csv data/2.csv data/deep/3.csv", "** goes deeper");
	is_str(landed("data/**"), "data/1.csv data/2.csv data/deep/3.csv", "and at the end takes files");
	is_str(landed("d*/[12].csv:in"), "in/1.csv in/2.csv", "a pattern with a dst");
	is_str(landed("data/*"), "data/1.csv data/2.csv data/deep/3.csv", "directories that match come whole");
	link_to("data", "linked");
	is_str(landed("linked/*.csv"), "linked/1.csv linked/2.csv", "through a link to a directory");
	is_str(landed("l*d/[12].csv"), "linked/1.csv linked/2.csv", "a wildcard, too");
	is_str(landed("gs://b/k/o"), "o", "a URL lands under its base name");
	is_str(landed("gs://b/k/o:p/q"), "p/q", "or where it is told");
	is_str(landed("^d/x.txt"), "d/x.txt", "a word");
	is_str(landed("^odd:name"), "odd:name", "is never split");
	is_str(landed("a.txt", "a.txt", "./a.txt:a.txt"), "a.txt", "the same source counts once");
	is_str(landed("a.txt:z", "same.txt:z"), "z", "as does the same content");
	is_str(landed("d", "d-x"), "d-x d/.hidden d/sub/y.txt d/x.txt", "in the order of bytes");
	make("list", "# c\n\na.txt:from\r\n@list2\n  \n");
	make("list2", "\xef\xbb\xbf" "b.txt");
	is_str(landed("@list"), "b.txt from", "lists, nested, with CRLF, BOM and comments");
	is_str(landed_with((const char *const[]){ "sub", "data/1.csv", "*.txt", NULL },
			   (const char *const[]){ "d", "data", NULL }),
	       "d/.hidden data/2.csv data/deep/3.csv", "--push-exclude by path and by place");
}

static void test_refusals(void)
{
	refused("nope", "nope");
	refused("nope", "nope:x");
	refused("no file matches data/*.zip", "data/*.zip");
	refused("leaves", "a.txt:../x");
	refused("absolute", "a.txt:/x");
	refused("leaves", "a.txt:y/../../x");
	refused("empty", "a.txt:");
	refused("two different inputs for z: \"a.txt:z\" and \"b.txt:z\"", "a.txt:z", "b.txt:z");
	refused("both a file and a directory at z", "a.txt:z", "b.txt:z/y");
	refused("both a file and a directory at d/sub", "d", "d-x:d-x", "a.txt:d/sub");
	refused("\"ERROR\" (to pass a word that begins with ^, write ^^ERROR)", "^ERROR");
	refused("no file matches", "zz*:in");
	mkfifo("fifo", 0600);
	refused("FIFO", "fifo");
	mkdir("s", 0700);
	make("s/f", "f");
	link_to("nowhere", "s/dangling");
	refused("s/dangling", "s");
	refused("dangling", "s/dangling");
	unlink("s/dangling");
	link_to(".", "s/loop");
	refused("s/loop is a link", "s");
	unlink("s/loop");
	link_to("self", "s/self");
	refused("s/self", "s");
	unlink("s/self");
	make("s/bad\xff", "");
	refused("s/bad\\xFF", "s");
	unlink("s/bad\xff");
	is_str(landed("s"), "s/f", "and without them it is taken");
	link_to("../d", "s/link");
	is_str(landed("s"), "s/f s/link/.hidden s/link/sub/y.txt s/link/x.txt",
	       "links are followed");
	make("l1", "@l2\n");
	make("l2", "\n@l1\n");
	refused("l2, line 2: the list l1 includes itself", "@l1");
	make("l3", "a.txt\nmissing\n");
	refused("l3, line 2", "@l3");
	refused("@", "@");
	refused("-u", "");
}

static void test_unreadable(void)
{
	override_modes_drop();
	chmod("b.txt", 0);
	refused("cannot read b.txt", "b.txt");
	chmod("b.txt", 0600);
}

static void test_pool(void)
{
	struct inputs_options o = { .pool = true };
	struct input_set *pool = inputs_new(&o), *common = inputs_new(NULL);
	struct err err = ERR_INIT;
	const struct input_file **v;
	size_t id[5];
	const char *dst;

	inputs_add(common, "a.txt", NULL, &err);
	inputs_add(common, "d", NULL, &err);
	inputs_check(common, &err);
	inputs_add(pool, "data/1.csv", &id[0], &err);
	inputs_add(pool, "data/2.csv:data/1.csv", &id[1], &err);
	inputs_add(pool, "data/1.csv", &id[2], &err);
	inputs_add_word(pool, "a.txt", &id[3], &dst, &err);
	inputs_add(pool, "b.txt:d", &id[4], &err);
	is_int(id[2], id[0], "the same text is one spec of a pool");
	is_str(dst, "a.txt", "a word tells its place");
	is_int(inputs_check_task(common, pool, (size_t[]){ id[0], id[2], id[3] }, 3, &v, &err), 1,
	       "what the job brings anyway is not brought twice");
	is_str(v[0]->dst, "data/1.csv", "the rest is listed");
	free(v);
	is_int(inputs_check_task(common, pool, (size_t[]){ id[0], id[1] }, 2, &v, &err), -1,
	       "two files of one task for one place are refused");
	err = (struct err)ERR_INIT;
	is_int(inputs_check_task(common, pool, (size_t[]){ id[4] }, 1, &v, &err), -1,
	       "and a file where the job has a directory");
	ok(strstr(err.text, "both a file and a directory at d"), "with a sentence");
	ok(inputs_find(common, "d/x.txt") && !inputs_find(common, "d"), "find");
	inputs_free(pool);
	inputs_free(common);
}

struct told {
	int present, uploaded, missing;
	struct buf names;
};

static void tell(void *ctx, enum inputs_event ev, const char *src, int64_t size UNUSED)
{
	struct told *t = ctx;

	t->present += ev == INPUTS_PRESENT;
	t->uploaded += ev == INPUTS_UPLOADED;
	t->missing += ev == INPUTS_MISSING;
	buf_addf(&t->names, "%s ", src);
}

/* Stores "d" and "a.txt"; the list's hash. */
static const char *store(struct cas *cas, const char *cache_path, bool dry, struct told *t)
{
	static struct inputs_store s;
	struct input_set *in = inputs_new(NULL);
	struct hash_cache *cache = hash_cache_open(cache_path);
	struct err err = ERR_INIT;

	buf_clear(&t->names);
	t->present = t->uploaded = t->missing = 0;
	s = (struct inputs_store){ .cas = cas, .cache = cache, .dry_run = dry, .fn = tell,
				   .ctx = t };
	if (inputs_add(in, "d", NULL, &err) < 0 || inputs_add(in, "a.txt", NULL, &err) < 0 ||
	    inputs_check(in, &err) < 0 || inputs_store(in, &s, &err) < 0)
		printf("# %s\n", err.text);
	inputs_free(in);
	hash_cache_close(cache);
	return s.list;
}

static void test_store(void)
{
	struct err err = ERR_INIT;
	struct cas *cas = cas_open_dir("CAS", true, &err);
	struct told t = { .names = BUF_INIT };
	char first[SHA256_HEX_SIZE], hex[SHA256_HEX_SIZE];
	struct buf text = BUF_INIT;

	usleep(60000); /* beyond the tick in which a change could hide */
	store(cas, "hashes.db", true, &t);
	is_int(t.missing, 4, "a dry run says what would go up");
	is_str(store(cas, "hashes.db", true, &t), "", "and has no list");
	is_int(t.missing, 4, "because nothing was stored");
	snprintf(first, sizeof(first), "%s", store(cas, "hashes.db", false, &t));
	is_int(t.uploaded, 4, "all go up");
	is_str(t.names.p, "a.txt d/.hidden d/sub/y.txt d/x.txt ", "in order of destinations");
	is_str(store(cas, "hashes.db", false, &t), first, "unchanged: the same list");
	is_int(t.present, 4, "all present");
	is_str(store(cas, NULL, false, &t), first, "also without a cache");
	is_int(cas_get(cas, first, 1 << 20, &text, &err), 1, "the list is an object");
	ok(strstr(text.p, "{\"dst\":\"a.txt\",\"sha256\":\"ca978112"), "of JSON lines");

	make("d/x.txt", "X");
	ok(strcmp(store(cas, "hashes.db", false, &t), first) != 0, "a changed file: another list");
	is_int(t.uploaded, 1, "and one upload");

	/* The cache says yes, the CAS does not. */
	store(cas, "hashes.db", false, &t);
	cas_put_bytes(cas, "h", 1, hex, &err);
	cas_unpin_all(cas, &err);
	char key[CAS_KEY_SIZE];
	cas_key(key, hex);
	store_remove(cas_store(cas), key, NULL, &err);
	store(cas, "hashes.db", false, &t);
	is_int(t.uploaded, 1, "an object that is gone goes up again");
	make("hashes2.db", "this is no database, but long enough to look like something");
	is_str(store(cas, "hashes2.db", false, &t), store(cas, NULL, false, &t),
	       "a cache that is no database is no error");
	buf_release(&text);
	buf_release(&t.names);
	cas_close(cas);
}

static bool stop_now(void *ctx)
{
	(void)ctx;
	return true;
}

static void test_late(void)
{
	struct err err = ERR_INIT;
	struct cas *cas = cas_open_dir("CAS3", true, &err);
	struct inputs_store s = { .cas = cas, .stop = stop_now };
	struct input_set *in = inputs_new(NULL);
	int64_t left = -1;

	inputs_add(in, "a.txt", NULL, &err);
	inputs_check(in, &err);
	is_int(inputs_store(in, &s, &err), -1, "an interruption");
	is_int(err.code, ERR_INTERRUPTED, "is told as such");
	err = (struct err)ERR_INIT;
	s.stop = NULL;
	make("a.txt", "longer than before");
	is_int(inputs_store(in, &s, &err), -1, "a file that changed after it was looked at");
	ok(err.code == ERR_USAGE && strstr(err.text, "a.txt changed"),
	   "is refused with a sentence");
	err = (struct err)ERR_INIT;
	unlink("a.txt");
	is_int(inputs_store(in, &s, &err), -1, "one that is gone");
	ok(err.code == ERR_USAGE && strstr(err.text, "a.txt"), "as well");
	err = (struct err)ERR_INIT;
	is_int(store_sweep(cas_store(cas), &left, &err), 0, "sweep");
	is_int(left, 0, "nothing half done is left");
	make("a.txt", "a");
	inputs_free(in);
	cas_close(cas);
}

static void test_many(void)
{
	struct err err = ERR_INIT;
	struct cas *cas = cas_open_dir("CAS2", true, &err);
	struct inputs_store s = { .cas = cas };
	struct input_set *in = inputs_new(NULL);
	struct hash_cache *cache = hash_cache_open("many.db");
	char path[64], text[64], list[SHA256_HEX_SIZE];

	for (int i = 0; i < 300; i++) {
		snprintf(path, sizeof(path), "many/%02d/f%d", i % 10, i);
		snprintf(text, sizeof(text), "text of %d", i % 200);
		make(path, text);
	}
	usleep(60000);
	s.cache = cache;
	ok(inputs_add(in, "many", NULL, &err) == 0 && inputs_check(in, &err) == 0 &&
	   inputs_store(in, &s, &err) == 0, "300 files over all cores");
	is_int(s.uploaded_files, 200, "equal contents are stored once");
	is_int(s.present_files, 100, "and found the second time");
	memcpy(list, s.list, sizeof(list));
	ok(inputs_store(in, &s, &err) == 0 && s.present_files == 300, "then all are there");
	is_str(s.list, list, "the same list");
	inputs_free(in);
	hash_cache_close(cache);
	cas_close(cas);
}

int main(void)
{
	const char *tmp = getenv("TMPDIR");
	struct err err = ERR_INIT;

	snprintf(root, sizeof(root), "%.4000s/kqtest.XXXXXX", tmp ? tmp : "/tmp");
	if (!mkdtemp(root) || chdir(root) < 0)
		return EXIT_FAILURE;
	test_places();
	test_refusals();
	test_pool();
	test_store();
	test_many();
	test_late();
	test_unreadable();
	if (chdir("/") == 0)
		file_rmtree(AT_FDCWD, root, &err);
	return tap_done();
}
