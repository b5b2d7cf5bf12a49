/* The HTTP client against a listener of this process on the loopback interface. */
#include "net/http.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/base.h"
#include "base/clock.h"
#include "sys/signals.h"
#include "tap.h"

enum { REQUEST_MAX = 1 << 20 };

static int listener;
static int port;
static atomic_int connections;
static int hang_pipe[2];       /* a byte for each request that gets no answer */

static void send_all(int fd, const char *text, size_t n)
{
	while (n > 0) {
		ssize_t sent = send(fd, text, n, MSG_NOSIGNAL);

		if (sent <= 0)
			return;
		text += sent;
		n -= (size_t)sent;
	}
}

static void answer(int fd, const char *text)
{
	send_all(fd, text, strlen(text));
}

/* One request with its body; false: the connection ended. */
static bool read_request(int fd, char *last)
{
	size_t n = 0, want = 0;

	for (;;) {
		const char *end, *length;
		ssize_t got;

		last[n] = '\0';
		end = n ? strstr(last, "\r\n\r\n") : NULL;
		if (end && !want) {
			length = strcasestr(last, "\r\ncontent-length:");
			want = (size_t)(end + 4 - last) +
			       (length ? strtoul(length + 17, NULL, 10) : 0);
		}
		if (want && n >= want)
			return true;
		got = read(fd, last + n, REQUEST_MAX - n - 1);
		if (got <= 0)
			return false;
		n += (size_t)got;
	}
}

static void echo(int fd, const char *last)
{
	char head[100];

	(void)snprintf(head, sizeof(head), "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n\r\n",
		       strlen(last));
	answer(fd, head);
	if (strncmp(last, "HEAD ", 5) != 0)
		answer(fd, last);
}

static void big(int fd, bool with_length)
{
	static char zeros[100000];

	memset(zeros, '0', sizeof(zeros));
	answer(fd, with_length ? "HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n" :
				 "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n");
	for (int i = 0; i < 10; i++)
		send_all(fd, zeros, sizeof(zeros));
}

static void many_headers(int fd)
{
	answer(fd, "HTTP/1.1 200 OK\r\n");
	for (int i = 0; i < 10000; i++)
		answer(fd, "X-Filler: 0123456789012345678901234567890123456789\r\n");
	answer(fd, "Content-Length: 0\r\n\r\n");
}

/* False: the connection is over. */
static bool serve(int fd, const char *last)
{
	char path[64] = "";

	(void)sscanf(last, "%*s %63s", path);
	if (strcmp(path, "/redirect") == 0)
		answer(fd, "HTTP/1.1 302 Found\r\nLocation: /echo\r\nX-First: 1\r\n"
			   "Content-Length: 4\r\n\r\ngone");
	else if (strcmp(path, "/loop") == 0)
		answer(fd, "HTTP/1.1 302 Found\r\nLocation: /loop\r\nContent-Length: 0\r\n\r\n");
	else if (strcmp(path, "/file") == 0)
		answer(fd, "HTTP/1.1 302 Found\r\nLocation: file:///etc/passwd\r\n"
			   "Content-Length: 0\r\n\r\n");
	else if (strcmp(path, "/busy") == 0)
		answer(fd, "HTTP/1.1 503 No\r\nRetry-After: 7\r\nX-A:  b \r\nContent-Length: 4\r\n"
			   "\r\nlate");
	else if (strcmp(path, "/big") == 0 || strcmp(path, "/endless") == 0)
		big(fd, strcmp(path, "/big") == 0);
	else if (strcmp(path, "/many") == 0)
		many_headers(fd);
	else if (strcmp(path, "/cut") == 0)
		answer(fd, "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf");
	else if (strcmp(path, "/hang") == 0)
		(void)!write(hang_pipe[1], "h", 1);
	else if (strcmp(path, "/close") != 0)
		echo(fd, last);
	return strcmp(path, "/close") != 0 && strcmp(path, "/endless") != 0 &&
	       strcmp(path, "/cut") != 0;
}

