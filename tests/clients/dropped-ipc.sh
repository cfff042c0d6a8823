#!/bin/sh
# SPDX-License-Identifier: MIT
#
# dropped-ipc.sh - runs dropped-ipc.c: workers that give up root's rights use a set and a queue.

# shellcheck source=tests/clients/support.sh disable=SC1091
. "$(dirname "$0")/support.sh"

if [ "${1-}" = inside ]; then
	for who in child parent "child syscall" "parent syscall"; do
		printf 'rights are given up by: %s\n' "$who"
		# shellcheck disable=SC2086 # two words
		"$WORK/dropped-ipc" "$(id -u nobody)" $who || give_up "dropped-ipc $who"
		ipcrm --all=sem --all=msg
	done
	finish
fi
need cc gcc
need ipcrm util-linux
[ "$(id -u)" -eq 0 ] || skip "only root has rights to give up"
workdir dropped-ipc
cc -std=c11 -D_GNU_SOURCE -O2 -Wall -o "$WORK/dropped-ipc" "$(dirname "$0")/dropped-ipc.c" ||
	give_up "dropped-ipc.c does not compile"
chmod 755 "$WORK"
# shellcheck disable=SC2119 # no options
(enter)
