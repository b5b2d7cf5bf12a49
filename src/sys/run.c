/* A child run to its end with its output kept. */
#include "sys/proc.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/base.h"
#include "base/clock.h"
#include "sys/file.h"
#include "sys/signals.h"

enum { GRACE_MS = 5000 }; /* what a child gets to end in after SIGTERM */

struct stream {
	int fd; /* -1: ended */
	struct buf *out;
	size_t limit;
};

/* Reads what is there; at the end closes. */
static void take(struct stream *s)
{
	char space[16384];
	ssize_t n;

	/* Bounded: whoever writes without end must not keep us from looking around. */
	for (int i = 0; s->fd >= 0 && i < 64; i++) {
		n = read(s->fd, space, sizeof(space));
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN)
			return;
		if (n <= 0) {
			close(s->fd);
			s->fd = -1;
			return;
		}
		if (s->out && s->limit) {
			size_t k = MIN((size_t)n, s->limit);

			buf_add(s->out, space, k);
			s->limit -= k;
		}
	}
}

/* Until the child has ended; then what is left in the pipes, without waiting for others who may
 * hold them open. */
static int follow(int pidfd, pid_t pid, struct stream *s, int64_t timeout_ms, struct err *err)
{
	int64_t end = timeout_ms ? clock_mono_ms() + timeout_ms : INT64_MAX, left;
	bool told = false;

	for (;;) {
		struct pollfd p[4] = {
			{ .fd = pidfd, .events = POLLIN },
			{ .fd = s[0].fd, .events = POLLIN },
			{ .fd = s[1].fd, .events = POLLIN },
			{ .fd = told ? -1 : signals_fd(), .events = POLLIN },
		};

		left = end == INT64_MAX ? -1 : MIN(MAX(end - clock_mono_ms(), 0), 60000);
		if (poll(p, ARRAY_SIZE(p), (int)left) < 0 && errno != EINTR)
			return err_sys(err, "cannot wait for a child");
		if (!told && signals_interrupted()) {
			told = true;
			end = clock_mono_ms() + GRACE_MS;
			(void)proc_group_kill(pid, SIGTERM);
		}
		take(&s[0]);
		take(&s[1]);
		if (p[0].revents & POLLIN) {
			take(&s[0]);
			take(&s[1]);
			return told ? signals_check(err) : 0;
		}
		if (clock_mono_ms() >= end)
			return told ? signals_check(err)
				    : err_set(err, ERR_TIMEOUT, "it took longer than %.14g s",
					      (double)timeout_ms / 1000);
	}
}

static int input_fd(const struct buf *in, struct err *err)
{
	int fd = memfd_create("kubeque-stdin", MFD_CLOEXEC);

	if (fd < 0)
		return err_sys(err, "cannot make a file in memory");
	if (file_write_fd(fd, in->p, in->n, err) < 0 || lseek(fd, 0, SEEK_SET) < 0) {
		close(fd);
		return -1;
	}
	return fd;
}

static int make_pipe(int fd[2], struct err *err)
{
	if (pipe2(fd, O_CLOEXEC) < 0)
		return err_sys(err, "cannot make a pipe");
	if (fcntl(fd[0], F_SETFL, O_NONBLOCK) < 0)
		return err_sys(err, "cannot make a pipe");
	return 0;
}

static void close_all(int *fd, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (fd[i] >= 0)
			close(fd[i]);
}

int proc_run(const struct proc_spec *spec, const struct buf *in, size_t limit, int64_t timeout_ms,
	     struct buf *out, struct buf *err_out, int *code, struct err *err)
{
	int input = -1, o[2] = { -1, -1 }, e[2] = { -1, -1 }, pidfd = -1, ret = -1, started;
	struct stream s[2] = { { -1, out, limit }, { -1, err_out, limit } };
	struct proc_spec own = *spec;
	struct proc_failure f;
	struct proc_end end;
	pid_t pid;

	if ((in && (input = input_fd(in, err)) < 0) || make_pipe(o, err) < 0 ||
	    (err_out && make_pipe(e, err) < 0))
		goto out;
	if (in)
		own.in_fd = input;
	own.out_fd = o[1];
	own.err_fd = err_out ? e[1] : spec->err_fd >= 0 ? spec->err_fd : o[1];
	own.same_group = own.new_session = false;
	started = proc_spawn(&own, &pid, &f, err);
	if (started <= 0) {
		if (started == 0) {
			proc_failure_text(&f, spec->argv[0], err_out ? err_out : out);
			buf_addch(err_out ? err_out : out, '\n');
			*code = f.code ? f.code : 126;
			ret = 0;
		}
		goto out;
	}
	close(o[1]);
	o[1] = -1;
	if (e[1] >= 0)
		close(e[1]);
	e[1] = -1;
	s[0].fd = o[0];
	s[1].fd = e[0];
	o[0] = e[0] = -1;
	pidfd = proc_pidfd_open(pid);
	if (pidfd < 0)
		err_sys(err, "cannot wait for %s", spec->argv[0]);
	else
		ret = follow(pidfd, pid, s, timeout_ms, err);
	if (ret < 0)
		(void)proc_group_kill(pid, SIGKILL);
	*code = !proc_wait(pid, &end) ? 127 : end.signal ? 128 + end.signal : end.exit_code;
out:
	close_all(&input, 1);
	close_all(o, 2);
	close_all(e, 2);
	close_all(&pidfd, 1);
	for (int i = 0; i < 2; i++)
		close_all(&s[i].fd, 1);
	return ret;
}
