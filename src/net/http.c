#include "net/http.h"

#include <ctype.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/base.h"
#include "net/curl_load.h"
#include "sys/signals.h"

enum { POLL_MS = 1000, STALL_BYTES = 1 };

/* What a thread keeps from one request to the next: its connections. */
struct client {
	const struct curl_functions *f;
	CURLM *multi;
	CURL *easy;
};

/* One request under way. */
struct transfer {
	const struct http_request *r;
	struct http_response *out;
	int64_t max;
	size_t header_bytes;
	size_t sent;
	char host[300];         /* for messages */
	char text[CURL_ERROR_SIZE];
	struct err err;         /* what a callback found wrong */
};

static pthread_key_t client_key;

static void client_free(void *p)
{
	struct client *c = p;

	if (!c)
		return;
	if (c->easy)
		c->f->easy_cleanup(c->easy);
	if (c->multi)
		(void)c->f->multi_cleanup(c->multi);
	free(c);
}

static void make_key(void)
{
	(void)pthread_key_create(&client_key, client_free);
}

/* This thread's, with options as new. */
static struct client *client_get(struct err *err)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	const struct curl_functions *f = curl_load(err);
	struct client *c;

	if (!f)
		return NULL;
	(void)pthread_once(&once, make_key);
	c = pthread_getspecific(client_key);
	if (c) {
		f->easy_reset(c->easy);
		return c;
	}
	c = xcalloc(1, sizeof(*c));
	c->f = f;
	c->multi = f->multi_init();
	c->easy = f->easy_init();
	if (!c->multi || !c->easy) {
		client_free(c);
		err_set(err, ERR_IO, "libcurl has no memory");
		return NULL;
	}
	(void)pthread_setspecific(client_key, c);
	return c;
}

/* ---- what is asked for ------------------------------------------------------------------ */

/* "https://host:port": without user, path and query. */
static int host_of(const char *url, char *out, size_t size, struct err *err)
{
	const char *rest = strncasecmp(url, "http://", 7) == 0 ? url + 7 :
			   strncasecmp(url, "https://", 8) == 0 ? url + 8 : NULL;
	size_t n = rest ? strcspn(rest, "/?#\\") : 0;
	const char *at = NULL;

	for (const char *p = url; *p; p++)
		if ((unsigned char)*p <= ' ' || *p == 0x7f)
			return err_set(err, ERR_USAGE, "an address may hold no blanks and no "
				       "control characters");
	for (size_t i = 0; i < n; i++)
		if (rest[i] == '@')
			at = rest + i + 1;
	if (at) {
		n -= (size_t)(at - rest);
		rest = at;
	}
	if (!rest || !n)
		return err_set(err, ERR_USAGE, "an address begins with http:// or https:// and a "
			       "host");
	(void)snprintf(out, size, "%.*s://%.*s", (int)(strchr(url, ':') - url), url,
		       (int)MIN(n, 255), rest);
	return 0;
}

static bool is_token(const char *s, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (!isalnum((unsigned char)s[i]) && !strchr("!#$%&'*+-.^_`|~", s[i]))
			return false;
	return n > 0;
}

static int check_header(const char *line, struct err *err)
{
	size_t name = strcspn(line, ":");

	if (!is_token(line, name) || line[name] != ':')
		return err_set(err, ERR_USAGE, "'%.*s' is no name of a header",
			       (int)MIN(name, 60), line);
	for (const char *p = line + name; *p; p++)
		if (((unsigned char)*p < ' ' && *p != '\t') || *p == 0x7f)
			return err_set(err, ERR_USAGE, "the header %.*s holds a control character",
				       (int)MIN(name, 60), line);
	return 0;
}

static int check(const struct http_request *r, struct transfer *t, struct err *err)
{
	if (host_of(r->url, t->host, sizeof(t->host), err) < 0)
		return -1;
	if (r->method && !is_token(r->method, strlen(r->method)))
		return err_set(err, ERR_USAGE, "'%.20s' is no method", r->method);
	for (size_t i = 0; r->headers && r->headers[i]; i++)
		if (check_header(r->headers[i], err) < 0)
			return -1;
	return 0;
}

