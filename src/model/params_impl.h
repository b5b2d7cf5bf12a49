#ifndef MODEL_PARAMS_IMPL_H
#define MODEL_PARAMS_IMPL_H
/*
 * Inside of model/params: a window of the source that always holds one whole row, and the fields
 * of that row. Formats implement `split`.
 */
#include <jansson.h>

#include "base/buf.h"
#include "model/params.h"

enum {
	PARAMS_WINDOW = 256 * 1024,
	PARAMS_ROW_MAX = 64 * 1024 * 1024, /* bytes of one row */
};

enum split { SPLIT_FAIL = -1, SPLIT_END = 0, SPLIT_ROW = 1, SPLIT_MORE = 2 };

struct params {
	struct params_options o;
	/* Fields of the next row: SPLIT_MORE when the window holds only a part of it. */
	enum split (*split)(struct params *p, struct err *err);

	params_read_fn read;
	void *ctx;
	char *window;         /* [begin, end) is unread; window[end] is a NUL */
	size_t begin, end, cap;
	bool eof;

	struct str *field;
	size_t n, cap_fields;
	int64_t line;         /* of the first byte at begin */
	int64_t row_line;     /* where the row returned last began */
	int64_t row;          /* data rows so far */
	size_t range;         /* index into o.rows */

	char *names;          /* what columns point into */
	struct str *name;
	struct columns columns;

	struct buf values;    /* JSONL: decoded values */
	json_t *first;        /* JSONL: the first object, until its row was returned */
	struct seq seq;
	char number[32];
	const char *const *words;
	size_t n_words;
	struct json_list *list; /* JSON: what makes lines of it */
};

/* JSON: a list as lines (params_json.c); a params_read_fn. */
struct json_list *json_list_new(params_read_fn read, void *ctx); /* free() it */
ssize_t json_list_read(void *ctx, void *p, size_t n, struct err *err);

/* Adds an empty field at `at`. */
struct str *params_field(struct params *p, const char *at);
/* Reads on, keeping [begin, end): 1, 0 at the end of the source, -1. */
int params_more(struct params *p, struct err *err);
/* Sets "NAME, line L (row R): TEXT"; always -1. `row` 0 leaves it out. */
int params_fault(const struct params *p, int64_t line, int64_t row, struct err *err,
		 const char *fmt, ...) __attribute__((format(printf, 5, 6)));
/* Refuses NUL bytes and what is not UTF-8 in [s.p, s.p + s.n), the text of the next row. */
int params_check_text(const struct params *p, struct str s, struct err *err);
/* Copies the fields of the current row to be the columns, and checks them. */
int params_take_header(struct params *p, struct err *err);

enum split params_split_csv(struct params *p, struct err *err);
enum split params_split_tsv(struct params *p, struct err *err);
enum split params_split_line(struct params *p, struct err *err);
enum split params_split_jsonl(struct params *p, struct err *err);
int params_jsonl_header(struct params *p, struct err *err);

#endif
