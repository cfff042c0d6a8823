# SPDX-License-Identifier: MIT
# Named locks: each kind, the dead, who waits; circles of two and three, and what is none; JSON;
# one segment of several; tables that are full or noise.
# shellcheck disable=SC2154 # case.sh sets what is not set here

MADANG_NAMESPACE=$ns
export MADANG_NAMESPACE

# scene WORD: starts `lockers`; P0 is its process, P1 to P3 are its children.
scene()
{
	echo "== $1"
	rm -f "$work/in" "$work/ready"
	mkfifo "$work/in" "$work/ready"
	"$helpers/tool_lockers" "$ns" "$1" <"$work/in" >"$work/ready" &
	lockers=$!
	exec 9>"$work/in"
	read -r word p0 p1 p2 p3 <"$work/ready"
	[ "$word" = ready ] || { echo "lockers failed"; exit 1; }
}

over()
{
	exec 9>&-
	wait "$lockers"
}

# What differs from run to run.
who()
{
	n=0
	set -- "$p0" "$p1" "$p2" "$p3"
	: >"$work/who"
	for pid in "$@"; do
		[ -z "$pid" ] || printf '%s\n' \
			"s/\\([^0-9]\\)$pid \\(tool_lockers\\|(gone)\\)/\\1P$n \\2/g" \
			"s/\\(thread\\|pid\\)\": $pid,/\\1\": P$n,/" >>"$work/who"
		n=$((n + 1))
	done
	sed -f "$work/who" -e 's/waits [0-9.]*[smh] /waits TIME /' \
		-e 's/\(waited_ms"\): [0-9]*/\1: TIME/'
}

look()
{
	try locks "$@" | who
}

try_apart locks
try_apart locks --json
try_apart locks 0
try init "$ns"
try_apart locks
try_apart locks 0
try_apart locks 0x123
try_apart locks nothing

scene kinds
look
look --json
over
scene stale
look
over
scene two
look
look --json
over
scene three
look
look more
look --name locks --json | sed -n '/deadlocks/,$p' | grep -c waits_for
over
scene chain
look
look locks
look more
over

# A circle that is only apparent is never shown.
scene busy
i=0
while [ $i -lt 40 ]; do
	"$madang" locks >"$work/busy" || echo "exit $?"
	grep deadlock "$work/busy"
	i=$((i + 1))
done
over

scene full
"$madang" locks | wc -l
"$madang" locks | grep '"object 254"'
over
scene noise
"$madang" locks >"$work/noise" 2>&1
echo "exit $?"
"$madang" locks --json >"$work/json"
echo "exit $?"
if command -v python3 >/dev/null; then
	python3 -m json.tool <"$work/json" >/dev/null && echo "valid"
else
	echo "valid"
fi
over
try doctor | grep -i wrong
try ls
exit 0
