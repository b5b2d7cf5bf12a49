/*
 * kubeque.ini(path) -> list of {section =, key =, value =, line =}, list of {section =, line =}
 *
 * inih reads the lines; what it would cut or take in silence is refused here, with file and line:
 * a line above 4,096 bytes, a continuation line, a NUL, a line that is neither key, section nor
 * comment. Comments begin with ; or # at the start of a line; " ;" after a value ends it.
 */
#include <ctype.h>
#include <fcntl.h>
#include <string.h>

#include <ini.h>

#include "base/base.h"
#include "base/buf.h"
#include "script/call.h"
#include "script/convert.h"
#include "script/json.h"
#include "script/libs.h"
#include "sys/file.h"

enum {
	LINE_MAX_BYTES = 4096,
	SECTION_MAX = 48, /* inih cuts at 50 */
	FILE_MAX = 1 << 20,
};

struct reading {
	struct buf *text;
	size_t at;
	int64_t line;
	const char *path;
	struct script_list rows, sections;
	const char *section, *key, *value; /* of the row being added */
	struct err *err;
	bool failed;
};

static int refuse(struct reading *r, const char *why)
{
	r->failed = true;
	return err_set(r->err, ERR_CONFIG, "%s:%lld: %s", r->path, (long long)r->line, why);
}

static void push_row(lua_State *L, const void *p)
{
	const struct reading *r = p;

	lua_createtable(L, 0, 4);
	script_set_str(L, "section", r->section);
	script_set_str(L, "key", r->key);
	script_set_str(L, "value", r->value);
	script_set_i64(L, "line", r->line);
}

static int on_key(void *ctx, const char *section, const char *name, const char *value)
{
	struct reading *r = ctx;

	r->section = section;
	r->key = name;
	r->value = value ? value : "";
	if (script_list_add(&r->rows, push_row, r) < 0) {
		r->failed = true;
		return 0;
	}
	return 1;
}

static int note_section(struct reading *r, const char *p, const char *end)
{
	char name[SECTION_MAX + 1];

	if (!end)
		return refuse(r, "a section without its ]");
	if (end - p > SECTION_MAX)
		return refuse(r, "the name of this section is too long");
	memcpy(name, p, (size_t)(end - p));
	name[end - p] = '\0';
	r->section = name;
	r->key = r->value = NULL;
	if (script_list_add(&r->sections, push_row, r) < 0) {
		r->failed = true;
		return -1;
	}
	return 0;
}

static int check_line(struct reading *r, const char *p, size_t n)
{
	const char *s = p, *end = p + n;

	if (n > LINE_MAX_BYTES)
		return refuse(r, "this line is longer than 4096 bytes");
	if (memchr(p, '\0', n))
		return refuse(r, "this line holds a NUL byte");
	while (s < end && isspace((unsigned char)*s))
		s++;
	if (s == end || *s == ';' || *s == '#')
		return 0;
	if (s > p)
		return refuse(r, "a line that continues another is not understood here: "
				 "begin it at the left margin");
	if (*s == '[')
		return note_section(r, s + 1, memchr(s, ']', n));
	if (*s == '=' || *s == ':')
		return refuse(r, "a value without its key");
	if (!memchr(p, '=', n) && !memchr(p, ':', n))
		return refuse(r, "this is neither key=value, nor [section], nor a comment");
	return 0;
}

/* As fgets, one line a call. */
static char *next_line(char *out, int size, void *ctx)
{
	struct reading *r = ctx;
	const char *p = r->text->p + r->at, *nl;
	size_t n;

	if (r->failed || r->at >= r->text->n)
		return NULL;
	nl = memchr(p, '\n', r->text->n - r->at);
	n = nl ? (size_t)(nl - p) : r->text->n - r->at;
	r->at += n + (nl ? 1 : 0);
	r->line++;
	if (n && p[n - 1] == '\r')
		n--;
	if (r->line == 1 && n >= 3 && memcmp(p, "\xEF\xBB\xBF", 3) == 0) {
		p += 3;
		n -= 3;
	}
	if (check_line(r, p, n) < 0 || n + 2 > (size_t)size)
		return NULL;
	memcpy(out, p, n);
	out[n] = '\n';
	out[n + 1] = '\0';
	return out;
}

static int ini_(lua_State *L)
{
	const char *path = script_check_text(L, 1);
	struct err err = ERR_INIT;
	struct reading r = { .path = path, .err = &err };
	int found, bad;

	r.text = script_new_buf(L);
	found = file_read(AT_FDCWD, path, FILE_MAX, r.text, &err);
	if (found == 0)
		err_set(&err, ERR_NOT_FOUND, "%s is not there", path);
	if (found <= 0)
		return script_fail(L, &err);
	script_list_begin(&r.rows, L);
	script_list_begin(&r.sections, L);
	ini_max_line = LINE_MAX_BYTES + 8;
	ini_allow_multiline = false;
	ini_allow_inline_comments = true;
	bad = ini_parse_stream(next_line, &r, on_key, &r);
	script_list_end(&r.rows);
	script_list_end(&r.sections);
	if (bad && !r.failed) {
		r.line = bad;
		refuse(&r, "this is neither key=value, nor [section], nor a comment");
	}
	return r.failed ? script_fail(L, &err) : 2;
}

void lib_ini(lua_State *L)
{
	lua_pushcfunction(L, ini_);
	lua_setfield(L, -2, "ini");
}
