#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""queue.py BRIDGE PEER [SCENE...]: a queue over hosts, with real processes and real deaths.

Each scene has a nats-server of its own, and hosts that have a namespace and a bridge each. Workers
write what they get into ledgers. In the end every number was worked on; and a number that stands
there twice was marked MDG_REDELIVERED, but for one of its lines.

--all: more messages, bridges killed at random moments, and scenes that take long. --seed N repeats
a run.
Exit 0, 1, or 77: there is no nats-server.
"""
import argparse
import collections
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time

sys.dont_write_bytecode = True
from ports import Gate, answers, free_ports  # noqa: E402

REDELIVERED = 1
# What the server takes; the capacity of a queue if nobody says another; what the first is too small
# for, and the second; and a capacity for both.
PAYLOAD, TOO_LARGE_OUT, TOO_LARGE_IN, CAPACITY = 256 << 10, 300000, 100000, 400 << 10


class Host:
    def __init__(self, world, name, *more, url=None):
        self.world, self.name, self.more, self.url = world, name, more, url
        self.place = os.path.join(world.place, name)
        os.mkdir(self.place, 0o700)
        self.bridge = None
        self.start_bridge()

    def start_bridge(self):
        url = self.url or self.world.url
        with open(os.path.join(self.world.place, f"bridge-{self.name}.log"), "a") as log:
            self.bridge = self.world.start(
                [self.world.options.bridge, "--url", url, "--host", self.name,
                 "--namespace", self.place, *(self.more or ("--channel", "jobs"))], stderr=log)

    def talk(self, first, count, *sizes):
        """`sizes`: of a message, of the queue."""
        return self.world.start([self.world.options.peer, "talk", self.place, "jobs", str(first),
                                 str(count), *map(str, sizes)])

    def work(self, microseconds=0):
        return self.world.start([self.world.options.peer, "work", self.place, "jobs",
                                 self.world.ledger(self.name), str(microseconds)])

    def kill(self, *others):
        for process in (self.bridge, *others):
            process.kill()
            process.wait()


class World:
    def __init__(self, options):
        self.options, self.processes, self.ledgers = options, [], 0
        self.place = tempfile.mkdtemp(prefix="madang-queue-")
        self.port, = free_ports(1)
        self.url = f"nats://127.0.0.1:{self.port}"
        with open(os.path.join(self.place, "nats.conf"), "w") as conf:
            print(f"max_payload: {PAYLOAD}", file=conf)
        self.start_server()

    def start_server(self):
        self.server = self.start(
            ["nats-server", "-a", "127.0.0.1", "-p", str(self.port), "-js", "-sd",
             os.path.join(self.place, "store"), "-l", os.path.join(self.place, "nats.log"),
             "-c", os.path.join(self.place, "nats.conf")])
        if not answers(self.port, 10):
            self.end()
            raise SystemExit("nats-server does not answer")

    def restart_server(self, keep=True, how=signal.SIGKILL):
        """It ends, and comes back with what it had stored, or with nothing."""
        self.server.send_signal(how)
        self.server.wait()
        if not keep:
            shutil.rmtree(os.path.join(self.place, "store"))
        self.start_server()

    def start(self, command, **more):
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, **more)
        self.processes.append(process)
        return process

    def ledger(self, host):
        self.ledgers += 1
        return os.path.join(self.place, f"ledger-{self.ledgers}-{host}")

    def lines(self, host=""):
        for name in os.listdir(self.place):
            if name.startswith("ledger-") and name.endswith(host):
                with open(os.path.join(self.place, name)) as ledger:
                    for line in ledger:
                        yield tuple(map(int, line.split()))

    def await_all(self, count, seconds=60):
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            if len({number for number, _ in self.lines()}) >= count:
                return
            time.sleep(0.1)

    def finish(self, process):
        process.wait(30)

    def await_log(self, host, word, seconds=10):
        until = time.monotonic() + seconds
        while time.monotonic() < until and not self.said(host, word):
            time.sleep(0.05)

    def said(self, host, word):
        with open(os.path.join(self.place, f"bridge-{host.name}.log")) as log:
            return log.read().count(word)

    def check(self, count, exact=False, lost=()):
        """Each number was worked on, but those in `lost`; each line but one of a number is
        marked."""
        seen = collections.defaultdict(list)
        for number, flags in self.lines():
            seen[number].append(flags & REDELIVERED)
        missing = [n for n in range(count) if (n in seen) == (n in lost)]
        wrong = [n for n, marks in seen.items() if len(marks) - sum(marks) > 1]
        strange = [n for n in seen if n >= count]
        twice = [n for n, marks in seen.items() if len(marks) > 1]
        problems = [f"{what}: {len(which)}, first {sorted(which)[:5]}" for what, which in (
            ("not worked on", missing), ("twice, and not marked", wrong),
            ("nobody sent", strange), ("twice", twice if exact else [])) if which]
        print(f"  {count} messages, {len(twice)} of them again")
        return problems

    def end(self):
        for process in reversed(self.processes):
            if process.poll() is None:
                process.send_signal(signal.SIGCONT)
                process.kill()
            process.wait()
        shutil.rmtree(self.place, ignore_errors=True)


def cross(world, chance):
    """From a host without workers to two with."""
    count = 20000 if world.options.all else 1500
    a, b, c = (Host(world, name) for name in "abc")
    b.work(3000), c.work(3000)
    a.talk(0, count)
    world.await_all(count)
    both = [sum(1 for _ in world.lines(name)) for name in "bc"]
    print(f"  worked on: {both}")
    return world.check(count, exact=True) + ([] if min(both) > 0 else ["one had none"])


def bridges_die(world, chance):
    """The bridge of the talker and of a worker are killed while messages cross."""
    count, kills = (20000, 40) if world.options.all else (3000, 4)
    a, b = Host(world, "a"), Host(world, "b")
    b.work(300)
    a.talk(0, count)
    for i in range(kills):
        time.sleep(chance.uniform(0.05, 0.3))
        host = (a, b)[i % 2]
        host.kill()
        host.start_bridge()
    world.await_all(count, 90)
    return world.check(count)


def host_dies(world, chance):
    """A whole host is killed with what it had taken, and of another one the bridge: a third one
    gets that."""
    count = 600
    a, b, c, d = (Host(world, name) for name in "abcd")
    worker = b.work(20000)
    d.work(20000)
    a.talk(0, count)
    time.sleep(1.5)
    b.kill(worker)
    d.kill()
    d.start_bridge()
    c.work(100)
    world.await_all(count, 60)
    return world.check(count)


def listener_goes(world, chance):
    """The last worker of a host leaves: what its bridge had brought goes on to another host, also
    if nothing else may leave that host."""
    count = 400
    a, b = Host(world, "a"), Host(world, "b", "--channel", "jobs", "--direction", "in")
    worker = b.work(20000)
    a.talk(0, count)
    time.sleep(1.5)
    worker.kill()
    worker.wait()
    begin = time.monotonic()
    c = Host(world, "c")
    c.work(100)
    world.await_all(count, 60)
    took = time.monotonic() - begin
    return world.check(count) + ([] if took < 9 else [f"took {took:.1f} s: that is a time-out's"])


def bridge_ends(world, chance):
    """The bridge of a worker ends in order, with packs in hand: what was not begun goes on to
    another host at once, and nothing is worked on twice."""
    a, b = Host(world, "a"), Host(world, "b")
    world.finish(a.talk(0, 64))
    b.work(200000)
    world.await_all(3)
    b.bridge.send_signal(signal.SIGTERM)
    begin = time.monotonic()
    if b.bridge.wait(20) != 0:
        return ["it did not end in order"]
    c = Host(world, "c")
    c.work(100)
    world.await_all(64, 30)
    took = time.monotonic() - begin
    return world.check(64, exact=True) + (
        [] if took < 8 else [f"took {took:.1f} s: that is a time-out's"])


def backlog(world, chance):
    """A host with a slow worker shares what waits there."""
    count = 3000
    a, b = Host(world, "a"), Host(world, "b")
    a.work(5000)
    b.work(100)
    a.talk(0, count)
    world.await_all(count, 60)
    other = sum(1 for _ in world.lines("b"))
    print(f"  worked on elsewhere: {other}")
    return world.check(count) + ([] if other > count / 3 else ["too few elsewhere"])


def server_dies(world, chance):
    """The server is killed while packs are on their way, and comes back with its store."""
    count, kills = (20000, 15) if world.options.all else (3000, 2)
    a, b, c = (Host(world, name) for name in "abc")
    b.work(1000), c.work(1000)
    a.talk(0, count)
    for _ in range(kills):
        time.sleep(chance.uniform(0.3, 0.8))
        world.restart_server()
    world.await_all(count, 60)
    return world.check(count)


def store_lost(world, chance):
    """The server loses its store while a host has packs in hand, and other packs get their
    places. The host does not see the moment in which there is no stream."""
    a, b = Host(world, "a"), Host(world, "b")
    world.finish(a.talk(0, 32))
    b.work(150000)  # gets all in one pack
    world.await_all(2)
    b.bridge.send_signal(signal.SIGSTOP)
    world.restart_server(keep=False)
    world.finish(a.talk(32, 32))
    world.await_log(a, "stream-remade")
    time.sleep(0.3)
    b.bridge.send_signal(signal.SIGCONT)
    time.sleep(0.7)
    b.work()
    world.await_all(64, 10)
    return world.check(64)


def answer_lost(world, chance):
    """The server has a pack, the host that sent it does not hear that, and when it sends the pack
    again, the pack was worked on and the server does not know it any more."""
    gate = Gate(world.port)
    a, b = Host(world, "a", url=gate.url), Host(world, "b")
    b.work()
    a.talk(0, 32)
    world.await_all(32)
    gate.mute = True
    a.talk(32, 32)
    world.await_all(33)  # not all of them may be in the pack
    time.sleep(0.5)
    world.restart_server(how=signal.SIGTERM)  # then it surely knows that the pack was done
    gate.cut()
    a.talk(64, 32)
    world.await_all(96)
    again = sum(1 for _ in world.lines()) - 96
    return world.check(96) + ([] if again else ["nothing came again: this shows nothing"])


def too_large_out(world, chance):
    """What the server does not take waits for a worker at home, and others cross. It is dropped
    when the queue is full behind it."""
    a, b = Host(world, "a"), Host(world, "b")
    world.finish(a.talk(0, 10, 200, CAPACITY))
    world.finish(a.talk(10, 1, TOO_LARGE_OUT))
    world.finish(a.talk(11, 90))
    b.work()
    world.await_all(100)
    here = {number for number, _ in world.lines("a")}
    worker = a.work()
    world.await_all(101)
    problems = [] if not here and world.said(a, "message-held") == 1 else ["it was not held"]
    worker.kill()
    world.finish(worker)
    world.finish(a.talk(101, 1, TOO_LARGE_OUT))
    a.talk(102, 4000)
    world.await_all(4101)
    world.await_log(a, "message-dropped")
    dropped = subprocess.run([world.options.bridge, "--status", "--json", "-n", a.place],
                             stdout=subprocess.PIPE, check=False).stdout
    counts = [row["dropped"] for row in json.loads(dropped)["bridge"]["channels"]]
    return problems + world.check(4102, lost={101}) + (
        [] if sum(counts) == 1 else [f"dropped, by the status: {counts}"])


def too_large_in(world, chance):
    """A message for which a host's queue is too small goes to one with room. If there is none, it
    is dropped, and those beside it are worked on once."""
    b = Host(world, "b")
    world.finish(b.talk(0, 0))  # makes the queue
    a = Host(world, "a")
    world.await_log(a, "connected")
    for first, count, size in ((0, 5, 200), (5, 1, TOO_LARGE_IN), (6, 5, 200)):
        world.finish(a.talk(first, count, size, CAPACITY))
    b.work()
    world.await_log(b, "message-dropped")
    world.await_all(10)
    problems = world.check(11, exact=True, lost={5})
    for first, count, size in ((11, 5, 200), (16, 1, TOO_LARGE_IN), (17, 15, 200)):
        world.finish(a.talk(first, count, size))
    c = Host(world, "c")
    world.finish(c.talk(0, 0, 200, CAPACITY))
    c.work()
    world.await_all(31, 20)
    return problems + world.check(32, lost={5}) + (
        [] if world.said(b, "message-dropped") == 1 else ["more was dropped"])


def too_large_shared(world, chance):
    """While a worker at home gets what does not cross, others cross."""
    a, b = Host(world, "a"), Host(world, "b")
    world.finish(a.talk(0, 500, 200, CAPACITY))
    world.finish(a.talk(500, 1, TOO_LARGE_OUT))
    a.talk(501, 1500)
    b.work(500), a.work(5000)
    world.await_all(2001, 20)
    home = {number for number, _ in world.lines("a")}
    print(f"  worked on at home: {len(home)}")
    return world.check(2001) + ([] if 500 in home and len(home) < 1500 else ["not shared"])


def long_job(world, chance):
    """Somebody works on a message for longer than the server waits for a word."""
    a, b = Host(world, "a"), Host(world, "b")
    b.work(13000000)
    a.talk(0, 1)
    world.await_all(1)
    c = Host(world, "c")
    c.work()
    time.sleep(14)
    return world.check(1, exact=True)


def late_answer(world, chance):
    """A host has done a pack of a stream that was lost, when another host has in hand the one that
    has its place. It says nothing of it: so that comes again when its host dies."""
    a, b = Host(world, "a"), Host(world, "b")
    world.finish(a.talk(0, 32))
    b.work(150000)
    begin = time.monotonic()
    world.await_all(2)
    b.bridge.send_signal(signal.SIGSTOP)
    world.restart_server(keep=False)
    c = Host(world, "c")
    worker = c.work(1000000)
    world.finish(a.talk(32, 32))
    world.await_all(33)
    b.bridge.send_signal(signal.SIGCONT)
    time.sleep(max(1, 7 - time.monotonic() + begin))  # b's worker has done them all
    c.kill(worker)
    world.await_all(64, 20)
    return world.check(64)


LONG = {f.__name__: f for f in (long_job, late_answer)}
SCENES = {f.__name__: f for f in (cross, bridges_die, host_dies, listener_goes, bridge_ends, backlog,
                                  server_dies, store_lost, answer_lost,
                                  too_large_out, too_large_in, too_large_shared)}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("bridge")
    parser.add_argument("peer")
    parser.add_argument("scenes", nargs="*")
    parser.add_argument("--all", action="store_true")
    parser.add_argument("--keep", action="store_true")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    if not shutil.which("nats-server"):
        print("skipped: there is no nats-server; on Debian: apt-get install nats-server")
        return 77
    failed = False
    known = SCENES | LONG
    for name in options.scenes or (known if options.all else SCENES):
        world, begin = World(options), time.monotonic()
        print(f"{name}:", flush=True)
        problems = ["it did not come to its end"]
        try:
            problems = known[name](world, random.Random(options.seed))
        finally:
            if problems:
                for log in sorted(os.listdir(world.place)):
                    if log.startswith("bridge-"):
                        with open(os.path.join(world.place, log)) as text:
                            print(f"-- {log}\n" + "".join(text.readlines()[-25:]))
            world.end()
        took = time.monotonic() - begin
        print(f"  {took:.1f} s; " + ("; ".join(problems) or "right"), flush=True)
        failed = failed or bool(problems)
    return 1 if failed else 0


sys.exit(main())
