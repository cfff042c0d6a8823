# SPDX-License-Identifier: MIT
# A namespace of several users: who may look, remove, and tidy what.
# shellcheck disable=SC2154 # case.sh sets what is not set here

other()
{
	setpriv --reuid 12345 --regid 12345 --clear-groups "$madang" "$@" 2>&1
	code=$?
	[ $code -eq 0 ] || echo "(exit $code)"
}

[ "$(id -u)" = 0 ] || skip "only root can become another user"
setpriv --reuid 12345 --regid 12345 --clear-groups "$madang" --version >/dev/null 2>&1 ||
	skip "another user cannot run the tool where it lies (or setpriv is missing)"
chmod 0711 "$base"
MADANG_NAMESPACE=$ns
export MADANG_NAMESPACE

echo "# private"
try init "$ns"
other ls
other doctor | grep -e directory -e registry -e exit -e result
rm -rf "$ns"

echo "# shared"
try init --shared "$ns"
try mk 4096 --name roots
try mk 4096 --name public --mode 0666
other mk 4096 --key 0x55
other ls
other rm "$(nth 0)"
other rm "$(nth 1)"
other rm --orphans --dry-run
other rm --orphans
other rm --orphans
other doctor | grep -e directory -e registry -e exit -e WRONG -e result
other mk 4096 --key 0x56
echo "# locks of others"
mkfifo "$work/in" "$work/ready"
"$helpers/tool_lockers" "$ns" stale <"$work/in" >"$work/ready" &
exec 9>"$work/in"
read -r word _ <"$work/ready"
echo "$word"
other locks
other locks locks --json
exec 9>&-
wait
try rm --orphans

echo "# a map of root's"
try map --make secrets/words put password none
other map
other map secrets
other map secrets/words get password
other map secrets/words ls
other map secrets/words put password mine
other heap
other heap secrets
other heap --sweep secrets
try map secrets get password
exit 0
