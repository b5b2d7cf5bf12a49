/* The collector of CAS garbage. */
#include "cas/gc.h"

#include <inttypes.h>
#include <string.h>

#include "base/arena.h"
#include "base/base.h"
#include "base/clock.h"
#include "base/vec.h"
#include "model/manifest.h"
#include "sys/hash.h"

enum { LIST_MAX = 1024 * 1024 * 1024 };

static const char pins[] = ".pins/";

struct name {
	char hex[SHA256_HEX_SIZE - 1]; /* no NUL: compared by memcmp */
};

struct cas_refs {
	VEC(struct name) v;
	bool sorted;
};

struct candidate {
	struct name name;
	struct store_stat seen;
};

struct collection {
	struct cas *cas;
	struct cas_gc *g;
	int64_t before_ns; /* older than this is a candidate */
	VEC(struct candidate) objects, old_pins;
	VEC(struct name) young_pins;
	struct cas_refs refs;
};

/* ---- references ------------------------------------------------------------------------- */

int cas_refs_add(struct cas_refs *r, const char *hex, struct err *err)
{
	if (!cas_hash_valid(hex))
		return err_set(err, ERR_IO, "a job refers to \"%.80s\", which is no sha256", hex);
	memcpy(vec_push(&r->v)->hex, hex, sizeof(struct name));
	r->sorted = false;
	return 0;
}

int cas_refs_add_list(struct cas_refs *r, struct cas *c, const char *list_hex, struct err *err)
{
	struct buf text = BUF_INIT;
	struct arena arena = ARENA_INIT;
	struct inputs in = { 0 };
	int ret = -1, found;

	if (cas_refs_add(r, list_hex, err) < 0)
		goto out;
	found = cas_get(c, list_hex, LIST_MAX, &text, err);
	if (found == 0)
		err_set(err, ERR_IO, "the list of inputs %s is not in the CAS: nothing is removed",
			list_hex);
	if (found <= 0 || manifest_parse_inputs(&arena, buf_str(&text), &in, err) < 0)
		goto out;
	ret = 0;
	for (size_t i = 0; ret == 0 && i < in.n; i++)
		if (in.p[i].sha256.n)
			ret = cas_refs_add(r, in.p[i].sha256.p, err);
out:
	arena_release(&arena);
	buf_release(&text);
	return ret;
}

static int by_name(const void *a, const void *b)
{
	return memcmp(a, b, sizeof(struct name));
}

static bool is_referenced(struct cas_refs *r, const struct name *n)
{
	if (!r->v.n)
		return false;
	if (!r->sorted)
		qsort(r->v.p, r->v.n, sizeof(*r->v.p), by_name);
	r->sorted = true;
	return bsearch(n, r->v.p, r->v.n, sizeof(*r->v.p), by_name) != NULL;
}

/* ---- listing ---------------------------------------------------------------------------- */

/* "<2>/<62>" -> its hash; anything else in the directory is not ours and stays. */
static bool name_of_key(const char *key, struct name *out)
{
	char hex[SHA256_HEX_SIZE];

	if (strlen(key) != SHA256_HEX_SIZE || key[2] != '/')
		return false;
	memcpy(hex, key, 2);
	memcpy(hex + 2, key + 3, SHA256_HEX_SIZE - 2);
	if (!cas_hash_valid(hex))
		return false;
	memcpy(out->hex, hex, sizeof(out->hex));
	return true;
}

static int note_object(void *ctx, const char *key, const struct store_stat *st)
{
	struct collection *c = ctx;
	struct name n;

	if (!name_of_key(key, &n))
		return 0;
	if (st->mtime < c->before_ns) {
		*vec_push(&c->objects) = (struct candidate){ n, *st };
	} else {
		c->g->kept_objects++;
		c->g->kept_bytes += st->size;
	}
	return 0;
}

