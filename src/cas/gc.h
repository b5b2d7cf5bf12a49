#ifndef CAS_GC_H
#define CAS_GC_H
/*
 * The collector of CAS garbage, by PROTOCOL.md *Garbage*: list objects older than AGE, then read
 * the references of every job that is not gone, then remove the rest if nobody touched it since.
 */
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "cas/cas.h"

struct cas_refs;
/* Notes a hash as referenced. ERR_IO for text that is none. */
int cas_refs_add(struct cas_refs *r, const char *hex, struct err *err);
/* Notes every "sha256" of a list of inputs (JSON Lines), and the list itself. A list that cannot
 * be read stops the collector. */
int cas_refs_add_list(struct cas_refs *r, struct cas *c, const char *list_hex, struct err *err);

struct cas_gc {
	int64_t older_ms; /* AGE, at least CAS_AGE_MIN_MS */
	bool dry_run;
	/* Called once, after the listing: adds what jobs refer to. -1 stops the collection. */
	int (*references)(void *ctx, struct cas_refs *r, struct err *err);
	void *ctx;
	/* out */
	int64_t objects, bytes; /* removed (or, dry, would be) */
	int64_t kept_objects, kept_bytes;
};
int cas_gc(struct cas *c, struct cas_gc *g, struct err *err);

#endif
