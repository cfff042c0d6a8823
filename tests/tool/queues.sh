# SPDX-License-Identifier: MIT
# Message queues: made, listed, looked into while somebody waits, removed.
# shellcheck disable=SC2154 # case.sh sets what is not set here

MADANG_NAMESPACE=$ns
export MADANG_NAMESPACE
queues="--kind queues"
# The ages stand beside each other, and only one of them is replaced.
ages()
{
	sed -e 's/  *[0-9][0-9]*[sm]  *[0-9][0-9]*[sm]$/  AGE  AGE/' \
	    -e 's/\(last [a-z]*\) .*/\1 PID/'
}
# shellcheck disable=SC2086 # one word for each
{
try ls $queues
try mk $queues --key 0x77
try mk $queues --name orders --mode 0640
try mk $queues --name orders
try mk $queues --key 0x77
try mk $queues 5
try mk $queues --noreserve
try ls
try ls --json $queues

hold receive "$(nth 0)" 7
try ls $queues | ages
try ls -l $queues | ages
try ls -l $queues --json | sed -n '/"waiters": \[$/,/\]/p' | sed 's/\("thread": \).*/\1TID,/'
release
for type in 0 -7; do
	hold receive "$(nth 0)" $type
	"$madang" ls -l | grep waits
	release
done
hold receive "$(nth 0)" 7 except
"$madang" ls -l | grep waits
release

hold send "$(nth 0)" 1 8192 2
release
hold block "$(nth 0)" 1 100
try ls -l $queues | ages
try rm $queues --key 0x77
release
try rm $queues "$(nth 0)"
try rm "$(nth 1)"
try rm $queues "$(nth 1)"
try rm $queues --orphans
try ls
}
exit 0
