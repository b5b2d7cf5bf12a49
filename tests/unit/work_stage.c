/* What an attempt leaves becomes its outputs: FINE_PRINT "What is an output". */
#include "work/stage.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/base.h"
#include "base/str.h"
#include "sys/file.h"
#include "sys/hash.h"
#include "tap.h"
#include "unprivileged.h"

static char top[256];
static int top_fd;
static struct stage stage;
static struct str globs[4], excludes[4];

static void put(const char *path, const char *text)
{
	struct err err = ERR_INIT;
	char full[512];

	(void)snprintf(full, sizeof(full), "work/%s", path);
	if (file_write(top_fd, full, text, strlen(text), 0644, false, &err) < 0)
		printf("# %s\n", err.text);
}

static void done(int ret)
{
	if (ret < 0)
		printf("# %s\n", strerror(errno));
}

static void make_dir(const char *path)
{
	struct err err = ERR_INIT;
	char full[512];

	(void)snprintf(full, sizeof(full), "work/%s", path);
	(void)file_mkdirs(top_fd, full, 0755, &err);
}

static void begin(void)
{
	struct err err = ERR_INIT;

	(void)file_rmtree(top_fd, "work", &err);
	(void)file_rmtree(top_fd, "stage", &err);
	(void)mkdirat(top_fd, "work", 0700);
	(void)mkdirat(top_fd, "stage", 0755);
	stage_release(&stage);
	stage_init(&stage);
	stage.work_fd = openat(top_fd, "work", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	stage.stage_fd = openat(top_fd, "stage", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	stage.dir_mode = 0755;
}

static void end(void)
{
	close(stage.work_fd);
	close(stage.stage_fd);
}

static enum stage_result collect(void)
{
	struct err err = ERR_INIT;
	enum stage_result r = stage_collect(&stage, &err);

	if (r != STAGE_OK)
		printf("# %s\n", err.text);
	return r;
}

static bool staged(const char *path)
{
	struct stat st;

	return fstatat(stage.stage_fd, path, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(st.st_mode);
}

static const char *skipped(const char *path)
{
	for (size_t i = 0; i < stage.skipped.n; i++)
		if (strcmp(stage.skipped.p[i].src, path) == 0)
			return stage.skipped.p[i].why;
	return "not skipped";
}

static void test_kinds(void)
{
	char hex[SHA256_HEX_SIZE];
	struct stat st;

	begin();
	put("b", "bb");
	put(".hidden", "h");
	make_dir("d/empty");
	put("d/a", "a");
	done(fchmodat(stage.work_fd, "d/a", 06751, 0));
	done(symlinkat("b", stage.work_fd, "inside"));
	done(symlinkat("/etc/passwd", stage.work_fd, "outside"));
	done(symlinkat("nowhere", stage.work_fd, "dangling"));
	done(symlinkat("loop", stage.work_fd, "loop"));
	done(symlinkat("d", stage.work_fd, "dir"));
	(void)mkfifoat(stage.work_fd, "pipe", 0600);
	done(linkat(stage.work_fd, "b", stage.work_fd, "hard", 0));
	put("result.json", "mine");
	put("stdout.txt", "mine");
	put("task.stdout.txt", "that, too");
	is_int(collect(), STAGE_OK, "outputs of every kind are collected");
	ok(staged("b") && staged(".hidden") && staged("d/a"), "files, hidden ones, in directories");
	ok(staged("inside"), "a link to a file inside is its content");
	is_str(skipped("outside"), "symbolic link that leads outside", "one to outside is skipped");
	is_str(skipped("dangling"), "dangling symbolic link", "a dangling one");
	is_str(skipped("loop"), "symbolic link in a loop", "a loop");
	is_str(skipped("dir"), "symbolic link to a directory", "one to a directory");
	is_str(skipped("pipe"), "FIFO", "a FIFO");
	ok(fstatat(stage.stage_fd, "b", &st, 0) == 0 && st.st_nlink == 1,
	   "hard links are separate files");
	ok(staged("hard"), "both of them");
	ok(fstatat(stage.stage_fd, "d/a", &st, 0) == 0 && (st.st_mode & 07777) == 0751,
	   "setuid is dropped, rwx stays");
	ok(staged("task.result.json") && staged("task.task.stdout.txt") &&
	   staged("task.stdout.txt"),
	   "kubeque's own names are left to kubeque");
	ok(fstatat(stage.stage_fd, "d/empty", &st, 0) < 0, "empty directories do not exist");
	ok(stage.files.n == 8 && strcmp(stage.files.p[0].src, ".hidden") == 0, "listed in order");
	hash_mem("bb", 2, hex);
	is_str(stage.files.p[1].sha256, hex, "with their hashes");
	is_int(stage.files.p[1].bytes, 2, "and sizes");
	end();
}

static void test_globs(void)
{
	begin();
	globs[0] = STR("*.txt");
	globs[1] = STR("out/**");
	excludes[0] = STR("**/skip*");
	stage.results = (struct strs){ globs, 2 };
	stage.exclude = (struct strs){ excludes, 1 };
	make_dir("out/deep");
	make_dir("sub");
	make_dir("out/__pycache__");
	put("a.txt", "");
	put("a.log", "");
	put("sub/b.txt", "");
	put("out/deep/c", "");
	put("out/skip", "");
	put("out/__pycache__/x", "");
	is_int(collect(), STAGE_OK, "patterns");
	ok(staged("a.txt") && staged("out/deep/c"), "take what they name");
	ok(!staged("a.log") && !staged("sub/b.txt"), "a * does not match a /");
	ok(!staged("out/skip"), "exclusion wins");
	ok(!staged("out/__pycache__/x"), "caches are left out");
	end();
	begin();
	globs[0] = STR("**/__pycache__/**");
	stage.results = (struct strs){ globs, 1 };
	make_dir("out/__pycache__");
	put("out/__pycache__/x", "");
	is_int(collect(), STAGE_OK, "a pattern that names them");
	ok(staged("out/__pycache__/x"), "takes them");
	end();
}

static void test_inputs(void)
{
	struct stage_input in[3];
	char hex[SHA256_HEX_SIZE];
	static const char *const names[] = { "changed", "same", "touched" };
	const struct timespec later[2] = { { .tv_sec = 1 }, { .tv_sec = 1 } };

	begin();
	hash_mem("old", 3, hex);
	for (int i = 0; i < 3; i++) {
		struct stat st;

		put(names[i], "old");
		(void)fstatat(stage.work_fd, names[i], &st, 0);
		in[i] = (struct stage_input){ .dst = names[i], .sha256 = hex, .size = 3,
					      .ino = st.st_ino, .mtim = st.st_mtim,
					      .ctim = st.st_ctim };
	}
	stage.inputs = in;
	stage.n_inputs = 3;
	put("changed", "new");
	(void)utimensat(stage.work_fd, "touched", later, 0);
	is_int(collect(), STAGE_OK, "inputs");
	ok(staged("changed"), "a changed input is an output");
	ok(!staged("same") && !staged("touched"), "one that is as it was, or only touched, is not");
	is_int(stage.files.n, 1, "nothing else is listed");
	end();
}

static void test_limits(void)
{
	begin();
	stage.disk_limit = 3;
	put("a", "1234");
	is_int(collect(), STAGE_TASK, "more than the disk it may have is the task's fault");
	end();
	begin();
	put("a", "x");
	(void)fchmod(stage.work_fd, 0);
	is_int(collect(), STAGE_OK, "a work directory of mode 0000 is opened again");
	ok(staged("a"), "and collected");
	end();
}

static void test_unreadable(void)
{
	override_modes_drop();
	begin();
	put("closed", "x");
	done(fchmodat(stage.work_fd, "closed", 0, 0));
	is_int(collect(), STAGE_TASK, "an unreadable output is the task's fault");
	end();
}

/* Thousands of nested directories: longer than any path may be. */
static void test_deep(void)
{
	int fd;

	begin();
	fd = openat(stage.work_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	for (int i = 0; i < 3000 && fd >= 0; i++) {
		int next;

		(void)mkdirat(fd, "dd", 0700);
		next = openat(fd, "dd", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		close(fd);
		fd = next;
	}
	if (fd >= 0)
		close(fd);
	put("a", "x");
	is_int(collect(), STAGE_OK, "a very deep tree of nothing is no trouble");
	ok(staged("a"), "what is beside it is collected");
	end();
}

int main(void)
{
	const char *tmp = getenv("TMPDIR");
	struct err err = ERR_INIT;

	(void)snprintf(top, sizeof(top), "%s/kq-stage-XXXXXX", tmp ? tmp : "/tmp");
	if (!mkdtemp(top))
		return 1;
	top_fd = open(top, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	stage_init(&stage);
	test_kinds();
	test_globs();
	test_inputs();
	test_limits();
	test_deep();
	test_unreadable();
	stage_release(&stage);
	close(top_fd);
	(void)file_rmtree(AT_FDCWD, top, &err);
	return tap_done();
}
