#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""faults.py BRIDGE PEER [--scene NAME]... [--all] [--faults N] [--count N] [--seed N]

Streams and topics over two hosts, which are two namespaces, with real servers and real deaths.
The listener's ledger tells what it was given. Each number has to be there, in order. A number that
is there again was marked MDG_REDELIVERED, and a listener had died. Nobody ends by itself, but the
talker and the listener when they are done. A fault is something that was alive and was killed.

Without --all only the scenes of SHORT are played, and fewer faults happen.
Exit 0, 1, or 77: there is no nats-server.
"""
import argparse
import os
import random
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import time

sys.dont_write_bytecode = True
from ports import answers, free_ports  # noqa: E402


PROXY = """
import selectors, socket, sys
listener = socket.create_server(("127.0.0.1", int(sys.argv[1])))
chosen, other = selectors.DefaultSelector(), {}
chosen.register(listener, selectors.EVENT_READ)
def end(one):
    for each in (one, other.pop(one, None)):
        if each is not None and each.fileno() >= 0:
            other.pop(each, None); chosen.unregister(each); each.close()
while True:
    for key, _ in chosen.select():
        one = key.fileobj
        try:
            if one is listener:
                near = listener.accept()[0]
                try:
                    far = socket.create_connection(("127.0.0.1", int(sys.argv[2])))
                except OSError:
                    near.close(); continue
                other[near], other[far] = far, near
                for each in (near, far): chosen.register(each, selectors.EVENT_READ)
            elif one in other:
                data = one.recv(65536)
                other[one].sendall(data) if data else end(one)
        except OSError:
            end(one)
