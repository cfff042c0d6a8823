#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""wire.py PORT SERVER-PORT: what lies between a host and its server, for world.py.

A cut that stalls is SIGSTOP: nothing passes, and nobody is told. SIGUSR1 resets all connections and
each new one, until SIGUSR2. What was on its way then is gone.
"""
import selectors
import signal
import socket
import struct
import sys

chosen, other, down = selectors.DefaultSelector(), {}, False


def end(one, reset=False):
    for each in (one, other.pop(one, None)):
        if each is not None and each.fileno() >= 0:
            other.pop(each, None)
            chosen.unregister(each)
            if reset:
                each.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            each.close()


def cut(*_):
    global down
    down = True
    while other:
        end(next(iter(other)), reset=True)


def heal(*_):
    global down
    down = False


def accept(listener, server):
    near = listener.accept()[0]
    try:
        if down:
            near.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            raise ConnectionError
        far = socket.create_connection(("127.0.0.1", server))
    except OSError:
        near.close()
        return
    for one, another in ((near, far), (far, near)):
        one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        other[one] = another
        chosen.register(one, selectors.EVENT_READ)


def main(port, server):
    listener = socket.create_server(("127.0.0.1", port))
    chosen.register(listener, selectors.EVENT_READ)
    signal.signal(signal.SIGUSR1, cut)
    signal.signal(signal.SIGUSR2, heal)
    while True:
        for key, _ in chosen.select():
            one = key.fileobj
            try:
                if one is listener:
                    accept(listener, server)
                elif one in other:
                    data = one.recv(262144)
                    if data:
                        other[one].sendall(data)
                    else:
                        end(one)
            except (OSError, KeyError):
                end(one)


main(int(sys.argv[1]), int(sys.argv[2]))