/* A header without a value is written "Name;" for curl. */
static struct curl_slist *header_list(const struct client *c, const struct http_request *r)
{
	struct curl_slist *list = c->f->slist_append(NULL, "Expect:");

	for (size_t i = 0; r->headers && r->headers[i]; i++) {
		const char *line = r->headers[i], *colon = strchr(line, ':');
		char *empty = NULL;

		if (colon[1 + strspn(colon + 1, " \t")] == '\0')
			empty = xasprintf("%.*s;", (int)(colon - line), line);
		list = c->f->slist_append(list, empty ? empty : line);
		free(empty);
	}
	return list;
}

/* ---- what comes ------------------------------------------------------------------------- */

static size_t on_body(char *p, size_t size, size_t count, void *ctx)
{
	struct transfer *t = ctx;
	size_t n = size * count;

	if (n > (size_t)t->max || t->out->body.n > (size_t)t->max - n) {
		err_set(&t->err, ERR_IO, "%s: the answer is larger than %lld bytes", t->host,
			(long long)t->max);
		return 0;
	}
	buf_add(&t->out->body, p, n);
	return n;
}

static void drop_answer(struct http_response *r)
{
	for (size_t i = 0; i < r->headers.n; i++) {
		free(r->headers.p[i].name);
		free(r->headers.p[i].value);
	}
	r->headers.n = 0;
	buf_clear(&r->body);
}

static size_t on_header(char *p, size_t size, size_t count, void *ctx)
{
	struct transfer *t = ctx;
	size_t n = size * count, end = n, colon;
	struct http_header *h;

	t->header_bytes += n;
	if (t->header_bytes > HTTP_HEADERS_MAX) {
		err_set(&t->err, ERR_IO, "%s: the headers of the answer are larger than %d bytes",
			t->host, HTTP_HEADERS_MAX);
		return 0;
	}
	if (n >= 5 && strncasecmp(p, "HTTP/", 5) == 0) { /* another answer begins */
		drop_answer(t->out);
		return n;
	}
	while (end > 0 && isspace((unsigned char)p[end - 1]))
		end--;
	for (colon = 0; colon < end && p[colon] != ':'; colon++)
		;
	if (colon == 0 || colon == end)
		return n;
	h = vec_push(&t->out->headers);
	h->name = xstrndup(p, colon);
	for (char *c = h->name; *c; c++)
		*c = (char)tolower((unsigned char)*c);
	for (colon++; colon < end && (p[colon] == ' ' || p[colon] == '\t'); colon++)
		;
	h->value = xstrndup(p + colon, end - colon);
	return n;
}

static size_t on_send(char *p, size_t size, size_t count, void *ctx)
{
	struct transfer *t = ctx;
	size_t n = MIN(size * count, t->r->body.n - t->sent);

	memcpy(p, t->r->body.p + t->sent, n);
	t->sent += n;
	return n;
}

/* A redirect or a connection that broke when it was used again: from the start. */
static int on_seek(void *ctx, curl_off_t offset, int origin)
{
	struct transfer *t = ctx;

	if (origin != SEEK_SET || offset < 0 || (size_t)offset > t->r->body.n)
		return CURL_SEEKFUNC_FAIL;
	t->sent = (size_t)offset;
	return CURL_SEEKFUNC_OK;
}

/* ---- one transfer ----------------------------------------------------------------------- */

