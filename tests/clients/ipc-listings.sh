#!/bin/sh
# SPDX-License-Identifier: MIT
#
# ipc-listings.sh - util-linux's and gdb's listings of semaphores and queues, letter by letter.
#
# Two sets and two queues get ids that were chosen before (sem_next_id,
# msg_next_id), so that even the widths of the columns are the same on the
# kernel and on Madang. One set has two sleepers, one queue has messages. Every
# listing that ipcs, lsipc and gdb have is printed, with the exit code. Then
# come their errors, also those of another user, ipcmk's and ipcrm's.
#
# Only keys, times and process ids are replaced by words, because they differ
# from run to run. Whether a time was set at all can still be seen.

# shellcheck source=tests/clients/support.sh disable=SC1091
. "$(dirname "$0")/support.sh"

SET=1234567 OTHER_SET=7654321 QUEUE=2345678 OTHER_QUEUE=8765432 ABSENT=999999

# worded: what differs from run to run becomes a word. A process id makes its column as wide
# as it is, so blanks are made single in such lines.
worded() {
	sed -E -f "$WORK/pids" -e 's/0x[0-9a-f]{8}/KEY-OF-TEN/g' \
		-e 's/[A-Z][a-z]{2} [A-Z][a-z]{2} +[0-9]{1,2} [0-9:]{8} +20[0-9]{2}/TIME/g' \
		-e 's/[A-Z][a-z]{2} +[0-9]{1,2} [0-9:]{8}/TIME/g' \
		-e 's/20[0-9-]{8}T[0-9:]{8}[+0-9:]*/TIME/g' \
		-e 's/([A-Z][a-z]{2}[0-9]{2}\/)?\b[0-9]{2}:[0-9]{2}\b/TIME/g'
}

# know NAME PID: the process is called NAME from now on.
know() { printf '/\\b%s\\b/{ s/ *\\b%s\\b */ %s /g; s/  +/ /g }\n' "$2" "$2" "$1" >> "$WORK/pids"; }

# show COMMAND...: what it prints, and how it ends.
show() {
	"$@" > "$WORK/said" 2>&1
	code=$?
	printf '$ %s\n' "$*" | worded
	worded < "$WORK/said"
	printf 'exit %s\n' $code
}

# as_nobody COMMAND...: in the same way, as another user.
as_nobody() {
	show setpriv --reuid nobody --regid nogroup --clear-groups -- "$@"
}

# made WANTED FILE COMMAND...: makes an object that has to get the wanted id.
made() {
	wanted=$1 file=$2
	shift 2
	echo "$wanted" > "/proc/sys/kernel/$file" || give_up "$file cannot be written"
	said=$("$@") || give_up "$*"
	equal "$*" "$wanted" "${said##*: }"
}

make_objects() {
	made $SET sem_next_id ipcmk -S 3 -p 0640
	made $OTHER_SET sem_next_id ipcmk -S 5
	made $QUEUE msg_next_id ipcmk -Q -p 0622
	made $OTHER_QUEUE msg_next_id ipcmk -Q
}

# use CODE ID...: becomes a line of perl.
use() {
	code=$1
	shift
	exec perl -MIPC::SysV=IPC_NOWAIT -e "$code or die \"\$!\"" "$@"
}

# sleeper NAME CODE: one process that sleeps in semop.
sleeper() {
	use "$2" $SET 2> /dev/null &
	know "$1" $!
	sleepers="${sleepers-} $!"
}

# shellcheck disable=SC2317 # it is a condition for wait_until
asleep() { [ "$(ipcs -s -i $SET | awk 'NF == 5 { n += $3 + $4 } END { print n }')" -eq "$1" ]; }

# The $ are perl's. The process that did it last is seen in ipcs.
# shellcheck disable=SC2016
use_objects() {
	use 'semop($ARGV[0], pack("s6", 1, 4, 0, 0, 2, 0))' $SET &
	know POSTER $!
	wait $! || give_up "semop"
	use 'msgsnd($ARGV[0], pack("l! a*", 7, "hello"), 0) &&
		msgsnd($ARGV[0], pack("l! a*", 5, "x" x 2000), 0)' $QUEUE &
	know SENDER $!
	wait $! || give_up "msgsnd"
	use 'msgrcv($ARGV[0], $got, 100, 7, IPC_NOWAIT)' $QUEUE &
	know RECEIVER $!
	wait $! || give_up "msgrcv"
	sleeper TAKER 'semop($ARGV[0], pack("s3", 2, -4, 0))'
	sleeper WAITER-FOR-ZERO 'semop($ARGV[0], pack("s3", 0, 0, 0))'
	wait_until 20 asleep 2 || give_up "nobody sleeps: $(ipcs -s -i $SET)"
}

