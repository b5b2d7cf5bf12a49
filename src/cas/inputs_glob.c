/* Patterns of -u: `*`, `?`, `[..]` within a component, `**` for any directories. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/base.h"
#include "cas/inputs_internal.h"
#include "model/path.h"
#include "sys/file.h"

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

/* One directory that is looked through for a component with wildcards. */
struct level {
	struct glob *g;
	const char *comp, *rest;
	const char *next; /* what follows comp; NULL: nothing */
};

static bool leads_to_dir(const struct walk_entry *e)
{
	struct stat st;

	return e->type == DT_DIR ||
	       (e->type == DT_LNK && fstatat(e->dirfd, e->name, &st, 0) == 0 &&
		S_ISDIR(st.st_mode));
}

static int take_name(const struct level *l, const struct walk_entry *e, struct err *err)
{
	struct glob *g = l->g;

	if (strcmp(l->comp, "**") == 0) {
		if (e->type != DT_DIR)
			return l->next ? 0 : take_match(g, true, err);
		if (inputs_excluded(g->in, g->path.p, NULL))
			return 0;
		buf_addch(&g->path, '/');
		return glob_step(g, l->rest, err);
	}
	if (!glob_match(l->comp, e->name))
		return 0;
	if (!l->next)
		return take_match(g, false, err);
	if (!leads_to_dir(e))
		return 0;
	buf_addch(&g->path, '/');
	return glob_step(g, l->next, err);
}

static int take_entry(void *ctx, const struct walk_entry *e, struct err *err)
{
	const struct level *l = ctx;
	size_t n = l->g->path.n;
	int ret;

	if (e->depth == 0)
		return WALK_GO_ON;
	buf_adds(&l->g->path, e->name);
	ret = take_name(l, e, err);
	l->g->path.n = n;
	l->g->path.p[n] = '\0';
	return ret < 0 ? -1 : WALK_SKIP;
}

static int match_dir(struct glob *g, const char *comp, const char *rest, const char *next,
		     struct err *err)
{
	struct level l = { g, comp, rest, next };
	char *dir = xstrdup(g->path.n ? g->path.p : ".");
	struct stat st;
	int ret = 0;

	if (stat(dir, &st) < 0 || !S_ISDIR(st.st_mode))
		goto out;
	if (strcmp(comp, "**") == 0 && next) /* no directory at all */
		ret = glob_step(g, next, err);
	if (ret == 0)
		ret = file_walk(AT_FDCWD, dir, WALK_NO_STAT | WALK_SORT, take_entry, &l, err);
	if (ret < 0 && err->sys == EACCES)
		err->code = ERR_USAGE;
out:
	free(dir);
	return ret < 0 ? -1 : 0;
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
