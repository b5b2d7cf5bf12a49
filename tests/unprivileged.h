#ifndef TESTS_UNPRIVILEGED_H
#define TESTS_UNPRIVILEGED_H
/* Lets a test that runs as root meet permissions as anybody else does (capabilities(7)). */
#include <linux/capability.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Takes the right to pass over file modes from this thread, for good: access(2) looks at what is
 * permitted, not only at what is in effect. So it comes last in a test. */
static inline void override_modes_drop(void)
{
	struct __user_cap_header_struct head = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[2];
	const unsigned caps = 1u << CAP_DAC_OVERRIDE | 1u << CAP_DAC_READ_SEARCH;

	if (syscall(SYS_capget, &head, data) < 0)
		return;
	data[0].effective &= ~caps;
	data[0].permitted &= ~caps;
	(void)syscall(SYS_capset, &head, data);
}

#endif
