/*
 * The physical limit that a submission is measured against: the same rows into SQLite with one
 * prepared statement in one transaction (WAL, synchronous=NORMAL). Prints the seconds it took.
 *   insert_rows DATABASE FILE.csv      (three plain columns and a header)
 */
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static double now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

int main(int argc, char **argv)
{
	sqlite3 *db;
	sqlite3_stmt *insert;
	char line[4096];
	sqlite3_int64 n = 0;

	if (argc < 3)
		return 2;
	double t0 = now();
	FILE *f = fopen(argv[2], "r");
	if (!f || sqlite3_open(argv[1], &db) ||
	    sqlite3_exec(db, "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;"
			 "CREATE TABLE row(n INTEGER PRIMARY KEY, a TEXT, b TEXT, c TEXT); BEGIN",
			 NULL, NULL, NULL) ||
	    sqlite3_prepare_v2(db, "INSERT INTO row VALUES(?,?,?,?)", -1, &insert, NULL) ||
	    !fgets(line, sizeof(line), f))
		return 1;
	while (fgets(line, sizeof(line), f)) {
		char *p = line;

		sqlite3_bind_int64(insert, 1, ++n);
		for (int column = 2; column <= 4; column++) {
			size_t len = strcspn(p, ",\n");

			sqlite3_bind_text(insert, column, p, (int)len, SQLITE_STATIC);
			p += len + 1;
		}
		if (sqlite3_step(insert) != SQLITE_DONE)
			return 1;
		sqlite3_reset(insert);
	}
	sqlite3_finalize(insert);
	if (sqlite3_exec(db, "COMMIT", NULL, NULL, NULL))
		return 1;
	sqlite3_close(db);
	printf("%.6f\n", now() - t0);
	return 0;
}
