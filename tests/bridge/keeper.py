#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""keeper.py BRIDGE MADANG [SCENE...]: what a bridge does while the server is silent, has lost what
it kept, or another bridge has the same name.

Each scene has a nats-server of its own; each host has a namespace and a bridge. Exit 0, 1, or 77:
there is no nats-server.
"""
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time

sys.dont_write_bytecode = True
from ports import answers, free_ports  # noqa: E402

BRIDGE, MADANG = sys.argv[1:3]
PREFIX = "madang-keeper-"


class Failure(Exception):
    pass


def check(right, what):
    if not right:
        raise Failure(what)


def soon(question, what, seconds=8):
    end = time.monotonic() + seconds
    while not question():
        check(time.monotonic() < end, f"not true in time: {what}")
        time.sleep(0.02)


class Client:
    """The least that speaks with nats-server."""

    def __init__(self, port):
        self.socket = socket.create_connection(("127.0.0.1", port), 5)
        self.socket.settimeout(None)
        self.file = self.socket.makefile("rb")
        self.file.readline()
        self.heard = []
        self.say(b'CONNECT {"verbose":false,"headers":true}\r\n')

    def say(self, text):
        self.socket.sendall(text)

    def publish(self, subject, head, body=b""):
        self.say(b"HPUB %b %d %d\r\n%b%b\r\n" % (subject.encode(), len(head),
                                                len(head) + len(body), head, body))

    def listen(self, subject):
        self.say(b"SUB %b 1\r\nPING\r\n" % subject.encode())
        threading.Thread(target=self.read, daemon=True).start()

    def read(self):
        try:
            for line in self.file:
                words = line.split()
                if words[0] == b"PING":
                    self.say(b"PONG\r\n")
                elif words[0] == b"MSG":
                    body = self.file.read(int(words[-1]) + 2)
                    self.heard.append((time.monotonic(), words[1].decode(), body.decode()))
        except OSError:
            pass


class Gate:
    """Stands between a bridge and the server. While it is silent, no question to JetStream and no
    message for it gets through. All else does."""

    def __init__(self, port):
        self.silent = False
        self.to = port
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            here = self.listener.accept()[0]
            there = socket.create_connection(("127.0.0.1", self.to))
            threading.Thread(target=self.pass_back, args=(there, here), daemon=True).start()
            threading.Thread(target=self.pass_on, args=(here, there), daemon=True).start()

    @staticmethod
    def pass_back(there, here):
        try:
            while data := there.recv(65536):
                here.sendall(data)
        except OSError:
            pass
        here.close()

    def pass_on(self, here, there):
        file = here.makefile("rb")
        try:
            for line in file:
                words = line.split()
                if words and words[0] in (b"PUB", b"HPUB"):
                    line += file.read(int(words[-1]) + 2)
                    if self.silent and re.match(rb"\$JS\.API|\$KV|madang\.\w+\.m\.", words[1]):
                        continue
                there.sendall(line)
        except OSError:
            pass
        there.close()


class World:
    def __init__(self):
        self.place = tempfile.mkdtemp(
            prefix=PREFIX, dir="/dev/shm" if os.path.isdir("/dev/shm") else None)
        self.port, = free_ports(1)
        self.started, self.server = [], None
        self.start_server()

    def start(self, command, **more):
        process = subprocess.Popen(command, **more)
        self.started.append(process)
        return process

    def start_server(self):
        self.server = self.start(
            ["nats-server", "-a", "127.0.0.1", "-p", str(self.port), "-js",
             "-sd", f"{self.place}/store"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        check(answers(self.port, 10), "nats-server listens")

    def bridge(self, host, *more, namespace=None, port=None):
        namespace = namespace or host
        with open(f"{self.place}/{namespace}.log", "a", encoding="utf-8") as log:
            return self.start(
                [BRIDGE, "--url", f"nats://127.0.0.1:{port or self.port}", "--host", host,
                 "-n", f"{self.place}/{namespace}", *more], stderr=log)

    def log(self, host):
        with open(f"{self.place}/{host}.log", encoding="utf-8") as log:
            return log.read()

    def says(self, host, pattern):
        return lambda: re.search(pattern, self.log(host))

    def talk(self, host, channel, kind, text=""):
        """Makes the channel, too."""
        done = subprocess.run([MADANG, "talk", "-k", kind, "-n", f"{self.place}/{host}", channel],
                              input=text, text=True, capture_output=True, timeout=20, check=False)
        check(done.returncode == 0, f"talk {channel}: {done.stderr}")

    def end(self, failed):
        for process in self.started:
            if process.poll() is None:
                process.send_signal(signal.SIGCONT)
                process.kill()
        for process in self.started:
            process.wait()
        if failed:
            for name in sorted(os.listdir(self.place)):
                if name.endswith(".log"):
                    print(f"--- {name}\n{self.log(name[:-4])[-5000:]}", file=sys.stderr)
        shutil.rmtree(self.place, ignore_errors=True)


def code_of(process, seconds):
    try:
        return process.wait(seconds)
    except subprocess.TimeoutExpired:
        raise Failure(f"a bridge does not end within {seconds} s") from None


# ---- scenes -------------------------------------------------------------------------------------

def silent_jetstream(world):
    """JetStream does not answer, and the server does. Heartbeats go on, although channels of others
    are to be made and many pumps wait. SIGTERM ends all of them at once."""
    ear, gate = Client(world.port), Gate(world.port)
    ear.listen("madang.default.h.a")
    names = [f"own-{i}" for i in range(20)]
    later = [f"late-{i}" for i in range(6)]
    world.bridge("b", "--channel", "late-*")
    for name in names:
        world.talk("a", name, "topic")
    with open(f"{world.place}/rules", "w", encoding="utf-8") as rules:
        rules.write("allow out own-*\n" + "".join(f"allow in {name}\n" for name in later))
    a = world.bridge("a", "--rules", f"{world.place}/rules", port=gate.port)
    soon(lambda: world.log("a").count("pump-moving") >= len(names), "all pumps run")
    gate.silent = True
    for name in later:
        world.talk("b", name, "topic")
    for name in names:
        world.talk("a", name, "topic", "text\n")
    began = time.monotonic()
    time.sleep(4.2)
    times = [when for when, _, _ in ear.heard if when > began]
    gaps = [b - a for a, b in zip([began] + times, times + [time.monotonic()])]
    check(max(gaps) < 3.5, f"heartbeats did not go on: {gaps}")
    began = time.monotonic()
    a.send_signal(signal.SIGTERM)
    code = code_of(a, 60)
    took = time.monotonic() - began
    check(code == 0 and took < 9, f"it ended with {code} after {took:.1f} s")
    check(ear.heard[-1][2].rstrip().endswith(" bye"), f"the last word: {ear.heard[-1]}")


def lost_store(world):
    """The server comes back without what it kept. The shapes of channels are written again, so who
    comes later gets the channel."""
    a = world.bridge("a", "--channel", "news")
    world.talk("a", "news", "topic")
    soon(world.says("a", "pump-moving"), "it crosses")
    world.server.kill()
    world.server.wait()
    shutil.rmtree(f"{world.place}/store")
    world.start_server()
    world.bridge("c", "--channel", "news", "--direction", "in")
    soon(world.says("c", 'channel-made channel="news" kind=topic'), "c has the channel")
    check(a.poll() is None, "bridge a goes on")


def unlike(world):
    """What the log advises helps: the group's old shape is removed, and SIGHUP."""
    b = world.bridge("b", "--channel", "news")
    world.talk("b", "news", "topic")
    soon(world.says("b", "pump-moving"), "b has told the group")
    b.send_signal(signal.SIGTERM)
    code_of(b, 10)
    a = world.bridge("a", "--channel", "news")
    world.talk("a", "news", "stream")
    soon(world.says("a", "unlike-channel .*SIGHUP"), "a is refused")
    Client(world.port).publish("$KV.madang_default.channel.news",
                               b"NATS/1.0\r\nKV-Operation: DEL\r\n\r\n")
    time.sleep(0.2)
    check("pump-moving" not in world.log("a"), "nothing crosses yet")
    a.send_signal(signal.SIGHUP)
    world.bridge("c", "--channel", "news", "--direction", "in")
    soon(world.says("c", 'channel-made channel="news" kind=stream'), "c has the new channel")


