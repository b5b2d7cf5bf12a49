/* Conformance of queue.h: several processes at once, one of which is killed in the middle. */
#include <signal.h>
#include <sys/wait.h>

#include "contract/queue_fixture.h"

enum { WORKERS = 3, ALL = 20000, BATCH = 16 };

/* A node: claims and finishes until the job is over. Exit code 0: never a surprise. */
static void work(struct fix *f, const char *id)
{
	struct claimed c[BATCH];
	struct outcome o[BATCH];
	int n;

	f->q = fix_handle(f);
	if (node(f, id) != 1)
		_exit(2);
	while (job_state(f, 1) == JOB_OPEN) {
		n = claim(f, id, BATCH, c);
		if (n < 0)
			_exit(f->err.code == ERR_CONFLICT ? 4 : 3);
		for (int i = 0; i < n; i++)
			o[i] = outcome_of(id, &c[i], 0);
		if (n > 0 && queue_finish(f->q, id, o, (size_t)n, -1, id_u64(), &f->err) < 0)
			_exit(5);
		if (n == 0)
			(void)usleep(1000);
	}
	queue_close(f->q);
	_exit(0);
}

static pid_t start(struct fix *f, const char *id)
{
	pid_t pid = fork();

	if (pid == 0) {
		/* handles are not taken into a child: it makes its own */
		f->other = f->q = fix_handle(f);
		work(f, id);
	}
	return pid;
}

static int64_t complete(struct fix *f)
{
	struct task_filter done = { .states = 1U << TASK_SUCCEEDED };
	struct sums s = { .q = f->other, .labels = BUF_INIT };
	struct job j = { .born = 1 };

	s.job = &j;
	(void)queue_tasks(f->q, 1, &done, sum_task, &s, &f->err);
	buf_release(&s.labels);
	return s.rows;
}

static int held_of(void *ctx, const struct task *t)
{
	struct fix *f = ctx;
	struct verdict_row r = { .job = t->job, .n = t->n, .v = t->v, .event = TASK_EV_LOSE };

	return queue_verdict(f->other, &r, 1, id_u64(), &f->err);
}

static int is_there(void *ctx, const struct node *n)
{
	(void)n;
	*(int *)ctx = 1;
	return 1;
}

int main(void)
{
	static const char *const names[] = { "A", "B", "C" };
	struct fix f;
	pid_t pid[WORKERS];
	int status, fine = 0;

	fix_open(&f);
	(void)submit(&f, (struct spec){ .id = "j", .n = ALL });
	queue_close(f.q);
	queue_close(f.other);
	pid[0] = start(&f, names[0]);
	f.q = fix_handle(&f);
	while (queue_nodes(f.q, NULL, is_there, &fine, &f.err) == 0 && !fine)
		(void)usleep(1000);
	fine = 0;
	queue_close(f.q);
	for (int i = 1; i < WORKERS; i++)
		pid[i] = start(&f, names[i]);
	f.q = fix_handle(&f);
	f.other = fix_handle(&f);
	while (complete(&f) < ALL / 10)
		(void)usleep(1000);
	(void)kill(pid[0], SIGKILL);
	(void)waitpid(pid[0], &status, 0);
	ok(WIFSIGNALED(status), "one of three nodes is killed in the middle");
	is_int(queue_node_move(f.q, "A", 0, NODE_EV_LOSE, id_u64(), &f.err), 1, "it is given up");
	is_int(queue_held(f.q, "A", held_of, &f, &f.err), 0, "its tasks are given back");
	is_int(queue_node_delete(f.q, "A", &f.err), 1, "and nothing is left of it");
	for (int i = 1; i < WORKERS; i++) {
		(void)waitpid(pid[i], &status, 0);
		fine += WIFEXITED(status) && WEXITSTATUS(status) == 0;
		if (!WIFEXITED(status) || WEXITSTATUS(status))
			printf("# node %s: status %d\n", names[i], status);
	}
	is_int(fine, WORKERS - 1, "the others see no error");
	is_int(complete(&f), ALL, "every task is complete");
	is_int(job_state(&f, 1), JOB_OVER, "the job is over");
	is_str(counts(&f, 1), "complete(code=0): 20000", "and counted right");
	fix_close(&f, "processes");
	return tap_done();
}
