#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# house - which room and which file calls which, read from the compiled objects.
#
#     house check OBJECTS ARCHITECTURE     does the house stand as it should?
#     house draw  OBJECTS PICTURE.svg      draws it
#
# OBJECTS is a directory in which CMake has put the objects of src/: .../ROOM/FILE.c.o. An arrow
# goes from a file that uses a symbol to the file that defines it. Functions that are inlined from a
# header leave no arrow, nor do names that do not begin with mdg_ (those of the C library).
#
# `check` fails when a file calls a room that does not lie below its own, when files of a room call
# each other in a circle, or when ARCHITECTURE, the document, does not name a room.
# 77: there is no nm, or no dot to draw with.
set -euo pipefail

# Each room, and the rooms below it that it may call. The lowest comes first.
rooms='platform:
reach: platform
registry: platform
sync: platform
segment: registry platform
locks: segment sync platform
channel: segment sync platform
msgqueue: segment sync platform
strict: reach platform
sysv: segment platform'

skip() {
	echo "skipped: there is no $1"
	exit 77
}

# Lines "ROOM/FILE ROOM/FILE": the first calls the second.
arrows() {
	find "$1" -name '*.c.o' -printf '%p\n' | sort | while read -r object; do
		name=${object%.c.o}
		name=$(basename "$(dirname "$name")")/$(basename "$name")
		nm "$object" | awk -v file="$name" '
			NF == 3 && $2 ~ /[TDBRVW]/ && $3 ~ /^mdg_/ { print "has", $3, file }
			($1 == "U" || $1 == "w") && $2 ~ /^mdg_/ { print "uses", $2, file }'
	done | sort -u | awk '
		$1 == "has" { home[$2] = home[$2] " " $3 }
		$1 == "uses" { count++; symbol[count] = $2; user[count] = $3 }
		END {
			for (i = 1; i <= count; i++) {
				places = split(home[symbol[i]], place, " ")
				for (k = 1; k <= places; k++)
					if (place[k] != user[i])
						print user[i], place[k]
			}
		}' | sort -u
}

# Says what is wrong with the arrows on its input.
faults() {
	awk -v rooms="$rooms" '
		BEGIN {
			count = split(rooms, line, "\n")
			for (i = 1; i <= count; i++) {
				split(line[i], half, ":")
				known[half[1]] = 1
				below = split(half[2], name, " ")
				for (k = 1; k <= below; k++)
					may[half[1] " " name[k]] = 1
			}
		}
		{
			split($1, from, "/")
			split($2, to, "/")
			if (!(from[1] in known))
				print $1 ": its room is not in the list of rooms"
			else if (from[1] != to[1] && !((from[1] " " to[1]) in may))
				print $1 " calls " $2 ", which is not below it"
		}' "$1" | sort -u
	while IFS=: read -r room _; do
		awk -v room="$room/" 'index($1, room) == 1 && index($2, room) == 1' "$1" |
			tsort 2>&1 >/dev/null | sed 's/^tsort: //' | awk -v room="$room" '
				/input contains a loop/ {
					print room ": files call each other in a circle:"
					next
				}
				{ print "    " $0 }'
	done <<<"$rooms"
}

check() {
	local arrows_file document=$2 wrong
	arrows_file=$(mktemp)
	arrows "$1" >"$arrows_file"
	[ -s "$arrows_file" ] || { echo "no objects in $1" >&2; exit 1; }
	wrong=$(faults "$arrows_file")
	rm -f "$arrows_file"
	while IFS=: read -r room _; do
		grep -q "src/$room/" "$document" ||
			wrong+="$document does not name the room src/$room/"$'\n'
	done <<<"$rooms"
	[ -z "$wrong" ] || { printf '%s\n' "$wrong" >&2; exit 1; }
}

draw() {
	command -v dot >/dev/null || skip dot
	{
		echo 'digraph house { rankdir=TB;'
		echo 'node [shape=box, fontname="sans", fontsize=10];'
		arrows "$1" >"$2.arrows"
		tr ' ' '\n' <"$2.arrows" | sort -u | awk -F/ '
			$1 != room { if (room != "") print "}"; room = $1
				print "subgraph cluster_" room " { label=\"" room "\";" }
			{ print "\"" $0 "\" [label=\"" $2 "\"];" }
			END { print "}" }'
		awk '{ split($1, a, "/"); split($2, b, "/")
			if (a[1] == b[1]) print "\"" $1 "\" -> \"" $2 "\";" }' "$2.arrows"
		echo '}'
	} | dot -Tsvg -o "$2"
	rm -f "$2.arrows"
}

command -v nm >/dev/null || skip nm
case ${1-} in
check | draw) "$@" ;;
*)
	sed -n '3,17s/^# \{0,1\}//p' "$0" >&2
	exit 2
	;;
esac
