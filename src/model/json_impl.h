#ifndef MODEL_JSON_IMPL_H
#define MODEL_JSON_IMPL_H
/* Inside of model: readers over jansson trees that several files share. */
#include <jansson.h>

#include "base/arena.h"
#include "model/class.h"
#include "model/manifest.h"

int resources_from_json(json_t *object, struct resources *r, unsigned *given, struct err *err);
int limits_from_json(json_t *list, unsigned *limits, struct err *err);
void limits_add_json(struct buf *out, unsigned limits);

/* Texts copied into the arena; -1 with err: "KEY: not a text" and the like. */
int json_take_str(struct arena *a, const char *key, const json_t *v, struct str *out,
		  struct err *err);
int json_take_strs(struct arena *a, const char *key, json_t *v, struct strs *out, struct err *err);
int json_take_pairs(struct arena *a, const char *key, json_t *v, struct pairs *out,
		    struct err *err);
int json_take_int(const char *key, const json_t *v, int64_t lo, int64_t hi, int64_t *out,
		  struct err *err);
int json_take_bool(const char *key, const json_t *v, bool *out, struct err *err);

/* ["a","b"] and "a" */
void strs_add_json(struct buf *out, const struct strs *s);
void str_add_json(struct buf *out, struct str s);

#endif