def damaged_shape(world):
    """A shape that cannot be read is asked for seldom, and hinders no other channel."""
    world.bridge("a", "--channel", "junk", "--channel", "news")
    for name in ("junk", "news"):
        world.talk("a", name, "topic")
    soon(lambda: world.log("a").count("pump-moving") >= 4, "a has told the group")
    client = Client(world.port)
    client.publish("$KV.madang_default.channel.junk", b"NATS/1.0\r\n\r\n", b"what?")
    world.bridge("c", "--channel", "junk", "--channel", "news", "--direction", "in")
    soon(world.says("c", 'channel-made channel="news"'), "c has the other channel")
    for position in range(300):  # each makes the keeper look again
        client.say(b"PUB madang.default.p.junk.a 3\r\n%d\r\n" % (100 + position))
        time.sleep(0.002)
    count = world.log("c").count("shape-refused")
    check(0 < count <= 2, f"said {count} times")


def same_name(world):
    """Of two bridges with one name, the second ends; if both come at once, one of them."""
    first = world.bridge("x", "--channel", "news", namespace="a")
    soon(world.says("a", "connected"), "the first is there")
    time.sleep(0.5)
    second = world.bridge("x", "--channel", "news", namespace="b")
    check(code_of(second, 5) == 4, "the second ends with 4")
    check(world.says("b", "name-taken")() and world.says("a", "name-claimed")(), "both say so")
    check("channel-found" not in world.log("b"), "nothing of it has crossed")
    check(first.poll() is None, "the first goes on")
    world.server.kill()
    world.server.wait()
    third = world.bridge("x", "--channel", "news", namespace="b")
    soon(world.says("b", "no-server"), "the third waits for the server")
    world.start_server()
    check(code_of(third, 8) == 4, "the third ends with 4")
    check(first.poll() is None, "the first goes on")


