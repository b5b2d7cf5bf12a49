#include "sys/machine.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <math.h>
#include <pwd.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/sysinfo.h>
#include <unistd.h>

#include "base/base.h"
#include "base/buf.h"
#include "base/str.h"
#include "sys/file.h"
#include "sys/scan.h"

/* Content of a small file without its final newline; false: cannot be read. */
static bool read_line(const char *path, struct buf *out)
{
	struct err err = ERR_INIT;

	buf_clear(out);
	if (file_read(AT_FDCWD, path, 1 << 20, out, &err) != 1)
		return false;
	while (out->n && (out->p[out->n - 1] == '\n' || out->p[out->n - 1] == ' '))
		out->p[--out->n] = '\0';
	return true;
}

double machine_parse_cpu_max(const char *text)
{
	char quota[32], period[32];
	double q, p;

	if (sscanf(text, "%31s %31s", quota, period) != 2)
		return -1;
	if (strcmp(quota, "max") == 0 || strcmp(quota, "-1") == 0)
		return 0;
	if (!str_to_double(quota, &q) || !str_to_double(period, &p) || q <= 0 || p <= 0)
		return -1;
	return q / p;
}

int64_t machine_parse_limit(const char *text)
{
	char word[32];
	int64_t v;

	if (sscanf(text, "%31s", word) != 1)
		return -1;
	if (strcmp(word, "max") == 0)
		return INT64_MAX;
	if (!str_to_i64(word, 0, INT64_MAX, &v))
		return strspn(word, "0123456789") == strlen(word) ? INT64_MAX : -1;
	/* cgroup v1 says "no limit" by a number near the end of the range. */
	return v >= INT64_MAX / 2 ? INT64_MAX : v;
}

bool machine_parse_cgroup(const char *text, const char *controller, char *out, size_t n)
{
	size_t want = strlen(controller);

	for (const char *line = text; *line;) {
		size_t len = strcspn(line, "\n");
		const char *list = memchr(line, ':', len), *path;

		if (list) {
			list++;
			path = memchr(list, ':', len - (size_t)(list - line));
			for (const char *p = list; path && p <= path;) {
				size_t k = strcspn(p, ",:");

				if (k == want && memcmp(p, controller, k) == 0) {
					size_t m = len - (size_t)(path + 1 - line);

					if (m >= n)
						return false;
					memcpy(out, path + 1, m);
					out[m] = '\0';
					return true;
				}
				p += k + 1;
			}
		}
		line += len + (line[len] == '\n');
	}
	return false;
}

/* Calls fn for the group's directory and all above it, up to the mount point. */
static void each_group(const char *mount, const char *path, void (*fn)(void *ctx, const char *dir),
		       void *ctx)
{
	char dir[PATH_MAX];
	size_t base = strlen(mount);

	if (snprintf(dir, sizeof(dir), "%s%s", mount, strcmp(path, "/") == 0 ? "" : path) >=
	    (int)sizeof(dir))
		return;
	/* In a container the path may be of the outside; then only the mount point is there. */
	for (;;) {
		char *slash;

		fn(ctx, dir);
		slash = strrchr(dir, '/');
		if (strlen(dir) <= base || !slash)
			return;
		*slash = '\0';
	}
}

struct limits {
	struct buf text;
	double cpus;    /* 0: no limit */
	int64_t memory; /* INT64_MAX: no limit */
	int64_t room;   /* limit - usage + reclaimable cache, the least on the way up */
	bool v2;
};

static bool read_in(struct limits *l, const char *dir, const char *file)
{
	char path[PATH_MAX];

	if (snprintf(path, sizeof(path), "%s/%s", dir, file) >= (int)sizeof(path))
		return false;
	return read_line(path, &l->text);
}

static void cpu_limit(void *ctx, const char *dir)
{
	struct limits *l = ctx;
	double c = 0;

	if (l->v2) {
		if (read_in(l, dir, "cpu.max"))
			c = machine_parse_cpu_max(l->text.p);
	} else if (read_in(l, dir, "cpu.cfs_quota_us")) {
		char both[80];
		int n = snprintf(both, sizeof(both), "%.30s ", l->text.p);

		if (read_in(l, dir, "cpu.cfs_period_us")) {
			(void)snprintf(both + n, sizeof(both) - (size_t)n, "%.30s", l->text.p);
			c = machine_parse_cpu_max(both);
		}
	}
	if (c > 0 && (l->cpus <= 0 || c < l->cpus))
		l->cpus = c;
}

/* File cache that the kernel gives back when it is asked. */
static int64_t inactive_file(struct limits *l, const char *dir)
{
	const char *key = l->v2 ? "inactive_file " : "total_inactive_file ";
	const char *at;
	int64_t v;

	if (!read_in(l, dir, "memory.stat"))
		return 0;
	at = strstr(l->text.p, key);
	if (at && (at == l->text.p || at[-1] == '\n') && scan_number(at + strlen(key), 10, &v))
		return v;
	return 0;
}

static void memory_limit(void *ctx, const char *dir)
{
	struct limits *l = ctx;
	int64_t limit, used;

	if (!read_in(l, dir, l->v2 ? "memory.max" : "memory.limit_in_bytes"))
		return;
	limit = machine_parse_limit(l->text.p);
	if (limit < 0 || limit == INT64_MAX)
		return;
	l->memory = MIN(l->memory, limit);
	if (!read_in(l, dir, l->v2 ? "memory.current" : "memory.usage_in_bytes"))
		return;
	used = machine_parse_limit(l->text.p);
	if (used < 0 || used == INT64_MAX)
		return;
	used -= MIN(used, inactive_file(l, dir));
	l->room = MIN(l->room, MAX(limit - used, 0));
}

