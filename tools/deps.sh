#!/bin/sh
# Sees to what the tests need beside Go and Node: a C compiler (the race
# detector links with it) and Chromium. What is missing comes from Debian's
# packages, by root or sudo; with everything there it needs neither.
set -eu

say() { printf '%s\n' "$*"; }
fail() { printf 'deps: %s\n' "$*" >&2; exit 1; }
have() { command -v "$1" >/dev/null 2>&1; }

have go || fail 'Go is missing: install the version that go.mod names, or a newer one'
have node && have npm || fail 'Node is missing: install Node 20 or newer, with npm'
major=$(node -p 'process.versions.node.split(".")[0]')
[ "$major" -ge 20 ] || fail "Node $major is too old: the pages and the conformance suite need 20 or newer"

missing=''
have cc || have gcc || missing="$missing gcc libc6-dev"
have git || missing="$missing git"
have chromium || have chromium-browser || have google-chrome || missing="$missing chromium"

if [ -n "$missing" ]; then
	have apt-get || fail "please install:$missing (this is no Debian, so not done for you)"
	if [ "$(id -u)" = 0 ]; then
		root=''
	elif have sudo && sudo -n true 2>/dev/null; then
		root='sudo -n'
	else
		fail "please install, as root: apt-get install$missing"
	fi
	say "installing$missing"
	$root apt-get -q update </dev/null
	# shellcheck disable=SC2086 # words, on purpose
	$root env DEBIAN_FRONTEND=noninteractive apt-get -q install -y --no-install-recommends $missing </dev/null
fi

say "$(go version), node $(node --version), npm $(npm --version)"
for browser in chromium chromium-browser google-chrome; do
	if have $browser; then
		say "browser $(command -v $browser)"
		exit 0
	fi
done
fail 'Chromium was installed and is still not found'
