/* From checked inputs to objects of the CAS and the list that names them. */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/base.h"
#include "base/clock.h"
#include "cas/inputs_internal.h"
#include "sys/hash.h"
#include "sys/machine.h"

enum {
	THREADS_MAX = 16,
	ALONE_FILES = 8,           /* so few (and small) are not worth a thread */
	ALONE_BYTES = 1024 * 1024,
	STOP_POLL_MS = 100,
};

enum work_state { WORK_TODO, WORK_PRESENT, WORK_STORED, WORK_MISSING, WORK_FAILED };

struct work {
	struct input_file *f;
	bool known;       /* f->sha256 is what the cache says */
	bool cacheable;   /* the content belongs to f->stamp */
	int64_t read_ns;  /* wall time before the first byte was read */
	_Atomic int state; /* enum work_state */
	struct err *err;  /* WORK_FAILED: owned */
};

struct run {
	struct inputs_store *s;
	struct work *w;
	size_t n;
	struct work **order; /* big ones first */
	atomic_size_t next;
	atomic_bool stop;
	pthread_mutex_t mu;
	pthread_cond_t done;
};

static int64_t wall_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	return ts.tv_sec * INT64_C(1000000000) + ts.tv_nsec;
}

/* ---- one file --------------------------------------------------------------------------- */

/* Reads the file: into the CAS, or for a dry run only its hash. */
static enum work_state read_file(const struct inputs_store *s, struct work *w, int fd, char *hex,
				 struct err *err)
{
	int64_t size;
	int rc;

	if (!s->dry_run) {
		rc = cas_put_fd(s->cas, fd, w->f->src, hex, &size, err);
		return rc < 0 ? WORK_FAILED : rc > 0 ? WORK_STORED : WORK_PRESENT;
	}
	switch (hash_fd(fd, -1, hex, NULL, err)) {
	case HASH_OK:
		break;
	case HASH_CHANGED:
		inputs_refuse(err, "", w->f->src, " changed while it was read: submit again when "
			      "nothing writes to it");
		return WORK_FAILED;
	case HASH_FAILED:
		err_prefix(err, "%s", w->f->src);
		return WORK_FAILED;
	}
	rc = s->cas ? cas_peek(s->cas, hex, err) : 0;
	return rc < 0 ? WORK_FAILED : rc > 0 ? WORK_PRESENT : WORK_MISSING;
}

static enum work_state store_unknown(const struct inputs_store *s, struct work *w, struct err *err)
{
	int fd = open(w->f->src, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	enum work_state ret = WORK_FAILED;
	struct hash_stamp before, after;
	char hex[SHA256_HEX_SIZE];
	struct stat st;

	if (fd < 0) {
		inputs_stat_fault(AT_FDCWD, w->f->src, w->f->src, err);
		return WORK_FAILED;
	}
	w->read_ns = wall_ns();
	if (fstat(fd, &st) < 0) {
		err_sys(err, "cannot read %s", w->f->src);
		goto out;
	}
	hash_stamp_of(&before, &st);
	if (!S_ISREG(st.st_mode) || st.st_size != w->f->stamp.size) {
		inputs_refuse(err, "", w->f->src, " changed since it was looked at: submit again "
			      "when nothing writes to it");
		goto out;
	}
	ret = read_file(s, w, fd, hex, err);
	if (ret == WORK_FAILED || fstat(fd, &st) < 0)
		goto out;
	hash_from_hex(w->f->sha256, hex);
	hash_stamp_of(&after, &st);
	w->cacheable = hash_stamp_eq(&before, &after) && hash_stamp_eq(&before, &w->f->stamp);
out:
	close(fd);
	return ret;
}

static enum work_state store_one(const struct inputs_store *s, struct work *w, struct err *err)
{
	char hex[SHA256_HEX_SIZE];
	int rc;

