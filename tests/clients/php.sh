#!/bin/sh
# SPDX-License-Identifier: MIT
#
# php.sh - runs sysvshm.php with Debian's PHP.

# shellcheck source=tests/clients/support.sh disable=SC1091
. "$(dirname "$0")/support.sh"

PHP=${PHP:-/usr/bin/php}

if [ "${1-}" = inside ]; then
	need_empty_table
	"$PHP" "$(dirname "$0")/sysvshm.php" || give_up "sysvshm.php"
	equal "segments left" "" "$(rows)"
	finish
fi
# shellcheck disable=SC2016 # PHP's own
"$PHP" -r 'foreach (["sysvshm", "shmop", "pcntl"] as $name) extension_loaded($name) || exit(1);' \
	2> /dev/null ||
	skip "PHP with sysvshm, shmop and pcntl is missing;" \
		"install it with: apt-get install php-cli"
# shellcheck disable=SC2119 # no options
enter
