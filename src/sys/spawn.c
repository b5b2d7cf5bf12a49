/*
 * Starting processes by vfork and execve. glibc's posix_spawn asks and resets every signal of every
 * child (some 120 system calls); here all signals are blocked around the vfork and only those that
 * are not at their default, which is remembered, are reset.
 *
 * Between vfork and execve the child shares our memory and our stack: it may only make system calls
 * and write to struct launch.
 */
#include "sys/proc.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/base.h"

enum stage { STAGE_SETUP, STAGE_CHDIR, STAGE_EXEC };

struct launch {
	const struct proc_spec *spec;
	char **argv, **env;     /* as execve wants them */
	char **candidates;      /* paths to try, NULL-terminated */
	char **sh_argv;         /* "/bin/sh", (the path), argv[1], ... */
	int fd[3];
	pid_t parent;
	uint64_t reset;         /* bit per signal */
	/* Written by the child, on paths of which the compiler sees that they do not return. */
	volatile enum stage stage;
	volatile int sys;       /* 0: it runs */
	volatile pid_t daemon;
};

/* ---- signals that are not at their default ---------------------------------------------- */

static _Atomic uint64_t touched;
static atomic_bool known;

void proc_signals_changed(void)
{
	atomic_store(&known, false);
}

/* sigaction(2) itself: the C library's wrapper refuses its own two signals (32 and 33), which its
 * posix_spawn leaves ignored in the children of threaded programs, kubeque's starter perhaps. */
struct kernel_sigaction {
	uintptr_t handler;
	unsigned long flags;
	uintptr_t restorer;
	uint64_t mask;
};

static bool is_default(int sig)
{
	struct kernel_sigaction sa;

	return syscall(SYS_rt_sigaction, sig, NULL, &sa, sizeof(sa.mask)) < 0 ||
	       sa.handler == (uintptr_t)SIG_DFL;
}

static void make_default(int sig)
{
	const struct kernel_sigaction sa = { .handler = (uintptr_t)SIG_DFL };

	(void)syscall(SYS_rt_sigaction, sig, &sa, NULL, sizeof(sa.mask));
}

static uint64_t signals_to_reset(void)
{
	uint64_t set = 0;

	if (atomic_load(&known))
		return atomic_load(&touched);
	for (int sig = 1; sig <= 64; sig++)
		if (!is_default(sig))
			set |= (uint64_t)1 << (sig - 1);
	atomic_store(&touched, set);
	atomic_store(&known, true);
	return set;
}

/* ---- in the child ----------------------------------------------------------------------- */

static void set_limits(const struct proc_spec *s)
{
	for (size_t i = 0; i < s->n_limits; i++) {
		struct rlimit want = s->limits[i].value, now;
		int what = s->limits[i].resource;

		if (setrlimit((__rlimit_resource_t)what, &want) == 0)
			continue;
		if (getrlimit((__rlimit_resource_t)what, &now) < 0)
			continue;
		want.rlim_max = MIN(want.rlim_max, now.rlim_max);
		want.rlim_cur = MIN(want.rlim_cur, want.rlim_max);
		(void)setrlimit((__rlimit_resource_t)what, &want);
	}
}

static int set_descriptors(const struct launch *l)
{
	int fd[3] = { l->fd[0], l->fd[1], l->fd[2] };

	for (int i = 0; i < 3; i++)
		if (fd[i] < 3 && fd[i] != i) {
			fd[i] = fcntl(fd[i], F_DUPFD_CLOEXEC, 3);
			if (fd[i] < 0)
				return -1;
		}
	for (int i = 0; i < 3; i++) {
		if (fd[i] != i) {
			if (dup2(fd[i], i) < 0)
				return -1;
		} else if (fcntl(i, F_SETFD, 0) < 0) {
			return -1;
		}
	}
	/* Ours are O_CLOEXEC; this is for what we inherited ourselves. */
	(void)syscall(SYS_close_range, 3U, ~0U, 4U /* CLOSE_RANGE_CLOEXEC */);
	return 0;
}

static void exec_candidates(struct launch *l)
{
	bool denied = false;

	for (char **c = l->candidates; *c; c++) {
		(void)execve(*c, l->argv, l->env);
		if (errno == ENOEXEC) {
			l->sh_argv[1] = *c;
			(void)execve("/bin/sh", l->sh_argv, l->env);
		}
		if (errno == EACCES)
			denied = true;
		else if (errno != ENOENT && errno != ENOTDIR && errno != ESTALE && errno != ENODEV)
			return;
	}
	if (denied)
		errno = EACCES;
}

