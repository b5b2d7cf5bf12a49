/* Braces, quoting, plain words, carets, names of variables. */
#include "model/template.h"

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/base.h"
#include "base/id.h"
#include "model/shell.h"
#include "tap.h"

#define LIT(s) { (s), sizeof(s) - 1 }
static const struct str names[] = { LIT("x"), LIT("alpha"), LIT("a.b:c-d"), LIT("2nd"), LIT("_u") };
static const struct columns columns = { names, ARRAY_SIZE(names) };
static const struct str row[] = { LIT("1"), LIT("it's"), LIT("{x}"), LIT("second"), LIT("") };

static void expands(const char *text, enum template_kind kind, const char *want)
{
	struct err err = ERR_INIT;
	struct template t;
	struct buf out = BUF_INIT;

	if (template_compile(&t, str_of(text), kind, &columns, &err) < 0) {
		ok(0, "%s compiles: %s", text, err.text);
		return;
	}
	template_expand(&t, row, &out);
	is_str(out.p, want, "%s", text);
	buf_release(&out);
	template_release(&t);
}

static void refused(const char *text, enum template_kind kind, const char *part)
{
	struct err err = ERR_INIT;
	struct template t;
	int r = template_compile(&t, str_of(text), kind, &columns, &err);

	if (!ok(r < 0 && err.code == ERR_USAGE && strstr(err.text, part), "refused: %s", text))
		printf("#   %s\n", r < 0 ? err.text : "accepted");
	template_release(&t);
}

static void test_braces(void)
{
	static const struct {
		const char *text, *want;
	} table[] = {
		{ "{x}", "1" },
		{ "a{x}b{alpha}c", "a1bit'sc" },
		{ "{{{x}}}", "{1}" },
		{ "{{x}}", "{x}" },
		{ "{{nosuch}}", "{nosuch}" },
		{ "${x}", "${x}" },
		{ "${nosuch}", "${nosuch}" },
		{ "{a.b:c-d}", "{x}" },
		{ "{_u}", "" },
		{ "{{{{x}}}}", "{{1}}" },
		{ "{print $1}", "{print $1}" },
		{ "{}", "{}" },
		{ "{", "{" },
		{ "x}", "x}" },
		{ "{x", "{x" },
		{ "{ x }", "{ x }" },
		{ "{2nd}", "{2nd}" },
		{ "$", "$" },
		{ "$$", "$$" },
		{ "$${x}", "$${x}" },
		{ "{{x}", "{1" },
		{ "{x}}", "1}" },
		{ "", "" },
		{ "{x}{x}", "11" },
		{ "\xc3\xa9{x}\xc3\xa9", "\xc3\xa9" "1\xc3\xa9" },
	};
	struct columns none = { NULL, 0 };
	struct err err = ERR_INIT;
	struct template t;
	struct buf out = BUF_INIT;

	for (size_t i = 0; i < ARRAY_SIZE(table); i++)
		expands(table[i].text, TEMPLATE_TEXT, table[i].want);
	refused("{y}", TEMPLATE_TEXT, "columns: x, alpha, a.b:c-d, 2nd (no placeholder name), _u");
	refused("{alhpa}", TEMPLATE_TEXT, "did you mean {alpha}?");
	refused("{Alpha}", TEMPLATE_TEXT, "did you mean {alpha}?");
	refused("awk '{print}'", TEMPLATE_TEXT, "{{print}}");
	ok(template_compile(&t, STR("{x} {{x}} ${x}"), TEMPLATE_TEXT, &none, &err) == 0 &&
	   t.constant,
	   "without parameters every text is constant");
	template_expand(&t, NULL, &out);
	is_str(out.p, "{x} {{x}} ${x}", "without parameters nothing is replaced");
	template_release(&t);
	buf_release(&out);
}

