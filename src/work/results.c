#include "work/results.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/base.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/str.h"
#include "sys/file.h"
#include "work/results_impl.h"

static const char marker_name[] = ".kubeque";
static const char attempts_name[] = ".attempts";

/* ---- the marker ---- */

static void marker_write(struct buf *out, const struct results_id *id)
{
	buf_adds(out, "{\"queue\":");
	buf_add_json(out, id->queue, strlen(id->queue));
	buf_adds(out, ",\"born\":");
	buf_addi(out, id->born);
	buf_adds(out, ",\"job\":");
	buf_add_json(out, id->job, strlen(id->job));
	buf_adds(out, "}\n");
}

/* What lies at dirfd/.kubeque compared with the id. */
enum results_owner { RESULTS_OURS, RESULTS_OTHER, RESULTS_LATER, RESULTS_NONE };

static int owner_of(int dirfd, const struct results_id *id, enum results_owner *owner,
		    struct err *err)
{
	struct buf text = BUF_INIT;
	json_t *root = NULL;
	json_error_t je;
	int ret;

	*owner = RESULTS_NONE;
	ret = file_read(dirfd, marker_name, 4096, &text, err);
	if (ret <= 0) {
		/* a marker of some other kind is not ours; trouble reading it is trouble */
		if (ret < 0 && (err->sys == EISDIR || err->code == ERR_USAGE))
			ret = 0;
		goto out;
	}
	ret = 0;
	root = json_loadb(text.p, text.n, 0, &je);
	const char *queue = json_string_value(json_object_get(root, "queue"));
	const char *job = json_string_value(json_object_get(root, "job"));
	int64_t born = json_integer_value(json_object_get(root, "born"));

	*owner = RESULTS_OTHER;
	if (queue && job && strcmp(queue, id->queue) == 0) {
		if (born == id->born && strcmp(job, id->job) == 0)
			*owner = RESULTS_OURS;
		else if (born > id->born)
			*owner = RESULTS_LATER;
	}
out:
	json_decref(root);
	buf_release(&text);
	return ret;
}

/* ---- opening ---- */

struct results *results_wrap(const char *dir, int fd, int64_t born, unsigned umask)
{
	struct results *r = xcalloc(1, sizeof(*r));

	r->dir = xstrdup(dir);
	r->fd = fd;
	r->afd = openat(fd, attempts_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	r->born = born;
	r->umask = umask & 0777;
	return r;
}

void results_close(struct results *r)
{
	if (!r)
		return;
	if (r->afd >= 0)
		close(r->afd);
	close(r->fd);
	free(r->dir);
	free(r);
}

/* 1 opened, 0: there is no directory, or it is `*owner`'s. */
static int try_open(const char *dir, const struct results_id *id, unsigned umask,
		    enum results_owner *owner, struct results **out, struct err *err)
{
	int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	*owner = RESULTS_NONE;
	if (fd < 0) {
		if (errno == ENOENT)
			return 0;
		if (errno == ENOTDIR) {
			*owner = RESULTS_OTHER;
			return 0;
		}
		return err_sys(err, "cannot open the results directory %s", dir);
	}
	if (owner_of(fd, id, owner, err) < 0) {
		close(fd);
		return err_prefix(err, "%s", dir);
	}
	if (*owner != RESULTS_OURS) {
		if (*owner == RESULTS_NONE)
			*owner = RESULTS_OTHER; /* a directory nobody signed */
		close(fd);
		return 0;
	}
	*out = results_wrap(dir, fd, id->born, umask);
	return 1;
}

int results_find(const char *dir, const struct results_id *id, struct results **out,
		 struct err *err)
{
	enum results_owner owner;

	*out = NULL;
	return try_open(dir, id, 022, &owner, out, err);
}

int results_parent(const char *dir, unsigned umask, bool create, int *pfd, char *base,
		   struct err *err)
{
	const char *slash = strrchr(dir, '/');
	char *parent;
	int ret = -1;

	if (dir[0] != '/' || !slash[1] || strlen(slash + 1) > 255)
		return err_set(err, ERR_CONFIG, "%s is no place for results", dir);
	memcpy(base, slash + 1, strlen(slash + 1) + 1);
	parent = slash == dir ? xstrdup("/") : xstrndup(dir, (size_t)(slash - dir));
	if (create && file_mkdirs(AT_FDCWD, parent, 0777 & ~umask, err) < 0)
		goto out;
	*pfd = open(parent, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (*pfd < 0) {
		err_sys(err, "cannot open %s", parent);
		goto out;
	}
	ret = 0;
out:
	free(parent);
	return ret;
}

void results_new_name(char *out, size_t size, const struct results_id *id)
{
	int n = snprintf(out, size, ".%s.%lld.%.8s.new", id->job, (long long)id->born, id->queue);

	assert(n > 0 && (size_t)n < size);
}

int results_build(int pfd, const char *name, const struct results_id *id, unsigned umask,
		  struct err *err)
{
	struct buf text = BUF_INIT;
	int fd = -1, ret = -1;

