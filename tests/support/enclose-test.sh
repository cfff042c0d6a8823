#!/bin/sh
# SPDX-License-Identifier: MIT
#
# enclose-test.sh ENCLOSE - what every other test relies on: that enclose passes
# on how a program ended, ends it in time, leaves nothing of it behind, and that
# the kernel's calls are forbidden inside. Needs neither Madang nor System V IPC.
# shellcheck disable=SC2016  # what is in single quotes is for the shell inside
set -u
enclose=$1
failures=0

# expect CODE WHAT COMMAND...: the command exits with CODE.
expect() {
	wanted=$1 what=$2
	shift 2
	"$@" >/dev/null 2>&1
	got=$?
	if [ "$got" -ne "$wanted" ]; then
		echo "$what: exit code $got, wanted $wanted" >&2
		failures=$((failures + 1))
	fi
}

expect 0 "success is passed on" "$enclose" true
expect 3 "an exit code is passed on" "$enclose" -- sh -c 'exit 3'
expect 77 "a skip is passed on" "$enclose" sh -c 'exit 77'
expect 139 "a signal is passed on" "$enclose" sh -c 'kill -SEGV $$'
expect 137 "a program that does not end is killed" "$enclose" --timeout 1 sleep 1000
expect 0 "a soak has its time besides" env MADANG_SOAK=300 "$enclose" --timeout 1 sleep 2
expect 127 "a program that is not there" "$enclose" /nonexistent/program
expect 0 "what the program needs is in its environment" "$enclose" \
	sh -c 'case $MADANG_NAMESPACE in */madang-test-*/ns) exit 0;; esac; exit 1'
expect 0 "the oracle says so" "$enclose" --kernel sh -c 'test -n "$MADANG_ORACLE"'
expect 0 "the oracle has no namespace" "$enclose" --kernel sh -c 'test -z "${MADANG_NAMESPACE-}"'

# The directory is removed, with all that is in it.
directory=$("$enclose" sh -c \
	'mkdir -p "$MADANG_NAMESPACE/a" && : >"$MADANG_NAMESPACE/a/b" &&
	dirname "$MADANG_NAMESPACE"')
if [ -z "$directory" ] || [ -e "$directory" ]; then
	echo "left behind: ${directory:-(no directory)}" >&2
	failures=$((failures + 1))
fi

# So is a process that left its group and lost its parent.
stray=$("$enclose" sh -c '(setsid sleep 1000 >/dev/null 2>&1 & echo $!)')
if [ -z "$stray" ] || kill -0 "$stray" 2>/dev/null; then
	echo "left behind: process ${stray:-(none started)}" >&2
	failures=$((failures + 1))
fi

# ipcmk calls shmget; with the calls forbidden there is no such system call.
if command -v ipcmk >/dev/null; then
	said=$(LC_ALL=C "$enclose" ipcmk -M 100 2>&1)
	case $said in
	*"not implemented"*) ;;
	*) echo "the kernel's calls are not forbidden: $said" >&2; failures=$((failures + 1)) ;;
	esac
fi
[ "$failures" -eq 0 ]
