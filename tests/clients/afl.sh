#!/bin/sh
# SPDX-License-Identifier: MIT
#
# afl.sh - AFL++ fuzzes a small program (afl_target.c).
#
# afl-fuzz counts what the program does in a segment whose bare id it passes by an
# environment variable. The program's forkserver, which never called shmget, attaches
# it, and forks a child for each input; the children inherit the attachment and end
# by exit, exec or SIGKILL. A second segment carries the inputs (persistent mode), a
# third one what is compared with what (CmpLog).
#
# The counts for given inputs are the same each time. How a fuzzing run goes is not:
# of those it only matters that the crash is found, which is one bit away from the
# seed (-D flips each bit once, first of all), and that nothing is left over.

# shellcheck source=tests/clients/support.sh disable=SC1091
. "$(dirname "$0")/support.sh"

# what one input makes the program do, counted in the segment
show_map() {
	rm -f "$WORK/map"
	printf '%s' "$2" > "$WORK/input"
	# Exit 1: it had to be killed; 2: it crashed.
	afl-showmap -q -t 1000 -o "$WORK/map" -- "$WORK/$1" < "$WORK/input" > /dev/null 2>&1
	fact "$1 of '$2': exit" $?
	fact "$1 of '$2': counts" "$(tr '\n' ' ' < "$WORK/map")"
}

# Ends what runs a program of the working directory still, each by its id.
end_stragglers() {
	for process in /proc/[0-9]*; do
		case $(tr '\0' ' ' 2> /dev/null < "$process/cmdline") in
		"$WORK/"*) kill -KILL "${process#/proc/}" ;;
		esac
	done
}

# fuzz TARGET OPTION...
fuzz() {
	target=$1
	shift
	afl-fuzz -D -s 1 -E 4000 -t 1000 -i "$WORK/in" -o "$WORK/out.$target" "$@" \
		-- "$WORK/$target" > "$WORK/log" 2>&1
	stats=$WORK/out.$target/default/fuzzer_stats
	crashes=$(awk '$1 == "saved_crashes" { print $3 }' "$stats")
	check "$target: the crash is found" [ "${crashes:-0}" -gt 0 ] || tail -n 20 "$WORK/log" >&2
	fact "$target: edges" "$(awk '$1 == "total_edges" { print $3 }' "$stats")"
	# A child in persistent mode stops itself between inputs, and may stay behind.
	end_stragglers
	wait_until 20 no_segments
	equal "$target: segments left" "" "$(rows)"
}

if [ "${1-}" = inside ]; then
	cd "$WORK" || give_up "cd"
	need_empty_table
	# Not while fuzzing: it would take a second each time.
	export AFL_TARGET_WAITS=1
	for input in hello 0123456789 fork xec wait courtyard; do
		show_map forking "$input"
	done
	unset AFL_TARGET_WAITS
	show_map persistent 12345
	fuzz forking -c "$WORK/cmplog"
	fuzz persistent -c "$WORK/cmplog"
	finish
fi

# What is built is the same for both runs, and so are the numbers of the edges.
build() {
	afl-cc -O1 -o "$WORK/$1" "$(dirname "$0")/afl_target.c" "$2" > "$WORK/said" 2>&1 ||
		give_up "afl-cc: $(cat "$WORK/said")"
}

need afl-fuzz afl++
workdir afl
AFL_QUIET=1
AFL_NO_UI=1
AFL_NO_AFFINITY=1
AFL_SKIP_CPUFREQ=1
AFL_I_DONT_CARE_ABOUT_MISSING_CRASHES=1
export AFL_QUIET AFL_NO_UI AFL_NO_AFFINITY AFL_SKIP_CPUFREQ AFL_I_DONT_CARE_ABOUT_MISSING_CRASHES
build forking -DFORKING
build persistent -DPERSISTENT
(AFL_LLVM_CMPLOG=1 && export AFL_LLVM_CMPLOG && build cmplog -DFORKING)
mkdir "$WORK/in"
printf 'bourt' > "$WORK/in/seed"
# shellcheck disable=SC2119 # no options
(enter --timeout 200)
