#include "work/secret.h"

#include <jansson.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/base.h"
#include "base/vec.h"

static const char *const limit_names[SECRET_LIMITS] = {
	[RLIMIT_AS] = "as",
	[RLIMIT_CORE] = "core",
	[RLIMIT_CPU] = "cpu",
	[RLIMIT_DATA] = "data",
	[RLIMIT_FSIZE] = "fsize",
	[RLIMIT_MEMLOCK] = "memlock",
	[RLIMIT_MSGQUEUE] = "msgqueue",
	[RLIMIT_NOFILE] = "nofile",
	[RLIMIT_NPROC] = "nproc",
	[RLIMIT_RSS] = "rss",
	[RLIMIT_SIGPENDING] = "sigpending",
	[RLIMIT_STACK] = "stack",
};

static bool name_is(const char *entry, const char *name)
{
	size_t n = strlen(name);

	return strncmp(entry, name, n) == 0 && entry[n] == '=';
}

static bool name_in(const char *entry, const char *const *names, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (name_is(entry, names[i]))
			return true;
	}
	return false;
}

static bool is_wanted(const char *entry, bool clean)
{
	static const char *const kept[] = { "PATH", "HOME", "USER", "LANG", "TZ" };
	static const char *const dropped[] = { "OLDPWD", "SHLVL", "_", "DISPLAY",
					       "XDG_RUNTIME_DIR", "PWD" };

	if (!strchr(entry, '='))
		return false;
	if (clean)
		return name_in(entry, kept, ARRAY_SIZE(kept));
	return !str_starts(entry, "KUBEQUE_") && !str_starts(entry, "KQ_") &&
	       !str_starts(entry, "SSH_") && !name_in(entry, dropped, ARRAY_SIZE(dropped));
}

static void add_env(struct buf *out, bool clean)
{
	struct buf hex = BUF_INIT;
	bool first = true;

	buf_adds(out, "{\"env\":[");
	for (char **e = environ; e && *e; e++) {
		size_t n = strlen(*e);

		if (!is_wanted(*e, clean))
			continue;
		if (utf8_valid(*e, n)) {
			if (!first)
				buf_addch(out, ',');
			buf_add_json(out, *e, n);
			first = false;
			continue;
		}
		buf_adds(&hex, hex.n ? ",\"" : "\"");
		for (size_t i = 0; i < n; i++)
			buf_addf(&hex, "%02x", (unsigned char)(*e)[i]);
		buf_addch(&hex, '"');
	}
	buf_addch(out, ']');
	if (hex.n)
		buf_addf(out, ",\"env_hex\":[%s]", hex.p);
	buf_release(&hex);
}

void secret_capture(struct buf *out, bool clean, unsigned mask)
{
	bool first = true;

	add_env(out, clean);
	buf_addf(out, ",\"umask\":%u,\"nice\":%d,\"limits\":{", mask & 0777,
		 getpriority(PRIO_PROCESS, 0));
	for (int i = 0; i < SECRET_LIMITS; i++) {
		struct rlimit l;

		if (!limit_names[i] || getrlimit((__rlimit_resource_t)i, &l) < 0)
			continue;
		buf_addf(out, "%s\"%s\":", first ? "" : ",", limit_names[i]);
		buf_addi(out, l.rlim_cur > INT64_MAX ? -1 : (int64_t)l.rlim_cur);
		first = false;
	}
	buf_adds(out, "}}");
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return -1;
}

static char *hex_decode(const char *s)
{
	size_t n = strlen(s) / 2;
	char *out = xmalloc(n + 1);

	for (size_t i = 0; i < n; i++) {
		int hi = hex_digit(s[2 * i]), lo = hex_digit(s[2 * i + 1]);

		if (hi < 0 || lo < 0) {
			free(out);
			return NULL;
		}
		out[i] = (char)(hi << 4 | lo);
	}
	out[n] = '\0';
	return out;
}

static void parse_env(struct secret *s, const json_t *root)
{
	const json_t *env = json_object_get(root, "env");
	const json_t *hex = json_object_get(root, "env_hex");
	size_t count = json_array_size(env) + json_array_size(hex);

	s->env = xcalloc(count + 1, sizeof(*s->env));
	for (size_t i = 0; i < json_array_size(env); i++) {
		const char *e = json_string_value(json_array_get(env, i));

		if (e && strchr(e, '='))
			s->env[s->nenv++] = xstrdup(e);
	}
	for (size_t i = 0; i < json_array_size(hex); i++) {
		const char *h = json_string_value(json_array_get(hex, i));
		char *e = h ? hex_decode(h) : NULL;

		if (e && strchr(e, '='))
			s->env[s->nenv++] = e;
		else
			free(e);
	}
}

static void parse_limits(struct secret *s, const json_t *limits)
{
	for (int i = 0; i < SECRET_LIMITS; i++) {
		const json_t *v = limit_names[i] ? json_object_get(limits, limit_names[i]) : NULL;

		if (!json_is_integer(v))
			continue;
		s->has_limit[i] = true;
		s->limit[i] = json_integer_value(v);
	}
}

int secret_parse(struct secret *s, const char *json, struct err *err)
{
	const json_t *v;
	json_error_t je;
	json_t *root;

	*s = (struct secret){ .umask = 022 };
	if (!json || !*json) {
		s->env = xcalloc(1, sizeof(*s->env));
		return 0;
	}
	root = json_loads(json, JSON_REJECT_DUPLICATES, &je);
	if (!json_is_object(root)) {
		json_decref(root);
		return err_set(err, ERR_IO, "the job's stored environment is damaged");
	}
	parse_env(s, root);
	v = json_object_get(root, "umask");
	if (json_is_integer(v))
		s->umask = (unsigned)json_integer_value(v) & 0777;
	v = json_object_get(root, "nice");
	if (json_is_integer(v) && json_integer_value(v) >= -20 && json_integer_value(v) <= 19)
		s->nice = (int)json_integer_value(v);
	parse_limits(s, json_object_get(root, "limits"));
	json_decref(root);
	return 0;
}

void secret_release(struct secret *s)
{
	for (size_t i = 0; i < s->nenv; i++)
		free(s->env[i]);
	free(s->env);
	*s = (struct secret){ .umask = 022 };
}
