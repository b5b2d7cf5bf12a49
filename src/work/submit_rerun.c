#include "work/submit_rerun.h"

#include "base/base.h"
#include "base/vec.h"
#include "sys/hash.h"

enum { KEY_SIZE = 16, ROOT_MAX = 1 << 28, CHUNK_MAX = 1 << 30 };

struct entry {
	uint8_t key[KEY_SIZE];
	uint64_t digest;
	uint32_t n;
	uint32_t k; /* 0: given away, and digest is the index to look at next */
};

/* What the tasks of one job share, as far as a digest of one of them needs it. */
struct side {
	struct hasher *hasher;
	bool single;      /* one task without parameters */
	bool has_columns;
	const struct common *common;
	char inputs[SHA256_HEX_SIZE]; /* of the common inputs without their times, "" none */
	const struct class *classes;
	size_t n_classes;
	size_t *order;    /* scratch: of pairs by name */
	size_t room;
};

struct rerun {
	const struct submit_target *to;
	const struct job *old;
	struct arena arena; /* of the old root */
	struct root root;
	struct class classes[CLASSES_MAX];
	struct side was, now;
	bool any; /* the earlier job was submitted by --rerun=any: see RERUN_NOTE */
	VEC(struct entry) entries;
};

/* ---- digests --------------------------------------------------------------------------------- */

static void add_str(struct hasher *h, struct str s)
{
	uint64_t n = s.n;

	hasher_add(h, &n, sizeof(n));
	hasher_add(h, s.p, s.n);
}

static void add_pairs(struct side *s, const struct pairs *p)
{
	uint64_t n = p->n;

	if (p->n > s->room) {
		s->room = p->n;
		s->order = xreallocarray(s->order, s->room, sizeof(*s->order));
	}
	for (size_t i = 0; i < p->n; i++) {
		size_t at = i;

		while (at > 0 && strcmp(p->p[s->order[at - 1]].name.p, p->p[i].name.p) > 0) {
			s->order[at] = s->order[at - 1];
			at--;
		}
		s->order[at] = i;
	}
	hasher_add(s->hasher, &n, sizeof(n));
	for (size_t i = 0; i < p->n; i++) {
		add_str(s->hasher, p->p[s->order[i]].name);
		add_str(s->hasher, p->p[s->order[i]].value);
	}
}

static void add_command(struct side *s, const struct task_spec *t)
{
	uint64_t n = t->argv.n;

	add_str(s->hasher, t->command);
	hasher_add(s->hasher, &n, sizeof(n));
	for (size_t i = 0; i < t->argv.n; i++)
		add_str(s->hasher, t->argv.p[i]);
}

static void add_input(struct hasher *h, const struct input *in)
{
	uint64_t mode = in->mode & 0777;

	add_str(h, in->dst);
	add_str(h, in->sha256);
	add_str(h, in->url);
	hasher_add(h, &mode, sizeof(mode));
}

static void add_inputs(struct hasher *h, const struct inputs *in)
{
	uint64_t n = in->n;

	hasher_add(h, &n, sizeof(n));
	for (size_t i = 0; i < in->n; i++)
		add_input(h, &in->p[i]);
}

static unsigned nibble(char c)
{
	return c <= '9' ? (unsigned)(c - '0') : (unsigned)(c - 'a' + 10);
}

static void end_bytes(struct hasher *h, void *out, size_t n)
{
	char hex[SHA256_HEX_SIZE];
	uint8_t *to = out;

	hasher_end(h, hex);
	for (size_t i = 0; i < n; i++)
		to[i] = (uint8_t)(nibble(hex[2 * i]) << 4 | nibble(hex[2 * i + 1]));
}

/* The environment given with the job: the common one under the task's own. */
static void add_env(struct side *s, const struct task_spec *t)
{
	const struct pairs *common = &s->common->env;
	struct pairs all = { NULL, 0 };

	if (common->n + t->env.n == 0) {
		add_pairs(s, &all);
		return;
	}
	all.p = xcalloc(common->n + t->env.n, sizeof(*all.p));
	for (size_t i = 0; i < common->n; i++) {
		if (!pairs_find(&t->env, common->p[i].name.p))
			all.p[all.n++] = common->p[i];
	}
	for (size_t i = 0; i < t->env.n; i++)
		all.p[all.n++] = t->env.p[i];
	add_pairs(s, &all);
	free(all.p);
}

