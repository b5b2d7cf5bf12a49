/* Destinations. */
#include "model/path.h"

#include "base/base.h"
#include "tap.h"

static void destination(const char *in, const char *want)
{
	struct buf b = BUF_INIT;
	struct err err = ERR_INIT;
	int r = path_destination(str_of(in), &b, &err);

	if (want) {
		is_str(r == 0 ? b.p : err.text, want, "destination %s", in);
		ok(path_is_destination(buf_str(&b)), "%s is in normal form", b.p);
	} else {
		ok(r < 0 && err.code == ERR_USAGE && b.n == 0, "refused: %s", err.text);
		ok(!path_is_destination(str_of(in)), "and no destination");
	}
	buf_release(&b);
}

static void resolves(const char *src, const char *dst, const char *want)
{
	struct buf b = BUF_INIT;
	struct err err = ERR_INIT;
	bool whole = false;
	struct str d = dst ? str_of(dst) : (struct str){ NULL, 0 };
	int r = path_resolve_destination(str_of(src), d, &b, &whole, &err);

	if (!want)
		ok(r < 0, "%s:%s is refused: %s", src, dst ? dst : "", err.text);
	else if (strcmp(want, ".") == 0)
		ok(r == 0 && whole && !b.n, "%s lands at the top", src);
	else
		is_str(r == 0 ? b.p : err.text, want, "%s:%s", src, dst ? dst : "");
	buf_release(&b);
}

static void seen_from(const char *dir, const char *dst, const char *want)
{
	struct buf b = BUF_INIT;

	path_from(&b, str_of(dir), str_of(dst));
	is_str(b.p, want, "%s from %s", dst, dir);
	buf_release(&b);
}

static void splits(const char *spec, const char *src, const char *dst)
{
	struct str s, d;

	path_split_spec(str_of(spec), &s, &d);
	ok(str_eq(s, src) && (dst ? d.p && str_eq(d, dst) : !d.p), "%s is split", spec);
}

int main(void)
{
	char part[300];
	struct buf b = BUF_INIT;
	struct err err = ERR_INIT;

	destination("a", "a");
	destination("./a//b/", "a/b");
	destination("a/./b", "a/b");
	destination("...", "...");
	destination("\xc3\xa9", "\xc3\xa9");
	destination("", NULL);
	destination(".", NULL);
	destination("./", NULL);
	destination("/x", NULL);
	destination("../x", NULL);
	destination("a/../b", NULL);
	destination("a/..", NULL);
	destination("\xff", NULL);
	memset(part, 'a', sizeof(part));
	part[256] = '\0';
	destination(part, NULL);
	part[255] = '\0';
	destination(part, part);
	ok(path_destination((struct str){ "a\0b", 3 }, &b, &err) < 0, "a NUL is refused: %s",
	   err.text);
	ok(!path_is_destination(STR("a//b")) && !path_is_destination(STR("./a")) &&
	   !path_is_destination(STR("a/")), "only the normal form is one");

	resolves("a.py", NULL, "a.py");
	resolves("./a//b", NULL, "a/b");
	resolves("/x/y.py", NULL, "y.py");
	resolves("../y.py", NULL, "y.py");
	resolves("a/../../y", NULL, "y");
	resolves("gs://b/k/l", NULL, "l");
	resolves("gs://b/k/", NULL, "k");
	resolves(".", NULL, ".");
	resolves("./", NULL, ".");
	resolves("..", NULL, NULL);
	resolves("/", NULL, NULL);
	resolves("dir/", NULL, "dir");
	resolves("a/b", "c", "c");
	resolves("a/b", "c/", "c/b");
	resolves("a/b", ".", "b");
	resolves("a/b", "./", "b");
	resolves("a", "../x", NULL);
	resolves("a", "/x", NULL);
	resolves("a", "/x/", NULL);
	resolves("a", "", NULL);
	resolves("a", "../x/", NULL);
	resolves("gs://b/k", "d/", "d/k");
	resolves(".", "d", "d");
	resolves(".", "d/", "d");
	resolves(".", ".", ".");

	splits("a:b", "a", "b");
	splits("a", "a", NULL);
	splits("a:b:c", "a", "b:c");
	splits("gs://b/k:x", "gs://b/k", "x");
	splits("gs://b/k", "gs://b/k", NULL);
	splits("a:", "a", "");

	seen_from("", "a.py", "a.py");
	seen_from("s", "a.py", "../a.py");
	seen_from("s", "s/r.py", "r.py");
	seen_from("s/t", "s/r.py", "../r.py");
	seen_from("s/t", "a", "../../a");
	seen_from("s", "st/a", "../st/a");
	seen_from("st", "s/a", "../s/a");
	seen_from("a/b", "a/bc", "../bc");
	seen_from("a/b/c", "a/b/c/d/e", "d/e");
	seen_from("a/b/c", "a/x/c", "../../x/c");
	ok(str_eq(path_basename(STR("a/b//")), "b") && path_basename(STR("/")).n == 0,
	   "base names");
	buf_clear(&b);
	path_add_escaped(&b, STR("a\xff\n\xc3\xa9"));
	is_str(b.p, "a\\xFF\\x0A\xc3\xa9", "bytes for messages");
	buf_release(&b);
	return tap_done();
}
