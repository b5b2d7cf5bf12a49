#include "work/submit_store.h"

#include <pthread.h>
#include <signal.h>

#include "base/base.h"
#include "base/clock.h"

void chunker_init(struct chunker *c, struct plan *p, struct cas *cas)
{
	*c = (struct chunker){ .plan = p, .cas = cas, .text = BUF_INIT };
	maker_init(&c->maker, p);
}

void chunker_release(struct chunker *c)
{
	maker_release(&c->maker);
	buf_release(&c->text);
	vec_release(&c->chunks);
}

static int put_chunk(struct chunker *c, struct err *err)
{
	struct chunk_name *name;

	if (c->plan->spec->dry_run) {
		buf_clear(&c->text);
		return 0;
	}
	name = vec_push(&c->chunks);
	if (cas_put_bytes(c->cas, c->text.p, c->text.n, name->hex, err) < 0)
		return -1;
	buf_clear(&c->text);
	return 0;
}

int chunker_next(struct chunker *c, struct err *err)
{
	struct row row;
	int ret;

	if (c->n % MANIFEST_CHUNK == 0 && c->text.n && put_chunk(c, err) < 0)
		return -1;
	ret = rows_next(&c->plan->rows, &row, err);
	if (ret < 0)
		return -1;
	if (ret == 0) {
		if (c->text.n && put_chunk(c, err) < 0)
			return -1;
		if (rows_unchanged(&c->plan->rows, err) < 0)
			return -1;
		if (c->n != c->plan->n)
			return err_set(err, ERR_USAGE, "%s changed while it was read, nothing was "
				       "submitted", c->plan->rows.source.name);
		return 0;
	}
	if (maker_make(&c->maker, c->plan, &row, false, err) < 0)
		return -1;
	manifest_add_task(&c->text, &c->maker.task);
	c->n++;
	return 1;
}

static void *chunker_thread(void *arg)
{
	struct chunker *c = arg;

	while ((c->ret = chunker_next(c, &c->err)) > 0) {
		if (c->n % MANIFEST_CHUNK == 0 && atomic_load(&c->cancel))
			break;
	}
	return NULL;
}

static int start_thread(struct chunker *c, pthread_t *thread, struct err *err)
{
	sigset_t all, before;
	int rc;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	rc = pthread_create(thread, NULL, chunker_thread, c);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (rc)
		return err_set(err, ERR_IO, "cannot start a thread: %s", strerror(rc));
	return 0;
}

static int add_rows(const struct plan *p, int64_t born, struct err *err)
{
	const struct submit_target *to = p->to;
	size_t room = (size_t)MIN(p->n, STORE_BATCH);
	struct task_new *batch = xcalloc(room, sizeof(*batch));
	int ret = 0;

	for (int64_t done = 0; done < p->n && ret == 0;) {
		size_t count = (size_t)MIN(p->n - done, (int64_t)room);

		for (size_t i = 0; p->task_class && i < count; i++)
			batch[i].class = p->task_class[(size_t)done + i];
		ret = queue_submit_add(to->queue, born, done + 1, batch, count, err);
		done += (int64_t)count;
		if (ret == 0 && to->stop && to->stop(to->ctx))
			ret = err_set(err, ERR_INTERRUPTED, "interrupted");
		if (ret == 0 && to->fn && p->n > STORE_BATCH)
			to->fn(to->ctx, SUBMIT_EV_PROGRESS, NULL, done, 0);
	}
	free(batch);
	return ret;
}

int store_tasks(struct chunker *c, int64_t born, struct err *err)
{
	pthread_t thread;
	int ret;

	if (c->plan->n <= 2 * MANIFEST_CHUNK) {
		while ((ret = chunker_next(c, err)) > 0)
			;
		return ret < 0 ? -1 : add_rows(c->plan, born, err);
	}
	if (start_thread(c, &thread, err) < 0)
		return -1;
	ret = add_rows(c->plan, born, err);
	if (ret < 0)
		atomic_store(&c->cancel, true);
	pthread_join(thread, NULL);
	if (ret == 0 && c->ret < 0) {
		*err = c->err;
		ret = -1;
	}
	return ret;
}

int store_root(struct chunker *c, const char *inputs_list, char *root_hex, struct err *err)
{
	struct root r = { .n = c->plan->n, .columns = { .p = NULL }, .chunk_size = MANIFEST_CHUNK,
			  .common = c->plan->common };
	struct str *chunk = xcalloc(c->chunks.n + 1, sizeof(*chunk));
	struct buf text = BUF_INIT;
	int ret;

	for (size_t i = 0; i < c->chunks.n; i++)
		chunk[i] = str_of(c->chunks.p[i].hex);
	r.chunks = (struct strs){ chunk, c->chunks.n };
	r.inputs = str_of(inputs_list);
	r.columns = plan_columns(c->plan);
	manifest_add_root(&text, &r);
	ret = cas_put_bytes(c->cas, text.p, text.n, root_hex, err);
	buf_release(&text);
	free(chunk);
	return ret < 0 ? -1 : 0;
}

static int renew(struct chunker *c, const char *hex, struct err *err)
{
	int ret = cas_renew(c->cas, hex, err);

	if (ret == 0)
		return err_set(err, ERR_BUSY, "content of this job was collected while it was "
			       "submitted (kubeque clean --cas): submit it again");
	return ret < 0 ? -1 : 0;
}

int store_renew(struct chunker *c, int64_t since_ms, const char *inputs_list,
		const char *root_hex, struct err *err)
{
	struct inputs_store s = { .cas = c->cas, .cache = c->plan->cache };

	if (clock_mono_ms() - since_ms < CAS_TRUST_MS / 2)
		return 0;
	for (size_t i = 0; i < c->chunks.n; i++) {
		if (renew(c, c->chunks.p[i].hex, err) < 0)
			return -1;
	}
	if (renew(c, root_hex, err) < 0 || (*inputs_list && renew(c, inputs_list, err) < 0))
		return -1;
	if (inputs_count(c->plan->inputs) && inputs_store(c->plan->inputs, &s, err) < 0)
		return -1;
	if (inputs_count(c->plan->pool) && inputs_store(c->plan->pool, &s, err) < 0)
		return -1;
	return 0;
}
