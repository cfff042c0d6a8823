#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# check.sh NAME [--all] - has spin explore tests/models/NAME.pml.
#
# The head of a model says what to explore, a line for each run:
#
#     holds: OPTIONS    no assertion fails and nobody is left asleep, in all states
#     fails: OPTIONS    the same with a mistake built in, and spin must find it
#
# OPTIONS are spin's -D; depth=N: how deep the search may go (48 bytes of memory each); and long:
# only with --all. A run that is long is for use by hand. The test has a smaller one beside it.
#
# The program that explores is compiled without optimising, since to optimise it takes longer than
# it runs. Only what is long is optimised.
#
# Runs one after the other, below 1 GB, in a temporary directory. Other tests go first, but only a
# little: at the end, what is left of the models can use only one processor.
# How to look at what fails: the last lines of docs/models.md.
set -u

here=$(cd "$(dirname "$0")" && pwd)
model=$1.pml
all=${2:-}
for program in spin gcc; do
	if ! command -v "$program" >/dev/null; then
		echo "skipped: there is no $program; on Debian: apt-get install spin gcc"
		exit 77
	fi
done

place=$(mktemp -d "${TMPDIR:-/tmp}/madang-model-XXXXXX") || exit 1
trap 'rm -rf "$place"' EXIT
cd "$place" || exit 1

# explore OPTIONS...: leaves what pan said in ./said
explore() {
	local option depth=1000000 defines=() optimise=-O0 table=20
	for option; do
		case $option in
		depth=*) depth=${option#depth=} ;;
		long) optimise=-O1 table=24 ;;
		*) defines+=("$option") ;;
		esac
	done
	rm -f pan* ./*.trail
	spin -a "${defines[@]}" "$here/$model" >said 2>&1 &&
		gcc $optimise -w -DSAFETY -DCOLLAPSE -DMEMLIM=950 -o pan pan.c >>said 2>&1 &&
		nice -n 2 ./pan -m"$depth" -w$table >said 2>&1
}

result=0
runs=0
while read -r wanted options; do
	if [[ " $options " == *" long "* && $all != --all ]]; then
		echo "only with --all: $wanted $options"
		continue
	fi
	runs=$((runs + 1))
	# shellcheck disable=SC2086  # a word for each option
	explore $options
	found=$(sed -n 's/.* errors: \([0-9]*\)$/\1/p' said)
	figures=$(sed -n 's/^ *\([0-9.e+]*\) states, stored$/\1 states/p
		s/.*depth reached \([0-9]*\),.*/depth \1/p
		s/^ *\([0-9.]*\).total actual memory usage$/\1 MB/p
		s/^pan: elapsed time \(.*\) seconds/\1 s/p' said | paste -s -d, )
	answer=wrong
	case $wanted in
	holds:)
		[ "$found" = 0 ] && answer=right
		grep -qE 'max search depth|out of memory|not completed' said && answer=wrong
		;;
	fails:)
		grep -qE '^pan:[0-9]+: (assertion violated|invalid end state)' said && answer=right
		;;
	esac
	echo "$answer: $wanted $options ($figures)"
	if [ $answer = wrong ]; then
		result=1
		head -n 40 said
	fi
done < <(sed -n 's/^ \* \(\(holds\|fails\):.*\)$/\1/p' "$here/$model")

if [ "$runs" -eq 0 ]; then
	echo "$model says nothing to explore"
	exit 1
fi
exit $result
