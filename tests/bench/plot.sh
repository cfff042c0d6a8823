#!/bin/sh
# SPDX-License-Identifier: MIT
# plot.sh MADANG-BENCH - `madang-bench --plot` draws ratios, latencies and rates, and says what it
# lacks. How a picture looks is for people to judge; here, that everything named is in it.
set -u
bench=$1
# shellcheck source=measures.sh
. "$(dirname "$0")/measures.sh"

# run FILE CASES. The machine's name is a trap for gnuplot.
run() { results "$1" "it's \`touch $room/trap\` \\\"x\\\"" '{}' "$2"; }

draws() { # FILE TEXT...: the picture is one, and has these words
	file=$1
	shift
	"$bench" --plot "$room/svg" "$room/$file" >"$room/out" 2>&1 || fail "exit code $?: $file"
	[ -s "$room/out" ] && fail "it said something: $file"
	python3 - "$room/svg" "$@" <<'EOF' || fail "the picture of $file"
import sys, xml.etree.ElementTree as tree

root = tree.parse(sys.argv[1]).getroot()
assert root.tag.endswith("svg"), root.tag
texts = {"".join(text.itertext()).strip() for text in root.iter() if text.tag.endswith("text")}
missing = [word for word in sys.argv[2:] if not any(word in text for text in texts)]
assert not missing, f"not in it: {missing}; but {texts}"
EOF
	[ ! -e "$room/trap" ] || fail "gnuplot carried out what a file says"
}

refuses() { # PATTERN ARGUMENT...
	pattern=$1
	shift
	"$@" >"$room/out" 2>&1 && fail "exit code 0: $*"
	grep -q -e "$pattern" "$room/out" || fail "nothing like '$pattern': $*"
}

ratio='{"median": 0.5, "p10": 0.4, "p90": 0.6, "samples": 9}'
rounds='"p50": 100, "p99": 200, "p99.9": 5000'
run sync "\"sync\": [{\"case\": \"m\", \"what\": \"mutex's $(printf '\\\\n')\",
	\"glibc\": {\"ratio\": $ratio}, \"boost\": {\"ratio\": $ratio}}, {\"case\": \"n\",
	\"what\": \"never measured\", \"glibc\": {\"ratio\": null}}]"
run channel "\"channel\": [{\"case\": \"round-x\", \"sleeps\": true, \"processors\": 1,
	\"pipe\": {$rounds}, \"ck\": {$rounds}}, {\"case\": \"one-x\", \"pipe\": {\"ns\": $ratio}}]"
run scale "\"scale\": [{\"call\": \"stat\", \"processes\": 1, \"madang_per_second\": 5,
	\"kernel_per_second\": 4}, {\"call\": \"stat\", \"processes\": 64, \"madang_rate\": $ratio,
	\"kernel_rate\": $ratio}]"
run sync_scale "\"sync_scale\": [{\"call\": \"mutex\", \"processes\": 1, \"madang_rate\": $ratio,
	\"glibc_rate\": $ratio}, {\"call\": \"mutex\", \"processes\": 64,
	\"madang_rate\": $ratio, \"glibc_rate\": $ratio}]"
run heap "\"heap\": [], \"heap_scale\": [
	{\"processes\": 1, \"live\": 1000, \"madang_ns\": $ratio, \"mimalloc_ns\": $ratio},
	{\"processes\": 8, \"live\": 1000, \"madang_ns\": $ratio, \"mimalloc_ns\": $ratio},
	{\"processes\": 1, \"live\": 1000, \"madang_ns\": $ratio, \"mimalloc_ns\": $ratio},
	{\"processes\": 1, \"live\": 1000000, \"madang_ns\": $ratio, \"mimalloc_ns\": $ratio}]"
run nothing "\"sync\": [], \"parts\": [{\"part\": \"fork\", \"ns\": $ratio}]"

# Without gnuplot it says so, before it measures anything.
bench=$(realpath "$bench")
mkdir "$room/empty"
refuses 'built without it\|gnuplot, which is not in PATH (Debian: gnuplot-nox)' \
	env PATH="$room/empty" "$bench" --quick --case lookup --plot "$room/svg"
grep -q '^machine ' "$room/out" && fail "it measured"
if grep -q 'built without it' "$room/out"; then
	echo "skipped: madang-bench was built without jansson"
	exit 77
fi
refuses 'gnuplot, which is not in PATH' \
	env PATH="$room/empty" "$bench" --plot "$room/svg" "$room/sync"
if ! command -v gnuplot >"$room/out"; then
	echo "skipped: there is no gnuplot"
	exit 77
fi

draws sync "mutex's" glibc boost "2026-01-01" "it's \`touch $room/trap\`" 'ratio of times' '0.5'
draws channel round-x ck pipe p99.9 '1 µs' 'waits by sleeping, one processor'
draws scale stat processes '64' kernel 'operations a second'
draws sync_scale mutex processes '64' glibc 'One object'
draws heap 'live blocks' mimalloc '1M' nanoseconds
refuses 'nothing that could be drawn' "$bench" --plot "$room/svg" "$room/nothing"
refuses "$room/no/svg: No such file" "$bench" --plot "$room/no/svg" "$room/sync"
echo '{"program": "fio"}' >"$room/foreign"
refuses 'not results of madang-bench' "$bench" --plot "$room/svg" "$room/foreign"
# A gnuplot that fails is not a picture.
cat >"$room/empty/gnuplot" <<'EOF'
#!/bin/sh
[ "$1" = --version ]
EOF
chmod +x "$room/empty/gnuplot"
refuses 'gnuplot failed' env PATH="$room/empty" "$bench" --plot "$room/svg" "$room/sync"
printf '#!/bin/sh\nexit 3\n' >"$room/empty/gnuplot"
refuses 'gnuplot, which does not start' \
	env PATH="$room/empty" "$bench" --plot "$room/svg" "$room/sync"

# A run draws its own results, and compares them too.
"$bench" --quick --case lookup --json "$room/json" --plot "$room/svg" >"$room/out" 2>&1 ||
	fail "exit code $?"
grep -q '<svg' "$room/svg" || fail "no picture of the run"
grep -q 'shmget of an existing key' "$room/svg" || fail "the picture is of something else"
left_nothing
"$bench" --compare "$room/json" "$room/json" --plot "$room/svg" >"$room/out" 2>&1 ||
	fail "exit code $?"
grep -q '^lookup .* same$' "$room/out" || fail "not compared"
echo "ok"
