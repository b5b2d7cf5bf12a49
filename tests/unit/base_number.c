/* Numbers as text: the shortest that reads back, one value one way. */
#include "base/number.h"

#include <locale.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/base.h"
#include "tap.h"

static void is_text(double v, const char *want)
{
	char out[NUMBER_TEXT_SIZE];
	size_t n = number_text(v, out);

	ok(strcmp(out, want) == 0 && n == strlen(want), "%a is %s (%s)", v, want, out);
}

static uint64_t mix(uint64_t z)
{
	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
	return z ^ (z >> 31);
}

/* The text has as many significant digits as `v` needs: rounded to one less it reads otherwise. */
static bool is_shortest(const char *text, double v)
{
	char shorter[64];
	int digits = 0, zeros = 0;

	for (const char *p = text; *p && *p != 'e'; p++) {
		if (*p < '0' || *p > '9' || (*p == '0' && !digits))
			continue;
		digits++;
		zeros = *p == '0' ? zeros + 1 : 0;
	}
	digits -= strchr(text, '.') ? 0 : zeros;
	if (digits < 2)
		return true;
	snprintf(shorter, sizeof(shorter), "%.*e", digits - 2, v);
	return strtod(shorter, NULL) != v;
}

int main(void)
{
	char out[NUMBER_TEXT_SIZE];
	int bad_reading = 0, too_long = 0;

	is_text(0, "0");
	is_text(-0.0, "-0");
	is_text(1, "1");
	is_text(-17, "-17");
	is_text(100000, "100000");
	is_text(9007199254740991, "9007199254740991");
	is_text(9007199254740992, "9007199254740992");
	is_text(18014398509481984, "1.8014398509481984e+16");
	is_text(0.1, "0.1");
	is_text(0.5, "0.5");
	is_text(-2.25, "-2.25");
	is_text(0.1 + 0.2, "0.30000000000000004");
	is_text(1e-5, "1e-05");
	is_text(1.5e-7, "1.5e-07");
	is_text(0.0001, "0.0001");
	is_text(0.00012345678901234567, "0.00012345678901234567");
	is_text(1e22, "1e+22");
	is_text(1e23, "1e+23");
	is_text(1e100, "1e+100");
	is_text(123456789.123456, "123456789.123456");
	is_text(1.0 / 3, "0.3333333333333333");
	is_text(0x1p-44, "5.684341886080802e-14"); /* the nearest of 16 digits does not read back */
	is_text(5e-324, "5e-324");
	is_text(2.2250738585072014e-308, "2.2250738585072014e-308");
	is_text(1.7976931348623157e308, "1.7976931348623157e+308");
	is_text(2251799813685249.5, "2251799813685249.5");
	is_text(0.999999999999999, "0.999999999999999");
	ok(number_text((double)NAN, out) == 0 && number_text((double)INFINITY, out) == 0,
	   "what is no number has no text");

	for (uint64_t i = 1; i <= 300000; i++) {
		uint64_t bits = mix(i * 0x9e3779b97f4a7c15u);
		double v;

		if (i % 3 == 0) /* powers of two and their neighbours */
			bits = (bits & 0x7ff0000000000000u) | (bits & 1);
		memcpy(&v, &bits, sizeof(v));
		if (i % 3 == 1)
			v = (double)(int64_t)(bits >> 40) / 1000;
		if (!isfinite(v))
			continue;
		bad_reading += number_text(v, out) == 0 || strtod(out, NULL) != v;
		too_long += !is_shortest(out, v);
	}
	ok(bad_reading == 0, "300,000 numbers read back (%d do not)", bad_reading);
	ok(too_long == 0, "none of them has a shorter text (%d have)", too_long);
	if (setlocale(LC_NUMERIC, "de_DE.UTF-8"))
		is_text(1.5e-7, "1.5e-07");
	return tap_done();
}
