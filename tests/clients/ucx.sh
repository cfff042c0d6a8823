#!/bin/sh
# SPDX-License-Identifier: MIT
#
# ucx.sh - UCX, the library below MPI and OpenSHMEM, with its messages in System V segments.
#
# It makes a segment by shmget, and attaches it by the number of the system call, because it
# has written a jump to a hook of its own over the first bytes of shmat, munmap and their kin.

# shellcheck source=tests/clients/support.sh disable=SC1091
. "$(dirname "$0")/support.sh"

# listens PORT: whether anybody listens on the port. /proc/net/tcp has its number in hexadecimal.
listens() {
	grep -qi "^ *[0-9]*: [0-9A-F]*:$(printf %04X "$1") 00000000:0000 0A" \
		/proc/net/tcp /proc/net/tcp6 2> /dev/null
}

if [ "${1-}" = inside ]; then
	cd "$WORK" || give_up "cd"
	need_empty_table
	port=$((20000 + $$ % 20000))
	while listens "$port"; do port=$((port + 1)); done
	ucx_perftest -p "$port" > server 2>&1 &
	server=$!
	wait_until 20 listens "$port" || give_up "the server does not listen: $(cat server)"
	ucx_perftest 127.0.0.1 -p "$port" -t tag_lat -s 8 -n 1000 -w 10 > client 2>&1
	equal "the client's exit" 0 $? || cat client >&2
	wait_until 20 ended "$server" || kill -9 "$server"
	wait "$server"
	equal "the server's exit" 0 $? || cat server >&2
	check "UCX chose System V" grep -q sysv server client
	fact "rounds" "$(awk '$1 == "Final:" { print $2 }' client)"
	wait_until 20 no_segments
	equal "segments left" "" "$(rows)"
	finish
fi

need ucx_perftest ucx-utils
workdir ucx
UCX_TLS=sysv,self,tcp UCX_NET_DEVICES=lo UCX_LOG_LEVEL=info
export UCX_TLS UCX_NET_DEVICES UCX_LOG_LEVEL
# shellcheck disable=SC2119 # no options
(enter)
