#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""calls.py BRIDGE PEER [SCENE...]: calls over hosts, with real processes and real deaths.

Each scene has a nats-server of its own, hosts a (callers), b and c (servers), each with a namespace
and a bridge. Afterwards the ledgers are compared: no number was executed twice, each call came to
an end in time, and each reply is the one of its request (call_peer checks that itself).

--all: more calls, and each scene with deaths at random moments, many times. --seed N repeats a run.
Exit 0, 1, or 77: there is no nats-server.
"""
import argparse
import collections
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time

sys.dont_write_bytecode = True
from ports import answers as port_answers, free_ports  # noqa: E402

SILENCE = 7  # seconds, after which a host counts as dead


class Failure(Exception):
    pass


def check(right, what):
    if not right:
        raise Failure(what)


class Host:
    """A namespace, its bridge, and what runs there."""

    def __init__(self, world, name):
        self.world, self.name = world, name
        self.place = os.path.join(world.place, name)
        os.mkdir(self.place, 0o700)
        self.bridge = None
        self.ledgers = 0

    def start_bridge(self, *more):
        log = open(os.path.join(self.world.place, f"bridge-{self.name}.log"), "a")
        self.bridge = self.world.start(
            [self.world.options.bridge, "--url", self.world.url, "--host", self.name,
             "--namespace", self.place, "--channel", "rpc", *more], stderr=log)
        log.close()

    def ledger(self, kind):
        self.ledgers += 1
        return os.path.join(self.world.place, f"{kind}-{self.name}-{self.ledgers}")

    def peers(self):
        """Callers and servers in the channel here, those of the bridge too."""
        out = subprocess.run([self.world.options.peer, "look", self.place, "rpc", "/dev/null"],
                             check=True, capture_output=True, text=True).stdout
        return tuple(map(int, out.split()))

    def executed(self):
        return sum(1 for _ in self.world.lines(f"run-{self.name}"))

    def serve(self, *more):
        return self.world.start([self.world.options.peer, "serve", self.place, "rpc",
                                 self.ledger("run"), *map(str, more)])

    def ask(self, count, *more):
        self.world.first += 1000000
        return self.world.start(
            [self.world.options.peer, "ask", self.place, "rpc", self.ledger("asked"),
             "--count", str(count), "--first", str(self.world.first), *map(str, more)],
            stdout=subprocess.PIPE, text=True)


class World:
    def __init__(self, options):
        self.options = options
        self.place = tempfile.mkdtemp(prefix="madang-calls-")
        self.port, = free_ports(1)
        self.url = f"nats://127.0.0.1:{self.port}"
        self.started, self.first, self.server = [], 0, None
        self.start_server()

    def start(self, command, **more):
        process = subprocess.Popen(command, **more)
        self.started.append(process)
        return process

    def start_server(self, *more):
        self.server = self.start(
            ["nats-server", "-a", "127.0.0.1", "-p", str(self.port), "-js",
             "-sd", os.path.join(self.place, "store"), *more],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        if not port_answers(self.port, 10):
            raise Failure("nats-server does not listen")

    def host(self, name, *more):
        host = Host(self, name)
        host.start_bridge(*more)
        return host

    def lines(self, kind):
        for name in os.listdir(self.place):
            if name.startswith(kind + "-"):
                with open(os.path.join(self.place, name)) as ledger:
                    yield from (line.split() for line in ledger)

    def results(self):
        return {int(number): what for number, what in self.lines("asked")}

    def check_once(self):
        """Nothing was executed twice, and whatever was answered was executed."""
        runs = collections.Counter(int(number) for number, what in self.lines("run"))
        twice = [number for number, count in runs.items() if count > 1]
        check(not twice, f"executed twice: {twice[:5]}")
        ghosts = [n for n, what in self.results().items() if what == "ok" and n not in runs]
        check(not ghosts, f"answered, and never executed: {ghosts[:5]}")
        check(0 not in runs, "a wrong request")

    def end(self, failed):
        for process in self.started:
            if process.poll() is None:
                process.send_signal(signal.SIGCONT)
                process.kill()
        for process in self.started:
            process.wait()
            if process.stdout:
                process.stdout.close()
        if failed:
            for name in sorted(os.listdir(self.place)):
                if name.endswith(".log"):
                    with open(os.path.join(self.place, name)) as log:
                        print(f"--- {name}\n{log.read()[-6000:]}", file=sys.stderr)
        shutil.rmtree(self.place, ignore_errors=True)


def finish(process, seconds, code=0):
    """The process ends by itself, in time."""
    try:
        out, _ = process.communicate(timeout=seconds)
    except subprocess.TimeoutExpired:
        raise Failure("a call hangs") from None
    check(process.returncode == code, f"call_peer ended with {process.returncode}: {out}")
    return out


def stop(process, seconds):
    """SIGTERM ends it, with 0, in time."""
    process.send_signal(signal.SIGTERM)
    try:
        code = process.wait(seconds)
    except subprocess.TimeoutExpired:
        raise Failure(f"a bridge does not end within {seconds} s") from None
    check(code == 0, f"a bridge ended with {code}")


def soon(question, what, seconds=4):
    end = time.monotonic() + seconds
    while not question():
        check(time.monotonic() < end, f"not true in time: {what}")
        time.sleep(0.05)


def ready(host, *servers):
    """Calls get through, to each of these hosts. (NATS may still have given the first one to a
    bridge that was just killed; then nobody knows of it, and it is told as dead.)"""
    end = time.monotonic() + 30

    def answered(wait):
        out = finish(host.ask(1, "--wait", wait, "--lenient"), 25)
        return out.startswith("1 answered")

    while not answered(20000):
        check(time.monotonic() < end, "no calls get through")
    while any(server.executed() == 0 for server in servers):
        check(time.monotonic() < end, "a host gets no calls")
        answered(5000)


def told_of_death(run, calls, seconds):
    """Each of these calls ends with MDG_PEER_DIED, in time."""
    out = finish(run, seconds)
    check(out.startswith(f"0 answered, {calls} not"), f"not all were told: {out}")


# ---- scenes -------------------------------------------------------------------------------------

def answers(world):
    """Many calls at once, of all sizes, to two hosts; each gets its own reply."""
    a, b, c = (world.host(name) for name in "abc")
    b.serve("--threads", 4)
    c.serve("--threads", 4)
    ready(a, b, c)
    many = 20 if world.options.all else 1
    runs = [a.ask(400 * many, "--threads", 8), a.ask(50 * many, "--threads", 2, "--size", 40000,
                                                     "--reply", 65000)]
    for run in runs:
        finish(run, 60 * many)
    world.check_once()
    check(set(world.results().values()) == {"ok"}, "not all were answered")
    check(min(b.executed(), c.executed()) > 100, "one host did hardly anything")


def server_dies(world):
    """The caller of a server that is killed is told at once; the others go on elsewhere."""
    a, b = world.host("a"), world.host("b")
    server = b.serve("--busy", 800000)
    ready(a)
    run = a.ask(1, "--lenient")
    soon(lambda: b.executed() >= 2, "the call is out")
    time.sleep(0.2 * random.random())
    began = time.monotonic()
    server.kill()
    told_of_death(run, 1, SILENCE + 5)
    check(time.monotonic() - began < 2, "the death of the server was told late")
    b.serve()
    ready(a)
    world.check_once()


def bridge_dies(world):
    """Of the bridge that works on calls, and of the one whose callers wait."""
    a, b = world.host("a"), world.host("b")
    b.serve("--busy", 900000, "--threads", 4)
    ready(a)

    def ask():
        before = b.executed()
        run = a.ask(4, "--threads", 4, "--lenient")
        soon(lambda: b.executed() >= before + 4, "the calls are out")
        time.sleep(0.2 * random.random())
        return run

    run = ask()
    b.bridge.kill()
    told_of_death(run, 4, SILENCE + 3)
    b.start_bridge()
    ready(a)
    run = ask()
    b.bridge.kill()
    b.start_bridge()  # which is told from the one before
    told_of_death(run, 4, SILENCE - 3)
    ready(a)
    run = ask()
    a.bridge.kill()
    told_of_death(run, 4, 5)
    a.start_bridge()
    ready(a)
    world.check_once()


def nats_dies(world):
    """kill -9 of the server in the middle. It comes back, and calls go on."""
    a, b = world.host("a"), world.host("b")
    b.serve("--busy", 20000, "--threads", 4)
    ready(a)
    run = a.ask(200, "--threads", 6, "--lenient")
    time.sleep(0.3 + 0.3 * random.random())
    world.server.kill()
    world.server.wait()
    time.sleep(0.5)
    world.start_server()
    finish(run, 40)
    world.check_once()
    check(list(world.results().values()).count("ok") > 100, "hardly any call was answered")


def short_cut(world):
    """Nothing passes for 3 s. No call is lost, because nobody counts as dead so soon."""
    a, b = world.host("a"), world.host("b")
    b.serve("--busy", 100000, "--threads", 4)
    ready(a)
    run = a.ask(40, "--threads", 4)
    time.sleep(0.3)
    world.server.send_signal(signal.SIGSTOP)
    time.sleep(3)
    world.server.send_signal(signal.SIGCONT)
    finish(run, 30)
    world.check_once()


def long_cut(world):
    """Nothing passes for longer than the silence that is allowed. The callers are told."""
    a, b = world.host("a"), world.host("b")
    b.serve("--busy", 800000, "--threads", 4)
    ready(a)
    run = a.ask(4, "--threads", 4, "--lenient")
    soon(lambda: b.executed() >= 5, "the calls are out")
    world.server.send_signal(signal.SIGSTOP)
    told_of_death(run, 4, SILENCE + 3)
    world.server.send_signal(signal.SIGCONT)
    time.sleep(0.5)
    ready(a)
    world.check_once()


def callers_leave(world):
    """Callers that are killed, or that ask something else, hold nothing, here and there."""
    a, b = world.host("a"), world.host("b")
    b.serve("--busy", 300000, "--threads", 2)
    ready(a)
    b.serve("--busy", 9000000, "--threads", 12)
    run = a.ask(8, "--threads", 8)
    soon(lambda: b.peers()[0] >= 6, "the calls are out")
    run.kill()
    soon(lambda: a.peers()[1] <= 1 and b.peers()[0] <= 1, "places are given back")
    run = a.ask(16, "--threads", 8, "--wait", 300, "--lenient")
    finish(run, 5)
    soon(lambda: a.peers()[1] <= 1 and b.peers()[0] <= 1, "places are given back")
    b.serve("--threads", 4)
    finish(a.ask(200, "--threads", 8), 30)
    world.check_once()


def local_server(world):
    """A server that comes here takes what is asked from then on; what is out comes back."""
    a, b = world.host("a"), world.host("b")
    b.serve("--busy", 400000, "--threads", 4)
    ready(a)
    run = a.ask(4, "--threads", 4)
    soon(lambda: b.executed() >= 5, "the calls are out")
    a.serve()
    time.sleep(0.3)
    finish(a.ask(50, "--wait", 3000), 10)
    finish(run, 10)
    world.check_once()
    check(a.executed() == 50, f"{a.executed()} of 50 were answered here")
    check(b.executed() == 5, "what was out went elsewhere")


def other_host(world):
    """All of host b dies. Host c answers."""
    a, b, c = (world.host(name) for name in "abc")
    server = b.serve("--busy", 20000)
    c.serve("--busy", 20000)
    ready(a, b, c)
    run = a.ask(100, "--threads", 4, "--lenient")
    time.sleep(0.4)
    b.bridge.kill()
    server.kill()
    finish(run, 40)
    world.check_once()
    results = list(world.results().values())
    check(results.count("ok") >= 85, f"{collections.Counter(results)}")


def taken_again(world):
    """Host b takes requests, and gives them back when its server has died. Then c takes them: from
    then on it does not matter to them what becomes of b."""
    a, b, c = (world.host(name) for name in "abc")
    c.peers()  # makes the channel there, with more places than it gets here
    quick = b.serve("--peers", 8)
    ready(a)
    quick.kill()
    quick.wait()
    before = b.executed()
    server = b.serve("--busy", 30000000)  # there is room for few; the others wait in the bridge
    run = a.ask(12, "--threads", 12, "--lenient", "--wait", 20000)
    soon(lambda: b.executed() > before, "the calls are out")
    time.sleep(0.3)
    server.kill()
    c.serve("--busy", 3000000, "--threads", 12)
    soon(lambda: c.executed() >= 7, "what was given back is worked on elsewhere")
    time.sleep(0.3)
    stop(b.bridge, 8)
    finish(run, 10)
    world.check_once()
    # Half of the places at b are the bridge's: four calls were already in the channel there.
    results = list(world.results().values())
    check(results.count("ok") >= 8, f"{collections.Counter(results)}")  # with that of `ready`


def too_large(world):
    """What the server of NATS does not take, in either direction, is refused and said, and the next
    call is as good as ever."""
    a, b = world.host("a"), world.host("b")
    large = ("--capacity", 2 << 20)
    b.serve("--threads", 2, *large)
    finish(a.ask(1, "--wait", 20000, *large), 25)
    for more in (("--reply", 1500000), ("--size", 1500000)):
        finish(a.ask(2, "--threads", 2, *large, *more), 5, code=1)
        finish(a.ask(20, "--threads", 2, "--size", 900000, "--reply", 900000, *large), 20)
    world.check_once()
    results = list(world.results().values())
    check(results.count("refused") == 4 and results.count("ok") == 41, f"{results}")
    logs = "".join(open(os.path.join(world.place, f"bridge-{name}.log")).read() for name in "ab")
    check("call-too-large" in logs and "call-reply-too-large" in logs, "the log says nothing")


def ends_in_order(world):
    """SIGTERM while calls are out: short ones still get their reply, the others are told; also when
    the server does not answer."""
    a, b = world.host("a"), world.host("b")

    def ask(count):
        before = b.executed()
        run = a.ask(count, "--threads", count, "--lenient")
        soon(lambda: b.executed() >= before + count, "the calls are out")
        return run

    b.serve("--busy", 700000, "--threads", 4)
    ready(a)
    run = ask(4)
    stop(a.bridge, 8)
    finish(run, 2)
    a.start_bridge()
    ready(a)
    run = ask(4)
    stop(b.bridge, 8)
    check(not finish(run, 2).startswith("0 answered"), "replies did not come in the last second")
    b.serve("--busy", 5000000, "--threads", 4)
    b.start_bridge()
    ready(a)
    run = ask(8)
    stop(b.bridge, 8)
    finish(run, 2)
    check("died" in world.results().values(), f"{world.results()}")
    b.start_bridge()
    ready(a)
    run = ask(8)
    world.server.send_signal(signal.SIGSTOP)
    stop(b.bridge, 12)
    stop(a.bridge, 12)
    finish(run, 2)
    world.check_once()


def storm(world):
    """Everything in between is killed or stopped, again and again, while callers ask."""
    a, b, c = (world.host(name) for name in "abc")
    servers = {b: b.serve("--threads", 3, "--busy", 3000), c: c.serve("--threads", 3)}
    ready(a, b, c)
    end = time.monotonic() + 20
    run = None
    while time.monotonic() < end:
        if run is None or run.poll() is not None:
            if run is not None:
                finish(run, 1)
            run = a.ask(2000, "--threads", 6, "--lenient", "--wait", 9000)
        time.sleep(0.7 * random.random())
        what, host = random.choice(("bridge", "bridge", "server", "nats", "stop")), \
            random.choice((a, b, c))
        if what == "bridge":
            host.bridge.kill()
            host.bridge.wait()
            time.sleep(0.3 * random.random())
            host.start_bridge()
        elif what == "server" and host in servers:
            servers[host].kill()
            servers[host].wait()
            servers[host] = host.serve("--threads", 3)
        elif what == "nats":
            world.server.kill()
            world.server.wait()
            time.sleep(0.3 * random.random())
            world.start_server()
        elif what == "stop":
            world.server.send_signal(signal.SIGSTOP)
            time.sleep(random.random())
            world.server.send_signal(signal.SIGCONT)
    finish(run, 120)
    ready(a)
    world.check_once()
    results = collections.Counter(world.results().values())
    check(results["ok"] > 500 and set(results) <= {"ok", "died", "late"}, f"{results}")
    print(f"storm: {dict(results)}")


SCENES = [answers, server_dies, bridge_dies, nats_dies, short_cut, long_cut, callers_leave,
          local_server, other_host, taken_again, too_large, ends_in_order, storm]
SHORT = ["answers", "server_dies", "nats_dies", "callers_leave", "local_server", "taken_again"]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("bridge")
    parser.add_argument("peer")
    parser.add_argument("scenes", nargs="*")
    parser.add_argument("--all", action="store_true")
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--seed", type=int, default=int.from_bytes(os.urandom(4), "little"))
    options = parser.parse_args()
    if not shutil.which("nats-server"):
        print("skipped: there is no nats-server")
        return 77
    random.seed(options.seed)
    wanted = options.scenes or ([s.__name__ for s in SCENES] if options.all else SHORT)
    for round_number in range(options.rounds):
        for scene in SCENES:
            if scene.__name__ not in wanted:
                continue
            began = time.monotonic()
            world = World(options)
            failed = True
            try:
                scene(world)
                failed = False
            except Failure as failure:
                print(f"{scene.__name__}: {failure} (--seed {options.seed})", file=sys.stderr)
            finally:
                world.end(failed)
            if failed:
                return 1
            print(f"{scene.__name__}: {time.monotonic() - began:.1f} s", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
