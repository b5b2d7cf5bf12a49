/*
 * kubeque.source: rows of files and databases, for lua/kubeque/params/source.lua.
 *
 *   source.file(path[, format]) -> src | nil, text, code
 *   source.sqlite(path, sql)    -> src | nil, text, code
 *   src:columns() -> list of names
 *   src:cursor()  -> a function-like cursor at the first row | nil, text, code
 *   cursor(row)   -> true: the values are in the list `row`; false: the end; nil, text, code
 *   cursor:close()
 */
#include <math.h>
#include <string.h>

#include "base/base.h"
#include "model/params.h"
#include "script/call.h"
#include "script/convert.h"
#include "script/libs.h"
#include "sys/query.h"
#include "sys/signals.h"
#include "work/row_source.h"

#define SOURCE_META "kubeque.source"
#define CURSOR_META "kubeque.cursor"

/* Of a file: the open file and its format. Of a database: the names. */
struct source {
	struct row_source file;
	enum params_format format;
	char *path, *sql; /* sql NULL: a file */
};

/* The source is the cursor's user value. */
struct cursor {
	struct row_source file; /* the source's descriptor, with a place of its own */
	struct params *params;
	struct query *query;
	int64_t row;
	bool open, ended;
};

static int close_cursor(lua_State *L)
{
	struct cursor *c = luaL_checkudata(L, 1, CURSOR_META);

	params_close(c->params);
	query_close(c->query);
	c->params = NULL;
	c->query = NULL;
	c->open = false;
	return 0;
}

static int close_source(lua_State *L)
{
	struct source *s = luaL_checkudata(L, 1, SOURCE_META);

	row_source_close(&s->file);
	free(s->path);
	free(s->sql);
	*s = (struct source){ .file = ROW_SOURCE_INIT };
	return 0;
}

/* [-0, +1] raises */
static struct source *new_source(lua_State *L, const char *path)
{
	struct source *s = lua_newuserdatauv(L, sizeof(*s), 0);

	*s = (struct source){ .file = ROW_SOURCE_INIT };
	luaL_setmetatable(L, SOURCE_META);
	s->path = xstrdup(path);
	return s;
}

static bool on_stop(void *ctx)
{
	(void)ctx;
	return signals_interrupted();
}

static int start_file(struct cursor *c, const struct source *s, struct err *err)
{
	struct params_options o = { .format = s->format, .name = s->file.name };

	c->file = s->file;
	c->file.offset = 0;
	c->params = params_open(&o, row_source_read, &c->file, err);
	return c->params ? 0 : -1;
}

/* [-0, +1] raises. A cursor of the source at idx; NULL with err set (the value is there all the
 * same). */
static struct cursor *new_cursor(lua_State *L, int idx, struct err *err)
{
	const struct source *s = luaL_checkudata(L, idx, SOURCE_META);
	struct cursor *c;
	int ret;

	c = lua_newuserdatauv(L, sizeof(*c), 1);
	*c = (struct cursor){ .file = ROW_SOURCE_INIT };
	luaL_setmetatable(L, CURSOR_META);
	lua_pushvalue(L, idx);
	lua_setiuservalue(L, -2, 1);
	if (s->sql) {
		c->query = query_open(s->path, s->sql, err);
		ret = c->query ? 0 : -1;
	} else {
		ret = start_file(c, s, err);
	}
	c->open = ret == 0;
	return c->open ? c : NULL;
}

/* source.file(path[, format]) */
static int source_file(lua_State *L)
{
	static const char *const formats[] = { "csv", "tsv", "jsonl", "json", "lines", NULL };
	static const enum params_format known[] = { PARAMS_CSV, PARAMS_TSV, PARAMS_JSONL,
						    PARAMS_JSON, PARAMS_LINES };
	const char *path = script_check_text(L, 1);
	enum params_format format = params_format_of(path);
	struct err err = ERR_INIT;
	struct source *s;

	if (!lua_isnoneornil(L, 2))
		format = known[luaL_checkoption(L, 2, NULL, formats)];
	s = new_source(L, path);
	s->format = format;
	if (row_source_open(&s->file, s->path, on_stop, NULL, &err) < 0 ||
	    !new_cursor(L, lua_gettop(L), &err))
		return script_fail(L, &err);
	lua_pop(L, 1); /* the cursor was a trial: the columns can be read */
	return 1;
}

/* source.sqlite(path, sql) */
static int source_sqlite(lua_State *L)
{
	const char *path = script_check_text(L, 1), *sql = script_check_text(L, 2);
	struct source *s = new_source(L, path);
	struct err err = ERR_INIT;

	s->sql = xstrdup(sql);
	if (!new_cursor(L, lua_gettop(L), &err))
		return script_fail(L, &err);
	lua_pop(L, 1);
	return 1;
}

