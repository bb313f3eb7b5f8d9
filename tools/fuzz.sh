#!/bin/sh
# Fuzzes every fuzz target of the module for some time each; none is an error.
#
#	tools/fuzz.sh TIME
#
# What it finds lies in the package's testdata/fuzz afterwards: commit it with
# the fix, every later run of the tests tries it again.
set -eu
cd "$(dirname "$0")/.."
time=${1:?how long for each target, such as 2s}

count=0
for dir in $(grep -rl --include='*_test.go' --exclude-dir=node_modules '^func Fuzz' . | xargs -r -n 1 dirname | sort -u); do
	listed=$(go test -list '^Fuzz' "$dir") # on its own, so that a build that fails ends this script
	for target in $(printf '%s\n' "$listed" | grep '^Fuzz'); do
		echo "fuzz $dir $target"
		go test -run '^$' -fuzz "^$target\$" -fuzztime "$time" "$dir"
		count=$((count + 1))
	done
done
[ "$count" -gt 0 ] || { echo 'fuzz: no target found' >&2; exit 1; }
echo "fuzz: $count targets, $time each, nothing found"
