/* Results directories: whose they are, staging, publication, what readers find. */
#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/base.h"
#include "base/log.h"
#include "base/str.h"
#include "sys/file.h"
#include "tap.h"
#include "work/results.h"

static char top[PATH_MAX], dir[PATH_MAX + 8];

static struct results_id id_of(int64_t born)
{
	return (struct results_id){ .queue = "0123456789abcdef0123456789abcdef", .born = born,
				    .job = "job" };
}

static void put(const char *path, const char *text)
{
	struct err err = ERR_INIT;

	if (file_write(AT_FDCWD, path, text, strlen(text), 0644, false, &err) < 0)
		printf("# %s\n", err.text);
}

static bool has(const char *path, const char *text)
{
	struct buf b = BUF_INIT;
	struct err err = ERR_INIT;
	bool same = file_read(AT_FDCWD, path, 1 << 20, &b, &err) > 0 && strcmp(b.p, text) == 0;

	buf_release(&b);
	return same;
}

static char *at(const char *rest)
{
	static char path[8][PATH_MAX + 64];
	static int i;

	i = (i + 1) % 8;
	(void)snprintf(path[i], sizeof(path[i]), "%s/%s", dir, rest);
	return path[i];
}

/* A whole stage with one output. */
static void stage(struct results *r, int64_t born, int64_t n, int64_t k, const char *text)
{
	char name[300], path[400];
	struct err err = ERR_INIT;
	int fd = results_stage_make(r, n, k, &err);

	if (fd < 0)
		printf("# %s\n", err.text);
	else
		close(fd);
	results_stage_name(name, n, k);
	(void)snprintf(path, sizeof(path), ".attempts/%s/stdout.txt", name);
	put(at(path), text);
	(void)snprintf(path, sizeof(path), ".attempts/%s/result.json", name);
	(void)snprintf(name, sizeof(name),
		       "{\"job\":\"job\",\"task\":%lld,\"attempt\":%lld,\"name\":\"%lld.%lld.node\",\"files\":["
		       "{\"src\":\"x\",\"dst_url\":\"%.100s/%lld/x\"}]}\n", (long long)n,
		       (long long)k,
		       (long long)born, (long long)k, dir, (long long)n);
	put(at(path), name);
}

static int entries(const char *path, const char *prefix)
{
	DIR *d = opendir(path);
	struct dirent *e;
	int n = 0;

	while (d && (e = readdir(d)))
		n += strncmp(e->d_name, prefix, strlen(prefix)) == 0;
	if (d)
		closedir(d);
	return n;
}

static void test_open(void)
{
	struct results_id one = id_of(7), later = id_of(9), other = id_of(1);
	struct results *r = NULL, *again = NULL;
	struct err err = ERR_INIT;

	is_int(results_find(dir, &one, &r, &err), 0, "a reader finds nothing where nothing is");
	is_int(results_open(dir, &one, 022, &r, &err), 1, "a writer makes the directory");
	ok(results_attempts_fd(r) >= 0, "with a place for attempts");
	is_int(results_open(dir, &one, 022, &again, &err), 1, "the same job opens it again");
	results_close(again);
	put(at("mine"), "x");
	is_int(results_open(dir, &later, 022, &again, &err), 1,
	       "a later job of the id gets its own");
	results_close(again);
	ok(access(at("mine"), F_OK) < 0, "the old files are not in it");
	is_int(entries(top, "job~"), 1, "the old directory lies beside it under a dated name");
	is_int(results_open(dir, &one, 022, &again, &err), 0,
	       "the older job finds that it is gone");
	is_int(results_find(dir, &one, &again, &err), 0, "also when reading");
	other.queue = "ffffffffffffffffffffffffffffffff";
	is_int(results_open(dir, &other, 022, &again, &err), 1, "another queue's is moved away");
	results_close(again);
	is_int(entries(top, "job~"), 2, "and kept");
	results_close(r);
	(void)file_rmtree(AT_FDCWD, dir, &err);
	(void)mkdir(dir, 0755);
	put(at("users-own"), "x");
	is_int(results_open(dir, &one, 022, &r, &err), 1, "an unsigned directory is moved away");
	is_int(entries(top, "job~"), 3, "and kept, too");
	results_close(r);
}

