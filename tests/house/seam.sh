#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# seam - system calls are made in src/platform and nowhere else.
#
#     seam SOURCES
#
# SOURCES is src/. Fails when a file outside platform calls the C library's syscall(2) or the
# functions of platform/raw.h, includes a header of platform that is for platform alone, or has the
# instruction itself. Comments do not count, nor does the word syscall without a call behind it.
set -euo pipefail

# Files that may make one, each with its reason.
excepted() {
	case $1 in
	# It makes no call for Madang. A program called syscall(2) by a number that is not Madang's
	# business, and this file hands the six arguments on to the kernel as they came.
	sysv/number_pass.c) true ;;
	*) false ;;
	esac
}

# Prints the file without its comments; its lines keep their numbers.
code() {
	awk '{
		out = ""; rest = $0
		while (rest != "") {
			end = inside ? index(rest, "*/") : 0
			if (inside && end == 0) { rest = ""; break }
			if (inside) { rest = substr(rest, end + 2); inside = 0 }
			start = index(rest, "/*")
			if (start == 0) { out = out rest; break }
			out = out substr(rest, 1, start - 1)
			rest = substr(rest, start + 2); inside = 1
		}
		print out
	}' "$1"
}

word='(^|[^A-Za-z0-9_])'
call="${word}(syscall|mdg__raw[a-z_]*|MDG__RAW[0-9]?)[[:space:]]*\("
header='#[[:space:]]*include[[:space:]]*"platform/(raw|machine)\.h"'
instruction='__asm__[[:space:]]+volatile[[:space:]]*\([[:space:]]*"(syscall|svc|int[[:space:]])'

[ -d "${1-}" ] || { sed -n 3,10p "$0" | sed 's/^# \{0,1\}//' >&2; exit 2; }
cd "$1"
[ -f platform/raw.h ] || { echo "$1 has no platform/raw.h" >&2; exit 1; }
failed=0
while read -r file; do
	found=$(code "$file" | grep -nE "$call|$header|$instruction") || found=
	if excepted "$file"; then
		[ -n "$found" ] || { echo "$file makes no system call, and is excepted"; failed=1; }
		continue
	fi
	[ -n "$found" ] || continue
	echo "$file makes a system call by itself; a function of src/platform should:"
	echo "$found"
	failed=1
done < <(find . -name '*.[ch]' -printf '%P\n' | grep -v '^platform/' | sort)
exit $failed
