#!/bin/sh
# SPDX-License-Identifier: MIT
#
# perl.sh - runs sysvipc.pl with Debian's perl.

# shellcheck source=tests/clients/support.sh disable=SC1091
. "$(dirname "$0")/support.sh"

PERL=${PERL:-/usr/bin/perl}

if [ "${1-}" = inside ]; then
	need_empty_table
	"$PERL" "$(dirname "$0")/sysvipc.pl" || give_up "sysvipc.pl"
	equal "segments left" "" "$(rows)"
	finish
fi
"$PERL" -MIPC::SharedMem -e 1 2> /dev/null ||
	skip "perl is missing; install it with: apt-get install perl"
# shellcheck disable=SC2119 # no options
enter
