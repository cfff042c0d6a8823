#!/bin/sh
# SPDX-License-Identifier: MIT
#
# xserver.sh - an X server and a client that share images: xshm.c tells what.
#
# The client hands the server a bare id. It removes the segment before or after
# the server attached it, and dies or is killed while the server has it: what the
# server holds has to go when it notices, and only then.

# shellcheck source=tests/clients/support.sh disable=SC1091
. "$(dirname "$0")/support.sh"
# shellcheck source=tests/clients/xsupport.sh disable=SC1091
. "$(dirname "$0")/xsupport.sh"

# The server itself ends, or is killed, while clients' segments are in it.
killed_server() {
	"$WORK/xshm" leave
	kill -KILL "${server:?}"
	wait "$server" 2> /dev/null
	equal "segments when the server was killed" "" "$(rows)"
}

if [ "${1-}" = inside ]; then
	need_empty_table
	start_xserver exec
	"$WORK/xshm" all || give_up "xshm"
	settled
	fact "a client that is killed" "$("$WORK/xshm" leave 2>&1)"
	settled
	stop_xserver
	equal "segments when the server ended" "" "$(rows)"
	start_xserver exec
	killed_server
	finish
fi
need_xserver
workdir xserver
build_xshm "$WORK"
# shellcheck disable=SC2119 # no options
(enter)