	if (w->known) {
		hash_to_hex(hex, w->f->sha256);
		rc = !s->cas ? 0 : s->dry_run ? cas_peek(s->cas, hex, err)
					      : cas_has(s->cas, hex, w->f->stamp.size, err);
		if (rc < 0)
			return WORK_FAILED;
		if (rc > 0)
			return WORK_PRESENT;
		if (s->dry_run)
			return WORK_MISSING;
	}
	return store_unknown(s, w, err);
}

static void work_on(struct run *r, struct work *w)
{
	struct err *err = xcalloc(1, sizeof(*err));
	enum work_state state = store_one(r->s, w, err);

	if (state == WORK_FAILED) {
		w->err = err;
		atomic_store(&r->stop, true);
	} else {
		free(err);
	}
	atomic_store(&w->state, (int)state);
}

/* ---- all files -------------------------------------------------------------------------- */

static void *worker(void *arg)
{
	struct run *r = arg;

	while (!atomic_load(&r->stop)) {
		size_t i = atomic_fetch_add(&r->next, 1);

		if (i >= r->n)
			break;
		work_on(r, r->order[i]);
		pthread_mutex_lock(&r->mu);
		pthread_cond_signal(&r->done);
		pthread_mutex_unlock(&r->mu);
	}
	pthread_mutex_lock(&r->mu);
	pthread_cond_signal(&r->done);
	pthread_mutex_unlock(&r->mu);
	return NULL;
}

static void report(struct inputs_store *s, const struct work *w)
{
	enum inputs_event ev = INPUTS_PRESENT;

	switch ((enum work_state)atomic_load(&w->state)) {
	case WORK_PRESENT:
		s->present_files++;
		s->present_bytes += w->f->stamp.size;
		break;
	case WORK_STORED:
	case WORK_MISSING:
		ev = s->dry_run ? INPUTS_MISSING : INPUTS_UPLOADED;
		s->uploaded_files++;
		s->uploaded_bytes += w->f->stamp.size;
		break;
	case WORK_TODO:
	case WORK_FAILED:
		return;
	}
	if (s->fn)
		s->fn(s->ctx, ev, w->f->src, w->f->stamp.size);
}

static void ask_stop(struct run *r)
{
	if (r->s->stop && r->s->stop(r->s->ctx))
		atomic_store(&r->stop, true);
}

/* Tells the caller what is done, in order, as far as it goes without a gap. */
static size_t report_from(struct run *r, size_t at)
{
	while (at < r->n) {
		int state = atomic_load(&r->w[at].state);

		if (state == WORK_TODO || state == WORK_FAILED)
			break;
		report(r->s, &r->w[at++]);
	}
	return at;
}

static void run_alone(struct run *r)
{
	for (size_t i = 0; i < r->n && !atomic_load(&r->stop); i++) {
		ask_stop(r);
		if (atomic_load(&r->stop))
			break;
		work_on(r, &r->w[i]);
		report(r->s, &r->w[i]);
	}
}

static void run_threads(struct run *r, int threads)
{
	pthread_t t[THREADS_MAX];
	size_t reported = 0;
	int n = 0;

	while (n < threads && pthread_create(&t[n], NULL, worker, r) == 0)
		n++;
	if (!n) {
		run_alone(r);
		return;
	}
	for (;;) {
		struct timespec until;

		reported = report_from(r, reported);
		ask_stop(r);
		if (reported == r->n || atomic_load(&r->stop))
			break;
		pthread_mutex_lock(&r->mu);
		if (atomic_load(&r->w[reported].state) == WORK_TODO && !atomic_load(&r->stop)) {
			clock_gettime(CLOCK_REALTIME, &until);
			until.tv_nsec += STOP_POLL_MS * 1000000L;
			if (until.tv_nsec >= 1000000000L) {
				until.tv_sec++;
				until.tv_nsec -= 1000000000L;
			}
			pthread_cond_timedwait(&r->done, &r->mu, &until);
		}
		pthread_mutex_unlock(&r->mu);
	}
	for (int i = 0; i < n; i++)
		pthread_join(t[i], NULL);
	report_from(r, reported);
}

static int by_size(const void *a, const void *b)
{
	const struct work *const *x = a, *const *y = b;
	int64_t p = (*x)->f->stamp.size, q = (*y)->f->stamp.size;

	return p < q ? 1 : p > q ? -1 : *x < *y ? -1 : *x > *y;
}

/* The first failure in order, or the interruption. */
static int outcome(struct run *r, struct err *err)
{
	int ret = 0;

	for (size_t i = 0; i < r->n; i++) {
		int state = atomic_load(&r->w[i].state);

		if (state == WORK_FAILED && ret >= 0) {
			*err = *r->w[i].err;
			ret = -1;
		}
		free(r->w[i].err);
	}
	if (ret == 0 && atomic_load(&r->stop))
		return err_set(err, ERR_INTERRUPTED, "interrupted");
	return ret;
}

static int run_all(struct run *r, struct err *err)
{
	int threads = MIN(machine_threads(), THREADS_MAX);
	int64_t bytes = 0;
	int ret;

	r->order = xcalloc(MAX(r->n, 1), sizeof(*r->order));
	for (size_t i = 0; i < r->n; i++) {
		r->order[i] = &r->w[i];
		bytes += r->w[i].known ? 0 : r->w[i].f->stamp.size;
	}
	pthread_mutex_init(&r->mu, NULL);
	pthread_cond_init(&r->done, NULL);
	if (threads < 2 || r->n < 2 || (r->n <= ALONE_FILES && bytes <= ALONE_BYTES)) {
		run_alone(r);
	} else {
		qsort(r->order, r->n, sizeof(struct work *), by_size);
		run_threads(r, (int)MIN((size_t)threads, r->n));
	}
	ret = outcome(r, err);
	pthread_cond_destroy(&r->done);
	pthread_mutex_destroy(&r->mu);
	free(r->order);
	return ret;
}

/* ---- the hash cache --------------------------------------------------------------------- */

static void look_up(struct input_set *in, struct run *r)
{
	struct hash_dir *d = NULL;
	size_t dir = SIZE_MAX;

	for (size_t i = 0; r->s->cache && i < r->n; i++) {
		struct input_file *f = r->w[i].f;

		if (f->dir != dir) {
			dir = f->dir;
			d = hash_cache_dir(r->s->cache, in->dirs.p[dir].abs);
		}
		r->w[i].known = hash_dir_get(d, f->name, &f->stamp, f->sha256);
	}
}

/* What was read goes into the cache, also after a failure. True when every file is settled: then
 * an unchanged set can be told by its stamps alone. */
static bool remember(struct input_set *in, const struct run *r)
{
	bool settled = true;

	for (size_t i = 0; i < r->n; i++) {
		const struct work *w = &r->w[i];
		const struct input_file *f = w->f;

		if (w->cacheable && r->s->cache)
			hash_dir_set(hash_cache_dir(r->s->cache, in->dirs.p[f->dir].abs), f->name,
				     &f->stamp, w->read_ns, f->sha256);
		else if (!w->known)
			settled = false;
		if (w->cacheable && !hash_stamp_settled(&f->stamp, w->read_ns))
			settled = false;
	}
	return settled;
}

/* ---- the set ---------------------------------------------------------------------------- */

/* An unchanged set whose objects are all there: no file is read, no hash looked up. 1, 0, -1. */
static int known_set(const struct input_set *in, struct inputs_store *s, const uint8_t *print,
		     struct err *err)
{
	char list[SHA256_HEX_SIZE];
	int ret;

