/* Destinations: order and collisions. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/base.h"
#include "cas/inputs_internal.h"
#include "model/path.h"

enum { COMPARE_SIZE = 64 * 1024 };

/* ---- same file, same content ------------------------------------------------------------ */

static int open_source(const struct input_file *f, struct err *err)
{
	int fd = open(f->src, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);

	if (fd < 0) {
		char why[128];

		snprintf(why, sizeof(why), ": %s", strerror(errno));
		inputs_refuse(err, "cannot read ", f->src, why);
	}
	return fd;
}

/* Up to n bytes; less only at the end of the file. */
static ssize_t read_full(int fd, char *p, size_t n)
{
	size_t got = 0;

	while (got < n) {
		ssize_t r = read(fd, p + got, n - got);

		if (r < 0 && errno == EINTR)
			continue;
		if (r < 0)
			return -1;
		if (r == 0)
			break;
		got += (size_t)r;
	}
	return (ssize_t)got;
}

static int compare_fds(int x, int y, struct err *err)
{
	char *p = xmalloc(2 * COMPARE_SIZE);
	int ret = -1;

	for (;;) {
		ssize_t n = read_full(x, p, COMPARE_SIZE);
		ssize_t m = read_full(y, p + COMPARE_SIZE, COMPARE_SIZE);

		if (n < 0 || m < 0) {
			err_sys(err, "cannot compare two inputs");
			break;
		}
		ret = n == m && memcmp(p, p + COMPARE_SIZE, (size_t)n) == 0;
		if (!ret || n < COMPARE_SIZE)
			break;
		ret = -1;
	}
	free(p);
	return ret;
}

/* Same bytes? 1, 0, -1. */
static int same_content(const struct input_file *a, const struct input_file *b, struct err *err)
{
	int x, y, ret = -1;

	if (a->url || b->url)
		return a->url && b->url && strcmp(a->src, b->src) == 0;
	if (strcmp(a->src, b->src) == 0)
		return 1;
	if (a->stamp.size != b->stamp.size)
		return 0;
	x = open_source(a, err);
	if (x < 0)
		return -1;
	y = open_source(b, err);
	if (y >= 0) {
		ret = compare_fds(x, y, err);
		close(y);
	}
	close(x);
	return ret;
}

/* ---- refusals --------------------------------------------------------------------------- */

static int refuse_pair(const char *what, const char *dst, const struct input_file *a,
		       const struct input_file *b, struct err *err)
{
	struct buf d = BUF_INIT, x = BUF_INIT, y = BUF_INIT;

	path_add_escaped(&d, str_of(dst));
	path_add_escaped(&x, str_of(a->spec));
	path_add_escaped(&y, str_of(b->spec));
	err_set(err, ERR_USAGE, "%s %.500s: \"%.500s\" and \"%.500s\" (give one of them another "
		"place: -u SRC:DST)", what, d.p, x.p, y.p);
	buf_release(&d);
	buf_release(&x);
	buf_release(&y);
	return -1;
}

/* Two of one destination: 0 when they are one input, else refused. */
static int check_pair(const struct input_file *a, const struct input_file *b, struct err *err)
{
	int same = same_content(a, b, err);

	if (same != 0)
		return same > 0 ? 0 : -1;
	return refuse_pair("two different inputs for", a->dst, a, b, err);
}

static int refuse_tree(const struct input_file *file, const struct input_file *below,
		       struct err *err)
{
	return refuse_pair("both a file and a directory at", file->dst, file, below, err);
}

/* ---- a whole set ------------------------------------------------------------------------ */

static int by_dst(const void *a, const void *b)
{
	const struct input_file *x = a, *y = b;
	int cmp = strcmp(x->dst, y->dst);

	return cmp ? cmp : strcmp(x->src, y->src);
}

static void sort_files(struct input_file *p, size_t n)
{
	for (size_t i = 1; i < n; i++)
		if (strcmp(p[i - 1].dst, p[i].dst) > 0) {
			qsort(p, n, sizeof(*p), by_dst);
			return;
		}
}

static const struct input_file *find(const struct input_file *p, size_t n, const char *dst,
				     size_t dst_n)
{
	size_t lo = 0, hi = n;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;
		int cmp = strncmp(dst, p[mid].dst, dst_n);

		if (cmp == 0)
			cmp = p[mid].dst[dst_n] ? -1 : 0;
		if (cmp == 0)
			return &p[mid];
		if (cmp < 0)
			hi = mid;
		else
			lo = mid + 1;
	}
	return NULL;
}

/* Length of what two paths have in common, up to and with a slash. */
static size_t common_dirs(const char *a, const char *b)
{
	size_t same = 0;

	for (size_t i = 0; a[i] && a[i] == b[i]; i++)
		if (a[i] == '/')
			same = i + 1;
	return same;
}

/* No destination may be a directory of another one. Directories that the entry before had were
 * looked up with it. */
