#!/bin/sh
# SPDX-License-Identifier: MIT
#
# examples.sh - the example listener and talker, in every order, and the demonstration.
#
# The two are linked with libmadang-sysv and nothing is preloaded, so this also
# runs in builds that cannot be preloaded into the system's programs; only the
# demonstration is left out there.
#
#     examples.sh LISTENER TALKER DEMO

# shellcheck source=tests/clients/support.sh disable=SC1091
. "$(dirname "$0")/support.sh"

segments() { "$MADANG" ls --json | grep -o '"creator_pid"' | wc -l; }
# shellcheck disable=SC2317 # it is a condition for wait_until
there_is_one() { [ "$(segments)" -eq 1 ]; }

listen() { "$LISTENER" "$WORK/key" "the answer" > "$WORK/listener.out" 2>&1; }
talk() { "$TALKER" "$WORK/key" "$@" > "$WORK/talker.out" 2>&1; }

# `exec`, so that a signal reaches the listener and not a shell that runs it.
start_listener() {
	rm -f "$WORK/listener.out" # what an earlier one said must not count
	(exec "$LISTENER" "$WORK/key" "the answer" > "$WORK/listener.out" 2>&1) &
	listener=$!
	wait_until 20 grep -qs waiting "$WORK/listener.out" ||
		give_up "the listener does not wait: $(cat "$WORK/listener.out")"
}

check_both() {
	equal "$1: the talker's exit" 0 "$2"
	equal "$1: the listener's exit" 0 "$3"
	check "$1: what the listener heard" \
		grep -qx 'listener: heard: the question' "$WORK/listener.out"
	check "$1: what the talker heard" \
		grep -qx 'talker: got the answer: the answer' "$WORK/talker.out"
	equal "$1: segments left" 0 "$(segments)"
	[ "$failures" -eq 0 ] || cat "$WORK/listener.out" "$WORK/talker.out" >&2
}

listener_first() {
	start_listener
	talk "the question"
	talked=$?
	wait "$listener"
	check_both "listener first" $talked $?
}

talker_first() {
	talk "the question" &
	talker=$!
	wait_until 20 there_is_one || give_up "the talker makes no segment"
	listen
	listened=$?
	wait "$talker"
	check_both "talker first" $? $listened
}

at_once() {
	round=0
	while [ $round -lt 20 ] && [ "$failures" -eq 0 ]; do
		talk "the question" &
		talker=$!
		listen
		listened=$?
		wait "$talker"
		check_both "at once, round $round" $? $listened
		round=$((round + 1))
	done
}

# The command that the talker runs sees both attached, and has none itself.
command_between() {
	start_listener
	talk "the question" "$MADANG" ls --json
	talked=$?
	wait "$listener"
	check_both "with a command" $talked $?
	check "attachments that the command sees" \
		grep -q '"attached":[[:space:]]*2[^0-9]*$' "$WORK/talker.out"
}

interrupted() {
	start_listener
	kill -TERM "$listener"
	wait "$listener"
	equal "exit of an interrupted listener" 1 $?
	equal "left by an interrupted listener" 0 "$(segments)"
	talk "$(printf '%0256d' 0)"
	equal "exit of a talker with too long a text" 1 $?
	equal "left by a talker with too long a text" 0 "$(segments)"
}

killed() {
	start_listener
	kill -KILL "$listener"
	wait "$listener"
	talk "the question"
	equal "exit of a talker whose listener was killed" 1 $?
	check "what it says" grep -q 'the other one is gone' "$WORK/talker.out"
	listen
	equal "exit of a listener that finds the leftover" 1 $?
	check "what it says" grep -q 'remove it with: ipcrm -m [0-9]' "$WORK/listener.out"
	"$MADANG" rm "$(sed -n 's/.*ipcrm -m //p' "$WORK/listener.out")" > /dev/null
	equal "exit of madang rm" 0 $?
	equal "left after madang rm" 0 "$(segments)"
}

if [ "${1-}" = inside ]; then
	listener_first
	talker_first
	at_once
	command_between
	interrupted
	killed
	finish
fi

LISTENER=$1 TALKER=$2 DEMO=$3
WORK=$(mktemp -d "${TMPDIR:-/tmp}/madang-examples.XXXXXX") || give_up "mktemp"
export WORK LISTENER TALKER
trap 'rm -rf "$WORK"' EXIT
trap 'exit 130' INT TERM
"$ENCLOSE" sh "$0" inside || failures=1
(can_preload)
case $? in
0)
	"$ENCLOSE" sh "$DEMO" "$MADANG" "$LISTENER" "$TALKER" > "$WORK/demo" 2>&1 ||
		{ failures=1; cat "$WORK/demo" >&2; }
	check "the demonstration left no namespace" \
		[ ! -e "$(sed -n 's/.* space, in \(.*\)\/courtyard, now.*/\1/p' "$WORK/demo")" ]
	;;
77) ;;
*) failures=1 ;;
esac
finish
