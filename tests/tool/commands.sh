# SPDX-License-Identifier: MIT
# The table of commands (madang --dump-commands) and what people read about it: each command is in
# `madang help`, has a help text within 100 columns, and a manual page of its own. Each option is in
# both, with its letter; and neither names an option that is not in the table. madang(1) names no
# command that is not there. A finding is a line; nothing is expected.
# shellcheck disable=SC2154 # case.sh sets what is not set here

man=$here/../../man
tab=$(printf '\t')
"$madang" --dump-commands >"$work/table"
"$madang" help >"$work/all"
[ -s "$work/table" ] || echo "the table is empty"

# The options of a page's list, as the table writes them: ".It Fl n , Fl -namespace Ar dir".
page_options()
{
	sed -n -e 's/^\.It Fl \([A-Za-z]\) , Fl -\([a-z-]*\).*/--\2 -\1/p' \
		-e 's/^\.It Fl -\([a-z-]*\).*/--\1 -/p' "$1" | sort
}

# The same of a help text: "  -n, --namespace DIR  ...".
help_options()
{
	sed -n -e 's/^  -\([A-Za-z]\), --\([a-z-]*\).*/--\2 -\1/p' \
		-e 's/^      --\([a-z-]*\).*/--\1 -/p' "$1" | sort
}

for name in $(sed -n "s/^command$tab\([a-z]*\)$tab.*/\1/p" "$work/table"); do
	page=$man/madang-$name.1
	# Another program has the options, and a page of its own.
	[ "$name" = bridge ] || [ "$name" = replicate ] && continue
	grep -q "^  $name  *[a-z]" "$work/all" || echo "$name is not in madang help"
	[ -f "$page" ] || { echo "$name has no page $page"; continue; }
	"$madang" "$name" --help >"$work/help" || echo "$name --help: exit $?"
	head -n 1 "$work/help" | grep -q "^Usage: madang $name " || echo "$name --help: no usage"
	awk -v name="$name" 'length > 100 { print name " --help: too long: " $0 }' "$work/help"
	awk -F"$tab" -v name="$name" '$1 == "option" && $2 == name { print $3 " " $4 }' \
		"$work/table" | sort >"$work/options"
	page_options "$page" | diff "$work/options" - >"$work/differ" ||
		{ echo "madang-$name.1 (>) is not as the table (<) says:"; cat "$work/differ"; }
	help_options "$work/help" | diff "$work/options" - >"$work/differ" ||
		{ echo "$name --help (>) is not as the table (<) says:"; cat "$work/differ"; }
done
sed -n 's/^\.Xr madang-\([a-z]*\) 1.*/\1/p' "$man/madang.1" | while read -r name; do
	grep -q "^command$tab$name$tab" "$work/table" ||
		echo "madang.1 names $name, which is no command"
done
exit 0
