/*
 * What on_event asks for: { webhook = "http://...", body = table or text, headers = {},
 * timeout = }, { command = {...}, stdin = table or text, timeout = }, or a list of such. Without
 * body or stdin it is the event as JSON. Nothing is done here.
 */
#include <math.h>
#include <string.h>

#include "base/base.h"
#include "base/buf.h"
#include "base/str.h"
#include "model/units.h"
#include "script/convert.h"
#include "script/json.h"
#include "script/policy_impl.h"

enum {
	EFFECTS_MAX = 16,
	URL_MAX = 8192,
	TIMEOUT_MS = 10 * 1000,
	TIMEOUT_MAX_MS = 300 * 1000,
};

static bool has_control(const char *s, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if ((unsigned char)s[i] < ' ' || s[i] == 127)
			return true;
	return false;
}

/* Before it is added: one text may stand in a list a million times. */
static void check_size(lua_State *L, const struct buf *out, size_t more)
{
	if (more > POLICY_TEXT_MAX || out->n > POLICY_TEXT_MAX - more)
		luaL_error(L, "the effects of an event are more than %d KiB",
			   POLICY_TEXT_MAX / 1024);
}

static void add_text(lua_State *L, int idx, struct buf *out)
{
	size_t n;
	const char *s = lua_tolstring(L, idx, &n);

	check_size(L, out, n);
	buf_add_json(out, s, n);
}

/* Text, or a table as JSON, as a JSON text; true when it was a table. */
static bool add_body(lua_State *L, int idx, const char *name, struct buf *out)
{
	struct buf *json;

	if (lua_type(L, idx) == LUA_TSTRING) {
		add_text(L, idx, out);
		return false;
	}
	if (!lua_istable(L, idx))
		luaL_error(L, "%s: a text or a table expected, got a %s", name,
			   luaL_typename(L, idx));
	json = script_new_buf(L);
	script_add_json(L, idx, json, POLICY_TEXT_MAX);
	buf_add_json(out, json->p, json->n);
	return true;
}

static void add_timeout(lua_State *L, int idx, struct buf *out)
{
	struct err err = ERR_INIT;
	int64_t ms = TIMEOUT_MS;
	bool ok = true;

	if (idx && lua_type(L, idx) == LUA_TSTRING)
		ok = units_duration(lua_tostring(L, idx), &ms, &err) == 0;
	else if (idx)
		ok = lua_type(L, idx) == LUA_TNUMBER &&
		     script_seconds_to_ms(lua_tonumber(L, idx), &ms);
	if (!ok || ms <= 0 || ms > TIMEOUT_MAX_MS)
		luaL_error(L, "timeout: seconds above 0, at most %d, expected",
			   TIMEOUT_MAX_MS / 1000);
	buf_adds(out, ",\"timeout_ms\":");
	buf_addi(out, ms);
}

/* True when a Content-Type is among them. */
static bool add_headers(lua_State *L, int idx, struct buf *out)
{
	bool typed = false, first = true;

	for (lua_pushnil(L); idx && lua_next(L, idx); lua_pop(L, 1)) {
		size_t name_n, value_n;
		const char *name, *value;

		if (lua_type(L, -2) != LUA_TSTRING || lua_type(L, -1) != LUA_TSTRING)
			luaL_error(L, "headers: names and texts expected");
		name = lua_tolstring(L, -2, &name_n);
		value = lua_tolstring(L, -1, &value_n);
		if (!name_n || has_control(name, name_n) || strpbrk(name, ": ") ||
		    has_control(value, value_n))
			luaL_error(L, "headers: '%s' is no name and value of a header", name);
		typed = typed || strcasecmp(name, "Content-Type") == 0;
		check_size(L, out, name_n + value_n);
		if (!first)
			buf_addch(out, ',');
		first = false;
		buf_add_json(out, name, name_n);
		buf_addch(out, ':');
		buf_add_json(out, value, value_n);
	}
	if (!idx)
		lua_pop(L, 1);
	return typed;
}

struct effect {
	const char *webhook;
	int body, headers, command, stdin_, timeout;
};

