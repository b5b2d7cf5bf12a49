#ifndef BASE_ERR_H
#define BASE_ERR_H
/*
 * Errors as values.
 *
 * A function that can fail takes `struct err *err` last (never NULL) and returns 0 or -1, or
 * 1 / 0 / -1 for found / none / error. The error is set once, where it happens, prefixed on the
 * way up and printed once at the top. Codes are for decisions, text is for people.
 */

enum err_code {
	ERR_NONE = 0,
	ERR_USAGE,       /* the user can mend it: bad option, bad input               (exit 2) */
	ERR_NOT_FOUND,   /* no such job, task or node                                 (exit 3) */
	ERR_TIMEOUT,     /* a wait ran out                                            (exit 4) */
	ERR_CONFIG,      /* configuration, credentials, a store that is not ours      (exit 5) */
	ERR_CONFLICT,    /* somebody was first: the precondition no longer holds      (exit 2) */
	ERR_BUSY,        /* locked or out of reach for now: safe to try again         (exit 6) */
	ERR_NOSPACE,     /* no space, no inodes, quota                                (exit 6) */
	ERR_IO,          /* the machine or a service said no for good                 (exit 6) */
	ERR_SCRIPT,      /* a Lua script failed                                       (exit 7) */
	ERR_INTERRUPTED, /* a signal asked us to stop                               (exit 130) */
};

struct err {
	enum err_code code;
	int sys;         /* errno where there was one, else 0 */
	char text[2048]; /* one line, no time stamp, no final full stop, cut at the end */
};

#define ERR_INIT { .code = ERR_NONE }

/* Set the error; always returns -1, keeps errno. */
int err_set(struct err *err, enum err_code code, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
/* The same from errno: appends ": <strerror>"; ENOSPC, EDQUOT and EMFILE-like codes choose the
 * code (ERR_NOSPACE for the first two, ERR_IO otherwise). */
int err_sys(struct err *err, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* Put "text: " in front of what is already there; always returns -1. */
int err_prefix(struct err *err, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* The exit code of CONTRACT section 1 for this error. */
int err_exit_code(const struct err *err);
/* Short stable name of a code ("usage", "conflict", ...), as scripts see it. */
const char *err_code_name(enum err_code code);
/* The other way round; ERR_IO for a name that is none. */
enum err_code err_code_of(const char *name);

#endif
