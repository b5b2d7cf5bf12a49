/* `-u @list`: one SPEC a line. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/base.h"
#include "cas/inputs_internal.h"
#include "sys/file.h"

enum { LIST_MAX = 256 * 1024 * 1024 };

static bool is_blank(const char *s)
{
	return s[strspn(s, " \t")] == '\0';
}

static int add_lines(struct input_set *in, const char *path, struct buf *text,
		     const struct inputs_chain *chain, struct err *err)
{
	size_t line = 0, begin = text->n >= 3 && memcmp(text->p, "\xef\xbb\xbf", 3) == 0 ? 3 : 0;

	for (size_t at = begin, end; at < text->n; at = end + 1) {
		char *p = text->p + at;
		char *nl = memchr(p, '\n', text->n - at);

		end = nl ? (size_t)(nl - text->p) : text->n;
		line++;
		text->p[end] = '\0';
		if (memchr(p, '\0', end - at))
			return err_set(err, ERR_USAGE, "%s, line %zu: holds a NUL byte", path,
				       line);
		if (end > at && text->p[end - 1] == '\r')
			text->p[end - 1] = '\0';
		if (is_blank(p) || *p == '#')
			continue;
		if (inputs_add_spec(in, p, chain, err) < 0)
			return err_prefix(err, "%s, line %zu", path, line);
	}
	return 0;
}

int inputs_add_list(struct input_set *in, const char *path, const struct inputs_chain *chain,
		    struct err *err)
{
	struct inputs_chain self = { .up = chain };
	struct buf text = BUF_INIT;
	struct stat st;
	int fd, ret = -1;

	if (!*path)
		return err_set(err, ERR_USAGE, "-u @ needs the name of a list: -u @LIST");
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (fd < 0)
		return err_set(err, ERR_USAGE, "cannot read the list %s: %s "
			       "(a file whose name begins with @ is written ./@NAME)", path,
			       strerror(errno));
	if (fstat(fd, &st) < 0) {
		err_sys(err, "cannot read the list %s", path);
		goto out;
	}
	if (!S_ISREG(st.st_mode)) {
		err_set(err, ERR_USAGE, "the list %s is no regular file", path);
		goto out;
	}
	self.dev = st.st_dev;
	self.ino = st.st_ino;
	for (const struct inputs_chain *c = chain; c; c = c->up)
		if (c->dev == self.dev && c->ino == self.ino) {
			err_set(err, ERR_USAGE, "the list %s includes itself", path);
			goto out;
		}
	if (file_read_fd(fd, LIST_MAX, &text, err) < 0)
		err_prefix(err, "%s", path);
	else
		ret = add_lines(in, path, &text, &self, err);
out:
	close(fd);
	buf_release(&text);
	return ret;
}
