#!/bin/sh
# Fuzzes every fuzz target of the module for some time each; to find none is an
# error.
#
#	tools/fuzz.sh TIME
#
# What it finds lies in the package's testdata/fuzz afterwards: commit it with
# the fix, every later run of the tests tries it again.
set -eu
cd "$(dirname "$0")/.."
time=${1:?how long for each target, such as 2s}

# From the sources and not by go test -list, which would build every test once
# more, without the fuzzer in it.
count=0
for dir in $(grep -rl --include='*_test.go' --exclude-dir=node_modules '^func Fuzz' . | xargs -r -n 1 dirname | sort -u); do
	for target in $(sed -n 's/^func \(Fuzz[A-Za-z0-9_]*\)(.*/\1/p' "$dir"/*_test.go); do
		echo "fuzz $dir $target"
		go test -run '^$' -fuzz "^$target\$" -fuzztime "$time" "$dir"
		count=$((count + 1))
	done
done
[ "$count" -gt 0 ] || { echo 'fuzz: no target found' >&2; exit 1; }
echo "fuzz: $count targets, $time each, nothing found"
