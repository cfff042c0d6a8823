# SPDX-License-Identifier: MIT
# listen, talk and channels: each kind, whoever comes first, lines and records, death and signals,
# options that do not fit, what is shown.
# shellcheck disable=SC2154 # case.sh sets what is not set here

MADANG_NAMESPACE=$ns
export MADANG_NAMESPACE

# until_shown NAME PATTERN: until `madang channels` has such a line.
until_shown()
{
	tries=0
	until "$madang" channels "$1" 2>/dev/null | grep -q -e "$2"; do
		tries=$((tries + 1))
		[ $tries -lt 200 ] || { echo "$1: never '$2'"; return 1; }
	done
}

# begin COMMAND...: in the background, as $job; its input is $input, its output goes to $work/job.
begin()
{
	"$madang" "$@" <"${input:-/dev/null}" >"$work/job" 2>"$work/job.err" &
	job=$!
}

# stop PID...: ends background commands, without the shell's word about it.
stop()
{
	{ kill "$@"; wait "$@"; } 2>/dev/null
}

# What the background command wrote, and how it ended.
ended()
{
	wait "$job" 2>/dev/null
	code=$?
	cat "$work/job" "$work/job.err"
	echo "(ended with $code)"
}

# All that differs from run to run: processes, times and rates.
plain()
{
	sed -e 's/process [0-9][0-9]*/process PID/' \
		-e 's/\(talker\|listener\) [0-9][0-9]*/\1 PID/' \
		-e 's/  [0-9][0-9]*s  /  AGE  /' -e 's/ in [0-9.]* s: .*s;/ in TIME: RATE;/' \
		-e 's/ in [0-9.]* s: .*s$/ in TIME: RATE/' -e 's/  asleep$//' \
		-e 's/\(identity"\): "[0-9a-f]*"/\1: HEX/' -e 's/\(epoch"\): [0-9]*/\1: TIME/' \
		-e 's/\(asleep"\): [a-z]*/\1: -/'
}

echo "# nothing there"
try_apart channels
try_apart channels --json
try channels news
[ -e "$ns" ] && echo "channels made a namespace"

echo "# a stream: the talker first, the listener first"
printf 'one\n\nthree\nno end' | try talk first
try channels
try listen --count 4 first
try channels first
begin listen --count 2 second
until_shown second 'listener'
printf 'hello\nworld\n' | try talk second
ended

echo "# count, timeout, whole"
seq 5 | try talk --count 3 first
try listen --timeout 0 first
try listen --timeout 0.01 first
seq 1000 | try talk --whole first
"$madang" listen --whole first | cksum
: | try talk --whole first
try listen --records --count 1 first | od -An -tx1 | tail -n 1
seq 1000 >"$work/numbers"
try talk --capacity 64 --timeout 0.01 tiny <"$work/numbers"
try listen --timeout 0 --stats tiny 2>&1 | plain | tail -n 2 |
	sed 's/[1-9][0-9]* \(messages\|bytes\)/N \1/g'
: | try talk --stats tiny
echo x | try talk --stats tiny
try listen --count 1 --stats tiny

echo "# records: any bytes"
printf '\0\0\0\3a\0b\0\0\0\0\0\0\0\4\nc\n\377' | try talk --records --kind queue bytes
"$madang" listen --records --timeout 0 bytes | od -An -tx1
printf '\0\0\0\2a\0' | try talk --records bytes
"$madang" listen --count 1 bytes | od -An -tx1
printf '\0\0\0\3ab' | try talk --records bytes
printf '\0\0\0\1a\0\0' | try talk --records bytes
try listen --timeout 0 bytes
printf '\0\0\0\1b\1\0\0\0' | try talk --records bytes
try listen --timeout 0 bytes

echo "# too large"
awk 'BEGIN { print "short"; for (i = 0; i < 70000; i++) printf "x"; print "" }' >"$work/long"
try talk first <"$work/long"
try talk --whole first <"$work/long"
head -c 70006 "$work/long" | try talk first
try listen --timeout 0 first
seq 100000 | try talk --capacity 1M --whole large
"$madang" listen --whole large | cksum
seq 100000 | cksum

echo "# a queue: each message to one"
begin listen --kind queue --count 300 jobs
until_shown jobs 'listener'
seq 500 | try talk jobs
"$madang" listen --count 200 jobs >"$work/other"
wait "$job"
sort -n "$work/job" "$work/other" | cksum
seq 500 | cksum
seq 3 | try talk jobs
seq 4 6 | try talk jobs
try listen --count 6 jobs

