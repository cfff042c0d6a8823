#!/bin/sh
# SPDX-License-Identifier: MIT
#
# probes - the library has two probes for each System V call, with all arguments; and the script of
# contrib/ sees calls through them, where the machine lets bpftrace do that.
#
#     probes LIBRARY CONTRIB PROGRAM
set -eu

library=$1 contrib=$2 program=$3
command -v readelf >/dev/null || { echo "skipped: there is no readelf"; exit 77; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# "NAME COUNT-OF-ARGUMENTS", each once: a call may be there in two forms (64-bit times).
readelf -n "$library" | awk '
	/Provider:/ { provider = $2 }
	/Name:/ && provider == "madang" { name = $2 }
	/Arguments:/ && provider == "madang" { print name, NF - 1; provider = "" }' |
	sort -u >"$work/probes"
for call in shmget shmat shmdt shmctl semget semop semctl msgget msgsnd msgrcv msgctl; do
	echo "${call}__entry 5"
	echo "${call}__return 2"
done | sort >"$work/wanted"
diff "$work/wanted" "$work/probes" || { echo "the probes are not as they should be"; exit 1; }

"$contrib/bpftrace/madang-calls" --print "$library" | grep -q "usdt:/.*:madang:\*__entry"
if "$contrib/bpftrace/madang-calls" /bin/sh 2>"$work/said"; then
	echo "a library without probes was taken"
	exit 1
fi
grep -q "without probes" "$work/said"

skip()
{
	echo "the probes are there; not tried with bpftrace: $1"
	exit 77
}
command -v bpftrace >/dev/null || skip "there is no bpftrace"
[ "$(id -u)" = 0 ] || skip "it takes root"
timeout 20 bpftrace -e 'BEGIN { exit(); }' >"$work/said" 2>&1 ||
	skip "$(grep -v '^$' "$work/said" | head -n 1)"
timeout -s INT 60 bpftrace -e "$("$contrib/bpftrace/madang-calls" --print "$library")" \
	-c "$program few" >"$work/seen" 2>&1 || skip "$(head -n 1 "$work/seen")"
grep -q '@calls\[.*shmget__return\]: 1' "$work/seen" || { cat "$work/seen"; exit 1; }
grep -q '@errors\[.*shmget__return, 2\]: 1' "$work/seen" || { cat "$work/seen"; exit 1; }
