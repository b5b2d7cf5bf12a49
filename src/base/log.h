#ifndef BASE_LOG_H
#define BASE_LOG_H
/*
 * Lines for people on stderr: `2017-09-15 09:49:48,062 text` (local time, comma, milliseconds).
 * One write(2) a line, so lines of several processes do not mix. A line that cannot be written is
 * dropped. Never pass a secret. Library layers (1 to 5) log at most debug.
 */
#include <stdbool.h>

enum log_level { LOG_LEVEL_ERROR, LOG_LEVEL_WARN, LOG_LEVEL_INFO, LOG_LEVEL_DEBUG };

void log_set_level(enum log_level level); /* default INFO */
enum log_level log_get_level(void);
/* Called before and after each line, so that a live line can step aside; NULL: none. */
void log_set_guard(void (*guard)(void *ctx, bool begin), void *ctx);
void log_line(enum log_level level, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#define log_error(...) log_line(LOG_LEVEL_ERROR, __VA_ARGS__)
#define log_warn(...) log_line(LOG_LEVEL_WARN, __VA_ARGS__)
#define log_info(...) log_line(LOG_LEVEL_INFO, __VA_ARGS__)
#define log_debug(...) log_line(LOG_LEVEL_DEBUG, __VA_ARGS__)

#endif
