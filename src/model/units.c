#include "model/units.h"

#include <stdbool.h>
#include <stdio.h>

#include "base/base.h"

__extension__ typedef unsigned __int128 wide;

/* A decimal number without sign: whole part, and up to 18 decimals as digits. */
struct decimal {
	uint64_t whole;
	uint64_t frac;   /* of 10^digits */
	int digits;
	bool dropped;    /* digits other than 0 behind the 18th */
};

static const int64_t limit = (int64_t)1 << 62;

/* Moves *pp behind it; false: none there, or too large. */
static bool read_decimal(const char **pp, struct decimal *d)
{
	const char *p = *pp;
	bool any = false;

	*d = (struct decimal){ 0, 0, 0, false };
	for (; *p >= '0' && *p <= '9'; p++, any = true)
		if (__builtin_mul_overflow(d->whole, 10, &d->whole) ||
		    __builtin_add_overflow(d->whole, (uint64_t)(*p - '0'), &d->whole))
			return false;
	if (*p == '.') {
		for (p++; *p >= '0' && *p <= '9'; p++, any = true) {
			if (d->digits == 18) {
				d->dropped |= *p != '0';
				continue;
			}
			d->frac = d->frac * 10 + (uint64_t)(*p - '0');
			d->digits++;
		}
	}
	*pp = p;
	return any;
}

/* d * unit, rounded down; false: above the limit. */
static bool scale(const struct decimal *d, int64_t unit, int64_t *out, bool *exact)
{
	wide v, f = d->frac, ten = 1;

	for (int i = 0; i < d->digits; i++)
		ten *= 10;
	v = (wide)d->whole * (uint64_t)unit;
	f *= (uint64_t)unit;
	*exact = f % ten == 0 && !d->dropped;
	v += f / ten;
	if (v > (wide)limit)
		return false;
	*out = (int64_t)v;
	return true;
}

static const struct {
	const char *suffix;
	int64_t unit;
} memory_units[] = {
	{ "", 1 },
	{ "B", 1 },
	{ "K", 1000 },
	{ "k", 1000 },
	{ "M", 1000000 },
	{ "G", 1000000000 },
	{ "T", 1000000000000 },
	{ "Ki", (int64_t)1 << 10 },
	{ "Mi", (int64_t)1 << 20 },
	{ "Gi", (int64_t)1 << 30 },
	{ "Ti", (int64_t)1 << 40 },
	{ "KB", 1000 },
	{ "kB", 1000 },
	{ "MB", 1000000 },
	{ "GB", 1000000000 },
	{ "TB", 1000000000000 },
	{ "KiB", (int64_t)1 << 10 },
	{ "MiB", (int64_t)1 << 20 },
	{ "GiB", (int64_t)1 << 30 },
	{ "TiB", (int64_t)1 << 40 },
};

int units_memory(const char *text, int64_t *bytes, struct err *err)
{
	struct decimal d;
	const char *p = text;
	bool exact;

	if (*p == '-')
		return err_set(err, ERR_USAGE, "memory \"%.60s\" is negative", text);
	if (!read_decimal(&p, &d))
		goto bad;
	for (size_t i = 0; i < ARRAY_SIZE(memory_units); i++) {
		if (strcmp(p, memory_units[i].suffix) != 0)
			continue;
		if (!scale(&d, memory_units[i].unit, bytes, &exact))
			return err_set(err, ERR_USAGE, "memory \"%.60s\" is too large", text);
		return 0;
	}
bad:
	return err_set(err, ERR_USAGE,
		       "\"%.60s\" is no amount of memory: write bytes, or a number with K, M, G, T "
		       "or Ki, Mi, Gi, Ti (100M, 1.5G)", text);
}

static const struct {
	const char *suffix;
	int64_t ms;
} duration_units[] = {
	{ "d", 86400000 }, { "h", 3600000 }, { "m", 60000 }, { "s", 1000 }, { "ms", 1 },
};

/* Unit at p: index and length of its suffix; -1: none. The longest wins ("ms" before "m"). */
static int duration_unit(const char *p, size_t *len)
{
	size_t n = strspn(p, "dhms");

	for (size_t i = 0; i < ARRAY_SIZE(duration_units); i++)
		if (strlen(duration_units[i].suffix) == n &&
		    strncmp(p, duration_units[i].suffix, n) == 0) {
			*len = n;
			return (int)i;
		}
	return -1;
}

