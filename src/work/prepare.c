/* A results directory prepared before its job is visible (--rerun): results.h, last part. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/base.h"
#include "base/str.h"
#include "sys/file.h"
#include "sys/hash.h"
#include "work/results.h"
#include "work/results_impl.h"

enum { RESULT_JSON_LIMIT = 256 << 20 };

int results_prepare(const char *dir, const struct results_id *id, unsigned umask,
		    struct results **out, struct err *err)
{
	char base[256], fresh[512];
	int pfd = -1, fd, ret = -1;

	*out = NULL;
	if (results_parent(dir, umask, true, &pfd, base, err) < 0)
		return -1;
	results_new_name(fresh, sizeof(fresh), id);
	if (results_build(pfd, fresh, id, umask, err) < 0)
		goto out;
	fd = openat(pfd, fresh, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0) {
		err_sys(err, "cannot open %s", fresh);
		goto out;
	}
	/* it is called by the name it will have: dst_url is made of it */
	*out = results_wrap(dir, fd, id->born, umask);
	ret = 0;
out:
	close(pfd);
	return ret;
}

int results_prepare_abort(struct results *r, struct err *err)
{
	char path[64], target[PATH_MAX];
	ssize_t n;
	const char *slash;
	int pfd, ret;

	/* where it lies now, whatever its name: the descriptor knows */
	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", r->fd);
	n = readlink(path, target, sizeof(target) - 1);
	if (n < 0)
		return err_sys(err, "cannot find the prepared directory of %s", r->dir);
	target[n] = '\0';
	slash = strrchr(target, '/');
	if (!slash || !str_ends(slash, ".new"))
		return 0; /* in place already: it is a job's */
	pfd = openat(r->fd, "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (pfd < 0)
		return err_sys(err, "cannot open the directory of %s", r->dir);
	ret = file_rmtree(pfd, slash + 1, err);
	close(pfd);
	return ret < 0 ? -1 : 0;
}

/* ---- taking over a task ---- */

struct take_over {
	int dfd; /* of the new <n>/ */
	unsigned dir_mode;
};

static int clone_or_link(int sdir, const char *sname, int ddir, const char *dpath,
			 const struct stat *st, struct err *err)
{
	int src = openat(sdir, sname, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
	int dst, ret = -1;

	if (src < 0)
		return err_sys(err, "cannot open %s", dpath);
	dst = openat(ddir, dpath, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, st->st_mode & 0777);
	if (dst < 0) {
		err_sys(err, "cannot make %s", dpath);
		goto out;
	}
	if (ioctl(dst, FICLONE, src) == 0) {
		const struct timespec t[2] = { st->st_atim, st->st_mtim };

		(void)fchmod(dst, st->st_mode & 0777);
		(void)futimens(dst, t);
		ret = 0;
		goto out;
	}
	if (unlinkat(ddir, dpath, 0) < 0)
		err_sys(err, "cannot replace %s", dpath);
	else if (linkat(sdir, sname, ddir, dpath, 0) == 0)
		ret = 0;
	else if (file_copy(sdir, sname, ddir, dpath, -1, false, err) >= 0)
		ret = 0;
out:
	if (dst >= 0)
		close(dst);
	close(src);
	return ret;
}

static int take_entry(void *ctx, const struct walk_entry *e, struct err *err)
{
	const struct take_over *t = ctx;

	if (e->depth == 0)
		return WALK_GO_ON;
	if (e->type == DT_DIR) {
		if (mkdirat(t->dfd, e->path, t->dir_mode) < 0 && errno != EEXIST)
			return err_sys(err, "cannot make %s", e->path);
		return WALK_GO_ON;
	}
	if (e->type != DT_REG || strcmp(e->path, "result.json") == 0)
		return WALK_GO_ON;
	return clone_or_link(e->dirfd, e->name, t->dfd, e->path, e->st, err) < 0 ? -1 : WALK_GO_ON;
}

/* result.json of the old task, with the number and the places of the new one. */
static int rewrite(const struct buf *text, const char *old_dir, int64_t old_n, const char *dir,
		   int64_t n, struct buf *out, struct err *err)
{
	char *from = xasprintf("%s/%lld/", old_dir, (long long)old_n), *dump = NULL;
	json_error_t je;
	json_t *root = json_loadb(text->p, text->n, 0, &je), *file;
	size_t i;
	int ret = -1;

	if (!json_is_object(root)) {
		err_set(err, ERR_IO, "%sresult.json is damaged", from);
		goto out;
	}
	json_object_set_new(root, "task", json_integer(n));
	json_array_foreach(json_object_get(root, "files"), i, file) {
		const char *url = json_string_value(json_object_get(file, "dst_url"));
		char *moved;

		if (!url || !str_starts(url, from))
			continue;
		moved = xasprintf("%s/%lld/%s", dir, (long long)n, url + strlen(from));
		json_object_set_new(file, "dst_url", json_string(moved));
		free(moved);
	}
	dump = json_dumps(root, JSON_COMPACT);
	if (!dump) {
		err_set(err, ERR_IO, "%sresult.json cannot be written again", from);
		goto out;
	}
	buf_adds(out, dump);
	buf_addch(out, '\n');
	ret = 0;
out:
	free(dump);
	free(from);
	json_decref(root);
	return ret;
}

int results_prepare_keep(struct results *r, const struct results *old, int64_t old_n,
			 int64_t old_k, int64_t n, char *sha256, int64_t *bytes, struct err *err)
{
	struct take_over t = { .dfd = -1, .dir_mode = results_dir_mode(r) };
	struct buf text = BUF_INIT, fresh = BUF_INIT;
	char from[RESULTS_STAGE_SIZE], to[RESULTS_STAGE_SIZE];
	int64_t born, have;
	int sfd = -1, ret;

	(void)snprintf(from, sizeof(from), "%lld", (long long)old_n);
	(void)snprintf(to, sizeof(to), "%lld", (long long)n);
	ret = results_name_of(old->fd, from, &born, &have, err);
	if (ret <= 0 || have != old_k)
		return ret < 0 ? -1 : 0;
	ret = -1;
	sfd = openat(old->fd, from, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (sfd < 0) {
		err_sys(err, "cannot open %s/%s", old->dir, from);
		goto out;
	}
	if (file_rmtree(r->fd, to, err) < 0)
		goto out;
	if (mkdirat(r->fd, to, t.dir_mode) < 0 ||
	    (t.dfd = openat(r->fd, to, O_RDONLY | O_DIRECTORY | O_CLOEXEC)) < 0) {
		err_sys(err, "cannot make %s/%s", r->dir, to);
		goto out;
	}
	if (file_walk(sfd, ".", 0, take_entry, &t, err) < 0)
		goto out;
	if (file_read(sfd, "result.json", RESULT_JSON_LIMIT, &text, err) <= 0)
		goto out;
	if (rewrite(&text, old->dir, old_n, r->dir, n, &fresh, err) < 0)
		goto out;
	if (file_write(t.dfd, "result.json", fresh.p, fresh.n, results_file_mode(r), false,
		       err) < 0)
		goto out;
	hash_mem(fresh.p, fresh.n, sha256);
	*bytes = (int64_t)fresh.n;
	ret = 1;
out:
	if (sfd >= 0)
		close(sfd);
	if (t.dfd >= 0)
		close(t.dfd);
	buf_release(&text);
	buf_release(&fresh);
	return ret;
}
