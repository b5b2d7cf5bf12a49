#include "work/recover.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/base.h"
#include "base/clock.h"
#include "base/id.h"
#include "base/log.h"
#include "base/vec.h"
#include "sys/file.h"
#include "sys/hash.h"
#include "sys/lock.h"
#include "sys/machine.h"
#include "work/results.h"

enum {
	WINDOW_MS = 60 * 1000,
	RESULT_LIMIT = 256 << 20,
	LOCK_WAIT_MS = 60 * 1000,
	KILL_BATCH = 1000,
};

struct suspect {
	int64_t job, n, k;
	char sha256[SHA256_HEX_SIZE];
	int64_t bytes;
};
struct suspects {
	VEC(struct suspect) v;
};

static int add_suspect(void *ctx, const struct attempt *a)
{
	struct suspects *s = ctx;
	struct suspect *x = vec_push(&s->v);

	*x = (struct suspect){ .job = a->job, .n = a->n, .k = a->k, .bytes = a->result_bytes };
	memcpy(x->sha256, a->result_sha256, sizeof(x->sha256));
	return 0;
}

/* 1 whole, 0 damaged, -1. */
static int file_is_whole(int dirfd, const char *path, int64_t bytes, const char *sha256,
			 struct err *err)
{
	char hex[SHA256_HEX_SIZE];
	struct stat st;
	int fd, ret = 0;

	fd = openat(dirfd, path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0)
		return errno == ENOENT || errno == ENOTDIR ? 0 : err_sys(err, "%s", path);
	if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_size == bytes)
		ret = hash_fd(fd, -1, hex, NULL, err) == HASH_OK && strcmp(hex, sha256) == 0;
	close(fd);
	return ret;
}

/* Where a file is published, by its URL and its name in the work directory: only what had the
 * first name stdout.txt or result.json got another one, with "task." in front. */
static const char *published_path(const char *url, const char *src)
{
	size_t n = strcspn(src, "/"), tail = strlen(src + n);
	const char *at;

	if (n != 10 && n != 11)
		return src;
	if (strncmp(src, "stdout.txt", n) != 0 && strncmp(src, "result.json", n) != 0)
		return src;
	if (strlen(url) < tail)
		return src;
	at = url + strlen(url) - tail;
	while (at > url && at[-1] != '/')
		at--;
	return at;
}

/* Every file that result.json names. */
static int files_are_whole(int dirfd, const json_t *root, struct err *err)
{
	const json_t *out = json_object_get(root, "stdout"), *f;
	const char *sha = json_string_value(json_object_get(out, "sha256"));
	size_t i;
	int ret = 1;

	if (sha)
		ret = file_is_whole(dirfd, "stdout.txt",
				    json_integer_value(json_object_get(out, "bytes")), sha, err);
	json_array_foreach(json_object_get(root, "files"), i, f) {
		const char *url = json_string_value(json_object_get(f, "dst_url"));
		const char *src = json_string_value(json_object_get(f, "src"));
		const char *hex = json_string_value(json_object_get(f, "sha256"));

		if (ret <= 0)
			break;
		if (!url || !src || !hex)
			return 0;
		/* what was renamed says so only in its URL; names that are not UTF-8 are escaped
		 * there and cannot be checked by name */
		if (strstr(url, "\\x"))
			continue;
		ret = file_is_whole(dirfd, published_path(url, src),
				    json_integer_value(json_object_get(f, "bytes")), hex, err);
	}
	return ret;
}

static int is_whole(struct results *r, const struct suspect *s, struct err *err)
{
	struct buf text = BUF_INIT;
	char hex[SHA256_HEX_SIZE], *path;
	json_error_t je;
	json_t *root = NULL;
	int fd = -1, ret;

	ret = results_locate(r, s->n, s->k, &path, err);
	if (ret <= 0)
		goto out;
	fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	ret = fd < 0 ? 0 : file_read(fd, "result.json", RESULT_LIMIT, &text, err);
	if (ret <= 0)
		goto out;
	hash_mem(text.p, text.n, hex);
	ret = (int64_t)text.n == s->bytes && strcmp(hex, s->sha256) == 0;
	if (!ret)
		goto out;
	root = json_loadb(text.p, text.n, 0, &je);
	ret = files_are_whole(fd, root, err);
out:
	if (fd >= 0)
		close(fd);
	json_decref(root);
	free(path);
	buf_release(&text);
	return ret;
}

static int make_pending(struct queue *q, const struct suspect *s, struct err *err)
{
	struct range one = { s->n, s->n };
	struct reset_request r = {
		.job = s->job, .ranges = { &one, 1 }, .op = id_u64(), .limit = 1,
		.states = 1 << TASK_SUCCEEDED | 1 << TASK_FAILED,
	};

	return queue_reset(q, &r, err) < 0 ? -1 : (int)r.count;
}

/* The crash came while the job was killed: that is finished first, for only then can a task be made
 * pending. */
