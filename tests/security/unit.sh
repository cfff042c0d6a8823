#!/bin/sh
# SPDX-License-Identifier: MIT
#
# unit.sh - systemd takes the bridge's unit as it is, and finds that little is open to it.
#
#     unit.sh UNIT PROGRAM       # the unit as it is installed, and the program that it starts
set -eu
unit=$1 program=$2

command -v systemd-analyze >/dev/null || { echo "skipped: systemd-analyze is missing"; exit 77; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
# shellcheck disable=SC2016 # systemd fills it in
grep -q '^ExecStart=/.*/madang-bridge \$OPTIONS$' "$unit"
sed "s|^ExecStart=[^ ]*|ExecStart=$program|" "$unit" >"$work/madang-bridge@.service"
systemd-analyze verify --man=no "$work/madang-bridge@daemon.service" >"$work/said" 2>&1 || {
	cat "$work/said"
	exit 1
}
[ ! -s "$work/said" ] || { cat "$work/said"; exit 1; }
# 0 is closed, 100 (10.0) open; 2.5 is what "OK" begins with.
systemd-analyze security --offline=true --threshold=25 --no-pager \
	"$work/madang-bridge@daemon.service" >"$work/said" 2>&1 || {
	tail -n 3 "$work/said"
	exit 1
}
echo "systemd takes it"
