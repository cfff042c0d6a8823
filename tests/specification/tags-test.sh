#!/bin/sh
# SPDX-License-Identifier: MIT
#
# tags-test.sh TAGS - that tags.sh notices what it is there for, on a document and
# a test of a few lines. TAGS is the path of tags.sh.
set -eu
tags=$1
failures=0
work=$(mktemp -d "${TMPDIR:-/tmp}/madang-tags-XXXXXX")
trap 'rm -rf "$work"' EXIT
mkdir "$work/tests"

# begin: a document and a test that belong together.
begin() {
	cat >"$work/lines.md" <<-'END'
		# Lines

		Prose may name A9 and anything else.

		- **A1** The first line
		  goes on here.
		- **fine A01** The first fine one.
		- **A11** Two digits, and not a fine one.
		- **C3h** A letter behind.
		- **fine A60** Nobody can see this. *Not tested: the machine would have to
		  have another processor.*
	END
	cat >"$work/tests/test.c" <<-'END'
		/* "A77" in a comment is no citation,
		 * nor is "fine A60". */ const char quote = '"'; /* "A77" */
		CHECK_LINE("A1, fine A01", X11 && A88);
		CHECK_ERRNO("A11: says why", EINVAL, call("and \"quotes\" too"));
		static const char *line = "C3h";
	END
}

# expect CODE WHAT SAID: tags.sh exits with CODE and says SAID.
expect() {
	got=0
	said=$(sh "$tags" "$work/lines.md" "$work/tests") || got=$?
	if [ "$got" -ne "$1" ]; then
		echo "$2: exit code $got, wanted $1" >&2
		failures=$((failures + 1))
	fi
	case $said in
	*"$3"*) ;;
	*)
		echo "$2: nothing said of '$3':" >&2
		echo "$said" >&2
		failures=$((failures + 1))
		;;
	esac
}

begin
expect 0 "all is well" "5 lines, 1 of them not tested, cited 4 times"
begin
echo 'CHECK_LINE("A2", true);' >>"$work/tests/test.c"
expect 1 "an unknown tag" "test.c:6: cites A2,"
begin
echo 'CHECK_LINE("A1, fine A01, A11", true);' >>"$work/tests/test.c"
expect 1 "an unknown fine tag" "test.c:6: cites fine A11,"
begin
echo '- **A2** A line without a test.' >>"$work/lines.md"
expect 1 "a line without a test" "lines.md:12: no test cites A2"
begin
echo 'CHECK_LINE("fine A60", true);' >>"$work/tests/test.c"
expect 1 "a line that is tested after all" "test.c:6: cites fine A60,"
begin
echo '- **A2** A line without a reason. *Not tested: .*' >>"$work/lines.md"
expect 1 "a mark without a reason" "A2 gives no reason"
begin
echo '- **A1** The same tag again.' >>"$work/lines.md"
expect 1 "a tag that is there twice" "A1 stands there twice"
begin
echo '- A line without a tag.' >>"$work/lines.md"
expect 1 "a line without a tag" "an item without a tag"
begin
echo "There is nothing." >"$work/lines.md"
expect 1 "a document without lines" "has no lines"
rm "$work/lines.md"
expect 77 "no document" "skipped"

[ "$failures" -eq 0 ]
