#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""sysvipc.py - Python programs share memory through the module sysv_ipc.

The module is an extension that the interpreter loads with dlopen, after its
start: a preload has to reach it there. Goes through making and finding, bytes
both ways between a parent and its forked child, an unrelated process that
knows only the id, exact counts, owners and modes, and removal.
"""

import os
import signal
import subprocess
import sys
import tempfile

import sysv_ipc

failures = 0


def equal(what, wanted, got):
    global failures
    if wanted == got:
        print("holds:", what)
    else:
        failures += 1
        print(f"does not hold: {what}: wanted {wanted!r}, got {got!r}", file=sys.stderr)


def fails(what, kind, function, *arguments, **named):
    global failures
    try:
        function(*arguments, **named)
    except kind:
        print("holds:", what, "raises", kind.__name__)
        return
    except Exception as other:
        print(f"{what}: {other!r}", file=sys.stderr)
    failures += 1
    print(f"does not hold: {what} raises {kind.__name__}", file=sys.stderr)


def fresh(key):
    """What a segment looks like that was just made and attached once."""
    memory = sysv_ipc.SharedMemory(key, sysv_ipc.IPC_CREX, mode=0o640, size=5000)
    equal("key", key, memory.key)
    equal("size", 5000, memory.size)
    equal("mode", 0o640, memory.mode)
    equal("attachments", 1, memory.number_attached)
    equal("creator", os.getpid(), memory.creator_pid)
    equal("last process", os.getpid(), memory.last_pid)
    equal("owners", (os.geteuid(), os.getegid()) * 2,
          (memory.uid, memory.gid, memory.cuid, memory.cgid))
    equal("no detach yet", 0, memory.last_detach_time)
    fails("making it again", sysv_ipc.ExistentialError,
          sysv_ipc.SharedMemory, key, sysv_ipc.IPC_CREX, size=5000)
    fails("finding it larger", ValueError, sysv_ipc.SharedMemory, key, 0, size=5001)
    return memory


def forked_child(memory):
    """A child counts from fork to its end, and sees the same bytes."""
    to_child, child_end = os.pipe(), os.pipe()
    child = os.fork()
    if child == 0:
        os.close(to_child[1])
        os.read(to_child[0], 1)
        heard = memory.read(5)
        memory.write(b"child:" + heard, offset=4000)
        memory.detach()
        os.write(child_end[1], b".")
        os.read(to_child[0], 1)
        os._exit(0)
    equal("attachments after fork", 2, memory.number_attached)
    memory.write(b"hello")
    os.write(to_child[1], b".")
    os.read(child_end[0], 1)
    equal("the child's bytes", b"child:hello", memory.read(11, 4000))
    equal("attachments after its detach", 1, memory.number_attached)
    equal("who detached", child, memory.last_pid)
    os.close(to_child[1])
    equal("the child's end", (child, 0), os.waitpid(child, 0))
    for descriptor in (to_child[0], *child_end):
        os.close(descriptor)


STRANGER = """
import sys, sysv_ipc
memory = sysv_ipc.attach(int(sys.argv[1]))
memory.write(b"stranger", 100)
print(memory.number_attached, flush=True)
sys.stdin.readline()
"""


def stranger(memory):
    """A process that was told the id; it is killed while it is attached."""
    other = subprocess.Popen([sys.executable, "-c", STRANGER, str(memory.id)],
                             stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    equal("attachments that a stranger sees", b"2\n", other.stdout.readline())
    equal("attachments beside a stranger", 2, memory.number_attached)
    equal("the stranger's bytes", b"stranger", memory.read(8, 100))
    other.send_signal(signal.SIGKILL)
    other.wait()
    equal("attachments after its death", 1, memory.number_attached)
    other.stdin.close()
    other.stdout.close()


def change_and_remove(memory):
    memory.mode = 0o600
    equal("the new mode", 0o600, memory.mode)
    second = sysv_ipc.SharedMemory(memory.key)
    equal("the same segment", memory.id, second.id)
    equal("attachments of one process", 2, memory.number_attached)
    memory.remove()
    fails("finding it removed", sysv_ipc.ExistentialError, sysv_ipc.SharedMemory, memory.key)
    equal("its bytes are still there", b"stranger", second.read(8, 100))
    identifier = memory.id
    memory.detach()
    equal("attachments of the removed one", 1, second.number_attached)
    second.detach()
    fails("attaching it when it is gone", ValueError, sysv_ipc.attach, identifier)


def main():
    with tempfile.NamedTemporaryFile() as file:
        about = os.stat(file.name)
        key = sysv_ipc.ftok(file.name, 7, silence_warning=True)
        equal("ftok", (about.st_ino & 0xFFFF) | (about.st_dev & 0xFF) << 16 | 7 << 24, key)
        memory = fresh(key)
        try:
            forked_child(memory)
            stranger(memory)
            change_and_remove(memory)
        finally:
            try:
                sysv_ipc.remove_shared_memory(memory.id)
            except sysv_ipc.ExistentialError:
                pass
    with open("/proc/sysvipc/shm", encoding="ascii") as table:
        ours = [row for row in table if row.split()[1] == str(memory.id)]
    equal("rows left in the table", [], ours)
    return 1 if failures else 0


sys.exit(main())
