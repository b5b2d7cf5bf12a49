/* The set of inputs, and single specs. */
#include "cas/inputs.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/base.h"
#include "cas/inputs_internal.h"
#include "model/path.h"

struct input_set *inputs_new(const struct inputs_options *o)
{
	struct input_set *in = xcalloc(1, sizeof(*in));

	if (o)
		in->o = *o;
	in->cwd = getcwd(NULL, 0);
	if (!in->cwd)
		in->cwd = xstrdup(".");
	return in;
}

void inputs_free(struct input_set *in)
{
	if (!in)
		return;
	vec_release(&in->files);
	vec_release(&in->dirs);
	vec_release(&in->specs);
	map_release(&in->by_text);
	arena_release(&in->arena);
	free(in->cwd);
	free(in);
}

/* ---- refusals --------------------------------------------------------------------------- */

int inputs_refuse(struct err *err, const char *before, const char *name, const char *after)
{
	struct buf shown = BUF_INIT;

	path_add_escaped(&shown, str_of(name));
	err_set(err, ERR_USAGE, "%s%.1000s%s", before, shown.p, after);
	buf_release(&shown);
	return -1;
}

int inputs_stat_fault(int dirfd, const char *name, const char *src, struct err *err)
{
	int e = errno;
	struct stat st;
	char why[128];

	if (e == ELOOP)
		return inputs_refuse(err, "", src, " is a symbolic link that leads back to itself");
	if (e == ENOENT && fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
	    S_ISLNK(st.st_mode))
		return inputs_refuse(err, "", src,
				     " is a symbolic link to a file that is not there");
	if (e == ENOENT || e == ENOTDIR)
		return inputs_refuse(err, "no file or directory \"", src,
				     "\": check the name");
	snprintf(why, sizeof(why), ": %s", strerror(e));
	return inputs_refuse(err, "cannot read ", src, why);
}

/* Mode bits tell most of it; where group or ACL may decide, the kernel is asked. */
static bool can_read(int dirfd, const char *name, const struct stat *st)
{
	uid_t me = geteuid();

	if (st->st_uid == me && (st->st_mode & 0400))
		return true;
	return faccessat(dirfd, name, R_OK, AT_EACCESS) == 0;
}

int inputs_check_file(int dirfd, const char *name, const char *src, const struct stat *st,
		      struct err *err)
{
	static const char only[] = ": only regular files and directories can be inputs";
	const char *kind = S_ISFIFO(st->st_mode) ? "a FIFO" : S_ISSOCK(st->st_mode) ? "a socket"
								: "a device";
	char why[128];

	if (S_ISREG(st->st_mode)) {
		if (can_read(dirfd, name, st))
			return 0;
		snprintf(why, sizeof(why), ": %s", strerror(errno));
		return inputs_refuse(err, "cannot read ", src, why);
	}
	snprintf(why, sizeof(why), " is %s%s", kind, only);
	return inputs_refuse(err, "", src, why);
}

bool inputs_excluded(const struct input_set *in, const char *path, const char *below)
{
	for (const char *const *p = in->o.exclude; p && *p; p++)
		if (glob_match(*p, path) || (below && glob_match(*p, below)))
			return true;
	return false;
}

/* ---- noting ----------------------------------------------------------------------------- */

size_t inputs_note_dir(struct input_set *in, const char *abs)
{
	if (in->dirs.n && strcmp(in->dirs.p[in->dirs.n - 1].abs, abs) == 0)
		return in->dirs.n - 1;
	vec_push(&in->dirs)->abs = abs;
	return in->dirs.n - 1;
}

void inputs_note_file(struct input_set *in, const char *spec, const char *src, const char *dst,
		      const char *name, size_t dir, const struct stat *st)
{
	struct input_file *f = vec_push(&in->files);

	*f = (struct input_file){ .dst = dst, .src = src, .spec = spec, .name = name, .dir = dir,
				  .mode = st->st_mode & 0777 };
	hash_stamp_of(&f->stamp, st);
	in->bytes += st->st_size;
}

/* Absolute text of a path: below the current directory, without "." and doubled slashes. It names
 * a row of the cache and is never opened. */
static const char *absolute(struct input_set *in, struct str path)
{
	struct buf b = BUF_INIT;
	const char *abs;

	if (!path.n || path.p[0] != '/')
		buf_adds(&b, in->cwd);
	for (size_t i = 0, end; i < path.n; i = end + 1) {
		for (end = i; end < path.n && path.p[end] != '/'; end++)
			;
		if (end == i || (end == i + 1 && path.p[i] == '.'))
			continue;
		if (!b.n || b.p[b.n - 1] != '/')
			buf_addch(&b, '/');
		buf_add(&b, path.p + i, end - i);
	}
	if (!b.n)
		buf_addch(&b, '/');
	abs = arena_dup(&in->arena, b.p, b.n);
	buf_release(&b);
	return abs;
}

