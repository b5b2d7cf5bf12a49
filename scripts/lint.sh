#!/bin/sh
# lint.sh [CACHE]: static checks; every tool's complaints are errors.
set -eu
cd "$(dirname "$0")/.."
cache=${1:-build/lint}
mkdir -p "$cache"
bad=0
step() { printf '%s\n' "$*" >&2; }

flags="-D_GNU_SOURCE -iquote src $(pkg-config --cflags lua5.4 | sed 's/-I/-isystem /g') -std=gnu11"

step "headers compile alone"
for header in src/*/*.h; do
	# shellcheck disable=SC2086 # flags are words
	printf '#include "%s"\n' "${header#src/}" | gcc $flags -Wall -Wextra -x c -fsyntax-only - || bad=1
done
step "lines of 100 columns; data in tests may have 120"
for file in src/*/*.[ch] tests/*/*.[ch] tests/*.h; do
	case "$file" in src/*) most=100 ;; *) most=120 ;; esac
	expand "$file" | awk -v file="$file" -v most="$most" 'length > most {
		print file ":" NR ": " length " columns"; bad = 1 } END { exit bad }' || bad=1
done
step "clang with the same warnings"
warn=$(sed -n '/^WARN = /,/[^\\]$/p' Makefile | sed 's/^WARN = //; s/\\$//' | tr '\n' ' ')
# shellcheck disable=SC2086
find src tests -name '*.c' -print0 | xargs -0 -P "$(nproc)" -n 8 clang $flags -Itests -Itests/fuzz $warn -Wcomma \
	-Wno-gnu-zero-variadic-macro-arguments -fsyntax-only || bad=1
step "clang-tidy"
# shellcheck disable=SC2086
find src -name '*.c' -print0 | xargs -0 -P "$(nproc)" -I '{}' scripts/tidy.sh "$cache" '{}' $flags || bad=1
step "cppcheck"
cppcheck --quiet --enable=warning,performance,portability --library=posix --library=gnu --inline-suppr \
	--error-exitcode=1 --std=c11 -j "$(nproc)" -D_GNU_SOURCE -iquote src \
	--suppress=missingIncludeSystem --suppress=unknownMacro src || bad=1
step "luacheck"
luacheck --quiet lua tests/lua examples || bad=1
step "python"
find tests scripts examples -name '*.py' -print0 | xargs -0 python3 -c '
import ast, sys
for name in sys.argv[1:]:
    with open(name, encoding="utf-8") as source:
        ast.parse(source.read(), name)' || bad=1
step "shellcheck"
find . -path ./build -prune -o -name '*.sh' -print0 | xargs -0 shellcheck .ci/run || bad=1
step "layers"
scripts/layers.py || bad=1
exit $bad
