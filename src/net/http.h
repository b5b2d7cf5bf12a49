#ifndef NET_HTTP_H
#define NET_HTTP_H
/*
 * A small HTTP client over libcurl, which is loaded (dlopen) at the first request and not before:
 * most runs of kubeque never need it, and a machine without it runs jobs all the same.
 *
 * One request at a time and thread; connections of a thread are kept and used again. The waits end
 * when a signal comes that signals_client() watches. Only http and https; the variables of proxies
 * (http_proxy, https_proxy, no_proxy ...) are honoured as curl(1) does. Nothing is tried again
 * here: the caller knows whether that is safe, `err->code` says whether it may help.
 *
 * Errors name the host, never the path or a query: addresses of webhooks are secrets.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"
#include "base/vec.h"

enum {
	HTTP_CONNECT_MS = 10 * 1000, /* the default for connecting */
	HTTP_MAX = 16 << 20,         /* the default for an answer's body, bytes */
	HTTP_HEADERS_MAX = 1 << 18,  /* all headers of an answer, bytes */
	HTTP_STALL_S = 30,           /* a transfer that stands still for so long is given up */
	HTTP_REDIRECTS = 5,
};

struct http_request {
	const char *url;
	const char *method;           /* NULL: GET, or POST when there is a body */
	const char *const *headers;   /* "Name: value", NULL-terminated; NULL: none */
	struct str body;              /* p NULL: none; borrowed */
	int64_t timeout_ms;           /* for everything together; 0: as long as it moves */
	int64_t connect_ms;           /* 0: HTTP_CONNECT_MS */
	int64_t max;                  /* largest body that is taken; 0: HTTP_MAX */
	bool follow;                  /* redirects, at most HTTP_REDIRECTS, of a request without
				       * a body; another host gets no Authorization */
};

struct http_header {
	char *name, *value; /* the name in lower case */
};

/* Whatever status came, 404 and 503 included. Headers are those of the last answer. */
struct http_response {
	int status;
	struct buf body;
	VEC(struct http_header) headers;
	int64_t retry_after_ms; /* what Retry-After says; -1: nothing */
};
#define HTTP_RESPONSE_INIT { .body = BUF_INIT, .retry_after_ms = -1 }
void http_response_release(struct http_response *r);

/*
 * 0: an answer came, of whatever status. -1: none did:
 *   ERR_USAGE        no http or https address, a header or method that is none
 *   ERR_CONFIG       libcurl is not installed (or another one than expected)
 *   ERR_BUSY         nobody was reached, or the connection broke
 *   ERR_TIMEOUT      timeout_ms ran out, or nothing moved for HTTP_STALL_S
 *   ERR_IO           the answer is larger than allowed, a certificate that is not believed, ...
 *   ERR_INTERRUPTED  a signal came
 * `out` holds nothing then but is to be released as always. After ERR_BUSY, ERR_TIMEOUT and
 * ERR_INTERRUPTED the server may have done what was asked.
 */
int http_request(const struct http_request *r, struct http_response *out, struct err *err);

/* Value of the first header of this name (any case); NULL: there is none. */
const char *http_header(const struct http_response *r, const char *name);

/* "libcurl/7.88.1 OpenSSL/3.0.17 ...", once it was loaded; NULL before. */
const char *http_version(void);

#endif
