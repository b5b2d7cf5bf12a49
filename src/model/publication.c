#include "model/publication.h"

#include "model/state.h"

bool attempt_before(int64_t born_a, int64_t k_a, int64_t born_b, int64_t k_b)
{
	return born_a < born_b || (born_a == born_b && k_a < k_b);
}

enum stage_fate stage_fate(const struct task *row, int64_t k)
{
	if (!row)
		return STAGE_DROP;
	if (row->acc == k)
		return STAGE_PUBLISH;
	/* a number that was not given out yet cannot be judged; the current claim is not over */
	if (k > row->attempt || (row->attempt == k && task_is_held(row->state)))
		return STAGE_LEAVE;
	return STAGE_DROP;
}