static void group_limits(struct limits *l)
{
	char path[PATH_MAX];
	struct buf text = BUF_INIT;

	if (!read_line("/proc/self/cgroup", &text))
		goto out;
	l->v2 = true;
	if (machine_parse_cgroup(text.p, "", path, sizeof(path))) {
		const char *mount = access("/sys/fs/cgroup/cgroup.controllers", F_OK) == 0
				    ? "/sys/fs/cgroup" : "/sys/fs/cgroup/unified";

		each_group(mount, path, cpu_limit, l);
		each_group(mount, path, memory_limit, l);
	}
	l->v2 = false;
	if (machine_parse_cgroup(text.p, "cpu", path, sizeof(path)))
		each_group("/sys/fs/cgroup/cpu", path, cpu_limit, l);
	if (machine_parse_cgroup(text.p, "memory", path, sizeof(path)))
		each_group("/sys/fs/cgroup/memory", path, memory_limit, l);
out:
	buf_release(&text);
}

static int affinity(void)
{
	for (size_t n = 1024; n <= 1 << 20; n *= 4) {
		cpu_set_t *set = CPU_ALLOC(n);
		size_t size = CPU_ALLOC_SIZE(n);
		int count = 0;
		bool more;

		if (!set)
			break;
		CPU_ZERO_S(size, set);
		more = sched_getaffinity(0, size, set) < 0;
		if (!more)
			count = CPU_COUNT_S(size, set);
		CPU_FREE(set);
		if (count > 0)
			return count;
		if (errno != EINVAL)
			break;
	}
	return (int)MAX(sysconf(_SC_NPROCESSORS_ONLN), 1);
}

static int64_t meminfo(const char *key)
{
	struct buf text = BUF_INIT;
	int64_t kb = -1;
	const char *at;

	if (!read_line("/proc/meminfo", &text) || !(at = strstr(text.p, key)) ||
	    !scan_number(at + strlen(key), 10, &kb))
		kb = -1;
	buf_release(&text);
	return kb < 0 ? -1 : kb * 1024;
}

static void get_limits(struct limits *l)
{
	*l = (struct limits){ .text = BUF_INIT, .memory = INT64_MAX, .room = INT64_MAX };
	group_limits(l);
	buf_release(&l->text);
}

static int64_t physical(void)
{
	int64_t total = meminfo("MemTotal:");
	struct sysinfo si;

	if (total > 0)
		return total;
	return sysinfo(&si) == 0 ? (int64_t)si.totalram * si.mem_unit : INT64_MAX;
}

static int64_t available(const struct limits *l)
{
	int64_t now = meminfo("MemAvailable:");

	return MIN(now < 0 ? physical() : now, l->room);
}

static void read_id(const char *path, char *out, size_t n)
{
	struct buf text = BUF_INIT;

	out[0] = '\0';
	if (read_line(path, &text) && text.n && text.n < n)
		memcpy(out, text.p, text.n + 1);
	buf_release(&text);
}

void machine_get(struct machine *m)
{
	struct limits l;

	*m = (struct machine){ .cpus = affinity() };
	get_limits(&l);
	if (l.cpus > 0 && l.cpus < m->cpus)
		m->cpus = MAX(l.cpus, 0.01);
	m->threads = MAX((int)ceil(m->cpus - 1e-9), 1);
	m->memory = MIN(physical(), l.memory);
	m->memory_available = MIN(available(&l), m->memory);
	if (gethostname(m->host, sizeof(m->host) - 1) < 0 || !m->host[0])
		(void)snprintf(m->host, sizeof(m->host), "localhost");
	read_id("/etc/machine-id", m->machine_id, sizeof(m->machine_id));
	if (!m->machine_id[0])
		(void)snprintf(m->machine_id, sizeof(m->machine_id), "host-%.50s", m->host);
	read_id("/proc/sys/kernel/random/boot_id", m->boot_id, sizeof(m->boot_id));
}

int machine_threads(void)
{
	static atomic_int cached;
	int n = atomic_load(&cached);

	if (n == 0) {
		struct limits l;
		double cpus = affinity();

		get_limits(&l);
		if (l.cpus > 0)
			cpus = MIN(cpus, l.cpus);
		n = MAX((int)ceil(cpus - 1e-9), 1);
		atomic_store(&cached, n);
	}
	return n;
}

int machine_check(struct err *err)
{
	long fd;

	if (access("/proc/self/stat", R_OK) < 0)
		return err_set(err, ERR_CONFIG, "kubeque needs /proc, which is not mounted here");
	fd = syscall(SYS_pidfd_open, getpid(), 0);
	if (fd < 0 && errno == ENOSYS)
		return err_set(err, ERR_CONFIG,
			       "kubeque needs Linux 5.4 or newer (this kernel has no pidfd_open)");
	if (fd >= 0)
		close((int)fd);
	return 0;
}

void user_get(struct user *u)
{
	const char *home = getenv("HOME");
	struct passwd pw, *found = NULL;
	size_t n = 16384;
	char *space = xmalloc(n);

	*u = (struct user){ .uid = geteuid() };
	while (getpwuid_r(u->uid, &pw, space, n, &found) == ERANGE && n < 1 << 22) {
		n *= 2;
		space = xrealloc(space, n);
	}
	if (found)
		(void)snprintf(u->name, sizeof(u->name), "%s", pw.pw_name);
	else
		(void)snprintf(u->name, sizeof(u->name), "%lu", (unsigned long)u->uid);
	if (home && home[0] == '/')
		u->home = xstrdup(home);
	else if (found && pw.pw_dir && pw.pw_dir[0] == '/')
		u->home = xstrdup(pw.pw_dir);
	free(space);
}

void user_release(struct user *u)
{
	free(u->home);
	u->home = NULL;
}
