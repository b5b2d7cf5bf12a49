/* Which id a submission gets. */
#include <stdio.h>
#include <string.h>

#include "base/base.h"
#include "base/clock.h"
#include "base/id.h"
#include "work/submit_impl.h"

enum { ID_TRIES = 100 };

static int count_claimed(void *ctx, const char *label, int64_t count)
{
	int64_t *claimed = ctx;

	if (strcmp(label, "claimed") == 0)
		*claimed += count;
	return 0;
}

int submission_taken(const char *id, struct err *err)
{
	return err_set(err, ERR_CONFLICT, "Existing job with id \"%s\", aborting!", id);
}

int submission_held(const char *id, struct err *err)
{
	return err_set(err, ERR_CONFLICT,
		       "job \"%s\" has running tasks: wait for it, or kubeque kill %s first", id,
		       id);
}

int submission_look_up_id(struct submission *s, struct err *err)
{
	const char *why = job_id_fault(s->spec->id);
	int64_t claimed = 0;
	int got;

	if (why)
		return err_set(err, ERR_USAGE, "job id \"%.120s\": %s", s->spec->id, why);
	memcpy(s->out->id, s->spec->id, strlen(s->spec->id) + 1);
	if (!s->to->queue)
		return 0;
	got = queue_job_by_id(s->to->queue, s->spec->id, &s->old, err);
	if (got <= 0) {
		s->old.born = 0;
		return got;
	}
	if (s->spec->mode == SUBMIT_NEW)
		return submission_taken(s->spec->id, err);
	if (queue_counts(s->to->queue, s->old.born, count_claimed, &claimed, err) < 0)
		return -1;
	return claimed ? submission_held(s->spec->id, err) : 0;
}

int submission_draw_id(struct submission *s, struct err *err)
{
	char stamp[16], hex[5];

	for (int i = 0; i < ID_TRIES; i++) {
		struct job other;
		int got = 0;

		clock_format_id(clock_wall_ms(), stamp);
		id_hex(hex, 2);
		snprintf(s->out->id, sizeof(s->out->id), "%s-%s", stamp, hex);
		if (s->to->queue)
			got = queue_job_by_id(s->to->queue, s->out->id, &other, err);
		if (got <= 0)
			return got;
		job_release(&other);
	}
	return err_set(err, ERR_CONFLICT, "no free job id was found, give one with -n");
}
