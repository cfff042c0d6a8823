#!/bin/sh
# SPDX-License-Identifier: MIT
#
# uwsgi.sh - uWSGI with its locks as System V semaphores (`lock-engine = ipcsem`).
#
# The master gives up root's rights, then makes a set for each lock, and forks
# the workers. They take turns at accept by such a lock. One worker is killed;
# the master starts another one. uWSGI makes its sets as another user than the
# one that started it, so the namespace is one for several users.

# shellcheck source=tests/clients/support.sh disable=SC1091
. "$(dirname "$0")/support.sh"

sets() { sed 1d /proc/sysvipc/sem; }

configure() {
	cat > "$WORK/ini" <<-EOF
		[uwsgi]
		plugins = echo
		http-socket = 127.0.0.1:$PORT
		http-socket-modifier1 = 101
		lock-engine = ipcsem
		thunder-lock = true
		cache2 = name=cache,items=100
		master = true
		processes = 4
		uid = nobody
		gid = nogroup
		die-on-term = true
	EOF
}

# The last word of the answer of the plugin echo.
fetch() {
	perl -MIO::Socket::INET -e '
		my $socket = IO::Socket::INET->new(PeerAddr => "127.0.0.1:$ARGV[0]", Timeout => 20)
			or exit 1;
		print $socket "GET /page HTTP/1.0\r\n\r\n";
		my $answer = join "", <$socket>;
		print $answer =~ m(REQUEST_URI.*/page)s ? "page" : "none"' "$PORT"
}

# shellcheck disable=SC2317 # it is a condition for wait_until
serves() { [ "$(fetch)" = page ]; }

ask_often() {
	count=0 answers=0
	while [ $count -lt 20 ]; do
		[ "$(fetch)" != page ] || answers=$((answers + 1))
		count=$((count + 1))
	done
	fact "$1" "$answers answers"
}

workers() { sed -n 's/.*spawned uWSGI worker [0-9]* (pid: \([0-9]*\).*/\1/p' "$WORK/log"; }

if [ "${1-}" = inside ]; then
	configure
	setsid uwsgi --ini "$WORK/ini" > "$WORK/log" 2>&1 &
	server=$!
	wait_until 30 serves || give_up "it does not serve: $(cat "$WORK/log")"
	fact "locks" "$(sets | awk '{ print $3, $4, $5 }')"
	ask_often "at first"
	kill -KILL "$(workers | head -n 1)"
	wait_until 30 grep -q 'Respawned uWSGI worker' "$WORK/log" || give_up "no new worker"
	ask_often "after a death"
	kill -TERM $server
	wait $server
	fact "exit" $?
	fact "segments, sets and queues left" "$(left_over)"
	finish
fi
need uwsgi uwsgi-core
need perl perl
need setsid util-linux
[ "$(id -u)" -eq 0 ] || skip "only root has rights to give up"
workdir uwsgi
PORT=$(two_ports)
export PORT
(enter --shared --timeout 90)
