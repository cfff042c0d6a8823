# SPDX-License-Identifier: MIT
# The shapes of JSON in docs/json: case.sh compares with them what every script sees. Here: that
# they are strict, that docs/json.md names the same fields, and that a difference is noticed.
# shellcheck disable=SC2154 # case.sh sets what is not set here

check=$here/json_check.py shapes=$here/../../docs/json
command -v python3 >/dev/null || skip "there is no python3"
python3 -c 'import jsonschema' 2>/dev/null || skip "there is no python3-jsonschema"

python3 -B "$check" "$shapes" --strict || exit 1

# noticed WHAT SED-EXPRESSION: the document of `ls` with this change is refused.
noticed()
{
	"$madang" ls -n "$ns" --json | sed "$2" >"$work/changed.ls"
	cmp -s "$work/changed.ls" "$work/document.ls" && echo "$1: nothing was changed"
	python3 -B "$check" "$shapes" "$work/changed.ls" >"$work/said" && echo "$1: not noticed"
	sed "s|$shapes|SHAPES|" "$work/said"
}
"$madang" mk -n "$ns" --name "a name" 4K >/dev/null
"$madang" ls -n "$ns" --json >"$work/document.ls"
python3 -B "$check" "$shapes" "$work/document.ls" || exit 1
noticed "a new field" 's/"removed"/"secret": 1, "removed"/'
noticed "a field is missing" '/"orphan"/d'
noticed "another type" 's/"orphan": [a-z]*/"orphan": 1/'
noticed "another version" 's/"version": 1/"version": 2/'
noticed "no version" '/"version"/d'
