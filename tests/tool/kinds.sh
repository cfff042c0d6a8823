# SPDX-License-Identifier: MIT
# Programs of both word sizes. The libraries for both lie in one tree, and LD_PRELOAD names them by
# $LIB. The programs of the other word size come from the build of another preset ($OTHER). This
# test asks the loaders what $LIB stands for; the tool finds it out in another way.
# shellcheck disable=SC2154 # case.sh sets what is not set here

case $SANITIZE in
*address* | *thread*) skip "a sanitizer's library must be loaded first; no preload" ;;
esac
ours=$(dirname "$(dirname "$madang")")
[ -n "$OTHER" ] && [ -r "$OTHER/lib/libmadang-sysv.so.0" ] && [ -x "$OTHER/tests/tool_plain" ] ||
	skip "no libraries of the other word size:" \
		"build the preset $(basename "${OTHER:-m32}") first"

# The directory that $LIB stands for in programs like this one.
lib_of()
{
	loader=$(LC_ALL=C readelf -l "$1" | sed -n 's/.*program interpreter: \(.*\)\]/\1/p')
	"$loader" --list-diagnostics | sed -n 's/^dl_dst_lib="\(.*\)"/\1/p'
}
our_lib=$(lib_of "$helpers/tool_plain")
other_lib=$(lib_of "$OTHER/tests/tool_plain")
[ -n "$our_lib" ] && [ -n "$other_lib" ] && [ "$our_lib" != "$other_lib" ] ||
	skip "the loaders do not tell what \$LIB stands for, or run no program of the other kind"

# tree NAME: a tree with the tool and our library where $LIB leads.
tree()
{
	mkdir -p "$work/$1/bin" "$work/$1/$our_lib" "$work/$1/$other_lib"
	cp "$ours/bin/madang" "$work/$1/bin"
	cp -a "$ours"/lib/*.so* "$work/$1/$our_lib"
}
plain=$helpers/tool_plain
cp "$OTHER/tests/tool_plain" "$work/other"

echo "# ours alone"
tree one
madang=$work/one/bin/madang
try run -n "$ns" "$plain" environment | sed "s|$our_lib|LIB|"
try run -n "$ns" "$work/other" exit 3

echo "# both"
tree both
cp -a "$OTHER"/lib/*.so* "$work/both/$other_lib"
madang=$work/both/bin/madang
try run -n "$ns" "$plain" environment
try run -n "$ns" "$work/other" make 0x41
try run -n "$ns" sh -c "'$plain' make 0x42; '$work/other' make 0x41; '$work/other' make 0x43"
try run -n "$ns" "$madang" run "$work/other" environment
try run -n "$ns" "$work/one/bin/madang" run "$plain" environment | sed "s|$our_lib|LIB|"
try run -n "$ns" "$helpers/tool_static"

echo "# a tree of the other kind, run inside"
mkdir "$work/both/other"
cp "$OTHER/bin/madang" "$work/both/other"
try run -n "$ns" "$work/both/other/madang" run "$plain" environment

echo "# named"
(
	MADANG_PRELOAD="$work/both/\${LIB}/libmadang-sysv.so.0"
	export MADANG_PRELOAD
	try run -n "$ns" "$work/other" make 0x44
	cd "$work/both" && MADANG_PRELOAD="\$LIB/libmadang-sysv.so.0"
	try run -n "$ns" "$work/other" environment
	MADANG_PRELOAD="$work/nowhere/\$LIB/libmadang-sysv.so.0"
	try run -n "$ns" "$work/other" exit 0
)
exit 0
