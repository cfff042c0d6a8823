#!/bin/sh
# SPDX-License-Identifier: MIT
# heap.sh MADANG-BENCH - `madang-bench --heap` measures each case on Madang's side and on every
# other side that was found, shows how costs grow, and leaves nothing.
set -u
bench=$1
# shellcheck source=measures.sh
. "$(dirname "$0")/measures.sh"

"$bench" --heap --quick --json "$room/json" >"$room/out" 2>&1 || fail "exit code $?"
grep -q 'could not' "$room/out" && fail "a side could not do a case"
grep -q 'Without madang' "$room/out" && fail "Madang's heap cannot be used"
cases=$("$bench" --heap --case list | wc -l)
[ "$cases" -ge 14 ] || fail "only $cases cases"
found=$(grep -c '"madang": {' "$room/json")
[ "$found" -eq "$cases" ] || fail "Madang's side did $found of $cases cases"
if ! grep -q 'Without mimalloc' "$room/out"; then
	found=$(grep -c '"mimalloc": {' "$room/json")
	[ "$found" -ge 9 ] || fail "mimalloc's side did only $found cases"
fi
grep -q '"complete": true' "$room/json" || fail "incomplete"
left_nothing

"$bench" --heap --scale --quick --json "$room/json" >"$room/out" 2>&1 || fail "exit code $?"
found=$(grep -c '"madang_growth": [0-9.]*[1-9]' "$room/json")
[ "$found" -eq 6 ] || fail "$found rows of growth"
left_nothing
