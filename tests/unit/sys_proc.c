/* sys/proc.h: starting, stopping and finding processes. */
#include "tap.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/base.h"
#include "base/clock.h"
#include "sys/file.h"
#include "sys/proc.h"

static int top;
static char dir[PATH_MAX];
static struct err err;
static const char *const env[] = { "PATH=/usr/bin:/bin", "A=b c", NULL };

static void script(const char *name, const char *text, mode_t mode)
{
	if (file_write(top, name, text, strlen(text), mode, false, &err) < 0)
		exit(1);
}

/* Runs /bin/sh -c text; output in *out. */
static int sh(struct proc_spec spec, const char *text, struct buf *out)
{
	const char *const argv[] = { "/bin/sh", "-c", text, NULL };
	int code = -1;

	spec.argv = argv;
	if (!spec.env)
		spec.env = env;
	buf_clear(out);
	if (proc_run(&spec, NULL, 1 << 16, 0, out, NULL, &code, &err) < 0)
		printf("# %s\n", err.text);
	return code;
}

static int code_of(const char *const *argv, const char *const *envp, int cwd,
		   enum proc_fault *fault)
{
	struct proc_spec s = PROC_SPEC_INIT;
	struct proc_failure f;
	struct proc_end end;
	pid_t pid;
	int r;

	s.argv = argv;
	s.env = envp;
	s.cwd_fd = cwd;
	r = proc_spawn(&s, &pid, &f, &err);
	*fault = f.fault;
	if (r < 0)
		return -1;
	if (r == 0)
		return f.code;
	return proc_wait(pid, &end) ? end.exit_code : -2;
}

static void test_spawn(void)
{
	struct proc_spec s = PROC_SPEC_INIT;
	struct proc_limit limits[] = {
		{ RLIMIT_NOFILE, { 55, 66 } },
		{ RLIMIT_CORE, { RLIM_INFINITY, RLIM_INFINITY } },
	};
	struct buf out = BUF_INIT;
	int extra;

	is_int(sh(s, "echo \"$A\"; exit 3", &out), 3, "exit code");
	is_str(out.p, "b c\n", "environment and output");
	is_int(sh(s, "kill -9 $$", &out), 128 + 9, "ended by a signal");
	s.cwd = dir;
	s.umask = 027;
	s.limits = limits;
	s.n_limits = 2;
	sh(s, "pwd -P; umask; ulimit -n; ulimit -Hn", &out);
	{
		char *real = realpath(dir, NULL), *want = xasprintf("%s\n0027\n55\n66\n", real);

		is_str(out.p, want, "directory, umask and limits");
		free(want);
		free(real);
	}
	s = (struct proc_spec)PROC_SPEC_INIT;
	sh(s, "test \"$(cut -d' ' -f5 /proc/self/stat)\" = $$ && echo own", &out);
	is_str(out.p, "own\n", "a child leads its own process group");
	s.nice = 3;
	sh(s, "nice", &out);
	ok(strlen(out.p) >= 2 && strcmp(out.p, "0\n") != 0, "nice is added to ours");
	s.nice = 0;
	extra = open("/dev/null", O_RDONLY); /* inheritable on purpose */
	sh(s, "ls /proc/self/fd | tr '\\n' ' '; cat | wc -c", &out);
	ok(strncmp(out.p, "0 1 2 3 0\n", 10) == 0, "only 0, 1 and 2 are inherited, and 0 is empty");
	close(extra);
	(void)signal(SIGUSR1, SIG_IGN);
	(void)signal(SIGPIPE, SIG_IGN);
	proc_signals_changed();
	sh(s, "cat /proc/self/status | grep -E '^Sig(Blk|Ign|Cgt)' | tr -d '\\n\\t '", &out);
	is_str(out.p, "SigBlk:0000000000000000SigIgn:0000000000000000SigCgt:0000000000000000",
	       "signals are at their defaults and none is blocked");
	(void)signal(SIGUSR1, SIG_DFL);
	proc_signals_changed();
	buf_release(&out);
}

