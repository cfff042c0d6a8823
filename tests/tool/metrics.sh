# SPDX-License-Identifier: MIT
# madang metrics: all figures, both formats and what both understand, names of others, the limit,
# files and requests; and that the dashboard asks for nothing that is not there.
# shellcheck disable=SC2154 # case.sh sets what is not set here

MADANG_NAMESPACE=$ns
export MADANG_NAMESPACE
umask 022
lint()
{
	if ! command -v promtool >/dev/null; then
		cat >/dev/null
		echo "not read by promtool: it is not there (package prometheus)" >&3
		return
	fi
	promtool check metrics || echo "promtool: $?"
}

try metrics
"$madang" init "$ns" >/dev/null
for name in 'a"b\c' "$(printf 'line\nfeed\377')" plain; do
	"$madang" mk --name "$name" 64K >/dev/null
done
"$madang" mk --key 0x1234 4K >/dev/null
"$madang" mk 8K >/dev/null
"$madang" mk --kind semaphores --name printers 2 >/dev/null
"$madang" mk --kind queues --name orders >/dev/null
queue=$("$madang" ls --kind queues | sed -n 's/^\([0-9][0-9]*\).*/\1/p')
hold send "$queue" 1 100 3
release
seq 3 | "$madang" talk --kind topic news
rm -f "$work/in" "$work/ready"
mkfifo "$work/in" "$work/ready"
"$helpers/tool_circlers" "$ns" mixed <"$work/in" >"$work/ready" &
circlers=$!
exec 9>"$work/in"
read -r word _ <"$work/ready"
[ "$word" = ready ] || exit 1
"$madang" metrics >"$work/both"
sed -e 's/\(wait_seconds{.*}\) [0-9.]*$/\1 TIME/' -e 's/\(slots_used{.*}\) [0-9]*$/\1 N/' \
	-e 's/\(resident_bytes{.*}\) [0-9]*$/\1 N/' "$work/both"
lint <"$work/both"
echo "# the two formats"
for format in openmetrics prometheus; do
	"$madang" metrics --format $format >"$work/$format"
	diff "$work/both" "$work/$format" | grep '^[<>] #'
	tail -n 1 "$work/$format"
done
lint <"$work/prometheus"
# The reference parser of OpenMetrics, where it is.
if /usr/bin/python3 -c 'import prometheus_client' 2>/dev/null; then
	for file in both openmetrics; do
		/usr/bin/python3 -c '
import sys
from prometheus_client.openmetrics.parser import text_string_to_metric_families
list(text_string_to_metric_families(open(sys.argv[1]).read()))' "$work/$file"
	done
fi
echo "# a limit"
"$madang" metrics --limit 1 | grep -e '^madang_segment_size' -e without -e '^madang_segments{'
exec 9>&-
wait "$circlers"

echo "# the dashboard"
board=$here/../../contrib/grafana/madang.json
grep -o 'madang_[a-z_]*' "$board" | sort -u | while read -r name; do
	grep -q "^$name{" "$work/both" || echo "no figure $name"
done
grep -c '"expr"' "$board"

echo "# a file: whole or not at all, for others to read"
try metrics --output "$work/m.prom"
stat -c %A "$work/m.prom"
try metrics --output "$work/nowhere/m.prom"
try metrics --output /dev/full
# No room for all of it: the old file stays.
echo old >"$work/full.prom"
(
	trap '' XFSZ
	ulimit -f 2
	"$madang" metrics --output "$work/full.prom" 2>&1
	echo "(exit $?)"
) | cat
cat "$work/full.prom"*
"$madang" metrics >/dev/full
echo "(exit $?)"
try metrics --namespace "$work/both" --output "$work/m.prom" | grep -v '^  '
tail -n 1 "$work/m.prom"
find "$work" -name 'm.prom*' | sort

echo "# requests"
ask()
{
	# shellcheck disable=SC2059 # the request is a format
	printf "$1" | "$madang" metrics --http "${2:---limit=1}" 2>&1 | tr -d '\r' |
		sed 's/Length: [0-9][0-9][0-9][0-9]*/Length: N/' | grep -v '^#* *madang_'
}
ask 'GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n' | grep -v -e '^# HELP' -e '^# TYPE'
ask 'GET / HTTP/1.1\r\naccept: text/plain, application/openmetrics-text; version=1.0.0\r\n\r\n' |
	grep -e Type -e EOF
ask 'HEAD /metrics?x=y HTTP/1.0\n\n'
ask 'POST /metrics HTTP/1.1\r\n\r\n'
ask 'GET /other HTTP/1.1\r\n\r\n'
ask 'nonsense\r\n\r\n'
ask ''
ask 'GET /metrics HTTP/1.1\r\n\r\n' "--namespace=$work/both" | grep -v '^  '
printf 'GET / HTTP/1.1\r\nHost: x\r\n\r\n' | "$madang" metrics --http >"$work/answer"
length=$(tr -d '\r' <"$work/answer" | sed -n 's/^Content-Length: //p')
[ "$(sed '1,/^\r$/d' "$work/answer" | wc -c)" = "$length" ] || echo "the length is not $length"

echo "# a client that does not read its answer"
mkfifo "$work/deaf"
exec 9<>"$work/deaf"
dd if=/dev/zero of="$work/deaf" oflag=nonblock bs=4096 count=1000 2>"$work/full" && exit 1
printf 'GET / HTTP/1.1\r\n\r\n' >"$work/get"
{ timeout 60 "$madang" metrics --http <"$work/get" >"$work/deaf" 9>&-; } 2>"$work/full"
echo "(exit $?)" # SIGALRM
exec 9>&-

echo "# what cannot be"
try metrics --format json
try metrics --limit x
try metrics here
try metrics --http --output x
exit 0
