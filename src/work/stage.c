#include "work/stage.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/base.h"
#include "base/str.h"
#include "sys/file.h"
#include "sys/hash.h"

void stage_init(struct stage *s)
{
	*s = (struct stage){ .work_fd = -1, .stage_fd = -1 };
}

void stage_clear(struct stage *s)
{
	s->files.n = 0;
	s->skipped.n = 0;
	s->bytes = 0;
	arena_reset(&s->arena);
}

void stage_release(struct stage *s)
{
	vec_release(&s->files);
	vec_release(&s->skipped);
	arena_release(&s->arena);
}

/* ---- which files ---- */

static const char *const never[] = { "**/__pycache__/**", "**/.nfs*" };
static const char *const never_word[] = { "__pycache__", ".nfs" };

/* Is this path an output by the patterns alone? */
static bool stage_wanted(const struct stage *s, const char *path)
{
	bool named = false, wanted = s->results.n == 0;

	for (size_t i = 0; i < s->exclude.n; i++)
		if (glob_match(s->exclude.p[i].p, path))
			return false;
	for (size_t i = 0; i < s->results.n && !named; i++) {
		const char *glob = s->results.p[i].p;

		if (!glob_match(glob, path))
			continue;
		wanted = true;
		named = strstr(glob, never_word[0]) || strstr(glob, never_word[1]);
	}
	for (size_t i = 0; wanted && !named && i < ARRAY_SIZE(never); i++)
		if (glob_match(never[i], path))
			wanted = false;
	return wanted;
}

static const struct stage_input *find_input(const struct stage *s, const char *path)
{
	size_t lo = 0, hi = s->n_inputs;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;
		int c = strcmp(path, s->inputs[mid].dst);

		if (!c)
			return &s->inputs[mid];
		if (c < 0)
			hi = mid;
		else
			lo = mid + 1;
	}
	return NULL;
}

static bool same_time(const struct timespec *a, const struct timespec *b)
{
	return a->tv_sec == b->tv_sec && a->tv_nsec == b->tv_nsec;
}

/* What the walk found, before anything is moved: links must be read while targets are there. */
struct candidate {
	const char *path;
	struct stat st;
	bool link;
};

struct survey {
	struct stage *s;
	VEC(struct candidate) found;
	char *root; /* path of the work directory now, for links that lead outside */
};

static void skip(struct stage *s, const char *path, const char *why)
{
	*vec_push(&s->skipped) = (struct stage_skip){ arena_strdup(&s->arena, path), why };
}

static int task_fault(struct err *err, const char *path, int sys)
{
	const char *why = strerrordesc_np(sys);
	size_t n = strlen(path);

	if (!why)
		why = "unknown error";
	/* of a path that would fill the whole reason, both ends */
	if (n > 160)
		err_set(err, ERR_IO, "output %.80s...%s: %s", path, path + n - 60, why);
	else
		err_set(err, ERR_IO, "output %s: %s", path, why);
	err->sys = sys;
	return -2;
}

/* Trouble of the node, or of the task? -1 or -2. */
static int fault(struct err *err, const char *path, int sys)
{
	static const int node[] = { ENOSPC, EDQUOT, EIO, ENOMEM, EMFILE, ENFILE, EROFS };

	for (size_t i = 0; i < ARRAY_SIZE(node); i++) {
		if (sys == node[i]) {
			errno = sys;
			return err_sys(err, "cannot store output %s", path);
		}
	}
	return task_fault(err, path, sys);
}

static const char *kind_of(unsigned char type)
{
	switch (type) {
	case DT_FIFO: return "FIFO";
	case DT_SOCK: return "socket";
	case DT_CHR:
	case DT_BLK: return "device";
	default: return "not a regular file";
	}
}

static int survey_entry(void *ctx, const struct walk_entry *e, struct err *err)
{
	struct survey *v = ctx;
	struct stage *s = v->s;

	if (e->depth == 0)
		return WALK_GO_ON;
	if (e->type == DT_DIR) {
		if ((e->st->st_mode & 0500) != 0500 && geteuid() != 0)
			return task_fault(err, e->path, EACCES);
		return WALK_GO_ON;
	}
	if (!stage_wanted(s, e->path))
		return WALK_GO_ON;
	if (e->type != DT_REG && e->type != DT_LNK) {
		skip(s, e->path, kind_of(e->type));
		return WALK_GO_ON;
	}
	s->bytes += e->type == DT_REG ? e->st->st_size : 0;
	*vec_push(&v->found) = (struct candidate){
		.path = arena_strdup(&s->arena, e->path),
		.st = *e->st,
		.link = e->type == DT_LNK,
	};
	return WALK_GO_ON;
}

