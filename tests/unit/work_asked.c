/* The record of a question to a policy. */
#include "work/asked.h"

#include <jansson.h>

#include "base/base.h"
#include "tap.h"

static struct task task = { .job = 1, .n = 2, .tries = 3, .free = 4, .lost = 1 };
static struct policy_view view = { .task = &task, .retries = 5, .same = 6,
				   .class = "{\"resources\":{\"cpu\":1}}" };

static json_t *record(const struct node *lost, const struct policy_verdict *v, const char *broke)
{
	struct buf b = BUF_INIT;
	json_t *j;

	asked_begin(&b, &view, lost, v, broke);
	asked_end(&b, broke ? "limited" : NULL);
	j = json_loads(b.p, JSON_REJECT_DUPLICATES, NULL);
	ok(j != NULL, "is JSON: %s", b.p);
	buf_release(&b);
	return j;
}

static const char *text_of(json_t *j, const char *key)
{
	return json_string_value(json_object_get(j, key));
}

static void test_retry(void)
{
	char class[] = "{\"resources\":{\"cpu\":2}}";
	struct policy_verdict v = { .action = POLICY_RETRY, .after_ms = 61005, .free = true, .elsewhere = true,
				    .class = class, .note = "say \"x\"\n" };
	json_t *j = record(NULL, &v, NULL), *answer = json_object_get(j, "answer");

	ok(json_integer_value(json_object_get(j, "tries")) == 3 &&
	   json_integer_value(json_object_get(j, "free")) == 4 &&
	   json_integer_value(json_object_get(j, "lost")) == 1 &&
	   json_integer_value(json_object_get(j, "retries")) == 5 &&
	   json_integer_value(json_object_get(j, "same")) == 6, "has the numbers of the task");
	ok(json_object_get(json_object_get(j, "class"), "resources"), "and its class");
	ok(!json_object_get(j, "node") && !json_object_get(j, "broke"), "nothing was lost or broke");
	is_str(text_of(answer, "action"), "retry", "the answer's action");
	ok(json_real_value(json_object_get(answer, "after")) == 61.005, "its pause in seconds");
	ok(json_is_true(json_object_get(answer, "free")) &&
	   json_is_true(json_object_get(answer, "elsewhere")) && !json_object_get(answer, "stop"),
	   "its flags, where they are set");
	ok(json_object_get(json_object_get(answer, "class"), "resources"), "its class");
	is_str(text_of(answer, "note"), "say \"x\"\n", "and its note");
	json_decref(j);
}

static void test_lost(void)
{
	char cluster[] = "c", cap[] = "{\"cpu\":4}", info[] = "{\"host\":\"h\"}";
	struct node n = { .id = "n1", .state = NODE_LOST, .cluster = cluster, .cap = cap,
			  .info = info };
	struct policy_verdict v = { .action = POLICY_FAIL, .stop = true };
	json_t *j = record(&n, &v, "p.lua:3: no"), *node = json_object_get(j, "node");

	is_str(text_of(node, "id"), "n1", "a lost node is told");
	is_str(text_of(node, "state"), "LOST", "with its state");
	ok(json_object_get(json_object_get(node, "cap"), "cpu"), "and capacity");
	is_str(text_of(j, "broke"), "p.lua:3: no", "a hook that broke says why");
	is_str(text_of(j, "bounded"), "limited", "and what was not to be had, too");
	is_int((int)json_object_size(json_object_get(j, "answer")), 2, "what is not there is left out");
	json_decref(j);
	n.cap = n.info = NULL;
	json_decref(record(&n, &v, NULL));
}

int main(void)
{
	test_retry();
	test_lost();
	return tap_done();
}
