# SPDX-License-Identifier: MIT
# shellcheck shell=sh
#
# pgsupport.sh - PostgreSQL servers for the scripts that need them. Sourced after
# support.sh.
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

LIMIT=120
postmaster='' segment='' backend='' before=0
BIN=${PG_BIN:-/usr/lib/postgresql/15/bin}
SHARE=${PG_SHARE:-/usr/share/postgresql/15}

# ---- outside: another user, a directory, enclose ----------------------------

outside() {
	[ -x "$BIN/postgres" ] ||
		skip "PostgreSQL 15 is missing; install it with: apt-get install postgresql-15"
	need ipcs util-linux
	[ "$MODE" = kernel ] || can_preload
	workdir postgres
	as=
	copy_build pgsupport.sh
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
			sh "$WORK/build/${0##*/}" inside
	else
		${as:+runuser -u "$as" --} "$ENCLOSE" --preload "$PRELOAD" --timeout $LIMIT \
			sh "$WORK/build/${0##*/}" inside
	fi
	exit
}

# ---- inside: small things ---------------------------------------------------

stage() { printf '%s\n' "$1"; }

show_log() { tail -n 30 "$PLACE/log" >&2; }

sql() { "$BIN/psql" -X -q -A -t -v ON_ERROR_STOP=1 -h "$PLACE" -U postgres postgres "$@"; }

value() { sql -c "$1"; }

start_server() {
	"$BIN/pg_ctl" -D "$DATA" -l "$PLACE/log" -w -t 60 start > "$PLACE/pg_ctl" 2>&1 || {
		cat "$PLACE/pg_ctl" >&2
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
		awk -v parent="$postmaster" '
			($3 == parent || $1 == parent) && $2 != "Z" { n++ }
			END { print n + 0 }'
}

# shellcheck disable=SC2317 # it is a condition for wait_until
counted_exactly() { [ "$(column "$segment" 7)" = "$(family)" ]; }

# Beside those that were there before: the kernel may have some of this user's.
segments_of_ours() {
	echo $(($(rows | awk -v uid="$(id -u)" '$8 == uid' | wc -l) - ${before:-0}))
}

# A client that stays connected and idle. It tells its backend's process id.
connect() {
	mkfifo "$PLACE/$1" || give_up "mkfifo"
	sql < "$PLACE/$1" > "$PLACE/$1.out" 2>&1 &
	eval "exec $2> '$PLACE/$1'"
	echo "SELECT pg_backend_pid();" >&"$2"
	wait_until 30 grep -qs . "$PLACE/$1.out" || give_up "client $1 cannot connect"
	backend=$(sed -n 1p "$PLACE/$1.out")
}

# shellcheck disable=SC2317 # it is a condition for wait_until
stopped() { grep -q '^State:[[:space:]]*T' "/proc/$1/status"; }

# pgbench moves money between the rows of four tables: their sums stay equal.
books_balance() {
	equal "pgbench's sums" t "$(value "SELECT
		(SELECT sum(abalance) FROM pgbench_accounts) =
		(SELECT sum(delta) FROM pgbench_history) AND
		(SELECT sum(bbalance) FROM pgbench_branches) =
		(SELECT sum(delta) FROM pgbench_history) AND
		(SELECT sum(tbalance) FROM pgbench_tellers) =
		(SELECT sum(delta) FROM pgbench_history)")"
}

# begin: the first thing inside.
begin() {
	cd "$WORK" || give_up "cd"
	before=$(segments_of_ours)
}

# cluster NAME: what follows is about this server. PLACE is its directory.
cluster() {
	PLACE=$WORK/$1 DATA=$WORK/$1/data
	[ -d "$PLACE" ] || mkdir "$PLACE" || give_up "mkdir"
}

# ---- inside: what the scripts have in common --------------------------------

make_cluster() {
	mkdir "$PLACE/share"
	ln -s "$SHARE"/* "$PLACE/share/"
	rm "$PLACE/share/postgresql.conf.sample"
	cp "$SHARE/postgresql.conf.sample" "$PLACE/share/" || give_up "cp"
	cat >> "$PLACE/share/postgresql.conf.sample" <<-END
		shared_memory_type = sysv
		dynamic_shared_memory_type = sysv
		shared_buffers = 16MB
		max_connections = 30
		listen_addresses = ''
		unix_socket_directories = '$PLACE'
		fsync = off
		autovacuum = off
		max_worker_processes = 8
		max_parallel_workers = 8
	END
	"$BIN/initdb" -L "$PLACE/share" -D "$DATA" -U postgres -A trust -N --no-locale -E UTF8 \
		--no-instructions > "$PLACE/initdb" 2>&1 ||
		{ cat "$PLACE/initdb" >&2; give_up "initdb"; }
	equal "segments left by initdb" 0 "$(segments_of_ours)"
}

run_pgbench() {
	"$BIN/pgbench" -i -q -h "$PLACE" -U postgres postgres > "$PLACE/pgbench" 2>&1 ||
		{ cat "$PLACE/pgbench" >&2; give_up "pgbench -i"; }
	"$BIN/pgbench" -n -c 4 -j 2 -t 50 -h "$PLACE" -U postgres postgres \
		> "$PLACE/pgbench" 2>&1 ||
		{ cat "$PLACE/pgbench" >&2; give_up "pgbench"; }
	equal "transactions in the history" 200 "$(value 'SELECT count(*) FROM pgbench_history')"
	books_balance
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
	grep -q 'reinitializing' "$PLACE/log" && value 'SELECT 1' > /dev/null 2>&1
}

stop_server() {
	"$BIN/pg_ctl" -D "$DATA" -m fast -w -t 60 stop > "$PLACE/pg_ctl" 2>&1 ||
		{ cat "$PLACE/pg_ctl" >&2; give_up "the server does not stop"; }
	equal "segments left" 0 "$(segments_of_ours)"
	check "no complaint about shared memory in the log" \
		[ -z "$(grep -i 'could not.*shared memory' "$PLACE/log")" ]
}
