# SPDX-License-Identifier: MIT
"""server.py - nats-server for the tests of the bridge's security, and what these tests say."""
import os
import re
import shutil
import subprocess
import sys
import time

sys.path.insert(1, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "bridge"))
from ports import free_ports  # noqa: E402

FAILED = []


def find(program):
    return shutil.which(program, path=os.environ["PATH"] + ":/usr/sbin:/usr/local/sbin")


class Server:
    def __init__(self, place, name, text, port=None):
        self.port = port or free_ports(1)[0]
        self.log = os.path.join(place, name + ".log")
        path = os.path.join(place, name + ".conf")
        with open(path, "w", encoding="ascii") as file:
            file.write(f'listen: "0.0.0.0:{self.port}"\n' + text)
        self.process = subprocess.Popen([find("nats-server"), "-c", path, "-l", self.log, "-DV"],
                                        cwd=place)
        for _ in range(500):
            if "Server is ready" in self.said():
                return
            if self.process.poll() is not None:
                break
            time.sleep(0.02)
        raise RuntimeError(f"{name} does not start:\n{self.said()}")

    def said(self):
        try:
            with open(self.log, encoding="utf-8") as file:
                return file.read()
        except FileNotFoundError:
            return ""

    def url(self, scheme="nats", host="127.0.0.1"):
        return f"{scheme}://{host}:{self.port}"

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()


def expect(what, found, code, *patterns, never=()):
    """That a probe ended with `code` and said each of the patterns."""
    wrong = [] if found[0] == code else [f"exit {found[0]} and not {code}"]
    wrong += [f"not said: {p}" for p in patterns if not re.search(p, found[1])]
    wrong += [f"said: {p}" for p in never if re.search(p, found[1])]
    print(("not ok: " if wrong else "ok: ") + what, flush=True)
    if wrong:
        FAILED.append(what)
        print("   ", "; ".join(wrong), "\n    " + found[1].replace("\n", "\n    "), flush=True)


def rights_server(tree, place, key):
    """A server with the configuration of contrib/nats. `place` has the certificates."""
    with open(os.path.join(tree, "contrib/nats/madang.conf"), encoding="utf-8") as file:
        text = file.read()
    text = text.replace("<public key of host a>", key.public)
    text = text.replace("<bcrypt of the password>", "sesame").replace("/var/lib/nats", place)
    text = text.replace("/etc/nats/", place + "/").replace('listen: "0.0.0.0:4222"\n', "")
    return Server(place, "rights", text)
