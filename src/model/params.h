#ifndef MODEL_PARAMS_H
#define MODEL_PARAMS_H
/*
 * Rows of parameters, streamed: CSV, TSV, JSONL, lines, words, numbers. The reader owns one
 * growing buffer; a row is an array of texts in it, valid until the next call. Nothing is
 * allocated a row. Every refusal is ERR_USAGE and begins with the name of the source, with the line
 * (and row) at fault: "params.csv, line 4 (row 3): 2 fields, but the header has 3".
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"
#include "base/str.h"
#include "model/ranges.h"
#include "model/template.h"

enum params_format {
	PARAMS_CSV,      /* RFC 4180 with a header */
	PARAMS_TSV,      /* a tab ends a field, no quoting */
	PARAMS_JSONL,    /* one object a line */
	PARAMS_LINES,    /* one line a row, column "line" */
	PARAMS_COMMANDS, /* one shell line a row; the one column is the line, not a parameter */
	PARAMS_JSON,     /* one list of objects */
};

/* By the ending of a name: .tsv and .tab, .jsonl and .ndjson, .json, else CSV (also for "-"). */
enum params_format params_format_of(const char *name);

/* Reads at most n bytes: how many, 0 at the end, -1 with err set. */
typedef ssize_t (*params_read_fn)(void *ctx, void *p, size_t n, struct err *err);

struct params_options {
	enum params_format format;
	const char *name;          /* for messages; borrowed */
	const struct ranges *rows; /* NULL or empty: all; borrowed */
};

struct params;
/* Reads up to the header (JSONL: the first line), so that the columns are known. */
struct params *params_open(const struct params_options *o, params_read_fn read, void *ctx,
			   struct err *err);
/* --seq: column "index". */
struct params *params_seq(const struct seq *seq, const struct ranges *rows);
/* --each: column "item"; the words are borrowed until params_close. */
struct params *params_each(const char *const *words, size_t n, const struct ranges *rows);
void params_close(struct params *p);

/* Valid until params_close. Of PARAMS_COMMANDS: no columns, and row[0] is the line. */
const struct columns *params_columns(const struct params *p);
/* The next selected row: 1 with *row (one text a column, each followed by a NUL that it does not
 * count), 0 at the end, -1. "No rows" and a selected row that does not exist are errors. */
int params_next(struct params *p, const struct str **row, struct err *err);
/* Number of the row returned last, from 1, counting the rows that were not selected. */
int64_t params_row(const struct params *p);

/* RFC 4180 writing: a field, quoted if it must be; a header or row with "\n". */
struct buf;
void csv_add_field(struct buf *out, struct str field);
void csv_add_row(struct buf *out, const struct str *field, size_t n);

#endif