static void test_publish(void)
{
	struct results_id one = id_of(7);
	struct results *r = NULL;
	struct err err = ERR_INIT;
	char *path;

	is_int(results_open(dir, &one, 022, &r, &err), 1, "opened");
	stage(r, 7, 1, 1, "first\n");
	is_int(results_locate(r, 1, 0, &path, &err), 0, "staged is not published");
	is_int(results_locate(r, 1, 1, &path, &err), 1, "but can be located");
	ok(strstr(path, "/.attempts/1.1"), "where it is staged");
	free(path);
	is_int(results_publish(r, 1, 1, &err), 1, "publication");
	is_int(results_publish(r, 1, 1, &err), 1, "may be repeated");
	ok(has(at("1/stdout.txt"), "first\n"), "the files are there");
	stage(r, 7, 1, 3, "third\n");
	is_int(results_publish(r, 1, 3, &err), 1, "a later attempt takes the place");
	ok(has(at("1/stdout.txt"), "third\n"), "with its files");
	ok(has(at(".attempts/1.1.log"), "first\n"), "the output of the earlier one is kept");
	ok(access(at(".attempts/1.3"), F_OK) < 0 && access(at(".attempts/1.1"), F_OK) < 0,
	   "no stage is left");
	is_int(results_stdout(r, 1, 1, &path, &err), 1, "and can be read");
	free(path);
	stage(r, 7, 1, 2, "second\n");
	is_int(results_publish(r, 1, 2, &err), 0, "an earlier attempt never comes back");
	ok(has(at("1/stdout.txt"), "third\n"), "what is published stays");
	ok(access(at(".attempts/1.2"), F_OK) < 0, "the late stage is gone");
	is_int(results_locate(r, 1, 3, &path, &err), 1, "published");
	ok(!strstr(path, ".attempts"), "is the third");
	free(path);
	stage(r, 7, 2, 1, "gone\n");
	is_int(results_drop(r, 2, 1, true, &err), 0, "a dropped attempt");
	ok(has(at(".attempts/2.1.log"), "gone\n"), "leaves the end of its output");
	is_int(results_publish(r, 2, 1, &err), 0, "and cannot be published");
	is_int(results_locate(r, 2, 1, &path, &err), 0, "nor located");
	results_close(r);
}

/* An exchange whose clean-up was cut off: the stage's name holds the older files. */
static void test_interrupted(void)
{
	struct results_id one = id_of(7);
	struct results *r = NULL;
	struct err err = ERR_INIT;

	is_int(results_open(dir, &one, 022, &r, &err), 1, "opened");
	stage(r, 7, 5, 1, "old\n");
	is_int(results_publish(r, 5, 1, &err), 1, "published");
	stage(r, 7, 5, 2, "new\n");
	(void)renameat2(AT_FDCWD, at(".attempts/5.2"), AT_FDCWD, at("5"), RENAME_EXCHANGE);
	is_int(results_publish(r, 5, 2, &err), 1, "redone after a kill in the middle");
	ok(has(at("5/stdout.txt"), "new\n"), "the newer one stays published");
	ok(access(at(".attempts/5.2"), F_OK) < 0, "the older one is removed");
	results_close(r);
}

static void test_prepare(void)
{
	struct results_id one = id_of(7), next = id_of(20);
	struct results *old = NULL, *fresh = NULL, *r = NULL;
	char sha[SHA256_HEX_SIZE] = "";
	struct err err = ERR_INIT;
	int64_t bytes = 0;
	char *path;

	is_int(results_open(dir, &one, 022, &old, &err), 1, "opened");
	is_int(results_prepare(dir, &next, 022, &fresh, &err), 0, "a directory is prepared");
	is_int(results_prepare_keep(fresh, old, 1, 3, 2, sha, &bytes, &err), 1,
	       "a published task is taken over under another number");
	ok(strlen(sha) == 64 && bytes > 0, "with the hash of its new result.json");
	is_int(results_prepare_keep(fresh, old, 1, 2, 4, sha, &bytes, &err), 0,
	       "an attempt that is not published is not");
	ok(has(at("1/stdout.txt"), "third\n"), "the job in use is untouched");
	is_int(results_open(dir, &next, 022, &r, &err), 1,
	       "the new job's first opener puts it in place");
	ok(has(at("2/stdout.txt"), "third\n"), "with what was kept");
	is_int(results_locate(r, 2, 3, &path, &err), 1, "as published");
	ok(!strstr(path, ".attempts"), "under the name it was accepted under");
	free(path);
	ok(access(at("1"), F_OK) < 0, "and nothing else");
	is_int(results_prepare_abort(fresh, &err), 0, "giving up does not touch what is in place");
	ok(access(at("2"), F_OK) == 0, "it is there");
	results_close(fresh);
	results_close(r);
	results_close(old);
	next.born = 21;
	is_int(results_prepare(dir, &next, 022, &fresh, &err), 0, "another is prepared");
	is_int(results_prepare_abort(fresh, &err), 0, "and given up");
	is_int(entries(top, ".job."), 0, "nothing is left of it");
	results_close(fresh);
}

int main(void)
{
	const char *tmp = getenv("TMPDIR");
	struct err err = ERR_INIT;

	(void)snprintf(top, sizeof(top), "%s/kq-results-XXXXXX", tmp ? tmp : "/tmp");
	if (!mkdtemp(top))
		return 1;
	(void)snprintf(dir, sizeof(dir), "%s/job", top);
	log_set_level(LOG_LEVEL_WARN);
	test_open();
	test_publish();
	test_interrupted();
	test_prepare();
	(void)file_rmtree(AT_FDCWD, top, &err);
	return tap_done();
}
