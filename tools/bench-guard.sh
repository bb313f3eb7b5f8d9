#!/bin/sh
# Compares what the key benchmarks allocate with the committed figures: objects
# and bytes per operation, which do not depend on the machine's mood. Times are
# not compared; for them see docs/performance.md.
#
#	tools/bench-guard.sh          fail if one allocates more, or is not known
#	tools/bench-guard.sh update   write the figures anew, after a look at them
set -eu
cd "$(dirname "$0")/.."
known=tools/bench-guard.txt
now=$(mktemp)
trap 'rm -f "$now"' EXIT

# One line for each: package, benchmark, B/op, allocs/op.
go test -run '^$' -benchmem -benchtime 1000x -bench \
	'^Benchmark(JSONParse|JSONAppend|FrameBytes|Reader|Invoke|Deliver|Subscribe|Subscribe50AndLeave|Verify|May|Check|ReadEnvelope|HTTP|Count|Rate|CallbackChanged|Status)$' -skip '/form=ndjson' \
	./signalr ./signalr/hub ./internal/fanout ./internal/session ./internal/auth ./internal/ingest ./internal/limit ./internal/derive |
	awk '
		$1 == "pkg:" { pkg = $2 }
		/^(--- FAIL|FAIL|panic)/ { print > "/dev/stderr"; bad = 1 }
		/^Benchmark/ {
			name = $1; sub(/-[0-9]+$/, "", name); b = a = ""
			for (i = 2; i < NF; i++) { if ($(i+1) == "B/op") b = $i; if ($(i+1) == "allocs/op") a = $i }
			if (b != "" && name !~ /golang-jwt/) print pkg, name, b, a
		}
		END { exit bad }
	' | sort >"$now"

if [ "${1:-}" = update ]; then
	cp "$now" "$known"
	echo "$(wc -l <"$known") benchmarks written to $known"
	exit
fi
# A byte or an object more is what the benchmark itself costs, spread over its runs.
awk '
	NR == FNR { bytes[$1" "$2] = $3; objects[$1" "$2] = $4; next }
	{
		key = $1" "$2; seen[key] = 1; n++
		if (!(key in bytes)) { print "not known: " key; bad = 1; next }
		if ($4 > objects[key] * 1.05 + 1) { print key ": " $4 " objects, were " objects[key]; bad = 1 }
		if ($3 > bytes[key] * 1.1 + 128) { print key ": " $3 " bytes, were " bytes[key]; bad = 1 }
	}
	END {
		for (key in bytes) if (!(key in seen)) { print "gone: " key; bad = 1 }
		if (!n) { print "no benchmark was run"; bad = 1 }
		if (bad) print "if this is meant: tools/bench-guard.sh update, and say why in the commit"
		else print n " benchmarks allocate no more than committed"
		exit bad
	}
' "$known" "$now"
