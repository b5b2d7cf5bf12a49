#ifndef TESTS_UNIT_POLICY_FIXTURE_H
#define TESTS_UNIT_POLICY_FIXTURE_H
/* What tests of policies need: something to ask about, and policies from texts. */
#include <jansson.h>
#include <string.h>

#include "base/base.h"
#include "base/clock.h"
#include "base/log.h"
#include "script/policy_lua.h"
#include "script/state.h"
#include "tap.h"

#define HELPER __attribute__((unused)) static

HELPER struct job job = { .born = 1, .id = "sample", .n = 3 };
HELPER struct task task;
HELPER struct attempt attempt;
HELPER struct policy_view view = {
	.job = &job, .task = &task, .attempt = &attempt,
	.class = "{\"resources\":{\"cpu\":1,\"memory\":1000000000},\"limits\":[\"memory\"],"
		 "\"image\":\"none\"}",
	.parameters = "{\"x\":\"0.1\"}",
};

HELPER void release_view(void)
{
	free(job.user);
	free(job.cluster);
	free(job.classes);
	free(job.info);
	job.user = job.cluster = job.classes = job.info = NULL;
}

HELPER void reset_view(void)
{
	release_view();
	job.user = xstrdup("me");
	job.cluster = xstrdup("local");
	job.classes = xstrdup("[]");
	job.info = xstrdup("{\"labels\":{\"a\":\"b\"}}");
	task = (struct task){ .job = 1, .n = 2, .v = 3, .state = TASK_ENDED, .attempt = 1 };
	attempt = (struct attempt){ .job = 1, .n = 2, .k = 1, .cause = CAUSE_EXIT, .exit_code = 3 };
	view.retries = 2;
	view.same = 0;
}

HELPER struct policy *load(const char *text)
{
	struct err err = ERR_INIT;
	struct policy *p = policy_lua_new_text("test.lua", text, strlen(text), &err);

	if (!p)
		printf("# %s\n", err.text);
	return p;
}

HELPER int ask(struct policy *p, struct policy_verdict *v, struct err *err)
{
	*err = (struct err)ERR_INIT;
	return policy_task_failed(p, &view, v, err);
}

/* A bundle of policies "NAME=MODULE" or "NAME=MODULE=OPTIONS", and modules as name, text pairs. */
HELPER char *make_bundle(const char *const *policies, const char *const *modules)
{
	json_t *list = json_array(), *texts = json_object(), *root;
	char *text;

	for (; *policies; policies++) {
		char *name = xstrdup(*policies), *module = strchr(name, '='), *options;

		*module++ = '\0';
		options = strchr(module, '=');
		if (options)
			*options++ = '\0';
		json_array_append_new(list, json_pack("{s:s,s:s,s:o}", "name", name, "module",
			module, "options", options ? json_loads(options, 0, NULL) : json_object()));
		free(name);
	}
	for (; *modules; modules += 2) {
		char *file = xasprintf("%s.lua", modules[0]);

		json_object_set_new(texts, modules[0], json_pack("{s:s,s:s}", "file", file, "text",
								 modules[1]));
		free(file);
	}
	root = json_pack("{s:i,s:o,s:o}", "schema", 1, "policies", list, "modules", texts);
	text = json_dumps(root, JSON_COMPACT);
	json_decref(root);
	return text;
}

HELPER struct policy *load_bundle(const char *const *policies, const char *const *modules,
				  struct err *err)
{
	char *text = make_bundle(policies, modules);
	struct policy *p;

	*err = (struct err)ERR_INIT;
	p = policy_lua_bundle(text, strlen(text), err);
	free(text);
	return p;
}

#define LIST(...) (const char *const[]){ __VA_ARGS__, NULL }

#endif
