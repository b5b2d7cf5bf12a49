#include "script/out.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/base.h"
#include "base/buf.h"
#include "base/log.h"
#include "base/str.h"

enum { OUT_SIZE = 1 << 16, EXIT_PIPE = 141 };

static struct buf pending = BUF_INIT;
static struct buf live = BUF_INIT;
static int tty = -1;

static int write_all(const char *p, size_t n, struct err *err)
{
	while (n > 0) {
		ssize_t k = write(STDOUT_FILENO, p, n);

		if (k < 0 && errno == EINTR)
			continue;
		if (k < 0 && errno == EPIPE) {
			term_live("", 0);
			_exit(EXIT_PIPE);
		}
		if (k < 0)
			return err_sys(err, "cannot write to stdout");
		p += k;
		n -= (size_t)k;
	}
	return 0;
}

int out_flush(struct err *err)
{
	int ret = pending.n ? write_all(pending.p, pending.n, err) : 0;

	buf_clear(&pending);
	return ret;
}

/* For os.exit() of a script. */
static void flush_at_exit(void)
{
	struct err err = ERR_INIT;

	(void)out_flush(&err);
}

int out_write(const char *p, size_t n, struct err *err)
{
	if (tty < 0) {
		tty = isatty(STDOUT_FILENO);
		(void)atexit(flush_at_exit);
	}
	if (tty && live.n) { /* the line steps aside, data scrolls by, the line comes back */
		struct buf text = BUF_INIT;
		int ret;

		buf_addstr(&text, buf_str(&live));
		term_live("", 0);
		buf_add(&pending, p, n);
		ret = out_flush(err);
		if (n && p[n - 1] == '\n')
			term_live(text.p, text.n);
		buf_release(&text);
		return ret;
	}
	buf_add(&pending, p, n);
	if (pending.n >= OUT_SIZE || (tty && n && p[n - 1] == '\n'))
		return out_flush(err);
	return 0;
}

int term_width(void)
{
	const char *text = getenv("COLUMNS");
	struct winsize size;
	int64_t n;

	if (text && str_to_i64(text, 1, 10000, &n))
		return (int)n;
	if (ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0)
		return size.ws_col;
	return 80;
}

/* Bytes of the longest start of the text that fits the width, with every sequence ESC [ ... m
 * counting nothing. */
static size_t fit(const char *p, size_t n, int width)
{
	size_t i = 0;
	int columns = 0;

	while (i < n) {
		size_t len;

		if (p[i] == '\033' && i + 1 < n && p[i + 1] == '[') {
			for (i += 2; i < n && !(p[i] >= '@' && p[i] <= '~'); i++)
				continue;
			i += i < n;
			continue;
		}
		if (++columns >= width) /* the last column stays free: no wrapping */
			break;
		len = utf8_len(p + i, n - i);
		i += len ? len : 1;
	}
	return i;
}

int term_live_width(void)
{
	struct winsize size;
	int width = term_width();

	if (ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0)
		return MIN(width, (int)size.ws_col);
	return width;
}

/*
 * The cursor rests at the start of the line. A terminal that is made narrower folds the line and
 * keeps the cursor where its first character went, so that erasing from there to the end of the
 * screen takes all of it.
 */
static void draw(void)
{
	struct buf b = BUF_INIT;

	buf_adds(&b, "\r");
	buf_add(&b, live.p, fit(live.p, live.n, term_live_width()));
	buf_adds(&b, "\033[m\033[J\r");
	(void)!write(STDERR_FILENO, b.p, b.n);
	buf_release(&b);
}

static void erase(void)
{
	static const char text[] = "\r\033[J";

	(void)!write(STDERR_FILENO, text, sizeof(text) - 1);
}

static void guard(void *ctx, bool begin)
{
	(void)ctx;
	if (!live.n)
		return;
	if (begin)
		erase();
	else
		draw();
}

void term_live(const char *text, size_t n)
{
	static bool guarded;

	if (!n) {
		if (live.n)
			erase();
		buf_clear(&live);
		return;
	}
	if (!guarded) {
		log_set_guard(guard, NULL);
		guarded = true;
	}
	buf_clear(&live);
	buf_add(&live, text, n);
	draw();
}
