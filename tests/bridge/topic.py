#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""topic.py BRIDGE PEER [SCENE...]: topics and streams over hosts, where something is too much.

Large messages, slow hosts, small channels, full tables: real processes, a nats-server for each
scene. Exit 0, 1, or 77: there is no nats-server.
"""
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

sys.dont_write_bytecode = True
from ports import answers, free_ports  # noqa: E402

KIB, MIB = 1024, 1 << 20
REDELIVERED = 1


class World:
    def __init__(self, bridge, peer):
        self.bridge, self.peer, self.processes = bridge, peer, {}
        self.place = tempfile.mkdtemp(prefix="madang-topic-")
        self.port, = free_ports(1)
        self.start_server()

    def start(self, name, command, **more):
        self.processes[name] = subprocess.Popen(command, stdin=subprocess.DEVNULL, **more)

    def start_server(self, *more):
        self.start("server", ["nats-server", "-a", "127.0.0.1", "-p", str(self.port), "-js", "-sd",
                              f"{self.place}/store", "-l", f"{self.place}/nats.log", *more])
        if not answers(self.port, 10):
            self.end()
            raise SystemExit("nats-server does not answer")

    def start_bridge(self, host, *more):
        with open(f"{self.place}/bridge-{host}.log", "a") as log:
            self.start(f"bridge-{host}", [
                self.bridge, "--url", f"nats://127.0.0.1:{self.port}", "--host", host,
                "--namespace", self.home(host), *(more or ("--channel", "news"))], stderr=log)

    def home(self, host):
        path = f"{self.place}/{host}"
        os.makedirs(path, 0o700, exist_ok=True)
        return path

    def kill(self, name, how=signal.SIGKILL):
        process = self.processes.pop(name)
        process.send_signal(how)
        process.wait()

    def channel(self, host, what, shape, *more):
        return [self.peer, what, self.home(host), "news", *map(str, (*shape, *more))]

    def do(self, host, what, shape, *more):
        subprocess.run(self.channel(host, what, shape, *more), timeout=30, check=True)

    def listen(self, host, shape):
        self.start(f"listen-{host}",
                   self.channel(host, "listen", shape, f"{self.place}/ledger-{host}"))

    def heard(self, host):
        """(number, size, flags) of each message."""
        try:
            with open(f"{self.place}/ledger-{host}") as ledger:
                return [tuple(map(int, line.split())) for line in ledger]
        except FileNotFoundError:
            return []

    def status(self, host, direction):
        shown = subprocess.run([self.bridge, "--status", "--json", "-n", self.home(host)],
                               stdout=subprocess.PIPE, text=True, check=False).stdout
        bridge = json.loads(shown)["bridge"] if shown else None
        rows = bridge["channels"] if bridge else []
        return next((r for r in rows if r["direction"] == direction), {})

    def log(self, host):
        with open(f"{self.place}/bridge-{host}.log") as log:
            return log.read()

    def ask(self, subject, text="{}", who="{}"):
        """A request to the server, as JSON; None: it denies it."""
        with socket.create_connection(("127.0.0.1", self.port), 5) as link:
            link.sendall(f"CONNECT {who}\r\nSUB _I.x 1\r\nPUB {subject} _I.x {len(text)}\r\n{text}"
                         "\r\n".encode())
            said = b""
            while b"MSG " not in said or not said.endswith(b"}\r\n"):
                said += link.recv(65536)
                if b"Permissions Violation for Publish" in said:
                    return None
        return json.loads(said[said.index(b"\r\n", said.index(b"MSG ")):].decode())

    def end(self):
        for process in self.processes.values():
            if process.poll() is None:
                process.send_signal(signal.SIGCONT)
                process.kill()
            process.wait()
        shutil.rmtree(self.place, ignore_errors=True)


def until(test, seconds=15):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if test():
            return True
        time.sleep(0.03)
    return False


def wrong(**tests):
    return [name.replace("_", " ") for name, right in tests.items() if not right]


def too_large(world):
    """What can never cross is dropped, here or there, and what comes behind it crosses."""
    problems = []
    for kind in ("stream", "topic"):
        large, small = (kind, "wait", 2 * MIB), (kind, "wait", 600 * KIB)
        world.do("a", "make", large), world.do("b", "make", large)
        if kind == "topic":
            world.do("c", "make", small), world.listen("c", small)
            world.start_bridge("c")
        world.start_bridge("a"), world.start_bridge("b")
        world.listen("b", large)
        until(lambda: world.status("b", "in").get("state") == "moving")
        if kind == "topic":
            until(lambda: world.status("c", "in").get("state") == "moving")
        for number, size in enumerate((100, 900 * KIB, 1500 * KIB, 1040000, 200)):
            world.do("a", "talk", large, number, 1, size)
        until(lambda: len(world.heard("b")) >= 4)
        out = world.status("a", "out")
        problems += wrong(**{
            f"{kind}_large_ones_cross": [n for n, _, _ in world.heard("b")] == [0, 1, 3, 4],
            f"{kind}_one_is_counted": out.get("dropped") == 1 and out.get("state") == "moving",
            f"{kind}_sizes_are_said": "message-dropped" in world.log("a") and
            f"bytes={1500 * KIB} " in world.log("a")})
        if kind == "topic":
            until(lambda: len(world.heard("c")) >= 2)
            problems += wrong(
                small_channel_goes_on=[n for n, _, _ in world.heard("c")] == [0, 4],
                small_channel_counts=world.status("c", "in").get("dropped") == 2)
        for name in list(world.processes):
            if name != "server":
                world.kill(name)
        world.ask("$JS.API.STREAM.DELETE.MADANG_default_news")
        world.ask("$JS.API.STREAM.DELETE.KV_madang_default")
        for name in os.listdir(world.place):
            if name != "store" and not name.startswith("nats"):
                path = f"{world.place}/{name}"
                (shutil.rmtree if os.path.isdir(path) else os.remove)(path)
    return problems


def full_table(world):
    """64 origins are known here and there: there is place for more, also when the store is lost."""
    shape = ("topic", "wait", 64 * KIB)
    for host in "ab":
        world.do(host, "fill", shape, 64)
        world.listen(host, shape)
        world.start_bridge(host)
    until(lambda: world.status("b", "in").get("state") == "moving" and
          world.status("a", "in").get("state") == "moving")
    forgotten = []
    for round_ in range(3):
        if round_ == 2:  # the older stream's place is enough for the newer one's
            forgotten = [world.log(host).count("origin-forgotten") for host in "ab"]
            world.kill("server")
            shutil.rmtree(f"{world.place}/store")
            world.start_server()
            until(lambda: "stream-remade" in world.log("b"))
        world.do("a", "talk", shape, 10 * round_, 10, 100)
        until(lambda: len(world.heard("b")) >= 10 * (round_ + 1))
        time.sleep(0.3)
    out, in_ = world.status("a", "out"), world.status("b", "in")
    return wrong(
        all_come_once=[n for n, _, _ in world.heard("b")] == list(range(30)),
        nothing_failed=not any("pump-failed" in world.log(host) for host in "ab"),
        nothing_is_sent_twice=out.get("sent") == 30 and in_.get("repeats") == 0,
        older_stream_goes_first=forgotten ==
        [world.log(host).count("origin-forgotten") for host in "ab"])


def slow_host(world):
    """A topic that waits: two hosts send large messages, a third one takes none for a while. It
    misses none of them, though the first host asked for a small stream."""
    shape, count = ("topic", "wait", 4 * MIB), 40
    world.do("b", "make", ("topic", "wait", 64 * KIB)), world.start_bridge("b")
    until(lambda: world.status("b", "in").get("state") == "moving")
    world.kill("bridge-b", signal.SIGTERM)
    shutil.rmtree(world.home("b"))
    for host in "abc":
        world.do(host, "make", shape), world.start_bridge(host)
    world.listen("b", shape)
    until(lambda: all(world.status(h, "in").get("state") == "moving" for h in "abc"))
    world.do("a", "talk", shape, 0, 1, 100)
    until(lambda: world.heard("b"))
    world.processes["listen-b"].send_signal(signal.SIGSTOP)
    for first, host in ((1000, "a"), (2000, "c")):
        world.start(f"talk-{host}", world.channel(host, "talk", shape, first, count, 900 * KIB))
    until(lambda: all(world.status(h, "out").get("state") == "held" for h in "ac"), 5)
    time.sleep(0.5)
    kept = world.ask("$JS.API.STREAM.INFO.MADANG_default_news")["state"]
    world.processes["listen-b"].send_signal(signal.SIGCONT)
    until(lambda: len(world.heard("b")) > 2 * count)
    heard = [n for n, _, _ in world.heard("b")]
    print(f"  {len(heard)} heard; {kept['last_seq'] - kept['first_seq'] + 1} packs, {kept['bytes'] >> 20} MiB")
    return wrong(
        none_is_missed=sorted(heard) == [0, *range(1000, 1000 + count), *range(2000, 2000 + count)],
        each_host_in_order=[n for n in heard if n < 2000] == sorted(n for n in heard if n < 2000),
        none_is_counted=world.status("b", "in").get("missed") == 0,
        stream_is_raised="stream-raised" in world.log("a") + world.log("b") + world.log("c"))


def both_talk(world):
    """Two hosts talk at once into a topic that waits, more than the rings take: neither waits for
    the other for ever."""
    shape, count = ("topic", "wait", 4 * MIB), 40
    for host in "ab":
        world.do(host, "make", shape), world.start_bridge(host)
    until(lambda: all(world.status(h, "in").get("state") == "moving" for h in "ab"))
    for host in "ab":
        world.listen(host, shape)
    until(lambda: all(os.path.exists(f"{world.place}/ledger-{h}") for h in "ab"))
    for first, host in ((0, "a"), (10**6, "b")):
        world.start(f"talk-{host}", world.channel(host, "talk", shape, first, count, 900 * KIB))
    until(lambda: all(len(world.heard(h)) >= 2 * count for h in "ab"))
    return wrong(all_come=all(
        sorted(n for n, _, _ in world.heard(h)) == [*range(count), *range(10**6, 10**6 + count)]
        for h in "ab"))


def little_store(world):
    """A server with little room makes the stream of a large topic smaller, and it crosses."""
    shape = ("topic", "wait", 16 * MIB)
    with open(f"{world.place}/little.conf", "w", encoding="ascii") as file:
        file.write("jetstream { max_file_store: 64MB }\n")
    world.kill("server"), world.start_server("-c", f"{world.place}/little.conf")
    for host in "ab":
        world.do(host, "make", shape), world.start_bridge(host)
    until(lambda: world.status("b", "in").get("state") == "moving")
    world.listen("b", shape)
    until(lambda: os.path.exists(f"{world.place}/ledger-b"))
    world.do("a", "talk", shape, 0, 5, 900 * KIB)
    until(lambda: len(world.heard("b")) == 5)
    return wrong(it_crosses=[n for n, _, _ in world.heard("b")] == list(range(5)),
                 it_is_smaller=any(int(made.split()[0]) < 64 * MIB for host in "ab"
                                   for made in world.log(host).split(" max_bytes=")[1:]))


def listener_leaves(world):
    """The listener of a stream ends on one host, and one on another host goes on at once."""
    shape = ("stream", "wait", 64 * KIB)
    for host in "abc":
        world.do(host, "make", shape), world.start_bridge(host)
    world.listen("b", shape)
    until(lambda: world.status("b", "in").get("state") == "moving")
    world.do("a", "talk", shape, 0, 1, 100)
    until(lambda: world.heard("b"))
    time.sleep(2.5)  # a heartbeat has said how it is
    world.listen("c", shape)
    world.kill("listen-b")
    began = time.monotonic()
    world.do("a", "talk", shape, 1, 1, 100)
    until(lambda: world.heard("c"))
    return wrong(the_other_goes_on=[n for n, _, _ in world.heard("c")] == [1],
                 at_once=time.monotonic() - began < 4)


def flood(world, hosts, capacity, size, count):
    """Programs on all hosts send without a pause into a topic that waits: many times what rings and
    windows take. Nobody waits for ever, and each host has each host's numbers in order."""
    shape = ("topic", "wait", capacity)
    for host in hosts:
        world.do(host, "make", shape), world.start_bridge(host)
    until(lambda: all(world.status(h, "in").get("state") == "moving" for h in hosts))
    for host in hosts:
        world.listen(host, shape)
    until(lambda: all(os.path.exists(f"{world.place}/ledger-{h}") for h in hosts))
    for i, host in enumerate(hosts):
        world.start(f"talk-{host}",
                    world.channel(host, "talk", shape, i * 10**6, count, size))
    before, moved = [], time.monotonic()
    while time.monotonic() < moved + 8:
        now = [os.path.getsize(f"{world.place}/ledger-{h}") for h in hosts]
        if now != before:
            before, moved = now, time.monotonic()
        if all(len(world.heard(h)) >= count * len(hosts) for h in hosts):
            break
        time.sleep(0.2)
    heard = {h: [n for n, _, _ in world.heard(h)] for h in hosts}
    return wrong(all_come_in_order=all(
        [n for n in heard[h] if n // 10**6 == i] == [*range(i * 10**6, i * 10**6 + count)]
        for h in hosts for i in range(len(hosts))))


def two_flood(world):
    return flood(world, "ab", 64 * KIB, 200, 40000)


def three_flood(world):
    return flood(world, "abc", 64 * KIB, 10000, 3000)


def listener_moves(world):
    """A stream goes to one host: to the first, though another one comes that has a lesser name. When
    the first ends, what it may have had already comes to the other one marked."""
    shape, small, count = ("stream", "wait", 64 * KIB), ("stream", "wait", 30 * KIB), 100
    world.do("a", "make", shape), world.do("b", "make", small)
    world.listen("b", small), world.start_bridge("b"), world.start_bridge("a")
    until(lambda: world.status("b", "in").get("state") == "moving")
    world.do("a", "talk", shape, 0, 1, 100)
    until(lambda: world.heard("b"))
    world.do("Z", "make", shape), world.listen("Z", shape), world.start_bridge("Z")
    until(lambda: "host-came host=b" in world.log("Z"))
    time.sleep(0.3)
    world.do("a", "talk", shape, 1, 1, 100)
    until(lambda: len(world.heard("b")) > 1)
    stays = [n for n, _, _ in world.heard("b")] == [0, 1] and not world.heard("Z")
    world.processes["listen-b"].send_signal(signal.SIGSTOP)
    world.start("talk-a", world.channel("a", "talk", shape, 2, count - 2, 9000))
    until(lambda: world.status("b", "in").get("state") == "held")
    world.kill("bridge-b", signal.SIGTERM)
    world.processes["listen-b"].send_signal(signal.SIGCONT)
    until(lambda: len({n for h in "bZ" for n, _, _ in world.heard(h)}) == count)
    b, z = ({n: flags for n, _, flags in world.heard(h)} for h in "bZ")
    both = [n for n in z if n in b]
    print(f"  {len(both)} came to both, {sum(f & REDELIVERED for f in z.values())} are marked")
    return wrong(stays_with_the_first=stays, all_come=len(b | z) == count,
                 what_b_was_given_is_marked=bool(z) and z[min(z)] & REDELIVERED,
                 these_are_marked=all(z[n] & REDELIVERED for n in both),
                 not_all_are_marked=not all(f & REDELIVERED for f in z.values()),
                 first_is_not_marked=not any(f & REDELIVERED for f in b.values()))


def missed(world):
    """What the server has no more is said and counted, when a host comes back to it."""
    shape = ("topic", "wait", 64 * KIB)
    world.ask("$JS.API.STREAM.CREATE.MADANG_default_news", json.dumps({
        "name": "MADANG_default_news", "subjects": ["madang.default.m.news.*"], "max_bytes": 1 << 30,
        "retention": "limits", "discard": "old", "storage": "file", "num_replicas": 1,
        "max_age": 3600 * 10**9}))
    for host in "ab":
        world.do(host, "make", shape)
    world.start_bridge("a", "--channel", "news", "--replicas", "3"), world.start_bridge("b")
    world.listen("b", shape)
    until(lambda: world.status("b", "in").get("state") == "moving")
    world.do("a", "talk", shape, 0, 1, 100)
    until(lambda: world.heard("b"))
    world.kill("bridge-b")
    for number in range(1, 4):
        world.do("a", "talk", shape, number, 1, 100)
        until(lambda: world.status("a", "out").get("sent") == number + 1)
    world.ask("$JS.API.STREAM.PURGE.MADANG_default_news")
    world.start_bridge("b")
    world.do("a", "talk", shape, 4, 1, 100)
    until(lambda: len(world.heard("b")) > 1)
    return wrong(
        what_comes_later_is_there=[n for n, _, _ in world.heard("b")] == [0, 4],
        three_are_counted=world.status("b", "in").get("missed") == 3,
        the_log_says_so='warn messages-missed channel="news" packs=3' in world.log("b"),
        replicas_differ="replicas=1 asked_replicas=3" in world.log("a"),
        age_differs="max_age_ns=3600000000000 asked" in world.log("b"))


# docs/bridge.md has these lines.
BUCKET = ("KV_madang_default", '{"name":"KV_madang_default","subjects":["$KV.madang_default.>"],'
          '"retention":"limits","storage":"file","discard":"new","max_msgs_per_subject":1,'
          '"allow_rollup_hdrs":true,"deny_delete":true,"num_replicas":1}')
TOPIC = ("MADANG_default_news", '{"name":"MADANG_default_news","subjects":["madang.default.m.news.*"],'
         '"retention":"limits","storage":"file","discard":"old","max_bytes":134217728,'
         '"duplicate_window":60000000000,"num_replicas":1}')
STREAM = ("MADANG_default_jobs", '{"name":"MADANG_default_jobs","subjects":["madang.default.m.jobs.*"],'
          '"retention":"workqueue","storage":"file","discard":"new","max_bytes":67108864,'
          '"duplicate_window":60000000000,"num_replicas":1}')


def administrator(world):
    """Streams that an administrator has made, and bridges that may make and change none."""
    here = os.path.dirname(os.path.abspath(__file__))
    with open(f"{here}/../../contrib/nats/madang.conf") as file:
        lines = file.read().splitlines()
    block = lines[lines.index('        user: "host-b"'):]
    block = block[:block.index("      }")]
    few = [line for line in block if "STREAM.CREATE" not in line and "STREAM.UPDATE" not in line]
    users = "".join("{\n" + "\n".join(few).replace("host-b", f"host-{h}").replace(".b", f".{h}")
                    .replace("<bcrypt of the password>", "sesame") + "\n}\n" for h in "ab")
    with open(f"{world.place}/few.conf", "w") as file:
        file.write('authorization { users: [ { user: "boss", password: "sesame" }\n' + users + "] }\n")
    world.kill("server")
    world.start_server("-c", f"{world.place}/few.conf")
    boss, a = (json.dumps({"user": u, "pass": "sesame"}) for u in ("boss", "host-a"))
    made = [world.ask(f"$JS.API.STREAM.CREATE.{n}", text, boss) for n, text in
            (BUCKET, TOPIC, STREAM)]
    denied = world.ask(f"$JS.API.STREAM.UPDATE.{TOPIC[0]}", TOPIC[1], a) is None
    shape = ("topic", "wait", 64 * KIB)
    for host in "ab":
        with open(f"{world.place}/user-{host}", "w", opener=lambda p, f: os.open(p, f, 0o600)) as f:
            f.write(f"host-{host}\nsesame\n")
        world.do(host, "make", shape)
        world.start_bridge(host, "--channel", "news", "--user-file", f"{world.place}/user-{host}")
    world.listen("b", shape)
    until(lambda: world.status("b", "in").get("state") == "moving")
    world.do("a", "talk", shape, 0, 10, 100)
    until(lambda: len(world.heard("b")) == 10)
    log = world.log("a") + world.log("b")
    return wrong(all_are_made=not any(m is None or "error" in m for m in made),
                 bridges_may_not_change_them=denied,
                 messages_cross=[n for n, _, _ in world.heard("b")] == list(range(10)),
                 nothing_is_denied="denied" not in log, nothing_differs="stream-" not in log)


SCENES = {f.__name__: f for f in (too_large, full_table, slow_host, both_talk, two_flood, three_flood,
                                listener_moves, listener_leaves, little_store, missed,
                                administrator)}


def scene_of(name):
    """By hand: flood:HOSTS:CAPACITY:SIZE:COUNT, as flood:abcd:65536:200:100000."""
    kind, *rest = name.split(":")
    if kind != "flood":
        return SCENES[kind]
    return lambda world: flood(world, rest[0], *map(int, rest[1:]))


def main():
    if not shutil.which("nats-server"):
        print("skipped: there is no nats-server; on Debian: apt-get install nats-server")
        return 77
    failed = False
    for name in sys.argv[3:] or SCENES:
        world, begin = World(*sys.argv[1:3]), time.monotonic()
        problems = ["did not come to its end"]
        try:
            problems = scene_of(name)(world)
        finally:
            for log in sorted(os.listdir(world.place)) if problems else []:
                if log.startswith("bridge-"):
                    print(f"-- {log}\n{''.join(world.log(log[7:-4])[-4000:])}")
            world.end()
        print(f"{name}: {time.monotonic() - begin:.1f} s; " +
              ("not so: " + "; ".join(problems) if problems else "right"), flush=True)
        failed = failed or bool(problems)
    return 1 if failed else 0


sys.exit(main())
