#!/bin/sh
# SPDX-License-Identifier: MIT
#
# demo.sh - shows the main job: a listener and a talker share a segment.
#
#     demo.sh MADANG LISTENER TALKER
#
# Everything happens in a namespace of its own in a temporary directory, which
# is gone afterwards, also after Ctrl-C. Nothing is installed and nothing is
# left; the kernel's own System V memory is not touched, and that is checked.
# The talker runs this script again (--between) while both are attached.

set -u

if [ -t 1 ]; then
	step() { printf '\n\033[1m%s\033[0m\n' "$1"; }
else
	step() { printf '\n%s\n' "$1"; }
fi
fail() { printf '\nThe demonstration failed: %s\n' "$1" >&2; exit 1; }

# Shows what a command prints, or fails with it.
show() {
	"$@" > "$WORK/shown" 2>&1 || { cat "$WORK/shown"; fail "$*"; }
	printf '  $ %s\n' "$(echo "$*" | sed "s|$MADANG|madang|")"
	grep . "$WORK/shown" | sed 's/^/    /'
}

# The namespace's table, as its own tool and as util-linux's ipcs see it.
tables() {
	show "$MADANG" ls
	if command -v ipcs > /dev/null; then
		show "$MADANG" run -- ipcs -m
	fi
}

# Its rows as a program inside reads them: all lines but the header.
rows() { "$MADANG" run -- cat /proc/sysvipc/shm | sed 1d; }

# Passes on one line that the listener prints, on descriptor 3.
hear() {
	IFS= read -r text <&3 || fail "the listener fell silent"
	printf '%s\n' "$text"
}

# Run by the talker when the answer has come and both are still attached.
between() {
	hear
	hear
	step "4. The segment table now: both are attached"
	tables
	# shellcheck disable=SC2046 # the fields of the row are wanted as words
	set -- $(rows)
	[ $# -eq 16 ] || fail "one segment expected in the table, not: $*"
	[ "$7" = 2 ] || fail "2 attachments expected, not $7"
	if [ -r /proc/sysvipc/shm ]; then
		awk -v key="$1" '$1 == key { found = 1 } END { exit found }' /proc/sysvipc/shm ||
			fail "the segment is in the kernel's own table"
		echo "  (The kernel's own System V table does not have it.)"
	fi
	step "5. The talker reads the answer; the listener removes the segment"
}

clean_up() {
	trap - EXIT INT TERM HUP
	# shellcheck disable=SC2086 # two process numbers, or one, or none
	[ -z "$listener$talker" ] || kill $listener $talker 2> /dev/null
	wait
	[ -z "$WORK" ] || rm -rf "$WORK"
}

if [ "${1-}" = --between ]; then
	between
	exit 0
fi
if [ $# -ne 3 ]; then
	sed -n '4,11s/^#  \{0,1\}//p' "$0"
	exit 2
fi
MADANG=$1 LISTENER=$2 TALKER=$3 listener='' talker=''
for needed in "$MADANG" "$LISTENER" "$TALKER"; do
	[ -x "$needed" ] || fail "$needed is not there; build it first"
done

# On a memory file system if there is one: that is where namespaces belong.
parent=${TMPDIR:-/tmp}
[ -d /dev/shm ] && [ -w /dev/shm ] && parent=/dev/shm
WORK=
trap clean_up EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP
WORK=$(mktemp -d "$parent/madang-demo.XXXXXX") || fail "no temporary directory"
MADANG_NAMESPACE=$WORK/courtyard
export MADANG WORK MADANG_NAMESPACE

step "1. A namespace is a directory"
show "$MADANG" init "$MADANG_NAMESPACE"
tables

step "2. A listener makes a segment and waits"
mkfifo "$WORK/listener" || fail "mkfifo"
"$LISTENER" "$WORK/key" "Have a nice day, talker." > "$WORK/listener" 2>&1 &
listener=$!
exec 3< "$WORK/listener"
hear

step "3. A talker finds it and speaks"
# In the background, because Ctrl-C ends `wait` at once. A shell that waits for a program in the
# foreground lets the program end first, and this one may have come too late for the signal.
"$TALKER" "$WORK/key" "Hello, I am the talker." sh "$0" --between &
talker=$!
wait "$talker" || fail "the talker"
talker=
cat <&3
wait "$listener" || fail "the listener"
listener=

step "6. The segment table afterwards: empty"
tables
[ -z "$(rows)" ] || fail "a segment was left behind"
printf '\nDone. All of it is shared memory in user space, in %s, now removed.\n' "$MADANG_NAMESPACE"
