#include "sys/lock.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/base.h"
#include "base/clock.h"
#include "sys/file.h"
#include "sys/scan.h"
#include "sys/signals.h"

/* Does the name still lead to the file that we have locked? */
static bool is_current(int fd, int dirfd, const char *name)
{
	struct stat a, b;

	return fstat(fd, &a) == 0 && fstatat(dirfd, name, &b, 0) == 0 && a.st_dev == b.st_dev &&
	       a.st_ino == b.st_ino;
}

/* 1 taken, 0 somebody has it, -1. */
static int try_once(struct lock *l, int dirfd, const char *name, bool shared, struct err *err)
{
	for (;;) {
		int fd = openat(dirfd, name, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);

		if (fd < 0)
			return err_sys(err, "cannot open lock file %s", name);
		if (flock(fd, (shared ? LOCK_SH : LOCK_EX) | LOCK_NB) < 0) {
			int saved = errno;

			close(fd);
			if (saved == EINTR)
				continue;
			errno = saved;
			return saved == EWOULDBLOCK ? 0 : err_sys(err, "cannot lock %s", name);
		}
		if (is_current(fd, dirfd, name)) {
			l->fd = fd;
			return 1;
		}
		close(fd); /* its holder removed it while we waited: take the new one */
	}
}

int lock_take(struct lock *l, int dirfd, const char *name, bool shared, int64_t wait_ms,
	      struct err *err)
{
	int64_t end = clock_mono_ms() + wait_ms, pause = 1;

	for (;;) {
		int ret = try_once(l, dirfd, name, shared, err);

		if (ret != 0 || (wait_ms >= 0 && clock_mono_ms() >= end))
			return ret;
		if (signals_sleep_ms(pause) == 0)
			return signals_check(err);
		pause = MIN(pause * 2, 20);
	}
}

void lock_drop(struct lock *l)
{
	if (l->fd >= 0)
		close(l->fd);
	l->fd = -1;
}

void lock_remove(struct lock *l, int dirfd, const char *name)
{
	if (l->fd >= 0 && is_current(l->fd, dirfd, name))
		unlinkat(dirfd, name, 0);
	lock_drop(l);
}

int lock_probe(int dirfd, const char *name, struct err *err)
{
	int fd = openat(dirfd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW), held;

	if (fd < 0 && errno == ENOENT)
		return 0;
	if (fd < 0)
		return err_sys(err, "cannot open lock file %s", name);
	held = flock(fd, LOCK_SH | LOCK_NB) < 0;
	if (held && errno != EWOULDBLOCK)
		held = err_sys(err, "cannot look at lock %s", name);
	close(fd);
	return held;
}

/* ---- who holds it ------------------------------------------------------------------------ */

/* Does the process have this file open? /proc/locks alone is not certain: the device that it names
 * is not always the one that stat(2) gives (btrfs, overlay). */
static bool has_open(pid_t pid, const struct stat *want)
{
	char path[40];
	struct dirent *d;
	bool found = false;
	DIR *dir;

	(void)snprintf(path, sizeof(path), "/proc/%d/fd", (int)pid);
	dir = opendir(path);
	if (!dir)
		return false;
	/* cppcheck-suppress readdirCalled ; the stream is ours alone */
	while (!found && (d = readdir(dir))) {
		struct stat st;

		found = fstatat(dirfd(dir), d->d_name, &st, 0) == 0 && st.st_dev == want->st_dev &&
			st.st_ino == want->st_ino;
	}
	closedir(dir);
	return found;
}

/* Pid of a line "1: FLOCK ADVISORY WRITE 123 08:01:456 0 EOF" that is about this inode, else 0. */
static int64_t flock_line(const char *line, ino_t want)
{
	int64_t pid, ino;
	const char *colon;
	struct str place;

	(void)scan_word(&line);
	if (!str_eq(scan_word(&line), "FLOCK"))
		return 0;
	(void)scan_word(&line);
	(void)scan_word(&line);
	if (!scan_i64(&line, &pid))
		return 0;
	place = scan_word(&line);
	colon = memrchr(place.p, ':', place.n);
	if (!colon || !scan_number(colon + 1, 10, &ino) || (ino_t)ino != want)
		return 0;
	return pid;
}

pid_t lock_holder(int dirfd, const char *name)
{
	FILE *f = fopen("/proc/locks", "re");
	char *line = NULL;
	struct stat st;
	size_t cap = 0;
	pid_t holder = 0;

	if (f && fstatat(dirfd, name, &st, 0) == 0)
		while (!holder && getline(&line, &cap, f) > 0) {
			int64_t pid = flock_line(line, st.st_ino);

			if (pid > 0 && has_open((pid_t)pid, &st))
				holder = (pid_t)pid;
		}
	free(line);
	if (f)
		(void)fclose(f);
	return holder;
}

/* ---- who writes a database -------------------------------------------------------------- */

enum { SHM_WRITE_LOCK = 120, /* (22 + SQLITE_SHM_NLOCK) * 4 + WAL_WRITE_LOCK */ SHM_MAX = 16 };

static struct {
	dev_t dev;
	ino_t ino;
	int fd;
} shm[SHM_MAX];
static size_t shm_count;
static pthread_mutex_t shm_mutex = PTHREAD_MUTEX_INITIALIZER;

int lock_db_shm(const char *db)
{
	char *path = xasprintf("%s-shm", db);
	struct stat st;
	int fd = -1;

	if (stat(path, &st) < 0)
		goto out;
	pthread_mutex_lock(&shm_mutex);
	for (size_t i = 0; i < shm_count; i++)
		if (shm[i].dev == st.st_dev && shm[i].ino == st.st_ino)
			fd = shm[i].fd;
	if (fd < 0 && shm_count < SHM_MAX) {
		fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
		if (fd >= 0 && fstat(fd, &st) == 0) {
			shm[shm_count].dev = st.st_dev;
			shm[shm_count].ino = st.st_ino;
			shm[shm_count++].fd = fd;
		}
	}
	pthread_mutex_unlock(&shm_mutex);
out:
	free(path);
	return fd;
}

pid_t lock_db_writer(const char *path)
{
	struct flock fl = { .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = SHM_WRITE_LOCK,
			    .l_len = 1 };
	int fd = lock_db_shm(path);

	if (fd < 0 || fcntl(fd, F_GETLK, &fl) < 0 || fl.l_type == F_UNLCK)
		return 0;
	return fl.l_pid > 0 ? fl.l_pid : 0;
}
