#!/bin/sh
# SPDX-License-Identifier: MIT
#
# conversation.sh - the native listener and talkers, in any order, with deaths in the middle.
#
#     conversation.sh LISTENER TALKER MADANG
#
# Runs in a namespace of its own (enclose).
set -u

LISTENER=$1 TALKER=$2 MADANG=$3
out=$(mktemp -d) || exit 1
trap 'rm -rf "$out"' EXIT

fail() { echo "$*"; head -n 20 "$out"/*; exit 1; }

# Three talkers before there is a listener; one is killed, after it has asked or before.
"$TALKER" room "dead" die > "$out/dead" 2>&1
"$TALKER" room "one" > "$out/one" 2>&1 & one=$!
"$TALKER" room "two" > "$out/two" 2>&1 & two=$!
"$LISTENER" room "fine" > "$out/listener" 2>&1 & listener=$!
wait $one || fail "talker one"
wait $two || fail "talker two"
for who in one two; do
	grep -qx 'talker: got the answer: fine' "$out/$who" || fail "no answer for $who"
	grep -qx "listener: heard: $who" "$out/listener" || fail "$who was not heard"
done
cat "$out/one" "$out/two" | grep -qx 'talker: the one before me was killed' || fail "the death"

# Many at once beside some that die.
talkers='' dead=''
for i in 1 2 3 4 5 6 7 8; do
	"$TALKER" room "dead $i" die > "$out/dead$i" 2>&1 & dead="$dead $!"
	"$TALKER" room "talker $i" > "$out/talker$i" 2>&1 & talkers="$talkers $!"
done
for pid in $talkers; do wait "$pid" || fail "a talker among many"; done
for pid in $dead; do wait "$pid"; done
"$TALKER" room bye > "$out/bye" 2>&1 || fail "bye"
wait $listener || fail "the listener"
[ -z "$("$MADANG" ls | sed 1d)" ] || fail "a segment was left behind"
