# SPDX-License-Identifier: MIT
# The list: absent namespace, empty one, who is attached, hostile names, JSON.
# shellcheck disable=SC2154 # case.sh sets what is not set here

MADANG_NAMESPACE=$ns
export MADANG_NAMESPACE
try_apart ls
try_apart ls --json
[ -e "$ns" ] && echo "ls made a namespace"
try init "$ns"
try_apart ls
try ls --json

try mk 4096 --key 0x77
try mk 2M --name 'marketplace'
hold attach "$(nth 0)" 3
try ls
try ls -l
try ls -l --json
try rm --key 0x77
try ls -l
release
try ls

# The creator is alive; a name that would command a terminal.
hold make "$(printf 'a\033[2Jb\377"\\')" 12
try ls
try ls --json | grep name
release

# 4,096 segments: the work must not grow with their square. The test measures no time. Quadratic
# work would run into its limit.
"$helpers/tool_hold" "$ns" fill 4094
"$madang" ls | wc -l
"$madang" ls --json | grep -c '"id"'
if command -v python3 >/dev/null; then
	"$madang" ls -l --json |
		python3 -c 'import json, sys; print(len(json.load(sys.stdin)["segments"]))'
else
	echo 4096
fi
"$madang" rm --orphans | wc -l
try ls
exit 0
