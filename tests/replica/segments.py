#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""segments.py BRIDGE PEER SHIM - replicas over hosts that are attacked, removed, and deposed.

Hosts are namespaces, with a bridge each and a real nats-server. A member of the group publishes
parcels that nobody has committed; replicas and segments are removed and made again; JetStream does
not answer; a writer's bridge is stopped just before it publishes, and another host takes over.
Exit 77: there is no nats-server.
"""
import json
import os
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "../bridge"))
from ports import answers, free_ports  # noqa: E402

BRIDGE, PEER, SHIM = sys.argv[1:4]
FAILED = []
GROUP = "madang.default.s.shared."


def check(what, is_so, *logs):
    print(("ok: " if is_so else "not ok: ") + what, flush=True)
    if not is_so:
        FAILED.append(what)
        for log in logs:
            print("   ", "\n    ".join(log.said().splitlines()[-12:]), flush=True)


def until(condition, seconds=15):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if condition():
            return True
        time.sleep(0.02)
    return condition()


class Server:
    def __init__(self, place):
        self.port = free_ports(1)[0]
        with open(os.path.join(place, "server.log"), "w", encoding="utf-8") as log:
            self.process = subprocess.Popen(["nats-server", "-js", "-sd", place + "/store", "-a",
                                             "127.0.0.1", "-p", str(self.port)], stderr=log)
        if not answers(self.port, 10):
            raise RuntimeError("nats-server does not start")

    def publish(self, *messages):
        """(SUBJECT, BYTES): as a stranger, who expects nothing."""
        with socket.create_connection(("127.0.0.1", self.port)) as wire:
            text = b'CONNECT {"verbose":false}\r\n'
            for subject, data in messages:
                text += f"PUB {subject} {len(data)}\r\n".encode() + data + b"\r\n"
            wire.sendall(text + b"PING\r\n")
            while b"PONG" not in wire.recv(65536):
                pass


class Host:
    def __init__(self, place, name, server):
        self.place, self.name, self.server = place, name, server
        self.namespace = os.path.join(place, name)
        self.log = os.path.join(place, name + ".log")
        self.process = None

    def start(self, *options):
        environment = dict(os.environ, LD_PRELOAD=SHIM, SHIM_DIRECTORY=self.namespace + ".shim")
        os.makedirs(environment["SHIM_DIRECTORY"], exist_ok=True)
        with open(self.log, "a", encoding="utf-8") as log:
            self.process = subprocess.Popen(
                [BRIDGE, "--url", f"nats://127.0.0.1:{self.server.port}", "--host", self.name, "-n",
                 self.namespace, "--log-level", "debug", *options], stderr=log, env=environment)

    def shim(self, name):
        return os.path.join(self.namespace + ".shim", name)

    def end(self):
        if self.process:
            self.process.kill()
            self.process.wait()

    def peer(self, *arguments):
        done = subprocess.run([PEER, *arguments], capture_output=True, text=True, check=False,
                              timeout=60, env=dict(os.environ, MADANG_NAMESPACE=self.namespace))
        return done.returncode, done.stdout + done.stderr

    def has(self, number):
        return self.peer("await", str(number))[0] == 0

    def look(self):
        return dict(word.split("=") for word in self.peer("look")[1].split())

    def said(self):
        with open(self.log, encoding="utf-8", errors="replace") as log:
            return log.read()

    def count(self, event):
        return sum(f" {event} " in line for line in self.said().splitlines())

    def status(self):
        done = subprocess.run([BRIDGE, "--status", "--json", "-n", self.namespace],
                              capture_output=True, text=True, timeout=20, check=False)
        return json.loads(done.stdout)["bridge"]["replicas"][0]

    def state(self):
        state = open(f"/proc/{self.process.pid}/stat", encoding="ascii").read()
        return state.rsplit(")", 1)[1].split()[0]


def crc(data):
    """CRC-32C."""
    value = 0xffffffff
    for byte in data:
        value ^= byte
        for _ in range(8):
            value = value >> 1 ^ (0x82f63b78 if value & 1 else 0)
    return value ^ 0xffffffff


def parcel(size, whole=1, fence=1, base=0, generation=10**6):
    """A snapshot of nothing but zeros, of a segment of any size."""
    head = struct.pack("<4sIIIIIQQQQQI", b"MDGS", 1, whole, 0, 1, 0, fence, base, generation, 1,
                       size, 72)
    return head + struct.pack("<I", crc(head))


def attacked(server, a, b):
    before = b.look()
    for size in range(1 << 40, (1 << 40) - 20, -1):
        server.publish((GROUP + "x", parcel(size)), (GROUP + "a", parcel(size)))
    server.publish((GROUP + "x", parcel(8192, fence=10**6)), (GROUP + "x", parcel(8192)),
                   (GROUP + "a", parcel(8192, fence=10**6)),
                   (GROUP + "a", parcel(8192, whole=0, base=10**6)),
                   (GROUP + "x", parcel(5600, generation=1)),
                   (GROUP + "x", parcel(5600, generation=1 << 61)),
                   *[(GROUP + "x", b"nonsense")] * 30)
    check("a stranger's parcels are seen", until(lambda: b.count("parcel-dropped") == 1), b)
    check("one line for forty segments that are too large, with the remedy",
          b.count("replica-too-large") == 1 and "larger --replica-most" in b.said(), b)
    check("one line for who is not the writer", b.count("not-the-writer") == 1, b)
    after = b.look()
    check("the replica was not touched", after == before and b.count("replica-anew") == 0, b)
    check("a commits behind it", a.peer("commit", "2")[0] == 0 and b.has(2), a, b)
    check("the same replica", b.look()["id"] == before["id"], b)
    room = os.statvfs("/dev/shm")
    server.publish((GROUP + "a", parcel(room.f_bavail * room.f_frsize // 4 * 3)))
    check("no room for both", until(lambda: b.count("no-room") == 1), b)
    check("and so the old one stays", b.look()["id"] == before["id"], b)
    status = b.status()
    check("the status says it", status["state"] == "held" and "no-room" in status["error"], b)
    check("a commits behind it again", a.peer("commit", "3")[0] == 0 and b.has(3), a, b)


def removed(a, b):
    check("a's replica is removed", a.peer("remove")[0] == 0)
    check("it is made again, and goes on", until(lambda: a.count("replica-gone") == 1) and
          a.peer("commit", "10")[0] == 0 and b.has(10), a, b)
    check("the segment of a's replica is removed", a.peer("drop", "shared.replica")[0] == 0)
    check("it is seen", until(lambda: a.count("writer") == 3), a)
    check("and goes on", a.peer("commit", "11")[0] == 0 and b.has(11), a, b)
    check("the segment is removed", a.peer("drop", "shared")[0] == 0)
    check("b reads what was", b.has(11), b)
    check("the segment is made again", a.peer("commit", "12")[0] == 0 and b.has(12), a, b)
    check("b's replica is removed", b.peer("remove")[0] == 0)
    check("b's replica is there again", b.has(12), b)
    check("b's segment is removed", b.peer("drop", "shared.replica")[0] == 0)
    check("b's replica is there once more", b.has(12), b)
    check("it has another size", a.peer("grow", "13")[0] == 0 and b.has(13), a, b)
    check("b's replica, too", b.look()["bytes"] == "22400", b)


def without_answers(server, a, b):
    open(a.shim("away"), "w", encoding="ascii").close()
    refused = a.count("refused")
    server.publish((GROUP + "x", b"nonsense"))
    check("a commit", a.peer("grow", "20")[0] == 0)
    check("the server refuses it", until(lambda: a.count("refused") == refused + 1), a)
    time.sleep(1)
    status = a.status()
    check("what is not known is not taken for 0",
          a.count("no-generation") == 1 and status["state"] == "held" and
          "no-generation" in status["error"] and status["lag"] > 0, a)
    check("and is said once", a.count("refused") == refused + 1, a)
    os.unlink(a.shim("away"))
    check("then it goes on", b.has(20), a, b)
    status = until(lambda: a.status()["lag"] == 0) and a.status()
    check("the status says so", status and status["role"] == "writer" and
          status["state"] == "moving" and status["fence"] > 0 and status["error"] is None and
          status["generation"] == int(b.look()["generation"]), a)


def deposed(a, b):
    """a's bridge has looked after its lease, and is stopped before it publishes."""
    open(a.shim("stop"), "w", encoding="ascii").close()
    refused = a.count("refused")
    check("a commit", a.peer("grow", "30")[0] == 0)
    check("a's bridge stops before it publishes", until(lambda: a.state() == "T"), a)
    b.end()
    b.peer("remove")
    b.peer("grow", "40")
    b.start("--write", "shared")
    check("b takes the lease", until(lambda: b.count("writer") == 1), b)
    check("b's commit", b.peer("grow", "41")[0] == 0 and
          until(lambda: b.status()["lag"] == 0), b)
    a.process.send_signal(signal.SIGCONT)
    check("the server refuses a's", until(lambda: a.count("refused") == refused + 1), a)
    check("a's bridge is told", until(lambda: a.count("deposed") == 1), a)
    status = a.status()
    check("the status says so", status["state"] == "deposed" and status["error"], a)
    check("a's program is told", a.peer("grow", "31")[0] == 3, a)
    a.end()
    a.peer("remove")
    a.start("--replicate", "shared")
    check("what a wanted to publish is nowhere", a.has(41), a)


def main():
    if not shutil.which("nats-server"):
        print("skipped: there is no nats-server")
        return 77
    signal.alarm(120)
    with tempfile.TemporaryDirectory(prefix="madang-segments-", dir="/dev/shm") as place:
        server = Server(place)
        a, b = Host(place, "a", server), Host(place, "b", server)
        try:
            a.peer("commit", "1")
            a.start("--write", "shared")
            b.start("--replicate", "shared", "--replica-most", "1000G")
            check("the first commit", b.has(1), a, b)
            attacked(server, a, b)
            removed(a, b)
            without_answers(server, a, b)
            deposed(a, b)
        finally:
            a.end()
            b.end()
            server.process.kill()
            server.process.wait()
    print(f"{len(FAILED)} failed" if FAILED else "all is well")
    return 1 if FAILED else 0


if __name__ == "__main__":
    sys.exit(main())
