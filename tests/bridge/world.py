# SPDX-License-Identifier: MIT
"""world.py - servers, two hosts with their bridges, and the programs of some kinds: for faults.py.

Host `a` talks, asks and commits, host `b` listens, answers and reads; of a queue, both work.
Processes have names: server0, disk, wirea, bridgea, and those that the kinds give to theirs.
"""
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time

from kinds import SILENCE
from ports import answers, free_ports

HERE = os.path.dirname(os.path.abspath(__file__))
ports_lock = threading.Lock()


class World:
    def __init__(self, options, kinds, *, servers=1, disk=None, wires=False, clocks=False,
                 pause=None):
        self.options, self.disk, self.wires, self.clocks = options, disk, wires, clocks
        self.pause = options.pause if pause is None else pause
        self.place = tempfile.mkdtemp(prefix="madang-faults-", dir="/dev/shm")
        self.enough = f"{self.place}/enough"
        self.running, self.problems, self.killed = {}, [], {}
        self.troubles = 0  # at most so many calls of each caller can be without a reply
        with ports_lock:
            self.ports = free_ports(2 * servers + 2)
        self.wire_ports = dict(zip("ab", self.ports[-2:]))
        self.servers = [f"server{i}" for i in range(servers)]
        for host in "ab":
            os.mkdir(f"{self.place}/{host}", 0o700)
        self.kinds = [kind(self) for kind in kinds]
        self.commands = {name: command for kind in self.kinds
                         for name, command in kind.commands().items()}
        self.start_all()

    # ---- what is started ------------------------------------------------------------------

    def start_all(self):
        try:
            if self.disk:
                self.start("disk")
                time.sleep(0.5)
            self.start(*self.servers)
            if self.wires:
                self.start("wirea", "wireb")
            for port in self.ports[:len(self.servers)]:
                if not answers(port, 20):
                    raise SystemExit("nats-server does not answer")
            if len(self.servers) > 1:
                time.sleep(3)  # they choose a leader
            for host in "ab":
                with open(f"{self.place}/{host}.rules", "w") as rules:
                    for kind in self.kinds:
                        rules.write(kind.rule(host))
            self.start("bridgea", "bridgeb", *self.commands)
        except BaseException:
            self.end()
            raise

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

    def disk_left(self):
        """Bytes that are free on it."""
        said = self.run(*self.on_disk("df", "--output=avail", "-B1", f"{self.place}/server0"))
        return int(said.split()[1])

    def bridge_command(self, host):
        count = len(self.servers)
        ports = [self.wire_ports[host]] if self.wires else self.ports[:count]
        command = [self.options.bridge, "--url", ",".join(f"nats://127.0.0.1:{p}" for p in ports),
                   "--host", host, "--replicas", str(count), "--namespace", f"{self.place}/{host}",
                   "--rules", f"{self.place}/{host}.rules"]
        for kind in self.kinds:
            command += kind.bridge_options(host)
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
        if name.startswith("wire"):
            return [sys.executable, f"{HERE}/wire.py", str(self.wire_ports[name[-1]]),
                    str(self.ports[0])]
        return self.commands[name](self.killed.get(name, 0))

    def start(self, *names):
        environment = dict(os.environ, FAKETIME_DONT_FAKE_MONOTONIC="1")
        for name in names:
            with open(f"{self.place}/{name}.err", "a") as log, \
                    open(f"{self.place}/{name}.out", "w") as out:
                self.running[name] = subprocess.Popen(
                    self.command(name), stdin=subprocess.DEVNULL, stdout=out, stderr=log,
                    env=environment, start_new_session=True)

    # ---- what happens to it ---------------------------------------------------------------

    def kill(self, name):
        """Kills with kill -9, also what it has started. False: it had ended before."""
        process = self.running[name]
        alive = process.poll() is None
        if not alive and not self.has_ended_well(name):
            self.problems.append(f"{name} had ended by itself: {process.returncode}")
        self.killed[name] = self.killed.get(name, 0) + alive
        self.troubles += alive
        try:
            os.killpg(process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        process.wait()
        for left in (f"faketime_shm_{process.pid}", f"sem.faketime_sem_{process.pid}"):
            if os.path.exists(f"/dev/shm/{left}"):
                os.unlink(f"/dev/shm/{left}")
        for kind in self.kinds:
            kind.was_killed(name)
        return alive

    def again(self, *names):
        """Kills all of them, and starts them anew. How many lived."""
        killed = sum([self.kill(name) for name in names])
        self.start(*names)
        return killed

    def send_signal(self, which, *names):
        for name in names:
            os.killpg(self.running[name].pid, which)

    def cut(self, host, how, seconds):
        """A cut `stall`s, `reset`s, or is silent at first and a reset in the end: `both`."""
        wire = f"wire{host}"
        self.troubles += 1 + seconds / SILENCE
        for kind in self.kinds:
            kind.is_cut(host, seconds)
        self.send_signal(signal.SIGUSR1 if how == "reset" else signal.SIGSTOP, wire)
        time.sleep(seconds)
        if how == "both":
            self.send_signal(signal.SIGUSR1, wire)
            self.send_signal(signal.SIGCONT, wire)
            time.sleep(0.2)
        self.send_signal(signal.SIGCONT if how == "stall" else signal.SIGUSR2, wire)

    def count_said(self, name, word):
        with open(f"{self.place}/{name}.err", errors="replace") as log:
            return log.read().count(word)

    def lose_store(self):
        """The only server dies with what it had. Each kind then knows what may be lost."""
        for kind in self.kinds:
            kind.before_loss()
        before = self.count_said("bridgea", " cut-off ")
        self.kill("server0")
        # What the server has acknowledged before is taken in, and is released.
        end = time.monotonic() + 10
        while self.count_said("bridgea", " cut-off ") == before and time.monotonic() < end:
            time.sleep(0.02)
        time.sleep(0.3)
        for kind in self.kinds:
            kind.after_loss()
        shutil.rmtree(f"{self.place}/server0")
        self.start("server0")

    # ---- what is asked in the end ----------------------------------------------------------

    def has_ended_well(self, name):
        return (name.startswith("talk-") and os.path.exists(self.enough) and
                self.running[name].poll() == 0)

    def ended(self):
        return [f"{name} has ended by itself: {process.poll()}"
                for name, process in self.running.items()
                if process.poll() is not None and not self.has_ended_well(name)]

    def until(self, question, seconds):
        end = time.monotonic() + seconds
        while time.monotonic() < end and not self.ended():
            if question():
                return True
            time.sleep(0.05)
        return question()

    def finish(self, seconds):
        """Something moves again in each kind; then enough is sent, and all of it has to come.
        Returns what was wrong, by kind."""
        for kind in self.kinds:
            kind.mark()
        for kind in self.kinds:
            if not self.until(kind.has_moved, seconds):
                self.problems.append(f"{kind.name}: nothing moves any more")
            kind.settle()
        open(self.enough, "w").close()
        talkers = [name for name in self.running if name.startswith("talk-")]
        self.until(lambda: all(map(self.has_ended_well, talkers)), seconds)
        for name in talkers:
            if not self.has_ended_well(name):
                self.problems.append(f"{name} does not end")
        for kind in self.kinds:
            self.until(kind.is_complete, seconds)
        time.sleep(0.5)  # nothing comes after the last one
        problems = {"": self.problems + self.ended()}
        for kind in self.kinds:
            problems[kind.name] = kind.verdict()
        return problems

    def printed(self, name):
        try:
            with open(f"{self.place}/{name}.out") as out:
                return int(out.read() or 0)
        except FileNotFoundError:
            return 0

    def run(self, *command):
        return subprocess.run(command, check=True, capture_output=True, text=True, timeout=30).stdout

    def logs(self):
        lines = []
        for name in sorted(os.listdir(self.place)):
            if name.endswith(".err"):
                with open(f"{self.place}/{name}", errors="replace") as log:
                    lines += [f"    {name[:-4]}: {line}" for line in log.readlines()[-12:]]
        return "".join(lines)

    def end(self):
        for name in self.running:
            try:
                self.send_signal(signal.SIGCONT, name)
            except ProcessLookupError:
                pass
            self.kill(name)
        if not self.options.keep:
            shutil.rmtree(self.place, ignore_errors=True)
