#include "script/bundle.h"

#include <jansson.h>
#include <string.h>

#include "base/base.h"

static int damaged(struct err *err, const char *what)
{
	return err_set(err, ERR_SCRIPT, "the policy bundle is damaged: %s", what);
}

const struct bundle_module *bundle_find(const struct bundle *b, const char *name)
{
	for (size_t i = 0; i < b->n_modules; i++)
		if (strcmp(b->modules[i].name, name) == 0)
			return &b->modules[i];
	return NULL;
}

/* Text without NUL, which is what names are. */
static const char *name_of(const json_t *v)
{
	const char *s = json_string_value(v);

	return s && *s && strlen(s) == json_string_length(v) ? s : NULL;
}

static int read_modules(struct bundle *b, json_t *modules, struct err *err)
{
	size_t n = json_object_size(modules);
	const char *name;
	json_t *m;

	if (!json_is_object(modules) || n == 0 || n > BUNDLE_MODULES_MAX)
		return damaged(err, "\"modules\" is not 1 to 256 modules");
	b->modules = xcalloc(n, sizeof(*b->modules));
	json_object_foreach(modules, name, m) {
		struct bundle_module *out = &b->modules[b->n_modules++];
		const json_t *text = json_object_get(m, "text");

		*out = (struct bundle_module){
			.name = name, .file = name_of(json_object_get(m, "file")),
			.text = json_string_value(text), .n = json_string_length(text),
		};
		if (!out->text || !out->file)
			return damaged(err, "a module has no text or no file name");
	}
	return 0;
}

static int read_policies(struct bundle *b, json_t *policies, struct err *err)
{
	size_t n = json_array_size(policies);

	if (n == 0 || n > BUNDLE_POLICIES_MAX)
		return damaged(err, "\"policies\" is not 1 to 16 policies");
	b->policies = xcalloc(n, sizeof(*b->policies));
	for (size_t i = 0; i < n; i++) {
		json_t *p = json_array_get(policies, i), *options = json_object_get(p, "options");
		const char *module = name_of(json_object_get(p, "module"));
		struct bundle_policy *out = &b->policies[b->n_policies++];

		out->name = name_of(json_object_get(p, "name"));
		out->module = module ? bundle_find(b, module) : NULL;
		if (!out->name || !out->module)
			return damaged(err, "a policy has no name, or its module is not in it");
		if (options && !json_is_object(options))
			return damaged(err, "the options of a policy are no object");
		if (options && json_object_size(options)) {
			char *text = json_dumps(options, JSON_COMPACT | JSON_ENCODE_ANY);

			if (!text)
				return damaged(err, "options");
			out->options = xstrdup(text);
			free(text);
		}
	}
	return 0;
}

int bundle_parse(struct bundle *b, const char *text, size_t n, struct err *err)
{
	json_error_t why;
	json_t *root;

	*b = (struct bundle){ .n_policies = 0 };
	if (n > BUNDLE_MAX)
		return err_set(err, ERR_SCRIPT,
			       "the policies of a job with all they require are %zu bytes, at most "
			       "%d are allowed: move large tables out of them", n, BUNDLE_MAX);
	root = json_loadb(text, n, JSON_REJECT_DUPLICATES, &why);
	b->json = root;
	if (!root) {
		err_set(err, ERR_SCRIPT, "the policy bundle is damaged: no JSON (line %d: %s)",
			why.line, why.text);
		return -1;
	}
	if (!json_is_object(root)) {
		damaged(err, "no JSON object");
		goto fail;
	}
	if (json_integer_value(json_object_get(root, "schema")) != 1) {
		err_set(err, ERR_SCRIPT, "the policy bundle was made by a newer kubeque (schema is "
			"not 1): use that version");
		goto fail;
	}
	if (read_modules(b, json_object_get(root, "modules"), err) == 0 &&
	    read_policies(b, json_object_get(root, "policies"), err) == 0)
		return 0;
fail:
	bundle_release(b);
	return -1;
}

void bundle_single(struct bundle *b, const char *name, const char *file, const char *text,
		   size_t n)
{
	size_t name_n = strlen(name) + 1, file_n = strlen(file) + 1;

	*b = (struct bundle){ .n_policies = 1, .n_modules = 1 };
	b->single = xmalloc(name_n + file_n + n + 1);
	memcpy(b->single, name, name_n);
	memcpy(b->single + name_n, file, file_n);
	memcpy(b->single + name_n + file_n, text, n);
	b->single[name_n + file_n + n] = '\0';
	b->modules = xcalloc(1, sizeof(*b->modules));
	b->policies = xcalloc(1, sizeof(*b->policies));
	b->modules[0] = (struct bundle_module){
		.name = b->single, .file = b->single + name_n, .text = b->single + name_n + file_n,
		.n = n,
	};
	b->policies[0] = (struct bundle_policy){ .name = b->single, .module = &b->modules[0] };
}

void bundle_release(struct bundle *b)
{
	for (size_t i = 0; i < b->n_policies; i++)
		free(b->policies[i].options);
	free(b->policies);
	free(b->modules);
	free(b->single);
	json_decref(b->json);
	*b = (struct bundle){ .n_policies = 0 };
}
