/*
 * The bare loop that kubeque's dispatch is measured against: COUNT runs of a command by
 * posix_spawn and waitpid, WIDTH at a time. Prints the seconds it took.
 *   spawn_loop COUNT WIDTH COMMAND [ARG...]
 */
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>

extern char **environ;

static double now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

int main(int argc, char **argv)
{
	if (argc < 4)
		return 2;
	long count = strtol(argv[1], NULL, 10), width = strtol(argv[2], NULL, 10);
	long started = 0, ended = 0;
	double t0 = now();

	while (ended < count) {
		pid_t pid;

		while (started < count && started - ended < width) {
			if (posix_spawn(&pid, argv[3], NULL, NULL, argv + 3, environ) != 0)
				return 1;
			started++;
		}
		if (waitpid(-1, NULL, 0) > 0)
			ended++;
	}
	printf("%.6f\n", now() - t0);
	return 0;
}
