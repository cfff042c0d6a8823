#!/bin/sh
# SPDX-License-Identifier: MIT
#
# squid.sh - squid with a cache on disk that helpers keep: diskd, over two queues and a segment.
#
# squid is root for moments and the user proxy otherwise; the helper is proxy.
# On Madang they meet in proxy's own private namespace.

# shellcheck source=tests/clients/support.sh disable=SC1091
. "$(dirname "$0")/support.sh"

configure() {
	mkdir "$WORK/cache" || give_up "mkdir"
	cat > "$WORK/conf" <<-EOF
		http_port 127.0.0.1:$PORT
		cache_dir diskd $WORK/cache 20 4 4 Q1=64 Q2=72
		cache_mem 0 MB
		cache_effective_user proxy
		pid_filename $WORK/pid
		access_log none
		cache_log $WORK/log
		coredump_dir $WORK
		http_access allow all
		visible_hostname localhost
		shutdown_lifetime 1 seconds
		pinger_enable off
	EOF
	chown -R proxy "$WORK"
}

# Pages of their number, 2000 times, that may be cached.
serve_pages() {
	perl -MIO::Socket::INET -e '
		my $server = IO::Socket::INET->new(LocalAddr => "127.0.0.1:$ARGV[0]", Listen => 50)
			or die;
		open my $ready, ">", "$ARGV[1]/origin" or die;
		while (my $client = $server->accept) {
			my ($n) = <$client> =~ m{/(\d+) };
			while (<$client> =~ /\S/) {}
			my $page = "$n-" x 2000;
			print $client "HTTP/1.0 200 OK\r\nCache-Control: max-age=1000\r\n",
				"Content-Length: ", length $page, "\r\n\r\n$page";
		}' $((PORT + 1)) "$WORK"
}

# How many of 60 pages came whole.
ask_often() {
	perl -MIO::Socket::INET -e '
		my ($port, $good) = ($ARGV[0], 0);
		for my $n (1 .. 60) {
			my $socket = IO::Socket::INET->new(PeerAddr => "127.0.0.1:$port",
				Timeout => 20) or next;
			print $socket "GET http://127.0.0.1:", $port + 1, "/$n HTTP/1.0\r\n\r\n";
			local $/;
			$good++ if <$socket> =~ /\r\n\r\n(\Q$n\E-){2000}$/;
		}
		print $good' "$PORT"
}

# shellcheck disable=SC2317 # these are conditions for wait_until
has_origin() { [ -e "$WORK/origin" ]; }

# shellcheck disable=SC2317
serves() { grep -q 'Accepting HTTP Socket connections' "$WORK/log" 2> /dev/null; }

# The tables as the user proxy sees them.
see() { setpriv --reuid proxy --regid proxy --clear-groups cat "/proc/sysvipc/$1" | sed 1d; }

# shellcheck disable=SC2317
both_used() { [ "$(see msg | awk '$6 != 0 && $7 != 0' | wc -l)" -eq 2 ]; }

if [ "${1-}" = inside ]; then
	if [ "$MODE" = madang ]; then
		directory=$(mktemp -d /dev/shm/madang-squid-XXXXXX) || give_up "mktemp"
		chown proxy "$directory"
		MADANG_NAMESPACE=$directory/space
		export MADANG_NAMESPACE
	fi
	configure
	squid -f "$WORK/conf" -z -N > "$WORK/made" 2>&1 || give_up "squid -z: $(cat "$WORK/made")"
	serve_pages &
	origin=$!
	wait_until 60 has_origin || give_up "nobody has the pages"
	setsid squid -f "$WORK/conf" -N > "$WORK/said" 2>&1 &
	server=$!
	wait_until 60 serves || give_up "it does not serve: $(cat "$WORK/log")"
	fact "pages" "$(ask_often)"
	fact "again" "$(ask_often)"
	check "both queues are used" wait_until 30 both_used
	fact "queues" "$(see msg | awk '{ print ($1 != 0), $3, ($8 == $10) }')"
	fact "segments" "$(see shm | awk '{ print $3, $4, $7 }')"
	kill -TERM $server
	wait $server
	fact "exit" $?
	kill $origin
	fact "left" "$(see msg | wc -l) $(see shm | wc -l)"
	fact "complaints" "$(grep -c -i 'denied\|fatal\|msgget\|msgsnd' "$WORK/log")"
	[ "$MODE" != madang ] || rm -rf "$directory"
	finish
fi
need squid squid
need setpriv util-linux
need perl perl
[ "$(id -u)" -eq 0 ] || skip "only root can become another user"
workdir squid
[ "$MODE" = kernel ] || can_preload
copy_build
PORT=$(two_ports)
export PORT
(enter --timeout 100)
