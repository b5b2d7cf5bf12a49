/* What this process is, for those it starts. */
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/base.h"
#include "base/str.h"
#include "base/vec.h"
#include "sys/proc.h"

extern char **environ;

void proc_own_binary(char *out, size_t size)
{
	ssize_t n = readlink("/proc/self/exe", out, size - 1);
	struct stat a, b;

	if (n > 0) {
		out[n] = '\0';
		if (stat("/proc/self/exe", &a) == 0 && stat(out, &b) == 0 && a.st_dev == b.st_dev &&
		    a.st_ino == b.st_ino)
			return;
	}
	(void)snprintf(out, size, "/proc/self/exe");
}

const char **proc_own_env(void)
{
	VEC(const char *) env = { 0 };

	for (char **e = environ; e && *e; e++)
		if (!str_starts(*e, "KQ_"))
			*vec_push(&env) = *e;
	*vec_push(&env) = NULL;
	return env.p;
}
