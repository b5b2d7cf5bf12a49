/* Rows of parameters: what is read, what is refused, and where it says the fault is. */
#include "model/params.h"

#include "base/base.h"
#include "base/buf.h"
#include "tap.h"

struct text {
	const char *p;
	size_t n, at, step; /* at most `step` bytes a read */
};

static ssize_t read_text(void *ctx, void *p, size_t n, struct err *err)
{
	struct text *t = ctx;
	size_t k = MIN(MIN(n, t->step), t->n - t->at);

	(void)err;
	memcpy(p, t->p + t->at, k);
	t->at += k;
	return (ssize_t)k;
}

/* Reads everything: "a|b;1|2;" or the error. */
static void dump(enum params_format format, const char *p, size_t n, const char *rows,
		 struct buf *out)
{
	struct text t = { p, n, 0, 3 };
	struct err err = ERR_INIT;
	struct ranges r = RANGES_INIT;
	struct params_options o = { .format = format, .name = "f", .rows = &r };
	const struct str *row;
	struct params *params;
	int got;

	buf_clear(out);
	if (rows && ranges_parse(str_of(rows), &r, &err) < 0)
		abort();
	params = params_open(&o, read_text, &t, &err);
	if (!params) {
		buf_addf(out, "!%s", err.text);
		goto out;
	}
	const struct columns *c = params_columns(params);

	for (size_t i = 0; i < c->n; i++)
		buf_addf(out, "%s%.*s", i ? "|" : "", (int)c->name[i].n, c->name[i].p);
	buf_addch(out, ';');
	while ((got = params_next(params, &row, &err)) == 1) {
		for (size_t i = 0; i < MAX(c->n, 1); i++) {
			if (row[i].p[row[i].n] != '\0')
				buf_adds(out, "(no NUL)");
			buf_addf(out, "%s%.*s", i ? "|" : "", (int)row[i].n, row[i].p);
		}
		buf_addch(out, ';');
	}
	if (got < 0)
		buf_addf(out, "!%s", err.text);
	params_close(params);
out:
	ranges_release(&r);
}

static void check(enum params_format format, struct str text, const char *want, const char *name)
{
	struct buf out = BUF_INIT;

	dump(format, text.p, text.n, NULL, &out);
	if (want[0] == '!') {
		if (!ok(strstr(out.p, want + 1) && strchr(out.p, '!'), "%s", name))
			printf("#   got %s, want %s\n", out.p, want);
	} else {
		is_str(out.p, want, "%s", name);
	}
	buf_release(&out);
}
#define CSV(text, want, name) check(PARAMS_CSV, STR(text), want, name)
#define TSV(text, want, name) check(PARAMS_TSV, STR(text), want, name)
#define JSONL(text, want, name) check(PARAMS_JSONL, STR(text), want, name)
#define JSON(text, want, name) check(PARAMS_JSON, STR(text), want, name)
#define LINES(text, want, name) check(PARAMS_LINES, STR(text), want, name)

static void test_json(void)
{
	JSON("[{\"a\":1,\"b\":\"x\"},{\"b\":\"y\",\"a\":2.50}]", "a|b;1|x;2.50|y;", "a list of objects");
	JSON("\xef\xbb\xbf [\n{\"a\"\n:\n1}\n,\r\n{\"a\":2}\n]\n\n", "a;1;2;", "a BOM, line ends anywhere");
	JSON("[{\"a\":\"x],[{}\\\\\\\"\"}]", "a;x],[{}\\\";", "brackets and quotes in texts");
	JSON("[{\"a\":[1, [2]],\"b\":{\"c\": 1}}]", "a|b;[1,[2]]|{\"c\":1};", "nested values");
	JSON("", "!f: the file is empty", "an empty file");
	JSON(" \n", "!f: the file is empty", "blanks only");
	JSON("[]", "!f has no rows", "an empty list");
	JSON("{\"a\":1}", "!f: a list of objects is needed", "no list");
	JSON("\xef[{\"a\":1}]", "!f: a list of objects is needed", "half a BOM");
	JSON("\xff\xfe[", "!f: a list of objects is needed", "UTF-16");
	JSON("[{\"a\":1}", "!f: object 1: the list does not end", "no end");
	JSON("[{\"a\":1},]", "!f: object 1: a comma is followed by no object", "a comma too many");
	JSON("[,{\"a\":1}]", "!f: a comma is followed by no object", "a comma too early");
	JSON("[{\"a\":1}] x", "!f: object 1: the list has ended", "text behind the list");
	JSON("[{\"a\":1},2]", "!f, object 2: not a JSON object", "an element that is no object");
	JSON("[{\"a\":1}}]", "!f, object 1: not valid JSON", "a bracket too many");
	JSON("[{\"a\":1},{\"b\":1}]", "!f, object 2: the key \"b\" is not in the first", "another key");
	JSON("[{\"a\":1},{}]", "!f, object 2: the key \"a\" of the first line is missing", "no key");
	is_str(params_format_of("x.json") == PARAMS_JSON ? "json" : "", "json", "by the ending");
}

