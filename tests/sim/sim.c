/*
 * The simulator's program.
 *
 *   simulator                       TAP: walks, explorations, and each rule taken away
 *   simulator --steps N [--seed S]  a random walk
 *   simulator --episode S --trace   one episode, step by step: how a failure is replayed
 *   simulator --explore NAME        one exploration
 *   ... --break=1..7                with one of the seven rules taken away
 */
#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "sim.h"

#include "tap.h"

static const char *const rules[] = {
	"", "compare-and-swap of the version", "writes are signed",
	"the row tells which attempt counts", "finish before publishing",
	"no two clocks are compared", "deletion only on evidence",
	"anyone may finish what anyone began",
};

/* ---- choices ---- */

uint64_t mix(uint64_t *state)
{
	uint64_t z = *state += 0x9e3779b97f4a7c15ULL;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ULL;
	z = (z ^ z >> 27) * 0x94d049bb133111ebULL;
	return z ^ z >> 31;
}

unsigned choose(struct sim *s, unsigned n)
{
	if (n <= 1)
		return 0;
	if (!s->explore)
		return (unsigned)(mix(&s->rng) % n);
	if (s->path_at == s->path_n) { /* a new fork: its first branch */
		assert(s->path_n < ARRAY_SIZE(s->path_choice));
		s->path_choice[s->path_n] = 0;
		s->path_of[s->path_n++] = n;
	}
	return s->path_choice[s->path_at++];
}

bool chance(struct sim *s, unsigned one_in)
{
	return !s->explore && !s->w.calm && choose(s, one_in) == 0;
}

bool fault(struct sim *s, enum fault_kind f, unsigned one_in)
{
	if (s->w.calm || s->w.budget[f] == 0)
		return false;
	if (!s->explore) {
		bool now = choose(s, one_in) == 0;

		s->befell[f] += now;
		return now;
	}
	if (choose(s, 2) == 0)
		return false;
	s->w.budget[f]--;
	return true;
}

/* ---- reports ---- */

void say(struct sim *s, const char *fmt, ...)
{
	char line[500];
	va_list ap;

	if (!s->trace)
		return;
	va_start(ap, fmt);
	(void)vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	buf_addf(&s->log, "# %6d %s %d: %s\n", s->w.now, s->who ? s->who : "", s->who_index, line);
}

void fail(struct sim *s, const char *fmt, ...)
{
	va_list ap;

	if (s->failure[0])
		return;
	va_start(ap, fmt);
	(void)vsnprintf(s->failure, sizeof(s->failure), fmt, ap);
	va_end(ap);
	say(s, "FAILS: %s", s->failure);
}

/* ---- the program ---- */

struct options {
	uint64_t seed, steps, episode;
	const char *explore;
	int breaks;
	bool trace;
};

static void sim_init(struct sim *s, const struct options *o)
{
	const char *tmp = getenv("TMPDIR");

	memset(s, 0, sizeof(*s));
	buf_init(&s->log);
	s->trace = o->trace;
	s->breaks = o->breaks;
	snprintf(s->path, sizeof(s->path), "%s/kqsim.%d.db", tmp ? tmp : "/tmp", (int)getpid());
}

static void sim_release(struct sim *s)
{
	char path[320];

	buf_release(&s->log);
	for (int i = 0; i < 3; i++) {
		snprintf(path, sizeof(path), "%s%s", s->path,
			 i == 0	  ? ""
			 : i == 1 ? "-wal"
				  : "-shm");
		(void)unlink(path);
	}
}

/* The last lines of a failed episode, and how to see all of them. */
static void show_failure(struct sim *s, uint64_t seed)
{
	const char *p;
	int lines = 0;

	printf("#   %s\n#   replay: simulator --episode %llu --trace%s\n", s->failure,
	       (unsigned long long)seed, s->breaks ? " --break=..." : "");
	s->trace = true;
	(void)walk_episode(s, seed);
	for (p = s->log.p + s->log.n; p > s->log.p && lines < 40; p--)
		lines += p[-1] == '\n';
	fputs(p, stdout);
	s->trace = false;
}

/* A walk in which something never happens says nothing about it. */
static void show_coverage(const struct sim *s)
{
	static const char *const faults[] = {
		"crash", "reaper crash", "suspect", "lost answer", "bad exit", "kill", "reset",
		"clean", "late", "outage", "freeze", "wait", "leave", "submit", "stop",
	};
	const char *missing = NULL;

	for (int i = 1; i < CALL_KINDS; i++) {
		printf("#   %-12s moved %7llu  idle %7llu  repeated %6llu\n", call_names[i],
		       (unsigned long long)s->moved[i], (unsigned long long)s->idle[i],
		       (unsigned long long)s->repeated[i]);
		if (!s->moved[i] || !s->repeated[i])
			missing = i == CALL_BEAT ? missing : call_names[i];
	}
	for (int i = 0; i < FAULT_KINDS; i++) {
		if (i == FAULT_RCRASH) /* a crash befalls any process here */
			continue;
		printf("#   %-12s %llu times\n", faults[i], (unsigned long long)s->befell[i]);
		if (!s->befell[i])
			missing = faults[i];
	}
	ok(!missing, "every call moved something and was repeated, every fault befell%s%s",
	   missing ? ", but not: " : "", missing ? missing : "");
}

