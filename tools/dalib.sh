#!/bin/sh
# Builds DAClientLib, tests it in Node and Chromium against the real program,
# and looks at what the npm package would hold. The bundles that nodes serve are
# committed in internal/ops/web/client, so that Go alone builds the program:
# that they are the ones the sources make is checked here.
set -eu
cd "$(dirname "$0")/.."

before=$(mktemp -d)
trap 'rm -rf "$before"' EXIT
mkdir -p internal/ops/web/client
cp -R internal/ops/web/client/. "$before"

# The tests share the helpers of conformance/, Chromium's among them.
[ -d conformance/node_modules/playwright-core ] || (cd conformance && npm ci --no-audit --no-fund)

cd da-client-lib
npm ci --no-audit --no-fund
npm run build
npm test
cd ..

if ! diff -r "$before" internal/ops/web/client; then
	echo 'dalib: internal/ops/web/client was not what da-client-lib/ builds; it is now: look at it and commit it' >&2
	exit 1
fi
echo 'dalib: internal/ops/web/client is what da-client-lib/ builds'