int inputs_add_path(struct input_set *in, const char *spec, const char *src, const char *dst,
		    struct err *err)
{
	struct str base;
	struct stat st;
	char *own;

	if (stat(src, &st) < 0)
		return inputs_stat_fault(AT_FDCWD, src, src, err);
	if (S_ISDIR(st.st_mode))
		return inputs_walk(in, spec, src, dst, absolute(in, str_of(src)), err);
	if (inputs_check_file(AT_FDCWD, src, src, &st, err) < 0)
		return -1;
	base = path_basename(str_of(src));
	own = arena_strdup(&in->arena, src);
	inputs_note_file(in, spec, own, strcmp(src, dst) == 0 ? own : arena_strdup(&in->arena, dst),
			 own + (base.p - src),
			 inputs_note_dir(in,
					 absolute(in, (struct str){ src, (size_t)(base.p - src) })),
			 &st);
	return 0;
}

static int add_url(struct input_set *in, const char *spec, struct str url, struct str dst,
		   struct err *err)
{
	struct stat none = { .st_size = 0 };
	struct buf to = BUF_INIT;
	bool whole;
	int ret = -1;

	if (url.p[url.n - 1] == '/')
		return inputs_refuse(err, "", spec, " names a prefix of Cloud Storage, and listing "
				     "one needs backend=google: name its objects one by one");
	if (path_resolve_destination(url, dst, &to, &whole, err) < 0) {
		err_prefix(err, "-u %.300s", spec);
		goto out;
	}
	inputs_note_file(in, spec, arena_dup(&in->arena, url.p, url.n),
			 arena_dup(&in->arena, to.p, to.n), "", 0, &none);
	in->files.p[in->files.n - 1].url = true;
	in->files.p[in->files.n - 1].stamp.size = -1;
	ret = 0;
out:
	buf_release(&to);
	return ret;
}

/* ---- specs ------------------------------------------------------------------------------ */

/* A source that exists, with its dst (p NULL: none given). */
static int add_existing(struct input_set *in, const char *spec, const char *src, struct str dst,
			struct err *err)
{
	struct buf to = BUF_INIT;
	struct stat st;
	bool whole;
	int ret = -1;

	if (path_resolve_destination(str_of(src), dst, &to, &whole, err) < 0)
		err_prefix(err, "-u %.300s", spec);
	else if (whole && stat(src, &st) == 0 && !S_ISDIR(st.st_mode))
		inputs_refuse(err, "-u ", spec, ": it is no directory");
	else
		ret = inputs_add_path(in, spec, src, to.p, err);
	buf_release(&to);
	return ret;
}

static bool is_there(const char *path)
{
	struct stat st;

	return lstat(path, &st) == 0 || (errno != ENOENT && errno != ENOTDIR &&
					 errno != ENAMETOOLONG);
}

int inputs_add_spec(struct input_set *in, const char *spec, const struct inputs_chain *chain,
		    struct err *err)
{
	struct str src, dst;
	size_t count = 0;
	char *path = NULL;
	int ret = -1;

	if (!*spec)
		return err_set(err, ERR_USAGE, "-u needs a file, a directory, SRC:DST or @LIST");
	if (*spec == '@')
		return inputs_add_list(in, spec + 1, chain, err);
	spec = arena_strdup(&in->arena, spec);
	path_split_spec(str_of(spec), &src, &dst);
	if (path_is_url(str_of(spec)))
		return add_url(in, spec, src, dst, err);
	if (is_there(spec))
		return add_existing(in, spec, spec, (struct str){ NULL, 0 }, err);
	path = xstrndup(src.p, src.n);
	if (dst.p && *path && is_there(path)) {
		ret = add_existing(in, spec, path, dst, err);
		goto out;
	}
	if (dst.p && glob_is_pattern(path)) {
		ret = inputs_add_pattern(in, spec, path, dst, &count, err);
		if (ret < 0 || count)
			goto out;
	}
	if (!dst.p && glob_is_pattern(spec)) {
		ret = inputs_add_pattern(in, spec, spec, (struct str){ NULL, 0 }, &count, err);
		if (ret < 0 || count)
			goto out;
	}
	if (glob_is_pattern(spec))
		ret = inputs_refuse(err, "no file matches ", spec, ": check the pattern after -u");
	else
		ret = inputs_refuse(err, "no file or directory \"", dst.p ? path : spec,
				    "\": check the name");
out:
	free(path);
	return ret;
}

