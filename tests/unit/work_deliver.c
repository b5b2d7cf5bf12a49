/* Effects in lanes, done by children: here a script that keeps what it is given. */
#include "work/deliver.h"

#include <dirent.h>
#include <fcntl.h>
#include <ftw.h>
#include <jansson.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/base.h"
#include "base/clock.h"
#include "base/log.h"
#include "sys/proc.h"
#include "tap.h"

static char dir[200];
static char program[300];

static char *path_of(const char *name)
{
	static char path[600];

	(void)snprintf(path, sizeof(path), "%s/%s", dir, name);
	return path;
}

/* It keeps its stdin as in.<pid>; of a job above 900 it waits until `go` is there. */
static void write_program(void)
{
	FILE *f;

	(void)snprintf(program, sizeof(program), "%s/program", dir);
	f = fopen(program, "we");
	if (!f)
		return;
	(void)fprintf(f, "#!/bin/sh\ntest \"$1\" = deliver || exit 1\ncat >%s/part.$$\n"
		      "case $(cat %s/part.$$) in *'\"job\":9'*)\n"
		      "  while ! test -e %s/go; do sleep 0.01; done;;\nesac\n"
		      "mv %s/part.$$ %s/in.$$\n", dir, dir, dir, dir, dir);
	(void)fclose(f);
	(void)chmod(program, 0755);
}

static int count_files(const char *prefix)
{
	DIR *d = opendir(dir);
	int n = 0;

	for (struct dirent *e; d && (e = readdir(d));)
		n += strncmp(e->d_name, prefix, strlen(prefix)) == 0;
	if (d)
		(void)closedir(d);
	return n;
}

/* What children were given, parsed, and forgotten; `want` of them. */
static json_t *collect(int want)
{
	json_t *all = json_array();
	DIR *d = opendir(dir);

	for (struct dirent *e; d && (e = readdir(d));) {
		if (strncmp(e->d_name, "in.", 3) != 0)
			continue;
		json_array_append_new(all, json_load_file(path_of(e->d_name), JSON_ALLOW_NUL, NULL));
		(void)unlink(path_of(e->d_name));
	}
	if (d)
		(void)closedir(d);
	is_int((long long)json_array_size(all), want, "so many children ended");
	return all;
}

/* Steps until it is idle, or some seconds are over. */
static bool settle(struct deliver *d)
{
	struct proc_end end;
	int64_t until = clock_mono_ms() + 10000;

	while (!deliver_idle(d) && clock_mono_ms() < until) {
		(void)deliver_step(d);
		(void)proc_reap(&end);
		(void)usleep(2000);
	}
	return deliver_idle(d);
}

/* Until `count` files of this kind are there. */
static bool await(struct deliver *d, const char *prefix, int count)
{
	int64_t until = clock_mono_ms() + 10000;

	while (count_files(prefix) < count && clock_mono_ms() < until) {
		if (d)
			(void)deliver_step(d);
		(void)usleep(2000);
	}
	return count_files(prefix) == count;
}

static struct deliver *make(void)
{
	const struct deliver_options o = { .home = dir, .program = program, .log_fd = -1 };

	return deliver_new(&o);
}

static void webhook(struct deliver *d, int64_t job, const char *url)
{
	char *effects = xasprintf("[{\"policy\":\"p\",\"webhook\":\"%s\",\"body\":\"x\","
				  "\"headers\":{},\"timeout_ms\":1000}]", url);

	deliver_add(d, job, "j", "{\"KQ_JOB\":\"j\"}", effects);
	free(effects);
}

static void lanes(void)
{
	struct deliver *d = make();
	json_t *all, *one, *items;

	ok(deliver_idle(d) && deliver_step(d) == -1, "nothing to do");
	for (int i = 0; i < 250; i++) {
		char *url = xasprintf("http://me:word@a/%d?secret", i);

		webhook(d, 1, url);
		free(url);
	}
	ok(!deliver_idle(d), "250 effects of a lane");
	ok(deliver_step(d) > 0, "are begun");
	ok(settle(d), "and done");
	all = collect(3);
	for (size_t i = 0; i < json_array_size(all); i++) {
		size_t n = json_array_size(json_object_get(json_array_get(all, i), "items"));

		ok(n == 100 || n == 50, "a hundred at a time (%zu)", n);
	}
	one = json_array_get(all, 0);
	items = json_object_get(one, "items");
	is_str(json_string_value(json_object_get(one, "home")), dir, "with the home");
	is_str(json_string_value(json_object_get(one, "what")),
	       "Job j (1): webhooks of policy p, a", "what is said of them holds no secret");
	is_str(json_string_value(json_object_get(json_object_get(json_array_get(items, 0),
								 "env"), "KQ_JOB")), "j",
	       "with the variables");
	json_decref(all);
	deliver_free(d);
}

