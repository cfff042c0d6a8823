# SPDX-License-Identifier: MIT
# An ordinary user in a user namespace of his own, where /dev/shm is the machine's. He and root have
# a default namespace each, whoever comes first. The test runs in a mount namespace with a /dev/shm
# of its own.
# shellcheck disable=SC2154 # case.sh sets what is not set here

if [ -z "$covered" ]; then
	[ "$(id -u)" = 0 ] || skip "only root can become another user"
	setpriv --reuid 12345 --regid 12345 --clear-groups unshare -Ur \
		"$madang" --version >/dev/null 2>&1 ||
		skip "another user cannot run the tool in a user namespace (or setpriv is missing)"
	unshare -m true 2>/dev/null || skip "no mount namespace to be had"
	for order in inside root outside; do
		covered=$order madang=$madang unshare -m sh "$here/userns.sh" || exit 1
	done
	exit 0
fi

mount -t tmpfs -o mode=1777 none /dev/shm || exit 1

outside()
{
	setpriv --reuid 12345 --regid 12345 --clear-groups "$madang" "$@" || echo "(exit $?)"
}

inside()
{
	setpriv --reuid 12345 --regid 12345 --clear-groups unshare -Ur "$madang" "$@" ||
		echo "(exit $?)"
}

root()
{
	"$madang" "$@" || echo "(exit $?)"
}

echo "# $covered first"
{
	$covered mk 4096
	inside mk 8192
	root mk 12288
	outside mk 16384
} | grep -v '^[0-9]*$'
for who in inside root outside; do
	echo "$who sees"
	$who ls | awk 'NR > 1 { print $5 }'
done
inside rm --orphans | sed 's/ [0-9]* / /'
outside ls
find /dev/shm -mindepth 1 -maxdepth 1 -printf '%U %f\n' | sort
