#ifndef WORK_SECRET_H
#define WORK_SECRET_H
/*
 * What a task on this machine gets of its submitter: environment, umask, resource limits and
 * niceness, stored with the job (job.secret), never in the CAS and never printed.
 *
 * As JSON: {"env":["NAME=value",...],"env_hex":["4e3d..",...],"umask":18,"nice":0,
 * "limits":{"nofile":1024,...}}. Entries that are not UTF-8 are in `env_hex`; soft limits are by
 * the names of prlimit(1), -1 is "unlimited"; keys without content are absent.
 */
#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"

enum { SECRET_LIMITS = 16 }; /* RLIM_NLIMITS of Linux */

struct secret {
	char **env;      /* owned, NULL-terminated; "NAME=value" each */
	size_t nenv;
	unsigned umask;
	int nice;
	bool has_limit[SECRET_LIMITS]; /* by RLIMIT_x */
	int64_t limit[SECRET_LIMITS];  /* soft limit, -1: unlimited */
};

/*
 * Appends the secret of this process to *out: `environ` less what belongs to the session or to
 * kubeque (KUBEQUE_*, KQ_*, SSH_*, OLDPWD, SHLVL, _, DISPLAY, XDG_RUNTIME_DIR, PWD), or with
 * `clean` only PATH, HOME, USER, LANG and TZ. `mask` is the umask of the command line (reading it
 * here would have to change it).
 */
void secret_capture(struct buf *out, bool clean, unsigned mask);

/* The other way; "" and NULL are an empty environment with umask 022. ERR_IO: not such JSON. */
int secret_parse(struct secret *s, const char *json, struct err *err);
void secret_release(struct secret *s);

#endif
