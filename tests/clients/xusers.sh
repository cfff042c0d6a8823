#!/bin/sh
# SPDX-License-Identifier: MIT
#
# xusers.sh - an X server as one user, its clients as another.
#
# They meet in a namespace that was made for several users. The mode of a segment
# decides whether the server may attach it; what it may, it may as well when the
# client has removed the segment before. Needs root, to be the two users.

# shellcheck source=tests/clients/support.sh disable=SC1091
. "$(dirname "$0")/support.sh"
# shellcheck source=tests/clients/xsupport.sh disable=SC1091
. "$(dirname "$0")/xsupport.sh"

# as USER COMMAND...: becomes the user, in the same process.
as() {
	user=$1
	shift
	exec setpriv --reuid "$user" --regid "$(id -g "$user")" --clear-groups -- "$@"
}

# pair SERVER CLIENT: two users.
pair() {
	fact "the server is $1, the client" "$2"
	start_xserver as "$1"
	for bits in 600 666 644 622; do
		(as "$2" "$WORK/build/xshm" share $bits) || give_up "xshm share $bits"
	done
	fact "a client that is killed" "$(as "$2" "$WORK/build/xshm" leave 2> /dev/null)"
	settled
	stop_xserver
}

if [ "${1-}" = inside ]; then
	need_empty_table
	pair nobody daemon
	pair root nobody
	pair nobody root
	finish
fi
need_xserver
need setpriv util-linux
[ "$(id -u)" -eq 0 ] || skip "only root can be two users"
for user in nobody daemon; do
	id "$user" > /dev/null 2>&1 || skip "there is no user $user"
done
workdir xusers
[ "$MODE" = kernel ] || can_preload
copy_build xsupport.sh xshm.c
build_xshm "$WORK/build"
chmod a+rx "$WORK/build/xshm"
(enter --shared)
