#!/bin/sh
# SPDX-License-Identifier: MIT
# case.sh NAME: runs the script NAME.sh and compares what it says with NAME.expected.
#
# The script finds $madang (the tool), $helpers (the directory of hold, plain and static), $base (a
# directory of its own on a memory file system, removed at the end) and $ns (a namespace in it, not
# made yet), and the functions below. What differs from run to run is replaced before comparing:
# ids begin somewhere else in each namespace, and are shown as if they began with 0.
# Exit 0: as expected; 1: not (the difference is printed); 77: skipped, with the reason.
# UPDATE=1 writes the expected file instead: read it before believing it.

here=$(cd "$(dirname "$0")" && pwd)
name=$1
: "${MADANG:?the tool}" "${HELPERS:?the directory of the helper programs}"
madang=$MADANG
helpers=$HELPERS
# shellcheck disable=SC2034 # for completion.sh
completion=$here/../../tools/madang/madang.bash-completion
unset MADANG_NAMESPACE MADANG_PRELOAD LD_PRELOAD
LC_ALL=C
export LC_ALL

parent=/dev/shm
[ -d $parent ] && [ -w $parent ] || parent=${TMPDIR:-/tmp}
base=$(mktemp -d "$parent/madang-tool-XXXXXX") || exit 1
work=$(mktemp -d "$HELPERS/tool-$name-XXXXXX") || exit 1
ns=$base/ns

# A script that was stopped may have left its file system mounted.
trap 'umount "$base/tiny" 2>/dev/null; rm -rf "$base" "$work"' EXIT
trap 'exit 1' HUP INT TERM

skip()
{
	echo "skipped: $*" >&3
	exit 77
}

# The first sequence of the ids in the namespace $1, from the number in its registry's head: bytes
# 56 to 63, modulo 32767, and 1 more. Its upper half counts 4 times, as 2 to the 32nd is 4 there.
sequence()
{
	od -An -tu4 -j56 -N8 "$1/registry" 2>/dev/null | while read -r low high; do
		echo $(((low + high * 4) % 32767 + 1))
	done
}

# nth N [DIR]: the id with index N, of the first round, in the namespace.
nth()
{
	echo $(($(sequence "${2:-$ns}") * 32768 + $1))
}

# Namespaces come and go; what their ids begin with is noted for the end.
note_sequences()
{
	for registry in "$base"/registry "$base"/*/registry; do
		case $(od -An -c -N8 "$registry" 2>/dev/null) in
		*M*A*D*A*N*G*) sequence "${registry%/registry}" >>"$work/sequences" ;;
		esac # else another file
	done
	true
}

# Shows a command as a person would type it, then its output and exit code.
try()
{
	echo "\$ madang $*"
	case " $* " in
	*" --json "* | *" -j "*)
		document=$(mktemp "$work/json-XXXXXX")
		"$madang" "$@" >"$document.$1" 2>"$work/err"
		code=$?
		cat "$work/err" "$document.$1"
		;;
	*)
		"$madang" "$@" 2>&1
		code=$?
		;;
	esac
	note_sequences
	[ $code -eq 0 ] || echo "(exit $code)"
}

# The same, with standard output and error kept apart.
try_apart()
{
	echo "\$ madang $*"
	"$madang" "$@" >"$work/out" 2>"$work/err"
	code=$?
	case " $* " in
	*" --json "* | *" -j "*) cp "$work/out" "$(mktemp "$work/json-XXXXXX").$1" ;;
	esac
	note_sequences
	sed 's/^/out: /' "$work/out"
	sed 's/^/err: /' "$work/err"
	[ $code -eq 0 ] || echo "(exit $code)"
}

# hold ARGUMENTS: starts `hold` on the namespace; its pid is in $holder when it is ready. It ends
# when its input does: by release, or when this shell ends, however that happens. One at a time.
hold()
{
	rm -f "$work/in" "$work/ready"
	mkfifo "$work/in" "$work/ready"
	"$helpers/tool_hold" "$ns" "$@" <"$work/in" >"$work/ready" &
	exec 9>"$work/in"
	read -r word holder <"$work/ready"
	note_sequences
	[ "$word" = ready ] || { echo "hold failed"; exit 1; }
	echo "$holder" >>"$work/pids"
}

release()
{
	exec 9>&-
	wait "$holder"
}

# What changes from run to run: paths, user, process numbers, ages, width of columns.
normalise()
{
	pids=$(sed 's/.*/-e s|\\([^0-9]\\)&\\([^0-9]\\)|\\1HOLDER\\2|g/' "$work/pids" 2>/dev/null)
	# shellcheck disable=SC2086 # one word for each expression
	sed -e "s|$madang|MADANG|g" -e "s|$ns|NS|g" -e "s|$base|BASE|g" -e "s|$work|WORK|g" \
	    -e "s|$helpers|HELPERS|g" \
	    -e "s|$(dirname "$(dirname "$madang")")/[a-z0-9_/-]*/libmadang|LIB/libmadang|g" \
	    -e "s|libmadang-sysv.so.0[.0-9]*|libmadang-sysv.so.0|g" \
	    -e "s|libmadang-strict.so.0[.0-9]*|libmadang-strict.so.0|g" \
	    -e "s|  $(id -un)  |  USER  |g; s|\"$(id -un)\"|\"USER\"|g" \
	    -e "s|owner $(id -un),|owner USER,|" \
	    -e 's/madang [0-9]*\.[0-9]*\.[0-9]*$/madang N.N.N/' \
	    -e 's/  [0-9][0-9]*[sm]\(  \|$\)/  AGE\1/' \
	    -e 's/  [0-9][0-9]* dead  /  PID dead  /' \
	    -e 's/\(pid"\): [1-9][0-9]*/\1: PID/; s/\(time"\): [1-9][0-9]*/\1: TIME/' \
	    -e 's/\(uid"\): [0-9][0-9]*/\1: UID/; s/\(gid"\): [0-9][0-9]*/\1: GID/' $pids |
	sed -e 's/ *$//' -e '/^[^ ]/s/   */  /g' | from_zero
}

