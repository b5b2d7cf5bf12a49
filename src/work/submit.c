#include "work/submit.h"

#include <fcntl.h>
#include <unistd.h>

#include "base/base.h"
#include "base/clock.h"
#include "base/id.h"
#include "sys/bell.h"
#include "sys/file.h"
#include "work/results.h"
#include "work/submit_rerun.h"
#include "work/submit_store.h"

enum { ID_TRIES = 100 };

struct submission {
	const struct submit_target *to;
	const struct submit_spec *spec;
	struct submit_result *out;
	struct plan plan;
	struct job old;      /* the job that has the id; born 0: none */
	struct rerun *rerun;
	struct results *prepared, *earlier;
	char list[SHA256_HEX_SIZE]; /* of the common inputs */
	int64_t since_ms;    /* when the first byte was stored */
	int64_t changed;     /* kept although changed */
	bool announced;
};

static void say(const struct submission *s, enum submit_event ev, const char *text, int64_t n,
		int64_t bytes)
{
	if (s->to->fn)
		s->to->fn(s->to->ctx, ev, text, n, bytes);
}

static int check_stop(const struct submission *s, struct err *err)
{
	if (s->to->stop && s->to->stop(s->to->ctx))
		return err_set(err, ERR_INTERRUPTED, "interrupted");
	return 0;
}

/* ---- the id -------------------------------------------------------------------------------------- */

static int count_claimed(void *ctx, const char *label, int64_t count)
{
	int64_t *claimed = ctx;

	if (strcmp(label, "claimed") == 0)
		*claimed += count;
	return 0;
}

static int taken(const char *id, struct err *err)
{
	return err_set(err, ERR_CONFLICT, "Existing job with id \"%s\", aborting!", id);
}

static int held(const char *id, struct err *err)
{
	return err_set(err, ERR_CONFLICT,
		       "job \"%s\" has running tasks: wait for it, or kubeque kill %s first", id, id);
}

/* Looks up the id, so that a refusal comes before any work; bind decides. */
static int look_up_id(struct submission *s, struct err *err)
{
	const char *why = job_id_fault(s->spec->id);
	int64_t claimed = 0;
	int got;

	if (why)
		return err_set(err, ERR_USAGE, "job id \"%.120s\": %s", s->spec->id, why);
	memcpy(s->out->id, s->spec->id, strlen(s->spec->id) + 1);
	if (!s->to->queue)
		return 0;
	got = queue_job_by_id(s->to->queue, s->spec->id, &s->old, err);
	if (got <= 0) {
		s->old.born = 0;
		return got;
	}
	if (s->spec->mode == SUBMIT_NEW)
		return taken(s->spec->id, err);
	if (queue_counts(s->to->queue, s->old.born, count_claimed, &claimed, err) < 0)
		return -1;
	return claimed ? held(s->spec->id, err) : 0;
}

/* "20170915-094948-3f0a", one that is free now. */
static int draw_id(struct submission *s, struct err *err)
{
	char stamp[16], hex[5];

	for (int i = 0; i < ID_TRIES; i++) {
		struct job other;
		int got = 0;

		clock_format_id(clock_wall_ms(), stamp);
		id_hex(hex, 2);
		snprintf(s->out->id, sizeof(s->out->id), "%s-%s", stamp, hex);
		if (s->to->queue)
			got = queue_job_by_id(s->to->queue, s->out->id, &other, err);
		if (got <= 0)
			return got;
		job_release(&other);
	}
	return err_set(err, ERR_CONFLICT, "no free job id was found, give one with -n");
}

/* ---- inputs --------------------------------------------------------------------------------------- */

static void on_input(void *ctx, enum inputs_event ev, const char *src, int64_t size)
{
	static const enum submit_event event[] = {
		[INPUTS_PRESENT] = SUBMIT_EV_PRESENT,
		[INPUTS_UPLOADED] = SUBMIT_EV_UPLOADED,
		[INPUTS_MISSING] = SUBMIT_EV_MISSING,
	};

	say(ctx, event[ev], src, 0, size);
}

static bool on_stop(void *ctx)
{
	const struct submission *s = ctx;

	return s->to->stop && s->to->stop(s->to->ctx);
}

