/*
 * Where in a shell line a placeholder stands.
 *
 * A reader of the POSIX quoting rules with a stack of what is open. It errs to one side only:
 * where dash, bash, ksh and busybox could disagree (or where finding the end would need a whole
 * parser, as for `case` inside "$(...)"), every later place is SHELL_UNSURE, and refused.
 */
#include "base/base.h"
#include "model/shell.h"

enum open {
	OPEN_CODE, /* the line itself */
	OPEN_SUBST, /* $( */
	OPEN_SINGLE,
	OPEN_DOUBLE,
	OPEN_DOLLAR_SINGLE,
	OPEN_BACKQUOTE,
	OPEN_ARITH,   /* $(( and (( */
	OPEN_BRACKET, /* $[ */
	OPEN_BRACE,   /* ${ */
	OPEN_COMMENT,
};

enum { DEPTH_MAX = 64, HEREDOCS_MAX = 8, DELIMITER_MAX = 128 };
enum { HOLE = -1, END = -2 };

struct heredoc {
	char delimiter[DELIMITER_MAX];
	size_t n;
	bool tabs;   /* <<- */
	bool quoted;
};

struct lexer {
	struct str text;
	size_t i;
	const size_t *hole;
	size_t n_holes, next; /* next hole to be placed */
	enum shell_place *place;
	struct {
		enum open what;
		int depth; /* of parentheses or brackets */
	} stack[DEPTH_MAX];
	size_t top;
	bool word_start; /* a # here would begin a comment */
	bool unsure;
	struct heredoc heredoc[HEREDOCS_MAX]; /* whose bodies begin at the next newline */
	size_t n_heredocs;
};

static enum open top(const struct lexer *l)
{
	return l->stack[l->top].what;
}

static void push(struct lexer *l, enum open what, int depth)
{
	if (l->top + 1 == DEPTH_MAX) {
		l->unsure = true;
		return;
	}
	l->top++;
	l->stack[l->top].what = what;
	l->stack[l->top].depth = depth;
}

static void pop(struct lexer *l)
{
	if (l->top)
		l->top--;
}

/* The byte k behind the current one; HOLE if a placeholder stands before it. */
static int peek(const struct lexer *l, size_t k)
{
	if (l->next < l->n_holes && l->hole[l->next] <= l->i + k)
		return HOLE;
	return l->i + k < l->text.n ? (unsigned char)l->text.p[l->i + k] : END;
}

/* True when code read here is not simply the line's own: its end decides how the rest is read. */
static bool enclosed(const struct lexer *l)
{
	for (size_t i = 1; i <= l->top; i++)
		if (l->stack[i].what != OPEN_SUBST)
			return true;
	return false;
}

static enum shell_place place_here(const struct lexer *l)
{
	bool quoted = false;

	if (l->unsure)
		return SHELL_UNSURE;
	for (size_t i = 1; i <= l->top; i++)
		switch (l->stack[i].what) {
		case OPEN_CODE:
		case OPEN_SINGLE:
			break;
		case OPEN_SUBST:
			if (quoted)
				return SHELL_SUBSTITUTION;
			break;
		case OPEN_DOUBLE: quoted = true; break;
		case OPEN_DOLLAR_SINGLE: return SHELL_DOLLAR_SINGLE;
		case OPEN_BACKQUOTE: return SHELL_BACKQUOTE;
		case OPEN_ARITH:
		case OPEN_BRACKET: return SHELL_ARITHMETIC;
		case OPEN_BRACE: return SHELL_BRACE;
		case OPEN_COMMENT: return SHELL_COMMENT;
		}
	return top(l) == OPEN_SINGLE   ? SHELL_SINGLE
	       : top(l) == OPEN_DOUBLE ? SHELL_DOUBLE
				       : SHELL_WORD;
}

/* Gives `place` to every hole up to offset `end`. */
static void place_until(struct lexer *l, size_t end, enum shell_place place)
{
	for (; l->next < l->n_holes && l->hole[l->next] <= end; l->next++) {
		l->place[l->next] = place;
		l->word_start = false;
	}
}

static void backslash(struct lexer *l)
{
	int c = peek(l, 1);

	if (c == HOLE) {
		l->i++;
		place_until(l, l->i, SHELL_ESCAPED);
		return;
	}
	if (c == '\n') { /* a continuation is nothing at all */
		l->unsure |= top(l) == OPEN_SUBST && enclosed(l);
		l->i += 2;
		return;
	}
	l->word_start = false;
	l->i += c == END ? 1 : 2;
}

