#!/bin/sh
# SPDX-License-Identifier: MIT
#
# fakeroot.sh - fakeroot-sysv: the daemon and the programs talk by two message queues.
#
# The user seems to be root: owners and modes that he sets are only
# remembered by the daemon. Each call of each program is a message and an
# answer, under a semaphore with undo. Eight shells change many files at once,
# tar and dpkg-deb pack what they see, and the state is saved and loaded.

# shellcheck source=tests/clients/support.sh disable=SC1091
. "$(dirname "$0")/support.sh"

# In the program that seems to be run by root.
pack() {
	fact "the user" "$(id -u):$(id -g)"
	mkdir -p tree/DEBIAN tree/usr/bin || give_up "mkdir"
	printf 'Package: t\nVersion: 1\nArchitecture: all\nMaintainer: a <a@b>\nDescription: t\n' \
		> tree/DEBIAN/control
	echo text > tree/usr/bin/tool
	chown 12:34 tree/usr/bin/tool || give_up "chown"
	chmod 4755 tree/usr/bin/tool || give_up "chmod"
	mknod device c 1 3 || give_up "mknod"
	# shellcheck disable=SC2012 # fixed names
	fact "owners" "$(ls -ln tree/usr/bin/tool device | awk '{ print $1, $3, $4, $5 }')"
	tar -cf t.tar tree device || give_up "tar"
	fact "tar" "$(tar -tvf t.tar --numeric-owner | awk '{ print $1, $2, $NF }')"
	dpkg-deb -b tree t.deb > /dev/null || give_up "dpkg-deb"
	fact "dpkg-deb" "$(dpkg-deb -c t.deb | awk '{ print $1, $2, $NF }')"
	mkdir out
	tar -xf t.tar -C out --same-owner || give_up "tar -x"
	fact "unpacked" "$(stat -c '%A %u %g %n' out/tree/usr/bin/tool out/device)"
}

many_at_once() {
	for i in 1 2 3 4 5 6 7 8; do
		(
			mkdir many$i
			for j in 1 2 3 4 5 6 7 8 9 10; do
				echo x > many$i/$j
				chown "$i:$j" many$i/$j
			done
		) &
	done
	wait
	fact "owners of many" "$(stat -c '%u %g %n' many*/*)"
}

# shellcheck disable=SC2317 # it is a condition for wait_until
nothing_left() { [ "$(left_over)" = "0 0 0 " ]; }

case ${1-} in
inside)
	cd "$WORK" || give_up "cd"
	fakeroot-sysv -s "$WORK/saved" sh "$0" rooted || give_up "fakeroot"
	fact "saved" "$(sed 's/.*\(mode=\)/\1/' saved | sort | uniq -c)"
	# The daemon removes its objects when it has been told to end.
	check "nothing is left" wait_until 20 nothing_left
	fact "loaded" "$(fakeroot-sysv -i "$WORK/saved" stat -c '%A %u %g' tree/usr/bin/tool)"
	fact "exit" "$(fakeroot-sysv sh -c 'exit 7'; echo $?)"
	check "nothing is left" wait_until 20 nothing_left
	finish
	;;
rooted)
	pack
	many_at_once
	finish
	;;
esac
need fakeroot-sysv fakeroot
need dpkg-deb dpkg
workdir fakeroot
(enter --timeout 120)
