/* clean --cas: who refers to what. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "base/base.h"
#include "cas/gc.h"
#include "model/manifest.h"
#include "sys/signals.h"
#include "work/clean_internal.h"

enum {
	OBJECT_MAX = 1 << 30,
	CHUNK_MAX = 2047 << 20,
};

struct references {
	const struct clean *c;
	struct cas *cas;
	struct stat where; /* of the CAS */
};

/* An object of the manifest, noted and read. */
static int read_object(struct references *r, struct cas_refs *refs, const char *hex, size_t limit,
		       struct buf *out, struct err *err)
{
	int found;

	if (cas_refs_add(refs, hex, err) < 0)
		return -1;
	found = cas_get(r->cas, hex, limit, out, err);
	if (found == 0)
		return err_set(err, ERR_IO, "a part of its manifest (%.12s) is not in the CAS",
			       hex);
	return found < 0 ? -1 : 0;
}

/* Inputs of single tasks. Most chunks have none, which a search tells. */
static int chunk_references(struct cas_refs *refs, struct str chunk, struct err *err)
{
	static const char key[] = "\"inputs\":";
	struct arena arena = ARENA_INIT;
	struct task_spec t;
	struct str line;
	int ret = 0;

	if (!chunk.n || !memmem(chunk.p, chunk.n, key, sizeof(key) - 1))
		return 0;
	for (size_t at = 0; ret == 0 && at < chunk.n; at += line.n + 1) {
		const char *nl = memchr(chunk.p + at, '\n', chunk.n - at);

		line.p = chunk.p + at;
		line.n = nl ? (size_t)(nl - line.p) : chunk.n - at;
		if (!line.n || !memmem(line.p, line.n, key, sizeof(key) - 1))
			continue;
		arena_reset(&arena);
		ret = manifest_parse_task(&arena, line, &t, err);
		for (size_t i = 0; ret == 0 && i < t.inputs.n; i++)
			if (t.inputs.p[i].sha256.n)
				ret = cas_refs_add(refs, t.inputs.p[i].sha256.p, err);
	}
	arena_release(&arena);
	return ret;
}

static int manifest_references(struct references *r, struct cas_refs *refs, const char *root_hex,
			       struct err *err)
{
	struct arena arena = ARENA_INIT;
	struct buf text = BUF_INIT;
	struct root root;
	int ret = read_object(r, refs, root_hex, OBJECT_MAX, &text, err);

	if (ret == 0)
		ret = manifest_parse_root(&arena, buf_str(&text), &root, err);
	if (ret == 0 && root.inputs.n)
		ret = cas_refs_add_list(refs, r->cas, root.inputs.p, err);
	for (size_t i = 0; ret == 0 && i < root.chunks.n; i++) {
		buf_clear(&text);
		ret = read_object(r, refs, root.chunks.p[i].p, CHUNK_MAX, &text, err);
		if (ret == 0)
			ret = chunk_references(refs, buf_str(&text), err);
		if (ret == 0)
			ret = signals_check(err);
	}
	buf_release(&text);
	arena_release(&arena);
	return ret;
}

/* Does the job keep its content in this CAS? */
static bool uses_cas(const struct references *r, const struct job *j)
{
	char *dir = clean_job_info(j, "cas");
	struct stat st;
	bool uses = true;

	if (dir && *dir == '/')
		uses = stat(dir, &st) == 0 && st.st_dev == r->where.st_dev &&
		       st.st_ino == r->where.st_ino;
	free(dir);
	return uses;
}

/* Every job that has not been deleted, also one that nobody sees yet. */
static int add_references(void *ctx, struct cas_refs *refs, struct err *err)
{
	const unsigned all = 1U << JOB_SUBMITTING | 1U << JOB_OPEN | 1U << JOB_KILLING |
			     1U << JOB_OVER;
	struct references *r = ctx;
	struct clean_jobs jobs = { 0 };
	int ret = clean_jobs(r->c, all, &jobs, err);

	for (size_t i = 0; ret == 0 && i < jobs.v.n; i++) {
		const struct job *j = &jobs.v.p[i];

		if (!uses_cas(r, j))
			continue;
		if (*j->policy)
			ret = cas_refs_add(refs, j->policy, err);
		if (ret == 0 && *j->root)
			ret = manifest_references(r, refs, j->root, err);
		if (ret < 0 && err->code != ERR_INTERRUPTED)
			err_prefix(err,
				   "nothing was removed: job %s cannot be read (kubeque clean %s "
				   "forgets it)", j->id, j->id);
	}
	clean_jobs_release(&jobs);
	return ret;
}

int clean_cas(const struct clean *c, int64_t older_ms, bool dry_run, struct clean_sum *out,
	      struct err *err)
{
	struct references r = { .c = c };
	struct cas_gc gc = { .older_ms = older_ms, .dry_run = dry_run,
			     .references = add_references, .ctx = &r };
	char *other = NULL;
	int ret = -1;

	*out = (struct clean_sum){ 0, 0 };
	r.cas = cas_open_dir(c->cas, false, err);
	if (!r.cas) {
		if (err->code != ERR_NOT_FOUND)
			return -1;
		*err = (struct err)ERR_INIT;
		return 0;
	}
	if (stat(c->cas, &r.where) < 0) {
		err_sys(err, "cannot look at %s", c->cas);
		goto out;
	}
	if (cas_other_queue(r.cas, queue_uuid(c->queue), c->home, &other, err) < 0)
		goto out;
	if (other) {
		err_set(err, ERR_CONFLICT, "%s is also the CAS of the store %s, whose jobs cannot "
			"be seen from here: nothing was removed", c->cas, other);
		goto out;
	}
	ret = cas_gc(r.cas, &gc, err);
	*out = (struct clean_sum){ gc.objects, gc.bytes };
out:
	free(other);
	cas_close(r.cas);
	return ret;
}