# Ids as if each namespace's began with 0. Only whole numbers are ids.
from_zero()
{
	awk '
	FILENAME == ARGV[1] { first[$1 * 32768]; next }
	{
		line = ""
		rest = $0
		while (match(rest, /[0-9A-Za-z_.]+/)) {
			word = substr(rest, RSTART, RLENGTH)
			if (word ~ /^[0-9]+$/ && length(word) <= 10)
				for (id in first)
					if (word + 0 >= id + 0 && word + 0 < id + 100 * 32768) {
						word -= id
						break
					}
			line = line substr(rest, 1, RSTART - 1) word
			rest = substr(rest, RSTART + RLENGTH)
		}
		print line rest
	}' "$work/sequences" -
}

# Whether an id could be taken for another number (a process id, 64 MiB or 1 GiB), or for an id of
# another namespace. That happens about once in ten runs. The case is then run again with other
# namespaces.
is_confusing()
{
	sort -nu "$work/sequences" | awk '
		$1 <= 2048 || $1 > 32660 || NR > 1 && $1 < last + 100 { found = 1 }
		{ last = $1 }
		END { exit !found }'
}

: >"$work/sequences"
# The script's output goes to a file; what it says on descriptor 3 is for the person.
exec 3>&1
# shellcheck disable=SC1090 # which one is the argument
( trap - EXIT; . "$here/$name.sh" ) >"$work/raw" 2>&1
code=$?
if [ $code -ne 0 ]; then
	[ $code -eq 77 ] && exit 77
	cat "$work/raw"
	echo "$name.sh ended with $code"
	exit 1
fi
# All JSON that the script saw has the shape that docs/json has for the command.
python3 -B "$here/json_check.py" "$here/../../docs/json" "$work"/json-*.* >"$work/shapes" 2>&1
code=$?
if [ $code -ne 0 ] && [ $code -ne 77 ]; then
	cat "$work/shapes"
	exit 1
fi
note_sequences
if is_confusing; then
	umount "$base/tiny" 2>/dev/null
	rm -rf "$base" "$work"
	exec sh "$0" "$@"
fi
normalise <"$work/raw" >"$work/seen"
if [ -n "$UPDATE" ]; then
	cp "$work/seen" "$here/$name.expected"
	exit 0
fi
diff -u "$here/$name.expected" "$work/seen"
