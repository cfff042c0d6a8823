# SPDX-License-Identifier: MIT
# top --once: each table, rates, filter and order; names that are not harmless; what is refused.
# shellcheck disable=SC2154 # case.sh sets what is not set here

MADANG_NAMESPACE=$ns
export MADANG_NAMESPACE

# What differs from run to run, and how wide that is.
plain()
{
	sed -e 's/  *$//' -e 's/   */  /g' -e 's/^  *//' \
		-e "s/ $(id -un) / USER /" \
		-e 's/\(^\|[^0-9]\)[0-9][0-9]*  *\(tool_circlers\|madang \)/\1PID \2/g' \
		-e 's/  [0-9][0-9]* dead/  PID dead/' -e 's/waits [0-9.]*[smh] /waits TIME /' \
		-e 's/  [0-9.]*[smh]  /  AGE  /g' -e 's/  [0-9][0-9]*[smh]$/  AGE/' \
		-e 's/  [0-9][0-9]*[smh]  /  AGE  /'
}

echo "# refused"
try top --once words
try top --tab nothing
try top --once --sort nothing
try top --once --sort +ow --tab processes | sed 1d
try top --interval 0 --once
try top --interval x
try top --filter 0123456789012345678901234567890123456789012345678901234567890123
try top --once --namespace ''
try top --once --namespace "$work/nothing/ns"
printf 'no namespace' >"$work/file"
try top --once --namespace "$work/file"

echo "# nothing there"
try_apart top --once
[ -e "$ns" ] && echo "top made a namespace"
"$madang" init "$ns" >/dev/null
try top --once

echo "# each table"
"$madang" mk 1M --name large >/dev/null
"$madang" mk 4K --name small >/dev/null
"$madang" mk 64K --key 0x1234 >/dev/null
evil=$(printf 'a\033[2Jb\001\302\233c\377')
"$madang" mk 4K --name "$evil" >/dev/null
"$madang" mk --kind semaphores --name printers 3 >/dev/null
"$madang" mk --kind queues --name orders >/dev/null
seq 20 | "$madang" talk --kind topic news
mkfifo "$work/in" "$work/ready"
"$helpers/tool_circlers" "$ns" mixed <"$work/in" >"$work/ready" &
circlers=$!
exec 9>"$work/in"
read -r word _ <"$work/ready"
[ "$word" = ready ] || { echo "circlers failed"; exit 1; }
"$madang" listen --from next news >/dev/null &
listener=$!
tries=0
until "$madang" channels news | grep -q listener; do
	tries=$((tries + 1))
	[ $tries -lt 200 ] || exit 1
done
for table in segments processes locks channels semaphores queues; do
	echo "== $table"
	"$madang" top --once --tab $table | plain >"$work/table"
	sed 2q "$work/table"
	sed 1,2d "$work/table" | sort
done
"$madang" top --once | grep -c '^[A-Z][a-z]*: [0-9]*$'
"$madang" top --once | tr -d '\n -~' | od -An -c | sed 's/  */ /g'

echo "# filter and order"
names()
{
	"$madang" top --once --tab segments "$@" | sed -n 's/.*"\(small\|large\)".*/\1/p'
}
names
names --sort +size
names --sort NAME
names --sort +na
names --filter LARG
names --filter 1.0M
"$madang" top --once --tab segments --filter nothing

echo "# a rate: messages go through while it is measured"
(while sleep 0.01; do echo x; done) | "$madang" talk --kind stream flow &
talker=$!
tries=0
until [ "$("$madang" top --once --tab channels --filter flow |
	awk '$1 == "\"flow\"" { print ($4 > 0) }')" = 1 ]; do
	tries=$((tries + 1))
	[ $tries -lt 100 ] || { echo "no rate"; break; }
done
{ kill $talker; wait $talker; } 2>/dev/null

echo "# who looks leaves no trace: the registry stays as it is"
settled=$(cksum <"$ns/registry")
"$madang" top --once >/dev/null
[ "$(cksum <"$ns/registry")" = "$settled" ] || echo "the registry has changed"

{ kill $listener; wait $listener; } 2>/dev/null
exec 9>&-
wait $circlers

echo "# not all can be read"
printf 'damage' | dd of="$ns/registry" bs=1 seek=0 conv=notrunc 2>/dev/null
try top --once
exit 0
