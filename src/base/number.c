#include "base/number.h"

#include <locale.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/base.h"

static locale_t c_locale(void)
{
	static locale_t l;

	if (!l)
		l = newlocale(LC_ALL_MASK, "C", (locale_t)0);
	return l;
}

static size_t whole_text(int64_t v, char *out)
{
	return (size_t)snprintf(out, NUMBER_TEXT_SIZE, "%lld", (long long)v);
}

/*
 * v = m / 10^d with few digits, without any arithmetic on decimals: m and 10^d are exact, so the
 * division that gives v is the one that reading "m e-d" does. At most 15 digits: then no other
 * decimal as short reads as v.
 */
static size_t short_text(double v, char *out)
{
	static const double tens[] = { 1e1, 1e2, 1e3, 1e4, 1e5, 1e6 };
	double a = fabs(v);

	if (!(a >= 1e-4 && a < 1e9))
		return 0;
	for (size_t d = 0; d < ARRAY_SIZE(tens); d++) {
		double m = rint(a * tens[d]);
		int64_t digits, whole, rest;

		if (!(m < 1e15) || m / tens[d] != a)
			continue;
		digits = (int64_t)m;
		whole = digits / (int64_t)tens[d];
		rest = digits % (int64_t)tens[d];
		return (size_t)snprintf(out, NUMBER_TEXT_SIZE, "%s%lld.%0*lld", v < 0 ? "-" : "",
					(long long)whole, (int)d + 1, (long long)rest);
	}
	return 0;
}

static bool reads_back(const char *text, double v)
{
	return strtod_l(text, NULL, c_locale()) == v;
}

/* Adds one to the last digit of a text of %.*e form: false when that would carry into a new one. */
static bool next_digit(char *text)
{
	char *p = strchr(text, 'e');

	while (--p >= text) {
		if (*p == '.' || *p == '-')
			continue;
		if (*p != '9') {
			(*p)++;
			return true;
		}
		*p = '0';
	}
	return false;
}

/* The fewest digits, at least `from`, as %e text. Rounding to n digits gives the nearest decimal of
 * n digits; where the gap to the next double below is half of that above (powers of two) the one
 * above it may read back when the nearest does not. */
static void fewest_digits(double v, int from, char *text)
{
	for (int n = from;; n++) {
		(void)snprintf(text, NUMBER_TEXT_SIZE, "%.*e", n - 1, v);
		if (reads_back(text, v) || n == 17 || (next_digit(text) && reads_back(text, v)))
			return;
	}
}

/* From %e text: with a point in the middle up to 16 digits before it and three zeros behind it,
 * else with an exponent; without zeros at the end. */
static size_t layout(const char *from, char *out)
{
	const char *e = strchr(from, 'e');
	long exponent = strtol(e + 1, NULL, 10);
	char digits[NUMBER_TEXT_SIZE] = "0";
	const char *sign = *from == '-' ? "-" : "";
	int n = 0;

	for (const char *p = from; p < e; p++)
		if (*p >= '0' && *p <= '9')
			digits[n++] = *p;
	while (n > 1 && digits[n - 1] == '0')
		n--;
	if (exponent < -4 || exponent >= 16)
		n = snprintf(out, NUMBER_TEXT_SIZE, "%s%c%s%.*se%+03ld", sign, digits[0],
			     n > 1 ? "." : "", n - 1, digits + 1, exponent);
	else if (exponent < 0)
		n = snprintf(out, NUMBER_TEXT_SIZE, "%s0.%.*s%.*s", sign, (int)-exponent - 1, "000",
			     n, digits);
	else if (n > exponent + 1)
		n = snprintf(out, NUMBER_TEXT_SIZE, "%s%.*s.%.*s", sign, (int)exponent + 1, digits,
			     n - (int)exponent - 1, digits + exponent + 1);
	else
		n = snprintf(out, NUMBER_TEXT_SIZE, "%s%.*s%.*s", sign, n, digits,
			     (int)exponent + 1 - n, "0000000000000000");
	return (size_t)n;
}

size_t number_text(double v, char out[NUMBER_TEXT_SIZE])
{
	char digits[NUMBER_TEXT_SIZE];
	locale_t before;
	size_t n;

	out[0] = '\0';
	if (!isfinite(v))
		return 0;
	if (v == rint(v) && fabs(v) < 0x1p53 && !(v == 0 && signbit(v)))
		return whole_text((int64_t)v, out);
	n = short_text(v, out);
	if (n)
		return n;
	/* a subnormal number has fewer than 15 significant digits */
	before = uselocale(c_locale());
	fewest_digits(v, fabs(v) < 0x1p-1022 ? 1 : 15, digits);
	uselocale(before);
	return layout(digits, out);
}
