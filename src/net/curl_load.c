#include "net/curl_load.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "base/base.h"

static const char library[] = "libcurl.so.4";

static struct curl_functions functions;
static _Atomic(const struct curl_functions *) loaded;
static char fault[512];

static const struct {
	const char *name;
	size_t at;
} symbols[] = {
#define CURL_SYMBOL(name) { "curl_" #name, offsetof(struct curl_functions, name) },
	CURL_FUNCTIONS(CURL_SYMBOL)
#undef CURL_SYMBOL
};

/* It stays for the life of the process: threads and handlers of its own libraries do, too. */
static void load(void)
{
	void *handle = dlopen(library, RTLD_NOW | RTLD_LOCAL);

	if (!handle) {
		(void)snprintf(fault, sizeof(fault), "HTTP needs %s: install the package libcurl4 "
			       "(%s)", library, dlerror());
		return;
	}
	for (size_t i = 0; i < ARRAY_SIZE(symbols); i++) {
		void *symbol = dlsym(handle, symbols[i].name);

		if (!symbol) {
			(void)snprintf(fault, sizeof(fault), "%s is too old, it has no %s: upgrade "
				       "the package libcurl4", library, symbols[i].name);
			(void)dlclose(handle);
			return;
		}
		memcpy((char *)&functions + symbols[i].at, &symbol, sizeof(symbol));
	}
	if (functions.global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) {
		(void)snprintf(fault, sizeof(fault), "%s cannot be initialised", library);
		(void)dlclose(handle);
		return;
	}
	atomic_store(&loaded, &functions);
}

const struct curl_functions *curl_load(struct err *err)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	(void)pthread_once(&once, load);
	if (!atomic_load(&loaded))
		err_set(err, ERR_CONFIG, "%s", fault);
	return atomic_load(&loaded);
}

const struct curl_functions *curl_loaded(void)
{
	return atomic_load(&loaded);
}
