#!/bin/sh
# SPDX-License-Identifier: MIT
#
# dropped.sh - runs dropped.c: a server that gives up root's rights, then forks.

# shellcheck source=tests/clients/support.sh disable=SC1091
. "$(dirname "$0")/support.sh"

# serve ARGUMENT...: what it says, and what root sees when it has ended: its
# grandchild, if it has one, until that is killed.
serve() {
	"$WORK/dropped" "$@" || give_up "dropped $*"
	fact "root sees" "$(table)"
	ipcrm --all=shm
}

if [ "${1-}" = inside ]; then
	need_empty_table
	serve "$(id -u nobody)"
	fact "removed" "$(table)"
	serve "$(id -u nobody)" closed
	finish
fi
need cc gcc
need ipcrm util-linux
[ "$(id -u)" -eq 0 ] || skip "only root has rights to give up"
workdir dropped
cc -std=c11 -D_GNU_SOURCE -O2 -o "$WORK/dropped" "$(dirname "$0")/dropped.c" ||
	give_up "dropped.c does not compile"
chmod 755 "$WORK"
# shellcheck disable=SC2119 # no options
(enter)
