# SPDX-License-Identifier: MIT
# The pages of madang graph with the real Graphviz: they are well formed and whole, need nothing
# from elsewhere, and names in them are text and nothing else. If headless Chromium is there, it
# shows them.
# shellcheck disable=SC2154 # case.sh sets what is not set here

command -v dot >/dev/null || skip "dot (graphviz) is not there"
command -v python3 >/dev/null || skip "python3 is not there"
MADANG_NAMESPACE=$ns
export MADANG_NAMESPACE
for name in '"];evil[label="' '<script>alert(1)</script>' '</title><b>x' 'a&lt;b' \
	"$(printf 'line\nfeed\001')" "$(printf 'xml\357\277\277no')" "$(printf 'x\377')"; do
	"$madang" mk --name "$name" 4K >/dev/null
done
"$madang" mk --kind queues --name orders >/dev/null
"$madang" mk --kind semaphores --name printers 3 >/dev/null
rm -f "$work/in" "$work/ready"
mkfifo "$work/in" "$work/ready"
"$helpers/tool_circlers" "$ns" mixed <"$work/in" >"$work/ready" &
circlers=$!
exec 9>"$work/in"
read -r word _ <"$work/ready"
[ "$word" = ready ] || exit 1
seq 3 | "$madang" talk --kind queue jobs
try graph --svg "$work/a.svg" --html "$work/a.html"
cat >"$work/look.py" <<'PYTHON'
import html.parser, re, sys, xml.etree.ElementTree as tree

work = sys.argv[1]
svg = open(work + "/a.svg", encoding="utf-8").read()
root = tree.fromstring(svg)
texts = ["".join(t.itertext()) for t in root.iter("{http://www.w3.org/2000/svg}text")]
kinds = {element.tag.split("}")[1] for element in root.iter()}
print("svg:", sorted(kinds))


class Page(html.parser.HTMLParser):
    def __init__(self):
        super().__init__()
        self.tags, self.rows, self.open, self.last = set(), [], [], ""

    def handle_starttag(self, tag, attributes):
        self.tags.add(tag)
        for key, value in attributes:
            if key in ("src", "href", "xlink:href", "style") or key.startswith("on"):
                print("not allowed:", tag, key, value)
        if tag not in ("meta", "path", "circle"):
            self.open.append(tag)
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th"):
            self.rows[-1].append("")

    def handle_startendtag(self, tag, attributes):
        self.tags.add(tag)

    def handle_endtag(self, tag):
        if tag not in ("path", "circle") and self.open.pop() != tag:
            print("not closed:", tag)

    def handle_data(self, data):
        if "td" in self.open or "th" in self.open:
            self.rows[-1][-1] += data


source = open(work + "/a.html", encoding="utf-8").read()
page = Page()
page.feed(source)
page.close()
print("html:", sorted(page.tags - kinds), page.open)
for name in page.rows:
    if name[-1] == "State" or name[-1].strip() == "orphan":
        print("row:", name[1])
        if name[1] not in texts:
            print("svg has no", name[1])
for text in ("deadlock: 2 threads wait for each other",):
    print(text, text in texts, text in source)
for text in (svg, source):
    print("elsewhere:", [u for u in re.findall(r"https?://[^\"' <]*|url\(|@import", text)
                         if not u.startswith("http://www.w3.org/")])
PYTHON
python3 "$work/look.py" "$work"
# What the browser makes of them: the pictures are not empty, and nothing was executed.
browser=$(command -v chromium-headless-shell || command -v chromium || true)
if [ -n "$browser" ]; then
	for page in a.svg a.html; do
		timeout 60 "$browser" --no-sandbox --disable-gpu --window-size=1200,1400 \
			--user-data-dir="$work/profile" --screenshot="$work/$page.png" \
			"file://$work/$page" >"$work/browser" 2>&1
		size=$(wc -c <"$work/$page.png" 2>/dev/null || echo 0)
		[ "$size" -gt 40000 ] || echo "$page: a picture of $size bytes"
		[ "$size" -gt 40000 ] || cat "$work/browser"
	done
else
	echo "not shown in a browser: chromium-headless-shell is not there" >&3
fi
exec 9>&-
wait "$circlers"
exit 0
