# shellcheck shell=sh
# SPDX-License-Identifier: MIT
#
# measures.sh - for the tests of madang-bench, which read it first. It makes a directory,
# $room, which goes at the end.
#
# The ratios are not judged: they depend on what else the machine does.

room=$(mktemp -d) || exit 1
trap 'rm -rf "$room"' EXIT
trap 'exit 1' HUP INT TERM

fail() {
	echo "FAILED: $*"
	cat "$room/out"
	exit 1
}

# results FILE MACHINE SETTINGS CASES: a file in $room, as --json writes it.
results() {
	cat >"$room/$1" <<EOF
{"program": "madang-bench", "date": "2026-01-01T00:00:00Z", "complete": true,
 "machine": {"cpu": "$2", "cpus": 2, "load": 1.5}, "settings": $3, $4}
EOF
}

# It says which namespace it used, and that is gone.
left_nothing() {
	namespace=$(sed -n 's/.*; namespace \([^;]*\);.*/\1/p' "$room/out")
	[ -n "$namespace" ] || fail "it does not say which namespace it used"
	[ ! -e "$namespace" ] || fail "left behind: $namespace"
}
