#include "model/path.h"

#include "base/base.h"

enum { COMPONENT_MAX = 255, PATH_BYTES_MAX = 4000 };

void path_add_escaped(struct buf *out, struct str s)
{
	for (size_t i = 0; i < s.n;) {
		size_t k = utf8_len(s.p + i, s.n - i);
		unsigned char c = (unsigned char)s.p[i];

		if (k && c >= 0x20 && c != 0x7f) {
			buf_add(out, s.p + i, k);
			i += k;
		} else {
			buf_addf(out, "\\x%02X", c);
			i++;
		}
	}
}

static int refuse(struct str text, const char *why, struct err *err)
{
	struct buf shown = BUF_INIT;

	path_add_escaped(&shown, text);
	err_set(err, ERR_USAGE, "destination \"%.300s\" %s", shown.p, why);
	buf_release(&shown);
	return -1;
}

/* Next component of s at *at: true with *part (not empty, not "."). */
static bool next_part(struct str s, size_t *at, struct str *part)
{
	while (*at < s.n) {
		size_t begin = *at, end;

		for (end = begin; end < s.n && s.p[end] != '/'; end++)
			;
		*at = end < s.n ? end + 1 : end;
		*part = (struct str){ s.p + begin, end - begin };
		if (part->n && !(part->n == 1 && part->p[0] == '.'))
			return true;
	}
	return false;
}

static bool is_climb(struct str part)
{
	return part.n == 2 && part.p[0] == '.' && part.p[1] == '.';
}

int path_destination(struct str text, struct buf *out, struct err *err)
{
	size_t at = 0, begin = out->n;
	struct str part;

	if (!text.n)
		return refuse(text, "is empty", err);
	if (memchr(text.p, '\0', text.n))
		return refuse(text, "holds a NUL byte", err);
	if (!utf8_valid(text.p, text.n))
		return refuse(text, "is not UTF-8", err);
	if (text.p[0] == '/')
		return refuse(text, "is absolute: it must lie in the work directory", err);
	while (next_part(text, &at, &part)) {
		if (is_climb(part)) {
			out->n = begin;
			return refuse(text, "leaves the work directory, or does on its way",
				      err);
		}
		if (part.n > COMPONENT_MAX || out->n - begin + part.n > PATH_BYTES_MAX) {
			out->n = begin;
			return refuse(text, "is too long", err);
		}
		if (out->n > begin)
			buf_addch(out, '/');
		buf_addstr(out, part);
	}
	if (out->n == begin)
		return refuse(text, "names no file", err);
	return 0;
}

static int refuse_pattern(struct str text, const char *why, struct err *err)
{
	struct buf shown = BUF_INIT;

	path_add_escaped(&shown, text);
	err_set(err, ERR_USAGE, "the pattern \"%.300s\" %s", shown.p, why);
	buf_release(&shown);
	return -1;
}

int path_pattern(struct str text, struct buf *out, struct err *err)
{
	size_t at = 0, begin = out->n;
	struct str part;

	if (!text.n)
		return refuse_pattern(text, "is empty (** is everything)", err);
	if (text.p[0] == '/')
		return refuse_pattern(text, "is absolute: write it as seen from the work directory",
				      err);
	while (next_part(text, &at, &part)) {
		if (is_climb(part)) {
			out->n = begin;
			return refuse_pattern(text, "holds \"..\": write it as seen from the work "
					      "directory", err);
		}
		if (out->n > begin)
			buf_addch(out, '/');
		buf_addstr(out, part);
	}
	if (out->n == begin)
		return refuse_pattern(text, "names no file (** is everything)", err);
	if (text.p[text.n - 1] == '/')
		buf_adds(out, "/**");
	return 0;
}

bool path_is_destination(struct str text)
{
	size_t at = 0, sum = 0;
	struct str part;

	if (!text.n || text.n > PATH_BYTES_MAX || text.p[0] == '/' ||
	    memchr(text.p, '\0', text.n) || !utf8_valid(text.p, text.n))
		return false;
	while (next_part(text, &at, &part)) {
		if (is_climb(part) || part.n > COMPONENT_MAX)
			return false;
		sum += part.n + 1;
	}
	return sum == text.n + 1; /* nothing was dropped: normal form */
}

