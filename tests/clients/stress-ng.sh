#!/bin/sh
# SPDX-License-Identifier: MIT
#
# stress-ng.sh - stress-ng's stressors of System V IPC, with its own verification.
#
# Segments: two workers make, attach, write, check, list and remove them, in
# children that they also kill, with wrong arguments in between. Semaphores:
# several processes take turns, and try every command of semctl. Queues: each
# message has a number, and the receiver checks that none is lost or twice,
# also with types, with large ones, and with two queues at once. Switching:
# processes wake each other by turns. The amount of work is fixed; the time is
# only the limit.

# shellcheck source=tests/clients/support.sh disable=SC1091
. "$(dirname "$0")/support.sh"

# stress OPTION...: one run.
stress() {
	said=$(stress-ng "$@" --verify --timeout 60 2>&1)
	equal "exit of stress-ng $*" 0 $? || printf '%s\n' "$said" >&2
	check "it succeeded" [ -n "$(printf '%s\n' "$said" | grep 'successful run completed')" ] ||
		printf '%s\n' "$said" >&2
	check "nothing was skipped" [ -z "$(printf '%s\n' "$said" | grep -i skip)" ]
	equal "left by stress-ng $*" "0 0 0 " "$(left_over)"
	fact "stressors" "$(printf '%s\n' "$said" | grep -o 'dispatching hogs: .*')"
}

if [ "${1-}" = inside ]; then
	cd "$WORK" || give_up "cd"
	need_empty_table
	stress --shm-sysv 2 --shm-sysv-ops 200 --shm-sysv-bytes 1m --shm-sysv-segs 4
	stress --sem-sysv 2 --sem-sysv-ops 20000
	stress --sem-sysv 1 --sem-sysv-procs 16 --sem-sysv-ops 20000
	stress --msg 2 --msg-ops 20000
	stress --msg 2 --msg-types 10 --msg-ops 10000
	stress --msg 1 --msg-bytes 8192 --msg-ops 5000
	stress --switch 2 --switch-method sem-sysv --switch-ops 10000
	stress --shm-sysv 1 --shm-sysv-ops 50 --sem-sysv 1 --sem-sysv-ops 5000 \
		--msg 1 --msg-ops 5000
	finish
fi
need stress-ng stress-ng
workdir stress
(enter --timeout 200)
