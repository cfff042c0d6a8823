#!/bin/sh
# SPDX-License-Identifier: MIT
#
# xprograms.sh - Debian's own X clients that use MIT-SHM.
#
# ImageMagick's `display` shows a picture; it removes each segment as soon as it has
# attached it, before the server attaches. xwd fetches the screen through the
# socket, x11vnc through shared memory (rfb.pl): both have to show the picture.
# x11perf's tests of XShmPutImage and XShmGetImage come to their end.

# shellcheck source=tests/clients/support.sh disable=SC1091
. "$(dirname "$0")/support.sh"
# shellcheck source=tests/clients/xsupport.sh disable=SC1091
. "$(dirname "$0")/xsupport.sh"

# The raw pixels of where the picture is, three bytes each.
pixels() { convert -size 800x700 -depth 8 "$1" -crop 320x240+0+0 -depth 8 rgb:-; }

make_picture() {
	awk 'BEGIN { print "P3 320 240 255"
		for (i = 0; i < 76800; i++) print i % 251, i * 7 % 253, int(i / 320) }' \
		> "$WORK/picture.ppm"
	pixels "$WORK/picture.ppm" > "$WORK/picture" || give_up "convert"
	fact "the picture" "$(cksum < "$WORK/picture")"
}

# shellcheck disable=SC2317 # it is a condition for wait_until
is_shown() {
	xwd -silent -root -out "$WORK/screen.xwd" &&
		pixels "xwd:$WORK/screen.xwd" > "$WORK/screen" &&
		cmp -s "$WORK/picture" "$WORK/screen"
}

show() {
	(exec display -immutable -borderwidth 0 -geometry +0+0 "$WORK/picture.ppm" \
		> "$WORK/display.out" 2>&1) &
	shower=$!
	wait_until 30 is_shown
	check "the screen shows the picture" is_shown || cat "$WORK/display.out" >&2
	fact "the screen" "$(cksum < "$WORK/screen")"
	fact "segments of display" "$(table)"
}

look_from_afar() {
	if ! command -v x11vnc > /dev/null; then
		printf 'not tried: x11vnc is missing; install it with: apt-get install x11vnc\n' >&2
		return
	fi
	rm -f "$WORK/afar"
	perl "$(dirname "$0")/rfb.pl" "$WORK/afar" > "$WORK/x11vnc" 2>&1 || cat "$WORK/x11vnc" >&2
	pixels "rgb:$WORK/afar" > "$WORK/seen"
	check "x11vnc sees the picture" cmp "$WORK/picture" "$WORK/seen"
}

perf() {
	said=$(x11perf -repeat 1 -reps 20 -shmput10 -shmput500 -shmputxy100 \
		-shmget10 -shmget500 -shmgetxy100 2>&1)
	equal "x11perf's exit" 0 $? || printf '%s\n' "$said" >&2
	fact "x11perf" "$(printf '%s\n' "$said" | grep -o 'Shm.*square.*')"
}

if [ "${1-}" = inside ]; then
	cd "$WORK" || give_up "cd"
	need_empty_table
	start_xserver exec
	make_picture
	show
	look_from_afar
	perf
	kill "$shower"
	wait "$shower" 2> /dev/null
	settled
	stop_xserver
	finish
fi
need_xserver
need x11perf x11-apps
need xwd x11-apps
need display imagemagick
need perl perl
workdir xprograms
# shellcheck disable=SC2119 # no options
(enter)
