/* Conformance of queue.h: classes that verdicts make, and those that avoid a node. */
#include "contract/queue_fixture.h"

/* The job's list of classes, and how many there are. */
static const char *classes(struct fix *f, int64_t born, int *count)
{
	static char text[8192];
	struct job j = { .born = 0 };

	*count = 0;
	text[0] = '\0';
	if (queue_job_get(f->other, born, &j, &f->err) == 1)
		snprintf(text, sizeof(text), "%s", j.classes);
	job_release(&j);
	for (const char *p = text; (p = strchr(p, '{')); p++)
		++*count;
	return text;
}

static int many(struct fix *f, int64_t born)
{
	int count;

	(void)classes(f, born, &count);
	return count;
}

/* The text of the class that the task has. */
static const char *class_of(struct fix *f, int64_t born, int64_t n)
{
	static char text[8192];
	int count, class = task(f, born, n).class;
	const char *p = classes(f, born, &count);

	for (p = strchr(p, '{'); p && class > 0; class--)
		p = strchr(p + 1, '{');
	snprintf(text, sizeof(text), "%.*s", p ? (int)(strchr(p, '}') + 1 - p) : 0, p ? p : "");
	return text;
}

static const char *note_of(struct fix *f, int64_t born, int64_t n)
{
	static char text[REASON_SIZE];
	struct attempt a;

	if (queue_attempt_get(f->other, born, n, task(f, born, n).attempt, &a, &f->err) != 1)
		return "none";
	snprintf(text, sizeof(text), "%s", a.verdict);
	attempt_release(&a);
	return text;
}

/* An attempt of this node fails, and its task is to be tried again in this class. */
static struct verdict_row failed(struct fix *f, const char *id, struct claimed *c,
				 const char *class)
{
	struct verdict_row r;

	is_int(claim(f, id, 1, c), 1, "%s takes a task", id);
	is_int(finish(f, id, c, 1), 1, "and fails");
	r = verdict_of(c, TASK_EV_RETRY);
	r.class = class;
	r.note = "first";
	return r;
}

static void for_one_attempt(void)
{
	const char *avoid = "{\"cpu\":1,\"avoid\":\"A\"}";
	struct fix f;
	struct claimed c[1];
	struct release back;
	int64_t born;

	fix_open(&f);
	(void)node(&f, "A");
	(void)node(&f, "B");
	born = submit(&f, (struct spec){ .id = "j", .n = 1 });
	is_int(verdict(&f, failed(&f, "A", c, avoid)), 1, "the next attempt avoids a node");
	is_str(class_of(&f, born, 1), avoid, "which the class says");
	is_int(claim(&f, "B", 1, c), 1, "another node takes it");
	back = (struct release){ .job = born, .n = 1, .v = c->v };
	(void)queue_release(f.q, "B", CAUSE_RELEASED, &back, 1, -1, id_u64(), &f.err);
	is_str(class_of(&f, born, 1), avoid, "given back it was no attempt: it still avoids");
	is_int(verdict(&f, failed(&f, "B", c, NULL)), 1, "after one it is tried again");
	is_str(class_of(&f, born, 1), "{\"cpu\":1}", "anywhere");
	is_int(verdict(&f, failed(&f, "A", c, avoid)), 1, "avoided again");
	is_int(many(&f, born), 4, "by the same class");
	is_int(claim(&f, "B", 1, c), 1, "B takes it");
	(void)queue_node_move(f.q, "B", 0, NODE_EV_LOSE, id_u64(), &f.err);
	is_int(verdict(&f, verdict_of(c, TASK_EV_LOSE)), 1, "and is lost");
	is_str(class_of(&f, born, 1), avoid, "which was no attempt, either");
	is_int(claim(&f, "A", 1, c), 1, "the queue itself keeps nobody from it");
	is_int(finish(&f, "A", c, 1), 1, "it fails");
	is_int(verdict(&f, verdict_of(c, TASK_EV_FAIL)), 1, "for good");
	is_str(class_of(&f, born, 1), avoid, "what was its class remains");
	is_int(reset_states(&f, born, ENDED_STATES, NULL), 1, "until it is reset");
	is_str(class_of(&f, born, 1), "{\"cpu\":1}", "to run anywhere");
	fix_close(&f, "for one attempt");
}

/* A class made by a verdict alone has a plain form only when it is needed. */
static void with_other_resources(void)
{
	struct fix f;
	struct claimed c[1];
	int64_t born;

	fix_open(&f);
	(void)node(&f, "A");
	born = submit(&f, (struct spec){ .id = "j", .n = 1 });
	is_int(verdict(&f, failed(&f, "A", c, "{\"cpu\":0.1,\"avoid\":\"A\"}")), 1,
	       "other resources and another node");
	is_int(many(&f, born), 4, "are one class");
	is_int(verdict(&f, failed(&f, "A", c, NULL)), 1, "tried again as it is");
	is_str(class_of(&f, born, 1), "{\"cpu\":0.1}", "it keeps the resources, in a class anew");
	is_int(verdict(&f, failed(&f, "A", c, "{\"cpu\":0.1}")), 1, "the same by its name");
	is_int(many(&f, born), 5, "adds none");
	fix_close(&f, "with other resources");
}

