#!/bin/sh
# SPDX-License-Identifier: MIT
# compare.sh MADANG-BENCH - `madang-bench --compare` says what has changed between two runs, what
# differed around them, and what is wrong with a file.
set -u
bench=$1
# shellcheck source=measures.sh
. "$(dirname "$0")/measures.sh"

# run FILE CPU CASES
run() { results "$1" "$2" '{"quick": true}' "$3"; }

# ratio MEDIAN P10 P90
ratio() {
	echo "{\"median\": $1, \"p10\": $2, \"p90\": $3, \"samples\": 9}"
}

# sync NAME RATIO
sync() {
	echo "{\"case\": \"$1\", \"madang\": {\"ns\": null}, \"glibc\": {\"ratio\": $2}}"
}

# says EXIT PATTERN ARGUMENT...: one line of the output looks like that.
says() {
	wanted=$1 pattern=$2
	shift 2
	"$bench" "$@" >"$room/out" 2>&1
	code=$?
	[ "$code" -eq "$wanted" ] || fail "exit code $code instead of $wanted: $*"
	grep -q -e "$pattern" "$room/out" || fail "nothing like '$pattern': $*"
}

says_not() {
	grep -q -e "$1" "$room/out" && fail "there should be nothing like '$1'"
}

run old one "\"sync\": [$(sync lower "$(ratio 1 0.9 1.1)"), $(sync higher "$(ratio 1 0.9 1.1)"),
	$(sync wide "$(ratio 1 0.5 1.5)"), $(sync edge "$(ratio 1 0.9 1.1)"),
	$(sync bare '{"median": 1}'), $(sync gone "$(ratio 1 1 1)")],
	\"heap\": [{\"case\": \"churn\", \"more_is_better\": true,
		\"madang\": {\"value\": $(ratio 0.7 0.69 0.71)}}],
	\"heap_scale\": [{\"processes\": 1, \"live\": 1000, \"ratio\": $(ratio 5 5 5)},
		{\"processes\": 1, \"live\": 1000, \"ratio\": $(ratio 1 1 1)}],
	\"scale\": [{\"call\": \"stat\", \"processes\": 8, \"ratio\": $(ratio 0.5 0.4 0.6)}]"
run new one "\"sync\": [$(sync lower "$(ratio 0.5 0.4 0.6)"), $(sync higher "$(ratio 2 1.8 2.2)"),
	$(sync wide "$(ratio 0.6 0.5 0.7)"), $(sync edge "$(ratio 0.8 0.7 1.05)"),
	$(sync bare "$(ratio 3 3 3)"), $(sync came "$(ratio 1 1 1)")],
	\"heap\": [{\"case\": \"churn\", \"more_is_better\": true,
		\"madang\": {\"value\": $(ratio 0.8 0.79 0.81)}}],
	\"heap_scale\": [{\"processes\": 1, \"live\": 1000, \"ratio\": $(ratio 5 5 5)},
		{\"processes\": 1, \"live\": 1000, \"ratio\": $(ratio 1 1 1)}],
	\"scale\": [{\"call\": \"stat\", \"processes\": 8, \"ratio\": $(ratio 1.5 1.4 1.6)}]"

if "$bench" --compare "$room/old" "$room/new" 2>&1 | grep -q 'built without it'; then
	echo "skipped: madang-bench was built without jansson"
	says 1 'libjansson-dev' --compare "$room/old" "$room/new"
	says 1 'libjansson-dev' --quick --case lookup --compare "$room/old"
	exit 77
fi

# A verdict needs both spreads: `wide` and `edge` have one median within the other's.
says 0 '^lower  *glibc .*1.00 (0.90-1.10).* 0.50 (0.40-0.60) *0.50  faster$' \
	--compare "$room/old" "$room/new"
for line in 'higher  *glibc .* 2.00  slower$' 'wide  *glibc .* 0.60  same$' \
	'edge  *glibc .* 0.80  same$' 'bare  *glibc .* 3.00  no spread$' \
	'came  *glibc .*  appeared$' 'gone  *glibc .*  vanished$' \
	'churn .* 1.14  better$' 'stat  *8 processes .* 3.00  faster$' \
	'1 processes  *1000 blocks .* 1.00 (1.00-1.00) .* same' \
	'3 faster or better, 1 slower or worse, 4 same, 1 without a spread; 1 appeared, 1 van' \
	' *the same machine and settings'; do
	grep -q -e "^$line" "$room/out" || fail "nothing like '$line'"
done

# The other way around everything is the contrary.
says 0 '^3 slower\|^1 faster or better, 3 slower or worse' --compare "$room/new" "$room/old"

run other two "\"sync\": [$(sync lower "$(ratio 1 1 1)")]"
says 0 'different machine, cpu: one -> two' --compare "$room/old" "$room/other"
says_not 'the same machine'
run channel one "\"channel\": [{\"case\": \"a\", \"reference\": \"stream\",
	\"stream\": {\"ratio\": null, \"by_line\": $(ratio 2 1 3)},
	\"pipe\": {\"ratio\": $(ratio 1 1 1)}}]"
says 0 'a  *the line .* 1.00  same' --compare "$room/channel" "$room/channel"
grep -q '^a  *pipe .* 1.00  same' "$room/out" || fail "no pipe"
says 1 'no subject in common' --compare "$room/old" "$room/channel"

# Files that cannot be used; nothing is measured then.
says 1 "$room/missing" --compare "$room/missing" "$room/new"
says 1 "$room/missing" --compare "$room/old" "$room/missing"
echo 'ns: 7' >"$room/text"
says 1 "$room/text, line 1: " --compare "$room/text" "$room/new"
echo '{"program": "fio", "jobs": []}' >"$room/foreign"
says 1 'not results of madang-bench' --compare "$room/foreign" "$room/new"
says 1 'not results of madang-bench' --quick --case lookup --compare "$room/foreign"
says_not '^machine '
echo '[1, 2]' >"$room/array"
says 1 'not results of madang-bench' --compare "$room/array" "$room/new"
says 1 'no results of .madang-bench.; it has those of .madang-bench --channel.' \
	--quick --case lookup --compare "$room/channel"
says_not '^machine '
# Of the right program, with contents that it does not write.
echo '{"program": "madang-bench", "machine": 3, "settings": [], "sync": {"a": 1},
	"cases": [4, null, {"case": 5, "ratio": {"median": "x"}},
	{"case": "a", "ratio": {"median": 2, "p10": [], "p90": -1, "samples": -1e300}}]}' \
	>"$room/odd"
says 0 'a .*no spread' --compare "$room/odd" "$room/odd"
says 2 'unexpected argument' --compare "$room/old" "$room/new" "$room/other"
says 2 'unexpected argument' "$room/old"

# A run beside an older one. One of a single case misses none of the others.
says 0 '^machine ' --quick --case lookup --json "$room/run"
says 0 '^lookup .*  \(same\|faster\|slower\)$' --quick --case lookup --compare "$room/run"
grep -q ' 0 appeared, 0 vanished' "$room/out" || fail "other rows than before"
left_nothing
says 0 '^stat .*appeared' --quick --case stat --compare "$room/run"
says_not '  vanished$'
# What is compared with may be the file that is written.
says 0 '^lookup .*  same$' --compare "$room/run" "$room/run"
echo "ok"
