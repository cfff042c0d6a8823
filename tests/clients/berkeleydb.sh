#!/bin/sh
# SPDX-License-Identifier: MIT
#
# berkeleydb.sh - Berkeley DB with its cache and its locks in System V segments.
#
# berkeleydb.pl tells what. Nobody removes the segments then: they are what the
# library leaves for the next process that opens the environment.

# shellcheck source=tests/clients/support.sh disable=SC1091
. "$(dirname "$0")/support.sh"

if [ "${1-}" = inside ]; then
	need_empty_table
	mkdir "$WORK/home" || give_up "mkdir"
	perl "$(dirname "$0")/berkeleydb.pl" "$WORK/home" || give_up "berkeleydb.pl"
	perl "$(dirname "$0")/berkeleydb.pl" "$WORK/home" open || give_up "berkeleydb.pl open"
	fact "at the end" "$(table)"
	ipcrm --all=shm
	equal "segments left" "" "$(rows)"
	finish
fi
need perl perl
need ipcrm util-linux
perl -MBerkeleyDB -e 1 2> /dev/null ||
	skip "perl's BerkeleyDB is missing; install it with: apt-get install libberkeleydb-perl"
workdir berkeleydb
# shellcheck disable=SC2119 # no options
(enter)
