# SPDX-License-Identifier: MIT
# Output that cannot be written is noticed, and never lands in a file of the library's.
# shellcheck disable=SC2154 # case.sh sets what is not set here

try init "$ns"
try mk 4096 -n "$ns"
if [ -w /dev/full ]; then
	for command in "ls" "ls --json" "doctor" "--help" "--version" "rm --orphans --dry-run" \
		"channels" "channels --json"; do
		# shellcheck disable=SC2086
		MADANG_NAMESPACE=$ns "$madang" $command >/dev/full
		echo "$command: exit $?"
	done
else
	skip "/dev/full is not there"
fi
MADANG_NAMESPACE=$ns "$madang" ls >&-
echo "closed: exit $?"
( trap '' PIPE; MADANG_NAMESPACE=$ns "$madang" ls 2>"$work/err"; echo "exit $?" >"$work/code" ) | :
# The reader may be gone before or after the writing; a failure must not be silent.
case $(cat "$work/code") in
"exit 0") [ ! -s "$work/err" ] || cat "$work/err" ;;
"exit 1") grep -q 'cannot write the output' "$work/err" || echo "silent" ;;
*) cat "$work/code" ;;
esac
MADANG_NAMESPACE=$ns "$madang" ls <&- 2>&- >"$work/out"
echo "only output open: exit $?"
try doctor -n "$ns" | grep -e registry -e WRONG -e result
exit 0
