# SPDX-License-Identifier: MIT
# Health: nothing there, healthy, in use, leftovers, repair; text and JSON.
# shellcheck disable=SC2154 # case.sh sets what is not set here

MADANG_NAMESPACE=$ns
export MADANG_NAMESPACE

# Memory and page size are the machine's.
examine()
{
	try doctor "$@" | sed -e 's/[0-9.]*[KMGTPE]* free of [0-9.]*[KMGTPE]* on [a-z]*/N free of N on KIND/' \
	    -e '/note: not a memory file system/d' \
	    -e 's/\("memory_[a-z]*"\): [0-9]*/\1: N/; s/\("file_system"\): "[a-z]*"/\1: KIND/' \
	    -e 's/[0-9]*\.[0-9]*\.[0-9]*$/N.N.N/'
}

examine
examine --json
[ -e "$ns" ] && echo "doctor made a namespace"
try init "$ns"
try mk 64K --key 1
hold attach 0
examine
release
examine
examine --json

# A file that belongs to no segment, and a dead process that nobody noticed.
hold attach 0
kill -9 "$holder"
wait "$holder" 2>/dev/null
exec 9>&-
"$madang" doctor >"$work/out"
echo "exit $?"
"$madang" doctor --repair >"$work/out"
echo "exit $?"
"$madang" doctor | grep -e finding -e result
exit 0
