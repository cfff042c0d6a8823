# SPDX-License-Identifier: MIT
# Running programs: what they find, what they exit with, what is refused before it starts.
# shellcheck disable=SC2154 # case.sh sets what is not set here

case $SANITIZE in
*address* | *thread*) skip "a sanitizer's library must be loaded first; no preload" ;;
esac
plain=$helpers/tool_plain

try run --namespace "$ns" "$plain" make 0x4d41
try ls -n "$ns"
try run -n "$ns" -- "$plain" make 0x4d41
try run -n "$ns" "$plain" exit 42
( cd "$base" && try run -n ns "$plain" environment )
( LD_PRELOAD=libc.so.6; export LD_PRELOAD; try run -n "$ns" "$plain" environment )
try run -n "$ns" "$plain" exec "$madang" run "$plain" environment

echo "# looked up as shells do"
( PATH=$helpers; export PATH; try run -n "$ns" tool_plain exit 3 )
( PATH=; export PATH; cd "$helpers" && try run -n "$ns" tool_plain exit 4 )
try run -n "$ns" no-such-program
try run -n "$ns" ./no/such/program
try run -n "$ns" "$base"
: >"$work/file"
try run -n "$ns" "$work/file"

echo "# scripts"
printf '#! %s script\n' "$plain" >"$work/script"
printf 'exit 6\n' >"$work/bare"
printf '#! %s\n' "$helpers/tool_static" >"$work/static-script"
printf '#!/no/such/interpreter\n' >"$work/lost"
chmod +x "$work/script" "$work/bare" "$work/static-script" "$work/lost"
try run -n "$ns" "$work/script"
# Whether a script without #! runs is the C library's choice; here only: it is not called static.
"$madang" run -n "$ns" "$work/bare" 2>&1 | grep static
try run -n "$ns" "$work/static-script"
try run -n "$ns" "$work/lost"

echo "# out of reach"
rm -rf "$base/untouched"
try run -n "$base/untouched" "$helpers/tool_static"
[ -e "$base/untouched" ] && echo "a namespace was made"
if [ "$(id -u)" = 0 ] && ! findmnt -nT "$work" -o OPTIONS 2>/dev/null | grep -q nosuid; then
	cp "$plain" "$work/privileged"
	chown 12345 "$work/privileged"
	chmod 4755 "$work/privileged"
	try run -n "$ns" "$work/privileged" exit 0
else
	sed -n '/privileged/,/exit/p' "$here/run.expected"
fi

echo "# the library"
( cd "$(dirname "$madang")" && MADANG_PRELOAD=../lib/libmadang-sysv.so.0 && export MADANG_PRELOAD &&
	try run -n "$ns" "$plain" environment )
( MADANG_PRELOAD=$base/no-such-library; export MADANG_PRELOAD; try run -n "$ns" "$plain" exit 0 )
( MADANG_PRELOAD="$base/a b"; : >"$MADANG_PRELOAD"; export MADANG_PRELOAD
	try run -n "$ns" "$plain" exit 0 )
exit 0