static void digest_of(struct side *s, const struct task_spec *t, int class, struct entry *out)
{
	const char *image = class >= 0 && (size_t)class < s->n_classes ? s->classes[class].image
									: "none";
	if (s->has_columns)
		add_pairs(s, &t->parameters);
	else if (!s->single)
		add_command(s, t);
	end_bytes(s->hasher, out->key, sizeof(out->key));
	add_command(s, t);
	add_str(s->hasher, t->cd.p ? t->cd : s->common->cd);
	add_env(s, t);
	add_str(s->hasher, str_of(image));
	add_str(s->hasher, str_of(s->inputs));
	add_inputs(s->hasher, &t->inputs);
	end_bytes(s->hasher, &out->digest, sizeof(out->digest));
}

static int list_digest(struct cas *cas, const char *list, struct side *s, struct err *err)
{
	struct buf text = BUF_INIT;
	struct arena arena = ARENA_INIT;
	struct inputs in;
	int ret = -1, got;

	s->inputs[0] = '\0';
	if (!*list)
		return 0;
	got = cas_get(cas, list, CHUNK_MAX, &text, err);
	if (got < 0)
		goto out;
	if (got == 0) { /* nothing can be said to be unchanged */
		memcpy(s->inputs, "gone", sizeof("gone"));
		ret = 0;
		goto out;
	}
	if (manifest_parse_inputs(&arena, buf_str(&text), &in, err) < 0)
		goto out;
	add_inputs(s->hasher, &in);
	hasher_end(s->hasher, s->inputs);
	ret = 0;
out:
	arena_release(&arena);
	buf_release(&text);
	return ret;
}

/* The same of inputs that are hashed and not stored. */
static void set_digest(const struct input_set *set, struct side *s)
{
	uint64_t n = inputs_count(set);
	char hex[SHA256_HEX_SIZE];
	struct input one;

	s->inputs[0] = '\0';
	if (!n)
		return;
	hasher_add(s->hasher, &n, sizeof(n));
	for (size_t i = 0; i < n; i++) {
		inputs_manifest_entry(inputs_at(set, i), hex, &one);
		add_input(s->hasher, &one);
	}
	hasher_end(s->hasher, s->inputs);
}

/* ---- the earlier job ------------------------------------------------------------------------- */

struct accepted {
	int64_t n, k;
	int class;
};
struct accepted_list {
	VEC(struct accepted) v;
};

static int note_task(void *ctx, const struct task *t)
{
	struct accepted_list *l = ctx;

	if (t->acc > 0 && t->acc <= UINT32_MAX && t->n <= UINT32_MAX)
		*vec_push(&l->v) = (struct accepted){ t->n, t->acc, t->class };
	return 0;
}

/* What made this result is not what the manifest says: 1, 0, -1. */
static int is_noted(const struct rerun *r, const struct accepted *a, struct err *err)
{
	struct attempt attempt;
	int got;

	if (!r->any)
		return 0;
	got = queue_attempt_get(r->to->queue, r->old->born, a->n, a->k, &attempt, err);
	if (got <= 0)
		return got;
	got = str_starts(attempt.verdict, RERUN_NOTE);
	attempt_release(&attempt);
	return got;
}

static int read_chunk(struct rerun *r, size_t at, struct arena *arena, struct buf *text,
		      struct accepted_list *list, struct err *err)
{
	int64_t first = (int64_t)at * r->root.chunk_size + 1;
	struct range range = { first, first + r->root.chunk_size - 1 };
	struct task_filter f = { .ranges = { &range, 1 }, .states = 1u << TASK_SUCCEEDED };
	int got;

	list->v.n = 0;
	if (queue_tasks(r->to->queue, r->old->born, &f, note_task, list, err) < 0)
		return -1;
	if (list->v.n == 0)
		return 0;
	buf_clear(text);
	got = cas_get(r->to->cas, r->root.chunks.p[at].p, CHUNK_MAX, text, err);
	if (got <= 0)
		return got; /* collected: its tasks run again */
	for (size_t i = 0; i < list->v.n; i++) {
		const struct accepted *a = &list->v.p[i];
		struct task_spec t;
		struct str line;
		struct entry e = { .n = (uint32_t)a->n, .k = (uint32_t)a->k };
		int noted;

		if (!manifest_line(buf_str(text), (size_t)(a->n - first), &line))
			break;
		if (manifest_parse_task(arena, line, &t, err) < 0)
			return -1;
		digest_of(&r->was, &t, a->class, &e);
		noted = is_noted(r, a, err);
		if (noted < 0)
			return -1;
		if (noted)
			e.digest = ~e.digest;
		*vec_push(&r->entries) = e;
		arena_reset(arena);
	}
	return 0;
}

