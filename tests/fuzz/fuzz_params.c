/* Any bytes as parameters of any format, read in pieces; what was read as CSV is written and reads
 * back to the same. */
#include "fuzz.h"

#include "base/base.h"
#include "base/buf.h"
#include "model/params.h"

struct source {
	const uint8_t *p;
	size_t n, step;
};

static ssize_t read_source(void *ctx, void *p, size_t n, struct err *err)
{
	struct source *s = ctx;
	size_t k = MIN(MIN(n, s->step), s->n);

	(void)err;
	memcpy(p, s->p, k);
	s->p += k;
	s->n -= k;
	return (ssize_t)k;
}

/* Everything as CSV; false if it was refused. */
static bool as_csv(enum params_format format, const uint8_t *p, size_t n, size_t step,
		   struct buf *out)
{
	struct source s = { p, n, step };
	struct params_options o = { .format = format, .name = "fuzz" };
	struct err err = ERR_INIT;
	struct params *params = params_open(&o, read_source, &s, &err);
	const struct columns *c;
	const struct str *row;
	int got;

	if (!params) {
		MUST(err.code == ERR_USAGE && err.text[0]);
		return false;
	}
	c = params_columns(params);
	csv_add_row(out, c->name, c->n);
	while ((got = params_next(params, &row, &err)) == 1) {
		for (size_t i = 0; i < c->n; i++) {
			MUST(utf8_valid(row[i].p, row[i].n) && !row[i].p[row[i].n]);
			MUST(!memchr(row[i].p, '\0', row[i].n));
		}
		csv_add_row(out, row, c->n);
	}
	params_close(params);
	return got == 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const enum params_format formats[] = { PARAMS_CSV, PARAMS_TSV, PARAMS_JSONL,
						      PARAMS_LINES, PARAMS_JSON };
	struct buf once = BUF_INIT, again = BUF_INIT;

	if (size < 2)
		return 0;
	enum params_format f = formats[data[0] % 5];

	if (as_csv(f, data + 2, size - 2, (size_t)data[1] + 1, &once)) {
		MUST(as_csv(PARAMS_CSV, (const uint8_t *)once.p, once.n, 7, &again));
		MUST(once.n == again.n && memcmp(once.p, again.p, once.n) == 0);
	}
	buf_release(&once);
	buf_release(&again);
	return 0;
}