static void test_csv(void)
{
	CSV("a,b\n1,2\n3,4\n", "a|b;1|2;3|4;", "plain rows");
	CSV("a,b\r\n1,2\r\n", "a|b;1|2;", "CRLF");
	CSV("a,b\n1,2", "a|b;1|2;", "no final newline");
	CSV("a,b\r\n1,2\r", "a|b;1|2;", "a final CR");
	CSV("\xef\xbb\xbf" "a\n1\n", "a;1;", "a BOM");
	CSV("a,b\n\"x,y\",\"l1\nl2\"\n", "a|b;x,y|l1\nl2;", "quoted comma and newline");
	CSV("a,b\n\"say \"\"hi\"\"\",2\n", "a|b;say \"hi\"|2;", "doubled quotes");
	CSV("a,b\n\"\"\"\",\"\"\"\"\"\"\n", "a|b;\"|\"\";", "only doubled quotes");
	CSV("a,b\n\"\",\n", "a|b;|;", "empty fields");
	CSV("a\n\n1\n\r\n2\n\n", "a;1;2;", "empty lines are skipped, also of one column");
	CSV("a\n\"\"\n", "a;;", "a quoted empty field is a row");
	CSV("\n\na\n1\n", "a;1;", "empty lines before the header");
	CSV("a,b\n1\"2,x\"y\"\n", "a|b;1\"2|x\"y\";", "a quote inside an unquoted field is text");
	CSV("a,b\n 1 , \"2\" \n", "a|b; 1 | \"2\" ;", "never trimmed");
	CSV("a,b\n1\r2,x\n", "a|b;1\r2|x;", "a lone CR is text");
	CSV("a b,2nd,\"x\ny\"\n1,2,3\n", "a b|2nd|x\ny;1|2|3;", "any name of a column");
	CSV("a,b\n\xc3\xa9,\xf0\x9f\x98\x80\n", "a|b;\xc3\xa9|\xf0\x9f\x98\x80;", "UTF-8");
	CSV("x;y,b\n1,2\n", "x;y|b;1|2;", "a ; in one of several columns");

	CSV("\"x;y\"\n1\n", "x;y;1;", "a lone quoted name with a ; is meant so");

	CSV("", "!f is empty", "an empty file");
	CSV("\n\n", "!f is empty", "only empty lines");
	CSV("a,b\n", "!f has no rows", "no rows");
	CSV("a,b\n\n", "!f has no rows", "no rows but empty lines");
	CSV("a,b\n1,2\n3\n", "!f, line 3 (row 2): 1 field, but the header has 2", "a short row");
	CSV("a,b\n\"1\n\",2\n3,4,5\n", "!f, line 4 (row 2): 3 fields, but the header has 2",
	    "a long row behind an embedded newline");
	CSV("a,b\n1,\"2\n3,4\n", "!f, line 2 (row 1): the quote that opens here is never closed",
	    "unclosed");
	CSV("a,b\n\"1\n2\",\"2\n", "!f, line 3 (row 1): the quote that opens here",
	    "unclosed, second field");
	CSV("a,\"b\n1,2\n", "!f, line 1: the quote", "unclosed in the header");
	CSV("a,b\n\"1\"x,2\n", "!f, line 2 (row 1): text behind a closing quote",
	    "text behind a quote");
	CSV("a,a\n1,2\n", "!f, line 1: columns 1 and 2 are both named \"a\"", "duplicate names");
	CSV("a,,b\n1,2,3\n", "!f, line 1: column 2 has an empty name", "an empty name");
	CSV("a,kq_x\n1,2\n", "!kq_x", "a name of ours");
	CSV("a\n1\0\n", "!f, line 2 (row 1): a NUL byte", "a NUL byte");
	CSV("a,b\n1,\"\0\"\n", "!NUL byte", "a NUL byte in quotes");
	CSV("a\n1\n\xe9\n", "!f, line 3 (row 2): not UTF-8 (byte 0xE9)", "Latin-1");
	CSV("a\n\"x\ny\xe9\"\n", "!f, line 3 (row 1): not UTF-8",
	    "Latin-1 in the second line of a field");
	CSV("\xff\xfe" "a\0\n\0", "!UTF-16", "UTF-16 with BOM");
	CSV("a\0,\0b\0", "!UTF-16", "UTF-16 without BOM");
	CSV("\xfe\xff\0a", "!UTF-16", "UTF-16 big endian");
	CSV("\xff\xfe\0\0a\0\0\0", "!UTF-32", "UTF-32");
	CSV("a;b\n1;2\n", "!\";\"", "a semicolon as separator");
	CSV("a\tb\n1\t2\n", "!the tab", "a tab as separator");
}

