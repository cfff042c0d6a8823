#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""screenshot.py - draws a terminal's screen, with its colours, as an SVG picture.

    tmux capture-pane -p -e -N | script/screenshot.py COLUMNS >picture.svg
"""
import html
import re
import sys
import unicodedata

COLOURS = {31: '#e5484d', 32: '#46a758', 33: '#d6a12c'}
PLAIN, DIM, BACK, BAR = '#d8dee4', '#8b949e', '#10151b', '#c9d1d9'
WIDE, HIGH = 8.4, 18


def pieces(line, look):
    """Yields (text, attributes) of a line with escape sequences. `look` goes on in the next one."""
    for escape, text in re.findall(r'\x1b\[([0-9;]*)m|([^\x1b]+)', line):
        if text:
            yield text, frozenset(look)
            continue
        for code in [int(c or 0) for c in escape.split(';')]:
            if code == 0:
                look.clear()
            elif code == 39:
                look -= set(COLOURS)
            else:
                look.add(code)


def main():
    columns = int(sys.argv[1])
    lines = [re.sub(r'\x1b\([A-Z]|[\x0e\x0f]', '', l.rstrip('\n')) for l in sys.stdin]
    print(f'<svg xmlns="http://www.w3.org/2000/svg" width="{columns * WIDE + 20:.0f}" '
          f'height="{len(lines) * HIGH + 20}" font-family="DejaVu Sans Mono, Menlo, Consolas, '
          f'monospace" font-size="14">')
    print('<title>A screen of madang top</title>')
    print(f'<rect width="100%" height="100%" rx="6" fill="{BACK}"/>')
    look = set()
    for row, line in enumerate(lines):
        column, y = 0, 10 + row * HIGH
        for text, seen in pieces(line, look):
            width = sum(2 if unicodedata.east_asian_width(c) in 'WF' else 1 for c in text)
            fill = next((COLOURS[c] for c in seen if c in COLOURS), DIM if 2 in seen else PLAIN)
            x = 10 + column * WIDE
            if 7 in seen:
                back = fill if fill in COLOURS.values() else BAR
                print(f'<rect x="{x:.1f}" y="{y}" width="{width * WIDE:.1f}" height="{HIGH}" '
                      f'fill="{back}"/>')
                fill = BACK
            if text.strip():
                bold = ' font-weight="bold"' if 1 in seen else ''
                print(f'<text x="{x:.1f}" y="{y + 14}" fill="{fill}" xml:space="preserve" '
                      f'textLength="{width * WIDE:.1f}"{bold}>{html.escape(text)}</text>')
            column += width
    print('</svg>')


main()
