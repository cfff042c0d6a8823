#!/bin/sh
# SPDX-License-Identifier: MIT
#
# python.sh - runs sysvipc.py with Debian's Python and its module sysv_ipc.

# shellcheck source=tests/clients/support.sh disable=SC1091
. "$(dirname "$0")/support.sh"

PYTHON=${PYTHON:-/usr/bin/python3}

if [ "${1-}" = inside ]; then
	exec "$PYTHON" "$(dirname "$0")/sysvipc.py"
fi
"$PYTHON" -c 'import sysv_ipc' 2> /dev/null ||
	skip "Python's sysv_ipc is missing; install it with: apt-get install python3-sysv-ipc"
# shellcheck disable=SC2119 # no options
enter
