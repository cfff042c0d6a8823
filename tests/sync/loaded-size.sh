#!/bin/sh
# SPDX-License-Identifier: MIT
#
# loaded-size.sh - the library needs little memory of threads: loaded-size.sh LIBRARY
#
# The memory of src/platform/ofthread.h is allocated with each thread. If the library is loaded
# later, by dlopen, the C library has to find room in what it has set aside. glibc sets aside about
# 1664 bytes, for all such libraries together.
set -u

most=1500
type=$(readelf -h "$1" | sed -n 's/^ *Class: *//p')
if [ "$type" != ELF64 ]; then
	echo "only asked with 64 bits: $type"
	exit 77
fi
size=$(($(readelf -lW "$1" | sed -n 's/^ *TLS *\([^ ]* *\)\{4\}\([^ ]*\) .*/\2/p')))
[ "$size" -gt 0 ] || { echo "$1 has no memory of threads, which cannot be" >&2; exit 1; }
[ "$size" -le "$most" ] && exit 0
echo "$1 has $size bytes of memory for each thread, and $most are the most." >&2
echo "With more, dlopen fails: glibc keeps about 1664 bytes for libraries that are loaded late." >&2
echo "Put what is large into the thread's page: see src/platform/perthread.h." >&2
exit 1
