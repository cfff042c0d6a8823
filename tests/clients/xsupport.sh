# SPDX-License-Identifier: MIT
# shellcheck shell=sh
#
# xsupport.sh - an X server for the scripts that need one. Sourced after support.sh.
#
# Xvfb draws into memory and picks a free display number itself, so several can
# run at once. It does not start anew when its last client leaves: what a client
# left behind would go then anyway.

need_xserver() {
	need Xvfb xvfb
	need cc gcc
}

# build_xshm DIRECTORY: xshm.c, for the system's C library whatever the build is for.
build_xshm() {
	said=$(cc -std=c11 -D_GNU_SOURCE -O2 -o "$1/xshm" "$(dirname "$0")/xshm.c" \
		-lXext -lX11 2>&1) && return 0
	case $said in
	*X11/*"No such file"* | *"cannot find -lX"*)
		skip "the X client libraries are missing;" \
			"install them with: apt-get install libx11-dev libxext-dev" ;;
	esac
	give_up "xshm.c does not compile: $said"
}

# shellcheck disable=SC2317 # it is a condition for wait_until
has_display() { grep -qs '[0-9]' "$WORK/display" || ended "$server"; }

# start_xserver COMMAND...: COMMAND is `exec`, or becomes another user first.
start_xserver() {
	: > "$WORK/display"
	"$@" Xvfb -displayfd 3 -screen 0 800x700x24 -nolisten tcp -noreset -ac \
		3> "$WORK/display" > "$WORK/server" 2>&1 &
	server=$!
	wait_until 30 has_display
	[ -s "$WORK/display" ] || give_up "the X server does not start: $(cat "$WORK/server")"
	DISPLAY=:$(cat "$WORK/display")
	export DISPLAY
}

stop_xserver() {
	check "the X server still runs" kill "$server"
	wait "$server"
	equal "the X server's exit" 0 $?
}

# settled: what the server knew of clients that are gone is gone too.
settled() {
	wait_until 20 no_segments
	equal "segments when the clients are gone" "" "$(rows)"
}
