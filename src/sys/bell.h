#ifndef SYS_BELL_H
#define SYS_BELL_H
/*
 * Doorbells: FIFOs in <home>/bells. A byte written wakes whoever owns the bell. A bell is a hint: a
 * lost one costs time, never correctness. Rule: drain, look, then sleep.
 */
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

enum { BELL_NAME_SIZE = 128 };

struct bell {
	int fd;    /* poll it for POLLIN; -1: not open */
	int dirfd; /* own duplicate */
	char name[BELL_NAME_SIZE];
};
#define BELL_INIT { .fd = -1, .dirfd = -1 }

/* <home>/bells as a descriptor, made if missing. */
int bell_dir(int home_fd, struct err *err);
/* Makes (or takes over) the bell `name`, one clean path component. */
int bell_open(struct bell *b, int bells_fd, const char *name, struct err *err);
/* "<prefix><16 hex>": the name is in b->name. */
int bell_open_random(struct bell *b, int bells_fd, const char *prefix, struct err *err);
void bell_close(struct bell *b); /* removes it from the directory; NULL-safe, twice is fine */
void bell_drain(struct bell *b);

enum bell_wake { BELL_RANG, BELL_TIMEOUT, BELL_INTERRUPTED };
/* Sleeps until the bell rings (and drains it), `timeout_ms` pass (-1: no limit) or a signal that
 * signals_client() watches arrives (now or earlier). */
enum bell_wake bell_wait(struct bell *b, int64_t timeout_ms);

/* 1 rung, 0: nobody listens. Never blocks, never fails. */
int bell_ring(int bells_fd, const char *name);
/* Rings all bells whose name begins with prefix; bells of the dead, older than a minute, are
 * removed on the way. Returns how many were rung. */
int bell_ring_all(int bells_fd, const char *prefix);

#endif