static void add_webhook(lua_State *L, const struct effect *e, struct buf *out)
{
	struct buf *body = script_new_buf(L);
	size_t n = strlen(e->webhook), before;
	bool json = false, typed;

	if ((!str_starts(e->webhook, "http://") && !str_starts(e->webhook, "https://")) ||
	    n > URL_MAX || has_control(e->webhook, n))
		luaL_error(L, "webhook: an address that begins with http:// or https:// expected");
	json = add_body(L, e->body, "body", body);
	buf_adds(out, ",\"webhook\":");
	buf_add_json(out, e->webhook, n);
	buf_adds(out, ",\"body\":");
	buf_add(out, body->p, body->n);
	buf_adds(out, ",\"headers\":{");
	before = out->n;
	typed = add_headers(L, e->headers, out);
	if (json && !typed) {
		if (out->n != before)
			buf_addch(out, ',');
		buf_adds(out, "\"Content-Type\":\"application/json\"");
	}
	buf_addch(out, '}');
}

static void add_command(lua_State *L, const struct effect *e, struct buf *out)
{
	lua_Integer n = (lua_Integer)lua_rawlen(L, e->command);

	if (n < 1)
		luaL_error(L, "command: a list of words expected, the program first");
	buf_adds(out, ",\"command\":[");
	for (lua_Integer i = 1; i <= n; i++) {
		size_t len;

		if (lua_rawgeti(L, e->command, i) != LUA_TSTRING)
			luaL_error(L, "command: word %I is a text, not a %s", i,
				   luaL_typename(L, -1));
		if (strlen(lua_tolstring(L, -1, &len)) != len)
			luaL_error(L, "command: word %I holds a NUL byte", i);
		if (i > 1)
			buf_addch(out, ',');
		add_text(L, -1, out);
		lua_pop(L, 1);
	}
	buf_adds(out, "],\"stdin\":");
	(void)add_body(L, e->stdin_, "stdin", out);
}

/* The table on top. */
static void add_effect(lua_State *L, const struct hook_call *c)
{
	struct effect e = { .webhook = NULL };
	struct buf *out = c->text;
	const struct opt opts[] = {
		{ "webhook", .str = &e.webhook },
		{ "body", .any = &e.body },
		{ "headers", .table = &e.headers },
		{ "command", .table = &e.command },
		{ "stdin", .any = &e.stdin_ },
		{ "timeout", .any = &e.timeout },
	};
	int top = lua_gettop(L);

	script_options(L, top, opts, ARRAY_SIZE(opts));
	if (!e.webhook == !e.command)
		luaL_error(L, "an effect is { webhook = \"http://...\" } or { command = {...} }");
	if (e.command && (e.body || e.headers))
		luaL_error(L, "body and headers go with webhook (a command reads stdin)");
	if (e.webhook && e.stdin_)
		luaL_error(L, "stdin goes with command (a webhook sends a body)");
	if (!e.body && !e.stdin_) { /* the event itself */
		policy_push_event(L, c->views, c->event);
		e.body = e.stdin_ = lua_gettop(L);
	}
	if (out->n)
		buf_addch(out, ',');
	buf_adds(out, "{\"policy\":");
	buf_add_json(out, c->part->from->name, strlen(c->part->from->name));
	if (e.webhook)
		add_webhook(L, &e, out);
	else
		add_command(L, &e, out);
	add_timeout(L, e.timeout, out);
	buf_addch(out, '}');
	check_size(L, out, 0);
	lua_settop(L, top);
}

void policy_read_effects(lua_State *L, struct hook_call *c)
{
	int list = lua_gettop(L);
	lua_Integer n;

	if (lua_isnil(L, list))
		return;
	if (!lua_istable(L, list))
		luaL_error(L, "nil, an effect or a list of effects expected, got a %s",
			   luaL_typename(L, list));
	n = (lua_Integer)lua_rawlen(L, list);
	if (n == 0) {
		lua_pushnil(L);
		if (!lua_next(L, list))
			return; /* an empty list */
		lua_settop(L, list);
		add_effect(L, c);
		return;
	}
	if (n > EFFECTS_MAX)
		luaL_error(L, "more than %d effects of one event", EFFECTS_MAX);
	for (lua_Integer i = 1; i <= n; i++) {
		if (lua_rawgeti(L, list, i) != LUA_TTABLE)
			luaL_error(L, "effect %I is a table, not a %s", i, luaL_typename(L, -1));
		add_effect(L, c);
		lua_settop(L, list);
	}
}
