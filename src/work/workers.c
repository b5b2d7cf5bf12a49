#include "work/workers.h"

#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <unistd.h>

#include "base/base.h"

enum { THREADS_MAX = 16 };

struct workers {
	pthread_mutex_t lock;
	pthread_cond_t more;
	pthread_t thread[THREADS_MAX];
	int n_threads;      /* started; more are started as there is work */
	int max_threads;
	int idle;
	bool stop;
	struct run *head, **tail;
	struct run *done;
	const struct run_env *env;
	int wake_fd;
};

static void wake(int fd)
{
	const uint64_t one = 1;

	(void)!write(fd, &one, sizeof(one));
}

static void do_one(struct workers *w, struct run *r)
{
	if (r->state == RUN_STAGING)
		run_stage(r, w->env);
	else
		run_collect(r, w->env, false);
	pthread_mutex_lock(&w->lock);
	r->next = w->done;
	w->done = r;
	pthread_mutex_unlock(&w->lock);
	wake(w->wake_fd);
}

static void *work(void *arg)
{
	struct workers *w = arg;

	pthread_mutex_lock(&w->lock);
	for (;;) {
		struct run *r;

		while (!w->head && !w->stop) {
			w->idle++;
			pthread_cond_wait(&w->more, &w->lock);
			w->idle--;
		}
		r = w->head;
		if (!r)
			break;
		w->head = r->next;
		if (!w->head)
			w->tail = &w->head;
		pthread_mutex_unlock(&w->lock);
		do_one(w, r);
		pthread_mutex_lock(&w->lock);
	}
	pthread_mutex_unlock(&w->lock);
	return NULL;
}

struct workers *workers_new(int threads, const struct run_env *env, int wake_fd)
{
	struct workers *w = xcalloc(1, sizeof(*w));

	pthread_mutex_init(&w->lock, NULL);
	pthread_cond_init(&w->more, NULL);
	w->tail = &w->head;
	w->max_threads = MIN(MAX(threads, 1), THREADS_MAX);
	w->env = env;
	w->wake_fd = wake_fd;
	return w;
}

void workers_put(struct workers *w, struct run *r)
{
	bool alone;

	r->next = NULL;
	pthread_mutex_lock(&w->lock);
	if (!w->idle && w->n_threads < w->max_threads &&
	    pthread_create(&w->thread[w->n_threads], NULL, work, w) == 0)
		w->n_threads++;
	alone = !w->n_threads;
	if (!alone) {
		*w->tail = r;
		w->tail = &r->next;
		pthread_cond_signal(&w->more);
	}
	pthread_mutex_unlock(&w->lock);
	if (alone) /* no thread to be had: then it takes our time */
		do_one(w, r);
}

struct run *workers_take(struct workers *w)
{
	struct run *r;

	pthread_mutex_lock(&w->lock);
	r = w->done;
	w->done = NULL;
	pthread_mutex_unlock(&w->lock);
	return r;
}

void workers_free(struct workers *w)
{
	if (!w)
		return;
	pthread_mutex_lock(&w->lock);
	w->stop = true;
	pthread_cond_broadcast(&w->more);
	pthread_mutex_unlock(&w->lock);
	for (int i = 0; i < w->n_threads; i++)
		pthread_join(w->thread[i], NULL);
	for (struct run *r = w->done, *next; r; r = next) {
		next = r->next;
		run_free(r);
	}
	pthread_cond_destroy(&w->more);
	pthread_mutex_destroy(&w->lock);
	free(w);
}
