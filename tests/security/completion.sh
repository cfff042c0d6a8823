#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# completion.sh - what bash completes for madang-bridge: options, their words, files.
#
#     completion.sh FILE DIRECTORY    # the completion, and where madang-bridge is
set -eu
# shellcheck source=/dev/null
. "$1"
PATH=$2:$PATH
cd "$(dirname "$0")"

# expect "WORD WORD..." TYPED...: the last of TYPED is completed to these.
expect() {
	local wanted=$1 got
	shift
	COMP_WORDS=(madang-bridge "$@") COMP_CWORD=$#
	_madang_bridge
	got=$(printf '%s\n' "${COMPREPLY[@]}" | sort | tr '\n' ' ')
	[ "$got" = "$wanted " ] || { echo "$* completes to '$got' and not to '$wanted '"; exit 1; }
}

expect "--tls-ca --tls-cert --tls-key --tls-name" --tls
expect "--insecure-plain" --ins
expect "both" --direction b
expect "both in out" --direction ""
expect "debug" --log-level d
expect "completion.sh" --rules compl
expect "3" --replicas 3
# Each option is in the list of --help.
_madang_bridge_all=$(COMP_WORDS=(madang-bridge -) COMP_CWORD=1 && _madang_bridge &&
	printf '%s\n' "${COMPREPLY[@]}" | grep -c '^--')
[ "$_madang_bridge_all" -ge 20 ] || { echo "only $_madang_bridge_all options"; exit 1; }
echo "completes"
