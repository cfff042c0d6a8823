# SPDX-License-Identifier: MIT
# madang run --log: what the lines say, where they go, and what is refused.
# shellcheck disable=SC2154 # case.sh sets what is not set here

case $SANITIZE in
*address* | *thread*) skip "a sanitizer's library must be loaded first; no preload" ;;
esac
logged=$helpers/tool_logged

# What differs from run to run in the lines of a log.
lines()
{
	sed -e 's|^[0-9]*/[0-9]* [0-9:.]* |PID/TID |; s|^[0-9]* [0-9:.]* |PID |' \
	    -e 's|<[0-9]*\.[0-9]\{6\}>$|<TIME>|' \
	    -e 's|^# ....-..-.. ..:..:.. UTC, pid [0-9]*|# DATE, pid PID|' \
	    -e 's|\([acdors]time\)=[1-9][0-9]*|\1=T|g; s,\([clsr]pid\)=[1-9][0-9]*,\1=P,g' \
	    -e 's|\(c*[ug]id\)=[0-9]*|\1=U|g; s|0x[4-9f][0-9a-f]\{7,\}|ADDRESS|g' \
	    -e 's|sh[ma]*[mxl]*=[0-9]\{9,\}|LIMIT|g' "$@"
}

echo "# all calls"
try run -n "$ns" --log "$work/all" "$logged" all
lines "$work/all"

echo "# who sleeps says so; and the other program's calls are in the same file"
try run -n "$ns" -l "$work/sleep" "$logged" sleep
lines "$work/sleep" | grep -v -e 'sem_op=1' -e 'msgsnd'
lines "$work/sleep" | grep -e 'sem_op=1' -e 'msgsnd'

echo "# by number"
try run -n "$ns" --log "$work/number" "$logged" numbers
lines "$work/number"

echo "# to standard error, and to a file that is there already"
"$madang" run -n "$ns" --log - "$logged" few 2>"$work/err"
lines "$work/err"
echo before >"$work/file"
"$madang" run -n "$ns" --log "$work/file" "$logged" few
( cd "$work" && "$madang" run -n "$ns" --log file "$logged" few )
lines "$work/file"

echo "# a program whose standard error leads elsewhere"
"$madang" run -n "$ns" --log - "$logged" elsewhere "$work/other" 2>"$work/err"
lines "$work/err" "$work/other"

echo "# a pipe with a name"
mkfifo "$work/fifo"
exec 8<>"$work/fifo" 7<"$work/fifo" # so that it has a reader from now on
cat <&7 >"$work/read" 7<&- 8>&- &
exec 7<&-
"$madang" run -n "$ns" --log "$work/fifo" "$logged" few 8>&-
exec 8>&-
wait
lines "$work/read"

echo "# with --strict, a program that is started without its environment"
"$madang" run -n "$ns" --strict --log "$work/strict" "$logged" bare
lines "$work/strict"

echo "# refused"
try run -n "$ns" --log "$base" "$logged" few
try run -n "$ns" --log "$work/no/such" "$logged" few
try run -n "$ns" --log "" "$logged" few
try run -n "$ns" --log /dev/full "$logged" few
mkfifo "$work/unread"
try run -n "$ns" --log "$work/unread" "$logged" few
try run -n "$ns" --log
try run -n "$ns" --log /dev/stdout "$logged" few | cat
