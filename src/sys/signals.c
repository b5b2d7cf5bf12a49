#include "sys/signals.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <stddef.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "base/base.h"
#include "base/clock.h"
#include "sys/proc.h"

static atomic_int caught;
static atomic_int wake_fd = -1;
static _Atomic(void (*)(int)) user_hook;

static const int watched[] = { SIGINT, SIGTERM, SIGHUP };

static void on_signal(int sig)
{
	int saved = errno, first = 0, fd = atomic_load(&wake_fd);
	void (*hook)(int) = atomic_load(&user_hook);
	uint64_t one = 1;

	if (!atomic_compare_exchange_strong(&caught, &first, sig) && sig == SIGINT)
		_exit(128 + SIGINT);
	if (fd >= 0 && write(fd, &one, sizeof(one)) < 0)
		first = 0; /* it is readable already */
	if (hook)
		hook(sig);
	errno = saved;
}

void signals_client(void)
{
	struct sigaction old, act = { .sa_handler = on_signal };
	sigset_t set;

	if (atomic_load(&wake_fd) < 0)
		atomic_store(&wake_fd, eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
	sigemptyset(&act.sa_mask);
	for (size_t i = 0; i < ARRAY_SIZE(watched); i++)
		if (sigaction(watched[i], NULL, &old) == 0 && old.sa_handler != SIG_IGN)
			(void)sigaction(watched[i], &act, NULL);
	sigemptyset(&set);
	for (size_t i = 0; i < ARRAY_SIZE(watched); i++)
		sigaddset(&set, watched[i]);
	/* whoever started us may have blocked them */
	(void)pthread_sigmask(SIG_UNBLOCK, &set, NULL);
	(void)signal(SIGPIPE, SIG_IGN);
	proc_signals_changed();
}

int signals_caught(void)
{
	return atomic_load(&caught);
}

bool signals_forget(int sig)
{
	int fd = atomic_load(&wake_fd);
	uint64_t count;

	if (atomic_load(&caught) != sig)
		return false;
	if (fd >= 0 && read(fd, &count, sizeof(count)) < 0)
		count = 0; /* it was read already */
	return atomic_compare_exchange_strong(&caught, &sig, 0);
}

int signals_fd(void)
{
	return atomic_load(&wake_fd);
}

void signals_set_hook(void (*hook)(int sig))
{
	atomic_store(&user_hook, hook);
}

int signals_check(struct err *err)
{
	if (signals_interrupted())
		return err_set(err, ERR_INTERRUPTED, "interrupted");
	return 0;
}

int signals_sleep_ms(int64_t ms)
{
	int64_t end = clock_mono_ns() + ms * 1000000;

	while (!signals_interrupted()) {
		int64_t left = end - clock_mono_ns();
		struct timespec ts = { .tv_sec = left / 1000000000, .tv_nsec = left % 1000000000 };
		struct pollfd p = { .fd = signals_fd(), .events = POLLIN };

		if (left <= 0)
			return 1;
		(void)ppoll(&p, 1, &ts, NULL);
	}
	return 0;
}

int signals_node(struct err *err)
{
	sigset_t set;
	int fd;

	sigemptyset(&set);
	for (size_t i = 0; i < ARRAY_SIZE(watched); i++)
		sigaddset(&set, watched[i]);
	sigaddset(&set, SIGCHLD);
	sigaddset(&set, SIGUSR1);
	if (pthread_sigmask(SIG_BLOCK, &set, NULL) != 0)
		return err_set(err, ERR_IO, "cannot block signals");
	/* A SIGCHLD that is ignored by inheritance would let children vanish unseen. */
	(void)signal(SIGCHLD, SIG_DFL);
	(void)signal(SIGPIPE, SIG_IGN);
	proc_signals_changed();
	fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (fd < 0)
		return err_sys(err, "cannot make a signalfd");
	return fd;
}

int signals_next(int fd)
{
	struct signalfd_siginfo si;
	ssize_t n;

	do
		n = read(fd, &si, sizeof(si));
	while (n < 0 && errno == EINTR);
	return n == (ssize_t)sizeof(si) ? (int)si.ssi_signo : 0;
}
