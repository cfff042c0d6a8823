#!/bin/sh
# SPDX-License-Identifier: MIT
# memory.sh MADANG-BENCH - `madang-bench --memory` looks at each object, and leaves nothing. What it
# sees is held against what must be so: a segment is a mapping, a pipe has two descriptors.
set -u
bench=$1
# shellcheck source=measures.sh
. "$(dirname "$0")/measures.sh"

"$bench" --memory --quick --json "$room/json" >"$room/out" 2>&1 || fail "exit code $?"
left_nothing

# row SUBJECT SIDE OBJECT: resident, share and private KiB, mappings, descriptors
row() {
	sed -n "s/^$1 *$2 *$3 //p" "$room/out" | sed 's/ KiB//g' |
		awk '{ print $1, $2, $3, $4, $5 }'
}

# has SUBJECT SIDE OBJECT CONDITION: of awk, with the names of the columns
has() {
	is=$(row "$1" "$2" "$3")
	echo "$is" | awk "{ resident = \$1; share = \$2; private = \$3; mappings = \$4;
		descriptors = \$5; exit !(NF == 5 && \$0 !~ /- / && ($4)) }" ||
		fail "$1 $2 $3: '$is' is not: $4"
}

has libraries madang loaded 'resident > 0 && mappings >= 2'
for object in first another; do
	has segment madang $object 'resident >= 4 && private >= 4 && mappings >= 1'
	has channel madang $object 'resident >= 4 && mappings >= 1'
	has channel kernel $object 'descriptors == 2'
	has heap madang $object 'private >= 4 && mappings >= 1'
	has heap libc $object 'descriptors == 0'
	has lock madang $object 'descriptors == 0'
	has lock libc $object 'descriptors == 0'
	grep -q 'kernel IPC MISSING' "$room/out" ||
		has segment kernel $object 'resident >= 4 && mappings == 1 && descriptors == 0'
done
# The registry is opened with the first object only.
has segment madang another 'mappings == 1'

for subject in segment channel heap; do
	[ "$(grep -c "^$subject .*KiB *[1-9][0-9]* KiB\$" "$room/out")" -eq 3 ] ||
		fail "not three files of a $subject"
	grep -q "^$subject  *registry " "$room/out" || fail "no registry of a $subject"
done
grep -q '"complete": true' "$room/json" || fail "incomplete"

"$bench" --memory --case segment >"$room/out" 2>&1
[ $? -eq 2 ] || fail "it has cases"
if "$bench" --compare "$room/json" "$room/json" >"$room/out" 2>&1; then
	grep -q '^segment, first  *resident .* same$' "$room/out" || fail "not compared"
else
	grep -q 'built without it' "$room/out" || fail "cannot be compared"
fi
echo "ok"
