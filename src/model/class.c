#include "model/class.h"

#include <stdio.h>

#include "base/base.h"
#include "base/str.h"
#include "model/units.h"

static const struct {
	const char *name;
	unsigned bit;
} builtin[] = {
	{ "cpu", RESOURCE_CPU },
	{ "memory", RESOURCE_MEMORY },
	{ "gpu", RESOURCE_GPU },
	{ "disk", RESOURCE_DISK },
};

void class_init(struct class *c)
{
	*c = (struct class){ .r = { .cpu = 1000 }, .timeout_ms = -1, .retries = -1 };
	snprintf(c->image, sizeof(c->image), "none");
}

/* ---- amounts ---------------------------------------------------------------------------- */

static int64_t *builtin_field(struct resources *r, const char *name, unsigned *bit)
{
	int64_t *field[] = { &r->cpu, &r->memory, &r->gpu, &r->disk };

	for (size_t i = 0; i < ARRAY_SIZE(builtin); i++)
		if (strcmp(name, builtin[i].name) == 0) {
			*bit = builtin[i].bit;
			return field[i];
		}
	return NULL;
}

static bool resource_name_valid(const char *name)
{
	size_t n = strlen(name);

	if (!n || n >= RESOURCE_NAME_SIZE || (name[0] >= '0' && name[0] <= '9') || name[0] == '.' ||
	    name[0] == '-')
		return false;
	for (; *name; name++)
		if (!((*name >= 'a' && *name <= 'z') || (*name >= 'A' && *name <= 'Z') ||
		      (*name >= '0' && *name <= '9') || strchr("_-.", *name)))
			return false;
	return true;
}

static int set_named(struct resources *r, const char *name, int64_t milli, struct err *err)
{
	size_t at = 0;

	while (at < r->n_named && strcmp(r->named[at].name, name) < 0)
		at++;
	if (at < r->n_named && strcmp(r->named[at].name, name) == 0) {
		if (milli) {
			r->named[at].milli = milli;
			return 0;
		}
		memmove(r->named + at, r->named + at + 1,
			(--r->n_named - at) * sizeof(r->named[0]));
		return 0;
	}
	if (!milli)
		return 0;
	if (r->n_named == RESOURCE_NAMED_MAX)
		return err_set(err, ERR_USAGE, "resource %s: at most %d named resources", name,
			       RESOURCE_NAMED_MAX);
	memmove(r->named + at + 1, r->named + at, (r->n_named - at) * sizeof(r->named[0]));
	r->n_named++;
	memset(&r->named[at], 0, sizeof(r->named[at]));
	snprintf(r->named[at].name, sizeof(r->named[at].name), "%s", name);
	r->named[at].milli = milli;
	return 0;
}

/* A named resource whose amount has a unit: most likely a misspelt memory or disk. */
static int name_fault(const char *name, const char *amount, struct err *err)
{
	int64_t bytes;

	for (size_t i = 0; i < ARRAY_SIZE(builtin); i++)
		if (str_distance(name, builtin[i].name) <= 2)
			return err_set(err, ERR_USAGE, "unknown resource %s (did you mean %s=%s?)",
				       name, builtin[i].name, amount);
	if (units_memory(amount, &bytes, err) < 0)
		return err_prefix(err, "resource %s", name);
	return err_set(err, ERR_USAGE,
		       "resource %s: \"%.60s\" has a unit, and a named resource is a plain "
		       "number",
		       name, amount);
}

int resources_set(struct resources *r, const char *name, const char *amount, unsigned *given,
		  struct err *err)
{
	unsigned bit = 0;
	int64_t *field = builtin_field(r, name, &bit), v;

