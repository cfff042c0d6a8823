# SPDX-License-Identifier: MIT
# madang graph, as far as it needs no Graphviz: what is drawn, names that are none of our words, a
# picture that would be too large, and everything that can go wrong.
# shellcheck disable=SC2154 # case.sh sets what is not set here

MADANG_NAMESPACE=$ns
export MADANG_NAMESPACE

# What differs from run to run: process numbers and times. The style of a line is not shown.
plain()
{
	sed -e "s/\\([^0-9]\\)$p1\\([^0-9]\\)/\\1P1\\2/g" \
		-e "s/\\([^0-9]\\)$p2\\([^0-9]\\)/\\1P2\\2/g" \
		-e 's/p[0-9][0-9]* /pN /g' -e 's/\([slceq_]\)[0-9]\{6,\}/\1ID/g' \
		-e 's/waits [0-9.]*[smh]/waits TIME/' -e 's/\\n[0-9][0-9]*"/\\nPID"/' |
		grep -v -e 'tooltip=' -e 'fontname='
}
shapes()
{
	plain | sed -e 's/, fillcolor="[^"]*"//' -e 's/, color="[^"]*"//g' \
		-e 's/, margin="[^"]*"//' \
		-e 's/, penwidth=[1-9.]*\]/]/' -e 's/, shape=cds, height=0.75/, shape=cds/'
}

echo "# nothing"
try graph | grep -e Nothing -e nothing
"$madang" init "$ns" >/dev/null
try graph | grep Nothing

echo "# a circle through a set and a lock"
rm -f "$work/in" "$work/ready"
mkfifo "$work/in" "$work/ready"
"$helpers/tool_circlers" "$ns" mixed <"$work/in" >"$work/ready" &
circlers=$!
exec 9>"$work/in"
read -r word p1 p2 <"$work/ready"
[ "$word" = ready ] || exit 1
try graph | shapes
exec 9>&-
wait "$circlers"

echo "# names of others: one line each, and nothing of them is DOT"
for name in '"];evil[label="' '<script>alert(1)</script>' 'a&lt;b' 'back\nslash\N' \
	"$(printf 'line\nfeed\001')" "$(printf 'turn\342\200\256ed')" \
	"$(printf 'xml\357\277\277no')" "$(printf 'not utf8 \377')" \
	'a name that is longer than a shape is wide'; do
	"$madang" mk --name "$name" 4K >/dev/null
done
try graph | shapes | sed 's/, style.*//' | grep orphan
"$madang" rm --orphans >/dev/null

echo "# alike: one shape; too many: left out with a word"
"$helpers/tool_hold" "$ns" fill 70
"$madang" mk --name second 1M >/dev/null
try graph | grep -e cylinder -e note | sed 's/, .*//; s/.*label/label/'
"$madang" mk --kind queues >/dev/null
try graph --limit 1 | grep -e cylinder -e note -e parallel | sed 's/.*label/label/'
"$madang" graph --limit 0 | grep -c cylinder

echo "# a channel, and who is there"
hold attach "$("$madang" ls | sed -n 's/^\([0-9]*\) *"second".*/\1/p')" 2
"$madang" graph | grep -e ' -- ' -e ' -> .*times' | sed 's/.*label/label/; s/,.*//'
release
"$madang" rm --orphans >/dev/null
"$madang" listen news >/dev/null &
listener=$!
until "$madang" channels news 2>/dev/null | grep -q listener; do sleep 0.02; done
"$madang" graph --interval 0.01 | plain | grep -e cds -e madang -e '->' | sed 's/, .*//'
{ kill "$listener"; wait "$listener"; } 2>/dev/null

echo "# what cannot be"
try graph --svg "$work/nowhere/a.svg"
mkdir "$work/bin"
for text in 'kill -9 $$' 'echo Error: "$(printf "bad\007")" >&2; exit 3' 'echo nothing'; do
	printf '#!/bin/sh\ncat >/dev/null\n%s\n' "$text" >"$work/bin/dot"
	chmod +x "$work/bin/dot"
	echo old >"$work/a.svg"
	(PATH=$work/bin:$PATH; try graph --svg "$work/a.svg")
	cat "$work/a.svg"
done
echo "# a signal while dot works: dot ends too, and nothing is left"
printf '#!/bin/sh\necho $$ >"%s"\nexec sleep 100\n' "$work/dot.pid" >"$work/bin/dot"
PATH=$work/bin:$PATH "$madang" graph --svg "$work/a.svg" &
drawer=$!
until [ -s "$work/dot.pid" ]; do sleep 0.02; done
{ kill "$drawer"; wait "$drawer"; } 2>/dev/null
echo "(ended with $?)"
kill -0 "$(cat "$work/dot.pid")" 2>/dev/null && echo "dot is still there"
cat "$work/a.svg"*
rm "$work/bin/dot"
real=$PATH
PATH=$work/bin
try graph --html "$work/a.html"
PATH=$real
printf '#!/bin/sh\ncat >/dev/null\necho "<svg viewBox=\\"0 0 1 1\\"></svg>"\n' >"$work/bin/dot"
chmod +x "$work/bin/dot"
PATH=$work/bin:$PATH
try graph --svg "$work/nowhere/a.svg"
try graph --html "$work"
try graph --html /dev/full
"$madang" graph >/dev/full
echo "(exit $?)"
mkdir "$work/closed"
chmod 500 "$work/closed"
[ "$(id -u)" = 0 ] || "$madang" graph --svg "$work/closed/a.svg" 2>"$work/err" && true
[ "$(id -u)" = 0 ] || grep -q 'Permission denied' "$work/err" || cat "$work/err"
try graph --watch
try graph --watch=0 --svg a.svg
try graph --watch --html -
try graph --dot --svg -
try graph --svg a --html a
try graph --limit many
try graph --interval x
try graph here

echo "# a link stays a link, and the mode of a file stays"
ln -s real.svg "$work/link.svg"
: >"$work/real.svg"
chmod 640 "$work/real.svg"
"$madang" graph --svg "$work/link.svg"
[ -L "$work/link.svg" ] && stat -c %A "$work/real.svg"
grep -c '</svg>' "$work/real.svg"

echo "# --watch: always whole, goes on without the namespace, leaves nothing else behind"
"$madang" graph --html "$work/w.html" --watch=0.02 2>"$work/err" &
watcher=$!
until [ -s "$work/w.html" ]; do sleep 0.02; done
i=0
while [ $i -lt 50 ]; do
	tail -n 1 "$work/w.html" | grep -q '^</html>$' || echo "a half"
	i=$((i + 1))
done
grep -c 'http-equiv="refresh" content="1"' "$work/w.html"
rm -r "$ns"
until grep -q 'There is no such namespace' "$work/w.html"; do sleep 0.02; done
"$madang" init "$ns" >/dev/null
while grep -q 'There is no such namespace' "$work/w.html"; do sleep 0.02; done
{ kill "$watcher"; wait "$watcher"; } 2>/dev/null
echo "(ended with $?)"
cat "$work/err"
find "$work" -name '*.html*' | sort
exit 0
