#ifndef TESTS_UNIT_SUBMIT_FIXTURE_H
#define TESTS_UNIT_SUBMIT_FIXTURE_H
/*
 * What tests of submissions need: a queue and a CAS in a directory of their own, which is the
 * working directory, a specification to fill in, and what was stored of it.
 */
#include <fcntl.h>
#include <unistd.h>

#include "base/base.h"
#include "base/vec.h"
#include "sys/file.h"
#include "tap.h"
#include "work/submit.h"

#define HELPER __attribute__((unused)) static

HELPER char top[256];
HELPER struct queue *queue;
HELPER struct cas *cas;
HELPER struct submit_target target;
HELPER struct submit_spec spec;
HELPER struct submit_result result;
HELPER struct err err;
HELPER const char *words[8];
HELPER VEC(char *) lines; /* one for each event */

HELPER void on_event(void *ctx, enum submit_event ev, const char *text, int64_t n, int64_t bytes)
{
	(void)ctx;
	*vec_push(&lines) = xasprintf("%d %s %lld %lld", (int)ev, text ? text : "-",
				      (long long)n, (long long)bytes);
}

HELPER void forget_lines(void)
{
	for (size_t i = 0; i < lines.n; i++)
		free(lines.p[i]);
	lines.n = 0;
}

HELPER void write_file(const char *name, const char *text, mode_t mode)
{
	struct err e = ERR_INIT;

	if (file_write(AT_FDCWD, name, text, strlen(text), mode, false, &e) < 0)
		printf("# %s\n", e.text);
}

HELPER void begin(void)
{
	spec = (struct submit_spec){ .user = "me", .cluster = "local", .prefix = top,
				     .umask = 022 };
	common_init(&spec.common);
	spec.common.image = STR("none");
	spec.common.resources.cpu = 1000;
	target = (struct submit_target){ .queue = queue, .cas = cas, .home = top,
					 .fn = on_event };
	err = (struct err)ERR_INIT;
	forget_lines();
}

HELPER void command(const char *a, const char *b, const char *c)
{
	words[0] = a;
	words[1] = b;
	words[2] = c;
	spec.words = words;
	spec.n_words = c ? 3 : b ? 2 : 1;
}

HELPER void params(const char *path)
{
	spec.rows = SUBMIT_PARAMS;
	spec.path = path;
	spec.format = params_format_of(path);
}

HELPER int submit(void)
{
	return submit_run(&target, &spec, &result, &err);
}

HELPER int count_job(void *ctx, const struct job *j)
{
	(void)j;
	++*(int *)ctx;
	return 0;
}

HELPER int jobs(void)
{
	struct job_filter f = { .pattern = NULL, .states = 0x1f };
	struct err e = ERR_INIT;
	int n = 0;

	queue_jobs(queue, &f, count_job, &n, &e);
	return n;
}

HELPER void refused(const char *says, const char *what)
{
	int before = jobs(), ret = submit();

	ok(ret < 0 && strstr(err.text, says), "refused: %s", what);
	if (ret == 0 || !strstr(err.text, says))
		printf("#   got %d \"%s\", want \"%s\"\n", ret, ret < 0 ? err.text : "", says);
	is_int(jobs(), before, "nothing is left of: %s", what);
}

/* ---- what was stored ------------------------------------------------------------------------- */

HELPER struct arena arena;
HELPER struct root root;

HELPER void read_root(int64_t born)
{
	struct buf text = BUF_INIT;
	struct job j;

	arena_reset(&arena);
	root = (struct root){ .n = 0 };
	if (queue_job_get(queue, born, &j, &err) <= 0)
		return;
	if (cas_get(cas, j.root, 1 << 26, &text, &err) <= 0 ||
	    manifest_parse_root(&arena, buf_str(&text), &root, &err) < 0)
		printf("# %s\n", err.text);
	buf_release(&text);
	job_release(&j);
}

HELPER struct task_spec task(int64_t n)
{
	struct buf text = BUF_INIT;
	struct task_spec t = { .shell = false };
	struct str line;

	if (cas_get(cas, root.chunks.p[(n - 1) / 1000].p, 1 << 28, &text, &err) <= 0 ||
	    !manifest_line(buf_str(&text), (size_t)((n - 1) % 1000), &line) ||
	    manifest_parse_task(&arena, line, &t, &err) < 0)
		printf("# task %lld: %s\n", (long long)n, err.text);
	buf_release(&text);
	return t;
}

/* ---- the program ---- */

HELPER int run_tests(void (*tests)(void))
{
	struct queue_sqlite_options o = { .create = true };
	const char *tmp = getenv("TMPDIR");
	char path[300];

	snprintf(top, sizeof(top), "%s/submit-XXXXXX", tmp ? tmp : "/tmp");
	if (!mkdtemp(top) || chdir(top) < 0)
		return 1;
	snprintf(path, sizeof(path), "%s/queue.db", top);
	o.path = path;
	queue = queue_sqlite_open(&o, &err);
	cas = cas_open_dir("CAS", true, &err);
	if (!queue || !cas) {
		printf("# %s\n", err.text);
		return 1;
	}
	tests();
	forget_lines();
	vec_release(&lines);
	arena_release(&arena);
	queue_close(queue);
	cas_close(cas);
	if (chdir("/") == 0)
		file_rmtree(AT_FDCWD, top, &err);
	return tap_done();
}

#endif
