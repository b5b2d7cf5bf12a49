/* Lists of files: as published, and as an earlier fetch left them. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <jansson.h>
#include <string.h>
#include <unistd.h>

#include "base/base.h"
#include "base/str.h"
#include "sys/file.h"
#include "work/fetch_internal.h"

enum { RESULT_MAX = 1 << 30, CSV_HEAD = 8192 };

static const char result_json[] = "result.json";

void fetch_list_release(struct fetch_list *l)
{
	vec_release(&l->files);
	arena_release(&l->arena);
}

/* ---- published -------------------------------------------------------------------------- */

struct list_walk {
	struct fetch_list *out;
	const char *const *only;
};

static bool wanted(const struct list_walk *w, const char *path)
{
	if (!w->only || !*w->only || strcmp(path, result_json) == 0)
		return true;
	for (const char *const *p = w->only; *p; p++)
		if (glob_match(*p, path))
			return true;
	return false;
}

static int list_entry(void *ctx, const struct walk_entry *e, struct err *err UNUSED)
{
	struct list_walk *w = ctx;

	if (S_ISREG(e->st->st_mode) && wanted(w, e->path))
		*vec_push(&w->out->files) = (struct fetch_file){
			.path = arena_dup(&w->out->arena, e->path, e->path_len),
			.size = e->st->st_size,
			.mtime_ns = e->st->st_mtim.tv_sec * INT64_C(1000000000) +
				    e->st->st_mtim.tv_nsec,
			.mode = e->st->st_mode & 0777,
		};
	return WALK_GO_ON;
}

/* Bytes of paths, but result.json behind everything: it says that the rest is there. */
static int by_path(const void *a, const void *b)
{
	const struct fetch_file *x = a, *y = b;
	int p = strcmp(x->path, result_json) == 0, q = strcmp(y->path, result_json) == 0;

	return p != q ? p - q : strcmp(x->path, y->path);
}

static void sort_list(struct fetch_list *l)
{
	if (l->files.n)
		qsort(l->files.p, l->files.n, sizeof(*l->files.p), by_path);
}

int fetch_list_read(int dirfd, const char *const *only, struct fetch_list *out, struct err *err)
{
	struct list_walk w = { out, only };

	if (file_walk(dirfd, ".", 0, list_entry, &w, err) < 0)
		return -1;
	sort_list(out);
	return 0;
}

bool fetch_list_has(const struct fetch_list *l, const char *path)
{
	struct fetch_file key = { .path = path };

	return l->files.n && bsearch(&key, l->files.p, l->files.n, sizeof(key), by_path);
}

/* ---- fetched before --------------------------------------------------------------------- */

static int nibble(char c)
{
	static const char digits[] = "0123456789ABCDEF";
	const char *at = c ? strchr(digits, c >= 'a' && c <= 'f' ? c - 'a' + 'A' : c) : NULL;

	return at ? (int)(at - digits) : -1;
}

/* "\xNN" of names that are not UTF-8 back into bytes, in place. */
static void unescape(char *s)
{
	char *to = s;

	for (; *s; s++) {
		int hi = s[0] == '\\' && s[1] == 'x' ? nibble(s[2]) : -1;
		int lo = hi >= 0 ? nibble(s[3]) : -1;

		if (lo >= 0) {
			*to++ = (char)(hi * 16 + lo);
			s += 3;
		} else {
			*to++ = *s;
		}
	}
	*to = '\0';
}

/* "<prefix>/<job>/<n>/<path>" -> path. */
static void note_url(struct fetch_list *l, const char *url, const char *middle)
{
	const char *at = url ? strstr(url, middle) : NULL;
	char *path;

	if (!at)
		return;
	path = arena_strdup(&l->arena, at + strlen(middle));
	if (file_path_is_clean(path))
		vec_push(&l->files)->path = path;
	if (!strstr(path, "\\x"))
		return;
	/* The name may have been like that, or not UTF-8: each is ours. */
	path = arena_strdup(&l->arena, path);
	unescape(path);
	if (file_path_is_clean(path))
		vec_push(&l->files)->path = path;
}

/* The last part of the results directory is the job's id, unless it was moved aside. */
static void note_files(struct fetch_list *l, const json_t *files, const char *job, int64_t n)
{
	char *middle = xasprintf("/%s/%" PRId64 "/", job, n);
	size_t i;
	json_t *file;

	json_array_foreach(files, i, file)
		note_url(l, json_string_value(json_object_get(file, "dst_url")), middle);
	vec_push(&l->files)->path = "stdout.txt";
	vec_push(&l->files)->path = result_json;
	free(middle);
}

int fetch_list_old(int dirfd, const char *path, const char *job, int64_t n,
		   struct fetch_list *out, struct err *err)
{
	struct buf text = BUF_INIT;
	json_t *root = NULL;
	json_error_t je;
	const char *id;
	int ret = 0, fd;

	fd = file_open_beneath(dirfd, path, O_RDONLY | O_NONBLOCK, 0, err);
	if (fd < 0) {
		if (err->sys != ENOENT && err->sys != ENOTDIR && err->sys != ELOOP)
			return -1;
		*err = (struct err)ERR_INIT;
		return 0;
	}
	if (file_read_fd(fd, RESULT_MAX, &text, err) < 0) {
		/* a directory of this name, say: not ours */
		*err = (struct err)ERR_INIT;
		goto out;
	}
	root = json_loadb(text.p, text.n, 0, &je);
	id = json_string_value(json_object_get(root, "job"));
	if (!id || strcmp(id, job) != 0 ||
	    json_integer_value(json_object_get(root, "task")) != n)
		goto out;
	note_files(out, json_object_get(root, "files"), job, n);
	sort_list(out);
	ret = 1;
out:
	json_decref(root);
	buf_release(&text);
	close(fd);
	return ret;
}

/* ---- tasks.csv -------------------------------------------------------------------------- */

int fetch_owner(int dirfd, char **job, struct err *err)
{
	static const char column[] = "kq_job,";
	char head[CSV_HEAD + 1];
	const char *line, *comma;
	ssize_t n;
	int fd = openat(dirfd, "tasks.csv", O_RDONLY | O_CLOEXEC | O_NONBLOCK);

	*job = NULL;
	if (fd < 0)
		return errno == ENOENT ? 0 : err_sys(err, "cannot read tasks.csv");
	n = read(fd, head, CSV_HEAD);
	close(fd);
	if (n < 0)
		return errno == EISDIR ? 0 : err_sys(err, "cannot read tasks.csv");
	head[n] = '\0';
	if (n == 0 || !str_starts(head, column)) {
		*job = xstrdup(""); /* a tasks.csv of somebody else */
		return 1;
	}
	/* The header may be longer than what was read, with very many parameters. */
	line = strchr(head, '\n');
	comma = line ? strchr(line, ',') : NULL;
	if (!comma)
		return 0;
	*job = xstrndup(line + 1, (size_t)(comma - line - 1));
	return 1;
}