static int note_pin(void *ctx, const char *key, const struct store_stat *st)
{
	struct collection *c = ctx;
	char hex[SHA256_HEX_SIZE];
	struct name n;

	key += sizeof(pins) - 1;
	if (strlen(key) != SHA256_HEX_SIZE - 1)
		return 0;
	memcpy(hex, key, sizeof(hex));
	if (!cas_hash_valid(hex))
		return 0;
	memcpy(n.hex, hex, sizeof(n.hex));
	if (st->mtime < c->before_ns)
		*vec_push(&c->old_pins) = (struct candidate){ n, *st };
	else
		*vec_push(&c->young_pins) = n;
	return 0;
}

/* ---- collecting ------------------------------------------------------------------------- */

static void hex_of(const struct name *n, char *hex)
{
	memcpy(hex, n->hex, sizeof(n->hex));
	hex[sizeof(n->hex)] = '\0';
}

/* A pin whose list is gone vouches for nothing. */
static int read_pin(struct collection *c, const struct name *n, struct err *err)
{
	char hex[SHA256_HEX_SIZE];
	int there;

	hex_of(n, hex);
	there = cas_peek(c->cas, hex, err);
	if (there <= 0)
		return there;
	return cas_refs_add_list(&c->refs, c->cas, hex, err);
}

/* Pins nobody renewed go first, so that nobody can rely on them while objects go; one that was
 * renewed meanwhile is read like the young ones. */
static int drop_old_pins(struct collection *c, struct err *err)
{
	for (size_t i = 0; i < c->old_pins.n; i++) {
		const struct candidate *p = &c->old_pins.p[i];
		char key[sizeof(pins) + SHA256_HEX_SIZE];
		int rc;

		memcpy(key, pins, sizeof(pins) - 1);
		hex_of(&p->name, key + sizeof(pins) - 1);
		rc = c->g->dry_run ? 1 : store_remove(cas_store(c->cas), key, &p->seen, err);
		if (rc < 0 || (rc == 0 && read_pin(c, &p->name, err) < 0))
			return -1;
	}
	return 0;
}

static int remove_objects(struct collection *c, struct err *err)
{
	for (size_t i = 0; i < c->objects.n; i++) {
		const struct candidate *o = &c->objects.p[i];
		char hex[SHA256_HEX_SIZE], key[CAS_KEY_SIZE];
		int gone = 0;

		if (!is_referenced(&c->refs, &o->name)) {
			hex_of(&o->name, hex);
			cas_key(key, hex);
			gone = c->g->dry_run ? 1 : store_remove(cas_store(c->cas), key, &o->seen,
								err);
		}
		if (gone < 0)
			return -1;
		*(gone ? &c->g->objects : &c->g->kept_objects) += 1;
		*(gone ? &c->g->bytes : &c->g->kept_bytes) += o->seen.size;
	}
	return 0;
}

int cas_gc(struct cas *cas, struct cas_gc *g, struct err *err)
{
	struct collection c = { .cas = cas, .g = g };
	int64_t age = MAX(g->older_ms, (int64_t)CAS_AGE_MIN_MS), swept;
	int ret = -1;

	g->objects = g->bytes = g->kept_objects = g->kept_bytes = 0;
	c.before_ns = (clock_wall_ms() - age) * 1000000;
	if (store_list(cas_store(cas), "", note_object, &c, err) < 0 ||
	    store_list(cas_store(cas), pins, note_pin, &c, err) < 0)
		goto out;
	if (g->references && g->references(g->ctx, &c.refs, err) < 0)
		goto out;
	for (size_t i = 0; i < c.young_pins.n; i++)
		if (read_pin(&c, &c.young_pins.p[i], err) < 0)
			goto out;
	if (drop_old_pins(&c, err) < 0 || remove_objects(&c, err) < 0)
		goto out;
	ret = g->dry_run ? 0 : store_sweep(cas_store(cas), &swept, err);
out:
	vec_release(&c.objects);
	vec_release(&c.old_pins);
	vec_release(&c.young_pins);
	vec_release(&c.refs.v);
	return ret;
}
