#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""run.py - does what a page of docs/recipes says, and compares what comes out with the page.

    enclose run.py [--prefix DIR] [--patience SECONDS] PAGE

A page is a Markdown file, and its blocks are these:

  - A block `sh` is run. All of them run in one shell, in the order of the page, in an empty
    directory. A command that fails ends the page, as with `sh -e`.
  - A block below a line "Save this as `NAME`:" is written to that file, when its turn comes.
  - A block `text` is what the blocks before it print, on standard output and standard error. A
    word in angle brackets, as <pid>, stands for any word; the same one again, in the same block,
    for the same word. A line that is `...` stands for any number of lines, and ` ...` at the end
    of a line for anything in that line. The number of blanks does not matter. What a page prints
    and does not show is an error.
  - A block below a paragraph with the words "not run by the tests" is not. Any other kind of
    block needs these words.

The line "You need: ..." names what a page needs, in backticks: programs, and Debian's packages
of Python modules (`python3-numpy`). What is missing skips the page (exit 77).

--prefix names an installation of Madang. Otherwise the one that is found in PATH is used. `enclose`
gives the page a namespace, and kills what is left over. A page that leaves processes running fails;
what is just ending has --patience (3 seconds).
"""
import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time

MOST_LINES = 125     # of a page: what a reader takes in at one look, with its program
SECONDS = 60         # that a page may take
MARK = "\x01block "  # what the shell prints before each block: its line
PACKAGES = {"bwrap": "bubblewrap", "cc": "gcc", "ipcs": "util-linux", "ipcmk": "util-linux",
            "systemd-analyze": "systemd",
            "/usr/lib/postgresql/15/bin/postgres": "postgresql-15"}


class Wrong(Exception):
    """The page or what it does is wrong."""


class Missing(Exception):
    """The machine cannot run the page."""


class Block:
    def __init__(self, line, kind, name):
        self.line, self.kind, self.name, self.text = line, kind, name, ""


def read_page(path):
    """Gives the blocks of a page, and what its paragraph "You need:" has in backticks."""
    blocks, needs, paragraph, ended, block = [], None, [], False, None
    with open(path, encoding="utf-8") as page:
        lines = page.read().splitlines()
    if len(lines) > MOST_LINES:
        raise Wrong(f"the page has {len(lines)} lines; {MOST_LINES} are the most")
    for number, line in enumerate(lines, 1):
        if block is not None and line == "```":
            blocks.append(block)
            block, paragraph = None, []
        elif block is not None:
            block.text += line + "\n"
        elif line.startswith("```"):
            block = new_block(number, line[3:], " ".join(paragraph))
        elif line == "":
            ended = True
        else:
            paragraph, ended = ([] if ended else paragraph) + [line], False
            if paragraph[0].startswith("You need:"):
                needs = re.findall(r"`([^`]+)`", " ".join(paragraph))
    if block is not None:
        raise Wrong(f"line {block.line}: the block does not end")
    if needs is None:
        raise Wrong('there is no paragraph "You need: ..."')
    for kind in "sh", "text":
        if not any(b.kind == kind for b in blocks):
            raise Wrong(f"there is no block `{kind}`")
    return blocks, needs


def new_block(number, kind, paragraph):
    saved = re.search(r"Save this as `([^`/]+(?:/[^`/]+)*)`:$", paragraph)
    if saved:
        return Block(number, "file", saved.group(1))
    if "not run by the tests" in paragraph:
        return Block(number, "shown", None)
    if kind in ("sh", "text"):
        return Block(number, kind, None)
    raise Wrong(f"line {number}: a block of {kind or 'no kind'} that is neither run nor saved: say "
                'before it that it is "not run by the tests"')


def look_for(needs):
    for need in ["madang"] + needs:
        if need.startswith("python3-"):
            found = subprocess.run(["python3", "-c", "import " + need[8:]], check=False,
                                   stderr=subprocess.DEVNULL).returncode == 0
        else:
            found = shutil.which(need) is not None
        if not found:
            if need == "madang":
                raise Wrong("madang is not in PATH; name where it is installed with --prefix")
            package = PACKAGES.get(need, need)
            raise Missing(f"{need} is missing; install it with: apt-get install {package}")
    if "bwrap" in needs:
        tried = subprocess.run(["bwrap", "--unshare-all", "--ro-bind", "/", "/", "true"],
                               check=False, capture_output=True, text=True)
        if tried.returncode != 0:
            raise Missing("bwrap cannot make a sandbox here: " + tried.stderr.strip())


def script_of(blocks, files):
    """The shell script of a page. Files wait in the directory `files` until it is their turn."""
    script = "set -e\n"
    for block in blocks:
        if block.kind == "sh":
            script += f"printf '\\001block %d\\n' {block.line}\n{block.text}"
        elif block.kind == "file":
            kept = os.path.join(files, str(block.line))
            with open(kept, "w", encoding="utf-8") as file:
                file.write(block.text)
            if "/" in block.name:
                script += f"mkdir -p '{os.path.dirname(block.name)}'\n"
            script += f"cp '{kept}' '{block.name}'\n"
    return script


def run_script(script, directory, files):
    """Gives what each block has printed, by its line; the last line; and the exit status."""
    with open(os.path.join(files, "script"), "w", encoding="utf-8") as file:
        file.write(script)
    # A file and not a pipe: a process that is left over does not keep us waiting.
    with open(os.path.join(files, "output"), "w+b") as output:
        try:
            # dash says "Killed", as a shell on a terminal does. Other shells say more in scripts.
            shell = shutil.which("dash") or "sh"
            status = subprocess.run([shell, file.name], stdin=subprocess.DEVNULL, stdout=output,
                                    stderr=output, cwd=directory, timeout=SECONDS,
                                    check=False).returncode
        except subprocess.TimeoutExpired:
            status = f"none after {SECONDS} seconds"
        output.seek(0)
        text = output.read().decode("utf-8", "backslashreplace")
    printed, last = {}, 0
    for line in text.splitlines():
        if line.startswith(MARK):
            last = int(line[len(MARK):])
            printed[last] = []
        else:
            printed.setdefault(last, []).append(line)
    return printed, last, status


def pattern_of(text):
    pattern, names = "", set()
    for line in text.splitlines():
        if line.strip() == "...":
            pattern += r"(?:.*\n)*?"
            continue
        line, rest = re.subn(r"\s+\.\.\.$", "", line)
        for part in re.split(r"(<[a-z]+>)", " ".join(line.split())):
            name = part[1:-1]
            if not re.fullmatch(r"<[a-z]+>", part):
                pattern += re.escape(part)
            elif name in names:
                pattern += f"(?P={name})"
            else:
                names.add(name)
                pattern += rf"(?P<{name}>[^\s]+?)"
        pattern += r"(?: .*)?\n" if rest else r"\n"
    return pattern


def compare(blocks, printed):
    """What each `text` shows is what the blocks since the last one have printed."""
    got, since = [], 0
    for block in blocks:
        if block.kind == "sh":
            got += printed.get(block.line, [])
            since = since or block.line
        elif block.kind == "text":
            plain = "".join(" ".join(line.split()) + "\n" for line in got)
            if not re.fullmatch(pattern_of(block.text), plain):
                raise Wrong(f"line {block.line}: this is not what the commands print. The page "
                            f"says:\n{block.text}They print:\n" + "\n".join(got))
            got, since = [], 0
    if got:
        raise Wrong(f"line {since}: the page does not show what this prints:\n" + "\n".join(got))


def left_running(patience):
    """The processes that the page has left, if `enclose` has started us: it inherits them."""
    parent, found = os.getppid(), []
    with open(f"/proc/{parent}/comm", encoding="utf-8") as comm:
        if comm.read().strip() != "enclose":
            return []
    until = time.monotonic() + patience
    while True:
        found = []
        for entry in filter(str.isdigit, os.listdir("/proc")):
            try:
                with open(f"/proc/{entry}/stat", encoding="utf-8", errors="replace") as stat:
                    name, rest = stat.read().split("(", 1)[1].rsplit(")", 1)
            except (OSError, IndexError):
                continue
            state, its_parent = rest.split()[:2]
            if state != "Z" and int(its_parent) in (parent, os.getpid()) \
                    and int(entry) != os.getpid():
                found.append(f"{entry} {name}")
        if not found or time.monotonic() > until:
            return found
        time.sleep(0.05)


def surroundings(prefix, home):
    os.environ.update(HOME=home, TMPDIR=home, LC_ALL="C.UTF-8")
    if prefix is None:
        return
    prefix = os.path.abspath(prefix)
    for root, _, names in os.walk(prefix):
        if "madang.pc" in names:
            os.environ["PKG_CONFIG_PATH"] = root
            os.environ["LD_LIBRARY_PATH"] = os.path.dirname(root)
        if root.endswith("-packages") and "madang" in os.listdir(root):
            os.environ["PYTHONPATH"] = root
    # Debian's python3 before any other: it has Debian's packages, and Madang's module.
    os.environ["PATH"] = f"{prefix}/bin:/usr/bin:" + os.environ["PATH"]


def run(path, directory, patience):
    blocks, needs = read_page(path)
    look_for(needs)
    work, files = os.path.join(directory, "work"), os.path.join(directory, "files")
    os.mkdir(work)
    os.mkdir(files)
    printed, last, status = run_script(script_of(blocks, files), work, files)
    if status != 0:
        raise Wrong(f"line {last}: a command of this block fails, exit {status}. It prints:\n" +
                    "\n".join(printed.get(last, [])))
    compare(blocks, printed)
    left = left_running(patience)
    if left:
        raise Wrong("the page leaves processes running: " + ", ".join(left))


def main():
    parser = argparse.ArgumentParser(description="does what a page of docs/recipes says")
    parser.add_argument("--prefix", help="where Madang is installed")
    parser.add_argument("--patience", type=float, default=3, help="seconds")
    parser.add_argument("page")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="madang-recipe-") as directory:
        surroundings(arguments.prefix, directory)
        try:
            run(arguments.page, directory, arguments.patience)
        except Missing as missing:
            print(f"skipped: {missing}")
            return 77
        except Wrong as wrong:
            print(f"{arguments.page}: {wrong}")
            return 1
    print(f"{arguments.page}: it prints what it shows")
    return 0


if __name__ == "__main__":
    sys.exit(main())