	if (file_rmtree(pfd, name, err) < 0)
		return -1;
	if (mkdirat(pfd, name, 0700) < 0)
		return err_sys(err, "cannot make %s", name);
	fd = openat(pfd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0) {
		err_sys(err, "cannot open %s", name);
		goto out;
	}
	if (mkdirat(fd, attempts_name, 0700) < 0 ||
	    fchmodat(fd, attempts_name, 0777 & ~umask, 0) < 0 ||
	    fchmod(fd, 0777 & ~umask) < 0) {
		err_sys(err, "cannot make %s/%s", name, attempts_name);
		goto out;
	}
	marker_write(&text, id);
	if (file_write(fd, marker_name, text.p, text.n, 0666 & ~umask, false, err) < 0)
		goto out;
	ret = 0;
out:
	if (fd >= 0)
		close(fd);
	buf_release(&text);
	return ret;
}

/* What another submission left goes to <job>~YYYYMMDD-HHMMSS. */
static int move_aside(int pfd, const char *base, const char *dir, struct err *err)
{
	char stamp[16], name[512];

	clock_format_id(clock_wall_ms(), stamp);
	for (int i = 1; i < 1000; i++) {
		int ret;

		if (i == 1)
			(void)snprintf(name, sizeof(name), "%s~%s", base, stamp);
		else
			(void)snprintf(name, sizeof(name), "%s~%s-%d", base, stamp, i);
		ret = file_rename(pfd, base, pfd, name, RENAME_NOREPLACE, err);
		if (ret > 0) {
			log_info("Results of an earlier job moved from %s to %s~%s", dir, base,
				 name + strlen(base) + 1);
			return 0;
		}
		if (ret < 0)
			return err->sys == ENOENT ? 0 : -1;
	}
	return err_set(err, ERR_IO, "cannot move %s aside: too many names in use", dir);
}

/* Under the parent's flock: our directory takes the place. 1, 0 it belongs to a later job. */
static int install(int pfd, const char *base, const char *dir, const struct results_id *id,
		   unsigned umask, struct results **out, struct err *err)
{
	enum results_owner owner = RESULTS_NONE;
	char fresh[512];
	int fd, ret;

	ret = try_open(dir, id, umask, &owner, out, err);
	if (ret)
		return ret;
	if (owner == RESULTS_LATER)
		return 0;
	if (owner == RESULTS_OTHER && move_aside(pfd, base, dir, err) < 0)
		return -1;
	results_new_name(fresh, sizeof(fresh), id);
	fd = openat(pfd, fresh, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	owner = RESULTS_NONE;
	if (fd >= 0) {
		ret = owner_of(fd, id, &owner, err);
		close(fd);
		if (ret < 0)
			return -1;
	}
	if (owner != RESULTS_OURS && results_build(pfd, fresh, id, umask, err) < 0)
		return -1;
	ret = file_rename(pfd, fresh, pfd, base, RENAME_NOREPLACE, err);
	if (ret < 0)
		return -1;
	return try_open(dir, id, umask, &owner, out, err);
}

static int make_attempts(struct results *r, struct err *err)
{
	if (mkdirat(r->fd, attempts_name, results_dir_mode(r)) < 0 && errno != EEXIST)
		return err_sys(err, "cannot make %s/%s", r->dir, attempts_name);
	r->afd = openat(r->fd, attempts_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (r->afd < 0)
		return err_sys(err, "cannot open %s/%s", r->dir, attempts_name);
	return 1;
}

int results_open(const char *dir, const struct results_id *id, unsigned umask,
		 struct results **out, struct err *err)
{
	enum results_owner owner;
	char base[256];
	int pfd = -1, ret;

	*out = NULL;
	ret = try_open(dir, id, umask, &owner, out, err);
	if (*out && (*out)->afd < 0) /* somebody removed .attempts/ */
		ret = make_attempts(*out, err);
	if (ret < 0) {
		results_close(*out);
		*out = NULL;
	}
	if (ret)
		return ret;
	if (owner == RESULTS_LATER)
		return 0;
	if (results_parent(dir, umask, true, &pfd, base, err) < 0)
		return -1;
	while (flock(pfd, LOCK_EX) < 0) {
		if (errno == EINTR)
			continue;
		err_sys(err, "cannot lock the directory of %s", dir);
		ret = -1;
		goto out;
	}
	ret = install(pfd, base, dir, id, umask, out, err);
	if (ret < 0)
		err_prefix(err, "results directory %s", dir);
out:
	close(pfd);
	return ret;
}

/* ---- small things ---- */

const char *results_dir(const struct results *r)
{
	return r->dir;
}

int results_fd(const struct results *r)
{
	return r->fd;
}

int results_attempts_fd(const struct results *r)
{
	return r->afd;
}

unsigned results_file_mode(const struct results *r)
{
	return 0666 & ~r->umask;
}

unsigned results_dir_mode(const struct results *r)
{
	return (0777 & ~r->umask) | 0700;
}

/* ---- reading ---- */

void results_stage_name(char *out, int64_t n, int64_t k)
{
	(void)snprintf(out, RESULTS_STAGE_SIZE, "%lld.%lld", (long long)n, (long long)k);
}

/* `"name":"<born>.<attempt>.` stands in the first bytes that result.json has (result_json.c). */
static bool name_parse(const char *text, int64_t *born, int64_t *k)
{
	static const char key[] = "\"name\":\"";
	const char *p = strstr(text, key);
	char *end;

	if (!p)
		return false;
	p += sizeof(key) - 1;
	errno = 0;
	*born = strtoll(p, &end, 10);
	if (errno || end == p || *end != '.')
		return false;
	p = end + 1;
	*k = strtoll(p, &end, 10);
	return !errno && end != p && *end == '.';
}

int results_name_of(int dirfd, const char *name, int64_t *born, int64_t *k, struct err *err)
{
	char path[RESULTS_STAGE_SIZE + 16], text[513];
	ssize_t got;
	int fd;

	(void)snprintf(path, sizeof(path), "%s/result.json", name);
	fd = openat(dirfd, path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0) {
		if (errno == ENOENT || errno == ENOTDIR || errno == ELOOP)
			return 0;
		return err_sys(err, "cannot open %s", path);
	}
	got = pread(fd, text, sizeof(text) - 1, 0);
	if (got < 0) {
		int ret = errno == EISDIR ? 0 : err_sys(err, "cannot read %s", path);
		close(fd);
		return ret;
	}
	close(fd);
	text[got] = '\0';
	return name_parse(text, born, k);
}

int results_locate(const struct results *r, int64_t n, int64_t k, char **path, struct err *err)
{
	char name[RESULTS_STAGE_SIZE];
	int64_t born, have = 0;
	int ret;

	*path = NULL;
	(void)snprintf(name, sizeof(name), "%lld", (long long)n);
	ret = results_name_of(r->fd, name, &born, &have, err);
	if (ret < 0)
		return -1;
	if (ret && (k == 0 || have == k)) {
		*path = xasprintf("%s/%s", r->dir, name);
		return 1;
	}
	if (k == 0 || r->afd < 0)
		return 0;
	results_stage_name(name, n, k);
	ret = results_name_of(r->afd, name, &born, &have, err);
	if (ret <= 0 || have != k)
		return ret < 0 ? -1 : 0;
	*path = xasprintf("%s/%s/%s", r->dir, attempts_name, name);
	return 1;
}

int results_stdout(const struct results *r, int64_t n, int64_t k, char **path, struct err *err)
{
	char name[RESULTS_STAGE_SIZE];
	int64_t born, have = 0;
	struct stat st;
	int ret;

	*path = NULL;
	(void)snprintf(name, sizeof(name), "%lld", (long long)n);
	ret = results_name_of(r->fd, name, &born, &have, err);
	if (ret < 0)
		return -1;
	if (ret && (k == 0 || have == k))
		*path = xasprintf("%s/%s/stdout.txt", r->dir, name);
	else if (k)
		*path = xasprintf("%s/%s/%lld.%lld/stdout.txt", r->dir, attempts_name, (long long)n,
				  (long long)k);
	if (*path && lstat(*path, &st) == 0 && S_ISREG(st.st_mode))
		return 1;
	free(*path);
	*path = NULL;
	if (!k)
		return 0;
	*path = xasprintf("%s/%s/%lld.%lld.log", r->dir, attempts_name, (long long)n, (long long)k);
	if (lstat(*path, &st) == 0 && S_ISREG(st.st_mode))
		return 1;
	free(*path);
	*path = NULL;
	return 0;
}
