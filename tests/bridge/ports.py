# SPDX-License-Identifier: MIT
"""ports.py - free ports of the loopback, for the servers that the tests of the bridge start."""
import socket
import time


def free_ports(count):
    """So many different ones."""
    probes = [socket.socket() for _ in range(count)]
    for probe in probes:
        probe.bind(("127.0.0.1", 0))
    ports = [probe.getsockname()[1] for probe in probes]
    for probe in probes:
        probe.close()
    return ports


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
