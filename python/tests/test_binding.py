# SPDX-License-Identifier: MIT
"""The C module has every public function and constant, and finds its library."""

import os
import subprocess
import sys
from pathlib import Path

import madang
from madang._madang import ffi, lib

sys.path.insert(0, str(Path(__file__).parent.parent))
import binding  # noqa: E402
del sys.path[0]  # the processes of other tests import madang from where it was built

INCLUDE = Path(os.environ["MADANG_INCLUDE"])


def test_every_public_function_is_there():
    names = binding.functions(INCLUDE)
    assert len(names) > 150
    assert [name for name in names if not callable(getattr(lib, name, None))] == []


def test_every_number_is_there():
    compiler = os.environ.get("MADANG_COMPILER", "cc").split()
    macros = binding.constants(binding.preprocess(compiler, INCLUDE, "-dD"), INCLUDE)
    assert len(macros) > 50
    assert [name for name in macros if not isinstance(getattr(lib, name, None), int)] == []
    assert lib.MDG_FOREVER == 2**64 - 1 and lib.MDG_DAMAGED == -10001


def test_layout_is_the_compilers():
    assert ffi.sizeof("mdg_mutex") == 128 and ffi.alignof("mdg_mutex") == 64
    assert ffi.sizeof("mdg_rwlock") == 4288 and ffi.sizeof("mdg_barrier") == 4224


def test_versions():
    assert madang.library_version() == madang.__version__


def test_links_the_library_dynamically():
    maps = Path("/proc/self/maps").read_text()
    assert "/libmadang.so" in maps


def test_all_names_are_there():
    assert sorted(madang.__all__) == madang.__all__
    for name in madang.__all__:
        assert getattr(madang, name).__doc__, name


def test_types_are_strict():
    """mypy --strict has nothing to say."""
    mypy = "/usr/bin/mypy"
    if not os.path.exists(mypy):
        import pytest
        pytest.skip("mypy is not installed")
    package = Path(__file__).parent.parent / "madang"
    done = subprocess.run([mypy, "--strict", "--cache-dir=/dev/null", "--python-version", "3.9",
                           str(package)], stdout=subprocess.PIPE, text=True, check=False)
    assert done.returncode == 0, done.stdout
