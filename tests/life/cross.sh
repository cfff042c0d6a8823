#!/bin/sh
# SPDX-License-Identifier: MIT
#
# cross.sh KIND SOURCE BUILD CMAKE TARGET -- COMMAND...
#
# Builds the libraries and the program TARGET once more, for KIND (native, m32 or
# musl), in BUILD, and runs COMMAND with that program's path as last argument.
# Several may do so at a time: one builds after the other.
# Exit 77 when this machine cannot build or run programs of that kind; then it
# says what to install. What the build prints is shown when it fails.
set -u

kind=$1 source=$2 build=$3 cmake=$4 target=$5
shift 6

case $kind in
native) compiler=${CC:-cc} flags='' packages="gcc" ;;
m32)
	compiler=gcc packages="gcc-12-multilib libc6-dev-i386"
	# What gcc-multilib's link /usr/include/asm would give.
	flags="-m32 -isystem /usr/include/x86_64-linux-gnu"
	;;
musl) compiler=musl-gcc flags='' packages="musl-tools" ;;
*)
	echo "cross.sh: what is $kind?" >&2
	exit 2
	;;
esac

mkdir -p "$build" || exit 1
exec 9>"$build/lock"
flock 9 2>/dev/null
printf '#include <stdio.h>\nint main(void) { return puts("runs") < 0; }\n' >"$build/probe.c"
# shellcheck disable=SC2086 # the flags are words
if ! $compiler $flags "$build/probe.c" -o "$build/probe" >"$build/probe.log" 2>&1 ||
	! "$build/probe" >>"$build/probe.log" 2>&1; then
	echo "skipped: no programs of kind $kind here; on Debian: apt install $packages"
	exit 77
fi

if ! { "$cmake" -S "$source" -B "$build" -DCMAKE_C_COMPILER="$compiler" \
	-DCMAKE_C_FLAGS="$flags" -DCMAKE_BUILD_TYPE=RelWithDebInfo &&
	"$cmake" --build "$build" --target "$target"; } >"$build/build.log" 2>&1; then
	cat "$build/build.log"
	exit 1
fi
exec 9>&-
exec "$@" "$build/tests/$target"
