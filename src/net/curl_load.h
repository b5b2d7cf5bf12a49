#ifndef NET_CURL_LOAD_H
#define NET_CURL_LOAD_H
/* The functions of libcurl, found at run time: private to src/net. */
#define CURL_DISABLE_TYPECHECK
#include <curl/curl.h>

#include "base/err.h"

#define CURL_FUNCTIONS(X) \
	X(global_init) \
	X(version) \
	X(easy_init) \
	X(easy_setopt) \
	X(easy_getinfo) \
	X(easy_reset) \
	X(easy_strerror) \
	X(easy_cleanup) \
	X(multi_init) \
	X(multi_add_handle) \
	X(multi_remove_handle) \
	X(multi_perform) \
	X(multi_poll) \
	X(multi_info_read) \
	X(multi_cleanup) \
	X(multi_strerror) \
	X(slist_append) \
	X(slist_free_all)

struct curl_functions {
#define CURL_FIELD(name) __typeof__(&curl_##name) name;
	CURL_FUNCTIONS(CURL_FIELD)
#undef CURL_FIELD
};

/* Loads it once for the process; NULL with ERR_CONFIG naming what to install. The answer of the
 * first call is that of all. */
const struct curl_functions *curl_load(struct err *err);
/* What is loaded already; NULL: nothing. */
const struct curl_functions *curl_loaded(void);

#endif
