/* Patterns of -u: `*`, `?`, `[..]` within a component, `**` for any directories. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/base.h"
#include "cas/inputs_internal.h"
#include "model/path.h"

struct glob {
	struct input_set *in;
	const char *spec;
	struct str dst;
	size_t *count;
	struct buf path; /* what is matched so far, "" or ending in "/" */
};

static int glob_step(struct glob *g, const char *rest, struct err *err);

/* A whole match. `files`: directories do not count (what "**" finds). */
static int take_match(struct glob *g, bool files, struct err *err)
{
	struct buf to = BUF_INIT, dir = BUF_INIT;
	struct str dst = { NULL, 0 };
	struct stat st;
	bool whole;
	int ret = -1;

	if (inputs_excluded(g->in, g->path.p, NULL))
		return 0;
	if (stat(g->path.p, &st) < 0)
		return inputs_stat_fault(AT_FDCWD, g->path.p, g->path.p, err);
	if (files && S_ISDIR(st.st_mode))
		return 0;
	++*g->count;
	if (g->dst.p) {
		buf_addstr(&dir, g->dst);
		buf_addch(&dir, '/');
		dst = g->dst.n ? buf_str(&dir) : g->dst;
	}
	if (path_resolve_destination(buf_str(&g->path), dst, &to, &whole, err) < 0)
		err_prefix(err, "-u %.300s", g->spec);
	else
		ret = inputs_add_path(g->in, g->spec, g->path.p, to.p, err);
	buf_release(&to);
	buf_release(&dir);
	return ret;
}

static bool is_dir(int fd, const struct dirent *e, bool follow)
{
	struct stat st;

	if (e->d_type != DT_UNKNOWN && !(e->d_type == DT_LNK && follow))
		return e->d_type == DT_DIR;
	return fstatat(fd, e->d_name, &st, follow ? 0 : AT_SYMLINK_NOFOLLOW) == 0 &&
	       S_ISDIR(st.st_mode);
}

/* What to do with one entry of the directory at g->path. `comp` is a component with wildcards,
 * `next` what follows it (NULL: nothing). */
static int take_name(struct glob *g, int fd, const struct dirent *e, const char *comp,
		     const char *rest, const char *next, struct err *err)
{
	bool deep = strcmp(comp, "**") == 0;
	size_t n = g->path.n;
	int ret = 0;

	if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
		return 0;
	buf_adds(&g->path, e->d_name);
	if (deep && is_dir(fd, e, false)) {
		if (!inputs_excluded(g->in, g->path.p, NULL)) {
			buf_addch(&g->path, '/');
			ret = glob_step(g, rest, err);
		}
	} else if (deep && !next) {
		ret = take_match(g, true, err);
	} else if (!deep && glob_match(comp, e->d_name)) {
		if (!next) {
			ret = take_match(g, false, err);
		} else if (is_dir(fd, e, true)) {
			buf_addch(&g->path, '/');
			ret = glob_step(g, next, err);
		}
	}
	g->path.n = n;
	g->path.p[n] = '\0';
	return ret;
}

static int match_dir(struct glob *g, const char *comp, const char *rest, const char *next,
		     struct err *err)
{
	DIR *d = opendir(g->path.n ? g->path.p : ".");
	const struct dirent *e;
	int ret = 0;

	if (!d) {
		char why[128];

		if (errno == ENOENT || errno == ENOTDIR)
			return 0;
		snprintf(why, sizeof(why), ": %s", strerror(errno));
		return inputs_refuse(err, "cannot list ", g->path.p, why);
	}
	if (strcmp(comp, "**") == 0 && next) /* no directory at all */
		ret = glob_step(g, next, err);
	while (ret == 0 && (e = readdir(d)))
		ret = take_name(g, dirfd(d), e, comp, rest, next, err);
	closedir(d);
	return ret;
}

static int glob_step(struct glob *g, const char *rest, struct err *err)
{
	const char *slash, *next = NULL;
	size_t n = g->path.n;
	struct stat st;
	char *comp;
	int ret = 0;

	while (*rest == '/') {
		if (!g->path.n)
			buf_addch(&g->path, '/');
		rest++;
	}
	if (!*rest)
		return 0;
	slash = strchr(rest, '/');
	comp = slash ? xstrndup(rest, (size_t)(slash - rest)) : xstrdup(rest);
	if (slash && slash[strspn(slash, "/")] != '\0')
		next = slash + 1;
	if (glob_is_pattern(comp)) {
		ret = match_dir(g, comp, rest, next, err);
	} else {
		buf_adds(&g->path, comp);
		if (next) {
			buf_addch(&g->path, '/');
			ret = glob_step(g, next, err);
		} else if (lstat(g->path.p, &st) == 0) {
			ret = take_match(g, false, err);
		}
	}
	g->path.n = n;
	if (g->path.cap)
		g->path.p[n] = '\0';
	free(comp);
	return ret;
}

int inputs_add_pattern(struct input_set *in, const char *spec, const char *pattern,
		       struct str dst, size_t *count, struct err *err)
{
	struct glob g = { in, spec, dst, count, BUF_INIT };
	int ret;

	*count = 0;
	ret = glob_step(&g, pattern, err);
	buf_release(&g.path);
	return ret;
}
