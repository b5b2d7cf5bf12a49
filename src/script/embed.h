#ifndef SCRIPT_EMBED_H
#define SCRIPT_EMBED_H
/*
 * The Lua scripts compiled into the binary, by path below lua/ without the ending:
 * "commands/status", "kubeque/options", "policies/default". scripts/embed.lua makes the table
 * (sorted by path); a script with a syntax error fails the build.
 */
#include <stddef.h>

struct embedded {
	const char *path;
	const char *text; /* the source as written */
	size_t text_n;
	const char *code; /* the same precompiled, with names and lines for error messages */
	size_t code_n;
};

extern const struct embedded embedded_set[];
extern const size_t embedded_count;

/* NULL: no such script. */
const struct embedded *embedded_find(const char *path);

#endif
