#!/bin/sh
# SPDX-License-Identifier: MIT
#
# sanitizers.sh MADANG LIBMADANG_SYSV SOURCE [CC-FLAGS...]
#
# A program that is built with a sanitizer (sanitized.c) runs under `madang run`: every
# sanitizer of gcc and clang that is installed here. Where a runtime is a shared library,
# it also runs with that one in LD_PRELOAD. What does not run without Madang is not asked.

madang=$1 library=$2 source=$3
shift 3
work=$(mktemp -d "${TMPDIR:-/tmp}/madang-sanitizers-XXXXXX") || exit 1
trap 'rm -rf "$work"' EXIT
MADANG_PRELOAD=$library
export MADANG_PRELOAD
failures=0
tried=0

# try WHAT COMMAND...
try() {
	what=$1
	shift
	tried=$((tried + 1))
	"$@" > "$work/said" 2>&1 && return
	echo "$what: exit $?" >&2
	cat "$work/said" >&2
	failures=$((failures + 1))
}

# sanitizer COMPILER FLAG RUNTIME [DEFINITION]: RUNTIME is a file name, "" for a static one
sanitizer() {
	compiler=$1 flag=$2 runtime=$3
	what="$1 $2 ${4-}"
	shift 3
	# shellcheck disable=SC2086 # flags are several words
	"$compiler" $flag $flags "$@" -g -o "$work/program" "$source" -lpthread \
		> /dev/null 2>&1 || return
	path=
	if [ -n "$runtime" ]; then
		# shellcheck disable=SC2086
		path=$("$compiler" $flags -print-file-name="$runtime")
		[ -e "$path" ] || return
		LD_LIBRARY_PATH=${path%/*}
		export LD_LIBRARY_PATH
	fi
	if "$work/program" kernel > /dev/null 2>&1; then
		[ "${1-}" = -DOWN_OPTIONS ] || try "$what" "$madang" run "$work/program"
		[ -z "$path" ] ||
			LD_PRELOAD=$path try "$what, preloaded" "$madang" run "$work/program"
	fi
	unset LD_LIBRARY_PATH
}

flags=$*
machine=x86_64
case " $flags " in *' -m32 '*) machine=i386 ;; esac
sanitizer gcc -fsanitize=address libasan.so
sanitizer gcc -fsanitize=address libasan.so -DOWN_OPTIONS
sanitizer gcc '-fsanitize=address,undefined' libasan.so
sanitizer gcc -fsanitize=thread ''
sanitizer gcc -fsanitize=leak ''
sanitizer gcc -fsanitize=undefined ''
sanitizer gcc -fsanitize=hwaddress ''
sanitizer clang '-fsanitize=address -shared-libasan' "libclang_rt.asan-$machine.so"
for kind in address thread memory undefined leak; do
	sanitizer clang "-fsanitize=$kind" ''
done
[ "$tried" -gt 0 ] || { echo "skipped: no sanitizer is installed"; exit 77; }
[ "$failures" -eq 0 ]