static void bytes(void)
{
	struct deliver *d = make();
	json_t *all, *effect;

	deliver_add(d, 1, "j", "{}", "[{\"policy\":\"p\",\"command\":[\"true\"],\"stdin\":\"a\\u0000b\"}]");
	ok(settle(d), "a text with a NUL");
	all = collect(1);
	effect = json_object_get(json_array_get(json_object_get(json_array_get(all, 0), "items"), 0),
				 "effect");
	is_int((long long)json_string_length(json_object_get(effect, "stdin")), 3, "arrives");
	json_decref(all);
	deliver_free(d);
}

static void one_hangs(void)
{
	struct deliver *d = make();
	json_t *all;
	int fd;

	for (int i = 0; i < 3; i++)
		webhook(d, 901, "http://a/");
	(void)deliver_step(d);
	ok(await(d, "part.", 1), "a child that hangs");
	webhook(d, 901, "http://a/");
	webhook(d, 901, "http://b/");
	webhook(d, 2, "http://a/");
	deliver_add(d, 2, "j", "{}", "[{\"policy\":\"p\",\"command\":[\"true\"],\"stdin\":\"\"}]");
	ok(await(d, "in.", 2), "another job and another kind are done meanwhile");
	ok(await(d, "part.", 2), "another server has a child of its own");
	for (int i = 0; i < 6; i++) {
		char *url = xasprintf("http://x%d/", i);

		webhook(d, 902, url);
		free(url);
	}
	ok(await(d, "part.", DELIVER_CHILDREN), "so many at a time");
	for (int i = 0; i < 50; i++) {
		(void)deliver_step(d);
		(void)usleep(1000);
	}
	is_int(count_files("part."), DELIVER_CHILDREN, "and no more");
	fd = open(path_of("go"), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	close(fd);
	ok(settle(d), "all of them in the end");
	all = collect(11);
	json_decref(all);
	(void)unlink(path_of("go"));
	deliver_free(d);
}

static void too_many(void)
{
	struct deliver *d = make();
	json_t *all;
	size_t n = 0;

	for (int i = 0; i < DELIVER_LANE_ITEMS + 500; i++)
		webhook(d, 3, "http://a/");
	for (int i = 0; i < DELIVER_LANES + 20; i++)
		webhook(d, 1000 + i, "http://a/");
	deliver_free(d); /* hands over what there is */
	ok(await(NULL, "in.", DELIVER_LANES), "a child for each lane, of which there are so many");
	all = collect(DELIVER_LANES);
	for (size_t i = 0; i < json_array_size(all); i++)
		n += json_array_size(json_object_get(json_array_get(all, i), "items"));
	is_int((long long)n, DELIVER_LANE_ITEMS + DELIVER_LANES - 1, "what is more is dropped");
	json_decref(all);
}

static void ends_of_jobs(void)
{
	struct deliver *d = make();
	json_t *all;

	deliver_over(d, 7, 0);
	deliver_over(d, 7, 0);
	deliver_over(d, 8, 2500);
	ok(settle(d), "two jobs are over");
	all = collect(2);
	for (size_t i = 0; i < 2; i++) {
		json_t *one = json_array_get(all, i);
		bool later = json_integer_value(json_object_get(one, "over")) == 8;

		is_int(json_integer_value(json_object_get(one, "patience_ms")), later ? 2500 : 0,
		       "one is told at once, one later");
	}
	json_decref(all);
	deliver_free(d);
}

static void not_startable(void)
{
	const struct deliver_options o = { .home = dir, .program = "/nosuch/program",
					   .log_fd = -1 };
	struct deliver *d = deliver_new(&o);

	webhook(d, 1, "http://a/");
	deliver_over(d, 1, 0);
	ok(settle(d), "what cannot be started is given up");
	deliver_add(d, 1, "j", "{}", "no json");
	ok(deliver_idle(d), "what is no list of effects, too");
	deliver_free(d);
	deliver_free(NULL);
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *w)
{
	(void)st, (void)type, (void)w;
	return remove(path);
}

int main(void)
{
	const char *tmp = getenv("TMPDIR");

	(void)snprintf(dir, sizeof(dir), "%s/kqdeliver.XXXXXX", tmp ? tmp : "/tmp");
	if (!mkdtemp(dir))
		return 1;
	log_set_level(LOG_LEVEL_ERROR);
	write_program();
	lanes();
	bytes();
	one_hangs();
	too_many();
	ends_of_jobs();
	not_startable();
	(void)nftw(dir, remove_one, 8, FTW_DEPTH | FTW_PHYS);
	return tap_done();
}
