#include "work/result_json.h"

#include <stdio.h>

#include "base/base.h"
#include "base/clock.h"

void result_return_code(char *out, int exit_code, int signal)
{
	char name[24];

	if (signal)
		(void)snprintf(out, 40, "signaled(%s)", signal_name(signal, name, sizeof(name)));
	else if (exit_code >= 0)
		(void)snprintf(out, 40, "%d", exit_code);
	else
		*out = '\0';
}

static void add_text(struct buf *out, const char *key, const char *value)
{
	buf_adds(out, key);
	buf_add_json(out, value, strlen(value));
}

static void add_num(struct buf *out, const char *key, int64_t value)
{
	buf_adds(out, key);
	buf_addi(out, value);
}

/* Microseconds as seconds with six decimals. */
static void add_seconds(struct buf *out, const char *key, int64_t us)
{
	char t[8];
	int64_t rest = us % 1000000;

	add_num(out, key, us / 1000000);
	t[0] = '.';
	for (int i = 6; i >= 1; i--) {
		t[i] = (char)('0' + rest % 10);
		rest /= 10;
	}
	buf_add(out, t, 7);
}

static void add_time(struct buf *out, const char *key, int64_t wall_ms)
{
	char t[CLOCK_RFC3339_SIZE];

	clock_format_utc(wall_ms, t);
	buf_adds(out, key);
	buf_addch(out, '"');
	buf_adds(out, t);
	buf_addch(out, '"');
}

static void add_files(struct buf *out, const struct result_json *r)
{
	const struct stage *s = r->stage;

	buf_adds(out, ",\"files\":[");
	for (size_t i = 0; s && i < s->files.n; i++) {
		const struct stage_file *f = &s->files.p[i];
		struct buf url = BUF_INIT;

		add_text(out, i ? ",{\"src\":" : "{\"src\":", f->src);
		buf_adds(&url, r->ctx->results_dir);
		buf_addch(&url, '/');
		buf_addi(&url, r->attempt->n);
		buf_addch(&url, '/');
		buf_adds(&url, f->dst);
		add_text(out, ",\"dst_url\":", url.p);
		buf_release(&url);
		add_num(out, ",\"bytes\":", f->bytes);
		add_text(out, ",\"sha256\":", f->sha256);
		buf_addch(out, '}');
	}
	buf_addch(out, ']');
	if (!s || !s->skipped.n)
		return;
	buf_adds(out, ",\"skipped\":[");
	for (size_t i = 0; i < s->skipped.n; i++) {
		add_text(out, i ? ",{\"src\":" : "{\"src\":", s->skipped.p[i].src);
		add_text(out, ",\"reason\":", s->skipped.p[i].why);
		buf_addch(out, '}');
	}
	buf_addch(out, ']');
}

static void add_usage(struct buf *out, const struct attempt *a)
{
	add_seconds(out, ",\"resource_usage\":{\"user_cpu_time\":", a->user_us);
	add_seconds(out, ",\"system_cpu_time\":", a->system_us);
	add_num(out, ",\"max_memory_size\":", a->max_memory);
	add_num(out, ",\"block_input_ops\":", a->block_in);
	add_num(out, ",\"block_output_ops\":", a->block_out);
	add_seconds(out, ",\"elapsed\":", a->elapsed_us);
	buf_addch(out, '}');
}

void result_json_add(struct buf *out, const struct result_json *r)
{
	const struct attempt *a = r->attempt;
	char code[40];

	buf_grow(out, 1024);
	buf_adds(out, r->ctx->json_head);
	buf_addi(out, a->n);
	add_num(out, ",\"attempt\":", a->k);
	buf_adds(out, ",\"name\":\"");
	buf_addi(out, a->job);
	buf_addch(out, '.');
	buf_addi(out, a->k);
	buf_addch(out, '.');
	buf_adds(out, a->node);
	add_num(out, "\",\"uid\":", a->job);
	add_text(out, ",\"node\":", a->node);
	if (r->spec) {
		buf_adds(out, ",\"command\":");
		command_add_json(out, r->spec);
		buf_adds(out, ",\"parameters\":");
		pairs_add_json(out, &r->spec->parameters);
	}
	result_return_code(code, a->exit_code, a->signal);
	add_text(out, ",\"return_code\":", code);
	add_text(out, ",\"state\":", a->label);
	if (*a->reason)
		add_text(out, ",\"reason\":", a->reason);
	add_time(out, ",\"started\":", a->started);
	add_time(out, ",\"ended\":", a->ended);
	add_files(out, r);
	add_num(out, ",\"stdout\":{\"bytes\":", r->stdout_bytes);
	if (*r->stdout_sha256)
		add_text(out, ",\"sha256\":", r->stdout_sha256);
	buf_addch(out, '}');
	if (r->work_kept)
		add_text(out, ",\"work_dir\":", r->work_kept);
	add_usage(out, a);
	buf_adds(out, "}\n");
}
