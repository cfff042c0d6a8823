# SPDX-License-Identifier: MIT
# Root looks at a user's namespace. Nothing in it changes; other users are refused.
# shellcheck disable=SC2154 # case.sh sets what is not set here

as()
{
	user=$1
	shift
	setpriv --reuid "$user" --regid "$user" --clear-groups "$@" 2>&1
	code=$?
	[ $code -eq 0 ] || echo "(exit $code)"
}

# Owner, mode, size, time of each file, and the bytes of the registry.
record()
{
	find "$ns" -printf '%P %u %g %m %s %T@ %C@\n' | sort
	cksum <"$ns/registry"
}

[ "$(id -u)" = 0 ] || skip "only root may look at another user's"
setpriv --reuid 12345 --regid 12345 --clear-groups "$madang" --version >/dev/null 2>&1 ||
	skip "another user cannot run the tool where it lies (or setpriv is missing)"
chmod 0711 "$base"
mkdir -m 0700 "$ns"
chown 12345:12345 "$ns"
as 12345 "$madang" mk 4096 --name weather --namespace "$ns" >/dev/null
as 12345 "$madang" mk 4096 --key 0x55 --namespace "$ns" >/dev/null
echo "sun" | as 12345 "$madang" talk news --namespace "$ns"
record >"$work/before"
echo "# root"
try ls --namespace "$ns" | sed 's/^[0-9][0-9]* /ID /'
try ls -l --namespace "$ns" | grep -c weather
try ls --json --namespace "$ns" | grep -c '"id"'
try locks --namespace "$ns"
try channels --namespace "$ns"
try doctor --namespace "$ns" | grep -e '^registry' -e WRONG -e result -e '^.madang' -e exit
record >"$work/after"
diff -u "$work/before" "$work/after" && echo "as before"
echo "# root does more"
try doctor --repair --namespace "$ns" | grep -e another -e exit
try rm 0 --namespace "$ns" | grep -v It.belongs
try mk 4096 --namespace "$ns" | grep -v It.belongs
echo "# others"
chmod 0755 "$ns"
as 12346 "$madang" ls --namespace "$ns" | grep -v It.belongs
# Nor root in a user namespace. In a chroot there is none, and a third user stands for him.
if unshare -Ur true 2>/dev/null; then
	unshare -Ur "$madang" ls --namespace "$ns" 2>&1
	echo "(exit $?)"
else
	as 12347 "$madang" ls --namespace "$ns"
fi | grep -v It.belongs
chmod 0700 "$ns"
record | grep -v '^ 12345' >"$work/after"
grep -v '^ 12345' "$work/before" | diff -u - "$work/after" && echo "as before"
echo "# damaged"
mv "$ns/registry" "$work/registry"
head -c 65536 /dev/urandom >"$ns/registry"
for command in ls locks channels; do
	"$madang" $command --namespace "$ns" 2>&1 | grep -c -e "is not Madang's" -e "another user"
	"$madang" $command --namespace "$ns" 2>&1 | grep -c "another user"
done
exit 0
