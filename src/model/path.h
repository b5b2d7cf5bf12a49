#ifndef MODEL_PATH_H
#define MODEL_PATH_H
/*
 * Paths as text: destinations inside a work directory, and how a source names one. Nothing here
 * looks at the file system.
 */
#include <stdbool.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"

/* A destination, normalised: "./a//b/" is "a/b". Refused (ERR_USAGE, naming it): absolute, "..",
 * empty or ".", not UTF-8, a NUL, a component above 255 bytes, above 4,000 bytes in all.
 * Appended to `out`. */
int path_destination(struct str text, struct buf *out, struct err *err);
/* True when `text` is a destination in normal form (what the node checks again). */
bool path_is_destination(struct str text);
/* Where a source without `:dst` lands: a relative path that stays below the current directory
 * keeps its path, normalised; an absolute or climbing one its base name; "gs://b/a/k" is "k".
 * "." and "dir/." are the directory itself: `*whole` is true and nothing is appended (its files
 * land at the top). */
int path_default_destination(struct str src, struct buf *out, bool *whole, struct err *err);
/* The full rule of `src:dst`: dst absent (n == 0) as above; "." or ending in "/" is a directory
 * into which src goes under its base name; else dst itself. Appended to `out`; `*whole` as above
 * (only for dst "." of a directory source that is "." itself, or no dst). */
int path_resolve_destination(struct str src, struct str dst, struct buf *out, bool *whole,
			     struct err *err);
/* A pattern for paths in the work directory, normalised: "./a//b" is "a/b", "d/" is all of that
 * directory. Refused (ERR_USAGE): what no path there can match. Appended to `out`. */
int path_pattern(struct str text, struct buf *out, struct err *err);
/* Splits "src:dst" at the first ":" (behind "gs://" of src); dst.n is 0 and dst.p NULL without.
 * Ask first whether the whole text is a file: then it is that. "a:" has an empty dst: refused by
 * path_resolve_destination's caller seeing dst.p != NULL and dst.n == 0. */
void path_split_spec(struct str spec, struct str *src, struct str *dst);

bool path_is_url(struct str s); /* gs://... */
struct str path_basename(struct str s); /* without trailing slashes; of "/" it is empty */
/* The path of normalised destination `dst` as seen from normalised directory `dir` ("" is the
 * top): dir "s": "a.py" is "../a.py", "s/r.py" is "r.py". */
void path_from(struct buf *out, struct str dir, struct str dst);

/* Puts `s` into a message: UTF-8 and printable as it is, other bytes as \xNN. */
void path_add_escaped(struct buf *out, struct str s);

#endif