static int finish_kill(struct queue *q, int64_t born, struct err *err)
{
	bool more = true;
	int64_t count;

	while (more)
		if (queue_kill(q, born, NULL, KILL_BATCH, id_u64(), &count, &more, err) < 0)
			return -1;
	return queue_job_move(q, born, JOB_EV_END, false, id_u64(), err) < 0 ? -1 : 0;
}

/* 1 it was damaged and is pending again, 0 it is fine (or its job is removed), -1. */
static int check_one(struct queue *q, const struct suspect *s, struct err *err)
{
	struct job job = { 0 };
	struct results_id id = { .queue = queue_uuid(q) };
	struct results *r = NULL;
	json_t *info = NULL;
	json_error_t je;
	const char *dir;
	int ret;

	ret = queue_job_get(q, s->job, &job, err);
	if (ret > 0 && job.state == JOB_REMOVED)
		ret = 0;
	if (ret <= 0)
		goto out;
	info = json_loads(job.info ? job.info : "", 0, &je);
	dir = json_string_value(json_object_get(info, "results"));
	id.born = job.born;
	id.job = job.id;
	ret = dir ? results_find(dir, &id, &r, err) : 0;
	if (ret > 0)
		ret = is_whole(r, s, err);
	if (ret < 0)
		goto out;
	if (ret) {
		ret = 0;
		goto out;
	}
	ret = job.state == JOB_KILLING ? finish_kill(q, job.born, err) : 0;
	if (ret == 0)
		ret = make_pending(q, s, err);
	if (ret < 0 && err->code == ERR_CONFLICT) { /* somebody removes or kills it right now */
		*err = (struct err)ERR_INIT;
		ret = 0;
	}
	if (ret > 0)
		log_debug("task %s.%lld is damaged", job.id, (long long)s->n);
out:
	json_decref(info);
	results_close(r);
	job_release(&job);
	return ret;
}

static int check_all(struct queue *q, struct err *err)
{
	struct suspects s = { 0 };
	int ret = queue_recent(q, WINDOW_MS, add_suspect, &s, err), damaged = 0;

	for (size_t i = 0; ret >= 0 && i < s.v.n; i++) {
		ret = check_one(q, &s.v.p[i], err);
		damaged += ret > 0;
	}
	vec_release(&s.v);
	if (damaged)
		log_warn("%d task%s ended just before the last crash and the results are damaged: "
			 "they will run again", damaged, damaged == 1 ? "" : "s");
	return ret < 0 ? -1 : damaged;
}

/* 1 this boot is known, 0 it is not, -1. */
static int boot_is_known(int home_fd, const char *boot, struct err *err)
{
	struct buf seen = BUF_INIT;
	int ret = file_read(home_fd, "boot", 256, &seen, err);

	if (ret > 0)
		ret = strncmp(seen.p, boot, strlen(boot)) == 0;
	buf_release(&seen);
	return ret;
}

/* This boot's line; 1, -1. */
static int boot_line(char *line, size_t size, struct err *err)
{
	struct buf text = BUF_INIT;
	int ret = file_read(AT_FDCWD, "/proc/sys/kernel/random/boot_id", 64, &text, err);

	(void)snprintf(line, size, "%.36s\n", ret > 0 ? text.p : "");
	buf_release(&text);
	return ret < 0 ? -1 : 1;
}

int recover_due(const char *home, struct err *err)
{
	char boot[64];
	int home_fd = open(home, O_RDONLY | O_DIRECTORY | O_CLOEXEC), ret;

	if (home_fd < 0)
		return err_sys(err, "cannot open %s", home);
	ret = boot_line(boot, sizeof(boot), err);
	if (ret > 0)
		ret = boot_is_known(home_fd, boot, err);
	close(home_fd);
	return ret < 0 ? -1 : !ret;
}

int recover_check(const char *home, struct queue *q, struct err *err)
{
	struct lock lock = LOCK_INIT;
	char boot[64];
	int home_fd, ret;

	ret = recover_due(home, err);
	if (ret <= 0)
		return ret;
	home_fd = open(home, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (home_fd < 0)
		return err_sys(err, "cannot open %s", home);
	/* one checks, the others wait for it */
	ret = file_mkdirs(home_fd, "locks", 0700, err);
	if (ret >= 0)
		ret = lock_take(&lock, home_fd, "locks/recover", false, LOCK_WAIT_MS, err);
	if (ret == 0)
		ret = err_set(err, ERR_BUSY, "another process still checks the results of the last "
			      "boot");
	if (ret < 0 || boot_line(boot, sizeof(boot), err) < 0) {
		ret = -1;
		goto out;
	}
	ret = boot_is_known(home_fd, boot, err);
	if (ret) {
		ret = MIN(ret, 0);
		goto out;
	}
	/* no file: the store is new, or the crash took it */
	ret = check_all(q, err);
	if (ret >= 0 && file_write(home_fd, "boot", boot, strlen(boot), 0600, false, err) < 0)
		ret = -1;
out:
	lock_drop(&lock);
	close(home_fd);
	return ret;
}
