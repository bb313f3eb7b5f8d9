#!/bin/sh
# Makes the files that come of the catalogue again. They are committed, so that
# they can be read and used without running anything: that they are the ones
# the catalogue makes is checked here.
set -eu
cd "$(dirname "$0")/.."

files='internal/event/payload_gen.go internal/event/testdata/baseline.txt da-client-lib/src/events.gen.ts docs/events.md docs/api'
before=$(mktemp -d)
trap 'rm -rf "$before"' EXIT
for file in $files; do
	mkdir -p "$before/$(dirname "$file")"
	cp -R "$file" "$before/$file"
done

go generate ./internal/event

changed=0
for file in $files; do
	diff -r "$before/$file" "$file" || changed=1
done
if [ $changed = 1 ]; then
	echo 'generated: some files were not what internal/event/catalog.json makes; they are now: look at them and commit them' >&2
	exit 1
fi
echo 'generated: all files are what internal/event/catalog.json makes'
