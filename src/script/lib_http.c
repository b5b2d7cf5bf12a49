/*
 * kubeque.http.request{url=, method=, headers = {name = value}, body=, timeout = seconds,
 * connect = seconds, max = bytes, follow=} -> {status=, headers = {name = value}, body=,
 * retry_after = seconds or nil}; nil, text, code when no answer came. Names of headers in the
 * answer are in lower case; one that came several times is joined by ", ".
 *
 * kubeque.http.version() -> text, or nil, text, "config": what it is done with (loads it).
 */
#include "net/http.h"

#include <string.h>

#include "base/base.h"
#include "net/curl_load.h"
#include "script/call.h"
#include "script/convert.h"
#include "script/libs.h"

static int response_close(lua_State *L)
{
	http_response_release(luaL_checkudata(L, 1, "kubeque.http_response"));
	return 0;
}

/* [-0, +1] */
static struct http_response *new_response(lua_State *L)
{
	static const luaL_Reg none[] = { { NULL, NULL } };
	struct http_response *r;

	script_metatable(L, "kubeque.http_response", none, response_close);
	r = lua_newuserdatauv(L, sizeof(*r), 0);
	*r = (struct http_response)HTTP_RESPONSE_INIT;
	luaL_setmetatable(L, "kubeque.http_response");
	lua_toclose(L, -1);
	return r;
}

/* [-0, +1] {name = value} at idx as "name: value" lines, NULL-terminated, in a userdata. */
static const char **check_headers(lua_State *L, int idx)
{
	const char **lines;
	size_t n = 0, len;

	for (lua_pushnil(L); lua_next(L, idx); lua_pop(L, 1))
		n++;
	lines = lua_newuserdatauv(L, (n + 1) * sizeof(*lines), 1);
	lua_createtable(L, (int)MIN(n, 1000), 0);
	n = 0;
	for (lua_pushnil(L); lua_next(L, idx); lua_pop(L, 1)) {
		if (lua_type(L, -2) != LUA_TSTRING || (!lua_isstring(L, -1)))
			luaL_error(L, "option 'headers': names and their values expected");
		if (strchr(lua_tostring(L, -2), ':'))
			luaL_error(L, "option 'headers': '%s' is no name of a header",
				   lua_tostring(L, -2));
		lua_pushvalue(L, -1); /* a number is made a text: not in the table of the caller */
		lua_pushfstring(L, "%s: %s", lua_tostring(L, -3), lua_tostring(L, -1));
		lines[n] = lua_tolstring(L, -1, &len);
		if (strlen(lines[n]) != len)
			luaL_error(L, "option 'headers' holds a NUL byte");
		lua_rawseti(L, -5, (lua_Integer)++n);
		lua_pop(L, 1);
	}
	lines[n] = NULL;
	lua_setiuservalue(L, -2, 1);
	return lines;
}

/* [-0, +1] */
static void push_headers(lua_State *L, const struct http_response *r)
{
	lua_createtable(L, 0, (int)MIN(r->headers.n, 1000));
	for (size_t i = 0; i < r->headers.n; i++) {
		const struct http_header *h = &r->headers.p[i];

		if (lua_getfield(L, -1, h->name) == LUA_TNIL)
			lua_pushstring(L, h->value);
		else
			lua_pushfstring(L, "%s, %s", lua_tostring(L, -1), h->value);
		lua_setfield(L, -3, h->name);
		lua_pop(L, 1);
	}
}

static int http_request_(lua_State *L)
{
	struct http_request r = { .url = NULL };
	struct err err = ERR_INIT;
	int headers = 0, body = 0;
	struct http_response *out;
	const struct opt opts[] = {
		{ "url", .str = &r.url, .required = true },
		{ "method", .str = &r.method },
		{ "headers", .table = &headers },
		{ "body", .any = &body },
		{ "timeout", .ms = &r.timeout_ms, .lo = 1, .hi = 86400 * INT64_C(1000) },
		{ "connect", .ms = &r.connect_ms, .lo = 1, .hi = 86400 * INT64_C(1000) },
		{ "max", .i64 = &r.max, .lo = 1, .hi = INT64_C(1) << 30 },
		{ "follow", .flag = &r.follow },
	};

	script_options(L, 1, opts, ARRAY_SIZE(opts));
	if (body) {
		if (lua_type(L, body) != LUA_TSTRING)
			return luaL_error(L, "option 'body': string expected, got %s (see "
					  "kubeque.json.encode)", luaL_typename(L, body));
		r.body.p = lua_tolstring(L, body, &r.body.n);
	}
	if (headers)
		r.headers = check_headers(L, headers);
	out = new_response(L);
	luaL_checkstack(L, 10, NULL);
	if (http_request(&r, out, &err) < 0)
		return script_fail(L, &err);
	lua_createtable(L, 0, 4);
	script_set_i64(L, "status", out->status);
	lua_pushlstring(L, out->body.p, out->body.n);
	lua_setfield(L, -2, "body");
	push_headers(L, out);
	lua_setfield(L, -2, "headers");
	if (out->retry_after_ms >= 0)
		script_set_num(L, "retry_after", (double)out->retry_after_ms / 1000);
	return 1;
}

static int http_version_(lua_State *L)
{
	struct err err = ERR_INIT;

	if (!curl_load(&err))
		return script_fail(L, &err);
	lua_pushstring(L, http_version());
	return 1;
}

static const luaL_Reg http_functions[] = {
	{ "request", http_request_ },
	{ "version", http_version_ },
	{ NULL, NULL },
};

void lib_http(lua_State *L)
{
	script_lib(L, "http", http_functions);
}
