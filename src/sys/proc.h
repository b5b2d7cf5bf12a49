#ifndef SYS_PROC_H
#define SYS_PROC_H
/*
 * Processes: start, stop, wait, look at others.
 *
 * Spawning is an own vfork+execve with all signals blocked around it: the child gets default
 * dispositions, an empty mask, its own process group, and only descriptors 0, 1 and 2. No shell is
 * involved (but see ENOEXEC below).
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/resource.h>
#include <sys/types.h>

#include "base/buf.h"
#include "base/err.h"

/* ---- start (spawn.c) -------------------------------------------------------------------- */

struct proc_limit {
	int resource; /* RLIMIT_* */
	struct rlimit value;
};

/* All borrowed. PROC_SPEC_INIT, then at least argv and env. */
struct proc_spec {
	const char *const *argv; /* argv[0] is searched in the PATH of `env` unless it has a '/' */
	const char *const *env;
	int cwd_fd;              /* directory to start in; -1: `cwd` */
	const char *cwd;         /* NULL: ours */
	int in_fd;               /* -1: /dev/null */
	int out_fd;              /* -1: /dev/null */
	int err_fd;              /* -1: the same as out */
	int umask;               /* -1: ours */
	int nice;                /* added to ours; 0: none */
	const struct proc_limit *limits; /* what cannot be raised is lowered to what can */
	size_t n_limits;
	bool same_group;         /* stay in our process group (default: own group, pgid = pid) */
	bool new_session;        /* setsid instead of setpgid */
	bool die_with_us;        /* SIGKILL when the thread that spawned it ends */
};
#define PROC_SPEC_INIT { .cwd_fd = -1, .in_fd = -1, .out_fd = -1, .err_fd = -1, .umask = -1 }

/* Why it was not started; all but PROC_NO_FORK are the task's own fault. */
enum proc_fault {
	PROC_FINE = 0,
	PROC_NO_DIR,     /* chdir failed */
	PROC_NO_PROGRAM, /* exit code 127 */
	PROC_NOT_EXEC,   /* exit code 126 */
	PROC_TOO_BIG,    /* E2BIG: exit code 126 */
};
struct proc_failure {
	enum proc_fault fault;
	int sys;  /* errno */
	int code; /* 126 or 127, as a shell would give; 0 with PROC_NO_DIR */
};

/* 1 started (*pid), 0 it cannot be started (*f says why, nothing is left to wait for), -1 the
 * machine said no (EAGAIN, ENOMEM: ERR_BUSY). A script without #! line is run by /bin/sh. */
int proc_spawn(const struct proc_spec *s, pid_t *pid, struct proc_failure *f, struct err *err);
/* One line for stdout.txt: "kubeque: nosuch: not found" and so on, no newline. */
void proc_failure_text(const struct proc_failure *f, const char *program, struct buf *out);

/* Starts a process that outlives us: child of init, own session. Same results as proc_spawn. */
int proc_daemon(const struct proc_spec *s, pid_t *pid, struct proc_failure *f, struct err *err);

/* Runs to the end with at most `limit` bytes of output kept of each stream (more is read and
 * dropped); `in` may be NULL. err_out NULL: the second stream goes to spec->err_fd, or with -1 into
 * *out, too. Exit code (128 + signal, 126, 127) in *code. After timeout_ms (0: none) its group is
 * killed: ERR_TIMEOUT. A signal to us (signals.h) ends it with SIGTERM, and if that does not help
 * with SIGKILL: ERR_INTERRUPTED. 0/-1. */
int proc_run(const struct proc_spec *s, const struct buf *in, size_t limit, int64_t timeout_ms,
	     struct buf *out, struct buf *err_out, int *code, struct err *err);

/* The binary that runs now, by its own name where that still is this file (`ps` is read by people),
 * else /proc/self/exe; cut to `size` bytes. */
void proc_own_binary(char *out, size_t size);
/* Our environment less what belongs to a task (KQ_*), NULL-terminated, borrowed strings; free(). */
const char **proc_own_env(void);

/* To be called after dispositions of signals were changed (signals.c does). */
void proc_signals_changed(void);

/* ---- wait (proc.c) ---------------------------------------------------------------------- */

struct proc_usage {
	int64_t user_us, system_us;
	int64_t max_memory; /* bytes */
	int64_t block_in, block_out;
};
struct proc_end {
	pid_t pid;
	int exit_code; /* -1: by signal */
	int signal;    /* 0: none */
	bool core;
	struct proc_usage usage;
};
/* Any child that has ended: 1, 0 none now (or no children). Never blocks. */
int proc_reap(struct proc_end *out);
/* One child, blocking. 1, or 0: it is not our child. */
int proc_wait(pid_t pid, struct proc_end *out);

/* ---- stop ------------------------------------------------------------------------------- */

/* Signal to a group (sig 0: only look): 1 somebody got it, 0 the group is empty. pgid > 1. Zombies
 * count; see proc_adopt(). */
int proc_group_kill(pid_t pgid, int sig);
/* Orphans of our children become our children (proc_reap() gets them), so that a group is empty as
 * soon as its last process ended, whatever process 1 does. */
void proc_adopt(void);
/* -1 with errno. */
int proc_pidfd_open(pid_t pid);
int proc_pidfd_kill(int pidfd, int sig);
/* Signal to a process only if it still is the one that started at `start`: 1 sent, 0 it is gone. */
int proc_kill_exact(pid_t pid, uint64_t start, int sig);

/* ---- look at processes through /proc ---------------------------------------------------- */

struct proc_info {
	pid_t pid, ppid, pgrp, session;
	char state;     /* R S D Z T ... */
	uint64_t start; /* clock ticks since boot: with pid, a name for the process */
};
/* 1, or 0: no such process. */
int proc_info(pid_t pid, struct proc_info *out);
/* Value of a variable in the environment the process was started with, appended to *out: 1, or 0:
 * not set, gone or not ours. */
int proc_environ(pid_t pid, const char *name, struct buf *out);
/* Every process of this user (zombies left out); fn returns non-zero to stop. */
int proc_each(int (*fn)(void *ctx, const struct proc_info *p), void *ctx, struct err *err);

/* Ends every process of this user that was started with KQ_NODE=<node> and everybody in their
 * process groups, the caller and its group excepted: TERM, after grace_ms KILL, until none is left
 * or limit_ms are over. Returns how many were signalled, or -1 (some are left: ERR_TIMEOUT). */
int proc_kill_leftovers(const char *node, int64_t grace_ms, int64_t limit_ms, struct err *err);

#endif
