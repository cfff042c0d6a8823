# SPDX-License-Identifier: MIT
# Segments by key, by name and by id alone; what is taken; no memory.
# shellcheck disable=SC2154 # case.sh sets what is not set here

MADANG_NAMESPACE=$ns
export MADANG_NAMESPACE
try mk 4K
try mk 100 --key 0x1234 --mode 0640
try mk 1M --name weather --noreserve
try mk 5 --name 'two words'
try mk 6 --key -1
try ls
try mk 1 --key 4660
try mk 1 --name weather
try mk 8388608T --noreserve
try mk 1048576T
exit 0