static void test_others(void)
{
	TSV("a\tb\n\"1\t2,x\n", "a|b;\"1|2,x;", "TSV has no quoting");
	TSV("a\tb\r\n1\t\r\n", "a|b;1|;", "TSV with CRLF and an empty field");
	TSV("a\tb\n1\n", "!f, line 2 (row 1): 1 field", "a short row of TSV");
	TSV("a\n\n1\n", "a;1;", "TSV skips empty lines");
	TSV("a\ta\n1\t2\n", "!both named", "duplicate names of TSV");
	TSV("a\n\xe9\n", "!line 2 (row 1): not UTF-8", "Latin-1 TSV");
	TSV("a\n", "!no rows", "TSV without rows");

	JSONL("{\"a\":\"x\",\"b\":1}\n{\"b\":2,\"a\":\"y\"}\n", "a|b;x|1;y|2;",
	      "columns of the first line");
	JSONL("{\"a\":1.50}\n{\"a\":1e3}\n{\"a\":-0}\n{\"a\":12345678901234567890}\n",
	      "a;1.50;1e3;-0;12345678901234567890;", "numbers keep their spelling");
	JSONL("{\"a\": true , \"b\" :null,\"c\":[1, {\"x\" : \"a b\"}]}\n",
	      "a|b|c;true||[1,{\"x\":\"a b\"}];", "true, null and a list");
	JSONL("{\"a\":\"\\u00e9\\n\\\"\"}\n\n  \n", "a;\xc3\xa9\n\";",
	      "escapes are decoded, blank lines skipped");
	JSONL("{\"\\u0061\":\"{}[],:\"}\n{\"a\":{}}\n", "a;{}[],:;{};", "brackets inside texts");
	JSONL("{\"a\":[],\"b\":{\"c\":[[]]}}\n", "a|b;[]|{\"c\":[[]]};", "nested empty lists");
	JSONL("{\"a\":1}\n{\"b\":1}\n", "!\"b\" is not in the first line", "an unknown key");
	JSONL("{\"a\":1,\"b\":2}\n{\"a\":1}\n",
	      "!f, line 2 (row 2): the key \"b\" of the first line is missing",
	      "a missing key");
	JSONL("{\"a\":1}\n{\"a\":1\n", "!f, line 2 (row 2): not valid JSON", "broken JSON");
	JSONL("{\"a\":1,\"a\":2}\n", "!duplicate", "a duplicate key");
	JSONL("[1]\n", "!not a JSON object", "a list");
	JSONL("{}\n", "!no keys", "an object without keys");
	JSONL("{\"\":1}\n", "!an empty name", "an empty key");
	JSONL("{\"a\":\"\\u0000\"}\n", "!line 1", "a NUL in a text");
	JSONL("", "!no rows", "an empty file");
	JSONL("{\"kq_a\":1}\n", "!kq_a", "a name of ours");

	LINES("x\n y \n\nz", "line;x; y ;z;", "lines");
	LINES("x\r\ny\r\n", "line;x;y;", "lines with CRLF");
	LINES("", "!no rows", "no lines");
	LINES("a\0b\n", "!NUL", "a NUL");
	check(PARAMS_COMMANDS, STR("echo a\n  \n\tls | wc\n"), ";echo a;\tls | wc;", "commands");
}

static void selected(const char *rows, const char *want)
{
	static const char text[] = "a\n1\n2\n3\n4\n5\n6\n7\n8\n";
	struct buf out = BUF_INIT;

	dump(PARAMS_CSV, text, sizeof(text) - 1, rows, &out);
	is_str(out.p, want, "--rows %s", rows);
	buf_release(&out);
}