	if (!field && !resource_name_valid(name))
		return err_set(err, ERR_USAGE,
			       "\"%.60s\" is no name of a resource: write NAME=AMOUNT, the name in "
			       "letters, digits, _ - and .", name);
	if (!*amount)
		return err_set(err, ERR_USAGE, "resource %s has no amount: write %s=AMOUNT", name,
			       name);
	if (field == &r->memory || field == &r->disk) {
		if (units_memory(amount, &v, err) < 0)
			return err_prefix(err, "resource %s", name);
	} else if (units_milli(amount, &v, err) < 0) {
		return field ? err_prefix(err, "resource %s", name)
			     : name_fault(name, amount, err);
	}
	if (field == &r->gpu) {
		if (v % 1000)
			return err_set(err, ERR_USAGE,
				       "resource gpu: \"%.60s\" is not a whole number", amount);
		v /= 1000;
	}
	if (!field)
		return set_named(r, name, v, err);
	*field = v;
	if (given)
		*given |= bit;
	return 0;
}

/* True when `name` (n bytes) is a key of an earlier item of the list. */
static bool named_before(const char *text, const char *item, size_t n)
{
	for (const char *p = text; p < item;) {
		size_t len = strcspn(p, ",");

		if (strcspn(p, "=,") == n && strncmp(p, item, n) == 0)
			return true;
		p += len + (p[len] == ',');
	}
	return false;
}

int resources_parse(const char *text, struct resources *r, unsigned *given, struct err *err)
{
	for (const char *p = text;;) {
		size_t len = strcspn(p, ","), n = strcspn(p, "=,");
		char name[80], amount[80];

		if (p[n] != '=' || n >= sizeof(name) || len - n - 1 >= sizeof(amount))
			return err_set(err, ERR_USAGE,
				       "resources \"%.80s\": \"%.*s\" is not NAME=AMOUNT "
				       "(cpu=1,memory=2G)",
				       text, (int)MIN(len, 60), p);
		if (named_before(text, p, n))
			return err_set(err, ERR_USAGE, "resources \"%.80s\": %.*s is given twice",
				       text, (int)n, p);
		snprintf(name, sizeof(name), "%.*s", (int)n, p);
		snprintf(amount, sizeof(amount), "%.*s", (int)(len - n - 1), p + n + 1);
		if (resources_set(r, name, amount, given, err) < 0)
			return -1;
		if (!p[len])
			return 0;
		p += len + 1;
	}
}

int64_t resources_named(const struct resources *r, const char *name)
{
	for (size_t i = 0; i < r->n_named; i++)
		if (strcmp(r->named[i].name, name) == 0)
			return r->named[i].milli;
	return 0;
}

/* ---- arithmetic ------------------------------------------------------------------------- */

static size_t fit_one(int64_t need, int64_t have, size_t max)
{
	if (need <= 0)
		return max;
	if (have < need)
		return 0;
	return MIN((size_t)(have / need), max);
}

size_t resources_count(const struct resources *need, const struct resources *have, size_t max)
{
	max = fit_one(need->cpu, have->cpu, max);
	max = fit_one(need->memory, have->memory, max);
	max = fit_one(need->gpu, have->gpu, max);
	max = fit_one(need->disk, have->disk, max);
	for (size_t i = 0; max && i < need->n_named; i++)
		max = fit_one(need->named[i].milli, resources_named(have, need->named[i].name),
			      max);
	return max;
}

bool resources_fit(const struct resources *need, const struct resources *have)
{
	return resources_count(need, have, 1) == 1;
}

static struct resource_named *named_slot(struct resources *r, const char *name)
{
	for (size_t i = 0; i < r->n_named; i++)
		if (strcmp(r->named[i].name, name) == 0)
			return &r->named[i];
	return NULL;
}

static void move(struct resources *have, const struct resources *need, int64_t times)
{
	have->cpu += need->cpu * times;
	have->memory += need->memory * times;
	have->gpu += need->gpu * times;
	have->disk += need->disk * times;
	for (size_t i = 0; i < need->n_named; i++) {
		const struct resource_named *n = &need->named[i];
		struct resource_named *slot = named_slot(have, n->name);

		if (slot) { /* kept at 0: it may come back in a moment */
			slot->milli += n->milli * times;
		} else {
			struct err ignored = ERR_INIT;

			set_named(have, n->name, n->milli * times, &ignored);
		}
	}
}

