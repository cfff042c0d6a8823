# SPDX-License-Identifier: MIT
# A namespace whose files a cleaner deletes while a program uses it: what each command says.
# shellcheck disable=SC2154 # case.sh sets what is not set here

MADANG_NAMESPACE=$ns
export MADANG_NAMESPACE
try init "$ns"
try mk 4096 --name one
try mk 4096 --name two
hold attach "$(nth 0)"
rm "$ns/registry" "$ns"/seg-*-"$(nth 0)"
echo "# the registry and one of the data files"
try_apart ls
try_apart rm --orphans
try doctor | grep -e registry -e 'a namespace' -e 'is attached stays' -e result
try doctor --json | grep deleted_
echo "# the next one"
case $SANITIZE in
*address* | *thread*)
	try mk 4096 >/dev/null
	sed -n '/ madang run/,/anything left/p' "$here/deleted.expected" | sed '$d'
	;;
*) try_apart run "$helpers/tool_plain" make 0x4d41 ;;
esac
echo "# anything left"
find "$ns" -name 'seg-*' | wc -l
try doctor | grep -e registry -e 'a namespace' -e 'is attached stays' -e result
release
try doctor | grep -e registry -e 'a namespace' -e 'is attached stays' -e result
echo "# strays that came later"
: >"$ns/seg-0123456789abcdef-5"
try doctor | grep -e exit -e 'finding.*file' -e Try -e result
try doctor --repair | grep -e exit -e 'finding.*file' -e Try -e result
[ -e "$ns/seg-0123456789abcdef-5" ] && echo "it is still there"
exit 0
