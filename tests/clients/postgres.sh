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
#
# initdb has no option for settings. It copies postgresql.conf.sample, so it is
# given a directory of input files (-L) where that file asks for System V memory;
# the servers that initdb runs to fill the new directory then use it as well.
# Before it has written that file it asks servers how much they may have
# (shared_memory_type=mmap, PostgreSQL's default): those make only the small
# System V segment that every server has.
#
# PostgreSQL refuses to run as root. For root it is run as user postgres, or
# nobody, who must be able to read what was built: it is copied to the working
# directory.

# shellcheck source=tests/clients/support.sh disable=SC1091
. "$(dirname "$0")/support.sh"

LIMIT=120
BIN=${PG_BIN:-/usr/lib/postgresql/15/bin}
SHARE=${PG_SHARE:-/usr/share/postgresql/15}

# ---- outside: another user, a directory, enclose ----------------------------

outside() {
	[ -x "$BIN/postgres" ] ||
		skip "PostgreSQL 15 is missing; install it with: apt-get install postgresql-15"
	need ipcs util-linux
	[ "$MODE" = kernel ] || can_preload
	WORK=$(mktemp -d "${TMPDIR:-/tmp}/madang-postgres.XXXXXX") || give_up "mktemp"
	trap 'rm -rf "$WORK"' EXIT
	trap 'exit 130' INT TERM
	as=
	copy_build
	if [ "$(id -u)" -eq 0 ]; then
		need runuser util-linux
		as=nobody
		! id postgres > /dev/null 2>&1 || as=postgres
		chown "$as" "$WORK" || give_up "chown"
	fi
	export WORK ENCLOSE PRELOAD MADANG BIN SHARE
	if [ "$MODE" = kernel ]; then
		grep -qs shmid /proc/sysvipc/shm || skip "the kernel has no System V shared memory"
		# An IPC namespace of its own needs root: first that, then the user.
		"$ENCLOSE" --kernel --timeout $LIMIT ${as:+runuser -u "$as" --} \
			sh "$WORK/build/postgres.sh" inside
	else
		${as:+runuser -u "$as" --} "$ENCLOSE" --preload "$PRELOAD" --timeout $LIMIT \
			sh "$WORK/build/postgres.sh" inside
	fi
	exit
}

# ---- inside: small things ---------------------------------------------------

stage() { printf '%s\n' "$1"; }

show_log() { tail -n 30 "$WORK/log" >&2; }

sql() { "$BIN/psql" -X -q -A -t -v ON_ERROR_STOP=1 -h "$WORK" -U postgres postgres "$@"; }

value() { sql -c "$1"; }

start_server() {
	"$BIN/pg_ctl" -D "$DATA" -l "$WORK/log" -w -t 60 start > "$WORK/pg_ctl" 2>&1 || {
		cat "$WORK/pg_ctl" >&2
		show_log
		give_up "the server does not start"
	}
	postmaster=$(sed -n 1p "$DATA/postmaster.pid")
	# The seventh line: the key and the id of the server's segment.
	segment=$(awk 'NR == 7 { print $2 }' "$DATA/postmaster.pid")
}

# The processes of the server: the postmaster and its children.
family() {
	cat /proc/[0-9]*/stat 2> /dev/null | sed 's/^\([0-9]*\) (.*) /\1 /' |
		awk -v parent="$postmaster" '($3 == parent || $1 == parent) && $2 != "Z" { n++ } END { print n + 0 }'
}

# shellcheck disable=SC2317 # it is a condition for wait_until
counted_exactly() { [ "$(column "$segment" 7)" = "$(family)" ]; }

# Beside those that were there before: the kernel may have some of this user's.
segments_of_ours() {
	echo $(($(rows | awk -v uid="$(id -u)" '$8 == uid' | wc -l) - ${before:-0}))
}

# A client that stays connected and idle. It tells its backend's process id.
connect() {
	mkfifo "$WORK/$1" || give_up "mkfifo"
	sql < "$WORK/$1" > "$WORK/$1.out" 2>&1 &
	eval "exec $2> '$WORK/$1'"
	echo "SELECT pg_backend_pid();" >&"$2"
	wait_until 30 grep -qs . "$WORK/$1.out" || give_up "client $1 cannot connect"
	backend=$(sed -n 1p "$WORK/$1.out")
}

# shellcheck disable=SC2317 # it is a condition for wait_until
stopped() { grep -q '^State:[[:space:]]*T' "/proc/$1/status"; }

# pgbench moves money between the rows of four tables: their sums stay equal.
books_balance() {
	equal "pgbench's sums" t "$(value "SELECT (SELECT sum(abalance) FROM pgbench_accounts) =
		(SELECT sum(delta) FROM pgbench_history) AND (SELECT sum(bbalance) FROM pgbench_branches) =
		(SELECT sum(delta) FROM pgbench_history) AND (SELECT sum(tbalance) FROM pgbench_tellers) =
		(SELECT sum(delta) FROM pgbench_history)")"
}

# ---- inside: the stages -----------------------------------------------------

