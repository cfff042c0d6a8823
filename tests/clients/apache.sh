#!/bin/sh
# SPDX-License-Identifier: MIT
#
# apache.sh - Apache's processes take turns by a semaphore (`Mutex sysvsem`, prefork).
#
# The server listens on two ports, so only the holder of the mutex may wait for
# a connection. Root makes the set, gives it to the user of the children, and
# they take the mutex with SEM_UNDO. The holder is killed: another one has to
# get it. Then the server restarts itself with new children, and ends.

# shellcheck source=tests/clients/support.sh disable=SC1091
. "$(dirname "$0")/support.sh"

REQUESTS=40

sets() { sed 1d /proc/sysvipc/sem; }
# The set that the children wait in: number, value, ncount, zcount, pid.
semaphore() { ipcs -s -i "$1" 2> /dev/null | awk '$1 == "0" { print }'; }

configure() {
	mkdir "$WORK/pages" || give_up "mkdir"
	echo "the page" > "$WORK/pages/index.html"
	cat > "$WORK/conf" <<-EOF
		ServerRoot $WORK
		ServerName localhost
		PidFile $WORK/pid
		ErrorLog $WORK/error.log
		Listen 127.0.0.1:$PORT
		Listen 127.0.0.1:$((PORT + 1))
		LoadModule mpm_prefork_module $MODULES/mod_mpm_prefork.so
		LoadModule authz_core_module $MODULES/mod_authz_core.so
		LoadModule dir_module $MODULES/mod_dir.so
		Mutex sysvsem default
		User nobody
		Group nogroup
		StartServers 5
		MinSpareServers 5
		DocumentRoot $WORK/pages
	EOF
}

# fetch PORT: the last line of a page.
fetch() {
	perl -MIO::Socket::INET -e '
		my $socket = IO::Socket::INET->new(PeerAddr => "127.0.0.1:$ARGV[0]", Timeout => 20)
			or exit 1;
		print $socket "GET /index.html HTTP/1.0\r\n\r\n";
		my @lines = <$socket>;
		print $lines[-1]' "$1"
}

# shellcheck disable=SC2317 # it is a condition for wait_until
serves() { [ "$(fetch "$PORT")" = "the page" ]; }

# Somebody has the mutex, and others wait for it.
# shellcheck disable=SC2317
waited_for() {
	mutex=$(sets | awk '$4 == 1 { print $2 }' | while read -r id; do
		[ "$(semaphore "$id" | awk '{ print ($2 == 0 && $3 > 1) }')" != 1 ] || echo "$id"
	done)
	[ -n "$mutex" ]
}

ask_often() {
	count=0 answers=0
	while [ $count -lt $REQUESTS ]; do
		[ "$(fetch $((PORT + count % 2)))" != "the page" ] || answers=$((answers + 1))
		count=$((count + 1))
	done
	fact "$1" "$answers answers"
}

# shellcheck disable=SC2317
taken_over() { waited_for && [ "$(semaphore "$mutex" | awk '{ print $5 }')" != "$holder" ]; }

kill_holder() {
	holder=$(semaphore "$mutex" | awk '{ print $5 }')
	equal "who holds the mutex" apache2 "$(cat "/proc/$holder/comm")"
	kill -KILL "$holder"
	check "another one gets it" wait_until 30 taken_over
}

if [ "${1-}" = inside ]; then
	configure
	# In a session of its own: in the end it sends SIGTERM to its process group.
	setsid apache2 -f "$WORK/conf" -D FOREGROUND &
	server=$!
	wait_until 30 serves || give_up "it does not serve: $(cat "$WORK/error.log")"
	check "others wait for the mutex" wait_until 30 waited_for
	fact "mutex: mode, owner" "$(sets | awk -v id="$mutex" '$2 == id { print $3, $5 }')"
	ask_often "at first"
	kill_holder
	ask_often "after a death"
	kill -USR1 $server
	wait_until 30 grep -q "Graceful restart" "$WORK/error.log" || give_up "no restart"
	wait_until 30 serves || give_up "it does not serve any more"
	ask_often "after a restart"
	kill -TERM $server
	wait $server
	equal "exit" 0 $?
	equal "sets left" "" "$(sets)"
	check "nothing was refused" [ "$(grep -c 'emerg\|alert' "$WORK/error.log")" -eq 0 ] ||
		grep 'emerg\|alert' "$WORK/error.log" >&2
	finish
fi
need apache2 apache2-bin
need perl perl
need setsid util-linux
MODULES=/usr/lib/apache2/modules
[ -e $MODULES/mod_mpm_prefork.so ] || skip "Apache's modules are not in $MODULES"
[ "$(id -u)" -eq 0 ] || skip "only root can give the set to another user"
workdir apache
chmod 755 "$WORK"
PORT=$(two_ports)
export MODULES PORT
(enter --timeout 120)