static int check_trees(const struct input_set *in, struct err *err)
{
	const struct input_file *p = in->files.p;

	for (size_t i = 0; i < in->files.n; i++) {
		size_t from = i ? common_dirs(p[i - 1].dst, p[i].dst) : 0;
		const char *slash = p[i].dst + from;

		while ((slash = strchr(slash, '/'))) {
			const struct input_file *f = find(p, in->files.n, p[i].dst,
							  (size_t)(slash - p[i].dst));

			if (f)
				return refuse_tree(f, &p[i], err);
			slash++;
		}
	}
	return 0;
}

int inputs_check(struct input_set *in, struct err *err)
{
	size_t n = 0;

	if (in->o.pool || in->checked)
		return 0;
	sort_files(in->files.p, in->files.n);
	for (size_t i = 0; i < in->files.n; i++) {
		struct input_file *f = &in->files.p[i];

		if (n && strcmp(in->files.p[n - 1].dst, f->dst) == 0) {
			if (check_pair(&in->files.p[n - 1], f, err) < 0)
				return -1;
			in->bytes -= MAX(f->stamp.size, 0);
			continue;
		}
		in->files.p[n++] = *f;
	}
	in->files.n = n;
	in->checked = true;
	return check_trees(in, err);
}

const struct input_file *inputs_find(const struct input_set *in, const char *dst)
{
	assert(in->checked);
	return find(in->files.p, in->files.n, dst, strlen(dst));
}

/* Any entry below dir/. */
static const struct input_file *find_below(const struct input_set *in, const char *dir)
{
	size_t lo = 0, hi = in->files.n, n = strlen(dir);

	/* first entry > "dir/" */
	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;
		const char *d = in->files.p[mid].dst;
		int cmp = strncmp(d, dir, n);

		if (cmp == 0)
			cmp = (unsigned char)d[n] < '/' ? -1 : 1;
		if (cmp < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	if (lo < in->files.n && strncmp(in->files.p[lo].dst, dir, n) == 0 &&
	    in->files.p[lo].dst[n] == '/')
		return &in->files.p[lo];
	return NULL;
}

/* ---- one task --------------------------------------------------------------------------- */

static int by_dst_ptr(const void *a, const void *b)
{
	const struct input_file *const *x = a, *const *y = b;
	int cmp = strcmp((*x)->dst, (*y)->dst);

	return cmp ? cmp : strcmp((*x)->src, (*y)->src);
}

/* Against the common inputs: 1 it is one of them, 0 it is new. */
static int check_common(const struct input_set *common, const struct input_file *f, struct err *err)
{
	const struct input_file *c = inputs_find(common, f->dst);

	if (c)
		return check_pair(c, f, err) < 0 ? -1 : 1;
	c = find_below(common, f->dst);
	if (c)
		return refuse_tree(f, c, err);
	for (const char *slash = f->dst; (slash = strchr(slash, '/')); slash++) {
		c = find(common->files.p, common->files.n, f->dst, (size_t)(slash - f->dst));
		if (c)
			return refuse_tree(c, f, err);
	}
	return 0;
}

/* Sorted and unique: no destination may be a directory of another one. */
static int check_own_trees(const struct input_file **p, size_t n, struct err *err)
{
	for (size_t i = 0; i < n; i++) {
		const char *dst = p[i]->dst;

		for (size_t k = i + 1; k < n; k++) {
			size_t len = strlen(dst);

			if (strncmp(p[k]->dst, dst, len) != 0)
				break;
			if (p[k]->dst[len] == '/')
				return refuse_tree(p[i], p[k], err);
		}
	}
	return 0;
}

int64_t inputs_check_task(const struct input_set *common, const struct input_set *pool,
			  const size_t *ids, size_t n, const struct input_file ***out,
			  struct err *err)
{
	VEC(const struct input_file *) v = { 0 };
	size_t kept = 0;

	*out = NULL;
	for (size_t i = 0; i < n; i++) {
		const struct input_file *p;
		size_t count = inputs_of_spec(pool, ids[i], &p);

		for (size_t k = 0; k < count; k++)
			*vec_push(&v) = &p[k];
	}
	if (v.n)
		qsort(v.p, v.n, sizeof(*v.p), by_dst_ptr);
	for (size_t i = 0; i < v.n; i++) {
		int known = 0;

		if (kept && strcmp(v.p[kept - 1]->dst, v.p[i]->dst) == 0) {
			if (check_pair(v.p[kept - 1], v.p[i], err) < 0)
				goto fail;
			continue;
		}
		if (common)
			known = check_common(common, v.p[i], err);
		if (known < 0)
			goto fail;
		if (!known)
			v.p[kept++] = v.p[i];
	}
	if (check_own_trees(v.p, kept, err) < 0)
		goto fail;
	if (kept)
		*out = v.p;
	else
		vec_release(&v);
	return (int64_t)kept;
fail:
	vec_release(&v);
	return -1;
}
