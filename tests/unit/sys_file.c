/* sys/file.h: opening below a directory, whole files, copying, file systems. */
#include "tap.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/fs.h>
#include <unistd.h>

#include "base/base.h"
#include "sys/file.h"

static int top; /* descriptor of the test's own directory */
static struct err err;

static void put(const char *path, const char *text)
{
	if (file_write(top, path, text, strlen(text), 0644, false, &err) < 0) {
		printf("Bail out! %s\n", err.text);
		exit(1);
	}
}

static bool has(const char *path, const char *text)
{
	struct buf b = BUF_INIT;
	bool same = file_read(top, path, 1 << 20, &b, &err) == 1 && strcmp(b.p, text) == 0;

	buf_release(&b);
	return same;
}

static int opens(const char *path, int flags)
{
	int fd = file_open_beneath(top, path, flags, 0600, &err);

	if (fd >= 0)
		close(fd);
	return fd >= 0;
}

static void test_open(void)
{
	ok(file_path_is_clean("a/b.c") && file_path_is_clean("..a/...") &&
	   !file_path_is_clean("") && !file_path_is_clean("/a") && !file_path_is_clean("a//b") &&
	   !file_path_is_clean("a/") && !file_path_is_clean("./a") && !file_path_is_clean("a/../b"),
	   "a clean path has neither empty nor dot components");
	ok(file_name_is_clean("a b") && !file_name_is_clean("..") && !file_name_is_clean("a/b"),
	   "a clean name is one component");
	is_int(file_mkdirs(top, "d/e/f", 0750, &err), 1, "mkdirs makes what is missing");
	is_int(file_mkdirs(top, "d/e/f", 0750, &err), 0, "mkdirs finds what is there");
	put("d/e/file", "x");
	ok(file_mkdirs(top, "d/e/file", 0700, &err) < 0 && err.sys == ENOTDIR,
	   "mkdirs refuses a file");
	ok(file_mkdirs(top, "d/e/file/g", 0700, &err) < 0 && err.sys == ENOTDIR,
	   "mkdirs refuses to go below a file");
	if (symlinkat("e", top, "d/link") < 0 || symlinkat("file", top, "d/e/flink") < 0)
		exit(1);
	ok(opens("d/e/file", O_RDONLY), "open_beneath opens a plain path");
	ok(opens(".", O_RDONLY | O_DIRECTORY), "open_beneath opens the directory itself");
	ok(opens("d/e/new", O_WRONLY | O_CREAT | O_EXCL), "open_beneath can create");
	ok(!opens("d/link/file", O_RDONLY) && (err.sys == ELOOP || err.sys == ENOTDIR),
	   "open_beneath refuses a symlink on the way");
	ok(!opens("d/e/flink", O_RDONLY) && err.sys == ELOOP,
	   "open_beneath refuses one at the end");
	ok(!opens("../x", O_RDONLY) && !opens("d/../d/e/file", O_RDONLY) &&
	   !opens("/etc", O_RDONLY),
	   "open_beneath refuses to climb");
	ok(!opens("d/none", O_RDONLY) && err.sys == ENOENT, "open_beneath says what is missing");
}

static void test_whole(void)
{
	char name[FILE_TEMP_SIZE];
	struct buf b = BUF_INIT;
	struct stat st;
	int fd;

	put("w", "one");
	is_int(file_write(top, "w", "two", 3, 0640, true, &err), 0, "write replaces");
	ok(has("w", "two"), "and the new content is there");
	ok(fstatat(top, "w", &st, 0) == 0 && (st.st_mode & 07777) == 0640,
	   "write sets the mode whatever the umask");
	is_int(file_read(top, "none", 10, &b, &err), 0, "reading a missing file is an answer");
	ok(file_read(top, "w", 2, &b, &err) < 0 && err.code == ERR_USAGE,
	   "a file above the limit is refused");
	buf_clear(&b);
	is_int(file_read(top, "w", 3, &b, &err), 1, "a file of exactly the limit is read");
	buf_clear(&b);
	ok(file_read(AT_FDCWD, "/proc/self/status", 1 << 20, &b, &err) == 1 && b.n > 100,
	   "a file whose size is not known beforehand is read");
	ok(file_write(top, "d/none/x", "", 0, 0600, false, &err) < 0 && err.sys == ENOENT,
	   "write fails below a missing directory");
	fd = file_temp(top, ".t-", 0600, name, &err);
	ok(fd >= 0 && strncmp(name, ".t-", 3) == 0, "temp makes a new file");
	if (fd >= 0 && file_write_fd(fd, "0123456789", 10, &err) == 0) {
		buf_clear(&b);
		ok(file_tail(fd, 4, &b, &err) == 0 && strcmp(b.p, "6789") == 0, "tail is the end");
		buf_clear(&b);
		ok(file_tail(fd, 40, &b, &err) == 0 && b.n == 10, "or all of a short file");
	}
	close(fd);
	buf_release(&b);
}

