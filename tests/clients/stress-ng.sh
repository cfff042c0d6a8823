#!/bin/sh
# SPDX-License-Identifier: MIT
#
# stress-ng.sh - stress-ng's System V stressor, with its own verification.
#
# Two workers make, attach, write, check, list and remove segments, in children
# that it also kills, with wrong arguments in between. The amount of work is
# fixed; the time is only the limit.

# shellcheck source=tests/clients/support.sh disable=SC1091
. "$(dirname "$0")/support.sh"

if [ "${1-}" = inside ]; then
	cd "$WORK" || give_up "cd"
	need_empty_table
	said=$(stress-ng --shm-sysv 2 --shm-sysv-ops 200 --shm-sysv-bytes 1m --shm-sysv-segs 4 \
		--verify --timeout 60 2>&1)
	equal "stress-ng's exit" 0 $? || printf '%s\n' "$said" >&2
	check "it succeeded" [ -n "$(printf '%s\n' "$said" | grep 'successful run completed')" ] ||
		printf '%s\n' "$said" >&2
	check "nothing was skipped" [ -z "$(printf '%s\n' "$said" | grep -i skip)" ]
	equal "segments left" "" "$(rows)"
	fact "stressors" "$(printf '%s\n' "$said" | grep -o 'dispatching hogs: .*')"
	finish
fi
need stress-ng stress-ng
WORK=$(mktemp -d "${TMPDIR:-/tmp}/madang-stress.XXXXXX") || give_up "mktemp"
export WORK
trap 'rm -rf "$WORK"' EXIT
trap 'exit 130' INT TERM
(enter --timeout 90)
