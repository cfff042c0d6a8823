# SPDX-License-Identifier: MIT
"""The programs in docs/python-*.md and examples/python, run as they are written.

A block of Python that is followed by a block of text has to print that text.
"""

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted((ROOT / "docs").glob("python-*.md"))
BLOCK = re.compile(r"^```python\n(.*?)^```\n(?:\n```text\n(.*?)^```\n)?", re.DOTALL | re.MULTILINE)


def programs():
    for page in PAGES:
        text = page.read_text()
        for found in BLOCK.finditer(text):
            line = text[:found.start()].count("\n") + 2
            yield pytest.param(found.group(1), found.group(2), id=f"{page.name}:{line}")


def run(*command, cwd):
    done = subprocess.run([sys.executable, "-X", "dev", *command], cwd=cwd, text=True, timeout=60,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert done.returncode == 0 and done.stderr == "", done.stderr
    return done.stdout


@pytest.mark.parametrize("program, expected", programs())
def test_page(program, expected, tmp_path):
    (tmp_path / "program.py").write_text(program)
    said = run("program.py", cwd=tmp_path)
    assert expected is None or said == expected


@pytest.mark.parametrize("example", ["pool", "shared_array"])
def test_example(example, tmp_path):
    if example == "shared_array":
        pytest.importorskip("numpy")
    path = ROOT / "examples" / "python" / f"{example}.py"
    expected = re.search(r"It prints:\n\n(.*?)\n\n", path.read_text(), re.DOTALL)
    said = run(str(path), cwd=tmp_path)
    assert said.split() == expected.group(1).split()
