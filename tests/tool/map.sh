# SPDX-License-Identifier: MIT
# Maps: the list; get, put, rm, ls; keys and values that are no text; versions; what is refused.
# shellcheck disable=SC2154 # case.sh sets what is not set here

MADANG_NAMESPACE=$ns
export MADANG_NAMESPACE

# A value is printed without a line end.
got()
{
	try "$@"
	echo
}

# A version depends on which keys are in one part of the map, and that differs from run to run.
versions()
{
	tab=$(printf '\t')
	sed -e "s/$tab[0-9][0-9]*$tab/${tab}V$tab/" -e 's/\("version": \)[0-9]*/\1V/' \
		-e 's/--if [2-9] trees put/--if V trees put/'
}

# The order of a walk has no meaning, and references differ from run to run.
sorted()
{
	try "$@" | sort
}

echo "# nothing there"
try_apart map
try_apart map --json
try map trees
got map trees/colours get sky
try map trees/colours ls
[ -e "$ns" ] && echo "map made a namespace"
"$madang" init "$ns" >/dev/null
try map
got map trees/colours get sky
try map trees/colours put sky blue
try map trees/colours rm sky
try map --make trees put sky blue
[ -z "$("$madang" ls -n "$ns" | grep trees)" ] || echo "map made a heap"

echo "# a map"
try map --make trees/colours put sky blue
got map trees/colours get sky
got map trees get sky
try map trees put grass green
try map trees/colours put sky grey
sorted map trees ls
sorted map --long trees ls | versions
try map --long trees get sky | versions
try map --json trees get sky | versions
try map
try map --json
try map trees
try map trees/colours

echo "# no text"
try map --escaped trees put 'a\x00\xffb' 'line\x0atab\x09\x5c'
try map --escaped trees get 'a\x00\xffb'
try map --json --escaped trees get 'a\x00\xffb' | versions
"$madang" map --escaped trees get 'a\x00\xffb' >/dev/null &&
	"$madang" map trees put plain "$(printf 'one\ttwo\\')"
sorted map trees ls
printf '\001\002\000\377' | "$madang" map trees put raw -
"$madang" map trees get raw | od -An -tx1
"$madang" map --json trees get raw | grep value
printf '' | "$madang" map trees put '' -
"$madang" map trees get '' | wc -c
try map --escaped trees put 'a\x0' b
try map --escaped trees put a 'b\'

echo "# versions"
try map --if 0 trees put sky red
try map --if 1 trees put sky red
version=$("$madang" map --long trees get sky | cut -f 2)
try map --if "$version" trees put sky red | versions
try map --if 0 trees put sun yellow
try map --if 77 trees rm sun
try map --if 77 trees rm moon
got map trees get sky
try map --if x trees put sky red

echo "# rm"
try map trees rm sky moon sun
try map trees ls --long -- | grep -c sky
try map trees rm grass plain raw ''
try map --escaped trees rm 'a\x00\xffb'
try map trees ls
try map --json trees ls

echo "# blocks"
"$helpers/tool_heaper" "$ns" blocks trees || echo "heaper failed"
try map trees
got map trees get b
got map trees/blocks get b
try map trees/blocks put b 0123
try map --escaped trees/blocks get b
reference=$("$madang" map --long trees/blocks get b | cut -f 2)
try map --if 16 trees/blocks put b 4567
"$madang" map --if "$reference" trees/blocks put b 4567 && echo "put"
try map trees/blocks rm b
try map trees/blocks ls

echo "# names with slashes"
try map --make 'a/b' put k v
"$madang" map --make 'x/y/z' put k 1
"$madang" map 'x/y/z' get k
echo

echo "# drop"
try map --make trees/passing put k v
try map trees drop
try map --json trees/passing drop
try map trees/passing drop
try map trees/passing drop
try map trees/passing get k

echo "# damage"
try map --make trees/broken put k v
"$helpers/tool_heaper" "$ns" mapless trees || echo "heaper failed"
got map trees/broken get k
try map trees/broken ls
try map --make trees/broken put k v
try map trees
try map trees/colours put still works
"$helpers/tool_heaper" "$ns" plain other
"$helpers/tool_heaper" "$ns" damage other
try map other
got map other/m get k

echo "# what is refused"
"$madang" mk --name segment 4K >/dev/null
got map segment get k
got map tres/colours get k
got map trees/colour get k
try map --make trees/colour ls
try map a get
try map a put k
try map a ls k
try map a find k
try map put a k v
try map ''
try map --long a put k v
got map --if 1 a get k
try map --json a rm k
got map a/b get 'no such key'
i=0; key=k
while [ $i -lt 16 ]; do key=$key$key; i=$((i + 1)); done
"$madang" map a/b put "${key}k" v 2>&1
"$madang" map a/b get k >/dev/full
echo "(exit $?)"
exit 0