static int source_columns(lua_State *L)
{
	struct err err = ERR_INIT;
	struct cursor *c = new_cursor(L, 1, &err);

	if (!c)
		return script_raise(L, &err);
	lua_newtable(L);
	if (c->query) {
		for (int i = 0; i < query_columns(c->query); i++) {
			lua_pushstring(L, query_column(c->query, i));
			lua_rawseti(L, -2, i + 1);
		}
		return 1;
	}
	for (size_t i = 0; i < params_columns(c->params)->n; i++) {
		const struct str *name = &params_columns(c->params)->name[i];

		lua_pushlstring(L, name->p, name->n);
		lua_rawseti(L, -2, (lua_Integer)i + 1);
	}
	return 1;
}

static int source_cursor(lua_State *L)
{
	struct err err = ERR_INIT;

	if (!new_cursor(L, 1, &err))
		return script_fail(L, &err);
	return 1;
}

/* ---- rows ------------------------------------------------------------------------------------ */

/* [-0, +0] raises. A row of the file into the list at 2: 1, 0, -1. */
static int next_of_file(lua_State *L, struct cursor *c, struct err *err)
{
	const struct str *value;
	int ret = params_next(c->params, &value, err);

	if (ret <= 0)
		return ret < 0 ? -1 : row_source_unchanged(&c->file, err);
	for (size_t i = 0; i < params_columns(c->params)->n; i++) {
		lua_pushlstring(L, value[i].p, value[i].n);
		lua_rawseti(L, 2, (lua_Integer)i + 1);
	}
	return 1;
}

/* NULL is the empty text, as in JSON Lines. */
static int push_column(lua_State *L, struct cursor *c, int i, struct err *err)
{
	sqlite3_stmt *st = query_statement(c->query);

	switch (sqlite3_column_type(st, i)) {
	case SQLITE_INTEGER:
		lua_pushinteger(L, sqlite3_column_int64(st, i));
		return 0;
	case SQLITE_FLOAT:
		lua_pushnumber(L, sqlite3_column_double(st, i));
		return 0;
	case SQLITE_TEXT: {
		const void *p = sqlite3_column_text(st, i);

		lua_pushlstring(L, p ? p : "", (size_t)sqlite3_column_bytes(st, i));
		return 0;
	}
	case SQLITE_NULL:
		lua_pushliteral(L, "");
		return 0;
	default:
		return err_set(err, ERR_USAGE, "row %lld, column \"%s\": a blob is no text "
			       "(hex(%s) is one)", (long long)c->row, query_column(c->query, i),
			       query_column(c->query, i));
	}
}

static int next_of_query(lua_State *L, struct cursor *c, struct err *err)
{
	int ret = query_step(c->query, err);

	if (ret <= 0)
		return ret;
	c->row++;
	for (int i = 0; i < query_columns(c->query); i++) {
		if (push_column(L, c, i, err) < 0)
			return -1;
		lua_rawseti(L, 2, i + 1);
	}
	return 1;
}

static int cursor_next(lua_State *L)
{
	struct cursor *c = luaL_checkudata(L, 1, CURSOR_META);
	struct err err = ERR_INIT;
	int ret = 0;

	luaL_checktype(L, 2, LUA_TTABLE);
	lua_settop(L, 2);
	if (!c->open)
		return luaL_error(L, "this cursor is closed");
	if (!c->ended)
		ret = c->query ? next_of_query(L, c, &err) : next_of_file(L, c, &err);
	if (ret < 0)
		return script_fail(L, &err);
	c->ended = ret == 0;
	lua_pushboolean(L, ret);
	return 1;
}

static const luaL_Reg source_methods[] = {
	{ "columns", source_columns },
	{ "cursor", source_cursor },
	{ NULL, NULL },
};

static const luaL_Reg cursor_methods[] = {
	{ "close", close_cursor },
	{ NULL, NULL },
};

static const luaL_Reg source_functions[] = {
	{ "file", source_file },
	{ "sqlite", source_sqlite },
	{ NULL, NULL },
};

void lib_source(lua_State *L)
{
	int top = lua_gettop(L);

	script_metatable(L, SOURCE_META, source_methods, close_source);
	script_metatable(L, CURSOR_META, cursor_methods, close_cursor);
	luaL_getmetatable(L, CURSOR_META);
	lua_pushcfunction(L, cursor_next);
	lua_setfield(L, -2, "__call");
	lua_settop(L, top);
	script_lib(L, "source", source_functions);
}
