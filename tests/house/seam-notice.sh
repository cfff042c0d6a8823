#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# seam-notice - seam.sh notices each way to make a system call, and an exception that is not
# needed; and nothing where all is well.
#
#     seam-notice SEAM
set -euo pipefail

seam=$1
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# source ROOM/FILE CODE: writes the code as that file.
source_file() {
	mkdir -p "$work/src/${1%/*}"
	printf '%s\n' "$2" >"$work/src/$1"
}

# refuses CODE: a file with this code is noticed.
refuses() {
	source_file sync/direct.c "$1"
	if "$seam" "$work/src" >"$work/said" 2>&1; then
		echo "not noticed: $1"
		exit 1
	fi
	grep -qF 'sync/direct.c makes a system call' "$work/said" ||
		{ echo "expected sync/direct.c; said:"; cat "$work/said"; exit 1; }
	rm "$work/src/sync/direct.c"
}

source_file platform/raw.h 'long mdg__raw(long number);'
source_file sync/good.c '/* syscall(2), and a call in a comment: syscall(1); */
int good; /* MDG__RAW(SYS_getpid) and
more: mdg__raw(1); */ int syscall_count; /* it */ /* is */ int my_syscall(int syscall);'
"$seam" "$work/src"
refuses 'long f(void) { return syscall(SYS_getpid); }'
refuses 'long f(void) { /* a */ return 0 + /* b */ MDG__RAW(SYS_getpid); }'
refuses '#include "platform/raw.h"'
refuses 'void f(void) { __asm__ volatile("syscall"); }'
source_file sysv/number_pass.c 'int nothing;'
if "$seam" "$work/src" >"$work/said" 2>&1; then
	echo "not noticed: an exception that is not needed"
	exit 1
fi
echo "all five faults were noticed"
