# SPDX-License-Identifier: MIT
# madang run --strict: what a preload does not reach is not started, in no way; what lost its
# environment gets it back.
# shellcheck disable=SC2154 # case.sh sets what is not set here

case $SANITIZE in
*address* | *thread*) skip "a sanitizer's library must be loaded first; no preload" ;;
esac
plain=$helpers/tool_plain
static=$helpers/tool_static
starts=$helpers/tool_starts
strict_lib=$(dirname "$(dirname "$madang")")/lib/libmadang-strict.so.0

echo "# what the program gets"
try run --strict -n "$ns" "$plain" environment
( LD_PRELOAD=libc.so.6; export LD_PRELOAD; try run --strict -n "$ns" "$plain" environment )
try run --strict -n "$ns" "$madang" run --strict "$plain" environment
try run --strict -n "$ns" "$static"
try run --strict -n "$ns" "$plain" exit 9

echo "# each way to start a program"
ln -s "$static" "$work/static-by-name"
ln -s "$plain" "$work/plain-by-name"
PATH=$work:$PATH
export PATH
for way in execve bare execv execvp execvpe execl execlp execle fexecve execveat posix_spawn \
	posix_spawnp; do
	static_name=$static plain_name=$plain
	case $way in *p | execvpe) static_name=static-by-name plain_name=plain-by-name ;; esac
	"$madang" run --strict -n "$ns" "$starts" $way $static_name 2>"$work/err"
	grep -c "^madang run --strict: not started: .*statically linked" "$work/err"
	"$madang" run --strict -n "$ns" "$starts" $way $plain_name environment
done
"$madang" run --strict -n "$ns" "$starts" fexecve "$static" 2>&1

echo "# without --strict nothing is asked"
"$madang" run -n "$ns" "$starts" execve "$static"
"$madang" run -n "$ns" "$starts" bare "$plain" environment

echo "# scripts"
printf '#! %s\n' "$static" >"$work/script"
chmod +x "$work/script"
"$madang" run --strict -n "$ns" "$starts" execv "$work/script" 2>&1
"$madang" run --strict -n "$ns" "$starts" execv "$work/no-such-program" 2>&1

echo "# system calls without the C library"
"$madang" run --strict -n "$ns" "$starts" raw
"$madang" run --strict --private "$starts" bare "$starts" raw

echo "# privileges"
if [ "$(id -u)" = 0 ] && ! findmnt -nT "$work" -o OPTIONS 2>/dev/null | grep -q nosuid; then
	cp "$plain" "$work/privileged"
	chown 12345 "$work/privileged"
	chmod 4755 "$work/privileged"
	"$madang" run --strict -n "$ns" "$starts" execv "$work/privileged" 2>&1
else
	sed -n '/privileged is/,/EACCES/p' "$here/strict.expected"
fi

echo "# the library"
( MADANG_PRELOAD=$work/libmadang-sysv.so.0; : >"$MADANG_PRELOAD"; export MADANG_PRELOAD
	try run --strict -n "$ns" "$plain" exit 0 )
echo "# by programs of the system"
if "$madang" run -n "$ns" sh -c 'env true' >/dev/null 2>&1; then
	for way in system popen wiped; do
		"$madang" run --strict -n "$ns" "$starts" $way "$static" 2>"$work/err"
		# What the shell says after it is its own.
		grep -c "^madang run --strict: not started: .*statically linked" "$work/err"
		"$madang" run --strict -n "$ns" "$starts" $way "$plain" environment
	done
	"$madang" run --strict -n "$ns" \
		env LD_PRELOAD=libc.so.6 MADANG_NAMESPACE="$base/other" "$plain" environment
	"$madang" run --strict -n "$ns" env -i "$plain" environment
	"$madang" run --strict -n "$ns" env LD_PRELOAD="$strict_lib" "$plain" environment
	# It is said once, also where a shell tries two paths that lead to the same file.
	ln -s . "$work/again"
	"$madang" run --strict -n "$ns" sh -c "PATH=$work:$work/again; exec static-by-name" 2>&1 |
		grep -c "not started"
	"$madang" run --strict -n "$ns" sh -c 'static-by-name; static-by-name' 2>&1 |
		grep -c "not started"
else # of another word size or C library than ours
	"$madang" run --strict -n "$ns" "$starts" system "$plain" 2>&1 |
		grep -v "not started: /bin/sh .*than libmadang-sysv" | grep -v "^system: EACCES"
	sed -n '/^# by programs of the system/,$p' "$here/strict.expected" | sed 1d
fi
exit 0
