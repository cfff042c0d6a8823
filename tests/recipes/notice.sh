#!/bin/sh
# SPDX-License-Identifier: MIT
#
# notice.sh - run.py notices a page that does not do what it says: notice.sh RUN.PY PREFIX ENCLOSE
set -u

run=$1 prefix=$2 enclose=$3
work=$(mktemp -d "${TMPDIR:-/tmp}/madang-notice.XXXXXX") || exit 1
trap 'rm -rf "$work"' EXIT
failures=0

# page STATUS WORDS: the page on standard input, which ends in STATUS, and WORDS are said.
page() {
	{ echo "You need: ${needs-a shell, \`sh\`}." && echo && cat; } > "$work/page.md"
	"$enclose" "$run" --prefix "$prefix" --patience 0.2 "$work/page.md" > "$work/said" 2>&1
	status=$?
	[ $status -eq "$1" ] && grep -qF -e "$2" "$work/said" && return
	printf 'wanted %s and "%s", got %s and:\n' "$1" "$2" "$status"
	cat "$work/said"
	failures=$((failures + 1))
}

good='```sh
echo "one 17 two 17"
```
```text
one <n> two <n>
```'
printf '%s\n' "$good" | page 0 "it prints what it shows"
page 0 "it prints what it shows" <<-'END'
	Save this as `dir/count.sh`:

	```bash
	seq 100
	echo error >&2
	```

	```sh
	sh dir/count.sh
	false || echo "exit   $?"
	```

	```text
	1
	...
	100
	error
	exit 1
	```
END
page 1 "this is not what the commands print" <<-'END'
	```sh
	echo "one 17 two 18"
	```
	```text
	one <n> two <n>
	```
END
printf '%s\n' "$good" '```sh' 'echo secret' '```' | page 1 "the page does not show what this prints"
printf '%s\n' "$good" '```sh' 'false' '```' | page 1 "a command of this block fails, exit 1"
printf '%s\n' "$good" '```sh' 'sleep 61 &' '```' | page 1 "leaves processes running"
printf '%s\n' "$good" '```ini' 'a=b' '```' | page 1 "neither run nor saved"
printf '%s\n' "$good" 'Here, not run by the tests:' '```ini' 'a=b' '```' |
	page 0 "it prints what it shows"
printf '%s\n' "$good" '```sh' | page 1 "does not end"
# shellcheck disable=SC2016 # the backticks are the page's
printf '%s\n' '```sh' ':' '```' | page 1 'there is no block `text`'
{ printf '%s\n' "$good" && seq 130; } | page 1 "lines; "
# shellcheck disable=SC2016
needs='`no-such-program`'
printf '%s\n' "$good" | page 77 "no-such-program is missing"
# shellcheck disable=SC2016
needs='`python3-no_such_module`'
printf '%s\n' "$good" | page 77 "python3-no_such_module is missing"
[ $failures -eq 0 ]
