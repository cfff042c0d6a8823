# SPDX-License-Identifier: MIT
# Removing: by id, key, name, orphans; what is not there; what is attached.
# shellcheck disable=SC2154 # case.sh sets what is not set here

MADANG_NAMESPACE=$ns
export MADANG_NAMESPACE
try_apart rm 0
try_apart rm --orphans
[ -e "$ns" ] && echo "rm made a namespace"
try mk 100
try mk 4096 --key 7
try mk 2M --name weather
try mk 1 --name next
try rm "$(nth 0)" --dry-run
try rm "$(nth 0)" "$(nth 99)"
try rm "$(nth 0)"
try rm --key 7
try rm --key 7
try rm --name weather
try rm --name weather
try ls

# Attached: hidden at once, there until the end; no orphan. Segment 3 is "next".
hold attach "$(nth 3)" 2
try rm --orphans --dry-run
try rm --orphans
try rm --name next
try rm --name next
try ls
release
try ls

# The maker is alive: no orphan until it ends.
hold make kept 4096
try mk 4096 --name left
try rm --orphans --dry-run
try rm --orphans
try ls
release
try rm --orphans
try rm --orphans
exit 0
