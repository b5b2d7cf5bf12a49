#ifndef CAS_INPUTS_H
#define CAS_INPUTS_H
/*
 * From what a user writes after -u and ^ to a list of inputs: FINE_PRINT "Splitting src:dst",
 * "Mapping collisions", "What a directory brings", "@list", "-u data/..", "^ with absolute and
 * climbing paths".
 *
 * Three steps. inputs_add*() read specs and look at files (names, stats, readability: nothing is
 * read or stored). inputs_check() orders and compares destinations. inputs_store() hashes over all
 * cores and puts what the CAS lacks. Every refusal (ERR_USAGE) happens in the first two, except
 * that a file changes, vanishes or turns out to be unreadable later.
 *
 * Two uses: the common inputs of a job (one set, no two different files for one destination), and
 * a *pool* of inputs that belong to single tasks: there destinations are not compared (tasks may
 * differ), a spec is remembered by number, and inputs_check_task() compares one task's.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "cas/cas.h"
#include "cas/hash_cache.h"
#include "model/manifest.h"

struct input_set;

struct input_file {
	const char *dst;  /* relative, normalised, UTF-8 */
	const char *src;  /* as a user would write it; the URL for a url */
	const char *spec; /* the SPEC it came from */
	bool url;         /* gs://...: no hash, size -1 */
	unsigned mode;    /* permission bits of the source */
	struct hash_stamp stamp;
	/* After inputs_store() of a pool, or of a set when its `list` had to be made (an unchanged
	 * set is recognised as a whole, without the hashes of its files). */
	uint8_t sha256[SHA256_SIZE];
	/* private */
	const char *name; /* last part of src */
	size_t dir;
};

struct inputs_options {
	bool pool;                  /* see above */
	const char *const *exclude; /* --push-exclude globs, NULL-terminated; borrowed */
};

struct input_set *inputs_new(const struct inputs_options *o);
void inputs_free(struct input_set *in);

/*
 * A SPEC of -u (`file`, `dir`, `src:dst`, `@list`, a pattern, `gs://...`). *id (may be NULL) is the
 * number of the spec for inputs_of_spec(). The same text twice in a pool gives the same number.
 */
int inputs_add(struct input_set *in, const char *spec, size_t *id, struct err *err);
/*
 * `^PATH` of a command word: -u PATH that is never split nor expanded. *dst is where it lands
 * (borrowed from `in`): what goes into the command, before --cd is taken into account. A PATH that
 * is not there is refused with the sentence about ^^.
 */
int inputs_add_word(struct input_set *in, const char *path, size_t *id, const char **dst,
		    struct err *err);

/*
 * An input as a job file writes it: nothing is split or expanded, `src` may be a gs:// URL. dst
 * NULL: as for a SPEC without one; else a normalised destination (of a directory: what its files
 * lie under). `executable`: 1 sets the x bits, 0 clears them, -1: as the source.
 */
int inputs_add_file(struct input_set *in, const char *src, const char *dst, int executable,
		    size_t *id, struct err *err);

/* Sorts by destination (bytes) and refuses what collides. No inputs_add() afterwards. Not for a
 * pool (does nothing there). Two files of one destination are compared by content, which reads
 * those (and only those). */
int inputs_check(struct input_set *in, struct err *err);
/* One task's own specs of `pool` against each other and against the checked `common` (may be
 * NULL). *out (freed by the caller; NULL for none) are its inputs in order of dst without those
 * that `common` brings anyway; returns their number or -1. */
int64_t inputs_check_task(const struct input_set *common, const struct input_set *pool,
			  const size_t *ids, size_t n, const struct input_file ***out,
			  struct err *err);

size_t inputs_count(const struct input_set *in);
int64_t inputs_bytes(const struct input_set *in);
/* Checked: in order of dst. */
const struct input_file *inputs_at(const struct input_set *in, size_t i);
/* The inputs of one spec: their number, *out the first (borrowed until the next inputs_add).
 * Pool only. */
size_t inputs_of_spec(const struct input_set *in, size_t id, const struct input_file **out);
/* The input that provides this destination, or NULL; checked, not for a pool. */
const struct input_file *inputs_find(const struct input_set *in, const char *dst);

enum inputs_event {
	INPUTS_PRESENT,  /* Already in CAS cache, skipping upload of F */
	INPUTS_UPLOADED, /* Uploading F (N bytes) */
	INPUTS_MISSING,  /* dry run: would be uploaded */
};
/* Called in the thread of inputs_store(), once for each file, in order of dst. */
typedef void (*inputs_fn)(void *ctx, enum inputs_event ev, const char *src, int64_t size);

struct inputs_store {
	struct cas *cas;          /* NULL with dry_run: nothing is there */
	struct hash_cache *cache; /* may be NULL */
	bool dry_run;             /* hash and look, store nothing */
	inputs_fn fn;             /* may be NULL */
	void *ctx;
	bool (*stop)(void *ctx);  /* asked now and then; true: ERR_INTERRUPTED. May be NULL */
	/* out */
	char list[SHA256_HEX_SIZE]; /* the inputs object (docs/internals.md); "" for a pool, for no
				     * inputs and for a dry run */
	int64_t uploaded_files, uploaded_bytes, present_files, present_bytes;
};
/* Objects of a pool are protected from the collector for CAS_TRUST_MS, a set by its pin for
 * CAS_AGE_MIN_MS; whoever binds later calls this again. */
int inputs_store(struct input_set *in, struct inputs_store *s, struct err *err);

/* What a manifest says of it; texts are borrowed from `f` and `hex` (SHA256_HEX_SIZE). */
void inputs_manifest_entry(const struct input_file *f, char *hex, struct input *out);

#endif