/* Method and body. */
static bool set_method(const struct client *c, struct transfer *t)
{
	const struct http_request *r = t->r;
	const char *method = r->method ? r->method : r->body.p ? "POST" : "GET";
	bool good = true;

	if (r->body.p) {
		good = c->f->easy_setopt(c->easy, CURLOPT_UPLOAD, 1L) == CURLE_OK &&
		       c->f->easy_setopt(c->easy, CURLOPT_READFUNCTION, on_send) == CURLE_OK &&
		       c->f->easy_setopt(c->easy, CURLOPT_READDATA, (void *)t) == CURLE_OK &&
		       c->f->easy_setopt(c->easy, CURLOPT_SEEKFUNCTION, on_seek) == CURLE_OK &&
		       c->f->easy_setopt(c->easy, CURLOPT_SEEKDATA, (void *)t) == CURLE_OK &&
		       c->f->easy_setopt(c->easy, CURLOPT_INFILESIZE_LARGE,
					 (curl_off_t)r->body.n) == CURLE_OK;
	} else if (strcmp(method, "HEAD") == 0) {
		return c->f->easy_setopt(c->easy, CURLOPT_NOBODY, 1L) == CURLE_OK;
	}
	return good && c->f->easy_setopt(c->easy, CURLOPT_CUSTOMREQUEST, method) == CURLE_OK;
}

static int set_options(const struct client *c, struct transfer *t, struct curl_slist *headers,
		       struct err *err)
{
	const struct http_request *r = t->r;
	const struct curl_functions *f = c->f;
	long connect_ms = (long)(r->connect_ms > 0 ? r->connect_ms : HTTP_CONNECT_MS);
	long follow = r->follow && !r->body.p;
	CURL *e = c->easy;
	bool good;

	good = f->easy_setopt(e, CURLOPT_NOSIGNAL, 1L) == CURLE_OK &&
	       f->easy_setopt(e, CURLOPT_ERRORBUFFER, t->text) == CURLE_OK &&
	       f->easy_setopt(e, CURLOPT_URL, r->url) == CURLE_OK &&
	       f->easy_setopt(e, CURLOPT_PROTOCOLS_STR, "https,http") == CURLE_OK &&
	       f->easy_setopt(e, CURLOPT_REDIR_PROTOCOLS_STR, "https,http") == CURLE_OK &&
	       f->easy_setopt(e, CURLOPT_FOLLOWLOCATION, follow) == CURLE_OK &&
	       f->easy_setopt(e, CURLOPT_MAXREDIRS, (long)HTTP_REDIRECTS) == CURLE_OK &&
	       f->easy_setopt(e, CURLOPT_CONNECTTIMEOUT_MS, connect_ms) == CURLE_OK &&
	       f->easy_setopt(e, CURLOPT_TIMEOUT_MS, (long)MAX(r->timeout_ms, 0)) == CURLE_OK &&
	       f->easy_setopt(e, CURLOPT_LOW_SPEED_LIMIT, (long)STALL_BYTES) == CURLE_OK &&
	       f->easy_setopt(e, CURLOPT_LOW_SPEED_TIME, (long)HTTP_STALL_S) == CURLE_OK &&
	       f->easy_setopt(e, CURLOPT_USERAGENT, "kubeque") == CURLE_OK &&
	       f->easy_setopt(e, CURLOPT_HTTPHEADER, headers) == CURLE_OK &&
	       f->easy_setopt(e, CURLOPT_WRITEFUNCTION, on_body) == CURLE_OK &&
	       f->easy_setopt(e, CURLOPT_WRITEDATA, (void *)t) == CURLE_OK &&
	       f->easy_setopt(e, CURLOPT_HEADERFUNCTION, on_header) == CURLE_OK &&
	       f->easy_setopt(e, CURLOPT_HEADERDATA, (void *)t) == CURLE_OK &&
	       f->easy_setopt(e, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L) == CURLE_OK &&
	       set_method(c, t);
	return good ? 0 : err_set(err, ERR_CONFIG, "this libcurl is too old (7.85 or newer is "
				  "needed): upgrade the package libcurl4");
}

static enum err_code code_of(CURLcode code)
{
	switch ((int)code) {
	case CURLE_URL_MALFORMAT:
	case CURLE_UNSUPPORTED_PROTOCOL:
		return ERR_USAGE;
	case CURLE_COULDNT_RESOLVE_HOST:
	case CURLE_COULDNT_RESOLVE_PROXY:
	case CURLE_COULDNT_CONNECT:
	case CURLE_GOT_NOTHING:
	case CURLE_SEND_ERROR:
	case CURLE_RECV_ERROR:
	case CURLE_PARTIAL_FILE:
	case CURLE_HTTP2:
	case CURLE_HTTP2_STREAM:
		return ERR_BUSY;
	case CURLE_OPERATION_TIMEDOUT:
		return ERR_TIMEOUT;
	default:
		return ERR_IO;
	}
}

