#!/bin/sh
# SPDX-License-Identifier: MIT
# ipc.sh MADANG-BENCH - `madang-bench --ipc` measures each case on each side, and leaves nothing.
set -u
bench=$1
# shellcheck source=measures.sh
. "$(dirname "$0")/measures.sh"

"$bench" --ipc --quick --others 50 --json "$room/json" >"$room/out" 2>&1 ||
	fail "exit code $?"
if grep -q 'kernel IPC MISSING' "$room/out"; then
	echo "skipped: no System V IPC in this kernel"
	exit 77
fi
grep -q 'could not' "$room/out" && fail "a side could not do a case"
cases=$("$bench" --ipc --case list | wc -l)
[ "$cases" -ge 19 ] || fail "only $cases cases"
for what in ratio ratio_with_others growth; do
	# one of Madang's System V names, one of its native functions; growth also of the kernel
	each=2
	[ $what = growth ] && each=3
	found=$(grep -c "\"$what\": {" "$room/json")
	[ "$found" -eq $((cases * each)) ] || fail "$found times $what for $cases cases"
done
grep -q '"complete": true' "$room/json" || fail "incomplete"
left_nothing
