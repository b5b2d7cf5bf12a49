/*
 * No value gets out of its quotes. Random shell lines, nested and damaged, with placeholders in
 * them; whatever the template accepts is run by every shell of this machine with values that try
 * to break out and leave a file behind. KQ_TEST_ROUNDS and KQ_TEST_SEED make it run longer.
 */
#include <fcntl.h>
#include <spawn.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/base.h"
#include "model/template.h"
#include "tap.h"

static uint64_t seed = 20170915;

static size_t rnd(size_t n)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return (size_t)(seed % n);
}

#define PICK(a) ((a)[rnd(ARRAY_SIZE(a))])

static int holes;

static void hole(struct buf *b)
{
	if (holes > 0 && rnd(4) == 0) {
		buf_adds(b, "{v}");
		holes--;
	}
}

static void command(struct buf *b, int depth);

static void literal(struct buf *b)
{
	static const char *const text[] = { "a", "b c", "#", "\\\\", "\\\"", "%", "=", "1",
					    "\xc3\xa9", "" };

	hole(b);
	buf_adds(b, PICK(text));
	hole(b);
}

static void in_double(struct buf *b, int depth)
{
	buf_adds(b, "\"");
	for (size_t n = rnd(3); n; n--) {
		literal(b);
		switch (depth > 0 ? rnd(6) : 5) {
		case 0: buf_adds(b, "$("); command(b, depth - 1); buf_adds(b, ")"); break;
		case 1: buf_adds(b, "`"); command(b, depth - 1); buf_adds(b, "`"); break;
		case 2: buf_adds(b, "${X:-"); literal(b); buf_adds(b, "}"); break;
		case 3: buf_adds(b, "$((1+2))"); break;
		case 4: buf_adds(b, "'"); break;
		default: buf_adds(b, "$X"); break;
		}
		hole(b);
	}
	hole(b);
	buf_adds(b, "\"");
}

static void word(struct buf *b, int depth)
{
	switch (rnd(depth > 0 ? 12 : 6)) {
	case 0: buf_adds(b, "a"); hole(b); break;
	case 1: hole(b); buf_adds(b, "\\;"); break;
	case 2: buf_adds(b, "'"); literal(b); buf_adds(b, "'"); break;
	case 3: buf_adds(b, "$X"); hole(b); break;
	case 4: buf_adds(b, "$'a"); hole(b); buf_adds(b, rnd(2) ? "\\'" : ""); buf_adds(b,
											"'"); break;
	case 5: hole(b); hole(b); break;
	case 6: case 7: in_double(b, depth); break;
	case 8: buf_adds(b, "$("); command(b, depth - 1); buf_adds(b, ")"); break;
	case 9: buf_adds(b, "`"); command(b, depth - 1); buf_adds(b, "`"); break;
	case 10: buf_adds(b, "${X:-"); word(b, depth - 1); buf_adds(b, "}"); break;
	default: buf_adds(b, "$(( 1 + (2) ))"); break;
	}
	hole(b);
}

static void simple(struct buf *b, int depth)
{
	buf_adds(b, rnd(3) ? "echo" : ":");
	for (size_t n = rnd(3); n; n--) {
		buf_adds(b, " ");
		word(b, depth);
	}
}

static void heredoc(struct buf *b)
{
	static const char *const begin[] = { "cat <<E", "cat <<'E'", "cat <<-E", "cat << \"E\"",
					     "cat <<\\E" };
	static const char *const body[] = { "x\n", "$(echo y)\n", "`\n", "'\n", "\"\n", "E \n",
					    "\\\n", "$(\n" };

	buf_adds(b, PICK(begin));
	hole(b);
	buf_adds(b, "\n");
	for (size_t n = rnd(3); n; n--) {
		hole(b);
		buf_adds(b, PICK(body));
	}
	buf_adds(b, "E\n");
}

static void command(struct buf *b, int depth)
{
	switch (rnd(depth > 0 ? 12 : 3)) {
	case 0: case 1: simple(b, depth); break;
	case 2: simple(b, depth); buf_adds(b, " # "); hole(b); buf_adds(b, "it's\n"); break;
	case 3: heredoc(b); command(b, depth - 1); break;
	case 4:
		buf_adds(b, "case ");
		word(b, depth - 1);
		buf_adds(b, " in a) ");
		command(b, depth - 1);
		buf_adds(b, ";; *) ");
		command(b, depth - 1);
		buf_adds(b, ";; esac");
		break;
	case 5: buf_adds(b, "("); command(b, depth - 1); buf_adds(b, ")"); break;
	case 6: buf_adds(b, "{ "); command(b, depth - 1); buf_adds(b, "; }"); break;
	case 7: buf_adds(b, "X="); word(b, depth - 1); buf_adds(b, "; "); command(b,
										  depth - 1); break;
	case 8: command(b, depth - 1); buf_adds(b, " | "); simple(b, depth - 1); break;
	case 9: simple(b, depth - 1); buf_adds(b, " && "); command(b, depth - 1); break;
	case 10: command(b, depth - 1); buf_adds(b, "\n"); command(b, depth - 1); break;
	default: simple(b, depth - 1); buf_adds(b, " \\\n "); word(b, depth - 1); break;
	}
}

