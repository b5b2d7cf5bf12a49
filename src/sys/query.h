#ifndef SYS_QUERY_H
#define SYS_QUERY_H
/*
 * A query of somebody's SQLite database, which is only read: nothing about it is assumed or
 * changed. For kubeque's own databases see sys/db.h.
 */
#include <sqlite3.h>
#include <stdint.h>

#include "base/err.h"

struct query;
/* Opens the file and prepares one SELECT. ERR_USAGE says what is wrong with either. */
struct query *query_open(const char *path, const char *sql, struct err *err);
void query_close(struct query *q);
int query_columns(const struct query *q);
const char *query_column(const struct query *q, int i); /* borrowed */
/* 1 a row, 0 the end, -1. A client that is interrupted gets ERR_INTERRUPTED. */
int query_step(struct query *q, struct err *err);
/* For sqlite3_column_*() of the row. */
sqlite3_stmt *query_statement(const struct query *q);

#endif
