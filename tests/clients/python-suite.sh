#!/bin/sh
# SPDX-License-Identifier: MIT
#
# python-suite.sh - the own tests of Python's sysv_ipc: segments, semaphores and queues.
#
# Those of the module's constants are left out. They ask for the version of the source.

# shellcheck source=tests/clients/support.sh disable=SC1091
. "$(dirname "$0")/support.sh"

PYTHON=${PYTHON:-/usr/bin/python3}

if [ "${1-}" = inside ]; then
	cp -R "$SOURCES/python-sysv-ipc/tests" "$WORK/tests" || give_up "cp"
	cd "$WORK" || give_up "cd"
	"$PYTHON" -m unittest -v tests.test_memory tests.test_semaphores \
		tests.test_message_queues > said 2>&1
	equal "exit of the tests" 0 $? || cat said >&2
	check "many have run" [ "$(grep -c '\.\.\. ok$' said)" -ge 100 ] || cat said >&2
	fact "results" "$(grep '\.\.\. ' said)"
	fact "segments, sets and queues left" "$(left_over)"
	finish
fi
need_source python-sysv-ipc
"$PYTHON" -c 'import sysv_ipc' 2> /dev/null ||
	skip "Python's sysv_ipc is missing; install it with: apt-get install python3-sysv-ipc"
export SOURCES PYTHON
workdir python-suite
(enter --timeout 120)
