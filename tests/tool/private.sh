# SPDX-License-Identifier: MIT
# What madang run --private says. private_proxy_test.c and private_life_test.c test how its
# processes depend on each other.
# shellcheck disable=SC2154 # case.sh sets what is not set here

case $SANITIZE in
*address* | *thread*) skip "a sanitizer's library must be loaded first; no preload" ;;
esac
plain=$helpers/tool_plain
name()
{
	sed 's|=/.*/madang-private-[A-Za-z0-9]\{6\}$|=PARENT/madang-private-XXXXXX|'
}

try run --private "$plain" make 0x4d41
try run --private "$plain" make 0x4d41
try run -p "$plain" environment | name
( MADANG_NAMESPACE=$ns; export MADANG_NAMESPACE; try run -p "$plain" environment | name )
[ -e "$ns" ] && echo "the other namespace was made"

echo "# one in another"
try run --private "$plain" exec "$madang" run --private "$plain" environment | name

echo "# what cannot be run leaves nothing"
try run --private no-such-program
try run --private "$base"
try run --private "$helpers/tool_static"
printf '#!/no/such/interpreter\n' >"$work/lost"
chmod +x "$work/lost"
try run --private "$work/lost"
try run --private "ls -l"

echo "# no room"
mkdir "$work/tmp"
if unshare -m true 2>/dev/null && [ "$(id -u)" = 0 ]; then
	unshare -m sh -c '
		mount -t tmpfs -o size=64k tmpfs /dev/shm &&
			dd if=/dev/zero of=/dev/shm/full bs=4k 2>/dev/null
		"$1" run --private "$3" exit 0
		echo "exit $?"
		ls /dev/shm
		mount -t tmpfs -o mode=755,ro tmpfs /dev/shm
		TMPDIR=/no/such/directory "$1" run --private "$3" exit 0
		echo "exit $?"
		TMPDIR=$2 "$1" run --private "$3" environment
		ls "$2"
	' sh "$madang" "$work/tmp" "$plain" 2>&1 | name
else
	sed -n '/^madang run: cannot make/,$p' "$here/private.expected"
fi
exit 0