static void __attribute__((noreturn, no_sanitize("address"))) child(struct launch *l)
{
	const struct proc_spec *s = l->spec;
	sigset_t none;

	for (int sig = 1; sig <= 64; sig++)
		if (l->reset & ((uint64_t)1 << (sig - 1)))
			make_default(sig);
	if (s->new_session)
		(void)setsid();
	else if (!s->same_group)
		(void)setpgid(0, 0);
	if (s->die_with_us) {
		(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (getppid() != l->parent)
			_exit(127);
	}
	l->stage = STAGE_CHDIR;
	if (s->cwd_fd >= 0 && fchdir(s->cwd_fd) < 0)
		goto fail;
	if (s->cwd && chdir(s->cwd) < 0)
		goto fail;
	l->stage = STAGE_SETUP;
	if (set_descriptors(l) < 0)
		goto fail;
	if (s->umask >= 0)
		(void)umask((mode_t)s->umask);
	if (s->nice && nice(s->nice) < 0)
		l->sys = 0; /* not worth failing for */
	set_limits(s);
	l->stage = STAGE_EXEC;
	sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
	exec_candidates(l);
fail:
	l->sys = errno;
	_exit(127);
}

/*
 * The start of a daemon: the child in the middle makes the daemon and ends, so that init is its
 * parent. Each has a stack of its own (a vfork inside a vfork would use one stack three times).
 */
enum { STACK = 64 * 1024 };

struct daemon_start {
	struct launch *l;
	char *stack;
};

static int __attribute__((no_sanitize("address"))) daemon_main(void *arg)
{
	child(arg);
}

static int __attribute__((no_sanitize("address"))) middle_main(void *arg)
{
	struct daemon_start *d = arg;
	pid_t pid = clone(daemon_main, d->stack + STACK, CLONE_VM | CLONE_VFORK | SIGCHLD, d->l);

	if (pid < 0) {
		d->l->stage = STAGE_SETUP;
		d->l->sys = errno;
	}
	d->l->daemon = pid;
	_exit(0);
}

static pid_t clone_middle(struct launch *l)
{
	struct daemon_start d = { .l = l, .stack = xmalloc(2 * STACK) };
	pid_t pid = clone(middle_main, d.stack + 2 * STACK, CLONE_VM | CLONE_VFORK | SIGCHLD, &d);

	free(d.stack);
	return pid;
}

/* A frame of its own: nothing of the caller's is in registers that the child might change. */
static pid_t __attribute__((noinline)) vfork_child(struct launch *l)
{
	/* NOLINTNEXTLINE(clang-analyzer-security.insecureAPI.vfork): measured, see above */
	pid_t pid = vfork();

	if (pid == 0)
		child(l); /* NOLINT(clang-analyzer-unix.Vfork): system calls only, never returns */
	return pid;
}

/* ---- in the parent ---------------------------------------------------------------------- */

static int dev_null(void)
{
	static atomic_int cached = -1;
	int fd = atomic_load(&cached), none = -1;

	if (fd >= 0)
		return fd;
	fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	if (fd >= 0 && fd < 3) { /* 0 to 2 may be replaced by somebody later */
		int high = fcntl(fd, F_DUPFD_CLOEXEC, 3);

		close(fd);
		fd = high;
	}
	if (fd >= 0 && !atomic_compare_exchange_strong(&cached, &none, fd)) {
		close(fd);
		fd = none;
	}
	return fd;
}

static const char *env_path(const char *const *env)
{
	for (; *env; env++)
		if (strncmp(*env, "PATH=", 5) == 0)
			return *env + 5;
	return "/usr/local/bin:/usr/bin:/bin";
}

/* Fills candidates and sh_argv; one block of memory, returned for free(). */
static void *prepare(struct launch *l)
{
	const char *const *argv = l->spec->argv;
	const char *name = argv[0], *path = "";
	size_t argc = 0, dirs = 1, len = strlen(name), i = 0;
	char **block, *text;

	while (argv[argc])
		argc++;
	if (!strchr(name, '/') && len) {
		path = env_path(l->spec->env);
		for (const char *p = path; *p; p++)
			dirs += *p == ':';
	}
	block = xmalloc((dirs + 1 + argc + 2) * sizeof(char *) + strlen(path) +
			dirs * (len + 3) + 16);
	l->candidates = block;
	l->sh_argv = block + dirs + 1;
	text = (char *)(block + dirs + 1 + argc + 2);
	for (const char *p = path;; p++) {
		size_t n = strcspn(p, ":");

		l->candidates[i++] = text;
		if (n) {
			memcpy(text, p, n);
			text += n;
			*text++ = '/';
		} else if (*path) { /* an empty entry is the current directory */
			*text++ = '.';
			*text++ = '/';
		}
		memcpy(text, name, len + 1);
		text += len + 1;
		p += n;
		if (!*p)
			break;
	}
	l->candidates[i] = NULL;
	memcpy(text, "/bin/sh", sizeof("/bin/sh"));
	l->sh_argv[0] = text;
	l->sh_argv[1] = NULL;
	for (size_t k = 1; k < argc; k++)
		memcpy(&l->sh_argv[k + 1], &argv[k], sizeof(char *));
	l->sh_argv[argc + 1] = NULL;
	return block;
}

static pid_t run_once(struct launch *l, bool daemon)
{
	sigset_t all, old;
	pid_t pid;
	int saved;

	l->sys = 0;
	l->daemon = 0;
	l->stage = STAGE_SETUP;
	sigfillset(&all);
	(void)pthread_sigmask(SIG_SETMASK, &all, &old);
	pid = daemon ? clone_middle(l) : vfork_child(l);
	saved = errno;
	(void)pthread_sigmask(SIG_SETMASK, &old, NULL);
	if (pid > 0 && (l->sys || daemon))
		while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
			;
	errno = saved;
	return pid;
}

static int explain(const struct launch *l, struct proc_failure *f, struct err *err)
{
	*f = (struct proc_failure){ .sys = l->sys };
	if (l->stage == STAGE_CHDIR) {
		f->fault = PROC_NO_DIR;
		return 0;
	}
	errno = l->sys;
	if (l->stage == STAGE_SETUP || l->sys == ENOMEM || l->sys == EAGAIN || l->sys == EMFILE ||
	    l->sys == ENFILE || l->sys == EIO) {
		err_sys(err, "cannot start %s", l->spec->argv[0]);
		err->code = ERR_BUSY;
		return -1;
	}
	if (l->sys == ENOENT || l->sys == ENOTDIR) {
		f->fault = PROC_NO_PROGRAM;
		f->code = 127;
	} else {
		f->fault = l->sys == E2BIG ? PROC_TOO_BIG : PROC_NOT_EXEC;
		f->code = 126;
	}
	return 0;
}

static int launch(const struct proc_spec *s, bool daemon, pid_t *out, struct proc_failure *f,
		  struct err *err)
{
	struct launch l = { .spec = s, .parent = getpid() };
	void *block;
	pid_t pid;

	*f = (struct proc_failure){ .fault = PROC_FINE };
	l.fd[0] = s->in_fd >= 0 ? s->in_fd : dev_null();
	l.fd[1] = s->out_fd >= 0 ? s->out_fd : dev_null();
	l.fd[2] = s->err_fd >= 0 ? s->err_fd : l.fd[1];
	if (l.fd[0] < 0 || l.fd[1] < 0) {
		err_sys(err, "cannot open /dev/null");
		err->code = ERR_BUSY;
		return -1;
	}
	/* execve takes pointers to non-const and changes nothing. */
	memcpy(&l.argv, &s->argv, sizeof(l.argv));
	memcpy(&l.env, &s->env, sizeof(l.env));
	l.reset = signals_to_reset();
	block = prepare(&l);
	for (int i = 0;; i++) {
		pid = run_once(&l, daemon);
		/* Another thread's child may hold a program open for writing that was just
		 * made, until it execs itself. */
		if (pid <= 0 || l.sys != ETXTBSY || l.stage != STAGE_EXEC || i == 50)
			break;
		(void)nanosleep(&(struct timespec){ .tv_nsec = 2000000 }, NULL);
	}
	free(block);
	if (pid < 0) {
		err_sys(err, "cannot start %s", s->argv[0]);
		err->code = ERR_BUSY;
		return -1;
	}
	if (l.sys)
		return explain(&l, f, err);
	*out = daemon ? l.daemon : pid;
	return 1;
}

int proc_spawn(const struct proc_spec *s, pid_t *pid, struct proc_failure *f, struct err *err)
{
	return launch(s, false, pid, f, err);
}

int proc_daemon(const struct proc_spec *s, pid_t *pid, struct proc_failure *f, struct err *err)
{
	struct proc_spec own = *s;

	own.new_session = true;
	own.die_with_us = false;
	return launch(&own, true, pid, f, err);
}

void proc_failure_text(const struct proc_failure *f, const char *program, struct buf *out)
{
	const char *why = strerrordesc_np(f->sys);

	if (f->fault == PROC_NO_DIR)
		buf_addf(out, "kubeque: cannot enter the work directory: %s", why ? why : "error");
	else if (f->fault == PROC_NO_PROGRAM)
		buf_addf(out, "kubeque: %s: not found", program);
	else if (f->fault == PROC_NOT_EXEC && f->sys == EACCES)
		buf_addf(out, "kubeque: %s: cannot be executed: Permission denied", program);
	else
		buf_addf(out, "kubeque: %s: cannot be executed: %s", program, why ? why : "error");
}
