# SPDX-License-Identifier: MIT
"""The programs of docs/python.md and README.md do what they say; the examples end well."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

SOURCE = Path(os.environ["MADANG_INCLUDE"]).parent
PAGE = SOURCE / "docs" / "python.md"


def sections():
    """The parts of the page that have programs: name, and pairs of a program and what it says."""
    for part in re.split(r"^## ", PAGE.read_text(), flags=re.MULTILINE)[1:]:
        blocks = re.findall(r"^```(python|text)\n(.*?)^```$", part, re.MULTILINE | re.DOTALL)
        programs = []
        for language, text in blocks:
            if language == "python":
                programs.append([text, ""])
            else:
                programs[-1][1] = text
        if programs:
            yield pytest.param(programs, id=part.splitlines()[0])


@pytest.mark.parametrize("programs", sections())
def test_section(programs, tmp_path):
    for number, (program, said) in enumerate(programs):
        if "numpy" in program:
            pytest.importorskip("numpy")
        path = tmp_path / f"program{number}.py"
        path.write_text(program)
        done = subprocess.run([sys.executable, "-X", "dev", str(path)], timeout=60, text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False)
        assert (done.stdout, done.stderr, done.returncode) == (said, "", 0)


def test_readme(tmp_path):
    path = tmp_path / "readme.py"
    path.write_text("".join(re.findall(r"^```python\n(.*?)^```$", (SOURCE / "README.md").read_text(),
                                       re.MULTILINE | re.DOTALL)) +
                    'print(bytes(madang.Segment("box").buf[64:69]))\n')
    done = subprocess.run([sys.executable, "-X", "dev", str(path)], timeout=60, text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False)
    assert (done.stdout, done.stderr, done.returncode) == ("b'hello'\n", "", 0)


@pytest.mark.parametrize("example", sorted((SOURCE / "examples" / "python").glob("*.py")),
                         ids=lambda path: path.name)
def test_example(example):
    done = subprocess.run([sys.executable, "-X", "dev", str(example)], timeout=60, text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False)
    assert (done.stderr, done.returncode) == ("", 0), done.stdout


def test_the_page_has_programs():
    assert len(list(sections())) == 6
