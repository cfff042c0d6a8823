#!/bin/sh
# SPDX-License-Identifier: MIT
#
# readers.sh - commands that look at /proc/sysvipc/shm before they read it, and that set
# limits, inside Madang: as the machine is, and for root where the kernel's files are hidden.
# readers.sh MADANG runs itself inside; enclose gives it its directory.
if [ "${1-}" != inside ] && [ "${1-}" != hidden ]; then
	"$1" run -- true 2>/dev/null || {
		echo "skipped: the system's programs do not run inside with this build"
		exit 77
	}
	exec "$1" run -- sh "$0" inside
fi
work=$(mktemp -d "${TMPDIR:-/tmp}/madang-readers-XXXXXX") || exit 1
cd "$work" || exit 1
trap 'cd /; rm -rf "$work"' EXIT
failures=0
table=/proc/sysvipc/shm
limits=/proc/sys/kernel

# try COMMAND...
try() {
	"$@" >output 2>&1 || {
		echo "$place: $*: $?"
		cat output
		failures=$((failures + 1))
	}
}

# has COMMAND: silently passes over what is not installed.
has() { command -v "$1" >/dev/null; }

same() { cmp "$1" "$2"; }
is() { [ "$(cat "$1")" = "$2" ]; }

all() {
	try test -r $table
	try test -f $table
	cat $table >cat.out
	try cp $table cp.out
	try same cat.out cp.out
	try test -s cp.out
	try stat $table
	try ls -l $table
	try realpath -e $table
	try readlink -f $table
	try grep -q nattch $table
	has python3 && try python3 -c '
import os, sys
path = sys.argv[1]
assert os.path.exists(path) and os.access(path, os.R_OK)
with open(path) as table:
    assert os.path.samestat(os.fstat(table.fileno()), os.stat(path))
    assert "nattch" in table.read()
' $table

	for name in shmmax shmall shmmni shm_next_id; do
		try test -r $limits/$name
		try test -w $limits/$name
	done
	before=$(cat $limits/shmmni)
	echo 77 >$limits/shmmni
	try is $limits/shmmni 77
	has ipcs && [ "$(ipcs -l -m | sed -n 's/.*number of segments = //p')" != 77 ] &&
		echo "$place: ipcs -l" && failures=$((failures + 1))
	has sysctl && try sysctl -q -w kernel.shmmni=78 && try is $limits/shmmni 78
	echo nonsense >$limits/shmmni
	echo "$before" >$limits/shmmni
	try is $limits/shmmni "$before"
}

if [ "$1" = hidden ]; then
	place="without the kernel's files"
	mount -t tmpfs none /proc/sysvipc && mount -t tmpfs none $limits || exit 0
	all
	exit $failures
fi
place="beside the kernel's files"
all
# In a chroot whose root is no mount point, mounts cannot be made private.
if [ "$(id -u)" = 0 ] && has unshare && unshare -m true 2>/dev/null; then
	unshare -m sh "$0" hidden || failures=$((failures + 1))
fi
[ $failures -eq 0 ]
