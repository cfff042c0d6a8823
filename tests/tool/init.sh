# SPDX-License-Identifier: MIT
# Namespaces made on purpose: defaults, limits, shared; an existing one is left alone.
# shellcheck disable=SC2154 # case.sh sets what is not set here

try init "$ns"
stat -c '%a' "$ns"
try init "$ns"
try init --segments 64 --processes 16 --shmmax 1M --shmall 300 "$base/small"
try doctor -n "$base/small" | grep -e segments -e processes -e limits
try mk 1025K -n "$base/small"
try mk 1M -n "$base/small"
try mk 1M -n "$base/small"
try init --shared "$base/shared"
stat -c '%a' "$base/shared"
try doctor -n "$base/shared" | grep -e directory -e result
try init "$base/not/there"
MADANG_NAMESPACE=$base/named
export MADANG_NAMESPACE
try init
try ls
exit 0
