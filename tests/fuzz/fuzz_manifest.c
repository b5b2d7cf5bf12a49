/* Any bytes as a task line, a list of inputs, a root, a class and a job file; what is accepted is
 * written and reads back to the same bytes. */
#include "fuzz.h"

#include "base/base.h"
#include "model/jobfile.h"
#include "model/manifest.h"

static void task(struct str text)
{
	struct arena a = ARENA_INIT;
	struct buf once = BUF_INIT, again = BUF_INIT;
	struct task_spec t;
	struct err err = ERR_INIT;

	if (manifest_parse_task(&a, text, &t, &err) == 0) {
		manifest_add_task(&once, &t);
		MUST(manifest_parse_task(&a, buf_str(&once), &t, &err) == 0);
		manifest_add_task(&again, &t);
		MUST(once.n == again.n && memcmp(once.p, again.p, once.n) == 0);
	} else {
		MUST(err.code == ERR_IO);
	}
	buf_release(&once);
	buf_release(&again);
	arena_release(&a);
}

static void root(struct str text)
{
	struct arena a = ARENA_INIT;
	struct buf once = BUF_INIT, again = BUF_INIT;
	struct root r;
	struct err err = ERR_INIT;

	if (manifest_parse_root(&a, text, &r, &err) == 0) {
		manifest_add_root(&once, &r);
		MUST(manifest_parse_root(&a, buf_str(&once), &r, &err) == 0);
		manifest_add_root(&again, &r);
		MUST(once.n == again.n && memcmp(once.p, again.p, once.n) == 0);
	}
	buf_release(&once);
	buf_release(&again);
	arena_release(&a);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena a = ARENA_INIT;
	struct inputs inputs;
	struct jobfile j;
	struct class c;
	struct err err = ERR_INIT;
	char *copy;

	if (!size)
		return 0;
	struct str text = { (const char *)data + 1, size - 1 };

	switch (data[0] % 5) {
	case 0: task(text); break;
	case 1: root(text); break;
	case 2: (void)manifest_parse_inputs(&a, text, &inputs, &err); break;
	case 3:
		(void)jobfile_parse("fuzz", text, &j, &err);
		jobfile_release(&j);
		break;
	default:
		copy = xstrndup(text.p, text.n);
		(void)class_parse_json(copy, &c, &err);
		free(copy);
		break;
	}
	arena_release(&a);
	return 0;
}
