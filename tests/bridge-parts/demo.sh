#!/bin/sh
# SPDX-License-Identifier: MIT
# demo.sh SCRIPT BIN: script/demo-bridge with the programs that are built; what a newcomer has to
# see is there.
PATH=$PATH:/usr/sbin
command -v nats-server >/dev/null || { echo "skipped: there is no nats-server"; exit 77; }
said=$(TMPDIR=${TMPDIR:-/tmp} "$1" --built "$2" 2>&1) || { echo "$said"; exit 1; }
expect()
{
	echo "$said" | grep -q -e "$1" || { echo "$said"; echo "there is no '$1'"; exit 1; }
}
expect '^tokyo   3$'
expect '^london   HOW ARE YOU?$'
expect '20000 numbers came, 20000 different ones, in order: yes'
expect 'this bridge was killed'
expect '^london   bridge .* connected'
expect '^london   "numbers" '
exit 0