static void test_lists(void)
{
	struct seq s = { 5, -2, 3 };
	struct err err = ERR_INIT;
	const struct str *row;
	const char *const words[] = { "x", "", "\xff" };
	struct params *p = params_seq(&s, NULL);
	char got[64] = "";
	size_t n = 0;

	while (params_next(p, &row, &err) == 1)
		n += (size_t)snprintf(got + n, sizeof(got) - n, "%s,", row[0].p);
	is_str(got, "5,3,1,", "--seq counts");
	ok(str_eq(params_columns(p)->name[0], "index"), "as column index");
	params_close(p);
	p = params_each(words, 3, NULL);
	ok(str_eq(params_columns(p)->name[0], "item"), "--each is column item");
	ok(params_next(p, &row, &err) == 1 && str_eq(row[0], "x"), "a word");
	ok(params_next(p, &row, &err) == 1 && row[0].n == 0, "an empty word");
	ok(params_next(p, &row, &err) < 0, "what is not UTF-8 is refused: %s", err.text);
	params_close(p);
	p = params_each(words, 0, NULL);
	ok(params_next(p, &row, &err) < 0, "no words: %s", err.text);
	params_close(p);
	selected("2-3,8", "a;2;3;8;");
	selected("1", "a;1;");
	selected("7-100", "a;7;8;");
	selected("5-", "a;5;6;7;8;");
	selected("2,9", "a;2;!--rows: there is no row 9, f has 8");
}

/* Large things: a cell of 10 MB, and rows across every border of the window. */
static void test_large(void)
{
	struct buf b = BUF_INIT;
	struct err err = ERR_INIT;
	struct params_options o = { .format = PARAMS_CSV, .name = "f" };
	const struct str *row = NULL;
	struct text t;
	struct params *p;
	int64_t bad = 0;

	buf_adds(&b, "a,b\n1,\"");
	for (int i = 0; i < 10 * 1024 * 1024 / 8; i++)
		buf_adds(&b, "12\"\"4,\n8");
	buf_adds(&b, "\"\n2,x\n");
	t = (struct text){ b.p, b.n, 0, 100000 };
	p = params_open(&o, read_text, &t, &err);
	ok(p && params_next(p, &row, &err) == 1 && row[1].n == 10 * 1024 * 1024 / 8 * 7,
	   "a cell of 10 MB is read");
	ok(p && params_next(p, &row, &err) == 1 && str_eq(row[1], "x"), "and the row behind it");
	params_close(p);

	buf_clear(&b);
	buf_adds(&b, "n,text\r\n");
	for (int i = 1; i <= 50000; i++)
		buf_addf(&b, "%d,\"%.*s\"\"\"\r\n", i, i % 40,
			 "abcdefghijklmnopqrstuvwxyz\n,0123456789,\n,");
	t = (struct text){ b.p, b.n, 0, 4096 };
	p = params_open(&o, read_text, &t, &err);
	for (int i = 1; i <= 50000; i++) {
		char want[80];
		int got = p ? params_next(p, &row, &err) : -1;

		snprintf(want, sizeof(want), "%.*s\"", i % 40,
			 "abcdefghijklmnopqrstuvwxyz\n,0123456789,\n,");
		bad += got != 1 || strtol(row[0].p, NULL, 10) != i || !str_eq(row[1], want);
		if (got != 1)
			break;
	}
	ok(p && params_next(p, &row, &err) == 0, "the end");
	is_int(bad, 0, "rows across the borders of the window are whole");
	params_close(p);
	buf_release(&b);
}

static void test_writing(void)
{
	static const char text[] = "a,\"b\nc\",d\"e\n\"x,\"\"y\",\r,\"\"\"q\"\"\"\n";
	struct buf out = BUF_INIT, seen = BUF_INIT, again = BUF_INIT;
	struct str row[] = { STR("x,\"y"), STR("\r"), STR("\"q\"") }, one[] = { STR("") };

	csv_add_row(&out, (const struct str[]){ STR("a"), STR("b\nc"), STR("d\"e") }, 3);
	csv_add_row(&out, row, 3);
	dump(PARAMS_CSV, text, sizeof(text) - 1, NULL, &seen);
	dump(PARAMS_CSV, out.p, out.n, NULL, &again);
	is_str(again.p, seen.p, "what is written reads back");
	buf_clear(&out);
	csv_add_row(&out, one, 1);
	is_str(out.p, "\"\"\n", "one empty field is not an empty line");
	buf_release(&out);
	buf_release(&seen);
	buf_release(&again);
}

static void test_formats(void)
{
	is_int(params_format_of("a.csv"), PARAMS_CSV, ".csv");
	is_int(params_format_of("a.TSV"), PARAMS_TSV, ".TSV");
	is_int(params_format_of("a.jsonl"), PARAMS_JSONL, ".jsonl");
	is_int(params_format_of("a.ndjson"), PARAMS_JSONL, ".ndjson");
	is_int(params_format_of("-"), PARAMS_CSV, "stdin");
}

int main(void)
{
	test_csv();
	test_json();
	test_others();
	test_lists();
	test_large();
	test_writing();
	test_formats();
	return tap_done();
}
