#!/bin/sh
# SPDX-License-Identifier: MIT
#
# seed.sh - two old programs, compiled unchanged, hold their conversation.
#
# Three ways: preloaded by `madang run`; linked with -lmadang-sysv, where only
# the `ipcs` that the talker starts is preloaded; and on the kernel (MODE=kernel),
# which shows that the test itself is right. Each with a key file that is there
# and one that is not (ftok gives -1 then, a key like any other).
#
# The programs have two races, and the test must not depend on winning them. The
# talker's signal kills a listener that is not yet in sigsuspend: the talker is
# started when the listener's signal mask says that it is. And they sleep where
# they should wait: seed_sleep.c.

# shellcheck source=tests/clients/support.sh disable=SC1091
. "$(dirname "$0")/support.sh"

compile() {
	# shellcheck disable=SC2086 # the flags are words
	"$CC" $CC_FLAGS -w -o "$WORK/$1/$2" "$SEED/$2.c" "$(dirname "$0")/seed_sleep.c" $3 ||
		give_up "$2 does not compile"
}

# In sigsuspend the mask holds SIGINT (bit 1) and not SIGUSR1 (bit 9): outside of
# it holds nothing, and inside the library everything. Only the last digits count.
# shellcheck disable=SC2317 # it is a condition for wait_until
suspended() {
	mask=$(sed -n 's/^SigBlk:[[:space:]]*//p' "/proc/$1/status" 2> /dev/null)
	[ -n "$mask" ] && [ $((0x${mask#"${mask%???}"} & 0x202)) -eq 2 ]
}

# The command that starts a program: through `madang run`, or plainly.
start() {
	if [ "$WAY" = preloaded ]; then
		exec "$MADANG" run -- "$@"
	fi
	exec "$@"
}

# rows and column, for a shell that is itself not preloaded.
rows() {
	if [ "$MODE" = kernel ]; then
		sed 1d /proc/sysvipc/shm
	else
		"$MADANG" run -- sed 1d /proc/sysvipc/shm
	fi
}

# What ftok("shmfile", 1) gives in this directory.
expected_key() {
	if [ -e shmfile ]; then
		inode=$(stat -c %i shmfile) device=$(stat -c %d shmfile)
		printf '0x%08x\n' $((inode & 0xffff | (device & 0xff) << 16 | 1 << 24))
	else
		echo 0xffffffff
	fi
}

# The row of `ipcs -m` in the talker's output: key id owner perms bytes nattch.
check_table() {
	# shellcheck disable=SC2046 # the row's words are wanted
	set -- "$1" $(grep '^0x' talker.out)
	equal "$WAY: key that ipcs shows" "$(expected_key)" "${2-}"
	equal "$WAY: id that ipcs shows" "$1" "${3-}"
	equal "$WAY: owner that ipcs shows" "$(id -un | cut -c1-10)" "${4-}"
	equal "$WAY: permissions that ipcs shows" 666 "${5-}"
	equal "$WAY: size that ipcs shows" 1024 "${6-}"
	equal "$WAY: attachments that ipcs shows" 2 "${7-}"
	equal "$WAY: segments that ipcs shows" 1 "$(grep -c '^0x' talker.out)"
}

conversation() {
	rm -f replied over
	(SLEEP_MAKES=replied SLEEP_AWAITS=over start "$PROGRAMS/listener" > listener.out 2>&1) &
	listener=$!
	wait_until 20 suspended "$listener" ||
		give_up "the listener is not waiting: $(cat listener.out)"
	equal "$WAY: the process that waits" listener "$(cat "/proc/$listener/comm")"
	id=$(rows | awk 'NR == 1 { print $2 }')
	(SLEEP_AWAITS=replied start "$PROGRAMS/talker" "$listener" > talker.out 2>&1)
	equal "$WAY: the talker's exit" 0 $?
	check "$WAY: the listener has replied" test -e replied
	: > over
	wait "$listener"
	equal "$WAY: the listener's exit" 0 $?
	check_table "$id"
	if [ "$WAY" != linked ]; then
		fact "the listener, $directory shmfile" "$(cat listener.out)"
		fact "the talker, $directory shmfile" "$(grep -v '^0x' talker.out)"
	fi
	equal "$WAY: what the listener heard" \
		"Listener wait for Talker Listener Start ==== Lister received : Hello, I'm talker" \
		"$(tr -s '\n' ' ' < listener.out | sed 's/ $//')"
	check "$WAY: what the talker heard" grep -qx 'Listener said : Have a nice day' talker.out
	equal "$WAY: segments left" "" "$(rows)"
	[ "$failures" -eq 0 ] || cat listener.out talker.out >&2
}

if [ "${1-}" = inside ]; then
	WAY=$2 WORK=$3 PROGRAMS=$3/$2
	PATH=$PROGRAMS:$PATH
	need_empty_table
	for directory in with without; do
		mkdir "$PROGRAMS/$directory" || give_up "mkdir"
		cd "$PROGRAMS/$directory" || give_up "cd"
		[ "$directory" = without ] || : > shmfile
		conversation
	done
	finish
fi

SEED=$1
[ -f "$SEED/talker.c" ] || skip "the two programs are not there ($SEED/listener.c, talker.c)"
need ipcs util-linux
WORK=$(mktemp -d "${TMPDIR:-/tmp}/madang-seed.XXXXXX") || give_up "mktemp"
trap 'rm -rf "$WORK"' EXIT
trap 'exit 130' INT TERM

mkdir "$WORK/preloaded" "$WORK/linked" "$WORK/kernel"
if [ "$MODE" = kernel ]; then
	grep -qs shmid /proc/sysvipc/shm || skip "the kernel has no System V shared memory"
	compile kernel listener ""
	compile kernel talker ""
	"$ENCLOSE" --kernel sh "$0" inside kernel "$WORK"
	exit
fi

can_preload
for program in listener talker; do
	compile preloaded $program ""
	compile linked $program "$PRELOAD -Wl,-rpath,${PRELOAD%/*}"
done
# The talker finds this ipcs before the real one. The linked talker itself has no preload that it
# could pass on to ipcs.
printf '#!/bin/sh\nPATH=%s LD_PRELOAD=%s exec ipcs "$@"\n' "'$PATH'" "'$PRELOAD'" \
	> "$WORK/linked/ipcs"
chmod +x "$WORK/linked/ipcs"
"$ENCLOSE" sh "$0" inside preloaded "$WORK" || failures=1
"$ENCLOSE" sh "$0" inside linked "$WORK" || failures=1
finish
