#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""manual.py [--write] HEAP.MD TEST.C... - the manual shows what the tests compile.

Each test has the lines that a program needs between `manual: begin NAME` and `manual: end`.
docs/heap.md has them below the heading `### NAME`. With --write they are written there.
"""
import re
import sys


def shown(path):
    """(name, lines) of the part for the manual."""
    text = open(path, encoding="utf-8").read()
    found = re.search(r"/\* manual: begin (.*?) \*/\n(.*?)/\* manual: end \*/", text, re.S)
    if not found:
        sys.exit(f"{path} has no part for the manual")
    return found.group(1), found.group(2)


arguments = sys.argv[1:]
write = arguments[0] == "--write"
manual, tests = arguments[write], arguments[write + 1 :]
text = open(manual, encoding="utf-8").read()
result = 0
for test in tests:
    name, lines = shown(test)
    heading = f"### {name}\n"
    block = re.compile(re.escape(heading) + r".*?\n```c\n(.*?)```\n", re.S)
    found = block.search(text)
    if not found:
        sys.exit(f"{manual} has no example below {heading}")
    if found.group(1) != lines:
        if write:
            text = text[: found.start(1)] + lines + text[found.end(1) :]
        else:
            print(f"{manual}: {name} is not as in {test}: run this with --write")
            result = 1
if write:
    open(manual, "w", encoding="utf-8").write(text)
sys.exit(result)
