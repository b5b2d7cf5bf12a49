#include "sys/bell.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "base/base.h"
#include "base/clock.h"
#include "base/id.h"
#include "sys/file.h"
#include "sys/signals.h"

enum { STALE_SECONDS = 60 };

int bell_dir(int home_fd, struct err *err)
{
	if (file_mkdirs(home_fd, "bells", 0700, err) < 0)
		return -1;
	return file_open_beneath(home_fd, "bells", O_RDONLY | O_DIRECTORY, 0, err);
}

int bell_open(struct bell *b, int bells_fd, const char *name, struct err *err)
{
	struct stat st;

	*b = (struct bell)BELL_INIT;
	if (!file_name_is_clean(name) || strlen(name) >= sizeof(b->name))
		return err_set(err, ERR_USAGE, "%s cannot be the name of a doorbell", name);
	memcpy(b->name, name, strlen(name) + 1);
	if (mkfifoat(bells_fd, name, 0600) < 0 && errno != EEXIST)
		return err_sys(err, "cannot make doorbell %s", name);
	/* Read and write: a reader alone would see the end of file when a ringer leaves. */
	b->fd = openat(bells_fd, name, O_RDWR | O_NONBLOCK | O_NOFOLLOW | O_CLOEXEC);
	if (b->fd < 0)
		return err_sys(err, "cannot open doorbell %s", name);
	if (fstat(b->fd, &st) < 0 || !S_ISFIFO(st.st_mode)) {
		close(b->fd);
		b->fd = -1;
		return err_set(err, ERR_IO, "doorbell %s is no FIFO", name);
	}
	b->dirfd = fcntl(bells_fd, F_DUPFD_CLOEXEC, 3);
	bell_drain(b);
	return 0;
}

int bell_open_random(struct bell *b, int bells_fd, const char *prefix, struct err *err)
{
	char name[BELL_NAME_SIZE], hex[17];

	id_hex(hex, 8);
	if (snprintf(name, sizeof(name), "%s%s", prefix, hex) >= (int)sizeof(name))
		return err_set(err, ERR_USAGE, "%s is too long for a doorbell", prefix);
	return bell_open(b, bells_fd, name, err);
}

void bell_close(struct bell *b)
{
	if (!b)
		return;
	if (b->dirfd >= 0) {
		unlinkat(b->dirfd, b->name, 0);
		close(b->dirfd);
	}
	if (b->fd >= 0)
		close(b->fd);
	*b = (struct bell)BELL_INIT;
}

void bell_drain(struct bell *b)
{
	char space[4096];
	ssize_t n;

	do
		n = read(b->fd, space, sizeof(space));
	while (n == (ssize_t)sizeof(space) || (n < 0 && errno == EINTR));
}

enum bell_wake bell_wait(struct bell *b, int64_t timeout_ms)
{
	int64_t end = clock_mono_ns() + timeout_ms * 1000000;

	for (;;) {
		struct pollfd p[2] = { { .fd = b->fd, .events = POLLIN },
				       { .fd = signals_fd(), .events = POLLIN } };
		int64_t left = MAX(end - clock_mono_ns(), 0);
		struct timespec ts = { .tv_sec = left / 1000000000, .tv_nsec = left % 1000000000 };
		int n;

		if (signals_interrupted())
			return BELL_INTERRUPTED;
		n = ppoll(p, 2, timeout_ms < 0 ? NULL : &ts, NULL);
		if (n > 0 && (p[0].revents & POLLIN)) {
			bell_drain(b);
			return BELL_RANG;
		}
		if (n == 0)
			return BELL_TIMEOUT;
	}
}

int bell_ring(int bells_fd, const char *name)
{
	int fd = openat(bells_fd, name, O_WRONLY | O_NONBLOCK | O_NOFOLLOW | O_CLOEXEC);
	ssize_t n;

	if (fd < 0)
		return 0;
	n = write(fd, "", 1); /* EAGAIN: full of rings that nobody has heard yet */
	if (n < 0 && errno == EAGAIN)
		n = 1;
	close(fd);
	return n == 1;
}

/* The bell of a process that died is of no use to anyone. */
static void remove_stale(int bells_fd, const char *name)
{
	struct timespec now;
	struct stat st;

	if (fstatat(bells_fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0 || !S_ISFIFO(st.st_mode))
		return;
	if (clock_gettime(CLOCK_REALTIME, &now) == 0 &&
	    now.tv_sec - st.st_ctim.tv_sec > STALE_SECONDS &&
	    now.tv_sec - st.st_mtim.tv_sec > STALE_SECONDS)
		unlinkat(bells_fd, name, 0);
}

int bell_ring_all(int bells_fd, const char *prefix)
{
	_Alignas(struct dirent64) char space[8192];
	int fd = openat(bells_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC), rung = 0;
	long n;

	if (fd < 0)
		return 0;
	while ((n = syscall(SYS_getdents64, fd, space, sizeof(space))) > 0)
		for (long at = 0; at < n;) {
			const struct dirent64 *d = (const void *)(space + at);

			at += d->d_reclen;
			if (d->d_name[0] == '.' ||
			    strncmp(d->d_name, prefix, strlen(prefix)) != 0)
				continue;
			if (bell_ring(bells_fd, d->d_name))
				rung++;
			else
				remove_stale(bells_fd, d->d_name);
		}
	close(fd);
	return rung;
}
