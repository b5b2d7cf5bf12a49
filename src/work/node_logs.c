/* Logs of nodes that are gone: kept for a while, not for ever. */
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/base.h"
#include "base/str.h"
#include "sys/lock.h"
#include "work/consumer_impl.h"

enum {
	LOGS_KEPT = 200,           /* as many stay ... */
	LOG_YOUNG_S = 3600,        /* ... and all that are so young ... */
	LOG_OLD_S = 7 * 24 * 3600, /* ... but none that is so old */
};

static bool is_alive(int nodes_fd, const char *log)
{
	char name[NODE_ID_SIZE + 8];
	struct err err = ERR_INIT;
	size_t n = strlen(log) - strlen(".log");

	(void)snprintf(name, sizeof(name), "%.*s.lock", (int)MIN(n, (size_t)NODE_ID_SIZE), log);
	return lock_probe(nodes_fd, name, &err) != 0;
}

/* Removes the logs of dead nodes that are older; how many logs there were. */
static size_t each_log(int nodes_fd, time_t limit_s)
{
	int fd = openat(nodes_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = fd < 0 ? NULL : fdopendir(fd);
	time_t now = time(NULL);
	struct dirent *e;
	size_t count = 0;

	if (!d) {
		if (fd >= 0)
			close(fd);
		return 0;
	}
	/* cppcheck-suppress readdirCalled ; the stream is ours alone */
	while ((e = readdir(d))) {
		struct stat st;

		if (!str_ends(e->d_name, ".log"))
			continue;
		count++;
		if (fstatat(nodes_fd, e->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
		    S_ISREG(st.st_mode) && now - st.st_mtim.tv_sec > limit_s &&
		    !is_alive(nodes_fd, e->d_name))
			(void)unlinkat(nodes_fd, e->d_name, 0);
	}
	closedir(d);
	return count;
}

void node_logs_trim(int nodes_fd)
{
	if (each_log(nodes_fd, LOG_OLD_S) > LOGS_KEPT)
		(void)each_log(nodes_fd, LOG_YOUNG_S);
}
