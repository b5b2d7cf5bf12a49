/* Amounts, ranges, selectors, sequences. */
#include "model/units.h"

#include "base/base.h"
#include "model/ranges.h"
#include "tap.h"

static void test_memory(void)
{
	static const struct {
		const char *text;
		int64_t want; /* -1: refused */
	} table[] = {
		{ "0", 0 }, { "4096", 4096 }, { "100M", 100000000 }, { "1.5G", 1500000000 },
		{ "2Gi", 2147483648 }, { "1Ki", 1024 }, { "1K", 1000 }, { "1k", 1000 },
		{ "2GB", 2000000000 },
		{ "1.5KiB", 1536 }, { "0.5", 0 }, { "3T", 3000000000000 }, { "2Ti", 2199023255552 },
		{ "0.1G", 100000000 }, { ".5K", 500 },
		{ "5Q", -1 }, { "", -1 }, { "M", -1 }, { "-1", -1 }, { "1 G", -1 }, { " 1", -1 },
		{ "1e9", -1 }, { "0x10", -1 }, { "1,5G", -1 }, { "9999999T", -1 }, { "nan", -1 },
		{ "99999999999999999999999", -1 }, { "1.2.3", -1 }, { "+1", -1 }, { "1gg", -1 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
		struct err err = ERR_INIT;
		int64_t v = -1;
		int r = units_memory(table[i].text, &v, &err);

		if (table[i].want < 0)
			ok(r < 0 && err.code == ERR_USAGE, "memory \"%s\": %s", table[i].text,
			   err.text);
		else
			is_int(r < 0 ? -1 : v, table[i].want, "memory %s", table[i].text);
	}
}

static void test_durations(void)
{
	static const struct {
		const char *text;
		int64_t want;
	} table[] = {
		{ "90", 90000 }, { "90s", 90000 }, { "5m", 300000 }, { "2h", 7200000 },
		{ "1d", 86400000 },
		{ "1h30m", 5400000 }, { "0", 0 }, { "0.5", 500 }, { "500ms", 500 },
		{ "1.5h", 5400000 },
		{ "1d2h3m4s5ms", 93784005 }, { "0s", 0 },
		{ "-1", -1 }, { "", -1 }, { "1m1h", -1 }, { "1m1m", -1 }, { "1h30", -1 },
		{ "5x", -1 },
		{ "s", -1 }, { "1 h", -1 }, { "99999999999", -1 }, { "inf", -1 }, { "-0", -1 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
		struct err err = ERR_INIT;
		int64_t v = -1;
		int r = units_duration(table[i].text, &v, &err);

		if (table[i].want < 0)
			ok(r < 0 && err.code == ERR_USAGE, "duration \"%s\": %s", table[i].text,
			   err.text);
		else
			is_int(r < 0 ? -1 : v, table[i].want, "duration %s", table[i].text);
	}
}

static void shows(void (*add)(struct buf *, int64_t), int64_t v, const char *want)
{
	struct buf b = BUF_INIT;

	add(&b, v);
	is_str(b.p, want, "%lld is shown as %s", (long long)v, want);
	buf_release(&b);
}

static void test_formats(void)
{
	struct err err = ERR_INIT;
	int64_t v = 0;

	shows(units_add_bytes, 0, "0");
	shows(units_add_bytes, 999, "999");
	shows(units_add_bytes, 1500000, "1.5M");
	shows(units_add_bytes, 20000000000, "20G");
	shows(units_add_bytes, 123456, "123K");
	shows(units_add_bytes, 999999, "999K");
	shows(units_add_bytes, INT64_MAX, "9.22E");
	shows(units_add_memory, 2000000000, "2G");
	shows(units_add_memory, 1536 * 1024, "1536Ki");
	shows(units_add_memory, 1500, "1500");
	shows(units_add_memory, 0, "0");
	shows(units_add_duration, 5400000, "1h30m");
	shows(units_add_duration, 90000, "1m30s");
	shows(units_add_duration, 0, "0s");
	shows(units_add_duration, 1500, "1.5s");
	shows(units_add_milli, 1250, "1.25");
	shows(units_add_milli, 500, "0.5");
	shows(units_add_milli, 2000, "2");
	shows(units_add_milli, 1005, "1.005");
	ok(units_milli("0.5", &v, &err) == 0 && v == 500, "half a CPU");
	ok(units_milli("0.0001", &v, &err) < 0, "four decimals are refused: %s", err.text);
	ok(units_milli("-1", &v, &err) < 0 && units_milli("", &v, &err) < 0 &&
	   units_milli("1x", &v, &err) < 0, "what is no number is refused");
	for (int64_t ms = 1; ms < (int64_t)1 << 40; ms = ms * 3 + 1) {
		struct buf b = BUF_INIT;

		units_add_duration(&b, ms);
		if (units_duration(b.p, &v, &err) < 0 || v != ms)
			ok(0, "%s reads back to %lld", b.p, (long long)ms);
		buf_clear(&b);
		units_add_memory(&b, ms);
		if (units_memory(b.p, &v, &err) < 0 || v != ms)
			ok(0, "%s reads back to %lld", b.p, (long long)ms);
		buf_release(&b);
	}
}

static void test_ranges(void)
{
	static const char *const bad[] = { "", ",", "1,", "0", "7-3", "-3", "a", "1 2", "1--2",
					   "1-2-3",
					   "99999999999999999999" };
	struct ranges r;
	struct err err = ERR_INIT;

	ok(ranges_parse(STR("9,3-7,5-8,20-"), &r, &err) == 0, "a list is read");
	is_int(r.n, 2, "what touches is joined");
	ok(ranges_has(&r, 3) && ranges_has(&r, 9) && !ranges_has(&r, 10) && !ranges_has(&r, 2) &&
	   ranges_has(&r, 1000000), "membership");
	ranges_release(&r);
	ok(ranges_has(&r, 5), "an empty set holds everything");
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		ok(ranges_parse(str_of(bad[i]), &r, &err) < 0, "\"%s\" is refused", bad[i]);
}

static void test_seq(void)
{
	static const struct {
		const char *text;
		int64_t first, last, count;
	} fine[] = {
		{ "3", 1, 3, 3 }, { "5..7", 5, 7, 3 }, { "10..1", 10, 1, 10 },
		{ "1..10..3", 1, 10, 4 },
		{ "10..1..3", 10, 1, 4 }, { "10..1..-3", 10, 1, 4 }, { "-2..2", -2, 2, 5 },
		{ "4..4", 4, 4, 1 },
		{ "0..0", 0, 0, 1 }, { "1..100000000", 1, 100000000, 100000000 },
		{ "1..10..4", 1, 9, 3 },
	};
	static const char *const bad[] = { "0", "-3", "1..5..0", "100000001", "1..100000001", "a",
					   "", "1.5",
					   "1..", "..5", "1..5..-1", "1..2..3..4", "1...5" };

	for (size_t i = 0; i < ARRAY_SIZE(fine); i++) {
		struct seq s = { 0, 0, 0 };
		struct err err = ERR_INIT;

		ok(seq_parse(fine[i].text, &s, &err) == 0 && s.first == fine[i].first &&
		   s.count == fine[i].count && s.first + (s.count - 1) * s.step == fine[i].last,
		   "--seq %s", fine[i].text);
	}
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		struct seq s;
		struct err err = ERR_INIT;

		ok(seq_parse(bad[i], &s, &err) < 0, "--seq \"%s\" is refused: %s", bad[i],
		   err.text);
	}
}

int main(void)
{
	test_memory();
	test_durations();
	test_formats();
	test_ranges();
	test_seq();
	return tap_done();
}
