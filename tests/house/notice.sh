#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# notice - house.sh notices what is wrong: an arrow that runs up, a circle of files, a room that is
# not known, a room that the document does not name; and nothing where all is well.
#
#     notice HOUSE ARCHITECTURE CC
set -euo pipefail

house=$1 document=$2 cc=$3
command -v nm >/dev/null || { echo "skipped: there is no nm"; exit 77; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# object ROOM/FILE CODE: compiles the code as that file.
object() {
	mkdir -p "$work/objects/${1%/*}"
	printf '%s\n' "$2" | "$cc" -x c -c -o "$work/objects/$1.c.o" -
}

# expect TEXT: the check fails and says this.
expect() {
	if "$house" check "$work/objects" "${2-$document}" >"$work/said" 2>&1; then
		echo "not noticed: $1"
		exit 1
	fi
	grep -qF "$1" "$work/said" || { echo "expected: $1; said:"; cat "$work/said"; exit 1; }
}

object sync/low 'void mdg__low(void) {}'
object channel/high 'void mdg__low(void); void mdg__high(void) { mdg__low(); }'
"$house" check "$work/objects" "$document"

object sync/up 'void mdg__high(void); void mdg__up(void) { mdg__high(); }'
expect 'sync/up calls channel/high, which is not below it'
rm "$work/objects/sync/up.c.o"

object sync/a 'void mdg__b(void); void mdg__a(void) { mdg__b(); }'
object sync/b 'void mdg__a(void); void mdg__b(void) { mdg__a(); }'
expect 'sync: files call each other in a circle:'
rm "$work/objects/sync/"[ab].c.o

object cellar/x 'void mdg__low(void); void mdg__x(void) { mdg__low(); }'
expect 'cellar/x: its room is not in the list of rooms'
rm -r "$work/objects/cellar"

grep -v 'src/sync/' "$document" >"$work/document"
expect 'does not name the room src/sync/' "$work/document"
echo "all four faults were noticed"