static void test_faults(void)
{
	static const char *const none[] = { "no-such-program", NULL };
	static const char *const missing[] = { "./none", NULL };
	static const char *const plain[] = { "./plain", NULL };
	static const char *const here[] = { "here", "x", NULL };
	static const char *const bad[] = { "./badinterp", NULL };
	static const char *const noexec[] = { "./noshebang", "7", NULL };
	static const char *const empty[] = { "", NULL };
	static const char *const path_here[] = { "PATH=/usr/bin::/bin", NULL };
	static const char *const path_dot[] = { "PATH=.", NULL };
	struct proc_failure f = { PROC_NO_PROGRAM, ENOENT, 127 };
	struct buf out = BUF_INIT;
	enum proc_fault fault;
	int file;

	script("plain", "exit 0\n", 0644);
	script("here", "#!/bin/sh\nexit 9\n", 0755);
	script("badinterp", "#!/no/such/interpreter\n", 0755);
	script("noshebang", "exit $1\n", 0755);
	is_int(code_of(none, env, top, &fault), 127, "a program that is not there is 127");
	is_int(fault, PROC_NO_PROGRAM, "and said to be missing");
	is_int(code_of(missing, env, top, &fault), 127, "so is a path");
	is_int(code_of(plain, env, top, &fault), 126, "no x bit is 126");
	is_int(fault, PROC_NOT_EXEC, "and said so");
	is_int(code_of(bad, env, top, &fault), 127, "a missing interpreter is 127");
	is_int(code_of(empty, env, top, &fault), 127, "the empty name is 127");
	is_int(code_of(here, env, top, &fault), 127, "the directory is not searched");
	is_int(code_of(here, path_here, top, &fault), 9, "unless PATH has an empty entry");
	is_int(code_of(here, path_dot, top, &fault), 9, "or a relative one, as seen from there");
	is_int(code_of(noexec, env, top, &fault), 7, "a script without #! is run by sh");
	file = openat(top, "plain", O_RDONLY | O_CLOEXEC);
	is_int(code_of(noexec, env, file, &fault), 0, "a directory that is none");
	is_int(fault, PROC_NO_DIR, "is a fault of its own");
	close(file);
	proc_failure_text(&f, "prog", &out);
	is_str(out.p, "kubeque: prog: not found", "a fault in words");
	buf_release(&out);
}

static void test_big(void)
{
	char *big = xmalloc(200000);
	const char *const argv[] = { "/bin/echo", big, NULL };
	enum proc_fault fault;

	memset(big, 'x', 199999);
	big[199999] = '\0';
	is_int(code_of(argv, env, top, &fault), 126, "a word of 200,000 bytes");
	is_int(fault, PROC_TOO_BIG, "is too big");
	free(big);
}

/* Is a process that was killed gone within a while? (Whose orphan it is may take its time.) */
static bool gone(pid_t pid)
{
	struct proc_info info;

	for (int i = 0; i < 500; i++) {
		if (!proc_info(pid, &info) || info.state == 'Z')
			return true;
		(void)nanosleep(&(struct timespec){ .tv_nsec = 10000000 }, NULL);
	}
	return false;
}

static void test_run(void)
{
	static const char *const cat[] = { "cat", NULL };
	static const char *const hang[] = { "sh", "-c", "trap '' TERM; sleep 60 & echo $!; wait",
					    NULL };
	int64_t pid = 0;
	struct proc_spec s = PROC_SPEC_INIT;
	struct buf in = BUF_INIT, out = BUF_INIT, eout = BUF_INIT;
	int64_t begin;
	int code;

	for (int i = 0; i < 100000; i++)
		buf_adds(&in, "0123456789");
	s.argv = cat;
	s.env = env;
	ok(proc_run(&s, &in, SIZE_MAX, 0, &out, &eout, &code, &err) == 0 && code == 0 &&
	   out.n == in.n &&
	   eout.n == 0, "a megabyte through a filter");
	buf_clear(&out);
	ok(proc_run(&s, &in, 10, 0, &out, &eout, &code, &err) == 0 && out.n == 10,
	   "output is cut at the limit");
	begin = clock_mono_ms();
	s.argv = hang;
	buf_clear(&out);
	ok(proc_run(&s, NULL, 100, 200, &out, NULL, &code, &err) < 0 && err.code == ERR_TIMEOUT &&
	   clock_mono_ms() - begin < 10000 && strstr(err.text, "longer than 0.2 s"),
	   "what takes too long is killed");
	out.n -= out.n > 0;
	out.p[out.n] = '\0';
	ok(str_to_i64(out.p, 2, INT32_MAX, &pid) && gone((pid_t)pid), "with all it started");
	err = (struct err)ERR_INIT;
	begin = clock_mono_ms();
	buf_clear(&out);
	sh((struct proc_spec)PROC_SPEC_INIT, "sleep 30 & echo $!", &out);
	ok(clock_mono_ms() - begin < 10000, "who stays in the background is not waited for");
	out.n -= out.n > 0;
	out.p[out.n] = '\0';
	if (str_to_i64(out.p, 2, INT32_MAX, &pid))
		kill((pid_t)pid, SIGKILL);
	buf_release(&in);
	buf_release(&out);
	buf_release(&eout);
}

