#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""links.py - the documents refer to files and headings that exist: links.py TREE

Looks at all Markdown files. A link to a file has to lead to one, and a link with # to a heading of
it. README.md has to have a link to docs/index.md, and that one to every file below docs/.
Addresses of other machines are not looked at.
"""
import os
import re
import sys

LINK = re.compile(r"\[(?:[^\]\[]|\[[^\]]*\])*\]\(([^()\s]+)(?:\s+\"[^\"]*\")?\)")
BESIDE = {"build", ".git", "corpus", "shared", "debian"}


def prose(path):
    """The lines of a file that are not in blocks of code."""
    code = False
    with open(path, encoding="utf-8") as file:
        for number, line in enumerate(file, 1):
            if line.lstrip().startswith("```"):
                code = not code
            elif not code:
                yield number, line.rstrip("\n")


def headings(path):
    """The anchors of a file, as GitHub makes them."""
    anchors, seen = set(), {}
    for _, line in prose(path):
        heading = re.match(r"#{1,6} +(.*?) *#*$", line)
        if heading:
            text = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading.group(1))
            anchor = re.sub(r"[^\w\- ]", "", text.lower()).replace(" ", "-")
            count = seen.get(anchor, 0)
            seen[anchor] = count + 1
            anchors.add(f"{anchor}-{count}" if count else anchor)
        anchors.update(re.findall(r"<a (?:id|name)=\"([^\"]+)\"", line))
    return anchors


def documents(tree):
    for root, directories, names in os.walk(tree):
        directories[:] = [d for d in directories if d not in BESIDE]
        for name in names:
            if name.endswith(".md"):
                yield os.path.join(root, name)


def links_of(path):
    """The links of a file that stay on this machine: line, target, file, anchor. The text of a
    link may go on in the next line; a line of code, and one without text, ends it."""
    lines = dict(prose(path))
    text = "\n".join(lines.get(n, "") for n in range(1, max(lines, default=0) + 1))
    text = re.sub(r"`[^`]*`", lambda code: re.sub(r"[^\n]", "x", code.group()), text)
    for link in LINK.finditer(text):
        target = link.group(1)
        if "\n\n" in link.group() or re.match(r"[a-z]+:", target):
            continue
        file, _, anchor = target.partition("#")
        file = os.path.join(os.path.dirname(path), file) if file else path
        yield text.count("\n", 0, link.start()) + 1, target, os.path.normpath(file), anchor


def main():
    tree = os.path.abspath(sys.argv[1])
    wrong, count = [], 0
    for path in sorted(documents(tree)):
        for number, target, file, anchor in links_of(path):
            count += 1
            where = f"{os.path.relpath(path, tree)}:{number}: {target}"
            if not os.path.exists(file):
                wrong.append(f"{where}: there is no such file")
            elif anchor and file.endswith(".md") and anchor not in headings(file):
                wrong.append(f"{where}: there is no such heading")
    index = os.path.join(tree, "docs", "index.md")
    if index not in {file for _, _, file, _ in links_of(os.path.join(tree, "README.md"))}:
        wrong.append("README.md: no link to docs/index.md")
    led_to = {file for _, _, file, _ in links_of(index)} if os.path.exists(index) else set()
    for path in sorted(documents(os.path.join(tree, "docs"))):
        if path not in led_to and path != index:
            wrong.append(f"docs/index.md: no link to {os.path.relpath(path, tree)}")
    print("\n".join(wrong) if wrong else f"{count} links")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
