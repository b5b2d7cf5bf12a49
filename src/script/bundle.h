#ifndef SCRIPT_BUNDLE_H
#define SCRIPT_BUNDLE_H
/*
 * The policies of a job with everything they require, as one object of the CAS (its digest is
 * job.policy):
 *
 *	{"schema":1,
 *	 "policies":[{"name":"memory","module":"policies.memory","options":{"cap":"8G"}}],
 *	 "modules":{"policies.memory":{"file":"name for messages","text":"..."}}}
 *
 * Several policies are a chain, asked in this order. A module is found by the name that `require`
 * is given; nothing else can be required, so what runs tomorrow is what was submitted today.
 */
#include <stddef.h>

#include "base/err.h"

enum {
	BUNDLE_MAX = 1 << 20,  /* bytes */
	BUNDLE_POLICIES_MAX = 16,
	BUNDLE_MODULES_MAX = 256,
};

struct bundle_module {
	const char *name, *file, *text;
	size_t n;
};

struct bundle_policy {
	const char *name;
	const struct bundle_module *module;
	char *options; /* JSON object; NULL: none were given */
};

struct bundle {
	struct bundle_policy *policies;
	struct bundle_module *modules;
	size_t n_policies, n_modules;
	void *json; /* the texts live in it */
	char *single; /* or in this */
};

/* Reads a bundle; the text is not needed afterwards. -1 with ERR_SCRIPT, and nothing to release. */
int bundle_parse(struct bundle *b, const char *text, size_t n, struct err *err);
/* A bundle of one policy without options; the texts are copied. */
void bundle_single(struct bundle *b, const char *name, const char *file, const char *text,
		   size_t n);
void bundle_release(struct bundle *b);
/* NULL: not in it. */
const struct bundle_module *bundle_find(const struct bundle *b, const char *name);

#endif
