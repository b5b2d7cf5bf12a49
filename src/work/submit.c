#include "work/submit.h"

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "base/base.h"
#include "base/clock.h"
#include "base/id.h"
#include "sys/bell.h"
#include "work/submit_impl.h"

enum {
	ID_TRIES = 100,
	TELL_EACH = 20, /* files: more are told in sums */
	TELL_MS = 100,
};

int submission_check_stop(const struct submission *s, struct err *err)
{
	if (s->to->stop && s->to->stop(s->to->ctx))
		return err_set(err, ERR_INTERRUPTED, "interrupted");
	return 0;
}

/* ---- inputs ---------------------------------------------------------------------------------- */

/* Of many files nobody reads a line each: they are told in sums, now and then. */
struct input_sums {
	struct submission *s;
	bool fold;
	int64_t told_ms;
	int64_t n[3], bytes[3]; /* by enum inputs_event */
};

static void tell_inputs(struct input_sums *t, const char *src)
{
	static const enum submit_event event[] = {
		[INPUTS_PRESENT] = SUBMIT_EV_PRESENT,
		[INPUTS_UPLOADED] = SUBMIT_EV_UPLOADED,
		[INPUTS_MISSING] = SUBMIT_EV_MISSING,
	};

	for (size_t i = 0; i < ARRAY_SIZE(event); i++) {
		if (t->n[i])
			submission_say(t->s, event[i], src, t->n[i], t->bytes[i]);
		t->n[i] = t->bytes[i] = 0;
	}
	t->told_ms = clock_mono_ms();
}

static void on_input(void *ctx, enum inputs_event ev, const char *src, int64_t size)
{
	struct input_sums *t = ctx;

	t->n[ev]++;
	t->bytes[ev] += size;
	if (!t->fold || clock_mono_ms() - t->told_ms >= TELL_MS)
		tell_inputs(t, src);
}

static bool on_stop(void *ctx)
{
	const struct input_sums *t = ctx;

	return t->s->to->stop && t->s->to->stop(t->s->to->ctx);
}

static void open_cache(struct submission *s)
{
	char *path = s->to->home ? xasprintf("%s/hashes.db", s->to->home) : NULL;

	s->plan.cache = hash_cache_open(path);
	free(path);
}

static int store_set(struct submission *s, struct input_set *set, char *list, struct err *err)
{
	struct input_sums sums = { .s = s, .fold = inputs_count(set) > TELL_EACH,
				   .told_ms = clock_mono_ms() };
	struct inputs_store in = { .cas = s->to->cas, .fn = on_input, .ctx = &sums,
				   .stop = on_stop, .dry_run = s->spec->dry_run };
	int ret;

	if (inputs_count(set) == 0)
		return 0;
	if (!s->plan.cache)
		open_cache(s);
	in.cache = s->plan.cache;
	ret = inputs_store(set, &in, err);
	tell_inputs(&sums, "");
	if (ret < 0)
		return -1;
	s->out->upload_files += in.uploaded_files;
	s->out->upload_bytes += in.uploaded_bytes;
	s->out->files += in.uploaded_files + in.present_files;
	s->out->bytes += in.uploaded_bytes + in.present_bytes;
	if (list)
		memcpy(list, in.list, SHA256_HEX_SIZE);
	return 0;
}

/* ---- one attempt at storing and binding ------------------------------------------------------ */

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
	if (s->spec->mode == SUBMIT_RERUN_ANY)
		buf_adds(info, ",\"rerun\":\"any\"");
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

	if (submission_check_stop(s, err) < 0)
		return -1;
	do {
		got = queue_submit_bind(s->to->queue, &b, err);
	} while (got < 0 && err->code == ERR_BUSY && submission_check_stop(s, err) == 0);
	if (got < 0)
		return -1;
	switch ((enum bind_result)got) {
	case BIND_DONE:
		return 0;
	case BIND_TAKEN:
		return submission_taken(s->out->id, err);
	case BIND_HELD:
		return submission_held(s->out->id, err);
	case BIND_GONE:
		break;
	}
	return err_set(err, ERR_CONFLICT, "the submission was removed before it was complete "
		       "(kubeque clean): submit it again");
}

/* The job's policies, put or found anew just before it is bound: no collector sees them old. */
static int store_policy(struct submission *s, struct err *err)
{
	const struct submit_spec *spec = s->spec;
	char hex[SHA256_HEX_SIZE];
	int found;

	if (!spec->policy || !*spec->policy)
		return 0;
	if (spec->bundle) {
		if (cas_put_bytes(s->to->cas, spec->bundle, strlen(spec->bundle), hex, err) < 0)
			return -1;
		return strcmp(hex, spec->policy) == 0 ? 0 :
		       err_set(err, ERR_USAGE, "the policies are not what their digest says");
	}
	found = cas_has(s->to->cas, spec->policy, -1, err);
	if (found == 0)
		err_set(err, ERR_USAGE, "there are no policies %s in the CAS", spec->policy);
	return found > 0 ? 0 : -1;
}

