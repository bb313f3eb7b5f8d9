#!/bin/sh
# Builds DAClientLib and its reference, looks at its size and at what npm would
# pack, and tests it in Node and Chromium against real nodes. The bundles that
# nodes serve are committed in internal/ops/web/client, so that Go alone builds
# the program: that they are the ones the sources make is checked here.
#
#	tools/dalib.sh [long]
set -eu
cd "$(dirname "$0")/.."
served=internal/ops/web/client

# The tests use what conformance/ has: the browser, a network that breaks, processes.
[ -d conformance/node_modules/playwright-core ] || (cd conformance && npm ci --no-audit --no-fund)

cd da-client-lib
npm ci --no-audit --no-fund
npm run build
npm run size
npm run docs
cd ..

before=$(mktemp -d)
trap 'rm -rf "$before"' EXIT
mkdir -p $served
cp -R $served/. "$before"
node da-client-lib/scripts/serve.mjs $served
if ! diff -r "$before" $served; then
	echo "dalib: $served was not what da-client-lib/ builds; it is now: look at it and commit it" >&2
	exit 1
fi
echo "dalib: $served is what da-client-lib/ builds"

node da-client-lib/test/run.mjs ${1:-}