/* ---- moving one ---- */

static const char *join(struct arena *a, const char *front, const char *back)
{
	struct buf text = BUF_INIT;
	const char *ret;

	buf_addf(&text, "%s%s", front, back);
	ret = arena_dup(a, text.p, text.n);
	buf_release(&text);
	return ret;
}

static const char *const own_names[] = { "stdout.txt", "result.json" };

/* What stands in front of a task's own file or directory of kubeque's two names: as many "task."
 * as make a name that the work directory does not have. Asked before anything is moved away. */
static void choose_prefixes(struct stage *s)
{
	for (size_t i = 0; i < ARRAY_SIZE(own_names); i++) {
		const char *name = own_names[i];
		struct stat st;

		do
			name = join(&s->arena, "task.", name);
		while (fstatat(s->work_fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0);
		s->renamed[i] = name;
	}
}

/* Where it is published: kubeque's own two names belong to kubeque. */
static const char *published_name(struct stage *s, const char *path)
{
	for (size_t i = 0; i < ARRAY_SIZE(own_names); i++) {
		size_t n = strlen(own_names[i]);

		if (strncmp(path, own_names[i], n) == 0 && (!path[n] || path[n] == '/'))
			return join(&s->arena, s->renamed[i], path + n);
	}
	return path;
}

static int make_parent(struct stage *s, const char *dst, struct err *err)
{
	const char *slash = strrchr(dst, '/');
	char *dir;
	int ret;

	if (!slash)
		return 0;
	dir = xstrndup(dst, (size_t)(slash - dst));
	ret = file_mkdirs(s->stage_fd, dir, s->dir_mode, err);
	free(dir);
	return ret < 0 ? fault(err, dst, err->sys) : 0;
}

/* Hash of an open file and its place in the list. 0, -1, -2. */
static int record(struct stage *s, int fd, const char *src, const char *dst, struct err *err)
{
	struct stage_file f = { .src = src, .dst = dst };
	struct stat st;

	if (hash_fd(fd, -1, f.sha256, &st, err) != HASH_OK)
		return fault(err, src, err->sys ? err->sys : EBUSY);
	f.bytes = st.st_size;
	*vec_push(&s->files) = f;
	return 0;
}

static int copy_in(struct stage *s, int fd, const struct stat *st, const char *src,
		   const char *dst, struct err *err)
{
	const struct timespec t[2] = { st->st_atim, st->st_mtim };
	int out = openat(s->stage_fd, dst, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600), ret = -1;

	if (out < 0)
		return fault(err, src, errno);
	if (file_clone_fd(fd, out, err) < 0)
		ret = fault(err, src, err->sys);
	else if (fchmod(out, st->st_mode & 0777) < 0)
		ret = fault(err, src, errno);
	else
		ret = record(s, out, src, dst, err);
	(void)futimens(out, t);
	close(out);
	return ret;
}

/* Is this input as it was laid down? 1 yes, 0 no, -1, -2. */
static int unchanged(const struct stage_input *in, int fd, const struct stat *st,
		     struct err *err)
{
	char hex[SHA256_HEX_SIZE];

	if (st->st_size == in->size && st->st_ino == in->ino &&
	    same_time(&st->st_mtim, &in->mtim) && same_time(&st->st_ctim, &in->ctim))
		return 1;
	if (st->st_size != in->size)
		return 0;
	if (hash_fd(fd, -1, hex, NULL, err) != HASH_OK)
		return fault(err, in->dst, err->sys ? err->sys : EBUSY);
	return strcmp(hex, in->sha256) == 0;
}

static int move_file(struct stage *s, const struct candidate *c, struct err *err)
{
	const struct stage_input *in = find_input(s, c->path);
	const char *dst;
	int fd, ret;

	if (in && c->st.st_size == in->size && c->st.st_ino == in->ino &&
	    same_time(&c->st.st_mtim, &in->mtim) && same_time(&c->st.st_ctim, &in->ctim))
		return 0;
	fd = openat(s->work_fd, c->path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0)
		return fault(err, c->path, errno);
	ret = in ? unchanged(in, fd, &c->st, err) : 0;
	if (ret) {
		ret = ret > 0 ? 0 : ret;
		goto out;
	}
	if (in && s->link_inputs && c->st.st_ino == in->ino) {
		err_set(err, ERR_IO, "changed a linked input %s", c->path);
		ret = -2;
		goto out;
	}
	dst = published_name(s, c->path);
	ret = make_parent(s, dst, err);
	if (ret < 0)
		goto out;
	/* a second name may lie anywhere: what is published must be nobody else's */
	if (c->st.st_nlink > 1 || s->keep_work) {
		ret = copy_in(s, fd, &c->st, c->path, dst, err);
		goto out;
	}
	if (c->st.st_mode & 07000 && fchmod(fd, c->st.st_mode & 0777) < 0) {
		ret = fault(err, c->path, errno);
		goto out;
	}
	if (renameat(s->work_fd, c->path, s->stage_fd, dst) == 0)
		ret = record(s, fd, c->path, dst, err);
	else if (errno == EXDEV)
		ret = copy_in(s, fd, &c->st, c->path, dst, err);
	else
		ret = fault(err, c->path, errno);
out:
	close(fd);
	return ret;
}

/* ---- links ---- */

static char *fd_path(int fd)
{
	char link[64];
	struct buf out = BUF_INIT;
	ssize_t n;

	(void)snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	buf_grow(&out, PATH_MAX);
	n = readlink(link, out.p, PATH_MAX);
	if (n < 0 || n >= PATH_MAX) {
		buf_release(&out);
		return NULL;
	}
	out.n = (size_t)n;
	out.p[n] = '\0';
	return buf_detach(&out);
}

/* Why this link is no output, or NULL: it leads to a regular file in here, opened as *fd. */
static const char *follow(struct survey *v, const struct candidate *c, int *fd, struct stat *st,
			  int *sys)
{
	const char *why = NULL;
	char *target = NULL, self[64];
	int at = openat(v->s->work_fd, c->path, O_PATH | O_CLOEXEC);
	size_t n;

	*fd = -1;
	*sys = 0;
	if (at < 0)
		return errno == ELOOP ? "symbolic link in a loop" : "dangling symbolic link";
	target = fd_path(at);
	n = strlen(v->root);
	if (fstat(at, st) < 0 || !target)
		why = "dangling symbolic link";
	else if (S_ISDIR(st->st_mode))
		why = "symbolic link to a directory";
	else if (strncmp(target, v->root, n) != 0 || target[n] != '/')
		why = "symbolic link that leads outside";
	else if (!S_ISREG(st->st_mode))
		why = "symbolic link to something that is no file";
	if (!why) {
		(void)snprintf(self, sizeof(self), "/proc/self/fd/%d", at);
		*fd = open(self, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
		*sys = *fd < 0 ? errno : 0;
	}
	free(target);
	close(at);
	return why;
}

static int copy_link(struct survey *v, const struct candidate *c, struct err *err)
{
	const char *why, *dst;
	struct stat st;
	int fd, sys, ret;

	why = follow(v, c, &fd, &st, &sys);
	if (why) {
		*vec_push(&v->s->skipped) = (struct stage_skip){ c->path, why };
		return 0;
	}
	if (fd < 0)
		return fault(err, c->path, sys);
	v->s->bytes += st.st_size;
	dst = published_name(v->s, c->path);
	ret = make_parent(v->s, dst, err);
	if (ret == 0)
		ret = copy_in(v->s, fd, &st, c->path, dst, err);
	close(fd);
	return ret;
}

/* ---- all of it ---- */

static int by_src(const void *a, const void *b)
{
	const struct stage_file *x = a, *y = b;

	return strcmp(x->src, y->src);
}

enum stage_result stage_collect(struct stage *s, struct err *err)
{
	struct survey v = { .s = s };
	int ret = 0;

	if (fchmod(s->work_fd, 0700) < 0 && errno != ENOENT) {
		err_sys(err, "cannot open the work directory again");
		return STAGE_NODE;
	}
	v.root = fd_path(s->work_fd);
	if (!v.root)
		v.root = xstrdup("");
	if (file_walk(s->work_fd, ".", WALK_SORT | WALK_ONE_DEV, survey_entry, &v, err) < 0) {
		ret = str_starts(err->text, "output ") ? -2 : fault(err, ".", err->sys);
		goto out;
	}
	if (s->disk_limit && s->bytes > s->disk_limit) {
		err_set(err, ERR_IO, "disk");
		ret = -2;
		goto out;
	}
	choose_prefixes(s);
	for (size_t i = 0; i < v.found.n && ret == 0; i++)
		if (v.found.p[i].link)
			ret = copy_link(&v, &v.found.p[i], err);
	for (size_t i = 0; i < v.found.n && ret == 0; i++)
		if (!v.found.p[i].link)
			ret = move_file(s, &v.found.p[i], err);
	if (s->files.n > 1)
		qsort(s->files.p, s->files.n, sizeof(*s->files.p), by_src);
out:
	vec_release(&v.found);
	free(v.root);
	return ret == 0 ? STAGE_OK : ret == -2 ? STAGE_TASK : STAGE_NODE;
}
