# SPDX-License-Identifier: MIT
# A process keeps the lock of a semaphore set, and lives; then it is dead. Nothing waits for it.
# shellcheck disable=SC2154 # case.sh sets what is not set here

MADANG_NAMESPACE=$ns
export MADANG_NAMESPACE

examine()
{
	try doctor "$@" | grep -e exit -e '^semaphores' -e '^finding' -e '^   ' -e '^result' |
		grep -v -e ' record' -e private
}
look()
{
	try ls -l --kind semaphores | sed -e 's/  *[0-9][0-9]*[sm]  *[0-9][0-9]*[sm]$/  AGE  AGE/' \
		-e 's/\(last process\) .*/\1 PID/' \
		-e 's/process [0-9]* dead.*  its/process PID dead  its/'
}

"$madang" mk --kind semaphores 2 >/dev/null
# It owes something that whoever looks would give back, with the lock.
hold undo "$(nth 0)" 1 2
kill -9 "$holder"
release 2>/dev/null
hold lock "$(nth 0)"
look
try ls --json --kind semaphores | grep stuck
examine
examine --repair
"$madang" doctor --json | grep -c '"kind": "lock-held"'

echo "# it is dead: whoever looks at what another one owes takes the lock over"
kill -9 "$holder"
release 2>/dev/null
look
try ls --json --kind semaphores | grep stuck

echo "# dead again, and nobody owes anything"
hold lock "$(nth 0)"
kill -9 "$holder"
release 2>/dev/null
examine
"$madang" doctor --json | grep -c '"kind": "dead-owner"'
examine --repair
examine
hold undo "$(nth 0)" 0 1
look
release

echo "# a set is removed although its lock is kept, and who sleeps there goes on"
mkfifo "$work/sleeper"
exec 8<>"$work/sleeper"
"$helpers/tool_hold" "$ns" sleep "$(nth 0)" 0 -4 <"$work/sleeper" >"$work/asleep" 8>&- &
sleeper=$!
until [ -s "$work/asleep" ] && grep -q ready "$work/asleep"; do sleep 0.02; done
hold lock "$(nth 0)"
try rm --kind semaphores "$(nth 0)"
wait "$sleeper" && echo "the sleeper goes on"
release
exec 8>&-
try ls --kind semaphores
exit 0