static void dollar(struct lexer *l)
{
	int c = peek(l, 1);

	l->word_start = false;
	l->i++;
	if (c == HOLE) {
		place_until(l, l->i, SHELL_ESCAPED);
	} else if (c == '(') {
		bool arith = peek(l, 1) == '(';

		push(l, arith ? OPEN_ARITH : OPEN_SUBST, arith ? 2 : 1);
		l->i += arith ? 2 : 1;
		l->word_start = !arith;
	} else if (c == '{') {
		push(l, OPEN_BRACE, 1);
		l->i++;
	} else if (c == '[') {
		push(l, OPEN_BRACKET, 1);
		l->i++;
	} else if (c == '\'' && top(l) != OPEN_DOUBLE) {
		push(l, OPEN_DOLLAR_SINGLE, 1);
		l->i++;
	} else if (c == '$' || c == '#') {
		l->i++;
	}
}

/* Behind "<<": the delimiter. */
static void heredoc_begin(struct lexer *l)
{
	struct heredoc *h = &l->heredoc[l->n_heredocs];
	int quote = 0;

	if (l->n_heredocs == HEREDOCS_MAX || enclosed(l)) {
		l->unsure = true;
		return;
	}
	*h = (struct heredoc){ .n = 0 };
	if (peek(l, 0) == '-') {
		h->tabs = true;
		l->i++;
	}
	while (peek(l, 0) == ' ' || peek(l, 0) == '\t')
		l->i++;
	for (;; l->i++) {
		int c = peek(l, 0);

		if (c == HOLE) {
			place_until(l, l->i, SHELL_HEREDOC);
			l->unsure = true;
			return;
		}
		if (c == END || (!quote && strchr(" \t\n;&|<>()", c)))
			break;
		if (quote ? c == quote : c == '\'' || c == '"') {
			h->quoted = true;
			quote = quote ? 0 : c;
			continue;
		}
		if (c == '\\' || c == '$' || c == '`' || c == '\n' || h->n == DELIMITER_MAX - 1) {
			if (c == '\\' && !quote) { /* <<\EOF */
				h->quoted = true;
				continue;
			}
			l->unsure = true;
			return;
		}
		h->delimiter[h->n++] = (char)c;
	}
	l->unsure |= quote || !h->n;
	l->n_heredocs++;
	l->word_start = false;
}

static size_t count(const char *p, size_t n, const char *what)
{
	size_t k = 0, len = strlen(what);

	for (size_t i = 0; i + len <= n; i++)
		k += memcmp(p + i, what, len) == 0;
	return k;
}

/* True if a line of a body in which the shell expands things could leave one of them open, so
 * that the shell does not see the delimiter. */
static bool leaves_open(const char *line, size_t n)
{
	if (n && line[n - 1] == '\\')
		return true;
	if (count(line, n, "`") % 2 || count(line, n, "${") > count(line, n, "}"))
		return true;
	return count(line, n, "$(") && (count(line, n, "(") > count(line, n, ")") ||
					count(line, n, "'") % 2 || count(line, n, "\"") % 2);
}

/* The bodies of all pending here-documents; the current byte is the first of the first body. */
static void heredoc_bodies(struct lexer *l)
{
	for (size_t k = 0; k < l->n_heredocs; k++) {
		const struct heredoc *h = &l->heredoc[k];

		while (l->i < l->text.n) {
			const char *line = l->text.p + l->i;
			const char *nl = memchr(line, '\n', l->text.n - l->i);
			size_t n = nl ? (size_t)(nl - line) : l->text.n - l->i, cut = 0;
			bool hole = l->next < l->n_holes && l->hole[l->next] <= l->i + n;

			place_until(l, l->i + n, SHELL_HEREDOC);
			l->i += n + (nl != NULL);
			while (h->tabs && cut < n && line[cut] == '\t')
				cut++;
			if (n - cut >= h->n && memcmp(line + cut, h->delimiter, h->n) == 0) {
				if (n - cut == h->n && !hole)
					break;
				l->unsure |= l->top > 0; /* "EOF)" ends it for some */
			}
			l->unsure |= !h->quoted && leaves_open(line, n);
		}
	}
	l->n_heredocs = 0;
	l->word_start = true;
}

static bool at_word(const struct lexer *l, const char *word)
{
	size_t n = strlen(word);

	for (size_t k = 0; k < n; k++)
		if (peek(l, k) != word[k])
			return false;
	int c = peek(l, n);

	return c == HOLE || c == END || strchr(" \t\n;&|<>()\\\"'$`", c);
}

/* <, << and <<<: input from elsewhere. */
static void less(struct lexer *l)
{
	bool doubled = peek(l, 1) == '<', string = doubled && peek(l, 2) == '<';

	l->i += string ? 3 : doubled ? 2 : 1;
	l->word_start = true;
	if (doubled && !string)
		heredoc_begin(l);
}