static int failed(const struct client *c, const struct transfer *t, CURLcode code, struct err *err)
{
	if (t->err.code) {
		*err = t->err;
		return -1;
	}
	return err_set(err, code_of(code), "%s: %s", t->host,
		       *t->text ? t->text : c->f->easy_strerror(code));
}

/* Drives it until it has ended: 0 with *code, -1. */
static int drive(const struct client *c, CURLcode *code, struct err *err)
{
	struct curl_waitfd sig = { .fd = signals_fd(), .events = CURL_WAIT_POLLIN };
	unsigned extra = sig.fd >= 0;
	int running = 1, left;
	CURLMcode mc;
	CURLMsg *m;

	for (;;) {
		mc = c->f->multi_perform(c->multi, &running);
		if (mc != CURLM_OK)
			break;
		while ((m = c->f->multi_info_read(c->multi, &left)))
			if (m->msg == CURLMSG_DONE) {
				*code = m->data.result;
				return 0;
			}
		if (signals_check(err) < 0)
			return -1;
		mc = c->f->multi_poll(c->multi, extra ? &sig : NULL, extra, POLL_MS, NULL);
		if (mc != CURLM_OK)
			break;
	}
	return err_set(err, ERR_IO, "libcurl: %s", c->f->multi_strerror(mc));
}

static int transfer(const struct client *c, struct transfer *t, struct err *err)
{
	CURLcode code = CURLE_OK;
	curl_off_t wait = 0;
	long status = 0;
	int ret;

	if (c->f->multi_add_handle(c->multi, c->easy) != CURLM_OK)
		return err_set(err, ERR_IO, "libcurl takes no request");
	ret = drive(c, &code, err);
	(void)c->f->multi_remove_handle(c->multi, c->easy);
	if (ret < 0)
		return -1;
	if (code != CURLE_OK)
		return failed(c, t, code, err);
	(void)c->f->easy_getinfo(c->easy, CURLINFO_RESPONSE_CODE, &status);
	if (status < 100 || status > 999)
		return err_set(err, ERR_IO, "%s: no HTTP status came", t->host);
	t->out->status = (int)status;
	if (http_header(t->out, "retry-after") &&
	    c->f->easy_getinfo(c->easy, CURLINFO_RETRY_AFTER, &wait) == CURLE_OK)
		t->out->retry_after_ms = MIN(MAX(wait, 0), 86400) * 1000;
	return 0;
}

int http_request(const struct http_request *r, struct http_response *out, struct err *err)
{
	struct transfer t = { .r = r, .out = out, .max = r->max > 0 ? r->max : HTTP_MAX };
	struct curl_slist *headers;
	struct client *c;
	int ret = -1;

	if (check(r, &t, err) < 0)
		return -1;
	c = client_get(err);
	if (!c)
		return -1;
	headers = header_list(c, r);
	if (set_options(c, &t, headers, err) == 0)
		ret = transfer(c, &t, err);
	c->f->easy_reset(c->easy); /* it points at what ends here */
	c->f->slist_free_all(headers);
	if (ret < 0)
		drop_answer(out);
	return ret;
}

const char *http_header(const struct http_response *r, const char *name)
{
	for (size_t i = 0; i < r->headers.n; i++)
		if (strcasecmp(r->headers.p[i].name, name) == 0)
			return r->headers.p[i].value;
	return NULL;
}

void http_response_release(struct http_response *r)
{
	drop_answer(r);
	vec_release(&r->headers);
	buf_release(&r->body);
}

const char *http_version(void)
{
	const struct curl_functions *f = curl_loaded();

	return f ? f->version() : NULL;
}