static int store_root_and_bind(struct submission *s, struct chunker *c, struct err *err)
{
	char root[SHA256_HEX_SIZE];

	if (store_policy(s, err) < 0 || store_root(c, s->list, root, err) < 0 ||
	    store_renew(c, s->since_ms, s->list, root, err) < 0)
		return -1;
	/* who is told "submitted" finds all of it after a power cut */
	if (cas_sync(s->to->cas, err) < 0)
		return -1;
	return bind_job(s, root, err);
}

static int store_all(struct submission *s, struct chunker *c, struct err *err)
{
	char *dir = results_dir_of(s);
	int ret;

	if (s->rerun)
		ret = submission_store_kept(s, c, dir, err);
	else
		ret = store_tasks(c, s->out->born, err);
	if (ret == 0)
		ret = store_root_and_bind(s, c, err);
	if (ret == 0)
		submission_put_in_place(s, dir);
	free(dir);
	return ret;
}

static void announce(struct submission *s, const struct chunker *c)
{
	if (!s->announced)
		submission_say(s, SUBMIT_EV_SUBMITTING, s->out->id, 0, 0);
	s->announced = true;
	if (!c)
		return;
	for (int64_t done = 0; done < s->plan.n; done += MANIFEST_CHUNK)
		submission_say(s, SUBMIT_EV_BATCH, NULL, MIN(s->plan.n - done, MANIFEST_CHUNK), 0);
	submission_say(s, SUBMIT_EV_SAVED, NULL, s->plan.n, 0);
	if (s->rerun)
		submission_say(s, SUBMIT_EV_KEPT, NULL, s->out->kept, 0);
	if (s->changed)
		submission_say(s, SUBMIT_EV_KEPT_CHANGED, NULL, s->changed, 0);
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

/* Nodes, and who waits for the job that was replaced. */
static void wake(const struct submission *s)
{
	struct err ignored = ERR_INIT;
	char watchers[40];
	int homefd, bells;

	if (!s->to->home)
		return;
	homefd = open(s->to->home, O_DIRECTORY | O_RDONLY | O_CLOEXEC);
	if (homefd < 0)
		return;
	bells = bell_dir(homefd, &ignored);
	if (bells >= 0) {
		(void)bell_ring_all(bells, "n.");
		snprintf(watchers, sizeof(watchers), "w.%lld.", (long long)s->old.born);
		if (s->old.born)
			(void)bell_ring_all(bells, watchers);
		close(bells);
	}
	close(homefd);
}

/* ---- all of it ------------------------------------------------------------------------------- */

static int store(struct submission *s, struct err *err)
{
	bool drawn = !s->spec->id;

	size_t inputs = inputs_count(s->plan.inputs) + inputs_count(s->plan.pool);

	s->since_ms = clock_mono_ms();
	if (inputs)
		submission_say(s, SUBMIT_EV_INPUTS, NULL, (int64_t)inputs,
		    inputs_bytes(s->plan.inputs) + inputs_bytes(s->plan.pool));
	if (store_set(s, s->plan.inputs, s->list, err) < 0 ||
	    store_set(s, s->plan.pool, NULL, err) < 0)
		return -1;
	if (s->plan.content)
		content_end(&s->plan, s->out->content);
	if (s->plan.cache && (!s->spec->dry_run || s->plan.content))
		hash_cache_save(s->plan.cache);
	if (s->spec->dry_run)
		return s->rerun ? submission_count_kept(s, err) : 0;
	for (int i = 0;; i++) {
		if (store_once(s, err) == 0)
			break;
		/* Somebody drew the same id in the same second and was first. */
		if (!drawn || err->code != ERR_CONFLICT || i == ID_TRIES)
			return -1;
		if (submission_draw_id(s, err) < 0 || rows_rewind(&s->plan.rows, err) < 0)
			return -1;
		s->announced = false;
	}
	wake(s);
	if (s->old.born)
		submission_forget_old(s);
	return 0;
}

static int run(struct submission *s, struct err *err)
{
	const struct submit_spec *spec = s->spec;

	if ((spec->id ? submission_look_up_id(s, err) : submission_draw_id(s, err)) < 0 ||
	    plan_check(&s->plan, err) < 0)
		return -1;
	s->out->n = s->plan.n;
	/* A digest does not depend on the answer: the policies are asked once, to store. */
	if (!s->plan.content && submission_ask_policy(s, err) < 0)
		return -1;
	spec = s->spec;
	if (s->old.born && (spec->mode == SUBMIT_RERUN || spec->mode == SUBMIT_RERUN_ANY) &&
	    (s->to->cas || !spec->dry_run) && rerun_open(s->to, &s->old, &s->rerun, err) < 0)
		return -1;
	return store(s, err);
}

int submit_run(const struct submit_target *to, const struct submit_spec *spec,
	       struct submit_result *out, struct err *err)
{
	struct submission s = { .to = to, .spec = spec, .out = out };
	int ret;

	*out = (struct submit_result){ .nodes = -1 };
	ret = plan_open(&s.plan, to, spec, err);
	if (ret == 0 && spec->content)
		content_begin(&s.plan);
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
