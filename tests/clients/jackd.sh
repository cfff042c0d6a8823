#!/bin/sh
# SPDX-License-Identifier: MIT
#
# jackd.sh - JACK: servers and clients enter its table of shared memory by a semaphore with undo.
#
# A server without a sound card, a client of it, a second server that is killed,
# and the end of the first. Whoever comes later must never find the table locked.

# shellcheck source=tests/clients/support.sh disable=SC1091
. "$(dirname "$0")/support.sh"

# The semaphore of the table: value, and how many wait.
semaphore() {
	id=$(sed 1d /proc/sysvipc/sem | awk '{ print $2 }')
	ipcs -s -i "$id" | awk '$1 == "0" { print $2, $3, $4 }'
}

# start NAME: a server in the background, until its client hears from it.
start() {
	setsid jackd -n "$1" -d dummy -r 48000 -p 256 > "$WORK/$1" 2>&1 &
	server=$!
	wait_until 30 answers "$1" || give_up "jackd: $(cat "$WORK/$1")"
}

# shellcheck disable=SC2317 # it is a condition for wait_until
answers() { jack_lsp -s "$1" 2> /dev/null | grep -q system:playback; }

if [ "${1-}" = inside ]; then
	HOME=$WORK
	export HOME
	start first-"$$"
	first=$server
	fact "the set" "$(sed 1d /proc/sysvipc/sem | awk '{ print $3, $4 }')"
	fact "ports" "$(jack_lsp -s first-"$$" | sort)"
	fact "the table is free" "$(semaphore)"
	start second-"$$"
	kill -KILL "$server"
	wait "$server" 2> /dev/null
	rm -f /dev/shm/jack*second-$$* # POSIX shared memory that it has left
	fact "after a death" "$(semaphore)"
	fact "ports of the first" "$(jack_lsp -s first-"$$" | sort)"
	kill -TERM $first
	wait $first
	fact "exit" $?
	fact "at the end" "$(semaphore)"
	[ -n "$REGISTRY" ] || rm -f /dev/shm/jack-shm-registry
	finish
fi
need jackd jackd2
need jack_lsp jackd2
need ipcs util-linux
workdir jackd
REGISTRY=$(ls /dev/shm/jack-shm-registry 2> /dev/null)
JACK_NO_AUDIO_RESERVATION=1 JACK_NO_START_SERVER=1
export REGISTRY JACK_NO_AUDIO_RESERVATION JACK_NO_START_SERVER
(enter --timeout 100)
