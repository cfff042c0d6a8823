# SPDX-License-Identifier: MIT
# Help, version, and every way to get the command line wrong.
# shellcheck disable=SC2154 # case.sh sets what is not set here

try
# The list of commands is compared with the table by commands.sh.
try --help | sed '/^  [a-z]/d'
try help ls
try --version | sed 's/[0-9][0-9.]*[0-9]/N.N.N/g'
for word in lss sl rnu doctr docter list remove foo lisen send '' --frob; do
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
try run --private
try run --private --namespace DIR program
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
try listen
try listen one two
try listen ''
try listen 0123456789012345678901234567890123456789012345678901234567890123
try listen one --kind pipe
try listen one --kind call
try listen one --kind queue --from last
try listen one --from first
try listen one --kind stream --overwrite
try listen one --records --whole
try listen one --capacity 0
try listen one --capacity 2G
try listen one --peers 1
try listen one --count 0
try listen one --timeout x
try listen one --timeout 1.
try listen one --timeout -1
try listen one --mode 8
try talk
try talk one two
try talk one --from last
try call
try call one -x
try serve
try serve one
try serve one --kind call -- true
try channels one two
try channels --watch=0
try channels --watch=often
try channels ''

[ -e "$ns" ] && echo "a namespace was made"
exit 0