	if (!s->cache || !hash_cache_list_get(s->cache, print, list) || !cas_hash_valid(list))
		return 0;
	ret = cas_pin_renew(s->cas, list, err);
	if (ret > 0)
		ret = cas_renew(s->cas, list, err);
	if (ret <= 0)
		return ret;
	memcpy(s->list, list, sizeof(list));
	for (size_t i = 0; i < in->files.n; i++) {
		const struct input_file *f = &in->files.p[i];

		if (f->url)
			continue;
		s->present_files++;
		s->present_bytes += f->stamp.size;
		if (s->fn)
			s->fn(s->ctx, INPUTS_PRESENT, f->src, f->stamp.size);
	}
	return 1;
}

/* Objects that were relied on long ago are renewed before the pin vouches for them. */
static int renew_all(const struct input_set *in, struct inputs_store *s, struct err *err)
{
	char hex[SHA256_HEX_SIZE];

	for (size_t i = 0; i < in->files.n; i++) {
		int rc;

		if (in->files.p[i].url)
			continue;
		hash_to_hex(hex, in->files.p[i].sha256);
		rc = cas_has(s->cas, hex, in->files.p[i].stamp.size, err);
		if (rc <= 0)
			return rc < 0 ? -1 : err_set(err, ERR_BUSY, "the CAS lost %s while inputs "
						     "were stored: submit again",
						     in->files.p[i].src);
	}
	return 0;
}

static int store_files(struct input_set *in, struct inputs_store *s, bool *settled, struct err *err)
{
	struct run r = { .s = s };
	int ret;

	r.w = xcalloc(MAX(in->files.n, 1), sizeof(*r.w));
	for (size_t i = 0; i < in->files.n; i++)
		if (!in->files.p[i].url)
			r.w[r.n++].f = &in->files.p[i];
	look_up(in, &r);
	ret = run_all(&r, err);
	*settled = remember(in, &r);
	free(r.w);
	return ret;
}

int inputs_store(struct input_set *in, struct inputs_store *s, struct err *err)
{
	bool list = !in->o.pool && !s->dry_run && in->files.n;
	int64_t begin = clock_mono_ms();
	uint8_t print[SHA256_SIZE];
	bool settled;
	int ret;

	assert(in->o.pool || in->checked);
	s->list[0] = '\0';
	s->uploaded_files = s->uploaded_bytes = s->present_files = s->present_bytes = 0;
	if (list) {
		inputs_fingerprint(in, print);
		ret = known_set(in, s, print, err);
		if (ret != 0)
			return ret < 0 ? -1 : 0;
	}
	ret = store_files(in, s, &settled, err);
	if (ret == 0 && list && clock_mono_ms() - begin > CAS_TRUST_MS / 2)
		ret = renew_all(in, s, err);
	if (ret == 0 && list)
		ret = inputs_put_list(in, s, err);
	if (ret == 0 && list)
		ret = cas_pin(s->cas, s->list, err);
	if (ret == 0 && list && settled && s->cache)
		hash_cache_list_set(s->cache, print, s->list);
	if (s->cache)
		hash_cache_save(s->cache);
	return ret;
}
