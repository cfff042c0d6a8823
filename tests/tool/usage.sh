# SPDX-License-Identifier: MIT
# Help, version, and every way to get the command line wrong.
# shellcheck disable=SC2154 # case.sh sets what is not set here

try
try --help
try help ls
try --version | sed 's/[0-9][0-9.]*[0-9]/N.N.N/g'
for command in run init ls rm mk locks doctor; do
	"$madang" $command --help >"$work/help" || echo "$command --help: exit $?"
	head -n 1 "$work/help"
done

for word in lss sl rnu doctr docter list remove foo listen '' --frob; do
	try "$word"
done

try ls --frob
try ls -x
try ls --json=yes
try ls --namespace
try ls -n
try ls DIR
try ls --namespace ''
try run
try run --frob program
try init --segments 63
try init --segments many
try init --processes 40000
try init --shmmax 1X
try init --shmall 0
try init one two
try rm
try rm 1 --orphans
try rm --key 1 --name one
try rm 1 x
try rm -- -1
try rm --key 0
try rm --key 4294967296
try rm --name ''
try mk
try mk 0
try mk 4Q
try mk 1 2
try mk 1 --mode 888
try mk 1 --mode 1000
try mk 1 --key 1 --name one
try mk 1 --name 0123456789012345678901234567890123456789012345678901234567890123
try doctor now
try locks 1 2
try locks 1 --name one
try locks --key 0
try locks 0xg
try locks 99999999999
try locks ''
try locks --frob
try deadlocks

[ -e "$ns" ] && echo "a namespace was made"
exit 0
