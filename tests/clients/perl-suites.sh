#!/bin/sh
# SPDX-License-Identifier: MIT
#
# perl-suites.sh - perl's own tests of shared memory, semaphores and queues, and those of modules.
#
#     perl-suites.sh DIRECTORY...    of one suite, below $SOURCES; see script/sources
#
# Each test prints a line for each thing that it has checked. Those lines are compared.

# shellcheck source=tests/clients/support.sh disable=SC1091
. "$(dirname "$0")/support.sh"

PERL=${PERL:-/usr/bin/perl}

# run_test FILE: its exit. Some tests have a child that sleeps until it gets a signal, and if that
# comes too soon, the child sleeps for ever. Such a test is begun anew.
run_test() {
	for _ in 1 2 3; do
		timeout 20 "$PERL" -Ilib "$1" > "$WORK/said" 2> "$WORK/errors"
		status=$?
		[ "$status" -eq 124 ] || break
		ipcrm --all
	done
	return "$status"
}

# run_tests FILE...: from their own directory; a test that fails is told of.
run_tests() {
	for file; do
		run_test "$file"
		equal "exit of $file" 0 $? || cat "$WORK/said" "$WORK/errors" >&2
		check "$file checks something" grep -q '^ok' "$WORK/said" || cat "$WORK/said" >&2
		fact "$file" "$(grep -E '^(not )?ok|^1\.\.' "$WORK/said" |
			sed -E 's/\b(ID|id) [0-9]+/ID/')"
	done
}

# suite NAME: its tests. Of the last one, those that use semaphores or processes.
suite() {
	cd "$SOURCES/$1" || give_up "cd"
	case $1 in
	perl)
		cd t || give_up "cd"
		run_tests io/shm.t io/sem.t io/msg.t
		cd ../cpan/IPC-SysV || give_up "cd"
		run_tests t/ipcsysv.t t/shm.t t/sem.t t/msg.t
		;;
	libipc-sharelite-perl) run_tests t/00-load.t t/sharelite.t t/unicode-key.t ;;
	libipc-shareable-perl)
		CI_TESTING=1 PERL_HASH_SEED=0 # the order of the keys of a hash
		export CI_TESTING PERL_HASH_SEED
		run_tests t/04-key.t t/25-ipc.t t/30-lock_operation.t t/31-lock_semaphore.t \
			t/35-clean.t t/40-ipcref.t t/55-lsync.t t/61-seg_sem.t t/76-singleton.t \
			t/82-sig_child_ignore.t
		;;
	esac
}

if [ "${1-}" = inside ]; then
	need_empty_table
	suite "$SUITE"
	fact "segments, sets and queues left" "$(left_over)"
	finish
fi
SUITE=$1
need_source "$SUITE"
need "$PERL" perl
case $SUITE in
libipc-sharelite-perl)
	"$PERL" -MIPC::ShareLite -e 1 2> /dev/null || skip "IPC::ShareLite is missing;" \
		"install it with: apt-get install libipc-sharelite-perl"
	;;
libipc-shareable-perl)
	for module in IPC::Shareable Mock::Sub Test::SharedFork; do
		"$PERL" -M$module -e 1 2> /dev/null ||
			skip "$module is missing; install it with: apt-get install" \
				"libipc-shareable-perl libmock-sub-perl libtest-sharedfork-perl"
	done
	;;
esac
export SUITE SOURCES
workdir perl-suites
(enter --timeout 150)
