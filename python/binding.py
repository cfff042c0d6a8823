# SPDX-License-Identifier: MIT
"""binding.py - makes the C source of the module madang._madang from Madang's public headers.

    python3 binding.py --compiler cc --include ../include --output _madang.c

The headers in include/madang are the only source: nothing here names a function of Madang.
The C compiler preprocesses them. What comes from other headers is dropped, and so are
attributes and the bodies of inline functions, which cffi's parser does not know. Each macro
that is a number becomes a constant. What is left is the declaration (`cdef`) that cffi
compiles in API mode, so the C compiler checks every type again.

`declaration` and `functions` are for the tests, which compare the built module with the headers.
"""

import argparse
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import List

# Callbacks: Python functions that C calls. They have a fixed name in C.
CALLBACKS = """
extern "Python" int madang_python_found(const struct mdg_finding *, void *);
extern "Python" int madang_python_heap_found(const struct mdg_heap_finding *, void *);
"""


def headers(include: Path) -> List[str]:
    """The public headers, as #include names them."""
    return sorted(f"madang/{path.name}" for path in (include / "madang").glob("*.h"))


def prelude(include: Path) -> str:
    return "".join(f"#include <{header}>\n" for header in headers(include))


def preprocess(compiler: List[str], include: Path, *options: str) -> str:
    """What the C compiler's preprocessor makes of all headers."""
    with tempfile.TemporaryDirectory() as directory:
        source = Path(directory) / "all.c"
        source.write_text(prelude(include))
        command = [*compiler, "-E", "-std=c11", "-D_GNU_SOURCE", f"-I{include}", *options]
        return subprocess.run([*command, str(source)], check=True, text=True,
                              stdout=subprocess.PIPE).stdout


def own_lines(text: str, include: Path) -> str:
    """Of preprocessed text, the lines that come from Madang's headers."""
    kept = []
    ours = False
    for line in text.splitlines():
        marker = re.match(r'# \d+ "([^"]*)"', line)
        if marker:
            ours = Path(marker.group(1)).parent == include / "madang"
        elif ours:
            kept.append(line)
    return "\n".join(kept)


def end_of_pair(text: str, start: int, opening: str, closing: str) -> int:
    """The end of the balanced pair of brackets that begins at `start`."""
    depth = 0
    for end in range(start, len(text)):
        depth += {opening: 1, closing: -1}.get(text[end], 0)
        if depth == 0:
            return end + 1
    raise ValueError(f"no {closing} for {text[start:start + 40]}")


def without_attributes(text: str) -> str:
    """Removes each __attribute__((...))."""
    while True:
        found = re.search(r"__attribute__\s*(?=\()", text)
        if not found:
            return text
        text = text[:found.start()] + text[end_of_pair(text, found.end(), "(", ")"):]


def without_bodies(text: str) -> str:
    """Makes declarations of inline functions."""
    while True:
        found = re.search(r"static\s+inline\s+([^;{]*?)\s*(?=\{)", text)
        if not found:
            return text
        end = end_of_pair(text, found.end(), "{", "}")
        text = f"{text[:found.start()]}{found.group(1)};{text[end:]}"


def constants(text: str, include: Path) -> List[str]:
    """The names of the macros without parameters, whose value is not empty."""
    found = re.findall(r"^#define (MDG_[A-Z0-9_]+) (.+)$", own_lines(text, include), re.MULTILINE)
    return sorted({name for name, value in found if "__attribute__" not in value})


def declaration(compiler: List[str], include: Path) -> str:
    """All that the public headers declare, as cffi's parser takes it."""
    include = include.resolve()
    text = own_lines(preprocess(compiler, include), include)
    # The compiler knows how such a structure is aligned, so cffi asks it ("...").
    text = re.sub(r"\}\s*(__attribute__\s*\(\(aligned)", r"...; } \1", text)
    text = without_bodies(without_attributes(text))
    text = re.sub(r"\n\s*\n+", "\n", text)
    macros = constants(preprocess(compiler, include, "-dD"), include)
    return text + "\n" + "".join(f"#define {name} ...\n" for name in macros) + CALLBACKS


def functions(include: Path) -> List[str]:
    """The names of all public functions, found another way: by their marks in the headers."""
    names: List[str] = []
    for header in headers(include):
        text = re.sub(r"/\*.*?\*/", "", (include / header).read_text(), flags=re.DOTALL)
        names += re.findall(r"^(?:MDG_API|static inline)\b[^;({]*?\b(mdg_\w+)\(", text,
                            re.MULTILINE)
    return sorted(names)


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--compiler", nargs="+", default=["cc"], help="the C compiler")
    parser.add_argument("--include", type=Path, required=True, help="the directory of madang/*.h")
    parser.add_argument("--output", type=Path, required=True, help="the C file to write")
    options = parser.parse_args()
    try:
        import cffi
    except ImportError:
        print("binding.py: cffi is missing (Debian: python3-cffi)", file=sys.stderr)
        return 1
    builder = cffi.FFI()
    builder.cdef(declaration(options.compiler, options.include))
    builder.set_source("madang._madang", prelude(options.include))
    builder.emit_c_code(str(options.output))
    return 0


if __name__ == "__main__":
    sys.exit(main())
