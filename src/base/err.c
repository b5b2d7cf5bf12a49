#include "base/err.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/base.h"

__attribute__((format(printf, 2, 0))) static void
set_text(struct err *err, const char *fmt, va_list ap)
{
	int n = vsnprintf(err->text, sizeof(err->text), fmt, ap);

	if (n < 0)
		err->text[0] = '\0';
}

int err_set(struct err *err, enum err_code code, const char *fmt, ...)
{
	int saved = errno;
	va_list ap;

	err->code = code;
	err->sys = 0;
	va_start(ap, fmt);
	set_text(err, fmt, ap);
	va_end(ap);
	errno = saved;
	return -1;
}

int err_sys(struct err *err, const char *fmt, ...)
{
	int saved = errno;
	va_list ap;
	size_t n;

	err->code = saved == ENOSPC || saved == EDQUOT ? ERR_NOSPACE : ERR_IO;
	err->sys = saved;
	va_start(ap, fmt);
	set_text(err, fmt, ap);
	va_end(ap);
	n = strlen(err->text);
	(void)snprintf(err->text + n, sizeof(err->text) - n, ": %s", strerrordesc_np(saved)
		       ? strerrordesc_np(saved) : "unknown error");
	errno = saved;
	return -1;
}

int err_prefix(struct err *err, const char *fmt, ...)
{
	char old[sizeof(err->text)];
	int saved = errno;
	va_list ap;
	size_t n;

	memcpy(old, err->text, sizeof(old));
	va_start(ap, fmt);
	set_text(err, fmt, ap);
	va_end(ap);
	n = strlen(err->text);
	if (n + 2 < sizeof(err->text)) {
		(void)snprintf(err->text + n, sizeof(err->text) - n, ": ");
		n += 2;
		size_t room = sizeof(err->text) - n - 1;
		size_t len = strnlen(old, room);
		memcpy(err->text + n, old, len);
		err->text[n + len] = '\0';
	}
	errno = saved;
	return -1;
}

static const struct {
	enum err_code code;
	int exit_code;
	const char *name;
} codes[] = {
	{ ERR_NONE, 0, "none" },
	{ ERR_USAGE, 2, "usage" },
	{ ERR_NOT_FOUND, 3, "not_found" },
	{ ERR_TIMEOUT, 4, "timeout" },
	{ ERR_CONFIG, 5, "config" },
	{ ERR_CONFLICT, 2, "conflict" },
	{ ERR_BUSY, 6, "busy" },
	{ ERR_NOSPACE, 6, "nospace" },
	{ ERR_IO, 6, "io" },
	{ ERR_SCRIPT, 7, "script" },
	{ ERR_INTERRUPTED, 130, "interrupted" },
};

int err_exit_code(const struct err *err)
{
	return codes[err->code].exit_code;
}

const char *err_code_name(enum err_code code)
{
	return codes[code].name;
}

enum err_code err_code_of(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(codes); i++)
		if (strcmp(codes[i].name, name) == 0)
			return codes[i].code;
	return ERR_IO;
}
