#include "base/clock.h"

#include "base/base.h"

static int64_t read_ns(clockid_t id)
{
	struct timespec ts;

	(void)clock_gettime(id, &ts);
	return (int64_t)ts.tv_sec * 1000000000 + ts.tv_nsec;
}

int64_t clock_mono_ns(void)
{
	return read_ns(CLOCK_MONOTONIC);
}

int64_t clock_mono_ms(void)
{
	return clock_mono_ns() / 1000000;
}

int64_t clock_wall_ms(void)
{
	return read_ns(CLOCK_REALTIME) / 1000000;
}

static void split(int64_t wall_ms, int64_t *sec, int *ms)
{
	*sec = wall_ms / 1000;
	*ms = (int)(wall_ms % 1000);
	if (*ms < 0) {
		*ms += 1000;
		*sec -= 1;
	}
}

void clock_format_utc(int64_t wall_ms, char *out)
{
	/* days-to-date by Howard Hinnant's civil_from_days; no libc, no lock, no locale */
	int64_t sec;
	int ms;

	split(wall_ms, &sec, &ms);
	int64_t days = sec / 86400, rest = sec % 86400;
	if (rest < 0) {
		rest += 86400;
		days--;
	}
	days += 719468;
	int64_t era = (days >= 0 ? days : days - 146096) / 146097;
	int64_t doe = days - era * 146097;
	int64_t yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
	int64_t doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
	int64_t mp = (5 * doy + 2) / 153;
	int64_t day = doy - (153 * mp + 2) / 5 + 1;
	int64_t month = mp < 10 ? mp + 3 : mp - 9;
	int64_t year = yoe + era * 400 + (month <= 2);
	const int64_t v[] = { year, month, day, rest / 3600, rest / 60 % 60, rest % 60, ms };
	static const int width[] = { 4, 2, 2, 2, 2, 2, 3 };
	static const char sep[] = "--T::.Z";
	char *p = out;

	for (size_t i = 0; i < ARRAY_SIZE(v); i++) {
		int64_t x = v[i];

		for (int k = width[i] - 1; k >= 0; k--) {
			p[k] = (char)('0' + x % 10);
			x /= 10;
		}
		p += width[i];
		*p++ = sep[i];
	}
	*p = '\0';
}

static void local(int64_t wall_ms, struct tm *tm, int *ms)
{
	int64_t sec;

	split(wall_ms, &sec, ms);
	time_t t = (time_t)sec;
	(void)localtime_r(&t, tm);
}

void clock_format_log(int64_t wall_ms, char *out)
{
	struct tm tm;
	size_t n;
	int ms;

	local(wall_ms, &tm, &ms);
	n = strftime(out, CLOCK_LOG_SIZE - 4, "%Y-%m-%d %H:%M:%S", &tm);
	(void)snprintf(out + n, CLOCK_LOG_SIZE - n, ",%03d", ms);
}

void clock_format_id(int64_t wall_ms, char *out)
{
	struct tm tm;
	int ms;

	local(wall_ms, &tm, &ms);
	(void)strftime(out, 16, "%Y%m%d-%H%M%S", &tm);
}
