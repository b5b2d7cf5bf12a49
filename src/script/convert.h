#ifndef SCRIPT_CONVERT_H
#define SCRIPT_CONVERT_H
/*
 * Values between C and Lua. Everything here raises (a Lua error for misuse) unless it says
 * otherwise.
 *
 * Option tables are read strictly: a key that no `struct opt` names is an error that offers the
 * nearest one, a value of the wrong type or outside its range is an error that names the key.
 *
 *	const char *home = NULL;
 *	int64_t limit = 0;
 *	const struct opt opts[] = {
 *		{ "home", .str = &home },
 *		{ "limit", .i64 = &limit, .lo = 0, .hi = 10000 },
 *	};
 *	script_options(L, 1, opts, ARRAY_SIZE(opts));
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <lauxlib.h>
#include <lua.h>

struct opt {
	const char *name;
	/* Exactly one of these is set; what it points at keeps its value when the key is absent. */
	const char **str;   /* text without NUL; borrowed from the table */
	int64_t *i64;       /* integer (1.0 counts as 1) in [lo, hi] */
	int64_t *ms;        /* seconds, as milliseconds in [lo, hi] (hi 0: 100 years) */
	double *num;        /* finite number in [lo, hi] (hi 0 and lo 0: any) */
	bool *flag;
	int *any;           /* stack index of the value, which is pushed; 0: absent */
	int *table;         /* the same, and it must be a table */
	int *fn;            /* the same, and it must be a function */
	int64_t lo, hi;
	bool required;
};

/* Reads the table at idx (absent or nil: all defaults). Values for any, table and fn stay on the
 * stack above; nothing else does. */
void script_options(lua_State *L, int idx, const struct opt *opts, size_t n);

int64_t script_check_i64(lua_State *L, int idx, int64_t lo, int64_t hi);
/* Text without NUL. */
const char *script_check_text(lua_State *L, int idx);
const char *script_opt_text(lua_State *L, int idx, const char *otherwise);
/* Seconds as milliseconds, rounded; not negative, at most 100 years. */
int64_t script_check_ms(lua_State *L, int idx);
/* The double as integer milliseconds if it is a number in [0, 100 years] of seconds; false
 * otherwise (NaN too). Does not raise. */
bool script_seconds_to_ms(double seconds, int64_t *ms);

/* What names a job in the queue: job.born. */
int64_t script_check_born(lua_State *L, int idx);
/* The list of names of states at idx as a mask of bit(name), which gives 0 for what is none; idx 0
 * (no list): 0. */
unsigned script_check_states(lua_State *L, int idx, unsigned (*bit)(const char *name));

/* A list of texts at idx -> a NULL-terminated array in a userdata that is pushed: valid while
 * that and the table are on the stack. */
const char **script_check_strings(lua_State *L, int idx, size_t *n);

/* t[name] = value for the table on top. */
void script_set_i64(lua_State *L, const char *name, int64_t v);
void script_set_num(lua_State *L, const char *name, double v);
void script_set_str(lua_State *L, const char *name, const char *s); /* NULL: not set */
void script_set_bool(lua_State *L, const char *name, bool v);

#endif
