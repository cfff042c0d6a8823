# SPDX-License-Identifier: MIT
# Circles of waits through semaphore sets with undo, alone and with a mutex; and what is none.
# shellcheck disable=SC2154 # case.sh sets what is not set here

MADANG_NAMESPACE=$ns
export MADANG_NAMESPACE

# scene WORD: starts `circlers`; P1 to P3 are its children.
scene()
{
	echo "== $1"
	rm -f "$work/in" "$work/ready"
	mkfifo "$work/in" "$work/ready"
	"$helpers/tool_circlers" "$ns" "$1" <"$work/in" >"$work/ready" &
	circlers=$!
	exec 9>"$work/in"
	read -r word p1 p2 p3 <"$work/ready"
	[ "$word" = ready ] || { echo "circlers failed"; exit 1; }
}

over()
{
	exec 9>&-
	wait "$circlers"
}

# What differs from run to run.
look()
{
	try locks "$@" | sed -e "s/\\([^0-9]\\)$p1\\([ ,]\\)/\\1P1\\2/g" \
		-e "s/\\([^0-9]\\)$p2\\([ ,]\\)/\\1P2\\2/g" \
		-e "s/\\([^0-9]\\)${p3:-none}\\([ ,]\\)/\\1P3\\2/g" \
		-e 's/waits [0-9.]*[smh] /waits TIME /' -e 's/\(waited_ms"\): [0-9]*/\1: TIME/'
}

"$madang" init "$ns" >/dev/null
scene two
look
look --json | sed -n '/deadlocks/,$p'
over
scene zero
look
over
scene mixed
look
look circles --json | sed -n '/deadlocks/,$p'
over
scene timed
look
look --json | sed -n '/deadlocks/,$p' | grep -e deadlocks -e circles -e timed
over

# None of these is a circle.
for word in value spare plain more threads; do
	scene $word
	try locks 2>&1 | grep -e deadlock -e circle
	over
done
scene busy
i=0
while [ $i -lt 20 ]; do
	"$madang" locks 2>/dev/null >"$work/busy" || echo "exit $?"
	grep -e deadlock -e circle "$work/busy"
	i=$((i + 1))
done
over
try ls --kind semaphores
exit 0
