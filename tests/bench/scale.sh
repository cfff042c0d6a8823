#!/bin/sh
# SPDX-License-Identifier: MIT
# scale.sh MADANG-BENCH - `--scale` measures every operation of each subject with 1 to 64 processes.
set -u
bench=$1
# shellcheck source=measures.sh
. "$(dirname "$0")/measures.sh"

scales() { # OPERATIONS OTHER [OPTION]
	operations=$1 other=$2
	shift 2
	"$bench" --scale --quick "$@" --json "$room/json" >"$room/out" 2>&1 || fail "exit code $?"
	found=$(grep -c '"call":' "$room/json")
	[ "$found" -eq $((4 * operations)) ] || fail "$found rows for $operations operations: $*"
	rates=$(grep -c '"madang_rate": {' "$room/json")
	[ "$rates" -eq "$found" ] || fail "Madang has $rates rates of $found: $*"
	grep -q 'kernel IPC MISSING' "$room/out" && [ "$other" = kernel ] && return
	rates=$(grep -c "\"${other}_rate\": {" "$room/json")
	[ "$rates" -eq "$found" ] || fail "$other has $rates rates of $found: $*"
	grep -q '"processes": 64' "$room/json" || fail "never 64 processes: $*"
	left_nothing
}

scales 6 kernel
scales 6 glibc --sync
scales 4 kernel --ipc
scales 1 pipe --channel
"$bench" --scale --parts >"$room/out" 2>&1 && fail "--scale --parts is taken"
grep -q 'no such table' "$room/out" || fail "it does not say why"
echo "ok"