make_cluster() {
	mkdir "$WORK/share"
	ln -s "$SHARE"/* "$WORK/share/"
	rm "$WORK/share/postgresql.conf.sample"
	cp "$SHARE/postgresql.conf.sample" "$WORK/share/" || give_up "cp"
	cat >> "$WORK/share/postgresql.conf.sample" <<-END
		shared_memory_type = sysv
		dynamic_shared_memory_type = sysv
		shared_buffers = 16MB
		max_connections = 30
		listen_addresses = ''
		unix_socket_directories = '$WORK'
		fsync = off
		autovacuum = off
		max_worker_processes = 8
		max_parallel_workers = 8
	END
	"$BIN/initdb" -L "$WORK/share" -D "$DATA" -U postgres -A trust -N --no-locale -E UTF8 \
		--no-instructions > "$WORK/initdb" 2>&1 || { cat "$WORK/initdb" >&2; give_up "initdb"; }
	equal "segments left by initdb" 0 "$(segments_of_ours)"
}

look_at_server() {
	equal "kind of the server's memory" sysv "$(value 'SHOW shared_memory_type')"
	equal "kind of its dynamic memory" sysv "$(value 'SHOW dynamic_shared_memory_type')"
	check "the segment holds the buffers" [ "$(column "$segment" 4)" -gt $((16 << 20)) ]
	equal "the segment's permissions" 600 "$(column "$segment" 3)"
	equal "the segment's creator" "$postmaster" "$(column "$segment" 5)"
	check "ipcs lists the segment" [ -n "$(ipcs -m | awk -v id="$segment" '$2 == id')" ]
	[ "$MODE" = kernel ] ||
		check "madang ls lists it" [ -n "$("$MADANG" ls | awk -v id="$segment" '$1 == id')" ]
	# A psql that just ended may still be on its way out: until it settles.
	check "every process of the server is counted" wait_until 20 counted_exactly
	check "there are several" [ "$(family)" -ge 5 ]
}

run_pgbench() {
	"$BIN/pgbench" -i -q -h "$WORK" -U postgres postgres > "$WORK/pgbench" 2>&1 ||
		{ cat "$WORK/pgbench" >&2; give_up "pgbench -i"; }
	"$BIN/pgbench" -n -c 4 -j 2 -t 50 -h "$WORK" -U postgres postgres > "$WORK/pgbench" 2>&1 ||
		{ cat "$WORK/pgbench" >&2; give_up "pgbench"; }
	equal "transactions in the history" 200 "$(value 'SELECT count(*) FROM pgbench_history')"
	books_balance
}

run_parallel() {
	PGOPTIONS="-c max_parallel_workers_per_gather=2 -c min_parallel_table_scan_size=0 \
		-c parallel_setup_cost=0 -c parallel_tuple_cost=0"
	export PGOPTIONS
	query='SELECT count(*), sum(length(filler)) FROM pgbench_accounts'
	# A session keeps a dynamic segment from its first parallel query to its end.
	sql > "$WORK/parallel" 2>&1 <<-END
		\\! printf 'before %s\\n' \$(cat /proc/sysvipc/shm | grep -c .)
		EXPLAIN (ANALYZE, COSTS OFF) $query;
		\\! printf 'after %s\\n' \$(cat /proc/sysvipc/shm | grep -c .)
	END
	check "two parallel workers" grep -q 'Workers Launched: 2' "$WORK/parallel" ||
		cat "$WORK/parallel" >&2
	# shellcheck disable=SC2016 # awk's own
	check "the session has a dynamic segment" \
		awk '/^before/ { b = $2 } /^after/ { a = $2 } END { exit !(a > b) }' "$WORK/parallel"
	printf '%s;\n' "$query" > "$WORK/parallel.sql"
	"$BIN/pgbench" -n -c 3 -j 2 -t 20 -f "$WORK/parallel.sql" -h "$WORK" -U postgres postgres \
		> "$WORK/pgbench" 2>&1 || { cat "$WORK/pgbench" >&2; give_up "pgbench, parallel"; }
	check "all of them" grep -q 'actually processed: 60/60' "$WORK/pgbench"
	unset PGOPTIONS
	check "every process is counted after it" wait_until 20 counted_exactly
}

# The server ends all its processes and makes its memory anew.
crash_backend() {
	connect crash 8
	kill -KILL "$backend"
	exec 8>&-
	wait_until 30 answers || { show_log; give_up "the server does not come back"; }
	segment=$(awk 'NR == 7 { print $2 }' "$DATA/postmaster.pid")
	check "every process is counted after the crash" wait_until 20 counted_exactly
	books_balance
}

# shellcheck disable=SC2317 # it is a condition for wait_until
answers() {
	grep -q 'reinitializing' "$WORK/log" && value 'SELECT 1' > /dev/null 2>&1
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
	timeout 30 "$BIN/postgres" -D "$DATA" > "$WORK/second" 2>&1
	equal "exit of a second server $1" 1 $?
	check "reason of a second server $1" \
		grep -q "pre-existing shared memory block.*ID $segment.* is still in use" "$WORK/second" ||
		cat "$WORK/second" >&2
	equal "attachments $1" 1 "$(column "$segment" 7)"
}

recover() {
	kill -CONT "$backend"
	wait_until 30 ended "$backend" || give_up "the orphan does not end"
	exec 9>&-
	equal "attachments when the orphan is gone" 0 "$(column "$segment" 7)"
	left=$segment
	start_server
	check "the log tells of a recovery" grep -q 'automatic recovery in progress' "$WORK/log"
	equal "the dead server's segment" "" "$(column "$left" 1)"
	equal "rows committed before" 1000 "$(value 'SELECT count(*) FROM kept')"
	equal "transactions in the history" 200 "$(value 'SELECT count(*) FROM pgbench_history')"
	books_balance
	check "every process is counted after recovery" wait_until 20 counted_exactly
}

stop_server() {
	"$BIN/pg_ctl" -D "$DATA" -m fast -w -t 60 stop > "$WORK/pg_ctl" 2>&1 ||
		{ cat "$WORK/pg_ctl" >&2; give_up "the server does not stop"; }
	equal "segments left" 0 "$(segments_of_ours)"
	check "no complaint about shared memory in the log" \
		[ -z "$(grep -i 'could not.*shared memory' "$WORK/log")" ]
}

[ "${1-}" = inside ] || outside

cd "$WORK" || give_up "cd"
DATA=$WORK/data
before=$(segments_of_ours)
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
