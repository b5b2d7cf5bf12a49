#include "base/log.h"

#include <errno.h>
#include <stdarg.h>
#include <unistd.h>

#include "base/base.h"
#include "base/buf.h"
#include "base/clock.h"

static enum log_level level_now = LOG_LEVEL_INFO;
static void (*guard_fn)(void *ctx, bool begin);
static void *guard_ctx;

void log_set_level(enum log_level level)
{
	level_now = level;
}

enum log_level log_get_level(void)
{
	return level_now;
}

void log_set_guard(void (*guard)(void *ctx, bool begin), void *ctx)
{
	guard_fn = guard;
	guard_ctx = ctx;
}

void log_line(enum log_level level, const char *fmt, ...)
{
	char text[4096], stamp[32];
	struct buf line = BUF_INIT;
	int saved = errno;
	va_list ap;

	if (level > level_now)
		return;
	va_start(ap, fmt);
	if (vsnprintf(text, sizeof(text), fmt, ap) < 0)
		text[0] = '\0';
	va_end(ap);
	clock_format_log(clock_wall_ms(), stamp);
	buf_addf(&line, "%s %s\n", stamp, text);
	if (guard_fn)
		guard_fn(guard_ctx, true);
	(void)!write(STDERR_FILENO, line.p, line.n);
	if (guard_fn)
		guard_fn(guard_ctx, false);
	buf_release(&line);
	errno = saved;
}
