#!/bin/sh
# Tests the pages' sources in web/ and builds them into internal/ops/web. The
# built pages are committed, so that Go alone builds the program: that they are
# the ones the sources make is checked here.
set -eu
cd "$(dirname "$0")/.."

before=$(mktemp -d)
trap 'rm -rf "$before"' EXIT
cp -R internal/ops/web/. "$before"

cd web
npm ci --no-audit --no-fund
npm test
npm run build
cd ..

if ! diff -r "$before" internal/ops/web; then
	echo 'pages: internal/ops/web was not what web/ builds; it is now: look at it and commit it' >&2
	exit 1
fi
echo 'pages: internal/ops/web is what web/ builds'
