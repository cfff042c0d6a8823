#!/bin/sh
# SPDX-License-Identifier: MIT
#
# postgres-semaphores.sh - PostgreSQL whose processes sleep on System V semaphores.
#
# Debian's PostgreSQL sleeps on POSIX semaphores. script/postgres-sysv makes one that
# sleeps on System V semaphores; without it, this test is skipped.
#
# The postmaster makes sets of 17 semaphores: 16 for processes, and one whose value and
# last process say that the set is PostgreSQL's and whose. A server that was killed leaves
# its sets. The next one finds them by their keys, sees by GETPID that their maker is dead,
# and removes them. So a wrong GETPID or a wrong key would leave sets behind.
#
# What is gone through: initdb leaves no set; as many sets as on the kernel, each with
# 17 semaphores of the postmaster; pgbench on so few rows that the processes wait for each
# other; a crashed backend, after which the sets are made anew; the whole server killed;
# recovery, with as many sets as before; stop, and no set is left.

# shellcheck source=tests/clients/support.sh disable=SC1091
. "$(dirname "$0")/support.sh"
# shellcheck source=tests/clients/pgsupport.sh disable=SC1091
. "$(dirname "$0")/pgsupport.sh"

# The semaphore table without its header. Its columns: key semid perms nsems uid gid cuid
# cgid otime ctime.
set_rows() { sed 1d /proc/sysvipc/sem | awk -v uid="$(id -u)" '$5 == uid'; }

# How many sets, with what permissions and sizes.
sets() { set_rows | awk '{ print $3 "/" $4 }' | sort | uniq -c | sed 's/^ *//'; }

# Of each set the last semaphore has PostgreSQL's number, 537, and the postmaster's process.
# shellcheck disable=SC2016 # perl's own
marked_sets() {
	# shellcheck disable=SC2154 # pgsupport.sh sets it
	set_rows | POSTMASTER=$postmaster perl -ne '
		my $id = (split)[1];
		my ($value, $pid) = (semctl($id, 16, 12, 0), semctl($id, 16, 11, 0));
		# GETVAL is 12, GETPID 11
		print "$value ", ($pid == $ENV{POSTMASTER} ? "postmaster" : $pid), "\n"' |
		sort | uniq -c | sed 's/^ *//'
}

look_at_sets() {
	fact "sets $1" "$(sets)"
	check "there are sets $1" [ -n "$(set_rows)" ]
	first=$(set_rows | awk 'NR == 1 { print $2 }')
	check "ipcs lists them $1" [ -n "$(ipcs -s | awk -v id="$first" '$2 == id')" ]
	[ "$MODE" = kernel ] || check "madang ls lists them $1" \
		[ -n "$("$MADANG" ls --kind semaphores | awk -v id="$first" '$1 == id')" ]
}

# All wait for one row: each commit wakes the next process by its semaphore.
contend() {
	value "CREATE TABLE one_row (number int)"
	value "INSERT INTO one_row VALUES (0)"
	echo "UPDATE one_row SET number = number + 1;" > "$PLACE/contend.sql"
	"$BIN/pgbench" -n -c 12 -j 2 -t 100 -f "$PLACE/contend.sql" -h "$PLACE" -U postgres \
		postgres > "$PLACE/pgbench" 2>&1 ||
		{ cat "$PLACE/pgbench" >&2; give_up "pgbench, contended"; }
	fact "the row that all have changed" "$(value 'SELECT number FROM one_row')"
}

kill_all() {
	family_ids=$(cat /proc/[0-9]*/stat 2> /dev/null | sed 's/^\([0-9]*\) (.*) /\1 /' |
		awk -v parent="$postmaster" '$3 == parent || $1 == parent { print $1 }')
	# shellcheck disable=SC2086 # the ids are words
	kill -KILL $family_ids 2> /dev/null
	wait_until 20 ended "$postmaster" || give_up "the server does not die"
	look_at_sets "of the killed server"
}

# The postmaster alone: its children see that, and end.
# shellcheck disable=SC2154,SC2317 # a condition for wait_until; pgsupport.sh sets the segment
alone() { [ "$(column "$segment" 7)" = 0 ]; }

kill_postmaster() {
	kill -KILL "$postmaster"
	wait_until 20 ended "$postmaster" || give_up "the server does not die"
	wait_until 30 alone || give_up "attachments: $(column "$segment" 7); 0 expected"
	look_at_sets "when the postmaster is dead"
}

check_recovered() {
	: > "$PLACE/log"
	start_server
	check "it recovered" grep -q 'automatic recovery in progress' "$PLACE/log"
	look_at_sets "after recovery"
	fact "marks" "$(marked_sets)"
	books_balance
	equal "the row that all have changed" 1200 "$(value 'SELECT number FROM one_row')"
}

[ "${1-}" = inside ] || {
	need perl perl
	PG_SYSV=${PG_SYSV:-$(dirname "$0")/../../build/postgres-sysv}
	[ -x "$PG_SYSV/bin/postgres" ] || skip \
		"there is no PostgreSQL with System V semaphores; script/postgres-sysv makes it"
	PG_SYSV=$(cd "$PG_SYSV" && pwd)
	BIN=$PG_SYSV/bin SHARE=$PG_SYSV/share
	PG_BIN=$BIN PG_SHARE=$SHARE
	export PG_BIN PG_SHARE
	outside
}

begin
sets_before=$(sets)
cluster one
stage "initdb" && make_cluster
equal "sets left by initdb" "$sets_before" "$(sets)"
stage "start" && start_server
look_at_sets "at work"
fact "marks" "$(marked_sets)"
stage "pgbench" && run_pgbench
stage "one row for all" && contend
stage "a crashed backend" && crash_backend
look_at_sets "after the crash"
fact "marks" "$(marked_sets)"
stage "all are killed" && kill_all
check_recovered
stage "the postmaster is killed" && kill_postmaster
check_recovered
stage "stop" && stop_server
equal "sets left" "$sets_before" "$(sets)"
check "no complaint about semaphores in the log" [ -z "$(grep -i semaphore "$PLACE/log")" ]
finish