int units_duration(const char *text, int64_t *ms, struct err *err)
{
	static const int64_t most = (int64_t)36525 * 86400000;
	const char *p = text;
	int64_t sum = 0;
	int before = -1;

	if (*p == '-')
		return err_set(err, ERR_USAGE, "duration \"%.60s\" is negative: 0 means none",
			       text);
	do {
		struct decimal d;
		size_t len = 0;
		int64_t v;
		bool exact;
		int u;

		if (!read_decimal(&p, &d))
			goto bad;
		u = *p ? duration_unit(p, &len) : before < 0 ? 3 : -1;
		if (u < 0 || u <= before) /* larger units first, each once; bare seconds alone */
			goto bad;
		if (!scale(&d, duration_units[u].ms, &v, &exact) || v > most || sum + v > most)
			return err_set(err, ERR_USAGE, "duration \"%.60s\" is above 100 years",
				       text);
		sum += v;
		before = u;
		p += len;
	} while (*p);
	*ms = sum;
	return 0;
bad:
	return err_set(err, ERR_USAGE,
		       "\"%.60s\" is no duration: write seconds, or 90s, 5m, 2h, 1d, 1h30m (0: "
		       "none)",
		       text);
}

int units_milli(const char *text, int64_t *milli, struct err *err)
{
	struct decimal d;
	const char *p = text;
	bool exact;

	if (*p == '-')
		return err_set(err, ERR_USAGE, "amount \"%.60s\" is negative", text);
	if (!read_decimal(&p, &d) || *p)
		return err_set(err, ERR_USAGE,
			       "\"%.60s\" is no amount: write a number such as 2 or 0.5", text);
	if (!scale(&d, 1000, milli, &exact) || *milli > limit / 1000)
		return err_set(err, ERR_USAGE, "amount \"%.60s\" is too large", text);
	if (!exact)
		return err_set(err, ERR_USAGE, "amount \"%.60s\" has more than three decimals",
			       text);
	return 0;
}

/* v / unit with at most three decimals, without trailing zeros. */
static void add_thousandths(struct buf *out, int64_t milli)
{
	int64_t frac = milli % 1000;

	buf_addi(out, milli / 1000);
	if (!frac)
		return;
	buf_addch(out, '.');
	for (int64_t unit = 100; frac; unit /= 10) {
		buf_addch(out, (char)('0' + frac / unit));
		frac %= unit;
	}
}

void units_add_milli(struct buf *out, int64_t milli)
{
	if (milli < 0) {
		buf_addch(out, '-');
		milli = -milli;
	}
	add_thousandths(out, milli);
}

void units_add_bytes(struct buf *out, int64_t bytes)
{
	static const char suffix[] = "KMGTPE";
	int64_t unit = 1000, scaled;
	size_t i = 0;

	if (bytes < 0) {
		buf_addch(out, '-');
		bytes = bytes == INT64_MIN ? INT64_MAX : -bytes;
	}
	if (bytes < 1000) {
		buf_addi(out, bytes);
		return;
	}
	while (bytes / unit >= 1000 && i < 5) {
		unit *= 1000;
		i++;
	}
	scaled = (int64_t)((wide)bytes * 1000 / (wide)unit); /* thousandths of the unit */
	if (scaled >= 100000)
		scaled -= scaled % 1000;
	else if (scaled >= 10000)
		scaled -= scaled % 100;
	else
		scaled -= scaled % 10;
	add_thousandths(out, scaled);
	buf_addch(out, suffix[i]);
}

void units_add_memory(struct buf *out, int64_t bytes)
{
	static const struct {
		const char *suffix;
		int64_t unit;
	} units[] = {
		{ "Ti", (int64_t)1 << 40 }, { "T", 1000000000000 },
		{ "Gi", (int64_t)1 << 30 }, { "G", 1000000000 },
		{ "Mi", (int64_t)1 << 20 }, { "M", 1000000 },
		{ "Ki", (int64_t)1 << 10 }, { "K", 1000 },
	};

	for (size_t i = 0; bytes && i < ARRAY_SIZE(units); i++)
		if (bytes % units[i].unit == 0) {
			buf_addi(out, bytes / units[i].unit);
			buf_adds(out, units[i].suffix);
			return;
		}
	buf_addi(out, bytes);
}

void units_add_duration(struct buf *out, int64_t ms)
{
	bool any = false;

	if (ms < 0) {
		buf_addch(out, '-');
		ms = -ms;
	}
	for (size_t i = 0; i < 3; i++) {
		int64_t v = ms / duration_units[i].ms;

		if (!v)
			continue;
		buf_addi(out, v);
		buf_adds(out, duration_units[i].suffix);
		ms -= v * duration_units[i].ms;
		any = true;
	}
	if (ms || !any) {
		add_thousandths(out, ms);
		buf_addch(out, 's');
	}
}