static void open_cache(struct submission *s)
{
	char *path = s->to->home ? xasprintf("%s/hashes.db", s->to->home) : NULL;

	s->plan.cache = hash_cache_open(path);
	free(path);
}

static int store_set(struct submission *s, struct input_set *set, char *list, struct err *err)
{
	struct inputs_store in = { .cas = s->to->cas, .fn = on_input,
				   .ctx = s, .stop = on_stop, .dry_run = s->spec->dry_run };

	if (inputs_count(set) == 0)
		return 0;
	if (!s->plan.cache)
		open_cache(s);
	in.cache = s->plan.cache;
	if (inputs_store(set, &in, err) < 0)
		return -1;
	s->out->upload_files += in.uploaded_files;
	s->out->upload_bytes += in.uploaded_bytes;
	s->out->files += in.uploaded_files + in.present_files;
	s->out->bytes += in.uploaded_bytes + in.present_bytes;
	if (list)
		memcpy(list, in.list, SHA256_HEX_SIZE);
	return 0;
}

/* ---- rows of which some are kept ---------------------------------------------------------------- */

struct batch {
	struct task_new row[MANIFEST_CHUNK];
	struct attempt kept[MANIFEST_CHUNK];
	size_t n;
	int64_t first;
};

static int flush(struct submission *s, struct batch *b, struct err *err)
{
	int ret = 0;

	if (b->n)
		ret = queue_submit_add(s->to->queue, s->out->born, b->first, b->row, b->n, err);
	for (size_t i = 0; i < b->n; i++) {
		if (b->row[i].kept)
			attempt_release(&b->kept[i]);
	}
	b->first += (int64_t)b->n;
	b->n = 0;
	return ret < 0 ? -1 : check_stop(s, err);
}

/* Carries the result of an earlier task over: 1, or 0: it is not there any more. */
static int carry_over(struct submission *s, int64_t old_n, int64_t k, int64_t n,
		      struct attempt *a, struct err *err)
{
	int got = queue_attempt_get(s->to->queue, s->old.born, old_n, k, a, err);

	if (got <= 0)
		return got;
	if (a->result_sha256[0]) {
		if (!s->earlier)
			got = 0;
		else
			got = results_prepare_keep(s->prepared, s->earlier, old_n, k, n,
						   a->result_sha256, &a->result_bytes, err);
	}
	a->job = s->out->born;
	a->n = n;
	if (got <= 0)
		attempt_release(a);
	return got;
}

static int store_kept(struct submission *s, struct chunker *c, struct err *err)
{
	struct batch *b = xcalloc(1, sizeof(*b));
	bool any = s->spec->mode == SUBMIT_RERUN_ANY, changed;
	int ret, got;

	b->first = 1;
	while ((ret = chunker_next(c, err)) > 0) {
		int64_t old_n, k;
		int class = s->plan.task_class ? s->plan.task_class[c->n - 1] : 0;

		b->row[b->n] = (struct task_new){ .class = class };
		got = rerun_match(s->rerun, &c->maker.task, class, any, &old_n, &k, &changed);
		if (got)
			got = carry_over(s, old_n, k, c->n, &b->kept[b->n], err);
		if (got < 0) {
			ret = -1;
			break;
		}
		if (got) {
			b->row[b->n].kept = &b->kept[b->n];
			s->out->kept++;
			s->changed += changed;
		}
		if (++b->n == MANIFEST_CHUNK && flush(s, b, err) < 0) {
			ret = -1;
			break;
		}
	}
	if (ret == 0)
		ret = flush(s, b, err);
	for (size_t i = 0; i < b->n; i++) {
		if (b->row[i].kept)
			attempt_release(&b->kept[i]);
	}
	free(b);
	return ret;
}

static int open_results(struct submission *s, const char *dir, struct err *err)
{
	struct results_id was = { queue_uuid(s->to->queue), s->old.born, s->old.id };
	struct results_id is = { queue_uuid(s->to->queue), s->out->born, s->out->id };

	if (results_find(dir, &was, &s->earlier, err) < 0)
		return -1;
	return results_prepare(dir, &is, s->spec->umask, &s->prepared, err);
}

