#!/bin/sh
# SPDX-License-Identifier: MIT
#
# compare.sh - one program on the kernel, then on Madang: compare.sh SCRIPT [ARGUMENT...]
#
# Runs a script of this directory with MODE=kernel and then with MODE=madang,
# where the twelve kernel calls are forbidden. Both have to pass their own checks,
# and have to print the same: what a script prints is what it observed, without
# ids of processes and segments, times and addresses, which may differ.
#
# Where the kernel has no System V shared memory there is nothing to compare with;
# the checks on Madang are made all the same. Exit as for the scripts.

# shellcheck source=tests/clients/support.sh disable=SC1091
. "$(dirname "$0")/support.sh"

# run MODE ARGUMENT...: the script's exit code; its output is in the file MODE.
run() {
	MODE=$1
	shift
	MODE=$MODE sh "$script" "$@" > "$OUT/$MODE" &
	running=$!
	wait $running
}

script=$(dirname "$0")/$1
shift
can_preload
OUT=$(mktemp -d "${TMPDIR:-/tmp}/madang-compare.XXXXXX") || give_up "mktemp"
trap 'rm -rf "$OUT"' EXIT
trap 'kill -TERM "$running" 2> /dev/null; wait "$running"; exit 130' INT TERM

run kernel "$@"
on_kernel=$?
case $on_kernel in
0 | 77) ;;
*) cat "$OUT/kernel" && give_up "this test is wrong: it fails on the kernel (exit $on_kernel)" ;;
esac
run madang "$@"
on_madang=$?
cat "$OUT/madang"
[ $on_madang -ne 77 ] || exit 77
[ $on_madang -eq 0 ] || give_up "fails on Madang (exit $on_madang)"
if [ $on_kernel -eq 77 ]; then
	printf 'not compared with the kernel: %s\n' "$(cat "$OUT/kernel")"
	exit 0
fi
diff -u "$OUT/kernel" "$OUT/madang" >&2 || give_up "the kernel (-) and Madang (+) differ"
printf 'the same on the kernel and on Madang: %s lines\n' "$(wc -l < "$OUT/kernel")"
