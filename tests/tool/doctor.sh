# SPDX-License-Identifier: MIT
# Health: nothing there, healthy, in use, leftovers, repair; text and JSON.
# shellcheck disable=SC2154 # case.sh sets what is not set here

MADANG_NAMESPACE=$ns
export MADANG_NAMESPACE

# Memory and page size are the machine's; how many ended processes nobody noticed yet, and which
# slots they had, is the library's business.
examine()
{
	try doctor "$@" | sed \
	    -e 's/[0-9.]*[KMGTPE]* free of [0-9.]*[KMGTPE]* on [a-z]*/N free of N on KIND/' \
	    -e '/note: not a memory file system/d' -e '/note: mounted noexec/d' \
	    -e 's/\("memory_[a-z]*"\): [0-9][0-9]*/\1: N/' \
	    -e 's/\("file_system"\): "[a-z]*"/\1: KIND/' \
	    -e 's/\("noexec"\): [a-z]*/\1: YES-OR-NO/' \
	    -e '/"findings"/,$d'
}

examine
examine --json
[ -e "$ns" ] && echo "doctor made a namespace"
try doctor -n "$base/no-such-directory/ns" | grep -e exit -e registry -e Choose -e result
try init "$ns"
try mk 64K --key 1
hold attach "$(nth 0)"
examine
release
examine
examine --json

echo "# a process that was killed"
hold attach "$(nth 0)"
kill -9 "$holder"
wait "$holder" 2>/dev/null
exec 9>&-
"$madang" doctor | grep 'ended processes' && echo "a note that nobody asked for"
"$madang" doctor --verbose | grep -c 'note: [0-9]* record.* of ended processes'
"$madang" doctor --json | grep -c '"kind": "dead-slot"' | sed 's/^[1-9][0-9]*$/some/'
"$madang" doctor --repair | grep -c 'repaired: cleared away [0-9]* record.* of ended processes'

echo "# a file that belongs to no segment"
: >"$ns/seg-77777-more"
try doctor | grep -e exit -e 'finding.*file' -e Try -e result
try doctor --json | grep -e exit -e '"healthy"' -e '"orphan-file"' -e '"text".*file'
try doctor --repair | grep -e exit -e 'finding.*file' -e Try -e result
try doctor | grep -e exit -e 'finding.*file' -e result
mkdir "$ns/seg-77777-more" # which doctor does not delete
try doctor --repair | grep -e exit -e 'finding.*file' -e 'by hand' -e result
rmdir "$ns/seg-77777-more"

echo "# a segment that lost its file"
rm "$ns"/seg-*-"$(nth 0)"
try doctor | grep -e exit -e 'finding.*file' -e bytes -e result
try doctor --repair | grep -e exit -e 'finding.*file' -e bytes -e result
try rm "$(nth 0)"
try doctor | grep -e exit -e 'finding.*file' -e result

echo "# a creation that was killed half-way"
# 2 GiB take long enough to be reserved; where they are not free, there is nothing to kill. The
# first doctor is the first call that comes across it, so the second finds nothing.
tries=0
: >"$work/diagnosis"
until grep -q 'was cut off' "$work/diagnosis" || [ $tries = 5 ]; do
	tries=$((tries + 1))
	rm -rf "$base/killed"
	"$madang" init "$base/killed" >/dev/null
	"$madang" mk 2G --key 7 -n "$base/killed" >/dev/null 2>&1 &
	made=$!
	until ls "$base"/killed/seg-* >/dev/null 2>&1 || ! kill -0 $made 2>/dev/null; do :; done
	kill -9 $made 2>/dev/null
	wait $made 2>/dev/null
	try doctor -n "$base/killed" >"$work/diagnosis"
done
if grep -q 'was cut off' "$work/diagnosis"; then
	grep -A1 -e exit -e finding -e result "$work/diagnosis" | sed 's/segment [0-9]*/segment N/'
	"$madang" mk 1 --key 7 -n "$base/killed" >/dev/null
	"$madang" doctor -n "$base/killed" | grep -e finding -e result
else
	sed -n '/^# a creation that/,/^# a full file system/{/^#/!p}' "$here/doctor.expected"
fi
rm -rf "$base/killed"

echo "# a full file system"
if [ "$(id -u)" = 0 ] && mkdir "$base/tiny" &&
	mount -t tmpfs -o size=1M,mode=0700 none "$base/tiny" 2>/dev/null; then
	try mk 1M -n "$base/tiny"
	head -c 1M /dev/zero >"$base/tiny/filler" 2>/dev/null
	try doctor -n "$base/tiny" | grep -e exit -e memory -e Full -e result |
		sed 's/free of .*/free of SIZE/'
	rm "$base/tiny/filler"
	mount -o remount,nr_inodes=2 "$base/tiny" # the directory and the registry
	try doctor -n "$base/tiny" | grep -e exit -e Full -e result
	umount "$base/tiny"
else
	sed -n '/^# a full file system/,/^# an overlay/{/^#/!p}' "$here/doctor.expected"
fi

echo "# an overlay, and no execution"
cat >"$work/mounts" <<'END'
mkdir "$1/parts" "$1/seen" && mount -t tmpfs -o noexec,mode=0700 none "$1/parts" &&
mkdir "$1/parts/lower" "$1/parts/upper" "$1/parts/work" || exit 77
"$2" doctor -n "$1/parts/ns" | grep -c 'note: mounted noexec'
layers="lowerdir=$1/parts/lower,upperdir=$1/parts/upper,workdir=$1/parts/work"
mount -t overlay -o "$layers" none "$1/seen" || exit 77
mkdir -m 0700 "$1/seen/ns"
"$2" doctor -n "$1/seen/ns" | grep -c 'note: an overlay'
"$2" doctor -n "$1/seen/ns" --json | grep '"file_system"'
END
unshare -m sh "$work/mounts" "$base" "$madang" 2>/dev/null ||
	sed -n '/^# an overlay/,$p' "$here/doctor.expected" | sed 1d
exit 0
