#ifndef MODEL_MANIFEST_H
#define MODEL_MANIFEST_H
/*
 * The manifest of a job, as stored: root object, chunks of task lines, list of inputs (see
 * docs/internals.md). Written straight into a buffer, parsed into structs whose texts all live in
 * the caller's arena and are NUL-terminated.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"
#include "model/class.h"

enum {
	MANIFEST_SCHEMA = 1,
	MANIFEST_CHUNK = 1000, /* tasks a chunk */
	COMMAND_WORD_MAX = 131071, /* bytes of a word, shell line or NAME=value */
	COMMAND_MAX = 1024 * 1024, /* bytes of argument vector and environment together */
};

struct pair {
	struct str name, value;
};

struct pairs {
	struct pair *p;
	size_t n;
};

struct strs {
	struct str *p;
	size_t n;
};

/* One input as a task finds it. */
struct input {
	struct str dst;
	struct str sha256; /* n == 0: it has a url */
	struct str url;    /* gs://...; n == 0: it has a sha256 */
	int64_t size;
	int64_t mtime_ns;
	unsigned mode;     /* permission bits */
};

struct inputs {
	struct input *p;
	size_t n;
};

/* One line of a chunk. */
struct task_spec {
	bool shell;         /* command is a line for /bin/sh -c; else argv */
	struct str command; /* shell line; otherwise n == 0 */
	struct strs argv;
	bool one_word;      /* argv stands for a one-word command that needed no shell */
	struct pairs parameters;
	struct inputs inputs;
	struct pairs env;   /* over the common one */
	struct str cd;      /* p == NULL: as in common */
	struct strs results, exclude; /* globs of a job file; p == NULL: as in common */
};

enum outputs { OUTPUTS_ALL, OUTPUTS_FAILED, OUTPUTS_NONE };

/* What all tasks share. Zeroed by common_init() but for the defaults named there. */
struct common {
	struct strs command;  /* as typed, for display; one_word: a shell line */
	bool one_word;
	struct str cd;        /* "": the work directory */
	struct pairs env;
	struct str image;     /* "none" */
	struct resources resources;
	unsigned limits;      /* RESOURCE_ bits */
	int64_t timeout_ms;   /* 0: none */
	int64_t retries;      /* 0 */
	int64_t grace_ms;     /* 10,000 */
	struct strs results;  /* globs; empty: ** */
	struct strs exclude;
	enum outputs outputs;
	bool keep_work, clean_env, link_inputs;
	int64_t max_stdout;   /* bytes, 0: no limit */
};

struct root {
	int64_t n;            /* tasks */
	struct strs columns;
	int64_t chunk_size;
	struct strs chunks;   /* sha256 each */
	struct str inputs;    /* sha256 of the list of common inputs; n == 0: none */
	struct common common;
};

void common_init(struct common *c);

/* Appends the JSON of one task and a "\n". */
void manifest_add_task(struct buf *out, const struct task_spec *t);
/* One line, with or without its "\n". Everything that is checked at submission is checked again
 * (destinations, names of variables, sha256). ERR_IO: the manifest is damaged. */
int manifest_parse_task(struct arena *a, struct str line, struct task_spec *out, struct err *err);
/* Line number `i` (from 0) of a chunk: true with *line. */
bool manifest_line(struct str chunk, size_t i, struct str *line);

void manifest_add_input(struct buf *out, const struct input *in); /* and a "\n" */
int manifest_parse_inputs(struct arena *a, struct str text, struct inputs *out, struct err *err);

void manifest_add_root(struct buf *out, const struct root *r);
int manifest_parse_root(struct arena *a, struct str text, struct root *out, struct err *err);

const char *outputs_name(enum outputs o);
bool outputs_parse(const char *text, enum outputs *out);
/* The class that tasks of this common part have unless they say otherwise. */
void common_class(const struct common *c, struct class *out);

/* {"x":"0.1"}: for result.json, KQ_PARAMS and the like. */
void pairs_add_json(struct buf *out, const struct pairs *p);
const struct pair *pairs_find(const struct pairs *p, const char *name);
/* JSON of a command: a string for a shell line or one-word command, else an array of strings. */
void command_add_json(struct buf *out, const struct task_spec *t);
/* The command as a line for people: the shell line, or the words quoted where they must be. */
void command_add_text(struct buf *out, const struct task_spec *t);
/* Names of environment variables: letters, digits, _ and not first a digit. */
bool env_name_valid(struct str name);

#endif
