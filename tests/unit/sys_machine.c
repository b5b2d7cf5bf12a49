/* sys/machine.h: what may be used of this machine. */
#include "tap.h"

#include <math.h>
#include <unistd.h>

#include "base/base.h"
#include "sys/machine.h"

int main(void)
{
	static const char v1[] = "12:cpu,cpuacct:/a/b\n11:memory:/m\n1:name=systemd:/s\n0::/u/v\n";
	struct machine m;
	struct user u;
	struct err err = ERR_INIT;
	char path[64];

	ok(fabs(machine_parse_cpu_max("150000 100000") - 1.5) < 1e-9 &&
	   machine_parse_cpu_max("max 100000") <= 0 &&
	   machine_parse_cpu_max("-1 100000") <= 0 && machine_parse_cpu_max("x 1") < 0 &&
	   machine_parse_cpu_max("") < 0, "CPU quotas of both cgroup versions are read");
	ok(machine_parse_limit("1048576\n") == 1048576 &&
	   machine_parse_limit("max\n") == INT64_MAX &&
	   machine_parse_limit("9223372036854771712") == INT64_MAX &&
	   machine_parse_limit("99999999999999999999") == INT64_MAX &&
	   machine_parse_limit("") == -1 &&
	   machine_parse_limit("-5") == -1, "memory limits too");
	ok(machine_parse_cgroup(v1, "cpu", path, sizeof(path)) && strcmp(path, "/a/b") == 0,
	   "a controller in a list");
	ok(machine_parse_cgroup(v1, "memory", path, sizeof(path)) && strcmp(path, "/m") == 0,
	   "a controller by itself");
	ok(machine_parse_cgroup(v1, "", path, sizeof(path)) && strcmp(path, "/u/v") == 0,
	   "the unified group");
	ok(!machine_parse_cgroup(v1, "pids", path, sizeof(path)) &&
	   !machine_parse_cgroup("garbage\n", "cpu", path, sizeof(path)) &&
	   !machine_parse_cgroup("0::/longer-than-that\n", "", path, 5), "and what is not there");
	machine_get(&m);
	ok(m.cpus > 0 && m.threads >= 1 && m.memory > 0 && m.memory_available > 0 &&
	   m.memory_available <= m.memory, "this machine has some");
	ok(m.host[0] && m.machine_id[0] && strlen(m.boot_id) == 36, "and names");
	ok(machine_threads() == m.threads, "the threads alone");
	is_int(machine_check(&err), 0, "it can run kubeque");
	if (setenv("HOME", "/some/home", 1) < 0)
		return 1;
	user_get(&u);
	ok(u.uid == geteuid() && u.name[0] && strcmp(u.home, "/some/home") == 0,
	   "the user and $HOME");
	user_release(&u);
	if (setenv("HOME", "relative", 1) < 0)
		return 1;
	user_get(&u);
	ok(!u.home || u.home[0] == '/', "a relative $HOME is not taken");
	user_release(&u);
	return tap_done();
}
