#ifndef MODEL_CLASS_H
#define MODEL_CLASS_H
/*
 * Resources and resource classes. Amounts are integers (thousandths of a CPU or of a named
 * resource, whole GPUs, bytes), so that adding and subtracting is exact. Structs are plain values:
 * copy them by assignment, nothing to release.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "model/task.h"

enum {
	RESOURCE_NAME_SIZE = 40, /* with the NUL */
	RESOURCE_NAMED_MAX = 12,
	CLASS_IMAGE_SIZE = 512,
	CLASSES_PARSE_MAX = 10000,
};

/* Bits of `given` and `limits`. */
enum {
	RESOURCE_CPU = 1,
	RESOURCE_MEMORY = 2,
	RESOURCE_GPU = 4,
	RESOURCE_DISK = 8,
};

struct resource_named {
	char name[RESOURCE_NAME_SIZE];
	int64_t milli;
};

struct resources {
	int64_t cpu;    /* thousandths */
	int64_t memory; /* bytes */
	int64_t gpu;    /* whole ones */
	int64_t disk;   /* bytes */
	size_t n_named; /* sorted by name, amounts not 0 */
	struct resource_named named[RESOURCE_NAMED_MAX];
};

/* What the tasks of one class have in common for the scheduler. */
struct class {
	struct resources r;
	unsigned limits;      /* RESOURCE_ bits that are limits, too: memory, disk, cpu */
	char image[CLASS_IMAGE_SIZE]; /* "none": runs on the node itself */
	int64_t timeout_ms;   /* -1: as in the manifest's common part; 0: none */
	int64_t retries;      /* -1: as in common */
	bool keep_work;       /* also where common does not say so (retry --keep-work) */
	/* Node whose attempt failed: the next one is made by another, while there is one that can.
	 * "": any node. */
	char avoid[NODE_ID_SIZE];
};

/* cpu 1, everything else 0, image "none", timeout and retries as in common. */
void class_init(struct class *c);

/* Lays "cpu=1,memory=2G,licence=1" over *r: what is named is set, the rest stays. Units as in
 * model/units.h. The built-in ones that were named are added to *given (may be NULL). A name given
 * twice in one text, an unknown form, a negative or empty amount is ERR_USAGE. */
int resources_parse(const char *text, struct resources *r, unsigned *given, struct err *err);
/* One of them: name and amount as text. */
int resources_set(struct resources *r, const char *name, const char *amount, unsigned *given,
		  struct err *err);
/* Amount of a named resource, 0 if it has none. */
int64_t resources_named(const struct resources *r, const char *name);

/* True when `need` fits into `have`. */
bool resources_fit(const struct resources *need, const struct resources *have);
/* How many times `need` fits into `have`, at most `max`. */
size_t resources_count(const struct resources *need, const struct resources *have, size_t max);
/* have -= need and have += need, `times` times. What was not there before becomes negative by
 * subtraction (a node that lost CPUs), so that adding it back is exact. */
void resources_sub(struct resources *have, const struct resources *need, int64_t times);
void resources_add(struct resources *have, const struct resources *need, int64_t times);
/* Larger of both in each resource (the largest node a cluster can have). */
void resources_max(struct resources *have, const struct resources *other);
/* Why `need` can never fit a node of capacity `have`: ERR_USAGE with one sentence that names the
 * resource, both amounts and, for a name that no node has, the nearest; 0 if it can. */
int resources_possible(const struct resources *need, const struct resources *have, struct err *err);
bool resources_equal(const struct resources *a, const struct resources *b);

/* {"cpu":1,"memory":0,"gpu":..,"disk":..,"licence":1}: canonical, keys in this order then sorted,
 * zeros other than cpu and memory left out. Also the form of node.cap. */
void resources_add_json(struct buf *out, const struct resources *r);
/* Over *r, as resources_parse; numbers or texts. `text` is a JSON object. */
int resources_parse_json(const char *text, struct resources *r, unsigned *given, struct err *err);

/* The canonical JSON object of docs/internals.md: equal classes give equal bytes. */
void class_add_json(struct buf *out, const struct class *c);
/* Strict; ERR_USAGE names the key. */
int class_parse_json(const char *text, struct class *c, struct err *err);
/* job.classes, a JSON array: at most `max` into out; returns how many there are, or -1. */
int classes_parse_json(const char *text, struct class *out, size_t max, struct err *err);
bool class_equal(const struct class *a, const struct class *b);

#endif
