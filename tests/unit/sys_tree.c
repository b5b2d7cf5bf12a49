/* sys/file.h: walking and removing trees, nasty ones too. */
#include "tap.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <unistd.h>

#include "base/base.h"
#include "sys/file.h"

static int top;
static struct err err;

static void touch(int dirfd, const char *name)
{
	int fd = openat(dirfd, name, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

	if (fd < 0) {
		printf("Bail out! cannot make a file\n");
		exit(1);
	}
	close(fd);
}

/* A chain of `depth` directories "d" with a file in each; by descriptors: no limit of depth. */
static void make_deep(const char *name, int depth)
{
	int fd;

	if (mkdirat(top, name, 0700) < 0)
		exit(1);
	fd = openat(top, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	for (int i = 1; i < depth; i++) {
		int next;

		touch(fd, "f");
		if (mkdirat(fd, "d", 0700) < 0)
			exit(1);
		next = openat(fd, "d", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		close(fd);
		fd = next;
	}
	close(fd);
}

struct seen {
	struct buf text;
	int64_t files, dirs;
	int deepest;
	const char *stop_at, *skip;
};

static int see(void *ctx, const struct walk_entry *e, struct err *e_out)
{
	struct seen *s = ctx;

	(void)e_out;
	if (s->text.n < 4096)
		buf_addf(&s->text, "%s%s%s ", e->after ? "<" : "", e->path,
			 e->type == DT_DIR ? "/" :
			 e->type == DT_LNK ? "@" : "");
	s->files += e->type == DT_REG;
	s->dirs += e->type == DT_DIR && !e->after;
	s->deepest = MAX(s->deepest, e->depth);
	if (s->stop_at && strcmp(s->stop_at, e->path) == 0)
		return WALK_STOP;
	return s->skip && strcmp(s->skip, e->path) == 0 ? WALK_SKIP : WALK_GO_ON;
}

static struct seen walk(const char *name, unsigned flags)
{
	struct seen s = { .text = BUF_INIT };

	err.code = ERR_NONE;
	if (file_walk(top, name, flags, see, &s, &err) < 0)
		buf_addf(&s.text, "error %d", err.sys);
	return s;
}

static void test_walk(void)
{
	struct seen s = { .text = BUF_INIT };

	file_mkdirs(top, "w/b/x", 0700, &err);
	file_mkdirs(top, "w/a", 0700, &err);
	touch(top, "w/b/x/f");
	touch(top, "w/c");
	if (symlinkat("b", top, "w/link") < 0 || symlinkat("nowhere", top, "w/bad") < 0)
		exit(1);
	s = walk("w", WALK_SORT);
	is_str(s.text.p, "/ a/ b/ b/x/ b/x/f bad@ c link@ ", "walk goes down in byte order");
	buf_release(&s.text);
	s = walk("w", WALK_SORT | WALK_AFTER);
	is_str(s.text.p, "/ a/ <a/ b/ b/x/ b/x/f <b/x/ <b/ bad@ c link@ </ ",
	       "and comes back if asked");
	buf_release(&s.text);
	s = walk("w", WALK_SORT | WALK_FOLLOW);
	is_str(s.text.p, "/ a/ b/ b/x/ b/x/f bad@ c link/ link/x/ link/x/f ",
	       "symlinks are followed if asked, dangling ones reported");
	buf_release(&s.text);
	s = walk("w", WALK_SORT | WALK_NO_STAT);
	is_str(s.text.p, "/ a/ b/ b/x/ b/x/f bad@ c link@ ", "types are known without stat");
	buf_release(&s.text);
	s = walk("w/c", 0);
	is_str(s.text.p, " ", "a file is walked as itself");
	buf_release(&s.text);
	s = walk("none", 0);
	is_int(err.sys, ENOENT, "a missing start is an error");
	buf_release(&s.text);
	s = (struct seen){ .text = BUF_INIT, .skip = "b" };
	is_int(file_walk(top, "w", WALK_SORT, see, &s, &err), 0, "walk with a skip");
	is_str(s.text.p, "/ a/ b/ bad@ c link@ ", "a skipped directory is not entered");
	buf_release(&s.text);
	s = (struct seen){ .text = BUF_INIT, .stop_at = "b/x" };
	is_int(file_walk(top, "w", WALK_SORT, see, &s, &err), 0, "a stopped walk is no error");
	is_str(s.text.p, "/ a/ b/ b/x/ ", "and ends there");
	buf_release(&s.text);
	if (symlinkat("..", top, "w/b/up") < 0)
		exit(1);
	s = walk("w", WALK_FOLLOW | WALK_SORT);
	is_int(err.sys, ELOOP, "a loop of symlinks is an error");
	ok(strstr(err.text, "b/up"), "that names it");
	buf_release(&s.text);
	if (unlinkat(top, "w/b/up", 0) < 0 || symlinkat("b", top, "w/z") < 0)
		exit(1);
}

static void test_deep(void)
{
	struct seen s;

	make_deep("deep", 10000);
	s = walk("deep", WALK_AFTER);
	ok(s.dirs == 10000 && s.files == 9999 && s.deepest == 9999, "10,000 levels are walked");
	buf_release(&s.text);
	s = walk("deep", WALK_FOLLOW);
	is_int(s.dirs, 10000, "with symlinks followed as well");
	buf_release(&s.text);
	is_int(file_rmtree(top, "deep", &err), 1, "and removed");
}

static void test_remove(void)
{
	struct stat st;
	int fd;

	is_int(file_rmtree(top, "none", &err), 0, "what is not there is an answer");
	touch(top, "victim");
	file_mkdirs(top, "keep/in", 0700, &err);
	touch(top, "keep/in/f");
	file_mkdirs(top, "rm/closed/sub", 0700, &err);
	touch(top, "rm/closed/sub/f");
	touch(top, "rm/\xff\xfe not utf-8");
	touch(top, "rm/new\nline");
	if (symlinkat("../keep", top, "rm/closed/out") < 0 ||
	    symlinkat("../victim", top, "rm/v") < 0 ||
	    mkfifoat(top, "rm/closed/p", 0600) < 0 ||
	    fchmodat(top, "rm/closed/sub", 0, 0) < 0 || fchmodat(top, "rm/closed", 0, 0) < 0 ||
	    fchmodat(top, "rm", 0, 0) < 0)
		exit(1);
	is_int(file_rmtree(top, "rm", &err), 1, "closed directories and odd names are removed");
	ok(fstatat(top, "rm", &st, 0) < 0 && fstatat(top, "victim", &st, 0) == 0 &&
	   fstatat(top, "keep/in/f", &st, 0) == 0, "symlinks are not followed");
	if (symlinkat("keep", top, "klink") < 0)
		exit(1);
	is_int(file_rmtree(top, "klink", &err), 1, "a symlink is removed");
	is_int(fstatat(top, "keep/in/f", &st, 0), 0, "and not what it points to");

	file_mkdirs(top, "empty/a/b", 0700, &err);
	touch(top, "empty/a/f");
	fd = file_open_dir(top, "empty", &err);
	is_int(file_dir_is_empty(fd, &err), 0, "a directory with something is not empty");
	is_int(file_empty_dir(fd, &err), 0, "it can be emptied");
	is_int(file_dir_is_empty(fd, &err), 1, "and then is");
	is_int(file_dir_is_empty(fd, &err), 1, "whenever one looks");
	close(fd);
	ok(fstatat(top, "empty", &st, 0) == 0, "the directory itself stays");
	if (fchmodat(top, "empty", 0, 0) < 0)
		exit(1);
	is_int(file_rmtree(top, "empty", &err), 1, "until it is removed");
}

static void test_many(void)
{
	enum { N = 20000 };
	char name[16];
	struct seen s;
	int fd;

	file_mkdirs(top, "many", 0700, &err);
	fd = file_open_dir(top, "many", &err);
	for (int i = 0; i < N; i++) {
		(void)snprintf(name, sizeof(name), "f%d", i);
		if (i % 10 == 0) {
			if (mkdirat(fd, name, 0700) < 0)
				exit(1);
		} else {
			touch(fd, name);
		}
	}
	close(fd);
	s = walk("many", 0);
	ok(s.files == N - N / 10 && s.dirs == N / 10 + 1,
	   "a directory with many entries is walked");
	buf_release(&s.text);
	is_int(file_rmtree(top, "many", &err), 1, "and removed");
}

int main(void)
{
	char dir[PATH_MAX];
	const char *tmp = getenv("TMPDIR");

	(void)snprintf(dir, sizeof(dir), "%s/kq-tree-XXXXXX", tmp ? tmp : "/tmp");
	if (!mkdtemp(dir) || (top = file_open_dir(AT_FDCWD, dir, &err)) < 0)
		return 1;
	test_walk();
	test_deep();
	test_remove();
	test_many();
	close(top);
	is_int(file_rmtree(AT_FDCWD, dir, &err), 1, "all of it can be removed");
	return tap_done();
}