static int by_key(const void *a, const void *b)
{
	const struct entry *x = a, *y = b;
	int c = memcmp(x->key, y->key, KEY_SIZE);

	return c ? c : (x->n > y->n) - (x->n < y->n);
}

static int read_root(struct rerun *r, struct err *err)
{
	struct buf text = BUF_INIT;
	char list[SHA256_HEX_SIZE] = "";
	int got = cas_get(r->to->cas, r->old->root, ROOT_MAX, &text, err), n;

	if (got == 0)
		err_set(err, ERR_IO, "the manifest of job %s is gone: use --clean", r->old->id);
	if (got <= 0 || manifest_parse_root(&r->arena, buf_str(&text), &r->root, err) < 0) {
		buf_release(&text);
		return -1;
	}
	buf_release(&text);
	n = classes_parse_json(r->old->classes, r->classes, CLASSES_MAX, err);
	if (n < 0)
		return -1;
	r->was.common = &r->root.common;
	r->was.classes = r->classes;
	r->was.n_classes = (size_t)n;
	r->was.has_columns = r->root.columns.n > 0;
	r->was.single = r->root.n == 1 && !r->was.has_columns;
	if (r->root.inputs.n == SHA256_HEX_SIZE - 1)
		memcpy(list, r->root.inputs.p, SHA256_HEX_SIZE - 1);
	return list_digest(r->to->cas, list, &r->was, err);
}

int rerun_open(const struct submit_target *to, const struct job *old, struct rerun **out,
	       struct err *err)
{
	struct rerun *r = xcalloc(1, sizeof(*r));
	struct arena arena = ARENA_INIT;
	struct buf text = BUF_INIT;
	struct accepted_list list = { .v = { .p = NULL } };
	int ret;

	*out = r;
	r->to = to;
	r->old = old;
	r->any = strstr(old->info, "\"rerun\":\"any\"") != NULL;
	r->was.hasher = hasher_new();
	r->now.hasher = hasher_new();
	ret = read_root(r, err);
	for (size_t i = 0; ret == 0 && i < r->root.chunks.n; i++) {
		ret = read_chunk(r, i, &arena, &text, &list, err);
		if (ret == 0 && to->stop && to->stop(to->ctx))
			ret = err_set(err, ERR_INTERRUPTED, "interrupted");
	}
	if (r->entries.n)
		qsort(r->entries.p, r->entries.n, sizeof(*r->entries.p), by_key);
	vec_release(&list.v);
	arena_release(&arena);
	buf_release(&text);
	return ret;
}

void rerun_close(struct rerun *r)
{
	if (!r)
		return;
	hasher_free(r->was.hasher);
	hasher_free(r->now.hasher);
	free(r->was.order);
	free(r->now.order);
	vec_release(&r->entries);
	arena_release(&r->arena);
	free(r);
}

int rerun_begin(struct rerun *r, const struct plan *p, const char *inputs_list, struct err *err)
{
	r->now.common = &p->common;
	r->now.classes = p->classes;
	r->now.n_classes = p->n_classes;
	r->now.has_columns = plan_columns(p).n > 0;
	r->now.single = p->n == 1 && !r->now.has_columns;
	if (inputs_list)
		return list_digest(r->to->cas, inputs_list, &r->now, err);
	set_digest(p->inputs, &r->now);
	return 0;
}

/* ---- matching -------------------------------------------------------------------------------- */

static size_t first_with(const struct rerun *r, const uint8_t *key)
{
	size_t lo = 0, hi = r->entries.n;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (memcmp(r->entries.p[mid].key, key, KEY_SIZE) < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

int rerun_match(struct rerun *r, const struct task_spec *t, int class, bool any, int64_t *old_n,
		int64_t *old_k, bool *changed)
{
	struct entry e, *best = NULL, *head;
	size_t i;

	digest_of(&r->now, t, class, &e);
	i = first_with(r, e.key);
	head = r->entries.p + i;
	while (i < r->entries.n && memcmp(r->entries.p[i].key, e.key, KEY_SIZE) == 0) {
		struct entry *x = &r->entries.p[i];

		if (x->k == 0) {
			i = (size_t)x->digest;
			if (head->k == 0) /* a long run of equal rows is not walked each time */
				head->digest = i;
			continue;
		}
		if (!best && (any || x->digest == e.digest))
			best = x;
		if (x->digest == e.digest) {
			best = x;
			break;
		}
		i++;
	}
	if (!best)
		return 0;
	*old_n = best->n;
	*old_k = best->k;
	*changed = best->digest != e.digest;
	best->k = 0;
	best->digest = (uint64_t)(best - r->entries.p) + 1;
	return 1;
}
