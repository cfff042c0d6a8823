# SPDX-License-Identifier: MIT
"""conftest.py - what the tests share: a namespace for each test, and other processes.

`namespace`  is made before the test, is the default one meanwhile, and is deleted after it. It is
             used by every test. Afterwards no process of the test may be left.
`run`        starts a Python program in a process of its own, with `madang` imported.
"""

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import textwrap

import pytest

PRELUDE = """
import os, signal, sys, threading, time
import madang

def say(*words):
    print(*words, flush=True)

def hear():
    line = sys.stdin.readline()
    if not line:
        sys.exit("the test is gone")
    return line.rstrip("\\n")
"""


@pytest.fixture(autouse=True)
def namespace(monkeypatch):
    where = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    directory = tempfile.mkdtemp(prefix="madang-test-", dir=where)
    path = os.path.join(directory, "ns")
    monkeypatch.setenv("MADANG_NAMESPACE", path)
    yield path
    shutil.rmtree(directory, ignore_errors=True)


class Process:
    """A Python program that runs beside the test. It says lines, and hears lines."""

    def __init__(self, program, *arguments, **options):
        self.popen = subprocess.Popen(
            [sys.executable, "-X", "dev", "-c", PRELUDE + textwrap.dedent(program),
             *map(str, arguments)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            **options)
        self.pid = self.popen.pid

    def heard(self):
        """The next line that the program says."""
        line = self.popen.stdout.readline()
        if not line:
            raise AssertionError(f"the program ended: {self.popen.stderr.read()}")
        return line.rstrip("\n")

    def say(self, line=""):
        self.popen.stdin.write(f"{line}\n")
        self.popen.stdin.flush()

    def signal(self, number):
        self.popen.send_signal(number)

    def kill(self):
        """kill -9, and waits until it is dead."""
        self.popen.kill()
        self.popen.wait(30)

    def result(self):
        """Waits for the end of a program that has to end well. Returns the rest of its words."""
        out, errors = self.popen.communicate(timeout=60)
        assert self.popen.returncode == 0, errors
        assert "Warning" not in errors and "Error" not in errors, errors
        return out.splitlines()

    def ended(self):
        """Waits for the end. Returns its code and what it said on stderr."""
        _, errors = self.popen.communicate(timeout=60)
        return self.popen.returncode, errors


@pytest.fixture
def run():
    processes = []

    def start(program, *arguments, **options):
        processes.append(Process(program, *arguments, **options))
        return processes[-1]

    yield start
    for process in processes:
        if process.popen.poll() is None:
            process.popen.kill()
            process.popen.wait()
        for pipe in (process.popen.stdin, process.popen.stdout, process.popen.stderr):
            pipe.close()


@contextlib.contextmanager
def _ctrl_c_after(function):
    """A Ctrl-C in the moment when this function of Python's is through, once. It is one of the
    module's, so a trace of its lines sees it end."""
    def trace(frame, event, argument):
        if frame.f_code is not function.__code__:
            return trace
        if event == "return":
            sys.settrace(None)
            raise KeyboardInterrupt
        return trace

    sys.settrace(trace)
    try:
        with pytest.raises(KeyboardInterrupt):
            yield
    finally:
        sys.settrace(None)


@pytest.fixture
def ctrl_c_after():
    return _ctrl_c_after
