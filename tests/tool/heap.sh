# SPDX-License-Identifier: MIT
# Heaps: the list, one with its processes, roots, classes and leaks; sweep, trim, limit; damage.
# shellcheck disable=SC2154 # case.sh sets what is not set here

MADANG_NAMESPACE=$ns
export MADANG_NAMESPACE

# What differs from run to run: processes and times, and the size of a page.
plain()
{
	sed -e "s/\\([^0-9]\\|^\\)$maker\\([ ,]\\)/\\1MAKER\\2/" \
		-e "s/\\([^0-9]\\|^\\)$child\\([ ,]\\)/\\1CHILD\\2/" \
		-e 's/  [0-9][0-9]*[smh]\( *\)/  AGE\1/g' -e 's/  *$//' \
		-e 's/\(_time"\): [0-9]*/\1: TIME/' -e 's/\(tables"\): [0-9]*/\1: BYTES/' \
		-e 's/\(segment"\): [0-9]*/\1: ID/' -e 's/\(place"\): [0-9]*/\1: REF/' \
		-e 's/\(ref"\): [0-9][0-9]*/\1: REF/' -e 's/\(home"\): [0-9][0-9]*/\1: ADDRESS/' \
		-e "s/$maker fills it/MAKER fills it/"
}

# The list without the sizes of tables.
look()
{
	try heap "$@" | plain
}

echo "# nothing there"
try_apart heap
try_apart heap --json
try heap trees
[ -e "$ns" ] && echo "heap made a namespace"

echo "# two"
"$madang" init "$ns" >/dev/null
"$madang" mk --name segment 4K >/dev/null
try heap
try heap --json
mkfifo "$work/in" "$work/ready"
"$helpers/tool_heaper" "$ns" make trees <"$work/in" >"$work/ready" &
heaper=$!
exec 9>"$work/in"
read -r word maker child <"$work/ready"
[ "$word" = ready ] || { echo "heaper failed"; exit 1; }
"$helpers/tool_heaper" "$ns" plain empty || echo "heaper failed"
look
look --json
echo '$ madang ls, names and states'
"$madang" ls | sed -n 's/^[0-9]*  "\([a-z]*\)".*  \([a-z ]*\)$/\1: \2/p'
echo '$ madang rm --orphans --dry-run, and madang doctor'
"$madang" rm --orphans --dry-run | sed 's/segment [0-9]*/segment ID/'
"$madang" doctor --json | grep '"orphans"'
look trees
look -c --leaks trees
look --json -c --leaks --check trees | sed '/"classes"/,/^      \]/{/"slabs": [^0]/,/}/!d;}'
look --leaks empty

echo "# care"
look --check trees
look --sweep trees
look --check trees
look --limit 8M trees
look --trim trees
look --limit 1T trees
look --limit x trees
look --repair empty

echo "# damage"
"$helpers/tool_heaper" "$ns" damage trees
look --check trees | tail -n 3
look --check --json trees | sed -n '/findings/,$p'
look --repair trees | tail -n 1
look --check trees | tail -n 1

for how in unlike headless; do
	"$helpers/tool_heaper" "$ns" plain $how && "$helpers/tool_heaper" "$ns" $how $how ||
		echo "heaper failed"
	try heap $how
	try heap --repair $how
	try heap | tail -n 3
	try map $how/m ls
	try rm --name $how
done

echo "# checked"
writer=$("$helpers/tool_heaper" "$ns" checked bugs)
checked()
{
	look "$@" | sed -e "s/process $writer /process WRITER /" -e 's/0x[0-9a-f]*/0xREF/' \
		-e 's/[0-9]* minutes* ago/N minutes ago/'
}
checked --check bugs | sed -n '1,3p;/0x/p'
checked --check --json bugs | sed -n '/"checked"/p;/findings/,$p'
checked --repair bugs | tail -n 4
checked --check bugs | tail -n 1

echo "# the example of the page"
awk '/^\.Sh/ { on = /EXAMPLES/ } /^\.Ed/ { show = 0 } on && show; on && /^\.Bd/ { show = 1 }' \
	"$here/../../man/madang-heap.1" | sed -n 's/^\$ madang //p' >"$work/example"
"$helpers/tool_heaper" "$base/page" large trees || echo "heaper failed"
while read -r words; do
	# shellcheck disable=SC2086 # several words
	MADANG_NAMESPACE=$base/page "$madang" $words >"$work/shown" ||
		echo "madang $words: exit $?"
	tail -n 1 "$work/shown" | sed 's/  */ /g; s/[0-9]*[smh] [0-9]*[smh]$/AGE/'
done <"$work/example"

echo "# what is refused"
try heap segment
try heap other
try heap --check
try heap trees empty
exec 9>&-
wait "$heaper"
look trees

echo "# at work"
"$helpers/tool_heaper" "$ns" busy busy <"$work/in" >"$work/ready" &
heaper=$!
exec 9>"$work/in"
read -r word maker child <"$work/ready"
[ "$word $child" = "ready 0" ] || { echo "heaper failed"; exit 1; }
child=none
look busy
look --json busy | sed -n -e '/"home"/p' -e '/"processes"/,/^      \]/p'
look --check busy | tail -n 3
look --trim busy | tail -n 1 | sed 's/gave [1-9][0-9.]*M back/gave some MiB back/'
look --json --trim busy | tail -n 5
kill -9 "$heaper"
wait "$heaper" 2>/dev/null # some shells say "Killed"
exec 9>&-
look --check busy | tail -n 5
look --json --sweep --repair busy | tail -n 7
look busy