def many_names(world):
    """A host whose heartbeats have other channels each time takes no more room each time."""
    bridge = world.bridge("a", "--channel", "news")
    soon(world.says("a", "connected"), "it is there")

    def kib():
        with open(f"/proc/{bridge.pid}/status", encoding="ascii") as file:
            return int(re.search(r"VmRSS:\s+(\d+)", file.read()).group(1))

    client = Client(world.port)
    for i in range(100):
        text = f"madang-bridge 1 {i // 50:032}\n" + "".join(
            f"c{i}x{k} 3 0 1 2 5\n" for k in range(511))
        client.say(b"PUB madang.default.h.evil %d\r\n%b\r\n" % (len(text), text.encode()))
        if i == 5:
            soon(world.says("a", "host-came host=evil"), "it hears of them")
            before = kib()
    soon(world.says("a", "host-restarted host=evil"), "it hears of all")
    check(kib() < before + 3000, f"{kib() - before} KiB more")


def half_a_server(world):
    """A server that ends in the middle of its first words is away, and no reason to give up. One
    that never speaks as a server does is one."""
    words = [b"INF", b'INFO {"server_id":"x"}\r\n',
             b"INFO {}\r\n+OK\r\n", b"what?\r\n"]
    listener = socket.create_server(("127.0.0.1", 0))
    port = listener.getsockname()[1]

    def play():
        for word in words:
            one = listener.accept()[0]
            one.sendall(word)
            time.sleep(0.05)
            one.close()
        listener.close()

    player = threading.Thread(target=play, daemon=True)
    player.start()
    a = world.bridge("a", "--channel", "news", port=port)
    player.join(30)
    check(not player.is_alive(), "the bridge came as often as that")
    world.server.kill()
    world.server.wait()
    world.port = port
    world.start_server()
    soon(world.says("a", "info connected"), "it is connected at last")
    check(a.poll() is None, "it goes on")
    with socket.create_server(("127.0.0.1", 0)) as other:
        def speak():
            while True:
                one = other.accept()[0]
                one.sendall(b"220 mail.example ESMTP\r\n")
                one.close()
        threading.Thread(target=speak, daemon=True).start()
        b = world.bridge("b", "--channel", "news", port=other.getsockname()[1])
        check(code_of(b, 8) == 1 and world.says("b", "error no-connection")(), "b gives up")


def ends_alone(world):
    """A bridge whose namespace is removed, or whose own server dies, has nothing to do any more."""
    a = world.bridge("a", "--channel", "news")
    soon(world.says("a", "info connected"), "a is there")
    time.sleep(0.4)
    shutil.rmtree(f"{world.place}/a")
    check(code_of(a, 5) == 1 and world.says("a", "error namespace-gone")(), "a ends")
    with open(f"{world.place}/b.log", "w", encoding="utf-8") as log:
        b = world.start([BRIDGE, "--with-server", "-n", f"{world.place}/b", "--channel", "news"],
                        stderr=log)
    soon(world.says("b", "info connected"), "b is there")
    keeper = children(b.pid)
    check(len(keeper) == 1, "b has a process between it and the server")
    for server in children(keeper[0]):
        os.kill(int(server), signal.SIGKILL)
    check(code_of(b, 8) == 1 and world.says("b", "error server-ended")(), "b ends")


def children(pid):
    with open(f"/proc/{pid}/task/{pid}/children", encoding="utf-8") as file:
        return file.read().split()


SCENES = [silent_jetstream, lost_store, unlike, damaged_shape, same_name, many_names,
          half_a_server, ends_alone]


def main():
    if not shutil.which("nats-server"):
        print("skipped: there is no nats-server")
        return 77
    for scene in SCENES:
        if sys.argv[3:] and scene.__name__ not in sys.argv[3:]:
            continue
        began, world, failed = time.monotonic(), World(), True
        try:
            scene(world)
            failed = False
        except Failure as failure:
            print(f"{scene.__name__}: {failure}", file=sys.stderr)
        finally:
            world.end(failed)
        if failed:
            return 1
        print(f"{scene.__name__}: {time.monotonic() - began:.1f} s", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
