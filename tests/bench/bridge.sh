#!/bin/sh
# SPDX-License-Identifier: MIT
# bridge.sh MADANG-BENCH-BRIDGE - the plain programs beside which the bridge is measured all bring
# their messages over; nothing is left.
set -u
bench=$1
room=$(mktemp -d)
trap 'rm -rf "$room"' EXIT
fail() {
	echo "$*" >&2
	cat "$room/out" >&2
	exit 1
}

mkdir "$room/tmp"
TMPDIR=$room/tmp timeout 60 "$bench" --quick --plain --json "$room/json" >"$room/out" 2>&1
code=$?
[ $code -eq 77 ] && cat "$room/out" && exit 77
[ $code -eq 0 ] || fail "exit code $code"
[ -z "$(ls -A "$room/tmp")" ] || fail "left behind: $(ls "$room/tmp")"
grep -q 'failed\|too long\|missing' "$room/out" && fail "a side could not do a case"
found=$(grep -c '"messages_a_second": {' "$room/json")
[ "$found" -eq 8 ] || fail "$found rates instead of 8"
found=$(grep -c '"ns": {' "$room/json")
[ "$found" -eq 4 ] || fail "$found latencies instead of 4"
"$bench" --case nothing >"$room/out" 2>&1
[ $? -eq 2 ] || fail "a case that is not there is no wrong usage"
"$bench" --server /nonexistent >"$room/out" 2>&1
[ $? -eq 77 ] || fail "without a server it does not skip"
grep -q '/nonexistent is not installed' "$room/out" || fail "it does not say what is missing"
"$bench" --quick --case one-way-64 --bridge /nonexistent >"$room/out" 2>&1 ||
	fail "without a bridge it fails"
grep -q 'without bridges: no program /nonexistent' "$room/out" || fail "nothing is said"
if [ -x "$(dirname "$bench")/madang-bridge" ]; then
	TMPDIR=$room/tmp timeout 60 "$bench" --quick --segment >"$room/out" 2>&1 ||
		fail "--segment: exit code $?"
	[ "$(grep -c 'a second\|all it can' "$room/out")" -eq 3 ] || fail "--segment: no table"
	[ -z "$(ls -A "$room/tmp")" ] || fail "left behind: $(ls "$room/tmp")"
fi
exit 0