static void test_look(void)
{
	static const char *const argv[] = { "sleep", "60", NULL };
	static const char *const node_env[] = { "PATH=/usr/bin:/bin", "KQ_NODE=h-1", NULL };
	struct proc_spec s = PROC_SPEC_INIT;
	struct proc_failure f;
	struct proc_info info;
	struct proc_end end;
	struct buf b = BUF_INIT;
	pid_t pid;

	s.argv = argv;
	s.env = node_env;
	if (proc_spawn(&s, &pid, &f, &err) != 1)
		exit(1);
	ok(proc_info(pid, &info) == 1 && info.pgrp == pid && info.ppid == getpid() &&
	   info.start > 0,
	   "what /proc says of a process");
	/* vfork ends a moment before the kernel has noted where the environment is. */
	for (int64_t end_ms = clock_mono_ms() + 5000; clock_mono_ms() < end_ms;)
		if (proc_environ(pid, "KQ_NODE", &b))
			break;
	ok( strcmp(b.p, "h-1") == 0, "its environment");
	is_int(proc_environ(pid, "KQ_NOD", &b), 0, "names are compared whole");
	is_int(proc_kill_exact(pid, info.start + 1, SIGKILL), 0,
	       "another start time is another process");
	is_int(proc_group_kill(pid, 0), 1, "its group is there");
	is_int(proc_kill_exact(pid, info.start, SIGTERM), 1, "the right one is ended");
	ok(proc_wait(pid, &end) == 1 && end.signal == SIGTERM && end.exit_code == -1 &&
	   end.usage.max_memory > 0, "and waited for, with its usage");
	is_int(proc_group_kill(pid, 0), 0, "its group is gone");
	is_int(proc_info(pid, &info), 0, "and so is it");
	is_int(proc_reap(&end), 0, "nobody is left to wait for");
	buf_release(&b);
}

/* A node's tasks: one that ends by TERM, one that does not, one without the variable in the group
 * of one that has it, one in a session of its own. */
static void test_leftovers(void)
{
	static const char *const argv[] = { "/bin/sh", "-c",
		"trap '' TERM; env -i sleep 61 & setsid sleep 62 & echo up; sleep 63; sleep 64",
					    NULL };
	static const char *const polite[] = { "sleep", "65", NULL };
	static const char *const mine[] = { "PATH=/usr/bin:/bin", "KQ_NODE=left-1", NULL };
	static const char *const other[] = { "PATH=/usr/bin:/bin", "KQ_NODE=left-12", NULL };
	struct proc_spec s = PROC_SPEC_INIT;
	struct proc_failure f;
	struct proc_end end;
	pid_t a, b, c;
	char byte[3];
	int p[2];

	proc_adopt();
	if (pipe2(p, O_CLOEXEC) < 0)
		exit(1);
	s.argv = argv;
	s.env = mine;
	s.out_fd = p[1];
	if (proc_spawn(&s, &a, &f, &err) != 1 || read(p[0], byte, 3) != 3)
		exit(1);
	s.out_fd = -1;
	s.argv = polite;
	if (proc_spawn(&s, &b, &f, &err) != 1)
		exit(1);
	s.env = other;
	if (proc_spawn(&s, &c, &f, &err) != 1)
		exit(1);
	ok(proc_kill_leftovers("left-1", 100, 10000, &err) >= 4, "leftovers are found and ended");
	ok(proc_wait(a, &end) == 1 && end.signal == SIGKILL, "who ignores TERM is killed");
	ok(proc_wait(b, &end) == 1 && end.signal == SIGTERM, "who does not is asked");
	while (proc_reap(&end))
		;
	is_int(proc_group_kill(a, 0), 0, "nobody of the group is left");
	is_int(proc_kill_leftovers("left-1", 100, 10000, &err), 0, "nothing is left at all");
	is_int(proc_group_kill(c, 0), 1, "another node's process lives");
	kill(c, SIGKILL);
	proc_wait(c, &end);
	(void)prctl(PR_SET_CHILD_SUBREAPER, 0);
	close(p[0]);
	close(p[1]);
}

