#!/bin/sh
# Static checks; every tool's complaints are errors.
set -eu
cd "$(dirname "$0")/.."
bad=0
step() { printf '%s\n' "$*" >&2; }

flags="-D_GNU_SOURCE -iquote src $(pkg-config --cflags lua5.4 | sed 's/-I/-isystem /g')"

step "headers compile alone"
for header in src/*/*.h; do
	# shellcheck disable=SC2086 # flags are words
	printf '#include "%s"\n' "${header#src/}" | gcc $flags -std=gnu11 -Wall -Wextra -x c -fsyntax-only - || bad=1
done
step "clang with the same warnings"
warn=$(sed -n '/^WARN = /,/[^\\]$/p' Makefile | sed 's/^WARN = //; s/\\$//' | tr '\n' ' ')
# shellcheck disable=SC2086
find src -name '*.c' -print0 | xargs -0 -P "$(nproc)" -n 8 clang $flags -std=gnu11 $warn -Wcomma \
	-Wno-gnu-zero-variadic-macro-arguments -fsyntax-only || bad=1
step "clang-tidy"
# shellcheck disable=SC2086
find src -name '*.c' -print0 | xargs -0 -P "$(nproc)" -n 1 sh -c \
	'clang-tidy --quiet "$@" -- '"$flags"' -std=gnu11 2>/dev/null' tidy || bad=1
step "cppcheck"
cppcheck --quiet --enable=warning,performance,portability --library=posix --library=gnu --inline-suppr \
	--error-exitcode=1 --std=c11 -j "$(nproc)" -D_GNU_SOURCE -iquote src \
	--suppress=missingIncludeSystem --suppress=unknownMacro src || bad=1
step "luacheck"
luacheck --quiet lua tests/lua examples 2>/dev/null || { luacheck lua || true; bad=1; }
step "shellcheck"
find . -path ./build -prune -o -name '*.sh' -print0 | xargs -0 shellcheck .ci/run || bad=1
step "layers"
scripts/layers.py || bad=1
exit $bad
