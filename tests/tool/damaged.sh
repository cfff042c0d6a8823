# SPDX-License-Identifier: MIT
# Damage within a semaphore set and a queue, and files without an object: doctor finds it, and mends
# what can be mended.
# shellcheck disable=SC2154 # case.sh sets what is not set here

MADANG_NAMESPACE=$ns
export MADANG_NAMESPACE

examine()
{
	try doctor "$@" | grep -e exit -e '^madang' -e '^finding' -e '^semaphores' -e '^queues' \
		-e 'Try' -e 'Only its' -e lost -e '^result' | grep -v ' record'
}

# poke FILE OFFSET BYTES: printf writes them.
poke()
{
	# shellcheck disable=SC2059 # the bytes are a format
	printf "$3" | dd of="$1" bs=1 seek="$2" conv=notrunc 2>/dev/null
}

"$madang" mk --kind semaphores 2 >/dev/null
"$madang" mk --kind queues >/dev/null
hold undo "$(nth 0)" 1 2
release
# Two messages are sent by the lock, and so the figures lie in the head.
hold send "$(nth 0)" 1 100 2
release
try ls | sed 's/  *[0-9][0-9]*[sm]  *[0-9][0-9]*[sm]$/  AGE  AGE/'
examine
"$madang" doctor --json | grep -e semaphore -e queue -e message

echo "# a queue: the messages are counted wrongly, which is mended"
queue=$(find "$ns" -name 'msg-*')
poke "$queue" 144 '\011'
examine
examine --repair
examine

echo "# a set: a value that cannot be"
set=$(find "$ns" -name 'sem-*')
poke "$set" 1793 '\377'
examine
examine --repair

echo "# a set: the sleepers lead to nowhere too, which is mended"
poke "$set" 56 '\377\377'
examine
examine --repair

echo "# a set: only the sleepers lead to nowhere"
poke "$set" 1793 '\000'
poke "$set" 56 '\377\377'
examine
examine --repair
examine
try ls -l --kind semaphores | sed -e 's/  *[0-9][0-9]*[sm]  *[0-9][0-9]*[sm]$/  AGE  AGE/' \
	-e 's/process [0-9]*$/process PID/'
try rm --kind semaphores "$(nth 0)"
examine

echo "# files without an object"
cp "$queue" "$ns/$(basename "$queue" | sed 's/[0-9]*$//')77777"
try doctor --repair | grep -e 'finding.*file' -e result | sed 's/file [^ ]*/file NAME/'

echo "# a queue without its file"
rm "$queue"
examine
try rm --kind queues "$(nth 0)"
examine
exit 0
