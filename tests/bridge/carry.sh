#!/bin/bash
# SPDX-License-Identifier: MIT
# shellcheck disable=SC2086,SC2317
# carry.sh - streams and topics over two bridges, while bridges and server are killed.
#
#     carry.sh BRIDGE MADANG [--all]
#
# Every number has to come once and in order. Of a topic, the bridge of the talker's host is not
# killed: as at home, a talker does not wait for a listener that has died. Before that, talkers of
# one stream come and go on both hosts.
bridge=$1 madang=$2
rounds=5 count=2000000 limit=40
[ "$3" = --all ] && rounds=100 count=60000000 limit=400
command -v nats-server >/dev/null || { echo "skipped: there is no nats-server"; exit 77; }
place=$(mktemp -d) || exit 1
port=$((5000 + $$ % 2500)) # the other tests have others
failed=0 server='' a='' b=''
end() {
	kill -9 $server $a $b 2>/dev/null
	rm -rf "$place" "/dev/shm/madang-carry-$$-a" "/dev/shm/madang-carry-$$-b"
}
trap end EXIT

start_server() {
	nats-server -a 127.0.0.1 -p $port -js -sd "$place/js" >>"$place/server.log" 2>&1 &
	server=$!
	disown
}
start_bridge() { # HOST: sets $started
	"$bridge" --url nats://127.0.0.1:$port -n "/dev/shm/madang-carry-$$-$1" --host "$1" \
		--channel 'test-*' --channel test-stream --channel test-topic 2>>"$place/$1.log" &
	started=$!
	disown
}
slay() { # PID: until it is gone, so that its port and its place are free
	kill -9 "$1" 2>/dev/null
	while kill -0 "$1" 2>/dev/null; do sleep 0.01; done
}
kill_one() { # WHICH KIND
	case $1-$2 in
	0-stream) slay $a; start_bridge a; a=$started ;;
	1-*) slay $b; start_bridge b; b=$started ;;
	*) slay $server; start_server ;;
	esac
}
run() { # KIND
	timeout $limit "$madang" listen -k "$1" -c $count -t 20 -n "/dev/shm/madang-carry-$$-b" \
		"test-$1" >"$place/got" 2>"$place/listen.log" &
	local listener=$! round=0
	sleep 1.5 # the topic is there on both sides before the first message is sent
	# In pieces, so that deaths come in between.
	for ((i = 0; i < 30; i++)); do
		seq $((i * count / 30 + 1)) $(((i + 1) * count / 30))
		sleep 0.02
	done | timeout $limit "$madang" talk -k "$1" -n "/dev/shm/madang-carry-$$-a" "test-$1" &
	while ((round++ < rounds)) && kill -0 $listener 2>/dev/null; do
		sleep 0.$((RANDOM % 2 + 1))
		kill_one $((RANDOM % 3)) "$1"
	done
	wait $listener
	if ! seq $count | cmp - "$place/got"; then
		echo "$1: not every message came once and in order:" \
			"$(wc -l <"$place/got") of $count"
		cat "$place/listen.log"
		tail -n 40 "$place/a.log" "$place/b.log"
		failed=1
	fi
}

say() { # HOST TEXT
	echo "$2" | timeout 5 "$madang" talk -n "/dev/shm/madang-carry-$$-$1" test-places
}
heard() { # TEXT: within 5 s
	for ((i = 0; i < 100; i++)); do
		grep -qx "$1" "$place/heard" && return
		sleep 0.05
	done
	echo "places: '$1' did not come"
	failed=1
}
# The listener of a stream stays on b. Its talkers come and go: on b, on a, and on b again. The
# bridge is in nobody's way.
places() {
	"$madang" listen -n "/dev/shm/madang-carry-$$-b" test-places >"$place/heard" 2>&1 &
	local listener=$!
	disown
	sleep 0.5
	say b one || failed=1
	sleep 0.7 # the bridge has seen that the talker left
	say b two || failed=1
	heard two
	say a three || failed=1
	heard three
	sleep 2.5
	say b four || failed=1
	heard four
	kill $listener
}

start_server
sleep 0.5
start_bridge a
a=$started
start_bridge b
b=$started
sleep 0.5
places
run stream
run topic
exit $failed
