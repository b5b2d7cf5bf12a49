/* Resources and classes: exact arithmetic, canonical text, what can never fit. */
#include "model/class.h"

#include "base/base.h"
#include "tap.h"

static struct resources of(const char *text)
{
	struct resources r = { .cpu = 0 };
	struct err err = ERR_INIT;

	if (resources_parse(text, &r, NULL, &err) < 0)
		ok(0, "%s: %s", text, err.text);
	return r;
}

static void json_is(const struct resources *r, const char *want, const char *name)
{
	struct buf b = BUF_INIT;

	resources_add_json(&b, r);
	is_str(b.p, want, "%s", name);
	buf_release(&b);
}

static void test_parse(void)
{
	static const char *const bad[] = { "", "cpu", "cpu=", "=1", "cpu=1,", "cpu=1,cpu=2",
					   "memory=5Q", "cpu=-1", "cpu=x", "gpu=0.5", "a b=1",
					   "cpu=1;memory=2", "9x=1", "x=1,y=2,x=3", "memory=-1" };
	struct resources r = of("cpu=0.5,memory=2G,licence=1,alpha=0.25,gpu=2,disk=1Gi");
	unsigned given = 0;
	struct err err = ERR_INIT;
	struct buf b = BUF_INIT;

	json_is(&r, "{\"cpu\":0.5,\"memory\":2000000000,\"gpu\":2,\"disk\":1073741824,\"alpha\":0.25,"
		    "\"licence\":1}", "canonical JSON");
	struct resources again = { .cpu = 7 };

	resources_add_json(&b, &r);
	ok(resources_parse_json(b.p, &again, &given, &err) == 0 && resources_equal(&r, &again),
	   "the JSON reads back");
	is_int(given, RESOURCE_CPU | RESOURCE_MEMORY | RESOURCE_GPU | RESOURCE_DISK,
	       "what was given");
	ok(resources_parse("licence=0,memory=1K", &r, NULL, &err) == 0 && r.cpu == 500 &&
	   r.memory == 1000 && resources_named(&r, "licence") == 0, "laid over, the rest stays");
	ok(resources_parse_json("{\"memory\":\"1.5G\",\"cpu\":1.25}", &r, NULL, &err) == 0 &&
	   r.memory == 1500000000 && r.cpu == 1250, "JSON takes texts and fractions");
	ok(resources_parse_json("{\"cpu\":true}", &r, NULL, &err) < 0, "but no booleans: %s",
	   err.text);
	ok(resources_parse_json("[]", &r, NULL, &err) < 0 &&
	   resources_parse_json("{", &r, NULL, &err) < 0,
	   "and no lists or broken texts");
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		ok(resources_parse(bad[i], &r, NULL, &err) < 0 && err.code == ERR_USAGE,
		   "\"%s\": %s",
		   bad[i], err.text);
	buf_release(&b);
}

static void test_arithmetic(void)
{
	struct resources need = of("cpu=0.1,memory=1G,x=0.3"), have = of("cpu=2,memory=7G,x=2");
	struct resources start = have, lost = of("cpu=1"), odd = of("cpu=1,y=2");

	is_int(resources_count(&need, &have, 100), 6, "the scarcest decides");
	is_int(resources_count(&need, &have, 3), 3, "at most what is asked");
	for (int i = 0; i < 6; i++)
		resources_sub(&have, &need, 1);
	ok(!resources_fit(&need, &have), "then it is full");
	is_int(have.cpu, 1400, "tenths are exact");
	resources_add(&have, &need, 6);
	ok(resources_equal(&have, &start), "all comes back");
	resources_sub(&lost, &odd, 2);
	is_int(resources_named(&lost, "y"), -4000, "what was not there becomes negative");
	ok(!resources_fit(&odd, &lost), "and nothing fits");
	resources_add(&lost, &odd, 2);
	ok(resources_equal(&lost, &(struct resources){ .cpu = 1000 }), "until it is back");
	struct resources zero = { .cpu = 0 };

	is_int(resources_count(&zero, &zero, 5), 5, "nothing needs nothing");
	resources_max(&zero, &start);
	ok(resources_equal(&zero, &start), "larger of both");
}

static void impossible(const char *need, const char *part)
{
	struct resources n = of(need), have = of("cpu=4,memory=8G,licence=2");
	struct err err = ERR_INIT;
	int r = resources_possible(&n, &have, &err);

	if (!part)
		is_int(r, 0, "%s is possible", need);
	else
		ok(r < 0 && strstr(err.text, part), "%s: %s", need, err.text);
}

static void test_possible(void)
{
	impossible("cpu=4,memory=8G,licence=2", NULL);
	impossible("cpu=4.5", "cpu=4.5 is more than any node can have (the largest has cpu=4)");
	impossible("memory=9G", "memory=9G");
	impossible("gpu=1", "gpu=1");
	impossible("disk=1G", "disk=1G");
	impossible("licence=3", "licence=3");
	impossible("license=1", "did you mean licence?");
	impossible("memroy=1", "did you mean memory?");
	impossible("unheard=1", "no node has or can have the resource unheard");
}

static void test_classes(void)
{
	struct class c, d;
	struct err err = ERR_INIT;
	struct buf b = BUF_INIT;
	static const char *const bad[] = { "[]", "{\"x\":1}", "{\"image\":1}",
					   "{\"timeout_ms\":-1}",
					   "{\"limits\":[\"gpu\"]}", "{\"limits\":{}}",
					   "{\"retries\":\"1\"}",
					   "{\"image\":\"a\",\"image\":\"b\"}", "nonsense",
					   "{\"avoid\":true}",
					   "{\"avoid\":\"0123456789012345678901234567890123456789\"}" };

	class_init(&c);
	class_add_json(&b, &c);
	is_str(b.p, "{\"resources\":{\"cpu\":1,\"memory\":0},\"image\":\"none\"}",
	       "the default class");
	ok(class_parse_json(b.p, &d, &err) == 0 && class_equal(&c, &d), "reads back");
	c.r = of("cpu=2,memory=1G,z=1,a=2");
	c.limits = RESOURCE_MEMORY | RESOURCE_DISK;
	c.timeout_ms = 0;
	c.retries = 3;
	snprintf(c.avoid, sizeof(c.avoid), "n-\"1\"");
	buf_clear(&b);
	class_add_json(&b, &c);
	is_str(b.p, "{\"resources\":{\"cpu\":2,\"memory\":1000000000,\"a\":2,\"z\":1},"
		    "\"limits\":[\"memory\",\"disk\"],\"image\":\"none\",\"timeout_ms\":0,\"retries\":3,"
		    "\"avoid\":\"n-\\\"1\\\"\"}",
	       "a full one");
	ok(class_parse_json(b.p, &d, &err) == 0 && class_equal(&c, &d), "reads back too");
	d.avoid[0] = '\0';
	ok(!class_equal(&c, &d), "the node to avoid is part of it");
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		ok(class_parse_json(bad[i], &d, &err) < 0, "%s: %s", bad[i], err.text);
	struct class list[2];

	is_int(classes_parse_json("[{},{\"resources\":{\"cpu\":3}},{}]", list, 2, &err), 3,
	       "a list: how many there are");
	is_int(list[1].r.cpu, 3000, "as many as fit are filled in");
	ok(classes_parse_json("[{},{\"x\":1}]", list, 2, &err) < 0, "%s", err.text);
	buf_release(&b);
}

int main(void)
{
	test_parse();
	test_arithmetic();
	test_possible();
	test_classes();
	return tap_done();
}