static void test_copy(void)
{
	struct stat a, b;
	char zeros[4096] = "x";
	int fd;

	put("src", "content");
	if (fchmodat(top, "src", 0751, 0) < 0 ||
	    utimensat(top, "src", (struct timespec[2]){ { .tv_sec = 5 }, { 1234567890, 123456789 } }, 0) < 0)
		exit(1);
	ok(file_copy(top, "src", top, "dst", -1, true, &err) >= 0 && has("dst", "content"),
	   "copy brings the content");
	ok(fstatat(top, "src", &a, 0) == 0 && fstatat(top, "dst", &b, 0) == 0 &&
	   (b.st_mode & 07777) == 0751 && b.st_mtim.tv_sec == 1234567890 &&
	   b.st_mtim.tv_nsec == a.st_mtim.tv_nsec, "and mode and mtime");
	ok(file_copy(top, "src", top, "dst", -1, true, &err) < 0 && err.sys == EEXIST &&
	   has("dst", "content"),
	   "it replaces nothing");
	ok(file_copy(top, "d", top, "dst2", -1, true, &err) < 0 && err.code == ERR_USAGE,
	   "a directory is refused");
	if (symlinkat("src", top, "slink") < 0 || mkfifoat(top, "fifo", 0600) < 0)
		exit(1);
	ok(file_copy(top, "slink", top, "dst2", -1, false, &err) < 0,
	   "a symlink too, if asked for");
	ok(file_copy(top, "fifo", top, "dst2", -1, true, &err) < 0 && err.code == ERR_USAGE,
	   "a FIFO is refused without waiting");
	ok(file_copy(top, "slink", top, "dst2", 0400, true, &err) >= 0 &&
	   fstatat(top, "dst2", &b, 0) == 0 && (b.st_mode & 07777) == 0400,
	   "the mode may be given");
	fd = openat(top, "sparse", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (fd < 0 || pwrite(fd, zeros, sizeof(zeros), 64 << 20) < 0 ||
	    ftruncate(fd, 128 << 20) < 0)
		exit(1);
	close(fd);
	ok(file_copy(top, "sparse", top, "sparse2", -1, true, &err) >= 0 &&
	   fstatat(top, "sparse2", &b, 0) == 0 && b.st_size == 128 << 20 && b.st_blocks < 2048,
	   "holes stay holes");
	fd = openat(top, "sparse2", O_RDONLY | O_CLOEXEC);
	zeros[0] = 0;
	ok(fd >= 0 && pread(fd, zeros, 1, 64 << 20) == 1 && zeros[0] == 'x', "and data stays data");
	close(fd);
	ok(file_copy(AT_FDCWD, "/proc/self/status", top, "proc", 0600, true, &err) >= 0 &&
	   fstatat(top, "proc", &b, 0) == 0 && b.st_size > 100, "files of unknown size are copied");
}

static void test_rename(void)
{
	put("r1", "1");
	put("r2", "2");
	is_int(file_rename(top, "r1", top, "r2", RENAME_NOREPLACE, &err), 0,
	       "rename can refuse to replace");
	is_int(file_rename(top, "r1", top, "r3", RENAME_NOREPLACE, &err), 1,
	       "and renames to a new name");
	is_int(file_rename(top, "r3", top, "r2", RENAME_EXCHANGE, &err), 1,
	       "names can be exchanged");
	ok(has("r2", "1") && has("r3", "2"), "each has the other's content");
	ok(file_rename(top, "none", top, "r2", 0, &err) < 0 && err.sys == ENOENT,
	   "a missing source fails");
}

static void test_systems(void)
{
	struct file_space space;
	bool network = true;
	char name[32];
	int fd;

	is_str(file_system_name(0xef53), "ext4", "ext4 by its magic");
	ok(file_system_is_network(0x6969) && file_system_is_network(0xff534d42) &&
	   file_system_is_network(0xfe534d42) && file_system_is_network(0x0bd00bd0) &&
	   file_system_is_network(0x47504653) && file_system_is_network(0x00c36400),
	   "NFS, CIFS, SMB2, Lustre, GPFS and Ceph are network file systems");
	ok(!file_system_is_network(0xef53) && !file_system_is_network(0x58465342) &&
	   !file_system_is_network(0x01021994) && !file_system_is_network(0x794c7630) &&
	   !file_system_is_network(0x12345), "ext4, XFS, tmpfs, overlay and unknown ones are not");
	ok(file_fuse_is_network("fuse.sshfs") && file_fuse_is_network("fuse.gcsfuse") &&
	   !file_fuse_is_network("fuse.fuse-overlayfs") && !file_fuse_is_network("fuseblk"),
	   "of FUSE, sshfs is one, fuse-overlayfs is not");
	ok(file_system_of(top, name, &network, &err) == 0 && name[0], "the file system has a name");
	fd = open("/proc", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	ok(file_system_of(fd, name, &network, &err) == 0 && !network,
	   "/proc is not on the network");
	close(fd);
	ok(file_space(top, &space, &err) == 0 && space.bytes_total >= space.bytes_free &&
	   space.bytes_free > 0 && space.inodes_free > 0, "there is some room");
}

static void test_private(void)
{
	int fd = file_open_private_dir(top, "priv/x", getuid(), true, &err);
	struct stat st;

	ok(fd >= 0 && fstat(fd, &st) == 0 && (st.st_mode & 07777) == 0700,
	   "a private directory is made 0700");
	close(fd);
	ok(file_open_private_dir(top, "priv/x", getuid() + 1, false, &err) < 0 &&
	   err.code == ERR_CONFIG,
	   "one that belongs to somebody else is refused");
	if (fchmodat(top, "priv/x", 0770, 0) < 0)
		exit(1);
	ok(file_open_private_dir(top, "priv/x", getuid(), false, &err) < 0 &&
	   err.code == ERR_CONFIG,
	   "one that others may write to as well");
	ok(file_open_private_dir(top, "priv/none", getuid(), false, &err) < 0 &&
	   err.code == ERR_NOT_FOUND, "a missing one is not found");
}

/* A directory whose path is nearly PATH_MAX long still works by descriptor. */
static void test_long(void)
{
	char name[251];
	int fd = fcntl(top, F_DUPFD_CLOEXEC, 3);
	bool fine = true;

	memset(name, 'n', 250);
	name[250] = '\0';
	for (int i = 0; i < 20 && fine; i++) {
		int next = file_mkdirs(fd, name, 0700, &err) == 1 ? file_open_dir(fd, name,
										  &err) : -1;

		close(fd);
		fd = next;
		fine = fd >= 0;
	}
	ok(fine && file_write(fd, "f", "x", 1, 0600, true, &err) == 0,
	   "5,000 bytes below, files can be written by descriptor");
	close(fd);
}

int main(void)
{
	char dir[PATH_MAX];
	const char *tmp = getenv("TMPDIR");

	(void)snprintf(dir, sizeof(dir), "%s/kq-file-XXXXXX", tmp ? tmp : "/tmp");
	if (!mkdtemp(dir) || (top = file_open_dir(AT_FDCWD, dir, &err)) < 0)
		return 1;
	test_open();
	test_whole();
	test_copy();
	test_rename();
	test_systems();
	test_private();
	test_long();
	close(top);
	is_int(file_rmtree(AT_FDCWD, dir, &err), 1, "all of it can be removed");
	return tap_done();
}
