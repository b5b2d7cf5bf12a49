#include "model/shell.h"

#include "base/base.h"

const char *shell_place_name(enum shell_place p)
{
	switch (p) {
	case SHELL_WORD: return "outside quotes";
	case SHELL_SINGLE: return "inside '...'";
	case SHELL_DOUBLE: return "inside \"...\"";
	case SHELL_BACKQUOTE: return "inside backquotes";
	case SHELL_ARITHMETIC: return "inside $((...))";
	case SHELL_HEREDOC: return "in a here-document";
	case SHELL_COMMENT: return "in a comment";
	case SHELL_DOLLAR_SINGLE: return "inside $'...'";
	case SHELL_BRACE: return "inside ${...}";
	case SHELL_SUBSTITUTION: return "inside $(...) within double quotes";
	case SHELL_ESCAPED: return "directly behind a backslash or $";
	case SHELL_UNSURE: return "behind a construct that shells read differently";
	}
	return "in an unknown place";
}

void shell_quote_single(struct buf *out, struct str v)
{
	while (v.n) {
		const char *q = memchr(v.p, '\'', v.n);
		size_t n = q ? (size_t)(q - v.p) : v.n;

		buf_add(out, v.p, n);
		if (q) {
			buf_add(out, "'\\''", 4);
			n++;
		}
		v.p += n;
		v.n -= n;
	}
}

void shell_quote_word(struct buf *out, struct str v)
{
	buf_grow(out, v.n + 2);
	buf_addch(out, '\'');
	shell_quote_single(out, v);
	buf_addch(out, '\'');
}

void shell_quote_double(struct buf *out, struct str v)
{
	for (size_t i = 0; i < v.n; i++) {
		if (v.p[i] == '"' || v.p[i] == '\\' || v.p[i] == '$' || v.p[i] == '`')
			buf_addch(out, '\\');
		buf_addch(out, v.p[i]);
	}
}

static bool plain_char(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       (c && strchr("_-./,:+@%", c));
}

void shell_add_word(struct buf *out, struct str v)
{
	size_t i = 0;

	while (i < v.n && (plain_char(v.p[i]) || v.p[i] == '='))
		i++;
	if (v.n && i == v.n)
		buf_addstr(out, v);
	else
		shell_quote_word(out, v);
}

/*
 * Words that mean something else than a program to a shell that may be /bin/sh (dash, bash, ksh,
 * busybox). true, false, echo, printf and test are programs that do the same. Sorted.
 */
static const char *const shell_words[] = {
	".", ":", "alias", "autoload", "bg", "bind", "break", "builtin", "caller", "case", "cd",
	"chdir", "command", "compgen", "complete", "compopt", "continue", "coproc", "declare",
	"dirs", "disown", "do", "done", "elif", "else", "enable", "esac", "eval", "exec", "exit",
	"export", "fc", "fg", "fi", "float", "for", "function", "functions", "getopts", "hash",
	"help", "history", "if", "in", "integer", "jobs", "kill", "let", "local", "login",
	"logout", "mapfile", "nameref", "newgrp", "popd", "print", "pushd", "pwd", "r",
	"read", "readarray", "readonly", "redirect", "return", "select", "set", "setvar", "shift",
	"shopt", "source", "stop", "suspend", "then", "time", "times", "trap", "type",
	"typeset", "ulimit", "umask", "unalias", "unset", "until", "wait", "whence", "while",
};

static int compare(const void *key, const void *item)
{
	const struct str *k = key;
	const char *w = *(const char *const *)item;
	int d = strncmp(k->p, w, k->n);

	return d ? d : w[k->n] ? -1 : 0;
}

bool shell_plain_chars(struct str s)
{
	for (size_t i = 0; i < s.n; i++)
		if (!plain_char(s.p[i]))
			return false;
	return true;
}

bool shell_is_plain(struct str line)
{
	return line.n && shell_plain_chars(line) &&
	       !bsearch(&line, shell_words, ARRAY_SIZE(shell_words), sizeof(shell_words[0]),
			compare);
}