/* The line itself and $( ... ). */
static void step_code(struct lexer *l, int c)
{
	switch (c) {
	case '\\': backslash(l); return;
	case '$': dollar(l); return;
	case '\'': push(l, OPEN_SINGLE, 0); break;
	case '"': push(l, OPEN_DOUBLE, 0); break;
	case '`': push(l, OPEN_BACKQUOTE, 0); break;
	case '#':
		if (l->word_start) {
			l->unsure |= enclosed(l);
			push(l, OPEN_COMMENT, 0);
		}
		break;
	case '<': less(l); return;
	case '(':
		if (peek(l, 1) == '(') {
			push(l, OPEN_ARITH, 2);
			l->i += 2;
			return;
		}
		l->stack[l->top].depth++;
		l->i++;
		l->word_start = true;
		return;
	case ')':
		l->i++;
		l->word_start = true;
		if (top(l) == OPEN_SUBST && --l->stack[l->top].depth == 0) {
			pop(l);
			l->word_start = false;
			l->unsure |= l->n_heredocs > 0;
		}
		return;
	case '\n':
		l->i++;
		l->word_start = true;
		if (l->n_heredocs)
			heredoc_bodies(l);
		return;
	case ' ': case '\t': case ';': case '&': case '|': case '>':
		l->i++;
		l->word_start = true;
		return;
	default:
		if (c == 'c' && l->word_start && at_word(l, "case"))
			l->unsure |= enclosed(l);
		break;
	}
	l->i++;
	l->word_start = false;
}

/* Quotes and the like inside something whose end is found by counting. */
static void step_counted(struct lexer *l, int c, char open, char close)
{
	l->i++;
	if (c == open)
		l->stack[l->top].depth++;
	else if (c == close && --l->stack[l->top].depth <= 0)
		pop(l);
	else if (c && strchr("'\"\\`#;\n", c))
		l->unsure = true;
	l->word_start = false;
}

static void step_brace(struct lexer *l, int c)
{
	bool quoted = l->stack[l->top - 1].what == OPEN_DOUBLE;

	switch (c) {
	case '\\': backslash(l); return;
	case '$': dollar(l); return;
	case '}': pop(l); break;
	case '`': push(l, OPEN_BACKQUOTE, 0); break;
	case '\'':
		l->unsure |= quoted;
		push(l, OPEN_SINGLE, 0);
		break;
	case '"':
		l->unsure |= quoted;
		push(l, OPEN_DOUBLE, 0);
		break;
	default: break;
	}
	l->i++;
}

static void step(struct lexer *l)
{
	int c = (unsigned char)l->text.p[l->i];

	switch (top(l)) {
	case OPEN_CODE:
	case OPEN_SUBST: step_code(l, c); return;
	case OPEN_ARITH: step_counted(l, c, '(', ')'); return;
	case OPEN_BRACKET: step_counted(l, c, '[', ']'); return;
	case OPEN_BRACE: step_brace(l, c); return;
	case OPEN_DOUBLE:
		if (c == '\\') {
			backslash(l);
			return;
		}
		if (c == '$') {
			dollar(l);
			return;
		}
		if (c == '"')
			pop(l);
		else if (c == '`')
			push(l, OPEN_BACKQUOTE, 0);
		break;
	case OPEN_SINGLE:
		if (c == '\'')
			pop(l);
		break;
	case OPEN_DOLLAR_SINGLE:
		if (c == '\\') { /* bash goes on behind \', dash does not */
			l->unsure |= peek(l, 1) == '\'';
			l->i += peek(l, 1) == '\\';
		} else if (c == '\'') {
			pop(l);
		}
		break;
	case OPEN_BACKQUOTE:
		if (c == '\\' && peek(l, 1) >= 0)
			l->i++;
		else if (c == '`')
			pop(l);
		break;
	case OPEN_COMMENT:
		if (c == '\n') {
			pop(l);
			step_code(l, c);
			return;
		}
		break;
	}
	l->i++;
	l->word_start = false;
}

void shell_places(struct str text, const size_t *holes, size_t n, enum shell_place *place)
{
	struct lexer l = {
		.text = text,
		.hole = holes,
		.n_holes = n,
		.place = place,
		.word_start = true,
	};

	while (l.i < text.n && l.next < n) {
		if (l.hole[l.next] <= l.i)
			place_until(&l, l.i, place_here(&l));
		else
			step(&l);
	}
	place_until(&l, SIZE_MAX, place_here(&l));
}