static double seconds(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static int run_walk(const struct options *o)
{
	struct sim *s = xcalloc(1, sizeof(*s));
	struct walk_result r;
	double t = seconds();
	bool held;

	sim_init(s, o);
	held = walk(s, o->seed, o->steps, &r);
	ok(held, "%llu random steps in %llu episodes, seed %llu%s%s (%.1f s)",
	   (unsigned long long)r.steps, (unsigned long long)r.episodes,
	   (unsigned long long)o->seed, o->breaks ? ", without: " : "", rules[o->breaks],
	   seconds() - t);
	if (!held)
		show_failure(s, r.failing_seed);
	else if (!o->breaks)
		show_coverage(s);
	sim_release(s);
	free(s);
	return held;
}

static int run_episode(const struct options *o)
{
	struct sim *s = xcalloc(1, sizeof(*s));
	bool held;

	sim_init(s, o);
	held = walk_episode(s, o->episode);
	fputs(s->log.p, stdout);
	ok(held, "episode %llu: %s", (unsigned long long)o->episode, held ? "holds" : s->failure);
	sim_release(s);
	free(s);
	return held;
}

static void run_explore(const struct options *o, const char *only, uint64_t limit)
{
	for (int i = 0; i < n_explore_setups; i++) {
		const struct explore_setup *e = &explore_setups[i];
		struct sim *s;
		struct explore_result r;
		double t = seconds();
		bool held;

		if (only && strcmp(only, e->name) != 0 && strcmp(only, "all") != 0)
			continue;
		s = xcalloc(1, sizeof(*s));
		sim_init(s, o);
		held = explore(s, e, limit, &r);
		ok(held && r.finished, "every interleaving of: %s (%llu states, %llu edges, %llu "
		   "contents of the queue, %llu calls, %.1f s)", e->name,
		   (unsigned long long)r.states, (unsigned long long)r.edges,
		   (unsigned long long)r.contents, (unsigned long long)r.calls, seconds() - t);
		if (!held)
			printf("#   %s\n%s", s->failure, s->log.p);
		sim_release(s);
		free(s);
	}
}

/* A rule taken away must be noticed, or the simulator proves nothing. */
static void run_breaks(const struct options *o, uint64_t steps)
{
	for (int b = 1; b <= 7; b++) {
		struct options with = *o;
		struct sim *s = xcalloc(1, sizeof(*s));
		struct walk_result r;
		bool held;

		with.breaks = b;
		sim_init(s, &with);
		held = walk(s, o->seed, steps, &r);
		ok(!held, "without rule %d (%s) a walk fails after %llu steps: %s", b, rules[b],
		   (unsigned long long)r.steps, s->failure);
		sim_release(s);
		free(s);
	}
}

/* The same seed gives the same steps. */
static void run_replay(const struct options *o)
{
	struct sim *s = xcalloc(1, sizeof(*s));
	char *first;

	sim_init(s, o);
	s->trace = true;
	(void)walk_episode(s, 4711);
	first = xstrdup(s->log.p);
	(void)walk_episode(s, 4711);
	ok(s->log.n > 10000 && strcmp(first, s->log.p) == 0, "an episode is replayed exactly");
	free(first);
	sim_release(s);
	free(s);
}

static uint64_t number(const char *text)
{
	return strtoull(text, NULL, 0);
}

int main(int argc, char **argv)
{
	static const struct option longs[] = {
		{ "seed", required_argument, NULL, 's' },
		{ "steps", required_argument, NULL, 'n' },
		{ "episode", required_argument, NULL, 'e' },
		{ "break", required_argument, NULL, 'b' },
		{ "explore", required_argument, NULL, 'x' },
		{ "trace", no_argument, NULL, 't' },
		{ 0 },
	};
	struct options o = { .seed = 1 };
	bool slow = false;
	int c;

#ifdef __SANITIZE_ADDRESS__
	slow = true;
#endif
	while ((c = getopt_long(argc, argv, "", longs, NULL)) != -1) {
		switch (c) {
		case 's': o.seed = number(optarg); break;
		case 'n': o.steps = number(optarg); break;
		case 'e': o.episode = number(optarg); break;
		case 'b': o.breaks = (int)number(optarg) & 7; break;
		case 'x': o.explore = optarg; break;
		case 't': o.trace = true; break;
		default: return 2;
		}
	}
	if (o.episode) {
		(void)run_episode(&o);
	} else if (o.explore) {
		run_explore(&o, o.explore, UINT64_MAX);
	} else if (o.steps) {
		(void)run_walk(&o);
	} else {
		o.steps = slow ? 300000 : 1000000;
		run_replay(&o);
		run_breaks(&o, slow ? 200000 : 1000000);
		(void)run_walk(&o);
		run_explore(&o, slow ? "small" : NULL, 4000000);
	}
	return tap_done();
}