list_with_ipcs() {
	for option in "" -l -u -t -p -c -b --human; do
		# shellcheck disable=SC2086 # none is none
		{
			show ipcs -s $option
			show ipcs -q $option
			show ipcs -s -q $option
		}
	done
	show ipcs -a
	for option in "" -b --human; do
		# shellcheck disable=SC2086
		{
			show ipcs -s $option -i $SET
			show ipcs -q $option -i $QUEUE
			show ipcs -s $option -i $OTHER_SET
		}
	done
	show ipcs -s -i $ABSENT
	show ipcs -q -i $ABSENT
}

# The columns of lsipc's own choice, its forms of output, and every column there is.
list_with_lsipc() {
	for option in "" -b -c -t -P --json --raw --export --newline --list --time-format=iso; do
		# shellcheck disable=SC2086 # none is none
		{
			show lsipc -s $option
			show lsipc -q $option
		}
	done
	show lsipc -s -g
	show lsipc -q -g
	owners=KEY,ID,OWNER,PERMS,CUID,CUSER,CGID,CGROUP,UID,USER,GID,GROUP,CTIME
	show lsipc -s --export -o $owners,NSEMS,OTIME
	show lsipc -q --export -o $owners,USEDBYTES,MSGS,SEND,RECV,LSPID,LRPID
	show lsipc -s -i $SET | tr -s ' ' # the ids make a column of its table as wide as they are
	show lsipc -q -i $QUEUE
	show lsipc -s -i $SET --json
	show lsipc -s -i $ABSENT
	show lsipc -q -i $ABSENT
	for limit in MSGMNI MSGMAX MSGMNB SEMMNI SEMMNS SEMMSL SEMOPM SEMVMX; do
		fact "lsipc" "$(lsipc --export --bytes | grep "\"$limit\"")"
	done
}

list_as_nobody() {
	for id in $SET $OTHER_SET $ABSENT; do
		as_nobody ipcs -s -i "$id"
		as_nobody ipcrm -s "$id"
	done
	for id in $QUEUE $OTHER_QUEUE $ABSENT; do
		as_nobody ipcs -q -i "$id"
		as_nobody ipcrm -q "$id"
	done
	as_nobody ipcs -s -q
	as_nobody ipcrm --all=sem --all=msg
	as_nobody lsipc -s -i $SET
	as_nobody lsipc -q -i $QUEUE
}

list_with_gdb() {
	command -v gdb > /dev/null || return 0
	show gdb -nx -batch -ex "info os semaphores" -ex "info os msg" |
		sed -E 's/^-?[0-9]{5,} +/KEY /'
}

key_of() { ipcs "$1" | awk -v id="$2" '$2 == id { print $1 }'; }

make_wrongly() {
	for count in 0 -1 x 32000 32001 99999999999; do
		show ipcmk -S $count
	done | sed 's/id: [0-9]*/id: ANY/'
	show ipcmk -Q -p 999
	show ipcmk -S 1 -p 777 | sed 's/id: [0-9]*/id: ANY/'
}

remove() {
	for kind in s q; do
		show ipcrm -$kind $ABSENT
		show ipcrm -$kind x
	done
	for kind in S Q; do
		show ipcrm -$kind 0x12345
		show ipcrm -$kind 0
	done
	show ipcrm sem $ABSENT
	show ipcrm msg $ABSENT
	key=$(key_of -s $OTHER_SET)
	show ipcrm -S "$key"
	show ipcrm -S "$key"
	key=$(key_of -q $OTHER_QUEUE)
	show ipcrm -Q "$key"
	show ipcrm -Q "$key"
	show ipcrm -s $SET -q $QUEUE
	for pid in $sleepers; do
		wait "$pid"
		fact "exit of a sleeper in a removed set" $?
	done
	ipcmk -S 2 > /dev/null && ipcmk -Q > /dev/null && ipcmk -Q > /dev/null
	show ipcrm --all=msg
	show ipcs | sed -E 's/^KEY-OF-TEN [0-9]+ +/KEY ANY /'
	show ipcrm --all
	show ipcs
	fact "left" "$(cat /proc/sysvipc/sem /proc/sysvipc/msg)"
}

if [ "${1-}" = inside ]; then
	: > "$WORK/pids"
	make_objects
	use_objects
	list_with_ipcs
	list_with_lsipc
	list_as_nobody
	list_with_gdb
	make_wrongly
	remove
	finish
fi

need ipcs util-linux
need lsipc util-linux
need ipcmk util-linux
need setpriv util-linux
need perl perl
[ "$(id -u)" -eq 0 ] || skip "only root can be two users, and choose ids on the kernel"
workdir ipc-listings
[ "$MODE" = kernel ] || can_preload
copy_build
(enter --shared --timeout 120)