/* The job is visible: what was prepared takes the place of the earlier results. Whoever opens the
 * directory next would do it, but all tasks may have been kept. */
static void put_in_place(struct submission *s, const char *dir)
{
	struct results_id is = { queue_uuid(s->to->queue), s->out->born, s->out->id };
	struct err ignored = ERR_INIT;
	struct results *r = NULL;

	results_close(s->prepared);
	s->prepared = NULL;
	if (results_open(dir, &is, s->spec->umask, &r, &ignored) > 0)
		results_close(r);
}

/* ---- one attempt at storing and binding --------------------------------------------------------- */

static char *results_dir_of(const struct submission *s)
{
	return xasprintf("%s/%s", s->spec->prefix, s->out->id);
}

static void job_texts(const struct submission *s, struct buf *info, struct buf *classes)
{
	const char *given = s->spec->info ? s->spec->info : "{}";
	char *dir = results_dir_of(s);

	buf_adds(info, "{\"results\":");
	buf_add_json(info, dir, strlen(dir));
	free(dir);
	given += 1; /* behind its "{" */
	while (*given == ' ')
		given++;
	if (*given != '}')
		buf_addch(info, ',');
	buf_adds(info, given);
	buf_addch(classes, '[');
	for (size_t i = 0; i < s->plan.n_classes; i++) {
		if (i)
			buf_addch(classes, ',');
		class_add_json(classes, &s->plan.classes[i]);
	}
	buf_addch(classes, ']');
}

static int begin(struct submission *s, struct err *err)
{
	const struct submit_spec *spec = s->spec;
	struct buf info = BUF_INIT, classes = BUF_INIT;
	struct job_new j = { .id = s->out->id, .user = spec->user, .cluster = spec->cluster,
			     .secret = spec->secret ? spec->secret : "",
			     .policy = spec->policy ? spec->policy : "",
			     .priority = spec->priority, .max_running = spec->max_running,
			     .t = clock_wall_ms() };
	int ret;

	job_texts(s, &info, &classes);
	j.info = info.p;
	j.classes = classes.p;
	ret = queue_submit_begin(s->to->queue, &j, &s->out->born, err);
	buf_release(&info);
	buf_release(&classes);
	return ret;
}

static int bind_job(struct submission *s, const char *root, struct err *err)
{
	struct bind b = { .born = s->out->born, .n = s->plan.n, .root = root,
			  .replace = s->old.born, .op = id_u64() };
	int got;

	if (check_stop(s, err) < 0)
		return -1;
	do {
		got = queue_submit_bind(s->to->queue, &b, err);
	} while (got < 0 && err->code == ERR_BUSY && check_stop(s, err) == 0);
	if (got < 0)
		return -1;
	switch ((enum bind_result)got) {
	case BIND_DONE:
		return 0;
	case BIND_TAKEN:
		return taken(s->out->id, err);
	case BIND_HELD:
		return held(s->out->id, err);
	case BIND_GONE:
		break;
	}
	return err_set(err, ERR_CONFLICT, "the submission was removed before it was complete "
		       "(kubeque clean): submit it again");
}

static int store_root_and_bind(struct submission *s, struct chunker *c, struct err *err)
{
	char root[SHA256_HEX_SIZE];

	if (store_root(c, s->list, root, err) < 0 ||
	    store_renew(c, s->since_ms, s->list, root, err) < 0)
		return -1;
	return bind_job(s, root, err);
}

static int store_all(struct submission *s, struct chunker *c, struct err *err)
{
	char *dir;
	int ret = -1;

	if (!s->rerun)
		return store_tasks(c, s->out->born, err) < 0 ? -1 : store_root_and_bind(s, c, err);
	dir = results_dir_of(s);
	if (open_results(s, dir, err) == 0 &&
	    rerun_begin(s->rerun, &s->plan, s->list, err) == 0 &&
	    store_kept(s, c, err) == 0 && store_root_and_bind(s, c, err) == 0) {
		put_in_place(s, dir);
		ret = 0;
	}
	free(dir);
	return ret;
}

