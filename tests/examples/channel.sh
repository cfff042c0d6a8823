#!/bin/sh
# SPDX-License-Identifier: MIT
#
# channel.sh - a C program and the shell talk to each other, as docs/channels.md says.
#
#     channel.sh STREAM MADANG
#
# Runs in a namespace of its own (enclose).
set -u

STREAM=$1 MADANG=$2
out=$(mktemp -d) || exit 1
trap 'rm -rf "$out"' EXIT

fail() { echo "$*"; head -n 20 "$out"/*; exit 1; }

# The shell talks, before anybody listens.
printf 'sun in the morning\nbye\n' | "$MADANG" talk news || fail "madang talk"
"$STREAM" listen news > "$out/heard" || fail "stream listen"
printf 'message 0: sun in the morning\nmessage 1: bye\n' | cmp - "$out/heard" || fail "other words"

# The shell listens; whoever comes first makes the channel.
"$MADANG" listen --count 2 --timeout 20 answers > "$out/answers" & listener=$!
"$STREAM" talk answers 'rain,' 'later' || fail "stream talk"
wait $listener || fail "madang listen"
printf 'rain,\nlater\n' | cmp - "$out/answers" || fail "other answers"
