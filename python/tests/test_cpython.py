# SPDX-License-Identifier: MIT
"""CPython's own tests of multiprocessing.shared_memory, with madang.shared_memory in its place.

They come from Debian's libpython3.11-testsuite, and need nothing changed: they run in a virtual
environment in which the import of multiprocessing.shared_memory gives Madang's module. So the
processes that they start have it too, also those with -E.

FAILING is all that may fail and has to fail, with the reason. docs/python.md has the list too.
"""

import contextlib
import json
import os
import signal
import subprocess
import sys
import textwrap

import madang
import pytest

FINDER = """
import importlib.abc, importlib.util, sys

class Finder(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    def find_spec(self, name, path, target=None):
        if name == "multiprocessing.shared_memory":
            return importlib.util.spec_from_loader(name, self)
        return None

    def exec_module(self, module):
        import madang.shared_memory
        sys.modules[module.__name__] = madang.shared_memory

sys.meta_path.insert(0, Finder())
"""

RUNNER = """
import io, json, sys, unittest

class Result(unittest.TestResult):
    passed = []

    def addSuccess(self, test):
        self.passed.append(test.id())

def name(test):
    return ".".join(test.id().split(" ")[0].split(".")[-2:])

if __name__ == "__main__":
    import multiprocessing.shared_memory
    assert multiprocessing.shared_memory.__name__ == "madang.shared_memory"
    result = Result()
    unittest.TestLoader().loadTestsFromNames(sys.argv[1:]).run(result)
    failed = {name(getattr(test, "test_case", test)): text
              for test, text in result.failures + result.errors}
    print(json.dumps({"passed": [test.split(".")[-2] + "." + test.split(".")[-1]
                                 for test in result.passed
                                 if ".".join(test.split(".")[-2:]) not in failed],
                      "failed": failed, "skipped": [str(one) for one in result.skipped]}))
"""

BLOCKS = "WithProcessesTestSharedMemory"
TRACKER = "TestResourceTracker"

PASSING = {f"{BLOCKS}.test_{name}" for name in (
    "invalid_shared_memory_cration",
    "shared_memory_ShareableList_basics",
    "shared_memory_ShareableList_pickling",
    "shared_memory_ShareableList_pickling_dead_object",
    "shared_memory_SharedMemoryManager_basics",
    "shared_memory_SharedMemoryManager_reuses_resource_tracker",
    "shared_memory_SharedMemoryServer_ignores_sigint",
    "shared_memory_across_processes",
    "shared_memory_basics",
    "shared_memory_pickle_unpickle",
    "shared_memory_pickle_unpickle_dead_object",
    "shared_memory_recreate")} | {f"{TRACKER}.test_{name}" for name in (
        "resource_tracker_sigint",
        "resource_tracker_sigkill",
        "resource_tracker_sigterm",
        "resource_tracker_reused",
        "too_long_name_resource")}

FAILING = {
    # The block is gone, as the test wants. But it then looks for the warning of the resource
    # tracker, which had nothing to do.
    f"{BLOCKS}.test_shared_memory_cleaned_after_process_termination": "leaked ",
    # Looks whether the resource tracker removes the POSIX shared memory of a dead process.
    f"{TRACKER}.test_resource_tracker": "No such file or directory",
}


@pytest.fixture
def venv(tmp_path):
    """A virtual environment with Madang's module in the place of Python's."""
    version = f"python{sys.version_info[0]}.{sys.version_info[1]}"
    packages = tmp_path / "lib" / version / "site-packages"
    packages.mkdir(parents=True)
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "python").symlink_to(sys.executable)
    (tmp_path / "pyvenv.cfg").write_text(
        f"home = {os.path.dirname(sys.executable)}\ninclude-system-site-packages = true\n")
    (packages / "in_its_place.py").write_text(FINDER)
    (packages / "madang.pth").write_text(
        f"{os.path.dirname(os.path.dirname(madang.__file__))}\nimport in_its_place\n")
    runner = tmp_path / "runner.py"
    runner.write_text(textwrap.dedent(RUNNER))

    def run(*names):
        # The tests that fail leave processes that sleep. Nobody waits for these.
        said, errors = tmp_path / "said", tmp_path / "errors"
        with said.open("w") as out, errors.open("w") as err:
            tests = subprocess.Popen([tmp_path / "bin" / "python", runner, *names], cwd=tmp_path,
                                     stdout=out, stderr=err, start_new_session=True)
            try:
                code = tests.wait(100)
            finally:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(tests.pid, signal.SIGKILL)
        assert code == 0, errors.read_text()
        return json.loads(said.read_text().splitlines()[-1])

    return run


def suite():
    if sys.version_info[:2] != (3, 11):
        pytest.skip("the lists here are those of CPython 3.11")
    pytest.importorskip("test._test_multiprocessing",
                        reason="CPython's tests are missing (Debian: libpython3.11-testsuite)")


@pytest.mark.parametrize("method, classes", [
    ("fork", [BLOCKS, TRACKER]),
    ("spawn", [BLOCKS]),  # the tracker is the same
])
def test_blocks(venv, method, classes):
    suite()
    result = venv(*(f"test.test_multiprocessing_{method}.{name}" for name in classes))
    passing, failing = ({name for name in names if name.split(".")[0] in classes}
                        for names in (PASSING, FAILING))
    failed = {name: text.strip().splitlines()[-1] for name, text in result["failed"].items()}
    unexpected = [text for name, text in result["failed"].items() if name not in FAILING]
    assert not unexpected, "\n".join(unexpected)
    assert set(result["passed"]) == passing
    assert failed.keys() == failing
    for name, text in result["failed"].items():
        assert FAILING[name] in text
    assert result["skipped"] == []


def test_generic_alias(venv):
    suite()
    result = venv("test.test_genericalias")
    assert result["failed"] == {} and result["passed"]