/* Classes 3, 4, ... */
static void fill(struct fix *f, int upto, const char *head, const char *tail)
{
	struct claimed c[1];
	char class[100];

	for (int i = 3; i < upto; i++) { /* three are there */
		snprintf(class, sizeof(class), "%s%d%s", head, i, tail);
		is_int(verdict(f, failed(f, "A", c, class)), 1, "class %s", class);
	}
}

static void no_place(void)
{
	const char *full = "{\"cpu\":99}";
	struct fix f;
	struct claimed c[1];
	struct verdict_row r;
	int64_t born;

	fix_open(&f);
	(void)node(&f, "A");
	born = submit(&f, (struct spec){ .id = "j", .n = 1 });
	fill(&f, CLASSES_AVOID_MAX, "{\"gpu\":", "}");
	r = failed(&f, "A", c, "{\"cpu\":1,\"avoid\":\"A\"}");
	r.second_note = "second";
	is_int(queue_verdict(f.q, &r, 1, 7, &f.err), 0, "with so many classes");
	ok(r.answer == ANSWER_ACCEPTED && r.noted_second, "none is added for a node to avoid");
	is_str(note_of(&f, born, 1), "second", "which the history says");
	is_str(class_of(&f, born, 1), "{\"gpu\":23}", "it keeps its class");
	is_int(queue_verdict(f.q, &r, 1, 7, &f.err), 0, "once more the same");
	ok(r.answer == ANSWER_ACCEPTED, "is the same");
	r = failed(&f, "A", c, "{\"cpu\":98,\"avoid\":\"A\"}");
	r.second = "{\"cpu\":98}";
	is_int(verdict(&f, r), 1, "other resources on another node:");
	is_str(class_of(&f, born, 1), "{\"cpu\":98}", "there is place for the resources");
	is_str(note_of(&f, born, 1), "first", "and nothing else to be said");
	fill(&f, CLASSES_MAX - CLASSES_AVOID_MAX + 2, "{\"memory\":", "}");
	is_int(many(&f, born), CLASSES_MAX, "there are as many as there can be");
	r = failed(&f, "A", c, full);
	r.second = "{\"cpu\":99,\"memory\":1}";
	r.second_note = "second";
	is_int(verdict(&f, r), 1, "a 33rd is not made");
	is_str(class_of(&f, born, 1), "{\"memory\":9}", "nor what should take its place");
	is_str(note_of(&f, born, 1), "second", "the note tells");
	is_int(verdict(&f, failed(&f, "A", c, full)), 1, "a verdict without a second one");
	is_str(note_of(&f, born, 1), "first", "keeps its note");
	is_int(many(&f, born), CLASSES_MAX, "and there are no more of them");
	fix_close(&f, "no place");
}

static void nodes_that_are_gone(void)
{
	struct fix f;
	struct claimed c[1];
	struct verdict_row r;
	char class[100];
	int64_t born;
	int count;

	fix_open(&f);
	(void)node(&f, "A");
	born = submit(&f, (struct spec){ .id = "j", .n = 1 });
	for (int i = 3; i < CLASSES_AVOID_MAX; i++) {
		snprintf(class, sizeof(class), "n%d", i);
		(void)node(&f, class);
	}
	fill(&f, CLASSES_AVOID_MAX, "{\"cpu\":2,\"avoid\":\"n", "\"}");
	r = failed(&f, "A", c, "{\"cpu\":2,\"avoid\":\"A\"}");
	r.second_note = "second";
	is_int(verdict(&f, r), 1, "while all these nodes live");
	is_str(note_of(&f, born, 1), "second", "there is no place for another");
	(void)queue_node_move(f.q, "n7", 0, NODE_EV_LOSE, id_u64(), &f.err);
	r = failed(&f, "A", c, "{\"cpu\":3,\"avoid\":\"A\"}");
	r.second_note = "second";
	is_int(verdict(&f, r), 1, "one is lost, but its class has other resources");
	is_str(note_of(&f, born, 1), "second", "it stands");
	r = failed(&f, "A", c, "{\"cpu\":2,\"avoid\":\"A\"}");
	r.second_note = "second";
	is_int(verdict(&f, r), 1, "with the same resources");
	is_str(note_of(&f, born, 1), "first", "there is place");
	is_str(class_of(&f, born, 1), "{\"cpu\":2,\"avoid\":\"A\"}", "that of the lost one");
	ok(!strstr(classes(&f, born, &count), "n7") && count == CLASSES_AVOID_MAX,
	   "whose name is gone from the list");
	ok(strstr(classes(&f, born, &count), "\"n8\"") != NULL, "the others are in it");
	fix_close(&f, "nodes that are gone");
}

int main(void)
{
	for_one_attempt();
	with_other_resources();
	no_place();
	nodes_that_are_gone();
	return tap_done();
}