static void test_places(void)
{
	static const struct {
		const char *text, *want;
	} fine[] = {
		{ "echo {alpha}", "echo 'it'\\''s'" },
		{ "echo {_u}", "echo ''" },
		{ "echo '{alpha}'", "echo 'it'\\''s'" },
		{ "echo \"{alpha}\"", "echo \"it's\"" },
		{ "echo $(cat {x})", "echo $(cat '1')" },
		{ "echo $(cat \"{x}\") {x}", "echo $(cat \"1\") '1'" },
		{ "a#b {x}", "a#b '1'" },
		{ "echo $# {x}", "echo $# '1'" },
		{ "echo \\# {x}", "echo \\# '1'" },
		{ "echo '#' \"#\" {x}", "echo '#' \"#\" '1'" },
		{ "(cd a; ls) && echo {x}", "(cd a; ls) && echo '1'" },
		{ "echo ${HOME:-\"a b\"} {x}", "echo ${HOME:-\"a b\"} '1'" },
		{ "echo $((1+2)) {x}", "echo $((1+2)) '1'" },
		{ "echo `date` {x}", "echo `date` '1'" },
		{ "echo \"`date`\" {x}", "echo \"`date`\" '1'" },
		{ "echo # no\necho {x}", "echo # no\necho '1'" },
		{ "cat <<E\nbody\nE\necho {x}", "cat <<E\nbody\nE\necho '1'" },
		{ "cat <<-'E F'\n\tbody\n\tE F\necho {x}",
		  "cat <<-'E F'\n\tbody\n\tE F\necho '1'" },
		{ "cat <<E {x}\nb\nE\n", "cat <<E '1'\nb\nE\n" },
		{ "case {x} in a) echo {x};; esac", "case '1' in a) echo '1';; esac" },
		{ "echo \"a \\\n {x}\"", "echo \"a \\\n 1\"" },
		{ "echo \"$(date)\" {x}", "echo \"$(date)\" '1'" },
		{ "echo \"$HOME{x}\"", "echo \"$HOME1\"" },
		{ "awk '{{print}}' {x}", "awk '{print}' '1'" },
		{ "awk '{print $1}' {x}", "awk '{print $1}' '1'" },
		{ "echo $'a b' {x}", "echo $'a b' '1'" },
		{ "cmd <{x} >{x}.out", "cmd <'1' >'1'.out" },
		{ "cat <<< {x}", "cat <<< '1'" },
		{ "echo \"${X}\" {x}", "echo \"${X}\" '1'" },
		{ "echo \"a\\\"{x}\"", "echo \"a\\\"1\"" },
		{ "X={x} cmd", "X='1' cmd" },
		{ "echo \"\\$\"{x}", "echo \"\\$\"'1'" },
	};
	static const struct {
		const char *text, *why;
	} bad[] = {
		{ "echo `cat {x}`", "inside backquotes" },
		{ "echo \"`cat {x}`\"", "inside backquotes" },
		{ "echo $(( {x} + 1 ))", "inside $((...))" },
		{ "(( {x} ))", "inside $((...))" },
		{ "echo $[ {x} ]", "inside $((...))" },
		{ "cat <<E\n{x}\nE\n", "in a here-document" },
		{ "cat <<'E'\n{x}\nE\n", "in a here-document" },
		{ "cat <<-E\n\t{x}\n\tE\n", "in a here-document" },
		{ "cat <<A <<B\na\nA\n{x}\nB\n", "in a here-document" },
		{ "cat <<{x}\n", "in a here-document" },
		{ "echo a # {x}", "in a comment" },
		{ "# {x}", "in a comment" },
		{ "echo;#{x}", "in a comment" },
		{ "echo $'{x}'", "inside $'...'" },
		{ "echo \"$(cat {x})\"", "inside $(...) within double quotes" },
		{ "echo \"$(cat '{x}')\"", "inside $(...) within double quotes" },
		{ "echo \"$(cat \"{x}\")\"", "inside $(...) within double quotes" },
		{ "echo ${A:-{x}}", "inside ${...}" },
		{ "echo \"${A:-{x}}\"", "inside ${...}" },
		{ "echo \\{x}", "behind a backslash" },
		{ "echo \"\\{x}\"", "behind a backslash" },
		{ "echo \"$(case a in a) echo b;; esac) {x}\"", "shells read differently" },
		{ "echo $'a\\'b' {x}", "shells read differently" },
		{ "echo \"${A:-'}\" {x}", "shells read differently" },
		{ "echo $(cat <<E\na\nE)\n{x}", "shells read differently" },
		{ "cat <<E\na `\nE\necho {x}", "shells read differently" },
		{ "cat <<E\na $(\nE\necho {x}", "shells read differently" },
		{ "echo `cat {a.b:c-d}`", "\"$KQ_PARAM_a_b_c_d\"" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(fine); i++)
		expands(fine[i].text, TEMPLATE_SHELL, fine[i].want);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		refused(bad[i].text, TEMPLATE_SHELL, bad[i].why);
}

/* Runs `line` with /bin/sh; what it wrote. */
static void run_sh(const char *line, struct buf *out)
{
	extern char **environ;
	char *argv[] = { (char *)(uintptr_t)"sh", (char *)(uintptr_t)"-c", (char *)(uintptr_t)line,
			 NULL };
	posix_spawn_file_actions_t fa;
	int fd[2], status;
	pid_t pid;
	ssize_t n;

	if (pipe2(fd, O_CLOEXEC) < 0)
		abort();
	posix_spawn_file_actions_init(&fa);
	posix_spawn_file_actions_adddup2(&fa, fd[1], 1);
	if (posix_spawn(&pid, "/bin/sh", &fa, NULL, argv, environ) != 0)
		abort();
	posix_spawn_file_actions_destroy(&fa);
	close(fd[1]);
	buf_clear(out);
	do {
		buf_grow(out, 65536);
		n = read(fd[0], out->p + out->n, 65536);
		if (n > 0)
			out->n += (size_t)n;
	} while (n > 0);
	close(fd[0]);
	waitpid(pid, &status, 0);
}

/* A random value of the characters that hurt. */
static void random_value(struct buf *v)
{
	static const char *const atoms[] = {
		"'", "\"", "\\", "$", "`", "$(touch x)", "${HOME}", "\n", " ", "*", "?", "[a]", ";",
		"&",
		"|", "#", "~", "!", "(", ")", "<", ">", "<<E", "a", "\xc3\xa9", "{x}", "=", "%",
		"-n",
		"\t", "\\n", "$'", "\\\\",
	};
	uint64_t r = id_u64();

	buf_clear(v);
	for (size_t n = r % 9; n; n--) {
		r = r / 9 ? r / 9 : id_u64();
		buf_adds(v, atoms[id_u64() % ARRAY_SIZE(atoms)]);
	}
}

/* Every value comes back byte for byte from each kind of place, in one shell run a round. */
static void test_against_sh(void)
{
	static const char *const places[] = {
		"printf '%s\\0' {v}\n",
		"printf '%s\\0' '{v}'\n",
		"printf '%s\\0' \"{v}\"\n",
		"printf '%s\\0' $(printf '%s' x; exit; echo {v})\"{v}\"\n",
		"(printf '%s\\0' \"a\"'b'{v})\n",
		"X={v}; printf '%s\\0' \"$X\"\n",
		"case {v} in {v}) printf '%s\\0' {v};; *) printf 'no\\0';; esac\n",
		"cat <<'E' >/dev/null; printf '%s\\0' {v} # comment\nbody ' \" `\nE\n",
		"cat <<-E >/dev/null; printf '%s\\0' {v}\n\tbody ' \" `date` $(date)\n\tE\n",
	};
	static const char *const before[] = { "", "", "", "x", "ab", "", "", "", "" };
	const struct str name[] = { STR("v") };
	const struct columns one = { name, 1 };
	struct buf line = BUF_INIT, want = BUF_INIT, got = BUF_INIT, v = BUF_INIT;
	const char *tmp = getenv("TMPDIR");
	char *dir = xasprintf("%s/kq-template-XXXXXX", tmp ? tmp : "/tmp");
	int bad = 0;

	if (!mkdtemp(dir) || chdir(dir) < 0) /* what a broken quote would leave lands here */
		abort();
	for (int round = 0; round < 60; round++) {
		buf_clear(&line);
		buf_clear(&want);
		for (int k = 0; k < 10; k++) {
			random_value(&v);
			for (size_t i = 0; i < ARRAY_SIZE(places); i++) {
				struct str value = buf_str(&v);
				struct template t;
				struct err err = ERR_INIT;

				if (template_compile(&t, str_of(places[i]), TEMPLATE_SHELL, &one,
						     &err) < 0) {
					ok(0, "%s compiles: %s", places[i], err.text);
					return;
				}
				template_expand(&t, &value, &line);
				template_release(&t);
				buf_adds(&want, before[i]);
				buf_add(&want, v.p, v.n + 1);
			}
		}
		run_sh(line.p, &got);
		if (got.n != want.n || memcmp(got.p, want.p, got.n) != 0) {
			bad++;
			printf("# round %d differs\n", round);
		}
	}
	ok(chdir("/") == 0 && rmdir(dir) == 0, "the shell left nothing behind");
	free(dir);
	is_int(bad, 0, "random values come back from /bin/sh byte for byte");
	buf_release(&line);
	buf_release(&want);
	buf_release(&got);
	buf_release(&v);
}

static void test_plain(void)
{
	static const char *const plain[] = { "/bin/true", "true", "false", "echo", "printf", "test",
					     "a/b.py", "x@1%,:+-_." };
	static const char *const not[] = { "", "sleep 1", "a;b", "exit", "cd", "if", "while", ".",
					   ":", "a=b", "~", "$x", "a\"b", "\xc3\xa9", "[",
					   "ulimit", "!", "*", "kill", "wait", "exec" };

	for (size_t i = 0; i < ARRAY_SIZE(plain); i++)
		ok(shell_is_plain(str_of(plain[i])), "%s needs no shell", plain[i]);
	for (size_t i = 0; i < ARRAY_SIZE(not); i++)
		ok(!shell_is_plain(str_of(not[i])), "\"%s\" does", not[i]);
}

static void line_is(const char *word, const char *value, bool plain, const char *want)
{
	const struct str name[] = { STR("v") };
	const struct columns one = { name, 1 };
	struct str v = str_of(value);
	struct command c;
	struct err err = ERR_INIT;
	struct buf out = BUF_INIT;

	if (command_compile(&c, &word, 1, &one, &err) < 0 || !c.shell) {
		ok(0, "%s is a line: %s", word, err.text);
		return;
	}
	is_int(command_expand_line(&c, &v, &out), plain, "%s with %s: shell or not", word, value);
	is_str(out.p, want, "%s with %s", word, value);
	command_release(&c);
	buf_release(&out);
}

static void test_commands(void)
{
	const char *argv[] = { "^run.sh", "^^x", "{x}", "^{alpha}" };
	const char *lone[] = { "^run.sh" }, *bad[] = { "a", "^" }, *blank[] = { "  " };
	struct command c;
	struct err err = ERR_INIT;
	struct buf out = BUF_INIT;

	line_is("/bin/true", "", true, "/bin/true");
	line_is("{v}", "a/b", true, "a/b");
	line_is("{v}", "if", false, "'if'");
	line_is("{v}", "a b", false, "'a b'");
	line_is("x{v}", "", true, "x");
	line_is("'{v}'", "a", false, "'a'");
	line_is("^^a", "", false, "^a");
	ok(command_compile(&c, argv, 4, &columns, &err) == 0 && !c.shell && c.files,
	   "argv with files");
	ok(c.word[0].kind == WORD_FILE && c.word[1].kind == WORD_TEXT &&
	   c.word[3].kind == WORD_FILE,
	   "^ at the start is a file, ^^ is not");
	template_expand(&c.word[0].t, row, &out);
	template_expand(&c.word[1].t, row, &out);
	is_str(out.p, "run.sh^x", "both lose one ^");
	command_release(&c);
	ok(command_compile(&c, lone, 1, &columns, &err) == 0 && !c.shell && c.n == 1,
	   "one ^word is argv");
	command_release(&c);
	ok(command_compile(&c, bad, 2, &columns, &err) < 0, "a lone ^ is refused: %s", err.text);
	ok(command_compile(&c, blank, 1, &columns, &err) < 0, "an empty command is refused");
	buf_release(&out);
}

static void test_names(void)
{
	const struct str n[] = { STR("a"), STR("b.c"), STR("b-c"), STR("\xc3\xa9"), STR("1") };
	const struct columns c = { n, ARRAY_SIZE(n) };
	struct param_names p;
	struct buf out = BUF_INIT;

	param_names_init(&p, &c);
	is_str(p.name[0], "KQ_PARAM_a", "plain");
	ok(!p.name[1] && !p.name[2], "two columns that give one name have none");
	is_int(p.clashes, 2, "both are counted");
	is_str(p.name[3], "KQ_PARAM__", "one character, one underscore");
	is_str(p.name[4], "KQ_PARAM_1", "digits stay");
	param_names_explain(&p, &c, &out);
	ok(strstr(out.p, "\"b.c\"") && strstr(out.p, "\"b-c\""), "%s", out.p);
	buf_release(&out);
	param_names_release(&p);
}

int main(void)
{
	test_braces();
	test_places();
	test_plain();
	test_commands();
	test_names();
	test_against_sh();
	return tap_done();
}
