#!/bin/sh
# SPDX-License-Identifier: MIT
#
# postgres-crash.sh - two PostgreSQL clusters in one namespace, and what kills them.
#
# Both run at once, each with its own segments and its own exact count. A cluster's
# key is the inode of its data directory; that key is another program's here, so that
# the server has to go on to the next. Then, while the second one works on:
# every process of the first is killed at once, in the middle of transactions; a
# server that is told to stop without finishing (immediate); a backend that is
# killed, after which the server makes its memory anew. Each time the first comes
# back with every committed row, its old segments go, and the second one neither
# restarts nor loses a segment or a row.

# shellcheck source=tests/clients/support.sh disable=SC1091
. "$(dirname "$0")/support.sh"
# shellcheck source=tests/clients/pgsupport.sh disable=SC1091
. "$(dirname "$0")/pgsupport.sh"

# use NAME: the cluster, with its server and its segment as they are now.
use() {
	cluster "$1"
	[ -f "$DATA/postmaster.pid" ] || return 0
	postmaster=$(sed -n 1p "$DATA/postmaster.pid")
	segment=$(awk 'NR == 7 { print $2 }' "$DATA/postmaster.pid")
}

# A copy of the first, before it has run: initdb takes its time.
copy_cluster() {
	cp -a "$WORK/one/data" "$WORK/two/data" || give_up "cp"
	sed "s|'$WORK/one'|'$WORK/two'|" "$WORK/one/data/postgresql.conf" \
		> "$WORK/two/data/postgresql.conf" || give_up "sed"
}

# Another program's segment under the key that a data directory stands for.
occupy_key() {
	key=$(stat -c %i "$DATA")
	perl -e 'defined shmget($ARGV[0], 5000, 03600) or die "shmget: $!\n"' \
		$((key & 0x7fffffff)) || give_up "the key of $DATA cannot be taken"
	before=$((before + 1))
}

check_two() {
	for name in one two; do
		use $name
		check "every process of $name is counted" wait_until 20 counted_exactly
	done
	check "each has a segment of its own" [ "$(sed -n 7p "$WORK/one/data/postmaster.pid")" != \
		"$(sed -n 7p "$WORK/two/data/postmaster.pid")" ]
}

# A load that goes on until it is ended, or its server is.
start_load() {
	(exec "$BIN/pgbench" -n -c 3 -j 1 -t 1000000 -h "$PLACE" -U postgres postgres \
		> "$PLACE/load" 2>&1) &
	load=$!
	now=$(value 'SELECT count(*) FROM pgbench_history')
	wait_until 30 has_grown "$now" ||
		{ cat "$PLACE/load" >&2; give_up "the load does not run"; }
}

# shellcheck disable=SC2317 # it is a condition for wait_until
has_grown() { [ "$(value 'SELECT count(*) FROM pgbench_history')" -gt "$1" ]; }

# The second cluster carries on meanwhile: its server and its segment are the same,
# and it commits.
begin_bystander() {
	use two
	start_load
	bystander_load=$load bystander=$postmaster bystander_segment=$segment
}

check_bystander() {
	use two
	equal "the other cluster's server $1" "$bystander" "$postmaster"
	equal "the other cluster's segment $1" "$bystander_segment" "$segment"
	check "the other cluster's load runs $1" kill -0 "$bystander_load"
	check "the other cluster commits $1" \
		wait_until 30 has_grown "$(value 'SELECT count(*) FROM pgbench_history')"
}

end_bystander() {
	use two
	kill "$bystander_load"
	wait "$bystander_load"
	books_balance
	check "the other cluster never restarted" \
		[ -z "$(grep -E 'recovery in progress|reinitializing' "$PLACE/log")" ]
}

# What is committed now is what has to be there afterwards, at the least.
note_committed() {
	value "INSERT INTO kept SELECT generate_series(1, 1000)"
	committed=$(value 'SELECT count(*) FROM pgbench_history')
	kept=$(value 'SELECT count(*) FROM kept')
}

check_recovered() {
	check "it recovered" grep -q 'automatic recovery in progress' "$PLACE/log"
	equal "rows committed before" "$kept" "$(value 'SELECT count(*) FROM kept')"
	check "no transaction is lost" \
		[ "$(value 'SELECT count(*) FROM pgbench_history')" -ge "$committed" ]
	books_balance
	check "every process is counted again" wait_until 20 counted_exactly
}

# shellcheck disable=SC2317 # it is a condition for wait_until
nobody_has_it() { [ "$(column "$left" 7)" = 0 ]; }

kill_all() {
	use one
	note_committed
	start_load
	left=$segment
	family_ids=$(cat /proc/[0-9]*/stat 2> /dev/null | sed 's/^\([0-9]*\) (.*) /\1 /' |
		awk -v parent="$postmaster" '$3 == parent || $1 == parent { print $1 }')
	# shellcheck disable=SC2086 # the ids are words
	kill -KILL $family_ids 2> /dev/null
	wait "$load" 2> /dev/null
	wait_until 20 nobody_has_it
	equal "attachments of what was killed" 0 "$(column "$left" 7)"
	: > "$PLACE/log"
	start_server
	equal "the dead server's segment" "" "$(column "$left" 1)"
	check_recovered
}

stop_immediately() {
	use one
	note_committed
	start_load
	"$BIN/pg_ctl" -D "$DATA" -m immediate -w -t 60 stop > "$PLACE/pg_ctl" 2>&1 ||
		{ cat "$PLACE/pg_ctl" >&2; give_up "the server does not stop"; }
	wait "$load" 2> /dev/null
	: > "$PLACE/log"
	start_server
	check_recovered
}

[ "${1-}" = inside ] || { need perl perl && outside; }

begin
cluster two
cluster one
stage "two clusters, one key taken"
make_cluster && copy_cluster
occupy_key && start_server
equal "the key is not the one that was taken" $((key + 1)) "$(column "$segment" 1)"
run_pgbench && value "CREATE TABLE kept (number int)"
cluster two && start_server && run_pgbench
check_two
begin_bystander
stage "every process of one is killed" && kill_all
check_bystander "after a kill of all"
stage "an immediate stop" && stop_immediately
check_bystander "after an immediate stop"
stage "a crashed backend"
use one && : > "$PLACE/log"
crash_backend
check_bystander "after a crash"
stage "stop"
end_bystander
for name in one two; do
	use $name
	"$BIN/pg_ctl" -D "$DATA" -m fast -w -t 60 stop > "$PLACE/pg_ctl" 2>&1 ||
		give_up "$name does not stop"
	check "no complaint about shared memory in the log" \
		[ -z "$(grep -i 'could not.*shared memory' "$PLACE/log")" ]
done
equal "segments left" 0 "$(segments_of_ours)"
fact "the other program's segment" "$(rows | awk '$4 == 5000 { print $3, $4, $7 }')"
finish