static void *one_connection(void *arg)
{
	int fd = (int)(intptr_t)arg;

	char *last = xmalloc(REQUEST_MAX);

	while (read_request(fd, last) && serve(fd, last))
		;
	free(last);
	close(fd);
	return NULL;
}

static void *accept_all(void *arg)
{
	(void)arg;
	for (;;) {
		int fd = accept(listener, NULL, NULL);
		pthread_t t;

		if (fd < 0)
			return NULL;
		atomic_fetch_add(&connections, 1);
		if (pthread_create(&t, NULL, one_connection, (void *)(intptr_t)fd) == 0)
			pthread_detach(t);
	}
}

static int start(void)
{
	struct sockaddr_in a = { .sin_family = AF_INET,
				 .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t n = sizeof(a);
	pthread_t t;

	listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (bind(listener, (struct sockaddr *)&a, sizeof(a)) < 0 || listen(listener, 16) < 0 ||
	    getsockname(listener, (struct sockaddr *)&a, &n) < 0 || pipe(hang_pipe) < 0)
		return -1;
	port = ntohs(a.sin_port);
	return pthread_create(&t, NULL, accept_all, NULL);
}

static char *url_of(const char *path)
{
	static char url[200];

	(void)snprintf(url, sizeof(url), "http://127.0.0.1:%d%s", port, path);
	return url;
}

static int get(const char *path, struct http_request r, struct http_response *out, struct err *err)
{
	*err = (struct err)ERR_INIT;
	*out = (struct http_response)HTTP_RESPONSE_INIT;
	r.url = url_of(path);
	return http_request(&r, out, err);
}

/* Before the library is loaded. */
static void test_missing(void)
{
	const struct rlimit none = { 0, 0 };
	const struct http_request r = { .url = "http://127.0.0.1/" };
	struct http_response out = HTTP_RESPONSE_INIT;
	struct err err = ERR_INIT;
	int status = 0;
	pid_t pid;

	ok(http_version() == NULL, "nothing is loaded before the first request");
	pid = fork();
	if (pid == 0) { /* it cannot be opened: as good as not there */
		(void)setrlimit(RLIMIT_NOFILE, &none);
		_exit(http_request(&r, &out, &err) < 0 && err.code == ERR_CONFIG &&
		      strstr(err.text, "install the package libcurl4") ? 0 : 1);
	}
	(void)waitpid(pid, &status, 0);
	ok(status == 0, "a machine without libcurl is told which package to install");
}

static void test_answers(void)
{
	static const char *const headers[] = { "X-Mine: yes", "X-Empty:", NULL };
	struct http_response out;
	struct err err;
	int before;

	ok(get("/echo", (struct http_request){ .headers = headers }, &out, &err) == 0,
	   "a request is answered: %s", err.text);
	is_int(out.status, 200, "with its status");
	ok(strstr(out.body.p, "GET /echo HTTP/1.1\r\n") == out.body.p, "GET is the default");
	ok(strstr(out.body.p, "\r\nX-Mine: yes\r\n") && strstr(out.body.p, "\r\nX-Empty:\r\n") &&
	   strstr(out.body.p, "\r\nUser-Agent: kubeque\r\n"), "headers are sent, empty ones too");
	http_response_release(&out);
	before = atomic_load(&connections);
	ok(get("/busy", (struct http_request){ 0 }, &out, &err) == 0 && out.status == 503,
	   "an answer of any status is an answer");
	is_int(out.retry_after_ms, 7000, "Retry-After is read");
	is_str(http_header(&out, "x-a"), "b", "a header has neither blanks nor case");
	ok(!http_header(&out, "x-b"), "one that did not come is not there");
	is_str(out.body.p, "late", "the body of an error is kept");
	http_response_release(&out);
	is_int(atomic_load(&connections) - before, 0, "the connection was used again");
}

static void test_bodies(void)
{
	struct http_request r = { .body = STR("a body") };
	struct http_response out;
	struct err err;

	ok(get("/echo", r, &out, &err) == 0 && strstr(out.body.p, "POST /echo") == out.body.p &&
	   strstr(out.body.p, "\r\n\r\na body"), "with a body it is a POST");
	http_response_release(&out);
	r.method = "PUT";
	r.body = STR("");
	ok(get("/echo", r, &out, &err) == 0 && strstr(out.body.p, "PUT /echo") == out.body.p &&
	   strstr(out.body.p, "Content-Length: 0\r\n"), "a method, and a body that is empty");
	http_response_release(&out);
	r = (struct http_request){ .method = "DELETE" };
	ok(get("/echo", r, &out, &err) == 0 && strstr(out.body.p, "DELETE /echo") == out.body.p,
	   "a method without a body");
	http_response_release(&out);
	r = (struct http_request){ .method = "HEAD" };
	ok(get("/echo", r, &out, &err) == 0 && out.status == 200 && out.body.n == 0,
	   "HEAD gets no body and does not wait for one: %s", err.text);
	http_response_release(&out);
}

static void test_redirects(void)
{
	struct http_request r = { .follow = true };
	struct http_response out;
	struct err err;

	ok(get("/redirect", (struct http_request){ 0 }, &out, &err) == 0 && out.status == 302,
	   "a redirect is not followed unasked");
	http_response_release(&out);
	ok(get("/redirect", r, &out, &err) == 0 && out.status == 200, "and is when asked");
	ok(strstr(out.body.p, "GET /echo") == out.body.p && !http_header(&out, "x-first"),
	   "body and headers are those of the last answer");
	http_response_release(&out);
	ok(get("/loop", r, &out, &err) < 0 && err.code == ERR_IO, "but not for ever: %s", err.text);
	http_response_release(&out);
	ok(get("/file", r, &out, &err) < 0 && err.code == ERR_USAGE,
	   "and not to another protocol: %s", err.text);
	http_response_release(&out);
	r.body = STR("x");
	ok(get("/redirect", r, &out, &err) == 0 && out.status == 302, "a body is not sent again");
	http_response_release(&out);
}

static void test_limits(void)
{
	struct http_request r = { .max = 1000000 };
	struct http_response out;
	struct err err;
	int64_t began = clock_mono_ms();

	ok(get("/big", r, &out, &err) == 0 && out.body.n == 1000000, "as large as it may be");
	http_response_release(&out);
	r.max--;
	ok(get("/big", r, &out, &err) < 0 && err.code == ERR_IO && out.body.n == 0 &&
	   strstr(err.text, "larger than 999999 bytes"), "larger is refused: %s", err.text);
	http_response_release(&out);
	ok(get("/endless", r, &out, &err) < 0 && err.code == ERR_IO,
	   "also when it does not say how large it is");
	http_response_release(&out);
	ok(get("/many", r, &out, &err) < 0 && err.code == ERR_IO, "headers without end: %s",
	   err.text);
	http_response_release(&out);
	r = (struct http_request){ .timeout_ms = 50 };
	ok(get("/hang", r, &out, &err) < 0 && err.code == ERR_TIMEOUT, "no answer in time: %s",
	   err.text);
	http_response_release(&out);
	ok(clock_mono_ms() - began < 5000, "nothing took long");
}

static void test_failures(void)
{
	static const char *const bad_headers[][2] = {
		{ "X: a\r\nY: b", NULL }, { "no colon", NULL }, { ": x", NULL }, { "A b: x", NULL },
	};
	static const char *const bad_urls[] = {
		"", "http://", "http:///x", "file:///etc/passwd", "127.0.0.1", "http://a b/",
		"http://a/\r\nX: y", "http://user:pw@/",
	};
	struct http_response out = HTTP_RESPONSE_INIT;
	struct http_request r = { .url = "http://me:word@127.0.0.1:1/secret?key=1" };
	struct err err = ERR_INIT;

	ok(http_request(&r, &out, &err) < 0 && err.code == ERR_BUSY, "nobody listens: %s",
	   err.text);
	ok(!strstr(err.text, "secret") && !strstr(err.text, "word") && !strstr(err.text, "key"),
	   "neither path nor user are told");
	ok(get("/close", (struct http_request){ 0 }, &out, &err) < 0 && err.code == ERR_BUSY,
	   "it hangs up: %s", err.text);
	http_response_release(&out);
	ok(get("/cut", (struct http_request){ 0 }, &out, &err) < 0 && err.code == ERR_BUSY &&
	   out.body.n == 0, "half an answer is none: %s", err.text);
	http_response_release(&out);
	for (size_t i = 0; i < ARRAY_SIZE(bad_headers); i++)
		ok(get("/echo", (struct http_request){ .headers = bad_headers[i] }, &out, &err) < 0
		   && err.code == ERR_USAGE, "no header: %s", err.text);
	ok(get("/echo", (struct http_request){ .method = "GET /x" }, &out, &err) < 0 &&
	   err.code == ERR_USAGE, "no method: %s", err.text);
	for (size_t i = 0; i < ARRAY_SIZE(bad_urls); i++) {
		r = (struct http_request){ .url = bad_urls[i] };
		err = (struct err)ERR_INIT;
		ok(http_request(&r, &out, &err) < 0 && err.code == ERR_USAGE, "no address: %s",
		   err.text);
	}
	http_response_release(&out);
}

static void test_proxy(void)
{
	struct http_request r = { .url = "http://elsewhere.invalid/x" };
	struct http_response out = HTTP_RESPONSE_INIT;
	struct err err = ERR_INIT;

	(void)unsetenv("no_proxy");
	(void)setenv("http_proxy", url_of(""), 1);
	ok(http_request(&r, &out, &err) == 0 &&
	   strstr(out.body.p, "GET http://elsewhere.invalid/x HTTP/1.1") == out.body.p,
	   "a proxy is asked: %s", err.text);
	http_response_release(&out);
	(void)unsetenv("http_proxy");
	(void)setenv("no_proxy", "*", 1);
}

static void *stop_waiting(void *arg)
{
	char c;

	(void)arg;
	if (read(hang_pipe[0], &c, 1) == 1)
		(void)kill(getpid(), SIGINT);
	return NULL;
}

static void test_interrupt(void)
{
	struct http_response out;
	struct err err;
	int64_t began;
	pthread_t t;
	char c;

	(void)!read(hang_pipe[0], &c, 1); /* of the test of limits */
	signals_client();
	(void)pthread_create(&t, NULL, stop_waiting, NULL);
	began = clock_mono_ms();
	ok(get("/hang", (struct http_request){ 0 }, &out, &err) < 0 && err.code == ERR_INTERRUPTED,
	   "a signal ends the wait: %s", err.text);
	ok(clock_mono_ms() - began < 5000, "soon");
	http_response_release(&out);
	(void)pthread_join(t, NULL);
}

static void *in_a_thread(void *arg)
{
	struct http_response out;
	struct err err;

	*(bool *)arg = get("/busy", (struct http_request){ 0 }, &out, &err) == 0;
	http_response_release(&out);
	return NULL;
}

int main(void)
{
	bool answered = false;
	pthread_t t;

	(void)setenv("no_proxy", "*", 1);
	test_missing();
	if (start() < 0)
		return 1;
	test_answers();
	ok(http_version() && strstr(http_version(), "libcurl/"), "then its version is known: %s",
	   http_version());
	test_bodies();
	test_redirects();
	test_limits();
	test_failures();
	test_proxy();
	(void)pthread_create(&t, NULL, in_a_thread, &answered);
	(void)pthread_join(t, NULL);
	ok(answered, "another thread may ask");
	test_interrupt();
	return tap_done();
}
