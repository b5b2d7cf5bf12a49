/* Staging and publication: the half of results.h that moves attempts. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/base.h"
#include "base/str.h"
#include "model/publication.h"
#include "sys/file.h"
#include "work/results.h"
#include "work/results_impl.h"

int results_stage_make(struct results *r, int64_t n, int64_t k, struct err *err)
{
	char name[RESULTS_STAGE_SIZE];
	int fd;

	results_stage_name(name, n, k);
	if (mkdirat(r->afd, name, results_dir_mode(r)) < 0) {
		if (errno != EEXIST)
			return err_sys(err, "cannot make %s/.attempts/%s", r->dir, name);
		if (file_rmtree(r->afd, name, err) < 0)
			return -1;
		if (mkdirat(r->afd, name, results_dir_mode(r)) < 0)
			return err_sys(err, "cannot make %s/.attempts/%s", r->dir, name);
	}
	fd = openat(r->afd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return err_sys(err, "cannot open %s/.attempts/%s", r->dir, name);
	return fd;
}

/* The last 64 KiB of name/stdout.txt become <n>.<k>.log. A missing file is fine. */
static int keep_log(struct results *r, const char *name, int64_t n, int64_t k, struct err *err)
{
	char from[RESULTS_STAGE_SIZE + 16], to[RESULTS_STAGE_SIZE + 8];
	struct buf tail = BUF_INIT;
	struct stat st;
	int fd, ret = -1;

	(void)snprintf(from, sizeof(from), "%s/stdout.txt", name);
	(void)snprintf(to, sizeof(to), "%lld.%lld.log", (long long)n, (long long)k);
	fd = openat(r->afd, from, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0)
		return errno == ENOENT || errno == ELOOP || errno == ENOTDIR ? 0 :
		       err_sys(err, "cannot open %s/.attempts/%s", r->dir, from);
	if (fstat(fd, &st) < 0) {
		err_sys(err, "cannot stat %s/.attempts/%s", r->dir, from);
		goto out;
	}
	if (!S_ISREG(st.st_mode)) {
		ret = 0;
	} else if (st.st_size <= RESULTS_ATTEMPT_TAIL) {
		ret = renameat(r->afd, from, r->afd, to) == 0 || errno == ENOENT ? 0 :
		      err_sys(err, "cannot rename %s/.attempts/%s", r->dir, from);
	} else if (file_tail(fd, RESULTS_ATTEMPT_TAIL, &tail, err) == 0) {
		ret = file_write(r->afd, to, tail.p, tail.n, results_file_mode(r), false, err);
	}
out:
	close(fd);
	buf_release(&tail);
	return ret;
}

int results_drop(struct results *r, int64_t n, int64_t k, bool keep_tail, struct err *err)
{
	char name[RESULTS_STAGE_SIZE];

	results_stage_name(name, n, k);
	if (keep_tail && keep_log(r, name, n, k, err) < 0)
		return -1;
	return file_rmtree(r->afd, name, err) < 0 ? -1 : 0;
}

/* Where directories cannot be exchanged: the old one steps aside first. Whoever finds the gap
 * finds our stage, and puts it in. */
static int replace(struct results *r, const char *stage, const char *target, struct err *err)
{
	char old[RESULTS_STAGE_SIZE + 8];

	if (file_rename(r->afd, stage, r->fd, target, RENAME_EXCHANGE, err) > 0)
		return 0;
	if (err->sys != EINVAL && err->sys != ENOSYS)
		return -1;
	(void)snprintf(old, sizeof(old), "%s.old", stage);
	if (file_rmtree(r->afd, old, err) < 0)
		return -1;
	if (file_rename(r->fd, target, r->afd, old, 0, err) < 0)
		return -1;
	if (file_rename(r->afd, stage, r->fd, target, 0, err) < 0)
		return -1;
	/* the same end as an exchange: the old files lie under the stage's name */
	return file_rename(r->afd, old, r->afd, stage, 0, err) < 0 ? -1 : 0;
}

/* Under the flock: something is at <n>. 1 ours is published, 0 a later one is. */
static int raise_register(struct results *r, int64_t n, int64_t k, const char *stage,
			  const char *target, struct err *err)
{
	int64_t born = 0, have = 0, sborn = 0, sk = 0;
	int there, staged;

	there = results_name_of(r->fd, target, &born, &have, err);
	staged = there < 0 ? -1 : results_name_of(r->afd, stage, &sborn, &sk, err);
	if (staged < 0)
		return -1;
	if (staged && sborn == r->born && sk == k &&
	    (!there || attempt_before(born, have, r->born, k))) {
		if (replace(r, stage, target, err) < 0)
			return -1;
		if (there && born == r->born && keep_log(r, stage, n, have, err) < 0)
			return -1;
		there = 1;
		born = r->born;
		have = k;
	}
	/* what the stage's name holds now was replaced, is older, or was left by a dead exchange */
	if (there && !attempt_before(born, have, r->born, k) && file_rmtree(r->afd, stage, err) < 0)
		return -1;
	return there && born == r->born && have == k;
}

int results_publish(struct results *r, int64_t n, int64_t k, struct err *err)
{
	char stage[RESULTS_STAGE_SIZE], target[RESULTS_STAGE_SIZE];
	int64_t born, have;
	int fd, ret;

	results_stage_name(stage, n, k);
	(void)snprintf(target, sizeof(target), "%lld", (long long)n);
	ret = file_rename(r->afd, stage, r->fd, target, RENAME_NOREPLACE, err);
	if (ret > 0)
		return 1;
	if (ret < 0) {
		if (err->sys != ENOENT)
			return err_prefix(err, "cannot publish %s/%s", r->dir, target);
		ret = results_name_of(r->fd, target, &born, &have, err);
		return ret > 0 ? born == r->born && have == k : ret;
	}
	/* an own descriptor: flock belongs to the open file, and threads share r->fd */
	fd = openat(r->fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return err_sys(err, "cannot open %s", r->dir);
	while (flock(fd, LOCK_EX) < 0) {
		if (errno == EINTR)
			continue;
		ret = err_sys(err, "cannot lock %s", r->dir);
		close(fd);
		return ret;
	}
	ret = raise_register(r, n, k, stage, target, err);
	close(fd);
	return ret;
}

static bool stage_parse(const char *name, int64_t *n, int64_t *k)
{
	char text[RESULTS_STAGE_SIZE];
	const char *dot = strchr(name, '.');

	if (!dot || dot == name || (size_t)(dot - name) >= sizeof(text))
		return false;
	memcpy(text, name, (size_t)(dot - name));
	text[dot - name] = '\0';
	return str_to_i64(text, 1, INT64_MAX, n) && str_to_i64(dot + 1, 1, INT64_MAX, k);
}

int results_staged(const struct results *r, results_fn fn, void *ctx, struct err *err)
{
	struct dirent *e;
	int64_t n, k;
	int fd, ret = 0;
	DIR *d;

	if (r->afd < 0)
		return 0;
	fd = openat(r->afd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	d = fd < 0 ? NULL : fdopendir(fd);
	if (!d) {
		if (fd >= 0)
			close(fd);
		return err_sys(err, "cannot read %s/.attempts", r->dir);
	}
	/* cppcheck-suppress readdirCalled ; the stream is ours alone */
	while ((e = readdir(d)))
		if (stage_parse(e->d_name, &n, &k) && (ret = fn(ctx, n, k)))
			break;
	closedir(d);
	return ret < 0 ? -1 : 0;
}
