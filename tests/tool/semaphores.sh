# SPDX-License-Identifier: MIT
# Semaphore sets: made, listed, looked into while somebody waits and owes, removed.
# shellcheck disable=SC2154 # case.sh sets what is not set here

MADANG_NAMESPACE=$ns
export MADANG_NAMESPACE
semaphores="--kind semaphores"
# The ages stand beside each other, and only one of them is replaced.
ages()
{
	sed -e 's/  *[0-9][0-9]*[sm]  *[0-9][0-9]*[sm]$/  AGE  AGE/' \
	    -e 's/\(last process\) .*/\1 PID/'
}
# shellcheck disable=SC2086 # one word for each
{
try ls $semaphores
try mk $semaphores 3 --key 0x77
try mk $semaphores 1 --name printers --mode 0640
try mk $semaphores 1 --name printers
try mk $semaphores 1 --key 0x77
try mk $semaphores
try mk $semaphores 0
try mk $semaphores 32001
try mk $semaphores 1 --noreserve
try mk --kind lamps 1
try ls
try ls --kind semaphores
try ls --kind sem
try ls --kind shm
try ls --kind msg
try ls --kind segments
try ls --json --kind semaphores
try ls --json | grep -c '"segments": \[\]'

# Somebody has added 2, which its end takes away.
hold undo "$(nth 0)" 1 2
try ls -l $semaphores | ages
try ls -l $semaphores --json | sed -n '/"semaphores"/,$p'
release
try ls -l $semaphores | ages

# Somebody waits.
hold sleep "$(nth 0)" 2 -4
try ls $semaphores | ages
try ls -l $semaphores | ages
try ls -l $semaphores --json | sed -n '/"waiters": \[$/,/\]/p'
try rm $semaphores "$(nth 0)" --dry-run
try rm $semaphores "$(nth 0)"
release

# Whatever it owed is given back when somebody looks.
hold undo "$(nth 1)" 0 1
kill -9 "$holder"
release 2>/dev/null
try ls -l $semaphores | ages

try rm $semaphores "$(nth 0)"
try rm "$(nth 1)"
try rm $semaphores --key 0x78
try rm $semaphores --name printers
try rm $semaphores --name printers
try rm $semaphores
try rm $semaphores --orphans
try ls
}
exit 0
