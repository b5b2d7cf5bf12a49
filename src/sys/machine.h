#ifndef SYS_MACHINE_H
#define SYS_MACHINE_H
/*
 * What this machine is and what this process may use of it. Capacity comes from affinity and
 * cgroups, not from the hardware.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"

struct machine {
	double cpus;              /* affinity, cut by cgroup quota; >= 0.01, may be fractional */
	int threads;              /* cpus rounded up, >= 1: for worker pools */
	int64_t memory;           /* bytes: least of physical and cgroup limits on the way up */
	int64_t memory_available; /* bytes now: MemAvailable, cut by room in the cgroups */
	char host[256];
	char machine_id[64];      /* /etc/machine-id, else "host-<name>" */
	char boot_id[64];
};
void machine_get(struct machine *m);
int machine_threads(void); /* cached */

/* Pure parts, for tests: "max 100000" or "150000 100000" -> CPUs, 0: no limit, -1: no sense. */
double machine_parse_cpu_max(const char *text);
/* "max", "9223372036854771712" or a number -> bytes, INT64_MAX: no limit, -1: no sense. */
int64_t machine_parse_limit(const char *text);
/* Path of a controller in the text of /proc/self/cgroup ("" is the unified one): true, *out holds
 * n bytes. */
bool machine_parse_cgroup(const char *text, const char *controller, char *out, size_t n);

/* Linux 5.4 with /proc and pidfd_open, else ERR_CONFIG with what is missing. */
int machine_check(struct err *err);

struct user {
	uid_t uid;
	char name[256]; /* passwd, else the number */
	char *home;     /* owned: $HOME if absolute, else passwd; NULL: none */
};
void user_get(struct user *u);
void user_release(struct user *u);

#endif
