#!/bin/sh
# Runs make targets one after the other, tells how long each took, and stops at
# the first that fails.
#
#	tools/steps.sh TARGET…
set -u
cd "$(dirname "$0")/.." || exit 1

began=$(date +%s)
done=''
for step in "$@"; do
	printf '\n=== %s\n' "$step"
	from=$(date +%s)
	if ! "${MAKE:-make}" --no-print-directory "$step"; then
		printf '\n=== FAILED: %s. The output above says why; `make %s` runs this step alone.\n' "$step" "$step" >&2
		exit 1
	fi
	took=$(($(date +%s) - from))
	done="$done $step ${took}s,"
	printf '=== %s: good, %d s\n' "$step" "$took"
done
printf '\n=== All good in %d s:%s\n' $(($(date +%s) - began)) "${done%,}"