void resources_sub(struct resources *have, const struct resources *need, int64_t times)
{
	move(have, need, -times);
}

void resources_add(struct resources *have, const struct resources *need, int64_t times)
{
	move(have, need, times);
}

void resources_max(struct resources *have, const struct resources *other)
{
	have->cpu = MAX(have->cpu, other->cpu);
	have->memory = MAX(have->memory, other->memory);
	have->gpu = MAX(have->gpu, other->gpu);
	have->disk = MAX(have->disk, other->disk);
	for (size_t i = 0; i < other->n_named; i++) {
		const struct resource_named *o = &other->named[i];
		struct err ignored = ERR_INIT;

		if (o->milli > resources_named(have, o->name))
			set_named(have, o->name, o->milli, &ignored);
	}
}

/* The resource name of `have` nearest to `name`, or NULL. */
static const char *nearest(const struct resources *have, const char *name)
{
	struct guess g = guess_of(name);

	for (size_t i = 0; i < ARRAY_SIZE(builtin); i++)
		guess_try(&g, builtin[i].name);
	for (size_t i = 0; i < have->n_named; i++)
		guess_try(&g, have->named[i].name);
	return g.best;
}

static int too_large(const char *name, int64_t need, int64_t have,
		     void (*add)(struct buf *, int64_t), struct err *err)
{
	struct buf a = BUF_INIT, b = BUF_INIT;

	add(&a, need);
	add(&b, have);
	err_set(err, ERR_USAGE, "%s=%s is more than any node can have (the largest has %s=%s)",
		name, a.p, name, b.p);
	buf_release(&a);
	buf_release(&b);
	return -1;
}

int resources_possible(const struct resources *need, const struct resources *have, struct err *err)
{
	if (need->cpu > have->cpu)
		return too_large("cpu", need->cpu, have->cpu, units_add_milli, err);
	if (need->memory > have->memory)
		return too_large("memory", need->memory, have->memory, units_add_memory, err);
	if (need->gpu > have->gpu)
		return too_large("gpu", need->gpu, have->gpu, buf_addi, err);
	if (need->disk > have->disk)
		return too_large("disk", need->disk, have->disk, units_add_memory, err);
	for (size_t i = 0; i < need->n_named; i++) {
		const struct resource_named *n = &need->named[i];
		const char *near;

		if (resources_named(have, n->name) >= n->milli)
			continue;
		if (resources_named(have, n->name) > 0)
			return too_large(n->name, n->milli, resources_named(have, n->name),
					 units_add_milli, err);
		near = nearest(have, n->name);
		return err_set(err, ERR_USAGE,
			       "no node has or can have the resource %s%s%s%s: nodes declare "
			       "theirs with node_resources=%s=N",
			       n->name, near ? " (did you mean " : "", near ? near : "",
			       near ? "?)" : "", n->name);
	}
	return 0;
}

/* Zeros count as absent. */
static bool named_within(const struct resources *a, const struct resources *b)
{
	for (size_t i = 0; i < a->n_named; i++)
		if (resources_named(b, a->named[i].name) != a->named[i].milli)
			return false;
	return true;
}

bool resources_equal(const struct resources *a, const struct resources *b)
{
	return a->cpu == b->cpu && a->memory == b->memory && a->gpu == b->gpu &&
	       a->disk == b->disk && named_within(a, b) && named_within(b, a);
}

bool class_equal(const struct class *a, const struct class *b)
{
	return resources_equal(&a->r, &b->r) && a->limits == b->limits &&
	       strcmp(a->image, b->image) == 0 && a->timeout_ms == b->timeout_ms &&
	       a->retries == b->retries && a->keep_work == b->keep_work &&
	       strcmp(a->avoid, b->avoid) == 0;
}
