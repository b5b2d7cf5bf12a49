#!/bin/sh
# Installs, by package name, what a step needs and is not there: deps.sh build|demo|test|bench|lint
# Asks through sudo when not root. Does nothing, and needs no network, when all is installed.
set -eu

build="gcc make pkg-config libc6-dev liblua5.4-dev lua5.4 lua-cjson-dev libjansson-dev libinih-dev libsqlite3-dev libssl-dev libcurl4-openssl-dev"
demo="python3"
test="python3 strace util-linux e2fsprogs procps tmux openssh-server openssh-client munge slurmctld slurmd slurm-client zsh libedit2 fish lua-check"
bench="python3 openssl parallel findutils"
lint="clang clang-tidy clang-format cppcheck lua-check shellcheck"

case "${1:-build}" in
build) want="$build" ;;
demo) want="$build $demo" ;;
test) want="$build $demo $test" ;;
bench) want="$build $demo $test $bench" ;;
lint) want="$build $lint" ;;
*) echo "usage: deps.sh build|demo|test|bench|lint" >&2; exit 2 ;;
esac

if ! command -v dpkg-query >/dev/null 2>&1; then
	echo "this is no Debian system; please install what matches: $want" >&2
	exit 0
fi
missing=""
for package in $want; do
	state=$(dpkg-query -W -f='${Status}' "$package" 2>/dev/null || true)
	case "$state" in
	"install ok installed") ;;
	*) missing="$missing $package" ;;
	esac
done
[ -n "$missing" ] || exit 0

echo "installing:$missing" >&2
run=""
[ "$(id -u)" = 0 ] || run="sudo"
export DEBIAN_FRONTEND=noninteractive
# shellcheck disable=SC2086 # the list is meant to be split into words
if ! $run apt-get install -y --no-install-recommends $missing >/dev/null 2>&1; then
	$run apt-get update
	# shellcheck disable=SC2086
	$run apt-get install -y --no-install-recommends $missing
fi
