#include "model/task.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "base/base.h"
#include "base/str.h"

void job_release(struct job *j)
{
	free(j->user);
	free(j->cluster);
	free(j->classes);
	free(j->info);
	free(j->secret);
	free(j->stopped);
	j->user = j->cluster = j->classes = j->info = j->secret = j->stopped = NULL;
}

void attempt_release(struct attempt *a)
{
	free(a->tail);
	a->tail = NULL;
}

/* FNV-1a. */
static uint64_t hash_add(uint64_t hash, const char *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		hash = (hash ^ (unsigned char)p[i]) * UINT64_C(0x100000001b3);
	return hash;
}

int64_t attempt_signature(const struct attempt *a)
{
	const char *text = a->tail ? a->tail : "";
	size_t end = strlen(text), start;
	uint64_t hash = UINT64_C(0xcbf29ce484222325);

	while (end > 0 && strchr(" \t\r\n", text[end - 1]))
		end--;
	for (start = end; start > 0 && text[start - 1] != '\n'; start--)
		;
	hash = hash_add(hash, a->label, strlen(a->label) + 1); /* the NUL parts the two */
	hash = hash_add(hash, text + start, end - start);
	return hash ? (int64_t)hash : 1;
}

void node_release(struct node *n)
{
	free(n->cluster);
	free(n->cap);
	free(n->info);
	n->cluster = n->cap = n->info = NULL;
}

const char *task_state_name(enum task_state s)
{
	switch (s) {
	case TASK_PENDING: return "pending";
	case TASK_CLAIMED: return "claimed";
	case TASK_ENDED: return "ended";
	case TASK_SUCCEEDED: return "succeeded";
	case TASK_FAILED: return "failed";
	case TASK_KILLED: return "killed";
	}
	return "unknown";
}

const char *job_state_name(enum job_state s)
{
	switch (s) {
	case JOB_SUBMITTING: return "submitting";
	case JOB_OPEN: return "open";
	case JOB_KILLING: return "killing";
	case JOB_OVER: return "over";
	case JOB_REMOVED: return "removed";
	}
	return "unknown";
}

const char *node_state_name(enum node_state s)
{
	switch (s) {
	case NODE_LIVE: return "RUNNING";
	case NODE_DRAINING: return "DRAINING";
	case NODE_LEAVING: return "LEAVING";
	case NODE_LOST: return "LOST";
	}
	return "UNKNOWN";
}

const char *cause_name(enum cause c)
{
	switch (c) {
	case CAUSE_NONE: return "none";
	case CAUSE_EXIT: return "exit";
	case CAUSE_SIGNAL: return "signal";
	case CAUSE_TIMEOUT: return "timeout";
	case CAUSE_OOM: return "oom";
	case CAUSE_DISK: return "disk";
	case CAUSE_MISSING_INPUT: return "missing_input";
	case CAUSE_OUTPUT: return "output";
	case CAUSE_IMAGE: return "image";
	case CAUSE_LOST: return "lost";
	case CAUSE_PREEMPTED: return "preempted";
	case CAUSE_RELEASED: return "released";
	case CAUSE_KILLED: return "killed";
	case CAUSE_POLICY: return "policy";
	}
	return "unknown";
}

const char *signal_name(int sig, char *out, size_t n)
{
	const char *abbrev = sigabbrev_np(sig);

	if (abbrev)
		snprintf(out, n, "SIG%s", abbrev);
	else if (sig == SIGRTMIN)
		snprintf(out, n, "SIGRTMIN");
	else if (sig > SIGRTMIN && sig <= SIGRTMAX)
		snprintf(out, n, "SIGRTMIN+%d", sig - SIGRTMIN);
	else
		snprintf(out, n, "SIG%d", sig);
	return out;
}

void label_complete(char *out, int exit_code, int signal)
{
	char name[32];

	if (signal)
		snprintf(out, LABEL_SIZE, "complete(code=signaled(%s))",
			 signal_name(signal, name, sizeof(name)));
	else
		snprintf(out, LABEL_SIZE, "complete(code=%d)", exit_code);
}

/* Bytes of `s` that fit into `room` without cutting a UTF-8 sequence. */
static size_t cut(const char *s, size_t room)
{
	size_t n = strlen(s), at = 0;

	if (n <= room)
		return n;
	while (at < n) {
		size_t k = utf8_len(s + at, n - at);

		k = k ? k : 1;
		if (at + k > room)
			break;
		at += k;
	}
	return at;
}

void label_failed(char *out, const char *reason)
{
	size_t room = LABEL_SIZE - sizeof("failed()");
	size_t n = cut(reason, room);
	char *p = out;

	memcpy(p, "failed(", 7);
	p += 7;
	for (size_t i = 0; i < n; i++) /* a label is one line */
		*p++ = (char)(reason[i] == '\n' || reason[i] == '\r' ? ' ' : reason[i]);
	*p++ = ')';
	*p = '\0';
}

static bool id_char(char c)
{
	return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
	       c == '_' || c == '-' || c == '.';
}

/* Ends in "." plus digits, "," and "-", as a task is written. */
static bool ends_like_a_task(const char *id, size_t n)
{
	size_t i = n;

	while (i &&
	       ((id[i - 1] >= '0' && id[i - 1] <= '9') || id[i - 1] == ',' || id[i - 1] == '-'))
		i--;
	return i < n && i > 0 && id[i - 1] == '.';
}

const char *job_id_fault(const char *id)
{
	size_t n = strlen(id);

	if (!n)
		return "a job id cannot be empty";
	for (size_t i = 0; i < n; i++)
		if (!id_char(id[i]))
			return "a job id holds only letters, digits, _ - and .";
	if (n > JOB_ID_MAX)
		return "a job id has at most 100 characters";
	if (id[0] == '_' || id[0] == '-' || id[0] == '.')
		return "a job id begins with a letter or a digit";
	if (strcmp(id, "LAST") == 0)
		return "LAST stands for the last job and cannot be the id of one";
	if (ends_like_a_task(id, n))
		return "a job id cannot end in . and digits: that is how a task is written";
	return NULL;
}
