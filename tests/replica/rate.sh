#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# rate.sh MADANG-BRIDGE RATE [SECONDS]: by hand. The rate and lag of a replica of 1 MiB of which
# each commit changes 1 %, between two namespaces, through a nats-server on the loopback: with 500
# commits a second, and with as many as there can be.

set -u
bridge=$1 rate=$2 seconds=${3-3}
work=$(mktemp -d /dev/shm/madang-rate.XXXXXX) || exit 1
trap 'kill $(jobs -p) 2>/dev/null; wait 2>/dev/null; rm -rf "$work"' EXIT
port=$((20000 + RANDOM % 12000))
nats-server -js -sd "$work/store" -a 127.0.0.1 -p "$port" 2>/dev/null &
sleep 1
for pause in 2000 0; do
	MADANG_NAMESPACE=$work/a "$rate" write 1 >/dev/null
	"$bridge" --url "nats://127.0.0.1:$port" --host a -n "$work/a" --write rate 2>/dev/null &
	a=$!
	"$bridge" --url "nats://127.0.0.1:$port" --host b -n "$work/b" --replicate rate \
		2>/dev/null &
	b=$!
	sleep 2
	MADANG_NAMESPACE=$work/b "$rate" read "$seconds" &
	reader=$!
	MADANG_NAMESPACE=$work/a "$rate" write "$seconds" "$pause"
	wait "$reader"
	kill "$a" "$b"
	wait "$a" "$b"
done