/* The number of this spec: a new one, or in a pool that of the same text (*known). */
static size_t begin_spec(struct input_set *in, char kind, const char *text, bool *known)
{
	struct buf key = BUF_INIT;
	struct input_spec *s;
	size_t *have = NULL;

	assert(!in->checked);
	*known = false;
	if (in->o.pool) {
		buf_addch(&key, kind);
		buf_adds(&key, text);
		have = map_get(&in->by_text, key.p);
		*known = have != NULL;
		if (!have) {
			have = arena_alloc(&in->arena, sizeof(*have));
			*have = in->specs.n;
			map_set(&in->by_text, key.p, have);
		}
		buf_release(&key);
		if (*known)
			return *have;
	}
	s = vec_push(&in->specs);
	*s = (struct input_spec){ .text = arena_strdup(&in->arena, text), .first = in->files.n };
	return in->specs.n - 1;
}

int inputs_add(struct input_set *in, const char *spec, size_t *id, struct err *err)
{
	bool known;
	size_t i = begin_spec(in, '-', spec, &known);

	if (id)
		*id = i;
	if (known)
		return 0;
	if (inputs_add_spec(in, spec, NULL, err) < 0)
		return -1;
	in->specs.p[i].n = in->files.n - in->specs.p[i].first;
	return 0;
}

static int add_word(struct input_set *in, struct input_spec *s, const char *path, struct err *err)
{
	struct buf to = BUF_INIT;
	bool whole;
	int ret = -1;

	if (path_default_destination(str_of(path), &to, &whole, err) < 0) {
		err_prefix(err, "^%.300s", path);
		goto out;
	}
	s->dst = whole ? "." : arena_dup(&in->arena, to.p, to.n);
	if (path_is_url(str_of(path)))
		ret = add_url(in, s->text, str_of(s->text), (struct str){ NULL, 0 }, err);
	else
		ret = inputs_add_path(in, s->text, path, to.p, err);
out:
	buf_release(&to);
	return ret;
}

int inputs_add_word(struct input_set *in, const char *path, size_t *id, const char **dst,
		    struct err *err)
{
	bool known;
	size_t i = begin_spec(in, '^', path, &known);
	struct input_spec *s = &in->specs.p[i];

	if (id)
		*id = i;
	if (!known) {
		if (!path_is_url(str_of(path)) && !is_there(path)) {
			struct buf shown = BUF_INIT;

			path_add_escaped(&shown, str_of(path));
			err_set(err, ERR_USAGE, "no file \"%.900s\" (to pass a word that begins "
				"with ^, write ^^%.900s)", shown.p, shown.p);
			buf_release(&shown);
			return -1;
		}
		if (add_word(in, s, path, err) < 0)
			return -1;
		s->n = in->files.n - s->first;
	}
	*dst = s->dst;
	return 0;
}

static void set_executable(struct input_set *in, size_t first, int executable)
{
	for (size_t i = first; executable >= 0 && i < in->files.n; i++) {
		struct input_file *f = &in->files.p[i];

		f->mode = executable ? f->mode | 0111 : f->mode & ~0111u;
	}
}

int inputs_add_file(struct input_set *in, const char *src, const char *dst, int executable,
		    size_t *id, struct err *err)
{
	char *text = xasprintf("%d:%s:%s", executable, dst ? dst : "", src);
	struct str to = { NULL, 0 };
	const char *spec;
	bool known;
	size_t i = begin_spec(in, 'f', text, &known);
	int ret;

	free(text);
	if (id)
		*id = i;
	if (known)
		return 0;
	if (dst)
		to = str_of(dst);
	spec = arena_strdup(&in->arena, src);
	if (path_is_url(str_of(src)))
		ret = add_url(in, spec, str_of(spec), to, err);
	else if (dst)
		ret = inputs_add_path(in, spec, src, dst, err);
	else
		ret = add_existing(in, spec, src, to, err);
	if (ret < 0)
		return -1;
	set_executable(in, in->specs.p[i].first, executable);
	in->specs.p[i].n = in->files.n - in->specs.p[i].first;
	return 0;
}

/* ---- reading ---------------------------------------------------------------------------- */

size_t inputs_count(const struct input_set *in)
{
	return in->files.n;
}

int64_t inputs_bytes(const struct input_set *in)
{
	return in->bytes;
}

const struct input_file *inputs_at(const struct input_set *in, size_t i)
{
	assert(i < in->files.n);
	return &in->files.p[i];
}

size_t inputs_of_spec(const struct input_set *in, size_t id, const struct input_file **out)
{
	assert(in->o.pool && id < in->specs.n);
	*out = in->files.p + in->specs.p[id].first;
	return in->specs.p[id].n;
}