echo "# a topic: each message to all"
seq 3 | try talk --kind topic news
try listen --from oldest --count 3 news
try listen --from last --count 1 news
try listen --from next --timeout 0 news
begin listen --count 2 news
until_shown news 'listener'
"$madang" listen --from last --count 3 news >"$work/other" &
other=$!
until_shown news '  2          3 '
seq 4 5 | try talk news
ended
wait $other
cat "$work/other"
seq 1000 | try talk --overwrite --capacity 512 --timeout 0.01 ticks
try listen --from last --count 1 ticks
"$madang" listen --from oldest --timeout 0 ticks | tail -n 1
try rm --name ticks | sed 's/, [0-9].*)/, SIZE)/'

echo "# killed while it holds a message of a queue; the next one gets it"
mkfifo "$work/pipe"
exec 8<>"$work/pipe"
"$madang" listen --kind queue --capacity 256K held >&8 2>/dev/null &
job=$!
until_shown held 'listener'
awk 'BEGIN { for (i = 0; i < 200000; i++) printf "x"; print ""; print "next" }' |
	try talk held
until_shown held 'holds'
{ kill -9 $job; wait $job; } 2>/dev/null
exec 8>&-
try listen --stats --count 2 held 2>&1 | plain | sed 's/xxx*/x.../'

echo "# a reader that has enough; what it did not get stays"
echo one | try talk head
"$madang" listen head | head -n 1
echo two | try talk head
try listen --count 1 head
( "$madang" listen head; echo $? >"$work/code" ) | :
cat "$work/code"
( trap '' PIPE; "$madang" listen head 2>"$work/err"; echo $? >"$work/code" ) | :
cat "$work/err" "$work/code"
mkfifo "$work/unread"
exec 8<>"$work/unread" 7>"$work/unread" 8>&-
echo three | try talk head
"$madang" listen head >&7
echo "exit $?"
exec 7>&-
try listen --count 1 head
if [ -w /dev/full ]; then
	echo four | try talk head
	"$madang" listen head >/dev/full
	echo "exit $?"
	try listen --count 1 head
else
	sed -n '/No space/,/^four/p' "$here/channels.expected"
fi

echo "# signals"
if env --default-signal=INT true 2>/dev/null; then
	env --default-signal=INT "$madang" listen --stats first >"$work/job" 2>"$work/job.err" &
	job=$!
	until_shown first 'listener'
	kill -INT $job
	ended
else
	printf 'madang listen: 0 messages, 0 bytes; 0 missed, 0 redelivered\n(ended with 130)\n'
fi
begin listen first
until_shown first 'listener'
kill $job
ended
try channels first
mkfifo "$work/input"
"$madang" talk --stats first <"$work/input" >"$work/job" 2>"$work/job.err" &
job=$!
exec 8>"$work/input"
printf 'sent\nnot sent' >&8
until_shown first 'sent 1'
kill $job
ended
exec 8>&-
try listen --timeout 0 first
input=$work/numbers
begin talk --capacity 64 tiny
until_shown tiny 'talker.*asleep'
kill $job
ended

echo "# removed"
input=
begin listen --stats first
until_shown first 'listener'
try rm --name first | sed 's/, [0-9].*)/, SIZE)/'
ended
input=$work/numbers
begin talk tiny
until_shown tiny 'talker.*asleep'
try rm --name tiny | sed 's/, [0-9].*)/, SIZE)/'
ended

input=
echo "# what does not fit"
begin listen --kind stream --capacity 1K busy
until_shown busy 'listener'
try listen busy | plain
try talk --kind queue busy
try talk --capacity 64K busy
try talk --peers 5 busy
try talk --overwrite busy
try listen --from last busy
try call busy x
try serve busy -- true
try talk --kind topic --overwrite news </dev/null
stop $job
"$madang" mk 4096 --name segment >/dev/null
try listen segment
try talk segment </dev/null
try channels segment
begin listen --kind queue --peers 2 small
until_shown small 'listener'
"$madang" listen small &
other=$!
until_shown small '  2 '
try listen small
stop $job $other

echo "# what is shown"
name=$(printf 'a\033[2Jb\377"\\')
seq 3 | "$madang" talk --kind topic --mode 0644 "$name"
begin listen "$name"
until_shown "$name" 'listener'
try channels "$name" | plain
try channels --json "$name" | plain
stop $job
try channels | plain
if command -v python3 >/dev/null; then
	"$madang" channels --json --peers |
		python3 -c 'import json, sys; print(len(json.load(sys.stdin)["channels"]))'
else
	"$madang" channels | sed 1d | wc -l
fi
begin channels --watch=0.01 news
tries=0
until [ "$(grep -c news "$work/job")" -ge 3 ] || [ $tries = 2000 ]; do
	tries=$((tries + 1))
	sleep 0.01
done
stop $job
head -n 5 "$work/job" | plain
try channels --watch 2
exit 0
