#!/bin/sh
# Fuzzes every fuzz target of the module; to find none is an error.
#
#	tools/fuzz.sh BUDGET [FOLDER…]
#
# BUDGET is that of go test -fuzztime: 20000x for as many inputs, 10m for a
# time. A time may end in "context deadline exceeded" though nothing was found:
# a race in Go's own fuzzing before 1.27 (golang/go#75804). Such an end, and no
# other, is tried again once; a number of inputs has no such race, so CI uses
# that. FOLDERs limit the search, such as ./signalr.
#
# What it finds lies in the package's testdata/fuzz afterwards: commit it with
# the fix, every later run of the tests tries it again.
set -eu
cd "$(dirname "$0")/.."
budget=${1:?how much for each target, such as 20000x or 10m}
shift
[ $# -gt 0 ] || set -- .

log=$(mktemp)
trap 'rm -f "$log"' EXIT

# fuzz DIR TARGET leaves its output in log; its exit code is go test's.
fuzz() {
	rc=$(mktemp)
	{ go test -run '^$' -fuzz "^$2\$" -fuzztime "$budget" "$1" 2>&1 || echo $? >"$rc"; } | tee "$log"
	code=$(cat "$rc")
	rm -f "$rc"
	return "${code:-0}"
}

# From the sources and not by go test -list, which would build every test once
# more, without the fuzzer in it.
count=0
for dir in $(grep -rl --include='*_test.go' --exclude-dir=node_modules '^func Fuzz' "$@" | xargs -r -n 1 dirname | sort -u); do
	case $dir in .*|/*) ;; *) dir=./$dir ;; esac
	for target in $(sed -n 's/^func \(Fuzz[A-Za-z0-9_]*\)(.*/\1/p' "$dir"/*_test.go); do
		echo "fuzz $dir $target"
		if ! fuzz "$dir" "$target"; then
			if ! grep -q '^ *context deadline exceeded$' "$log" || grep -q 'Failing input written\|panic' "$log"; then
				exit 1
			fi
			echo "fuzz: nothing was found, the time ran out badly (golang/go#75804): once more"
			fuzz "$dir" "$target"
		fi
		count=$((count + 1))
	done
done
[ "$count" -gt 0 ] || { echo 'fuzz: no target found' >&2; exit 1; }
echo "fuzz: $count targets, $budget each, nothing found"
