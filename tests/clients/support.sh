# SPDX-License-Identifier: MIT
# shellcheck shell=sh
#
# support.sh - what the scripts here have in common. Each is sourced by sh.
#
# A script is started by compare.sh, outside, and starts itself again (`inside`)
# within enclose: in a namespace of its own, with the twelve kernel calls
# forbidden. MODE says on what: `madang` (preloaded), or `kernel`, the oracle.
# Exit 0: passed; 1: a check failed; 77: skipped, and the reason was printed.
# What it prints on standard output is compared between the two: `fact`.
#
# From CMake come MODE, ENCLOSE, MADANG, PRELOAD, HOLD, CC, CC_FLAGS and SANITIZE.

set -u
MODE=${MODE:-madang} PRELOAD=${PRELOAD-} MADANG=${MADANG-} failures=0
export MODE
LC_ALL=C
export LC_ALL

skip() {
	printf 'skipped: %s\n' "$*"
	exit 77
}

# need PROGRAM PACKAGE: skips when the program is not there.
need() {
	command -v "$1" > /dev/null || skip "$1 is missing; install it with: apt-get install $2"
}

# check WHAT COMMAND...: the command succeeds.
check() {
	checked=$1
	shift
	"$@" && return 0
	printf 'does not hold: %s (%s)\n' "$checked" "$*" >&2
	failures=$((failures + 1))
	return 1
}

# equal WHAT WANTED GOT
equal() {
	[ "$2" = "$3" ] && return 0
	printf 'does not hold: %s: wanted "%s", got "%s"\n' "$1" "$2" "$3" >&2
	failures=$((failures + 1))
	return 1
}

# fact WHAT VALUE: to be the same on the kernel and on Madang.
fact() { printf '%s: %s\n' "$1" "$2"; }

# For what the rest of a script builds on.
give_up() {
	printf 'gives up: %s\n' "$1" >&2
	exit 1
}

finish() {
	[ "$failures" -eq 0 ] || exit 1
	exit 0
}

# wait_until SECONDS COMMAND...: asks again and again until it holds. The time
# is the limit for a failure; nothing is ever assumed because time has passed.
wait_until() {
	tries=$(($1 * 20))
	shift
	until "$@"; do
		tries=$((tries - 1))
		[ "$tries" -gt 0 ] || return 1
		sleep 0.05
	done
}

ended() { ! kill -0 "$1" 2> /dev/null; }

# The segment table without its header. Its columns: key shmid perms size cpid
# lpid nattch uid gid cuid cgid atime dtime ctime rss swap.
rows() { sed 1d /proc/sysvipc/shm; }

# column ID NUMBER: one column of one segment; nothing when it is not there.
column() { rows | awk -v id="$1" -v n="$2" '$2 == id { print $n }'; }

# table: what can be compared of all segments, in an order of its own: permissions,
# size, attachments, and whether it has a key.
table() { rows | awk '{ print ($1 == 0 ? "private" : "keyed"), $3, $4, $7 }' | sort; }

# left_over: how many segments, sets and queues there are.
left_over() {
	for kind in shm sem msg; do sed 1d /proc/sysvipc/$kind | wc -l; done | tr '\n' ' '
}

# two_ports: the first of two TCP ports in a row that nobody has at this moment.
two_ports() {
	perl -MIO::Socket::INET -e 'while () {
		my $one = IO::Socket::INET->new(LocalAddr => "127.0.0.1", Listen => 1) or die;
		my ($port, $next) = ($one->sockport, $one->sockport + 1);
		print($port), exit
			if IO::Socket::INET->new(LocalAddr => "127.0.0.1:$next", Listen => 1);
	}'
}

# need_source NAME: a directory of script/sources.
need_source() {
	[ -d "${SOURCES-}/$1" ] ||
		skip "the source $1 is missing; fetch it with: script/sources build/sources"
}

# shellcheck disable=SC2317 # it is a condition for wait_until
no_segments() { [ -z "$(rows)" ]; }

# For scripts that look at the whole table: on the kernel others may have segments.
need_empty_table() { [ -z "$(rows)" ] || skip "others have segments in the kernel's table"; }

# workdir NAME: makes the directory WORK, which goes when the script ends.
workdir() {
	WORK=$(mktemp -d "${TMPDIR:-/tmp}/madang-$1.XXXXXX") || give_up "mktemp"
	export WORK
	trap 'rm -rf "$WORK"' EXIT
	trap 'exit 130' INT TERM
}

# copy_build FILE...: everything that a different user needs in order to run this,
# and FILEs of this directory, to where that user can read it.
copy_build() {
	chmod 755 "$WORK" || give_up "chmod"
	mkdir "$WORK/build" || give_up "mkdir"
	cp "$0" "$(dirname "$0")/support.sh" "$ENCLOSE" "$WORK/build/" || give_up "cp"
	for file; do
		cp "$(dirname "$0")/$file" "$WORK/build/" || give_up "cp"
	done
	ENCLOSE=$WORK/build/${ENCLOSE##*/}
	if [ "$MODE" = madang ]; then
		cp "$MADANG" "${PRELOAD%/*}"/libmadang*.so* "$WORK/build/" || give_up "cp"
		PRELOAD=$WORK/build/${PRELOAD##*/} MADANG=$WORK/build/${MADANG##*/}
		LD_LIBRARY_PATH=$WORK/build
		export LD_LIBRARY_PATH
	fi
	chmod -R a+rX "$WORK/build"
}

# enter [OPTION...]: starts this script again inside, and exits as it does. The
# options are enclose's.
enter() {
	if [ "$MODE" = kernel ]; then
		grep -qs shmid /proc/sysvipc/shm || skip "the kernel has no System V shared memory"
		exec "$ENCLOSE" --kernel "$@" sh "$0" inside
	fi
	can_preload
	exec "$ENCLOSE" --preload "$PRELOAD" "$@" sh "$0" inside
}

# A 32-bit or musl build, or one with sanitizers, cannot go into Debian's programs.
# Any other that fails to load is broken, and that is no reason to skip.
can_preload() {
	[ -z "${SANITIZE-}" ] || skip "the system's programs are not built with $SANITIZE"
	said=$(LD_PRELOAD=$PRELOAD sh -c : 2>&1) && [ -z "$said" ] && return 0
	case "${CC-}: $said" in
	*musl*:* | *"wrong ELF class"*)
		skip "this build of libmadang-sysv cannot be preloaded" \
			"into the system's programs: $said" ;;
	esac
	give_up "libmadang-sysv does not load: $said"
}
