/*
 * kubeque.cas: content by its sha256 (cas/cas.h). A hash is 64 lower-case hex digits.
 *   cas.hash(path) -> hash; cas.hash{path, ...} -> {hash, ...} in order, over all cores; nothing
 *   is stored; cas.hash_string(text) -> hash
 *   cas.put(path) -> hash, bytes; cas.put_string(text) -> hash
 *   cas.get(hash[, limit]) -> content (checked against its name), or nil, why, "not_found"
 *   cas.has(hash) -> boolean; a yes is good for half an hour
 */
#include "cas/cas.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>

#include "base/base.h"
#include "script/call.h"
#include "script/convert.h"
#include "script/json.h"
#include "script/libs.h"
#include "script/session.h"
#include "sys/hash.h"

#define CAS_META "kubeque.cas.handle"
#define CONTENT_MAX ((int64_t)1 << 30)

static int close_cas(lua_State *L)
{
	struct cas **c = luaL_checkudata(L, 1, CAS_META);

	cas_close(*c);
	*c = NULL;
	return 0;
}

/* [-0, +1] raises. The CAS of the session, closed when the function ends; NULL with err. */
static struct cas *open_cas(lua_State *L, struct err *err)
{
	struct cas **c = lua_newuserdatauv(L, sizeof(struct cas *), 0);
	struct session *s;

	*c = NULL;
	luaL_setmetatable(L, CAS_META);
	lua_toclose(L, -1);
	s = session_get(L, err);
	if (s)
		*c = cas_open_dir(s->cas, s->create, err);
	return *c;
}

static const char *check_hash(lua_State *L, int idx)
{
	const char *hex = script_check_text(L, idx);

	luaL_argcheck(L, cas_hash_valid(hex), idx, "a sha256 in 64 lower-case hex digits expected");
	return hex;
}

/* 0, or -1 with err naming the first file that could not be hashed. */
static int hash_all(struct hash_item *items, size_t n, struct err *err)
{
	if (hash_files(items, n, 0, NULL) == 0)
		return 0;
	for (size_t i = 0; i < n; i++) {
		if (items[i].result == HASH_CHANGED)
			return err_set(err, ERR_USAGE,
				       "%s changed while it was read: try again when "
				       "nothing writes it", items[i].path);
		if (items[i].result == HASH_FAILED) {
			errno = items[i].sys;
			return err_sys(err, "cannot read %s", items[i].path);
		}
	}
	return 0;
}

static int cas_hash_(lua_State *L)
{
	bool one = lua_type(L, 1) == LUA_TSTRING;
	const char *single[] = { one ? script_check_text(L, 1) : NULL, NULL };
	size_t n = 1;
	const char *const *paths = one ? single : script_check_strings(L, 1, &n);
	struct hash_item *items = lua_newuserdatauv(L, MAX(n, 1) * sizeof(*items), 0);
	struct err err = ERR_INIT;

	for (size_t i = 0; i < n; i++)
		items[i] = (struct hash_item){ .dirfd = AT_FDCWD, .path = paths[i] };
	if (hash_all(items, n, &err) < 0)
		return script_fail(L, &err);
	if (one) {
		lua_pushstring(L, items[0].hex);
		return 1;
	}
	lua_createtable(L, (int)MIN(n, INT_MAX), 0);
	for (size_t i = 0; i < n; i++) {
		lua_pushstring(L, items[i].hex);
		lua_rawseti(L, -2, (lua_Integer)i + 1);
	}
	return 1;
}

static int cas_hash_string_(lua_State *L)
{
	size_t n;
	const char *text = luaL_checklstring(L, 1, &n);
	char hex[SHA256_HEX_SIZE];

	hash_mem(text, n, hex);
	lua_pushstring(L, hex);
	return 1;
}

static int cas_put_(lua_State *L)
{
	const char *path = script_check_text(L, 1);
	char hex[SHA256_HEX_SIZE];
	struct err err = ERR_INIT;
	struct cas *c = open_cas(L, &err);
	int64_t size = 0;

	if (!c || cas_put_file(c, path, hex, &size, &err) < 0)
		return script_fail(L, &err);
	lua_pushstring(L, hex);
	lua_pushinteger(L, size);
	return 2;
}

static int cas_put_string_(lua_State *L)
{
	size_t n;
	const char *text = luaL_checklstring(L, 1, &n);
	char hex[SHA256_HEX_SIZE];
	struct err err = ERR_INIT;
	struct cas *c = open_cas(L, &err);

	if (!c || cas_put_bytes(c, text, n, hex, &err) < 0)
		return script_fail(L, &err);
	lua_pushstring(L, hex);
	return 1;
}

static int cas_get_(lua_State *L)
{
	const char *hex = check_hash(L, 1);
	int64_t limit = lua_isnoneornil(L, 2) ? CONTENT_MAX
					      : script_check_i64(L, 2, 0, CONTENT_MAX);
	struct buf *b = script_new_buf(L);
	struct err err = ERR_INIT;
	struct cas *c = open_cas(L, &err);
	int found = c ? cas_get(c, hex, (size_t)limit, b, &err) : -1;

	if (found == 0)
		(void)err_set(&err, ERR_NOT_FOUND, "%s is not in the CAS", hex);
	if (found <= 0)
		return script_fail(L, &err);
	lua_pushlstring(L, b->p, b->n);
	return 1;
}

static int cas_has_(lua_State *L)
{
	const char *hex = check_hash(L, 1);
	struct err err = ERR_INIT;
	struct cas *c = open_cas(L, &err);
	int found = c ? cas_has(c, hex, -1, &err) : -1;

	if (found < 0)
		return script_fail(L, &err);
	lua_pushboolean(L, found);
	return 1;
}

static const luaL_Reg functions[] = {
	{ "get", cas_get_ },
	{ "has", cas_has_ },
	{ "hash", cas_hash_ },
	{ "hash_string", cas_hash_string_ },
	{ "put", cas_put_ },
	{ "put_string", cas_put_string_ },
	{ NULL, NULL },
};

void lib_cas(lua_State *L)
{
	static const luaL_Reg no_methods[] = { { NULL, NULL } };

	script_metatable(L, CAS_META, no_methods, close_cas);
	script_lib(L, "cas", functions);
}
