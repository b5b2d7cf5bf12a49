#include "sys/proc.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/base.h"
#include "base/str.h"
#include "sys/file.h"
#include "sys/scan.h"

static void usage_of(const struct rusage *ru, struct proc_usage *out)
{
	out->user_us = (int64_t)ru->ru_utime.tv_sec * 1000000 + ru->ru_utime.tv_usec;
	out->system_us = (int64_t)ru->ru_stime.tv_sec * 1000000 + ru->ru_stime.tv_usec;
	out->max_memory = (int64_t)ru->ru_maxrss * 1024;
	out->block_in = ru->ru_inblock;
	out->block_out = ru->ru_oublock;
}

static void fill_end(struct proc_end *out, pid_t pid, int status, const struct rusage *ru)
{
	*out = (struct proc_end){ .pid = pid, .exit_code = -1 };
	if (WIFEXITED(status)) {
		out->exit_code = WEXITSTATUS(status);
	} else if (WIFSIGNALED(status)) {
		out->signal = WTERMSIG(status);
		out->core = WCOREDUMP(status);
	}
	usage_of(ru, &out->usage);
}

static int wait_for(pid_t pid, int flags, struct proc_end *out)
{
	struct rusage ru;
	int status;
	pid_t got;

	do
		got = wait4(pid, &status, flags, &ru);
	while (got < 0 && errno == EINTR);
	if (got <= 0)
		return 0;
	fill_end(out, got, status, &ru);
	return 1;
}

int proc_reap(struct proc_end *out)
{
	return wait_for(-1, WNOHANG, out);
}

int proc_wait(pid_t pid, struct proc_end *out)
{
	return wait_for(pid, 0, out);
}

int proc_group_kill(pid_t pgid, int sig)
{
	assert(pgid > 1);
	/* EPERM: somebody is there who changed his user; there is nobody else left. */
	return kill(-pgid, sig) == 0;
}

void proc_adopt(void)
{
	(void)prctl(PR_SET_CHILD_SUBREAPER, 1);
}

int proc_pidfd_open(pid_t pid)
{
	return (int)syscall(SYS_pidfd_open, pid, 0);
}

int proc_pidfd_kill(int pidfd, int sig)
{
	return (int)syscall(SYS_pidfd_send_signal, pidfd, sig, NULL, 0);
}

int proc_info(pid_t pid, struct proc_info *out)
{
	char path[32], text[1024];
	int64_t field[20];
	struct str state;
	const char *p;
	ssize_t n;
	int fd;

	(void)snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return 0;
	n = read(fd, text, sizeof(text) - 1);
	close(fd);
	if (n <= 0)
		return 0;
	text[n] = '\0';
	p = strrchr(text, ')'); /* the name may hold anything */
	if (!p)
		return 0;
	p++;
	state = scan_word(&p); /* field 3 of proc(5) */
	if (state.n != 1)
		return 0;
	for (size_t i = 4; i <= 22; i++)
		if (!scan_i64(&p, &field[i - 4]))
			return 0;
	*out = (struct proc_info){ .pid = pid, .state = state.p[0], .ppid = (pid_t)field[0],
				   .pgrp = (pid_t)field[1], .session = (pid_t)field[2],
				   .start = (uint64_t)field[18] };
	return 1;
}

int proc_kill_exact(pid_t pid, uint64_t start, int sig)
{
	struct proc_info info;
	int fd, sent = 0;

	if (pid <= 1)
		return 0;
	fd = proc_pidfd_open(pid);
	if (fd < 0)
		return 0;
	if (proc_info(pid, &info) && info.start == start && info.state != 'Z')
		sent = proc_pidfd_kill(fd, sig) == 0;
	close(fd);
	return sent;
}

int proc_environ(pid_t pid, const char *name, struct buf *out)
{
	struct buf text = BUF_INIT;
	struct err ignored = ERR_INIT;
	size_t want = strlen(name);
	char path[40];
	int found = 0;

	(void)snprintf(path, sizeof(path), "/proc/%d/environ", (int)pid);
	if (file_read(AT_FDCWD, path, 16 << 20, &text, &ignored) != 1)
		text.n = 0;
	for (size_t at = 0; at < text.n && !found;) {
		size_t n = strnlen(text.p + at, text.n - at);

		if (n > want && text.p[at + want] == '=' && memcmp(text.p + at, name, want) == 0) {
			buf_add(out, text.p + at + want + 1, n - want - 1);
			found = 1;
		}
		at += n + 1;
	}
	buf_release(&text);
	return found;
}

int proc_each(int (*fn)(void *ctx, const struct proc_info *p), void *ctx, struct err *err)
{
	DIR *dir = opendir("/proc");
	struct dirent *d;

	if (!dir)
		return err_sys(err, "cannot read /proc");
	/* cppcheck-suppress readdirCalled ; the stream is ours alone */
	while ((d = readdir(dir))) {
		struct proc_info info;
		struct stat st;
		int64_t pid;

		if (!isdigit((unsigned char)d->d_name[0]) ||
		    !str_to_i64(d->d_name, 1, INT32_MAX, &pid))
			continue;
		if (fstatat(dirfd(dir), d->d_name, &st, 0) < 0 || st.st_uid != geteuid())
			continue;
		if (proc_info((pid_t)pid, &info) && info.state != 'Z' && info.state != 'X' &&
		    fn(ctx, &info))
			break;
	}
	closedir(dir);
	return 0;
}
