#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""roundtrip.py - how long Python processes take to tell each other something.

    PYTHONPATH=build/default/python python3 bench/python/roundtrip.py [--rounds 7] [--json]

`round trip`  64 bytes to another process and back: a stream of Madang, multiprocessing.Pipe and
              Queue, pyzmq (PAIR over ipc). All in one run, in turn, so that they meet the same
              machine. Each round is one second or less; the table has the median, the fastest and
              the slowest round.
`hand-over`   an array of 100 MB, from the moment when one process has it in shared memory to the
              moment when the other has it as a numpy array and has read its first and last number.

What is missing (pyzmq, numpy) is left out. No part of the tests.
"""

import argparse
import json
import multiprocessing
import os
import platform
import shutil
import statistics
import sys
import tempfile
import time

try:
    import madang
    from madang.shared_memory import SharedMemory
except ImportError as missing:
    sys.exit(f"roundtrip.py: {missing}: build the target madang_python, and set "
             "PYTHONPATH=build/default/python")

MESSAGE = b"x" * 64
END = b""
ARRAY = 100_000_000  # bytes


def answer(receive, send):
    """The other process."""
    while True:
        data = receive()
        if not data:
            return
        send(data)


class Stream:
    """Two streams of Madang."""

    name = "madang stream"

    def there(self):
        with madang.Listener("to") as to, madang.Talker("back") as back:
            answer(to.receive, back.send)

    def here(self):
        self.talker, self.listener = madang.Talker("to"), madang.Listener("back")
        return self.talker.send, self.listener.receive

    def close(self):
        self.talker.close()
        self.listener.close()


class PipeBytes:
    """multiprocessing.Pipe, with send_bytes."""

    name = "Pipe, send_bytes"

    def __init__(self):
        self.mine, self.its = multiprocessing.Pipe()

    def there(self):
        answer(self.its.recv_bytes, self.its.send_bytes)

    def here(self):
        return self.mine.send_bytes, self.mine.recv_bytes

    def close(self):
        self.mine.close()
        self.its.close()


class PipeObjects(PipeBytes):
    """multiprocessing.Pipe, with send, which pickles."""

    name = "Pipe, send"

    def there(self):
        answer(self.its.recv, self.its.send)

    def here(self):
        return self.mine.send, self.mine.recv


class Queue:
    """Two of multiprocessing.Queue."""

    name = "Queue"

    def __init__(self):
        self.to, self.back = multiprocessing.Queue(), multiprocessing.Queue()

    def there(self):
        answer(self.to.get, self.back.put)

    def here(self):
        return self.to.put, self.back.get

    def close(self):
        self.to.close()
        self.back.close()


class Zmq:
    """pyzmq: a PAIR of sockets over ipc."""

    name = "pyzmq PAIR, ipc"

    def __init__(self):
        import zmq
        self.zmq = zmq
        self.address = f"ipc://{os.environ['MADANG_NAMESPACE']}.zmq"

    def there(self):
        with self.zmq.Context() as context, context.socket(self.zmq.PAIR) as socket:
            socket.connect(self.address)
            answer(socket.recv, socket.send)

    def here(self):
        self.context = self.zmq.Context()
        self.socket = self.context.socket(self.zmq.PAIR)
        self.socket.bind(self.address)
        return self.socket.send, self.socket.recv

    def close(self):
        self.socket.close()
        self.context.term()


def one_round(way, seconds):
    """Microseconds of a round trip."""
    other = multiprocessing.get_context("fork").Process(target=way.there, daemon=True)
    other.start()
    send, receive = way.here()

    def trips(count):
        begin = time.perf_counter()
        for _ in range(count):
            send(MESSAGE)
            receive()
        return time.perf_counter() - begin

    trips(100)
    count = max(100, int(200 * seconds / max(trips(200), 1e-9)))
    taken = trips(count)
    send(END)
    other.join()
    way.close()
    return taken / count * 1e6


def hand_over(numpy, rounds):
    """Milliseconds until another process has an array."""
    found = []
    for _ in range(rounds):
        done, mine = multiprocessing.Pipe()

        def receive():
            with madang.Listener("arrays") as arrays:
                mine.send("ready")
                block = SharedMemory(arrays.receive().decode())
                array = numpy.frombuffer(block.buf, dtype="f8")
                ends = array[0] + array[-1]
                moment = time.monotonic_ns()
                mine.send((float(ends), array.nbytes, moment))
                del array
                block.close()

        other = multiprocessing.get_context("fork").Process(target=receive, daemon=True)
        other.start()
        block = SharedMemory(create=True, size=ARRAY)
        array = numpy.frombuffer(block.buf, dtype="f8")
        array[:] = 1.5
        done.recv()
        with madang.Talker("arrays") as arrays:
            begin = time.monotonic_ns()
            arrays.send(block.name.encode())
            ends, size, moment = done.recv()
        assert (ends, size) == (3.0, ARRAY)
        other.join()
        del array
        block.close()
        block.unlink()
        found.append((moment - begin) / 1e6)
    return found


def spread(values):
    return {"median": statistics.median(values), "fastest": min(values), "slowest": max(values)}


def measure(options):
    ways = [Stream, PipeBytes, PipeObjects, Queue]
    try:
        import zmq  # noqa: F401
        ways.append(Zmq)
    except ImportError:
        print("pyzmq is left out (Debian: python3-zmq)", file=sys.stderr)
    found = {way.name: [] for way in ways}
    for number in range(options.rounds):
        for way in ways:
            if sys.stderr.isatty():
                print(f"\rround {number + 1} of {options.rounds}: {way.name:20}", end="",
                      file=sys.stderr, flush=True)
            found[way.name].append(one_round(way(), options.seconds))
    if sys.stderr.isatty():
        print("\r" + " " * 50 + "\r", end="", file=sys.stderr)
    result = {"round trip": {name: spread(values) for name, values in found.items()}}
    try:
        import numpy
        result["hand-over"] = spread(hand_over(numpy, options.rounds))
    except ImportError:
        print("numpy is left out (Debian: python3-numpy)", file=sys.stderr)
    return result


def report(result):
    print(f"{platform.node()}, {os.cpu_count()} processors, Linux {platform.release()}, "
          f"CPython {platform.python_version()}, Madang {madang.library_version()}\n")
    print(f"64 bytes there and back, µs    {'median':>9}{'fastest':>9}{'slowest':>9}   as Pipe")
    pipe = result["round trip"]["Pipe, send_bytes"]["median"]
    for name, times in result["round trip"].items():
        print(f"  {name:<29}" + "".join(f"{times[key]:9.2f}" for key in times) +
              f"{pipe / times['median']:9.1f}x")
    if "hand-over" in result:
        times = result["hand-over"]
        print("\n100 MB as a numpy array, ms\n  madang.shared_memory         " +
              "".join(f"{times[key]:9.3f}" for key in times))


def main():
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=7, help="rounds of each way; default 7")
    parser.add_argument("--seconds", type=float, default=0.5, help="of a round; default 0.5")
    parser.add_argument("--json", action="store_true", help="as JSON")
    options = parser.parse_args()
    if options.rounds < 1 or not 0 < options.seconds <= 60:
        parser.error("--rounds is at least 1, --seconds more than 0 and at most 60")
    directory = tempfile.mkdtemp(prefix="madang-bench-",
                                 dir="/dev/shm" if os.access("/dev/shm", os.W_OK) else None)
    os.environ["MADANG_NAMESPACE"] = os.path.join(directory, "ns")
    try:
        result = measure(options)
    except KeyboardInterrupt:
        sys.exit(130)
    finally:
        shutil.rmtree(directory, ignore_errors=True)
    if options.json:
        print(json.dumps(result, indent=2))
    else:
        report(result)


if __name__ == "__main__":
    main()
