#!/bin/sh
# SPDX-License-Identifier: MIT
# ipc.sh MADANG-BENCH - `madang-bench --ipc` measures each case on each side, and leaves nothing.
#
# The ratios are not judged: they depend on what else the machine does.
set -u
bench=$1
room=$(mktemp -d) || exit 1
trap 'rm -rf "$room"' EXIT
trap 'exit 1' HUP INT TERM

fail() {
	echo "FAILED: $*"
	cat "$room/out"
	exit 1
}

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
namespace=$(sed -n 's/.*; namespace \([^;]*\);.*/\1/p' "$room/out")
[ -n "$namespace" ] || fail "it does not say which namespace it used"
[ ! -e "$namespace" ] || fail "left behind: $namespace"
