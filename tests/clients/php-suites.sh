#!/bin/sh
# SPDX-License-Identifier: MIT
#
# php-suites.sh - PHP's own tests of sysvsem, sysvmsg, sysvshm and shmop, with Debian's PHP.

# shellcheck source=tests/clients/support.sh disable=SC1091
. "$(dirname "$0")/support.sh"

PHP=${PHP:-/usr/bin/php}

if [ "${1-}" = inside ]; then
	need_empty_table
	cp -R "$SOURCES/php8.2/." "$WORK/php" || give_up "cp"
	cd "$WORK/php" || give_up "cd"
	NO_INTERACTION=1 TEST_PHP_EXECUTABLE=$PHP SKIP_IO_CAPTURE_TESTS=1 \
		"$PHP" run-tests.php -q --no-color --no-progress \
		ext/sysvsem ext/sysvmsg ext/sysvshm ext/shmop > said 2>&1
	equal "exit of PHP's tests" 0 $? || cat said >&2
	check "most have run" [ "$(grep -c '^PASS' said)" -ge 18 ] || cat said >&2
	fact "results" "$(grep -E '^(PASS|FAIL|SKIP|WARN|BORK)' said)"
	fact "segments, sets and queues left" "$(left_over)"
	finish
fi
need_source php8.2
# shellcheck disable=SC2016 # PHP's own
"$PHP" -r 'foreach (["sysvsem", "sysvmsg", "sysvshm", "shmop"] as $name)
	extension_loaded($name) || exit(1);' 2> /dev/null ||
	skip "PHP with its System V extensions is missing; install it with: apt-get install php-cli"
export SOURCES PHP
workdir php-suites
(enter --timeout 120)
