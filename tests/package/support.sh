# shellcheck shell=bash
# SPDX-License-Identifier: MIT
#
# support.sh - what the checks of an installation share. They source it.
#
# `failures` is the number of what failed. The script makes $work, a directory of its own.
# shellcheck disable=SC2034,SC2154 # for the scripts, and from them

failures=0
cc=${CC:-cc}
strict=(-Wall -Wextra -Wpedantic -Werror)

# try WHAT COMMAND...: runs it, says how it went; its output only if badly.
try() {
	local what=$1
	shift
	if "$@" >"$work/output" 2>&1; then
		echo "  ok: $what"
	else
		echo "  FAILED: $what: $*"
		sed 's/^/    /' "$work/output"
		failures=$((failures + 1))
	fi
}

# Where pkg-config files of an installation lie, whatever the library directory is called.
pc_dir() {
	local pc
	pc=$(find "$1" -name madang.pc)
	echo "${pc%/*}"
}

# done_with NAME: the verdict.
done_with() {
	if [ $failures -ne 0 ]; then
		echo "$1: $failures failed"
		return 1
	fi
	echo "$1: all is well"
}
