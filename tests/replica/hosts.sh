#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# hosts.sh MADANG-BRIDGE PEER [--all]: a segment over three hosts, which are three namespaces, with
# a real nats-server: a late joiner, kill -9 of bridges and of the server, a cut, a deposed writer,
# and what comes from strangers.
# shellcheck disable=SC2317  # the scenes are called by name

set -u
bridge=$1 peer=$2 rounds=3
[ "${3-}" = --all ] && rounds=100
server=$(command -v nats-server) || { echo "skipped: there is no nats-server"; exit 77; }
[ -x "$bridge" ] || { echo "skipped: madang-bridge was not built"; exit 77; }
work=$(mktemp -d /dev/shm/madang-hosts.XXXXXX) || exit 1
port=$((7500 + RANDOM % 2500)) # the other tests have others
failures=0
declare -A pids=()

finish() {
	local pid
	for pid in "${pids[@]}"; do
		kill -9 "$pid" 2>/dev/null
	done
	wait 2>/dev/null
	rm -rf "$work"
}
trap finish EXIT

check() { # WHAT COMMAND...
	local what=$1
	shift
	if ! "$@"; then
		echo "FAILED: $what" >&2
		for log in "$work"/*.log; do
			echo "--- $log" >&2
			tail -n 15 "$log" >&2
		done
		failures=$((failures + 1))
	fi
}

serve() {
	"$server" -js -sd "$work/store" -a 127.0.0.1 -p "$port" >>"$work/server.log" 2>&1 &
	pids[server]=$!
	for _ in {1..100}; do
		(: </dev/tcp/127.0.0.1/"$port") 2>/dev/null && return
		sleep 0.05
	done
}

start() { # HOST OPTION...
	local host=$1
	shift
	"$bridge" --url "nats://127.0.0.1:$port" --host "$host" -n "$work/$host" --log-level debug \
		"$@" >>"$work/$host.log" 2>&1 &
	pids[$host]=$!
}

# end HOST [SIGNAL]
end() {
	kill -"${2-TERM}" "${pids[$1]}" 2>/dev/null
	wait "${pids[$1]}" 2>/dev/null
}

at() { # HOST ARGUMENT...
	local host=$1
	shift
	MADANG_NAMESPACE=$work/$host "$peer" "$@"
}

said() { # HOST WORD: within 20 s
	for _ in {1..200}; do
		grep -q "$2" "$work/$1.log" && return
		sleep 0.1
	done
	return 1
}

serve
check "the first commit" at a commit 1
start a --write shared
start b --replicate shared
check "b has what was committed before" at b await 1
check "the second commit" at a commit 2
check "b has the second" at b await 2

# Someone late gets the snapshot and what came after it; bridges die at any moment meanwhile.
at a storm 4 >"$work/number" &
storm=$!
at b watch 4 >"$work/changes" &
watch=$!
start c --replicate shared
for ((i = 0; i < rounds; i++)); do
	sleep "0.$((RANDOM % 4 + 1))"
	end b KILL
	start b --replicate shared
	sleep "0.$((RANDOM % 4 + 1))"
	end a KILL
	start a --write shared
done
wait "$storm"
check "all commits went well" test $? = 0
wait "$watch"
check "b saw whole generations, in order" test $? = 0
number=$(cat "$work/number")
check "b has the last one" at b await "$number"
check "c has the last one" at c await "$number"
check "b saw several" test "$(cat "$work/changes")" -gt 3

# The server is killed, and comes back with its store.
end server KILL
check "a commit without a server" at a commit 1000001
serve
check "b has it when the server is back" at b await 1000001

# What strangers publish is dropped, and the writer goes on behind it.
exec 3<>"/dev/tcp/127.0.0.1/$port"
printf 'CONNECT {"verbose":false}\r\nPUB madang.default.s.shared.x 8\r\nnonsense\r\nPING\r\n' >&3
check "nonsense is dropped" said c parcel-dropped
exec 3>&-
check "a commit after nonsense" at a commit 1000002
check "the server refuses who does not know the last message" said a refused
check "b has it" at b await 1000002
check "c has it" at c await 1000002

# A cut of a's bridge, longer than the lease: b writes, and a is told.
kill -STOP "${pids[a]}"
end b
at b commit 5 2>/dev/null # b has a replica, so it cannot commit, but has a segment from now on
start b --write shared
check "b gets the lease" said b " writer segment"
kill -CONT "${pids[a]}"
check "a's bridge is told" said a deposed
at a commit 7 2>/dev/null
check "a's program is told" test $? = 3
check "b's program commits" at b commit 2000001
check "c has what b wrote" at c await 2000001
check "c shows that it has no lag" grep -q "lag=0 role=2" <(at c look)

# An end in order gives the lease back at once.
end b
end a
before=$(grep -c " writer segment" "$work/a.log")
start a --write shared
sleep 1
check "a writes again" test "$(grep -c " writer segment" "$work/a.log")" -gt "$before"
check "a's program commits" at a commit 3000001
check "c has what a wrote" at c await 3000001

# The server loses its store: another history.
end server KILL
rm -rf "$work/store"
serve
check "a's program commits after the loss" at a commit 4000001
check "c has it" at c await 4000001
exit $((failures != 0))
