# SPDX-License-Identifier: MIT
"""Madang: shared memory, locks that survive crashes, channels and a shared heap for processes.

    import madang

    with madang.Segment.create("weather", 4096) as weather:
        weather.buf[0:5] = b"sunny"

`Namespace`   the directory in which everything lies; `madang ls` shows what is there
`Segment`     shared memory with a name: memoryview, numpy without a copy
`Mutex`, `RWLock`, `Condition`, `Semaphore`, `Event`, `Barrier`, `Once`, `Cell`, `Transaction`
              lie in a segment, and survive the death of those who use them; `locks` shows who
              holds them and who waits
`Talker`, `Listener`, `Caller`, `Server`  channels: messages between processes, also in asyncio
`Heap`, `Map` blocks of memory that processes allocate and share; a dictionary of bytes
madang.shared_memory  in the place of multiprocessing.shared_memory, without what it leaks

Units are bytes and seconds. An argument that can never be right raises ValueError or TypeError; a
call that failed raises MadangError, which is an OSError (see madang.errors). docs/python.md of
Madang's documentation begins with examples.
"""

from ._madang import lib as _lib
from .calls import Caller, Request, Server
from .cells import Cell, Run, Transaction, Version
from .channel import Channel, ChannelInfo, Observer, Peer, PeerEvent, channels, remove_channel
from .errors import (AccessError, BrokenError, ClosedError, DamagedError, ExistsError, GoneError,
                     MadangError, NotFoundError, OwnerError, PeerDiedError, UnlikeError,
                     WaitTimeout, WouldBlockError, text as _text)
from .events import Barrier, Event, Met, Once, Semaphore, Turn
from .heap import Block, Heap, HeapFinding, HeapInfo, Place, Root, remove_heap
from .listener import HeldMessage, Listener, Message
from .locking import Condition, Mutex, OwnerDied, RWLock
from .map import Map, remove_map
from .namespace import (Finding, Namespace, NamespaceInfo, ProcessInfo, SegmentInfo,
                        default_path)
from .segment import Segment
from .sync import LockInfo, SyncState, Waiter, locks
from .talker import Reservation, Talker

__version__ = f"{_lib.MDG_VERSION_MAJOR}.{_lib.MDG_VERSION_MINOR}.{_lib.MDG_VERSION_PATCH}"


def library_version() -> str:
    """The version of libmadang that is in use. Source: mdg_version."""
    return _text(_lib.mdg_version())


__all__ = [
    "AccessError", "Barrier", "Block", "BrokenError", "Caller", "Cell", "Channel",
    "ChannelInfo", "ClosedError", "Condition", "DamagedError", "Event", "ExistsError",
    "Finding", "GoneError", "Heap", "HeapFinding", "HeapInfo", "HeldMessage", "Listener",
    "LockInfo", "MadangError", "Map", "Message", "Met", "Mutex", "Namespace", "NamespaceInfo",
    "NotFoundError", "Observer", "Once", "OwnerDied", "OwnerError", "Peer", "PeerDiedError",
    "PeerEvent", "Place", "ProcessInfo", "RWLock", "Request", "Reservation", "Root", "Run",
    "Segment", "SegmentInfo", "Semaphore", "Server", "SyncState", "Talker", "Transaction",
    "Turn", "UnlikeError", "Version", "WaitTimeout", "Waiter", "WouldBlockError", "channels",
    "default_path", "library_version", "locks", "remove_channel", "remove_heap", "remove_map",
]