"""


class World:
    """Servers, two hosts `a` and `b`, and a channel with a talker on `a` and a listener on `b`."""

    def __init__(self, options, kind, *, servers=1, disk=None, proxy=False, clocks=False):
        self.options, self.kind, self.disk, self.clocks = options, kind, disk, clocks
        self.place = tempfile.mkdtemp(prefix="madang-faults-", dir="/dev/shm")
        self.running, self.count, self.pause, self.problems = {}, 0, 0, []
        self.listeners_killed = 0
        self.ports = free_ports(2 * servers + 1)
        self.servers = [f"server{i}" for i in range(servers)]
        self.proxy = self.ports[-1] if proxy else None
        if disk:
            self.start("disk")
            time.sleep(0.5)
        for server in self.servers:
            self.start(server)
        if proxy:
            self.start("proxy")
        for host in "ab":
            os.mkdir(f"{self.place}/{host}", 0o700)
        self.await_servers()

    def server_command(self, number):
        name, count = f"server{number}", len(self.servers)
        store = f"{self.place}/{name}"
        os.makedirs(store, exist_ok=True)
        routes = ", ".join(f'"nats://127.0.0.1:{self.ports[count + i]}"' for i in range(count))
        cluster = (f'cluster {{ name: c, listen: "127.0.0.1:{self.ports[count + number]}", '
                   f"routes: [{routes}] }}\n") if count > 1 else ""
        with open(f"{self.place}/{name}.conf", "w") as conf:
            conf.write(f'server_name: {name}\nlisten: "127.0.0.1:{self.ports[number]}"\n'
                       f'jetstream {{ store_dir: "{store}", max_file_store: 8GB }}\n'
                       f'log_file: "{self.place}/{name}.log"\n{cluster}')
        command = ["nats-server", "-c", f"{self.place}/{name}.conf"]
        return self.on_disk(*command) if self.disk else command

    def disk_command(self):
        """The first server's disk, in a mount namespace of its own, as long as this lives."""
        store = f"{self.place}/server0"
        os.makedirs(store, exist_ok=True)
        mount = f'mount -t tmpfs -o size={self.disk} none "{store}" && exec sleep 1000'
        return ["unshare", "-m", "sh", "-c", mount]

    def on_disk(self, *command):
        return ["nsenter", "-m", "-t", str(self.running["disk"].pid), *command]

    def grow_disk(self, size):
        subprocess.check_call(self.on_disk("mount", "-o", f"remount,size={size}",
                                           f"{self.place}/server0"))

    def bridge_command(self, host):
        port = self.proxy if self.proxy and host == "b" else None
        count = len(self.servers)
        url = ",".join(f"nats://127.0.0.1:{p}" for p in ([port] if port else self.ports[:count]))
        command = [self.options.bridge, "--url", url, "--host", host, "--replicas", str(count),
                   "--namespace", f"{self.place}/{host}", "--channel", "news",
                   "--direction", "out" if host == "a" else "in"]
        if self.clocks:
            command = ["faketime", "-f", "+60s" if host == "a" else "-60s", *command]
        return command

    def command(self, name):
        if name.startswith("server"):
            return self.server_command(int(name[6:]))
        if name == "disk":
            return self.disk_command()
        if name.startswith("bridge"):
            return self.bridge_command(name[-1])
        if name == "proxy":
            return [sys.executable, "-c", PROXY, str(self.proxy), str(self.ports[0])]
        place = f"{self.place}/{'a' if name == 'talk' else 'b'}"
        last = str(self.pause) if name == "talk" else f"{self.place}/ledger"
        return [self.options.peer, name, place, "news", self.kind, str(self.count), last]

    def start(self, *names):
        for name in names:
            environment = dict(os.environ, FAKETIME_DONT_FAKE_MONOTONIC="1")
            with open(f"{self.place}/{name}.err", "a") as log:
                self.running[name] = subprocess.Popen(
                    self.command(name), stdin=subprocess.DEVNULL, stderr=log, env=environment,
                    start_new_session=True)

    def kill(self, name):
        """Kills with kill -9, also what it has started. False: it had ended before."""
        process = self.running[name]
        alive = process.poll() is None
        self.listeners_killed += alive and name == "listen"
        if not alive and not (process.returncode == 0 and name in ("talk", "listen")):
            self.problems.append(f"{name} had ended by itself: {process.returncode}")
        try:
            os.killpg(process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        process.wait()
        for left in (f"faketime_shm_{process.pid}", f"sem.faketime_sem_{process.pid}"):
            if os.path.exists(f"/dev/shm/{left}"):
                os.unlink(f"/dev/shm/{left}")
        return alive

    def again(self, *names):
        """Kills all of them, and starts them anew. How many lived."""
        killed = [self.kill(name) for name in names]
        self.start(*(name for name, lived in zip(names, killed)
                     if lived or name not in ("talk", "listen")))
        return sum(killed)

    def send_signal(self, name, which):
        os.killpg(self.running[name].pid, which)

    def await_servers(self):
        for port in self.ports[:len(self.servers)]:
            if not answers(port, 20):
                self.end()
                raise SystemExit("nats-server does not answer")

    def begin(self, count, pause=0):
        """All that lives on two hosts. The talker of a topic waits until the bridge listens."""
        self.count, self.pause = count, pause
        self.start("bridgea", "bridgeb", "listen")
        time.sleep(0.3)
        self.start("talk")

    def heard(self):
        """How many numbers the listener had, in order from 0; and what was wrong."""
        wanted, problems, lost = 0, [], 0
        try:
            with open(f"{self.place}/ledger", "rb") as ledger:
                data = ledger.read()
        except FileNotFoundError:
            return 0, [], 0
        for first, last, marked in struct.iter_unpack("QQQ", data[:len(data) // 24 * 24]):
            if first > wanted:
                lost += first - wanted
                print(f"  lost: {wanted} to {first - 1}")
            elif first < wanted and not self.listeners_killed:
                problems.append(f"{first} came again, and no listener had died")
            elif first + marked < min(wanted, last + 1):
                problems.append(f"{first + marked} came again, and was not marked")
            wanted = max(wanted, last + 1)
        return wanted, problems, lost

    def ended(self):
        return self.running["listen"].poll() is not None

    def check(self, seconds, may_lose=False):
        until = time.monotonic() + seconds
        while time.monotonic() < until and not self.ended():
            time.sleep(0.05)
        time.sleep(0.2)  # the talker, too
        wanted, problems, lost = self.heard()
        for name in ("talk", "listen"):
            code = self.running[name].poll()
            if code != 0:
                problems.append(f"{name} " + ("has not ended" if code is None else
                                              f"ended with {code}"))
        problems += self.problems
        problems += [f"{name} has ended by itself: {process.poll()}"
                     for name, process in self.running.items()
                     if name not in ("talk", "listen") and process.poll() is not None]
        if lost and not may_lose:
            problems.append(f"{lost} were lost")
        if wanted < self.count:
            problems.append(f"the listener had {wanted} of {self.count}")
        return problems

    def show(self):
        for name in sorted(os.listdir(self.place)):
            if name.endswith(".err"):
                with open(f"{self.place}/{name}") as log:
                    for line in log.readlines()[-12:]:
                        print(f"    {name}: {line}", end="")

    def end(self):
        for name in self.running:
            try:
                self.send_signal(name, signal.SIGCONT)
            except ProcessLookupError:
                pass
            self.kill(name)
        shutil.rmtree(self.place, ignore_errors=True)


# ---- scenes: each returns its problems, and how many faults there were ---------------------------

def storm(options, chance, kind, victims):
    world = World(options, kind)
    try:
        faults = 0
        world.begin(options.count, pause=options.pause)
        while faults < options.faults and not world.ended():
            time.sleep(chance.uniform(0.05, 0.4))
            faults += world.again(*chance.choice(victims).split())
        problems = world.check(300)
        if problems:
            world.show()
        return problems, faults
    finally:
        world.end()


def stream(options, chance):
    """kill -9 of everything, at random moments."""
    return storm(options, chance, "stream",
                 ["bridgea", "bridgeb", "server0", "talk", "listen", "bridgeb listen"])


def topic(options, chance):
    """The same for a topic; what a talker's or a listener's own death would lose lives."""
    return storm(options, chance, "topic", ["bridgeb", "server0"])


def play(options, kind, fault, *, may_lose=False, seconds=200, **more):
    world = World(options, kind, **more)
    try:
        faults = fault(world)
        problems = world.check(seconds, may_lose)
        if problems:
            world.show()
        return problems, faults
    finally:
        world.end()


def cuts(options, chance):
    """The far host's network is silent: for a moment, and until the connection is given up."""
    lengths = [0.5, 2, 12, 16] if options.all else [0.5, 1]

    def fault(world):
        world.begin(200_000, pause=500)
        for length in lengths:
            time.sleep(0.3)
            world.send_signal("proxy", signal.SIGSTOP)
            time.sleep(length)
            world.send_signal("proxy", signal.SIGCONT)
        return len(lengths)
    return play(options, "stream", fault, proxy=True)


def window(options, chance):
    """The near bridge dies with a pack in its hand, and comes back after the server's window."""
    def fault(world):
        world.begin(400_000, pause=200)
        time.sleep(0.5)
        world.send_signal("server0", signal.SIGSTOP)
        time.sleep(0.5)
        world.kill("bridgea")
        world.send_signal("server0", signal.SIGCONT)
        time.sleep(65)
        world.start("bridgea")
        return 2
    return play(options, "stream", fault)


def store_lost(options, chance):
    """The server loses its store. What it had and nobody had taken is lost; the rest goes on."""
    def fault(world):
        world.begin(300_000, pause=500)
        for _ in range(3):
            time.sleep(0.5)
            world.kill("server0")
            shutil.rmtree(f"{world.place}/server0")
            world.start("server0")
        return 3
    return play(options, "stream", fault, may_lose=True)


def full_disk(options, chance):
    """The disk under JetStream is full. JetStream stops by itself then, until it is started anew."""
    def fault(world):
        world.count = 100_000
        world.start("bridgea", "talk")
        time.sleep(4)
        if world.running["talk"].poll() is not None:
            raise SystemExit("the disk was never full")
        world.kill("server0")
        world.grow_disk("400m")
        world.start("server0", "bridgeb", "listen")
        return 1
    return play(options, "stream", fault, disk="4m")


def cluster(options, chance):
    """One of three servers dies, again and again, and has its store when it comes back."""
    rounds = 20 if options.all else 3

    def fault(world):
        time.sleep(3)
        world.begin(300_000, pause=1000)
        for _ in range(rounds):
            time.sleep(chance.uniform(0.5, 3))
            server = chance.choice(world.servers)
            world.kill(server)
            time.sleep(chance.uniform(0.1, 2))
            world.start(server)
        return rounds
    return play(options, "stream", fault, servers=3)


def clocks(options, chance):
    """The hosts' clocks are two minutes apart, and bridges die."""
    def fault(world):
        world.begin(200_000, pause=200)
        for victim in ("bridgea", "bridgeb"):
            time.sleep(0.4)
            world.again(victim)
        return 2
    return play(options, "stream", fault, clocks=True)


SHORT = [stream, topic]
LONG = [stream, topic, cuts, window, store_lost, full_disk, cluster, clocks]


def missing(scene):
    if scene is clocks and not shutil.which("faketime"):
        return "faketime is not installed"
    if scene is full_disk and subprocess.call(
            ["unshare", "-m", "true"], stderr=subprocess.DEVNULL) != 0:
        return "mounts of its own are not allowed here"
    return None


def main():
    parser = argparse.ArgumentParser(usage=__doc__)
    parser.add_argument("bridge"), parser.add_argument("peer")
    parser.add_argument("--scene", action="append")
    parser.add_argument("--all", action="store_true")
    parser.add_argument("--faults", type=int)
    parser.add_argument("--count", type=int)
    parser.add_argument("--pause", type=int)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1 << 30))
    options = parser.parse_args()
    if not shutil.which("nats-server"):
        print("skipped: there is no nats-server")
        return 77
    options.faults = options.faults or (250 if options.all else 8)
    options.count = options.count or (8_000_000 if options.all else 100_000)
    options.pause = 300 if options.pause is None else options.pause
    chance, failed = random.Random(options.seed), False
    scenes = [s for s in LONG if s.__name__ in options.scene] if options.scene else (
        LONG if options.all else SHORT)
    for scene in scenes:
        why = missing(scene)
        if why:
            print(f"{scene.__name__}: left out: {why}")
            continue
        began = time.monotonic()
        problems, faults = scene(options, chance)
        print(f"{scene.__name__}: {faults} faults, {time.monotonic() - began:.0f} s: "
              f"{'; '.join(problems) or 'good'}", flush=True)
        failed = failed or bool(problems)
    if failed:
        print(f"seed {options.seed}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
