#!/bin/sh
# tidy.sh CACHE FILE FLAGS...: clang-tidy on one file, unless the same text (with its headers and
# comments), flags and checks were clean before; CACHE remembers that by sha256.
set -eu
cache=$1 file=$2
shift 2

key=$({ cat .clang-tidy; clang-tidy --version; echo "$*"; clang "$@" -E -C "$file"; } | sha256sum)
stamp="$cache/${key%% *}"
[ ! -e "$stamp" ] || exit 0
clang-tidy --quiet "$file" -- "$@" 2>/dev/null
: >"$stamp"
