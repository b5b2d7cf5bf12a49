/* Resources of a submission: defaults, job file, command line, and whether a node can have them. */
#include "base/base.h"
#include "sys/machine.h"
#include "work/submit_plan.h"

/* Of these, what a user names is a limit as well as an amount. */
enum { LIMITING = RESOURCE_MEMORY | RESOURCE_DISK };

static void take_given(struct resources *to, const struct resources *from, unsigned given)
{
	if (given & RESOURCE_CPU)
		to->cpu = from->cpu;
	if (given & RESOURCE_MEMORY)
		to->memory = from->memory;
	if (given & RESOURCE_GPU)
		to->gpu = from->gpu;
	if (given & RESOURCE_DISK)
		to->disk = from->disk;
	if (from->n_named) {
		memcpy(to->named, from->named, sizeof(to->named));
		to->n_named = from->n_named;
	}
}

/* Which built-in resources of a task differ from the job file's common ones. */
static unsigned differing(const struct resources *a, const struct resources *b)
{
	return (a->cpu != b->cpu ? RESOURCE_CPU : 0u) |
	       (a->memory != b->memory ? RESOURCE_MEMORY : 0u) |
	       (a->gpu != b->gpu ? RESOURCE_GPU : 0u) | (a->disk != b->disk ? RESOURCE_DISK : 0u);
}

static int class_index(struct plan *p, const struct class *c, size_t task, struct err *err)
{
	for (size_t i = 0; i < p->n_classes; i++) {
		if (class_equal(&p->classes[i], c))
			return (int)i;
	}
	if (p->n_classes == CLASSES_MAX)
		return err_set(err, ERR_USAGE,
			       "%s: tasks[%zu].resources: more than %d different combinations of "
			       "resources, image and timeout in one job",
			       p->rows.source.name, task, CLASSES_MAX);
	p->classes[p->n_classes] = *c;
	return (int)p->n_classes++;
}

static int classes_of_jobfile(struct plan *p, struct err *err)
{
	const struct jobfile *f = &p->rows.jobfile;
	struct class common, file;

	common_class(&p->common, &common);
	common_class(&f->common, &file);
	p->task_class = xcalloc(f->n, sizeof(*p->task_class));
	for (size_t i = 0; i < f->n; i++) {
		const struct jobfile_task *t = &f->tasks[i];
		struct class c = common;
		int at;

		if (t->has_class) {
			unsigned given = differing(&t->class.r, &file.r);

			take_given(&c.r, &t->class.r, given);
			c.limits |= given & LIMITING;
			if (strcmp(t->class.image, file.image) != 0)
				memcpy(c.image, t->class.image, sizeof(c.image));
			c.timeout_ms = t->class.timeout_ms;
			c.retries = t->class.retries;
		}
		at = class_index(p, &c, i, err);
		if (at < 0)
			return -1;
		p->task_class[i] = (uint8_t)at;
	}
	return 0;
}

/* ---- can there be such a node? --------------------------------------------------------------- */

static int largest_node(void *ctx, const struct node *node)
{
	struct resources *have = ctx, cap = { .cpu = 0 };
	struct err err = ERR_INIT;

	if (node->state == NODE_LIVE && resources_parse_json(node->cap, &cap, NULL, &err) == 0)
		resources_max(have, &cap);
	return 0;
}

static int add_capacity(const struct submit_spec *s, struct resources *have, struct err *err)
{
	struct resources cap = { .cpu = 0 };
	struct machine m;

	machine_get(&m);
	cap.cpu = MAX((int64_t)(m.cpus * 1000.0), 1000); /* a share of a CPU runs one at a time */
	cap.memory = m.memory;
	if (s->capacity && resources_parse_json(s->capacity, &cap, NULL, err) < 0)
		return -1;
	resources_max(have, &cap);
	return 0;
}

/* -j N with fewer than N CPUs: each task counts as an N-th of them. */
static int share_cpus(struct plan *p, struct resources *have, struct err *err)
{
	if (have->cpu == 0 && add_capacity(p->spec, have, err) < 0)
		return -1;
	for (size_t i = 0; i < p->n_classes; i++) {
		int64_t share = MAX(have->cpu / p->spec->jobs, 1);

		p->classes[i].r.cpu = MIN(p->classes[i].r.cpu, share);
	}
	p->common.resources.cpu = p->classes[0].r.cpu;
	return 0;
}

/* What every node of this machine has: one CPU. */
static bool is_modest(const struct submit_spec *s, const struct resources *r)
{
	return !s->capacity && r->cpu <= 1000 && r->memory == 0 && r->gpu == 0 && r->disk == 0 &&
	       r->n_named == 0;
}

static int check_possible(struct plan *p, struct err *err)
{
	struct resources have = { .cpu = 0 };
	bool all = false;

	if (p->to->queue &&
	    queue_nodes(p->to->queue, p->spec->cluster, largest_node, &have, err) < 0)
		return -1;
	if (p->spec->jobs && share_cpus(p, &have, err) < 0)
		return -1;
	for (size_t i = 0; i < p->n_classes; i++) {
		if (is_modest(p->spec, &p->classes[i].r) ||
		    resources_fit(&p->classes[i].r, &have))
			continue;
		if (!all && add_capacity(p->spec, &have, err) < 0)
			return -1;
		all = true;
		if (resources_possible(&p->classes[i].r, &have, err) < 0)
			return -1;
	}
	return 0;
}

int plan_classes(struct plan *p, struct err *err)
{
	const struct submit_spec *s = p->spec;
	struct common *c = &p->common;
	unsigned given = 0;

	if (s->rows == SUBMIT_JOBFILE) {
		take_given(&c->resources, &p->rows.jobfile.common.resources,
			   p->rows.jobfile.given);
		given |= p->rows.jobfile.given;
	}
	if (s->resources && resources_parse(s->resources, &c->resources, &given, err) < 0)
		return -1;
	if (s->resources_json &&
	    resources_parse_json(s->resources_json, &c->resources, &given, err) < 0)
		return -1;
	c->limits |= given & LIMITING;
	common_class(c, &p->classes[0]);
	p->n_classes = 1;
	if (s->rows == SUBMIT_JOBFILE && classes_of_jobfile(p, err) < 0)
		return -1;
	return check_possible(p, err);
}
