# SPDX-License-Identifier: MIT
# What channels, top and metrics show of a bridge, which fake_bridge.c plays: connected, cut off,
# full, killed, ended; names and errors that are not harmless; and `madang bridge`, which becomes
# another program.
# shellcheck shell=sh
# shellcheck disable=SC2154 # case.sh sets what is not set here

MADANG_NAMESPACE=$ns
export MADANG_NAMESPACE

mkfifo "$work/say" "$work/hear"
play()
{
	"$helpers/bridge_fake" "$ns" <"$work/say" >"$work/hear" &
	player=$!
	exec 8>"$work/say" 9<"$work/hear"
	read -r word <&9
	echo "$word"
	echo "$player" >>"$work/pids"
}

# say WORDS: the bridge says this from now on.
say()
{
	printf '%s\n' "$*" >&8
	read -r word <&9
	[ "$word" = 'done' ] || echo "bridge_fake: $word"
}

plain()
{
	sed -e 's/\(bridge \)[0-9][0-9]*/\1PID/' -e 's/for [0-9]*s/for AGE/' \
		-e 's/started [0-9]*s ago/started AGE ago/' -e 's/  [0-9][0-9]*s$/  AGE/' \
		-e 's/\(identity"\): "[0-9a-f]*"/\1: HEX/' -e 's/\(epoch"\): [0-9]*/\1: TIME/' \
		-e 's/[0-9.]*\/s /0\/s /' -e 's/\(rate"\): [0-9]*/\1: RATE/'
}

# status [--json]: what `madang-bridge --status` prints, and that its JSON has its shape.
status()
{
	"$helpers/bridge_status_main" "$ns" "$@" >"$work/json-status$#.bridge" 2>"$work/err"
	echo "(exit $?)"
	cat "$work/json-status$#.bridge" "$work/err"
	[ $# -gt 0 ] || rm "$work/json-status0.bridge"
}

echo "# nobody"
status
status --json
seq 5 | "$madang" talk --kind topic news
seq 3 | "$madang" talk jobs
seq 3 | "$madang" talk local
try channels | plain
status

echo "# connected"
play
"$helpers/bridge_fake" "$ns" </dev/null
echo "(exit $?)"
status | plain
say link 1 0 nats://127.0.0.1:4222
say row news 3 out 1 5 2 0 0
say row news 3 in 0 0 0 0 0
say row jobs 1 in 2 7 0 12 3 the ring is full
say loss jobs in 2 5
try channels | plain
try channels --peers news | plain
try channels --peers jobs | plain
say replica weather reader 2 41 9 'no room: it is full'
try replicate --list | plain
try channels --json jobs | plain
try top --once --tab channels | sed '/^Channels/d' | awk '{ print $1, $NF }'
"$madang" metrics | grep '^madang_bridge'
status | plain
status --json | plain

echo "# cut off, and what is not harmless"
say link 2 3 nats://127.0.0.1:4222 "$(printf 'gone \033[2J')"
say row news 3 out 3 5 0 4 0 "$(printf 'wrong \033[31m')"
try channels --peers news | plain
status | plain
say link 1 4 nats://127.0.0.1:4222
try channels news | plain
say drop jobs in
try channels | plain
say row jobs 1 out 1 0 0 0 0

echo "# a writer that stops in the middle, and is killed"
say half
try channels news | plain
{ kill -9 "$player"; wait "$player"; } 2>/dev/null
exec 8>&- 9<&-
try channels | plain
"$madang" metrics | grep '^madang_bridge_[ac]'
status | plain

echo "# the next one"
play
status | plain
exec 8>&-
wait "$player"
echo "(exit $?)"
exec 9<&-
status
"$madang" channels | head -n 1

echo "# a segment of that name that is none of it"
"$madang" mk --name madang-bridge 1M >/dev/null
try channels | plain
status
"$helpers/bridge_fake" "$ns" </dev/null
echo "(exit $?)"

echo "# madang bridge"
cat >"$work/program" <<'END'
#!/bin/sh
printf '%s|' "$@"
echo
exit 3
END
chmod +x "$work/program"
MADANG_BRIDGE=$work/program
export MADANG_BRIDGE
try bridge --channel 'a b' -- --help '*'
MADANG_BRIDGE=$work/nothing
try bridge --status
unset MADANG_BRIDGE
# Neither beside the tool nor in PATH.
cp "$madang" "$work/tool" && cp "$work/program" "$work/madang-bridge"
"$work/tool" bridge beside
rm "$work/madang-bridge"
PATH=/nowhere "$work/tool" bridge 2>&1
echo "(exit $?)"
PATH=/nowhere "$work/tool" bridge --help | head -n 1

echo "# madang replicate"
MADANG_BRIDGE=$work/program
export MADANG_BRIDGE
try replicate weather --url nats://a
try replicate --write weather --url nats://a
try replicate --url nats://a weather
try replicate -n "$ns" --list
try replicate --namespace="$ns" --list
try replicate --list x
exit 0