static void test_daemon(void)
{
	static const char *const argv[] = { "/bin/sh", "-c",
		"cut -d' ' -f1,5,6 /proc/$$/stat; test -t 0 || echo ok; exec sleep 60", NULL };
	static const char *const none[] = { "/no/such", NULL };
	struct proc_spec s = PROC_SPEC_INIT;
	struct proc_failure f;
	struct proc_info info;
	struct buf b = BUF_INIT;
	char *want;
	pid_t pid;
	int p[2];

	if (pipe2(p, O_CLOEXEC) < 0)
		exit(1);
	s.argv = argv;
	s.env = env;
	s.out_fd = p[1];
	is_int(proc_daemon(&s, &pid, &f, &err), 1, "a daemon starts");
	while (b.n < 4 || strcmp(b.p + b.n - 3, "ok\n") != 0) {
		char ch;

		if (read(p[0], &ch, 1) != 1)
			break;
		buf_addch(&b, ch);
	}
	want = xasprintf("%d %d %d\nok\n", (int)pid, (int)pid, (int)pid);
	is_str(b.p, want, "leader of its own session");
	ok(proc_info(pid, &info) == 1 && info.ppid != getpid(), "and not our child");
	ok(waitpid(-1, NULL, WNOHANG) < 0 && errno == ECHILD, "nothing is left to wait for");
	if (info.start)
		proc_kill_exact(pid, info.start, SIGKILL);
	s.argv = none;
	is_int(proc_daemon(&s, &pid, &f, &err), 0, "a daemon that cannot start");
	is_int(f.code, 127, "says why");
	free(want);
	buf_release(&b);
	close(p[0]);
	close(p[1]);
}

/* A child that is to die with us does, even when we are killed. */
static void test_orphans(void)
{
	static const char *const argv[] = { "sleep", "60", NULL };
	int p[2];
	pid_t starter, pid = 0;
	char byte;

	if (pipe2(p, 0) < 0)
		exit(1);
	starter = fork();
	if (starter == 0) {
		struct proc_spec s = PROC_SPEC_INIT;
		struct proc_failure f;

		s.argv = argv;
		s.env = env;
		s.out_fd = p[1];
		s.die_with_us = true;
		if (proc_spawn(&s, &pid, &f, &err) != 1)
			_exit(1);
		raise(SIGKILL);
	}
	close(p[1]);
	waitpid(starter, NULL, 0);
	is_int(read(p[0], &byte, 1), 0, "a child that is to die with its starter does");
	close(p[0]);
}

int main(void)
{
	const char *tmp = getenv("TMPDIR");

	(void)snprintf(dir, sizeof(dir), "%s/kq-proc-XXXXXX", tmp ? tmp : "/tmp");
	if (!mkdtemp(dir) || (top = file_open_dir(AT_FDCWD, dir, &err)) < 0)
		return 1;
	test_spawn();
	test_faults();
	test_big();
	test_run();
	test_look();
	test_leftovers();
	test_daemon();
	test_orphans();
	close(top);
	file_rmtree(AT_FDCWD, dir, &err);
	return tap_done();
}
