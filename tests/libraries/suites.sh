#!/bin/sh
# SPDX-License-Identifier: MIT
# suites.sh NAME - the tests of a library's own, from Debian's source package, with a heap of
# Madang's as its allocator (hook.c).
#
#   sqlite3   its speed test, in memory: the hash of all results is the same as without a heap
#   libxml2   testapi calls every function, testdict its dictionaries; the examples of its manual
#             print what they should.
#             Debian's source package has none of the documents of the other tests
#   expat     its test-suite. It wants the library's inner functions, so it is built with its
#             sources, whose malloc is the heap's
#
# Environment: CC, SOURCES (script/sources has put them there), TREE and LIBRARY of Madang.
set -u
here=$(dirname "$0")
name=$1
sources=${SOURCES:?}/$name
room=$(mktemp -d) || exit 1
trap 'rm -rf "$room"' EXIT
trap 'exit 1' HUP INT TERM

skip() {
	echo "skipped: $*"
	exit 77
}
fail() {
	echo "FAILED: $*"
	exit 1
}
[ -d "$sources" ] || skip "no source of $name: script/sources build/sources"

used() { # FILE: the program's standard error, which says that the heap was used
	grep -q '^hook: [1-9][0-9]* blocks' "$1" || {
		cat "$1"
		fail "the heap was not used"
	}
}
build() { # PROGRAM options and files...
	program=$1
	shift
	"$CC" -w -O1 -o "$room/$program" "$@" >"$room/log" 2>&1 || {
		cat "$room/log"
		fail "$program is not built"
	}
}
heap="-D_GNU_SOURCE -I $TREE -I $TREE/include -I $TREE/src -I $TREE/tests"
heap="$heap $here/hook.c $LIBRARY -pthread"

sqlite3_suite() {
	options="--memdb --size 10 --verify"
	build plain "$sources/test/speedtest1.c" -lsqlite3
	# shellcheck disable=SC2086
	build speed -DHOOK_SQLITE "$sources/test/speedtest1.c" $heap -lsqlite3
	# shellcheck disable=SC2086
	"$room/plain" $options >"$room/wanted" 2>&1 || fail "without a heap"
	# shellcheck disable=SC2086
	"$room/speed" $options >"$room/got" 2>"$room/err" || fail "speedtest1: $(cat "$room/err")"
	used "$room/err"
	grep 'Verification Hash' "$room/wanted" >"$room/hash" || fail "no hash"
	grep 'Verification Hash' "$room/got" | diff "$room/hash" - || fail "other results"
	grep -h 'TOTAL' "$room/wanted" "$room/got"
}

xml_program() { # NAME: of the source package
	# shellcheck disable=SC2086
	build "$1" -DHOOK_LIBXML2 $xml "$sources/$1.c" $heap -lxml2 -lm
}
xml_example() { # NAME arguments...
	name=$1
	shift
	# shellcheck disable=SC2086
	build "$name" -DHOOK_LIBXML2 $xml "$examples/$name.c" $heap -lxml2
	(cd "$room/examples" && "$room/$name" "$@" >"$room/out" 2>"$room/err")
	diff "$examples/$name.res" "$room/out" || fail "$name: $(cat "$room/err")"
	used "$room/err"
}
libxml2_suite() {
	xml=$(pkg-config --cflags libxml-2.0) || skip "no libxml2"
	examples=$sources/doc/examples
	# The header of this name is of the library's own build.
	mkdir "$room/include"
	cat >"$room/include/libxml.h" <<-'END'
		#include <stdio.h>
		#include <stdlib.h>
		#include <string.h>
		#include <libxml/xmlversion.h>
		#define XML_IGNORE_FPTR_CAST_WARNINGS
		#define XML_POP_WARNINGS
	END
	xml="$xml -I $room/include"
	for program in testdict testapi; do
		xml_program $program
		(cd "$room" && "./$program" >"$room/out" 2>"$room/err") || {
			tail -n 20 "$room/out" "$room/err"
			fail "$program"
		}
		used "$room/err"
		tail -n 1 "$room/out"
	done
	mkdir "$room/examples" && cp "$examples"/*.xml "$room/examples"
	xml_example reader1 test2.xml
	xml_example reader3
	xml_example reader4 test1.xml test2.xml test3.xml
	xml_example tree1 test2.xml
	xml_example tree2
	xml_example xpath1 test3.xml '//child2'
	xml_example xpath2 test3.xml '//discarded' discarded
}

expat_suite() {
	mkdir "$room/include"
	cat >"$room/include/expat_config.h" <<-'END'
		#define BYTEORDER 1234
		#define HAVE_GETRANDOM 1
		#define XML_CONTEXT_BYTES 1024
		#define XML_DTD 1
		#define XML_NS 1
		#define PACKAGE_STRING "expat"
	END
	for file in "$sources"/expat/lib/xmlparse.c "$sources"/expat/lib/xmlrole.c \
		"$sources"/expat/lib/xmltok.c "$sources"/expat/tests/chardata.c \
		"$sources"/expat/tests/memcheck.c "$sources"/expat/tests/minicheck.c \
		"$sources"/expat/tests/runtests.c "$sources"/expat/tests/structdata.c; do
		base=$(basename "$file" .c)
		"$CC" -w -O1 -c -include "$here/hook.h" -D_GNU_SOURCE \
			-DHAVE_EXPAT_CONFIG_H -DXML_TESTING \
			-I "$room/include" -I "$sources/expat/lib" -o "$room/$base.o" "$file" ||
			fail "$base.c is not built"
	done
	# shellcheck disable=SC2086
	build runtests "$room"/*.o $heap -lm
	"$room/runtests" >"$room/out" 2>"$room/err" || {
		tail -n 20 "$room/out" "$room/err"
		fail "runtests"
	}
	used "$room/err"
	grep -h '^100%' "$room/out" || fail "not all tests"
}

"${name}_suite"
