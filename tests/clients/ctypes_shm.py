#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""ctypes_shm.py - Python calls the C library's functions by looking them up in it.

ctypes opens "libc.so.6" by its name and asks it for shmget: past a preload, unless
that knows of it. So do the bridges of most other languages. Goes through both ways
of opening (by name, and None for the whole program), bytes between a parent and a
child, errno, and the counts that another program sees.
"""

import ctypes
import ctypes.util
import os
import signal

IPC_PRIVATE, IPC_RMID, IPC_CREAT, IPC_EXCL = 0, 0, 0o1000, 0o2000


def bind(libc):
    libc.shmget.argtypes = (ctypes.c_int, ctypes.c_size_t, ctypes.c_int)
    libc.shmat.argtypes = (ctypes.c_int, ctypes.c_void_p, ctypes.c_int)
    libc.shmat.restype = ctypes.c_void_p
    libc.shmdt.argtypes = (ctypes.c_void_p,)
    libc.shmctl.argtypes = (ctypes.c_int, ctypes.c_int, ctypes.c_void_p)
    return libc


def row(identifier):
    with open("/proc/sysvipc/shm", encoding="ascii") as table:
        rows = [line.split() for line in table][1:]
    return [f"{r[2]} {r[3]} {r[6]}" for r in rows if int(r[1]) == identifier]


def use(libc, name):
    identifier = libc.shmget(IPC_PRIVATE, 5000, IPC_CREAT | 0o640)
    print(name, "made:", identifier >= 0, row(identifier))
    address = libc.shmat(identifier, None, 0)
    print(name, "attached:", address not in (None, ctypes.c_void_p(-1).value), row(identifier))
    memory = (ctypes.c_char * 5000).from_address(address)
    memory[:5] = b"hello"
    ready, go = os.pipe(), os.pipe()
    child = os.fork()
    if child == 0:
        memory[100:105] = memory[:5]
        os.write(ready[1], b".")
        os.read(go[0], 1)
    os.read(ready[0], 1)
    print(name, "with a child:", memory[100:105], row(identifier))
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    print(name, "without it:", row(identifier))
    print(name, "removed:", libc.shmctl(identifier, IPC_RMID, None), row(identifier))
    print(name, "detached:", libc.shmdt(address), row(identifier))
    print(name, "detached again:", libc.shmdt(address), os.strerror(ctypes.get_errno()))
    print(name, "made twice:", libc.shmget(0x4D444E47, 10, IPC_CREAT | IPC_EXCL | 0o600) >= 0,
          libc.shmget(0x4D444E47, 10, IPC_CREAT | IPC_EXCL | 0o600), os.strerror(ctypes.get_errno()))
    print(name, "removed:", libc.shmctl(libc.shmget(0x4D444E47, 0, 0), IPC_RMID, None))


use(bind(ctypes.CDLL(None, use_errno=True)), "program")
use(bind(ctypes.CDLL(ctypes.util.find_library("c"), use_errno=True)), "library")