/* One byte less, more, or twice, but never within a placeholder. */
static void damage(struct buf *b)
{
	static const char marks[] = "'\"`$(){}\\#<\n; ";
	size_t at = b->n ? rnd(b->n) : 0;

	if (!b->n || b->p[at] == '{' || b->p[at] == '}' || b->p[at] == 'v')
		return;
	if (rnd(2)) {
		b->p[at] = marks[rnd(sizeof(marks) - 1)];
	} else {
		memmove(b->p + at, b->p + at + 1, b->n - at);
		b->n--;
	}
}

static void run(const char *shell, const char *line)
{
	extern char **environ;
	char *argv[] = { (char *)(uintptr_t)"sh", (char *)(uintptr_t)"-c", (char *)(uintptr_t)line,
			 NULL };
	posix_spawn_file_actions_t fa;
	pid_t pid;
	int status;

	posix_spawn_file_actions_init(&fa);
	for (int fd = 0; fd < 3; fd++)
		posix_spawn_file_actions_addopen(&fa, fd, "/dev/null", fd ? O_WRONLY : O_RDONLY, 0);
	if (posix_spawn(&pid, shell, &fa, NULL, argv, environ) != 0)
		abort();
	posix_spawn_file_actions_destroy(&fa);
	waitpid(pid, &status, 0);
}

int main(void)
{
	static const char *const payloads[] = {
		"';>GOT;'", "\";>GOT;\"", "$(>GOT)", "`>GOT`", "\n>GOT\n", ")\n>GOT\n(", "';>GOT #",
		"\";>GOT #", "\nE\n>GOT\n", "a;>GOT;b", "}\n>GOT\n", "\\';>GOT;'", "\\\";>GOT;\"",
		"'\n>GOT\n'",
		"esac\n>GOT", "))\n>GOT\n", ";;*)>GOT;;esac", "a[$(>GOT)]", "\"'`)}>GOT", "|>GOT",
		"#'\n>GOT\n'",
	};
	static const char *const shells[] = { "/bin/sh", "/bin/bash", "/bin/busybox", "/bin/ksh" };
	const struct str name = { "v", 1 };
	const struct columns one = { &name, 1 };
	const char *tmp = getenv("TMPDIR"), *rounds = getenv("KQ_TEST_ROUNDS"), *start = getenv("KQ_TEST_SEED");
	char *dir = xasprintf("%s/kq-injection-XXXXXX", tmp ? tmp : "/tmp");
	long n = rounds ? strtol(rounds, NULL, 10) : 1200, accepted = 0, got = 0;
	struct buf line = BUF_INIT, out = BUF_INIT;

	if (start)
		seed = strtoull(start, NULL, 10) | 1;
	if (!mkdtemp(dir) || chdir(dir) < 0)
		return 1;
	for (long i = 0; i < n; i++) {
		struct str value = str_of(PICK(payloads));
		struct err err = ERR_INIT;
		struct template t;

		buf_clear(&line);
		holes = 2;
		command(&line, 3);
		for (size_t k = rnd(3); k; k--)
			damage(&line);
		if (holes == 2 || template_compile(&t, buf_str(&line), TEMPLATE_SHELL, &one, &err) < 0)
			continue;
		buf_clear(&out);
		template_expand(&t, &value, &out);
		if (!t.constant) {
			accepted++;
			for (size_t s = 0; s < ARRAY_SIZE(shells); s++)
				if (access(shells[s], X_OK) == 0)
					run(shells[s], out.p);
		}
		template_release(&t);
		if (access("GOT", F_OK) == 0) {
			got++;
			printf("# out of its quotes: %s\n# ---- as\n# %s\n", line.p, out.p);
			unlink("GOT");
		}
	}
	ok(accepted > n / 20, "%ld lines were accepted and run", accepted);
	is_int(got, 0, "no value got out of its quotes");
	if (chdir("/") < 0 || rmdir(dir) < 0)
		printf("# something was left in %s\n", dir);
	free(dir);
	buf_release(&line);
	buf_release(&out);
	return tap_done();
}
