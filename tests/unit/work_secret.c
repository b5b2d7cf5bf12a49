/* The submitter's environment travels with the job, and comes back as it was. */
#include "work/secret.h"

#include <sys/resource.h>
#include <unistd.h>

#include "base/base.h"
#include "tap.h"

static const char *find(const struct secret *s, const char *name)
{
	size_t n = strlen(name);

	for (size_t i = 0; i < s->nenv; i++) {
		if (strncmp(s->env[i], name, n) == 0 && s->env[i][n] == '=')
			return s->env[i] + n + 1;
	}
	return NULL;
}

static void round_trip(void)
{
	struct buf json = BUF_INIT;
	struct secret s;
	struct err err = ERR_INIT;

	clearenv();
	setenv("PATH", "/bin:/usr/bin", 1);
	setenv("LANG", "C", 1);
	setenv("QUOTED", "a\"b\\c\nd\te", 1);
	setenv("LATIN", "caf\xe9", 1);
	setenv("UTF8", "caf\xc3\xa9", 1);
	setenv("EMPTY", "", 1);
	setenv("KUBEQUE_HOME", "/x", 1);
	setenv("KQ_TASK", "1", 1);
	setenv("SSH_AUTH_SOCK", "/x", 1);
	setenv("SHLVL", "3", 1);
	setenv("DISPLAY", ":0", 1);
	secret_capture(&json, false, 0027);
	ok(utf8_valid(json.p, json.n), "the text is UTF-8 although a value is not");
	is_int(secret_parse(&s, json.p, &err), 0, "what was captured can be read");
	is_str(find(&s, "QUOTED"), "a\"b\\c\nd\te", "quotes, backslashes and newlines survive");
	is_str(find(&s, "LATIN"), "caf\xe9", "a value that is not UTF-8 survives");
	is_str(find(&s, "UTF8"), "caf\xc3\xa9", "a value in UTF-8 survives");
	is_str(find(&s, "EMPTY"), "", "an empty value is there");
	ok(!find(&s, "KUBEQUE_HOME") && !find(&s, "KQ_TASK"), "kubeque's own names are left out");
	ok(!find(&s, "SSH_AUTH_SOCK") && !find(&s, "SHLVL") && !find(&s, "DISPLAY"),
	   "names of the session are left out");
	is_int(s.umask, 0027, "the umask is kept");
	ok(s.has_limit[RLIMIT_NOFILE], "the limit of open files is kept");
	secret_release(&s);
	buf_clear(&json);
	secret_capture(&json, true, 022);
	is_int(secret_parse(&s, json.p, &err), 0, "a clean one can be read");
	is_int((long long)s.nenv, 2, "--clean-env keeps PATH and LANG of these");
	secret_release(&s);
	buf_release(&json);
}

static void damaged(void)
{
	struct secret s;
	struct err err = ERR_INIT;

	is_int(secret_parse(&s, "", &err), 0, "no secret is an empty environment");
	is_int((long long)s.nenv, 0, "with no entry");
	secret_release(&s);
	is_int(secret_parse(&s, "{\"env\":", &err), -1, "cut text is refused");
	is_int(err.code, ERR_IO, "as damage");
	secret_release(&s);
	is_int(secret_parse(&s, "{\"env\":[1,\"A\"],\"env_hex\":[\"zz\"],\"umask\":\"x\"}", &err),
	       0, "entries that are none are skipped");
	is_int((long long)s.nenv, 0, "and nothing else");
	is_int(s.umask, 022, "the umask stays the usual one");
	secret_release(&s);
}

static void limits(void)
{
	struct secret s;
	struct err err = ERR_INIT;

	is_int(secret_parse(&s, "{\"limits\":{\"core\":0,\"nofile\":64}}", &err), 0, "limits");
	ok(s.has_limit[RLIMIT_CORE] && s.limit[RLIMIT_CORE] == 0 && s.has_limit[RLIMIT_NOFILE] &&
	   s.limit[RLIMIT_NOFILE] == 64 && !s.has_limit[RLIMIT_AS], "those given, by number");
	secret_release(&s);
}

int main(void)
{
	round_trip();
	damaged();
	limits();
	return tap_done();
}
