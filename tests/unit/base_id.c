/* Random names. */
#include "base/id.h"

#include <sys/wait.h>
#include <unistd.h>

#include "tap.h"

int main(void)
{
	uint64_t mine, theirs = 0;
	int fd[2], status;
	char hex[33];
	pid_t pid;

	ok(id_u64() != id_u64(), "two draws differ");
	id_hex(hex, 16);
	is_int(strlen(hex), 32, "16 bytes are 32 digits");
	if (pipe(fd) < 0)
		return 1;
	/* The symptom: two children of one process registered under one signature, so the second
	 * was told that it stands, and did not. */
	pid = fork();
	if (pid == 0) {
		mine = id_u64();
		_exit(write(fd[1], &mine, sizeof(mine)) != sizeof(mine));
	}
	(void)waitpid(pid, &status, 0);
	is_int(read(fd[0], &theirs, sizeof(theirs)), sizeof(theirs), "a child draws a name");
	mine = id_u64();
	ok(mine != theirs, "it is not the one its parent draws next");
	close(fd[0]);
	close(fd[1]);
	return tap_done();
}
