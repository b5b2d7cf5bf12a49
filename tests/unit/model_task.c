/* Names, labels and ids. */
#include "model/task.h"

#include <signal.h>

#include "base/base.h"
#include "base/str.h"
#include "tap.h"

static void test_ids(void)
{
	static const char *const fine[] = { "a", "sample-job", "20170915-094948-1a2b", "a.b",
					    "a.5x",
					    "1", "x_y.z-1a", "LASTLY", "last", "a.5.b", "9", "a-5",
					    "A." };
	static const char *const bad[] = { "", "a/b", "LAST", "a.5", "a.3-7,9", "a.-", "a.,", "-a",
					   "_a",
					   ".a", "a b", "\xc3\xa9", "a\n", "..", "a.1.2", "a*" };
	char big[600];

	for (size_t i = 0; i < ARRAY_SIZE(fine); i++)
		ok(!job_id_fault(fine[i]), "\"%s\" is an id", fine[i]);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		ok(job_id_fault(bad[i]) != NULL, "\"%s\" is none: %s", *bad[i] == 'a' &&
		   bad[i][1] == '\n'
		   ? "a(newline)" : bad[i], job_id_fault(bad[i]));
	memset(big, 'a', sizeof(big));
	big[100] = '\0';
	ok(!job_id_fault(big), "100 characters are an id");
	big[100] = 'a';
	big[101] = '\0';
	ok(job_id_fault(big) != NULL, "101 are none");
	big[101] = 'a';
	big[500] = '\0';
	ok(job_id_fault(big) != NULL, "500 are none");
}

static void test_labels(void)
{
	char out[LABEL_SIZE], name[32];
	char reason[1000];

	label_complete(out, 3, 0);
	is_str(out, "complete(code=3)", "an exit code");
	label_complete(out, -1, SIGKILL);
	is_str(out, "complete(code=signaled(SIGKILL))", "a signal");
	label_failed(out, "timeout");
	is_str(out, "failed(timeout)", "a reason");
	memset(reason, 'x', sizeof(reason));
	reason[sizeof(reason) - 1] = '\0';
	for (size_t i = 0; i + 2 < sizeof(reason); i += 2)
		memcpy(reason + i, "\xc3\xa9", 2);
	label_failed(out, reason);
	ok(strlen(out) < LABEL_SIZE && out[strlen(out) - 1] == ')' && utf8_valid(out, strlen(out)),
	   "a long reason is cut at a character");
	label_failed(out, "a\nb");
	is_str(out, "failed(a b)", "a label is one line");
	is_str(signal_name(SIGTERM, name, sizeof(name)), "SIGTERM", "SIGTERM");
	is_str(signal_name(SIGRTMIN + 3, name, sizeof(name)), "SIGRTMIN+3", "a real-time signal");
	is_str(signal_name(33, name, sizeof(name)), "SIG33", "a signal without a name");
	is_str(cause_name(CAUSE_MISSING_INPUT), "missing_input", "a cause");
	is_str(node_state_name(NODE_LIVE), "RUNNING", "a live node");
	is_str(task_state_name(TASK_CLAIMED), "claimed", "a task");
	is_str(job_state_name(JOB_OVER), "over", "a job");
}

static int64_t signature(const char *label, const char *tail)
{
	char text[200];
	struct attempt a = { .tail = tail ? text : NULL };

	(void)snprintf(a.label, sizeof(a.label), "%s", label);
	(void)snprintf(text, sizeof(text), "%s", tail ? tail : "");
	return attempt_signature(&a);
}

static void test_signatures(void)
{
	const int64_t one = signature("complete(code=3)", "no licence");

	is_int(one, INT64_C(-229849825621276142), "a signature is the same for ever: it is stored");
	is_int(signature("complete(code=3)", "x\nno licence\n"), one, "the last line counts");
	is_int(signature("complete(code=3)", "no licence \r\n\n \t\n"), one,
	       "without blanks and blank lines at the end");
	ok(signature("complete(code=3)", "no licence\nx") != one, "another last line");
	ok(signature("complete(code=3)", " no licence") != one, "blanks in front count");
	ok(signature("complete(code=4)", "no licence") != one, "another label");
	ok(signature("ab", "c") != signature("a", "bc"), "label and line are apart");
	ok(signature("failed(timeout)", NULL) == signature("failed(timeout)", "\n\n"),
	   "no output is no line");
	ok(signature("", "") != 0, "it is never 0");
}

int main(void)
{
	test_ids();
	test_labels();
	test_signatures();
	return tap_done();
}