static void announce(struct submission *s, const struct chunker *c)
{
	if (!s->announced)
		say(s, SUBMIT_EV_SUBMITTING, s->out->id, 0, 0);
	s->announced = true;
	if (!c)
		return;
	for (int64_t done = 0; done < s->plan.n; done += MANIFEST_CHUNK)
		say(s, SUBMIT_EV_BATCH, NULL, MIN(s->plan.n - done, MANIFEST_CHUNK), 0);
	say(s, SUBMIT_EV_SAVED, NULL, s->plan.n, 0);
	if (s->rerun)
		say(s, SUBMIT_EV_KEPT, NULL, s->out->kept, 0);
	if (s->changed)
		say(s, SUBMIT_EV_KEPT_CHANGED, NULL, s->changed, 0);
}

static int store_once(struct submission *s, struct err *err)
{
	struct err ignored = ERR_INIT;
	struct chunker c;
	int ret;

	if (begin(s, err) < 0)
		return -1;
	/* A large job says its name before it is stored; a small one when it is there. */
	if (s->plan.n > STORE_BATCH)
		announce(s, NULL);
	chunker_init(&c, &s->plan, s->to->cas);
	ret = store_all(s, &c, err);
	if (ret < 0) {
		if (s->prepared)
			(void)results_prepare_abort(s->prepared, &ignored);
		(void)queue_submit_abort(s->to->queue, s->out->born, &ignored);
		s->out->born = 0;
	} else {
		announce(s, &c);
	}
	chunker_release(&c);
	return ret;
}

static void wake_nodes(const char *home)
{
	struct err ignored = ERR_INIT;
	int homefd, bells;

	if (!home)
		return;
	homefd = open(home, O_DIRECTORY | O_RDONLY | O_CLOEXEC);
	if (homefd < 0)
		return;
	bells = bell_dir(homefd, &ignored);
	if (bells >= 0) {
		(void)bell_ring_all(bells, "n.");
		close(bells);
	}
	close(homefd);
}

/* ---- all of it ------------------------------------------------------------------------------------- */

static int store(struct submission *s, struct err *err)
{
	bool drawn = !s->spec->id;

	size_t inputs = inputs_count(s->plan.inputs) + inputs_count(s->plan.pool);

	s->since_ms = clock_mono_ms();
	if (inputs)
		say(s, SUBMIT_EV_INPUTS, NULL, (int64_t)inputs,
		    inputs_bytes(s->plan.inputs) + inputs_bytes(s->plan.pool));
	if (store_set(s, s->plan.inputs, s->list, err) < 0 ||
	    store_set(s, s->plan.pool, NULL, err) < 0)
		return -1;
	if (s->spec->dry_run)
		return 0;
	if (s->plan.cache)
		hash_cache_save(s->plan.cache);
	for (int i = 0;; i++) {
		if (store_once(s, err) == 0)
			break;
		/* Somebody drew the same id in the same second and was first. */
		if (!drawn || err->code != ERR_CONFLICT || i == ID_TRIES)
			return -1;
		if (draw_id(s, err) < 0 || rows_rewind(&s->plan.rows, err) < 0)
			return -1;
		s->announced = false;
	}
	wake_nodes(s->to->home);
	return 0;
}

static int run(struct submission *s, struct err *err)
{
	const struct submit_spec *spec = s->spec;

	if ((spec->id ? look_up_id(s, err) : draw_id(s, err)) < 0 ||
	    plan_check(&s->plan, err) < 0)
		return -1;
	s->out->n = s->plan.n;
	if (s->old.born && (spec->mode == SUBMIT_RERUN || spec->mode == SUBMIT_RERUN_ANY) &&
	    !spec->dry_run && rerun_open(s->to, &s->old, &s->rerun, err) < 0)
		return -1;
	return store(s, err);
}

int submit_run(const struct submit_target *to, const struct submit_spec *spec,
	       struct submit_result *out, struct err *err)
{
	struct submission s = { .to = to, .spec = spec, .out = out };
	int ret;

	*out = (struct submit_result){ .born = 0 };
	ret = plan_open(&s.plan, to, spec, err);
	if (ret == 0)
		ret = run(&s, err);
	rerun_close(s.rerun);
	if (s.prepared)
		results_close(s.prepared);
	if (s.earlier)
		results_close(s.earlier);
	if (s.old.born)
		job_release(&s.old);
	plan_close(&s.plan);
	return ret;
}