bool path_is_url(struct str s)
{
	return s.n >= 5 && memcmp(s.p, "gs://", 5) == 0;
}

struct str path_basename(struct str s)
{
	size_t begin;

	while (s.n && s.p[s.n - 1] == '/')
		s.n--;
	for (begin = s.n; begin && s.p[begin - 1] != '/'; begin--)
		;
	return (struct str){ s.p + begin, s.n - begin };
}

/* What `src` resolves to below the current directory, without looking: false if it climbs. */
static bool stays_below(struct str src)
{
	size_t at = 0;
	struct str part;

	if (src.n && src.p[0] == '/')
		return false;
	while (next_part(src, &at, &part))
		if (is_climb(part))
			return false;
	return true;
}

static bool is_here(struct str s)
{
	size_t at = 0;
	struct str part;

	return s.n && s.p[0] != '/' && !next_part(s, &at, &part);
}

/* Base name that can be a destination: ".." and "/" have none. */
static int base_destination(struct str src, struct buf *out, struct err *err)
{
	struct str base = path_basename(src);

	if (!base.n || is_climb(base) || is_here(base)) {
		struct buf shown = BUF_INIT;

		path_add_escaped(&shown, src);
		err_set(err, ERR_USAGE, "\"%.300s\" has no name of its own: write %.300s:NAME",
			shown.p, shown.p);
		buf_release(&shown);
		return -1;
	}
	return path_destination(base, out, err);
}

int path_default_destination(struct str src, struct buf *out, bool *whole, struct err *err)
{
	*whole = false;
	if (path_is_url(src))
		return base_destination((struct str){ src.p + 5, src.n - 5 }, out, err);
	if (is_here(src)) {
		*whole = true;
		return 0;
	}
	if (!stays_below(src))
		return base_destination(src, out, err);
	return path_destination(src, out, err);
}

int path_resolve_destination(struct str src, struct str dst, struct buf *out, bool *whole,
			     struct err *err)
{
	struct buf both = BUF_INIT;
	int ret;

	*whole = false;
	if (!dst.p)
		return path_default_destination(src, out, whole, err);
	if (!dst.n)
		return refuse(dst, "is empty", err);
	if (dst.p[0] == '/')
		return path_destination(dst, out, err);
	if (dst.p[dst.n - 1] != '/' && !is_here(dst))
		return path_destination(dst, out, err);
	if (is_here(src)) { /* ".:." and ".:d/": the files of the current directory */
		if (is_here(dst)) {
			*whole = true;
			return 0;
		}
		return path_destination(dst, out, err);
	}
	buf_addstr(&both, dst);
	buf_addch(&both, '/');
	ret = base_destination(path_is_url(src) ? (struct str){ src.p + 5, src.n - 5 } : src, &both,
			       err);
	if (ret == 0)
		ret = path_destination(buf_str(&both), out, err);
	buf_release(&both);
	return ret;
}

void path_split_spec(struct str spec, struct str *src, struct str *dst)
{
	size_t begin = path_is_url(spec) ? 5 : 0;
	const char *colon = spec.n > begin ? memchr(spec.p + begin, ':', spec.n - begin) : NULL;

	*src = spec;
	*dst = (struct str){ NULL, 0 };
	if (!colon)
		return;
	src->n = (size_t)(colon - spec.p);
	*dst = (struct str){ colon + 1, spec.n - src->n - 1 };
}

void path_from(struct buf *out, struct str dir, struct str dst)
{
	size_t i = 0, same = 0;

	/* `same`: length of the common directories, with their slash */
	while (i < dir.n && i < dst.n && dir.p[i] == dst.p[i]) {
		i++;
		if (dir.p[i - 1] == '/')
			same = i;
	}
	if (i == dir.n && i < dst.n && dst.p[i] == '/')
		same = i + 1;
	if (same < dir.n) {
		buf_adds(out, "../");
		for (size_t k = same; k < dir.n; k++)
			if (dir.p[k] == '/')
				buf_adds(out, "../");
	}
	buf_add(out, dst.p + MIN(same, dst.n), dst.n - MIN(same, dst.n));
}
