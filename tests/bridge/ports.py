# SPDX-License-Identifier: MIT
"""ports.py - free ports of the loopback, for the servers that the tests of the bridge start, and a
gate on the way to a server."""
import itertools
import random
import socket
import threading
import time


TAKEN = []  # as long as this process lives


def take(port):
    """Whether nobody uses the port; then no other test gets it. The kernel frees such a name when
    the process ends."""
    name, probe = socket.socket(socket.AF_UNIX), socket.socket()
    try:
        name.bind(f"\0madang-test-port-{port}")
        probe.bind(("127.0.0.1", port))
    except OSError:
        name.close()
        return False
    finally:
        probe.close()
    TAKEN.append(name)
    return True


def free_ports(count):
    """So many different ones, and none that the kernel gives to those who connect: a server that
    is started again has its port again."""
    some = (port for port in random.sample(range(10000, 32000), 22000) if take(port))
    return list(itertools.islice(some, count))


def answers(port, seconds):
    """Whether somebody listens there before so many seconds are over."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return True
        except OSError:
            time.sleep(0.02)
    return False


class Gate:
    """Passes connections on to a port. What the server says is thrown away while `mute` is set."""

    def __init__(self, port):
        self.port, self.mute, self.pairs = port, False, []
        self.door = socket.create_server(("127.0.0.1", 0))
        self.url = f"nats://127.0.0.1:{self.door.getsockname()[1]}"
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            client, _ = self.door.accept()
            try:
                server = socket.create_connection(("127.0.0.1", self.port), 5)
            except OSError:
                client.close()
                continue
            server.settimeout(None)
            self.pairs.append((client, server))
            for pair in ((client, server, False), (server, client, True)):
                threading.Thread(target=self.pump, args=pair, daemon=True).start()

    def pump(self, source, sink, may_mute):
        try:
            while data := source.recv(65536):
                if not (may_mute and self.mute):
                    sink.sendall(data)
        except OSError:
            pass
        for end in (source, sink) if not self.mute else (source,):
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def cut(self):
        """Ends all connections, and passes everything on that comes then."""
        self.mute = False
        for pair in self.pairs:
            for end in pair:
                try:
                    end.shutdown(socket.SHUT_RDWR)
                except OSError:
                    pass
        self.pairs.clear()
