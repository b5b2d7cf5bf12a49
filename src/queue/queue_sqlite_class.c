/*
 * A job's resource classes: a JSON list in its row, to which tasks point by index. What it holds
 * means nothing here, but for the member `avoid`: the node that shall not make the next attempt.
 */
#include <jansson.h>
#include <string.h>

#include "queue/queue_sqlite.h"

static const char sql_classes[] = "SELECT classes FROM job WHERE born=?1";
static const char sql_set_classes[] = "UPDATE job SET classes=?2, v=v+1 WHERE born=?1";
static const char sql_node_state[] = "SELECT state FROM node WHERE id=?1";

/* Owned; NULL with err. */
static char *classes_text(struct queue_sqlite *q, int64_t job, struct err *err)
{
	sqlite3_stmt *st = db_prepare(q->db, sql_classes, err);
	char *text = NULL;
	int rc;

	if (!st)
		return NULL;
	db_bind_int(st, 1, job);
	rc = db_step(q->db, st, err);
	if (rc >= 0)
		text = xstrdup(rc == 1 ? db_col_text(st, 0) : "");
	db_reset(st);
	return text;
}

static int classes_write(struct queue_sqlite *q, int64_t job, const char *text, struct err *err)
{
	sqlite3_stmt *st = db_prepare(q->db, sql_set_classes, err);

	if (!st)
		return -1;
	db_bind_int(st, 1, job);
	db_bind_text(st, 2, text);
	return sq_run(q, st, err);
}

/* To the text itself, so that what is there keeps its bytes. */
static int append(struct queue_sqlite *q, int64_t job, const char *list, size_t n,
		  const char *class, struct err *err)
{
	char *text = xasprintf("%.*s%s%s]", (int)(strrchr(list, ']') - list), list, n ? "," : "",
			       class);
	int ret = classes_write(q, job, text, err);

	free(text);
	return ret;
}

static const char *avoided(const json_t *class)
{
	return json_string_value(json_object_get(class, "avoid"));
}

/* The class without `avoid`; owned. */
static json_t *plain_of(json_t *class)
{
	json_t *copy = json_copy(class);

	json_object_del(copy, "avoid");
	return copy;
}

/* Is this the wanted class for a node that is gone? 1, 0, -1. */
static int is_outdated(struct queue_sqlite *q, json_t *class, json_t *wanted, struct err *err)
{
	json_t *a, *b;
	sqlite3_stmt *st;
	int64_t state;
	bool same;

	if (!avoided(class))
		return 0;
	a = plain_of(class);
	b = plain_of(wanted);
	same = json_equal(a, b);
	json_decref(a);
	json_decref(b);
	if (!same)
		return 0;
	st = db_prepare(q->db, sql_node_state, err);
	if (!st)
		return -1;
	db_bind_text(st, 1, avoided(class));
	if (db_int(q->db, st, NODE_LOST, &state, err) < 0)
		return -1;
	return state == NODE_LOST;
}

/* The place of one that avoids a node which is gone: its tasks may run anywhere, and avoid the
 * other node now, for nothing but this. 1 done, 0 there is none, -1. */
static int take_outdated(struct queue_sqlite *q, int64_t job, json_t *list, json_t *wanted,
			 int *index, struct err *err)
{
	size_t i;
	json_t *class;
	char *text;
	int rc;

	json_array_foreach(list, i, class) {
		rc = is_outdated(q, class, wanted, err);
		if (rc == 0)
			continue;
		if (rc < 0)
			return -1;
		*index = (int)i;
		json_array_set(list, i, wanted);
		text = json_dumps(list, JSON_COMPACT | JSON_REAL_PRECISION(15));
		rc = text ? classes_write(q, job, text, err) : err_set(err, ERR_IO, "no memory");
		free(text);
		return rc < 0 ? -1 : 1;
	}
	return 0;
}

/* The list as `text` and parsed; `class` is the text of `wanted`. */
static int find_or_add(struct queue_sqlite *q, int64_t job, const char *text, json_t *list,
		       const char *class, json_t *wanted, int *index, struct err *err)
{
	size_t n = json_array_size(list), i = 0;
	int rc;

	while (i < n && !json_equal(json_array_get(list, i), wanted))
		i++;
	*index = (int)i;
	if (i < n)
		return 0;
	if (n < (avoided(wanted) ? CLASSES_AVOID_MAX : CLASSES_MAX))
		return append(q, job, text, n, class, err);
	rc = avoided(wanted) ? take_outdated(q, job, list, wanted, index, err) : 0;
	return rc < 0 ? -1 : rc ? 0 : -2;
}

int sq_class_index(struct queue_sqlite *q, int64_t job, const char *class, int *index,
		   struct err *err)
{
	char *text = classes_text(q, job, err);
	json_t *list = NULL, *wanted = NULL;
	int ret = -1;

	if (!text)
		return -1;
	list = json_loads(text, 0, NULL);
	wanted = json_loads(class, 0, NULL);
	if (json_is_array(list) && json_is_object(wanted))
		ret = find_or_add(q, job, text, list, class, wanted, index, err);
	else
		err_set(err, ERR_USAGE, "not a resource class: %s", class);
	json_decref(list);
	json_decref(wanted);
	free(text);
	return ret;
}

int sq_class_plain(struct queue_sqlite *q, int64_t job, int *index, struct err *err)
{
	char *text = classes_text(q, job, err), *class = NULL;
	json_t *list = NULL, *was, *plain = NULL;
	int at = *index, ret = 0;

	if (!text)
		return -1;
	if (!strstr(text, "\"avoid\"")) /* nearly always */
		goto out;
	list = json_loads(text, 0, NULL);
	was = json_array_get(list, (size_t)*index);
	if (!avoided(was))
		goto out;
	plain = plain_of(was);
	class = json_dumps(plain, JSON_COMPACT | JSON_REAL_PRECISION(15));
	ret = class ? find_or_add(q, job, text, list, class, plain, &at, err)
		    : err_set(err, ERR_IO, "no memory");
	if (ret == 0)
		*index = at;
out:
	json_decref(list);
	json_decref(plain);
	free(class);
	free(text);
	return ret == -1 ? -1 : 0;
}
