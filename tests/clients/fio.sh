#!/bin/sh
# SPDX-License-Identifier: MIT
#
# fio.sh - fio with its state and its buffers in System V segments.
#
# fio keeps what its processes share in a segment that it removes as soon as it has
# attached it, and forks; --mem=shm puts each job's buffer into one of its own, which
# the job makes, attaches, detaches and removes. Each file is written from the buffer
# and read back into it, and what comes back is verified.

# shellcheck source=tests/clients/support.sh disable=SC1091
. "$(dirname "$0")/support.sh"

# shellcheck disable=SC2317 # it is a condition for wait_until
buffers_are_there() { [ "$(rows | awk '$4 == 262144 && $7 > 0' | wc -l)" -eq 3 ] || ended "$fio"; }

# shellcheck disable=SC2317 # it is a condition for wait_until
nobody_attached() { [ -z "$(rows | awk '$7 > 0')" ]; }

if [ "${1-}" = inside ]; then
	cd "$WORK" || give_up "cd"
	need_empty_table
	fio --name=job --directory="$WORK" --size=2m --bs=64k --rw=randrw --rwmixread=50 \
		--randseed=7 --mem=shm --iodepth=1 --ioengine=psync --numjobs=3 \
		--verify=crc32c --verify_fatal=1 --output-format=terse > "$WORK/said" 2>&1
	equal "fio's exit" 0 $? || cat "$WORK/said" >&2
	# Fields of the terse form: version, name, error, kilobytes read, and written.
	fact "jobs" "$(grep '^3;' "$WORK/said" | awk -F ';' '{ print $3, $5, $6, $47 }' | sort)"
	equal "segments left" "" "$(rows)"

	# fio is killed in the middle. It may have removed its segments or not, but no segment may
	# count the dead processes.
	fio --name=endless --directory="$WORK" --size=256k --bs=256k --rw=write \
		--time_based --runtime=100 --mem=shm --ioengine=psync --numjobs=3 \
		> "$WORK/said" 2>&1 &
	fio=$!
	check "the buffers are there" wait_until 30 buffers_are_there || cat "$WORK/said" >&2
	fact "while it runs" "$(table)"
	children=$(ps -o pid= --ppid "$fio")
	# shellcheck disable=SC2086 # the ids are words
	kill -KILL "$fio" $children
	wait "$fio" 2> /dev/null
	wait_until 20 nobody_attached
	fact "when it was killed" "$(table)"
	ipcrm --all=shm
	equal "segments left at last" "" "$(rows)"
	finish
fi
need fio fio
need ps procps
workdir fio
# shellcheck disable=SC2119 # no options
(enter)
