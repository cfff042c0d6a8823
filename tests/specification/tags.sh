#!/bin/sh
# SPDX-License-Identifier: MIT
#
# tags.sh DOCUMENT DIRECTORY... - the specification and its tests belong together.
#
# A line of the document is a list item that begins with its tag, "- **A2** ..." or
# "- **fine A02** ...". A test in one of the directories cites lines in the text that
# an assertion prints: "A2", or "A2, fine A16, A17". In such a text "fine" holds for
# the tags with two digits that follow it; a tag with one digit is never a fine one.
# What a comment says is not looked at.
#
# The check fails if
#   - a test cites a line that the document does not have,
#   - no test cites a line, and the line does not say "*Not tested: REASON*",
#   - a test cites a line that says so,
#   - a list item has no tag, or the tag of another one.
set -eu
document=$1
shift
if [ ! -f "$document" ]; then
	echo "skipped: there is no $document (a source tree without its documents)"
	exit 77
fi

find "$@" -name '*.[ch]' | LC_ALL=C sort | LC_ALL=C awk -v document="$document" '
function complain(where, what) {
	print where ": " what
	failures++
}

# An item ends where the next one, a heading or an empty line begins.
function end_item() {
	if (item != "") {
		at = index(text, "*Not tested:")
		if (at > 0) {
			not_tested[item] = 1
			reason = substr(text, at + length("*Not tested:"))
			if (!match(reason, /^ [^*]+\.\*/) || RLENGTH < 12)
				complain(line[item], item " gives no reason for not being tested")
		}
	}
	item = ""
	text = ""
}

function begin_item(where) {
	if (!match($0, /^- \*\*(fine [A-Z][0-9][0-9][a-z]?|[A-Z][0-9][0-9]?[a-z]?)\*\* [^ ]/)) {
		complain(where, "an item without a tag: " $0)
		return
	}
	item = $0
	sub(/^- \*\*/, "", item)
	sub(/\*\*.*/, "", item)
	if (item in line)
		complain(where, item " stands there twice, see " line[item])
	line[item] = where
	order[++items] = item
}

function read_document(	number) {
	while ((getline < document) > 0) {
		number++
		if (/^[-#]/ || /^$/)
			end_item()
		if (/^- /)
			begin_item(document ":" number)
		if (item != "")
			text = text " " $0
	}
	end_item()
}

function cite(tag, where) {
	citations++
	if (!(tag in line))
		complain(where, "cites " tag ", which " document " does not have")
	else if (tag in not_tested)
		complain(where, "cites " tag ", which " document " says is not tested")
	cited[tag] = 1
}

function read_string(string, where,	word, words, fine, i) {
	words = split(string, word, /[^A-Za-z0-9_]+/)
	fine = ""
	for (i = 1; i <= words; i++) {
		if (word[i] == "fine")
			fine = "fine "
		else if (word[i] ~ /^[A-Z][0-9][0-9][a-z]?$/)
			cite(fine word[i], where)
		else if (word[i] ~ /^[A-Z][0-9][a-z]?$/)
			cite(word[i], where)
	}
}

# Finds the strings of a line of C. Comments cite nothing. \047 is an apostrophe.
function read_line(rest, where,	token) {
	while (rest != "") {
		if (in_comment) {
			if (!index(rest, "*/"))
				return
			rest = substr(rest, index(rest, "*/") + 2)
			in_comment = 0
		}
		if (!match(rest, /"([^"\\]|\\.)*"|\/\*|\047([^\047\\]|\\.)\047/))
			return
		token = substr(rest, RSTART, RLENGTH)
		rest = substr(rest, RSTART + RLENGTH)
		if (token == "/*")
			in_comment = 1
		else if (token ~ /^"/)
			read_string(token, where)
	}
}

BEGIN { read_document() }

{
	number = in_comment = 0
	while ((getline source_line < $0) > 0)
		read_line(source_line, $0 ":" ++number)
	close($0)
}

END {
	for (i = 1; i <= items; i++) {
		if (order[i] in not_tested)
			untested++
		else if (!(order[i] in cited))
			complain(line[order[i]], "no test cites " order[i])
	}
	if (items == 0)
		complain(document, "has no lines")
	print items + 0 " lines, " untested + 0 " of them not tested, cited " citations + 0 " times"
	exit failures > 0
}'
