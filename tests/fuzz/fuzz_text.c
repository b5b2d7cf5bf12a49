/* Any bytes as an amount, a range, a sequence, a path, an id. */
#include "fuzz.h"

#include "base/base.h"
#include "model/class.h"
#include "model/path.h"
#include "model/ranges.h"
#include "model/task.h"
#include "model/units.h"

static void amounts(const char *s)
{
	struct err err = ERR_INIT;
	struct buf b = BUF_INIT;
	int64_t v, w;

	if (units_memory(s, &v, &err) == 0) {
		units_add_memory(&b, v);
		MUST(units_memory(b.p, &w, &err) == 0 && v == w);
	}
	buf_clear(&b);
	if (units_duration(s, &v, &err) == 0) {
		units_add_duration(&b, v);
		MUST(units_duration(b.p, &w, &err) == 0 && v == w);
	}
	buf_clear(&b);
	if (units_milli(s, &v, &err) == 0) {
		units_add_milli(&b, v);
		MUST(units_milli(b.p, &w, &err) == 0 && v == w);
	}
	buf_release(&b);
}

static void sets(const char *s)
{
	struct err err = ERR_INIT;
	struct resources r = { .cpu = 0 }, again = { .cpu = 0 };
	struct seq seq;
	struct buf b = BUF_INIT;

	if (seq_parse(s, &seq, &err) == 0)
		MUST(seq.count > 0 && seq.count <= SEQ_MAX);
	if (resources_parse(s, &r, NULL, &err) == 0) {
		resources_add_json(&b, &r);
		MUST(resources_parse_json(b.p, &again, NULL, &err) == 0);
		MUST(resources_equal(&r, &again));
	}
	(void)job_id_fault(s);
	buf_release(&b);
}

static void paths(struct str s)
{
	struct err err = ERR_INIT;
	struct buf b = BUF_INIT;
	struct str src, dst;
	bool whole;

	if (path_destination(s, &b, &err) == 0)
		MUST(path_is_destination(buf_str(&b)));
	buf_clear(&b);
	path_split_spec(s, &src, &dst);
	if (path_resolve_destination(src, dst, &b, &whole, &err) == 0 && !whole)
		MUST(path_is_destination(buf_str(&b)));
	buf_release(&b);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *s = xstrndup((const char *)data, size);

	amounts(s);
	sets(s);
	paths((struct str){ (const char *)data, size });
	free(s);
	return 0;
}
