#!/bin/sh
# SPDX-License-Identifier: MIT
#
# postgres.sh - PostgreSQL 15 with all its shared memory as System V segments.
#
# It is the program that asks most of attachment counts: a data directory's
# segment with shm_nattch above 0 tells a new server that processes of a dead
# one still write there. One that counts too few lets the data be destroyed.
#
# What is gone through: initdb; start; every process is counted; pgbench with
# parallel workers, in dynamic segments; a crashed backend, after which the
# server makes its memory anew; a server killed while one backend lives on:
# nobody may start, with or without postmaster.pid, until that one is gone; then
# recovery, and every committed row is there; stop, and no segment is left.

# shellcheck source=tests/clients/support.sh disable=SC1091
. "$(dirname "$0")/support.sh"
# shellcheck source=tests/clients/pgsupport.sh disable=SC1091
. "$(dirname "$0")/pgsupport.sh"

look_at_server() {
	equal "kind of the server's memory" sysv "$(value 'SHOW shared_memory_type')"
	equal "kind of its dynamic memory" sysv "$(value 'SHOW dynamic_shared_memory_type')"
	check "the segment holds the buffers" [ "$(column "$segment" 4)" -gt $((16 << 20)) ]
	equal "the segment's permissions" 600 "$(column "$segment" 3)"
	equal "the segment's creator" "$postmaster" "$(column "$segment" 5)"
	check "ipcs lists the segment" [ -n "$(ipcs -m | awk -v id="$segment" '$2 == id')" ]
	[ "$MODE" = kernel ] ||
		check "madang ls lists it" \
			[ -n "$("$MADANG" ls | awk -v id="$segment" '$1 == id')" ]
	# A psql that just ended may still be on its way out: until it settles.
	check "every process of the server is counted" wait_until 20 counted_exactly
	check "there are several" [ "$(family)" -ge 5 ]
}

run_parallel() {
	PGOPTIONS="-c max_parallel_workers_per_gather=2 -c min_parallel_table_scan_size=0 \
		-c parallel_setup_cost=0 -c parallel_tuple_cost=0"
	export PGOPTIONS
	query='SELECT count(*), sum(length(filler)) FROM pgbench_accounts'
	# A session keeps a dynamic segment from its first parallel query to its end.
	sql > "$PLACE/parallel" 2>&1 <<-END
		\\! printf 'before %s\\n' \$(cat /proc/sysvipc/shm | grep -c .)
		EXPLAIN (ANALYZE, COSTS OFF) $query;
		\\! printf 'after %s\\n' \$(cat /proc/sysvipc/shm | grep -c .)
	END
	check "two parallel workers" grep -q 'Workers Launched: 2' "$PLACE/parallel" ||
		cat "$PLACE/parallel" >&2
	# shellcheck disable=SC2016 # awk's own
	check "the session has a dynamic segment" \
		awk '/^before/ { b = $2 } /^after/ { a = $2 } END { exit !(a > b) }' \
		"$PLACE/parallel"
	printf '%s;\n' "$query" > "$PLACE/parallel.sql"
	"$BIN/pgbench" -n -c 3 -j 2 -t 20 -f "$PLACE/parallel.sql" \
		-h "$PLACE" -U postgres postgres > "$PLACE/pgbench" 2>&1 ||
		{ cat "$PLACE/pgbench" >&2; give_up "pgbench, parallel"; }
	check "all of them" grep -q 'actually processed: 60/60' "$PLACE/pgbench"
	unset PGOPTIONS
	check "every process is counted after it" wait_until 20 counted_exactly
}

# With one backend frozen, the server is killed. The others notice and end.
orphan_backend() {
	value "CREATE TABLE kept (number int)"
	value "INSERT INTO kept SELECT generate_series(1, 1000)"
	connect orphan 9
	kill -STOP "$backend"
	wait_until 20 stopped "$backend" || give_up "the backend does not stop"
	kill -KILL "$postmaster"
	wait_until 20 ended "$postmaster" || give_up "the server does not die"
	wait_until 30 one_is_left || give_up "attachments: $(column "$segment" 7); 1 expected"
}

# shellcheck disable=SC2317 # it is a condition for wait_until
one_is_left() { [ "$(column "$segment" 7)" = 1 ]; }

# refused WHEN: a second server must not start, for the right reason.
refused() {
	timeout 30 "$BIN/postgres" -D "$DATA" > "$PLACE/second" 2>&1
	equal "exit of a second server $1" 1 $?
	check "reason of a second server $1" \
		grep -q "pre-existing shared memory block.*ID $segment.* is still in use" \
		"$PLACE/second" ||
		cat "$PLACE/second" >&2
	equal "attachments $1" 1 "$(column "$segment" 7)"
}

recover() {
	kill -CONT "$backend"
	wait_until 30 ended "$backend" || give_up "the orphan does not end"
	exec 9>&-
	equal "attachments when the orphan is gone" 0 "$(column "$segment" 7)"
	left=$segment
	start_server
	check "the log tells of a recovery" grep -q 'automatic recovery in progress' "$PLACE/log"
	equal "the dead server's segment" "" "$(column "$left" 1)"
	equal "rows committed before" 1000 "$(value 'SELECT count(*) FROM kept')"
	equal "transactions in the history" 200 "$(value 'SELECT count(*) FROM pgbench_history')"
	books_balance
	check "every process is counted after recovery" wait_until 20 counted_exactly
}

[ "${1-}" = inside ] || outside

begin
cluster one
stage "initdb" && make_cluster
stage "start" && start_server && look_at_server
stage "pgbench" && run_pgbench
stage "parallel workers" && run_parallel
stage "a crashed backend" && crash_backend
stage "an orphaned backend" && orphan_backend
stage "a second server" && refused "beside an orphan"
rm "$DATA/postmaster.pid"
stage "a second server without postmaster.pid" && refused "without postmaster.pid"
stage "recovery" && recover
stage "stop" && stop_server
finish
