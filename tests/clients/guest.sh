#!/bin/sh
# SPDX-License-Identifier: MIT
#
# guest.sh - runs guest.pl: root uses a user's objects before the user does.
#
# On Madang they are in the user's own private namespace, in which root is a
# guest. The files that root makes there must not be closed to the user.

# shellcheck source=tests/clients/support.sh disable=SC1091
. "$(dirname "$0")/support.sh"

if [ "${1-}" = inside ]; then
	if [ "$MODE" = madang ]; then
		directory=$(mktemp -d /dev/shm/madang-guest-XXXXXX) || give_up "mktemp"
		trap 'rm -rf "$directory"' EXIT
		chown nobody "$directory"
		MADANG_NAMESPACE=$directory/space
		export MADANG_NAMESPACE
	fi
	fact "it says" "$(perl "$(dirname "$0")/guest.pl" "$(id -u nobody)" 2>&1)"
	finish
fi
need perl perl
[ "$(id -u)" -eq 0 ] || skip "only root can be a guest"
workdir guest
[ "$MODE" = kernel ] || can_preload
copy_build guest.pl
(enter --timeout 30)
