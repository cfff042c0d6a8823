#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# notice_map - house.sh notices a map and a picture that are not true, in a house of two files.
#
#     notice_map HOUSE CC
set -euo pipefail

house=$1 cc=$2
for program in nm python3; do
	command -v "$program" >/dev/null || { echo "skipped: there is no $program"; exit 77; }
done
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
document=$work/docs/architecture.md
mkdir "$work/docs"
printf '%s\n' '<!-- The map begins here. The target house-picture writes it anew. -->' \
	'<!-- The map ends here. -->' >"$document"

# source_file NAME SENTENCE CODE: writes and compiles src/sync/NAME.c.
source_file() {
	mkdir -p "$work/src/sync" "$work/objects/sync"
	printf '/* %s.c - %s. */\n%s\n' "$1" "$2" "$3" >"$work/src/sync/$1.c"
	"$cc" -c -o "$work/objects/sync/$1.c.o" "$work/src/sync/$1.c"
}

# expect TEXT COMMAND...: the command fails and says this.
expect() {
	local text=$1
	shift
	if "$house" "$@" >"$work/said" 2>&1; then
		echo "not noticed: $text"
		exit 1
	fi
	if grep -qF "$text" "$work/said"; then return; fi
	echo "expected: $text; said:"
	cat "$work/said"
	exit 1
}

source_file low 'the ground' 'void mdg__low(void) {}'
source_file high 'the roof' 'void mdg__low(void); void mdg__high(void) { mdg__low(); }'
"$house" map "$work/objects" "$work"
"$house" listed "$work/objects" "$work"
grep -qF '  floor 1   low.c   the ground' "$document"
grep -qF '  floor 2   high.c  the roof' "$document"

source_file other 'a shed' 'int other;'
expect 'does not list src/sync/other.c' listed "$work/objects" "$work"
rm "$work/src/sync/other.c" "$work/objects/sync/other.c.o"

mv "$work/src/sync/low.c" "$work/low.c"
expect 'lists src/sync/low.c, which does not exist' listed "$work/objects" "$work"
mv "$work/low.c" "$work/src/sync"

source_file low 'the cellar' 'void mdg__low(void) {}'
expect 'does not say of src/sync/low.c what its head says' listed "$work/objects" "$work"
source_file low 'the ground' 'void mdg__low(void) {}'

cp "$document" "$work/true"
sed -i 's/floor 2/floor 1/' "$document"
expect 'sync/high.c calls sync/low.c, which' listed "$work/objects" "$work"
cp "$work/true" "$document"

echo 'See src/sync/gone.c.' >>"$document"
expect 'names src/sync/gone.c, which does not exist' listed "$work/objects" "$work"

if command -v dot >/dev/null; then
	"$house" draw "$work"
	"$house" drawn "$work"
	sed -i 's/floor 2   high/floor 3   high/' "$document"
	expect 'does not show: 3' drawn "$work"
fi
echo "all faults were noticed"
