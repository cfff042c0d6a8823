# SPDX-License-Identifier: MIT
# call and serve: replies, refusals, deaths, sizes, signals.
# shellcheck disable=SC2154 # case.sh sets what is not set here

MADANG_NAMESPACE=$ns
export MADANG_NAMESPACE

# serve ARGUMENTS: in the background, as $server.
serve()
{
	"$madang" serve "$@" 2>"$work/serve.err" &
	server=$!
}

# How it ended, and what it had to say. The shell's own word on a signal comes only at times.
served()
{
	{ wait "$server"; } 2>/dev/null
	code=$?
	sed 's/^/serve: /' "$work/serve.err"
	echo "(served: $code)"
}

# until_there FILE
until_there()
{
	tries=0
	until [ -s "$1" ]; do
		tries=$((tries + 1))
		[ $tries -lt 2000 ] || { echo "$1: never there"; return 1; }
		sleep 0.01
	done
}

echo "# nobody there"
try call --timeout 0.05 upper hello
serve --timeout 0.05 upper -- cat
served
try call --timeout 0.05 upper hello
try serve upper -- /no/such/command
try serve upper -- no-such-command
try serve upper -- "$base"
try serve upper

echo "# replies"
serve --count 5 upper -- tr a-z A-Z
try call upper hello
echo
try call upper two  words
echo
try call upper ''
try call upper -- --dash
echo
printf 'line\nno end' | try call upper
echo
served
serve count --count 2 wc -c
try call count </dev/null
try call count 12345
served

echo "# the caller first"
"$madang" call late early >"$work/reply" &
caller=$!
serve --count 1 late -- cat
wait $caller
echo "exit $?: $(cat "$work/reply")"
served

echo "# large both ways at once, and a command that does not read"
seq 30000 >"$work/numbers"
serve --count 4 --capacity 1M large -- sh -c 'case $(head -c 5) in
	quiet) head -c 500000 /dev/zero ;;
	*) cat; cat "$1" ;;
	esac' - "$work/numbers"
"$madang" call large <"$work/numbers" | wc -c
"$madang" call large quiet | wc -c
{ printf quiet; cat "$work/numbers"; } | "$madang" call large | wc -c
head -c 1048577 /dev/zero | try call large
"$madang" call large <"$work/numbers" | cksum
{ tail -c +6 "$work/numbers"; cat "$work/numbers"; } | cksum
served

echo "# refused"
serve --count 4 --capacity 1K refuse -- sh -c 'read -r word || exit 1; case $word in
	fail) echo "on its standard error" >&2; exit 3 ;;
	kill) kill -9 $$ ;;
	much) head -c 1025 /dev/zero ;;
	esac; echo done'
echo fail | try call refuse
echo kill | try call refuse
echo much | try call refuse
echo well | try call refuse
served

echo "# callers that do not wait"
mkfifo "$work/go"
exec 8<>"$work/go"
serve --count 2 slow -- sh -c 'read -r word; echo "$word" >"$1"
	read -r line <"$2"; echo "$word"' - "$work/begun" "$work/go"
echo first | "$madang" call slow &
caller=$!
until_there "$work/begun"
try call --timeout 0.05 slow second
{ kill $caller; wait $caller; } 2>/dev/null
echo "(called: $?)"
printf '\n\n' >&8
echo third | try call slow
served

# A server whose command waits and has children, and a caller.
busy()
{
	rm -f "$work/family"
	serve busy -- sh -c 'sleep 1000 & echo "$$ $!" >"$1.new" && mv "$1.new" "$1"
		wait' - "$work/family"
	"$madang" call busy work >"$work/reply" 2>&1 &
	caller=$!
	until_there "$work/family"
	read -r command child <"$work/family"
}

called()
{
	wait "$caller"
	code=$?
	cat "$work/reply"
	echo "(called: $code)"
}

# A zombie counts as gone: who was its parent may be slow to notice.
gone()
{
	for pid in "$command" "$child"; do
		tries=0
		while grep -q '^State:[[:space:]]*[^ZX]' "/proc/$pid/status" 2>/dev/null; do
			tries=$((tries + 1))
			[ $tries -lt 2000 ] || { echo "$pid is still there"; return; }
			sleep 0.01
		done
	done
	echo gone
}

echo "# interrupted"
busy
kill "$server"
called
served
gone
echo "# killed"
busy
{ kill -9 "$server"; wait "$server"; } 2>/dev/null
called
kill -9 "$command" "$child"
echo "# the caller was killed"
serve --count 2 --capacity 64K busy -- sh -c 'read -r word; [ "$word" = first ] || exec cat
	echo $$ >"$1"; read -r line <"$2"' - "$work/pid" "$work/go"
echo first | "$madang" call busy &
caller=$!
until_there "$work/pid"
{ kill -9 $caller; wait $caller; } 2>/dev/null
tries=0
until "$madang" channels busy | grep -q '  0        1  '; do
	tries=$((tries + 1))
	[ $tries -lt 200 ] || { echo "the caller is still there"; break; }
done
echo >&8
printf 'second\nthird\n' | try call busy
served
echo "# removed"
serve busy -- cat
try call busy is it there
echo
try rm --name busy | sed 's/, [0-9].*)/, SIZE)/'
served
try channels
exit 0
