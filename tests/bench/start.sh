#!/bin/sh
# SPDX-License-Identifier: MIT
# start.sh MADANG-BENCH - `madang-bench --start` measures each way of starting a program, and what a
# fork costs it then, and leaves nothing.
set -u
bench=$1
# shellcheck source=measures.sh
. "$(dirname "$0")/measures.sh"

"$bench" --start --quick --json "$room/json" >"$room/out" 2>&1 || fail "exit code $?"
grep -q 'could not' "$room/out" && fail "a way could not be measured"
found=$(grep -c '"wall_ns": {"median": [1-9]' "$room/json")
[ "$found" -eq 8 ] || fail "$found of 8 ways have a time"
found=$(grep -c '"more_ns": {"median": -*[1-9]' "$room/json")
[ "$found" -eq 6 ] || fail "$found of 6 ways are compared with the plain one"
grep -q '"complete": true' "$room/json" || fail "incomplete"
left_nothing
