# SPDX-License-Identifier: MIT
"""Madang: shared memory, locks that survive crashes, channels and a shared heap for processes.

    import madang

    with madang.Segment.create("weather", 4096) as weather:
        weather.buf[0:5] = b"sunny"

`Namespace`   the directory in which everything lies; `madang ls` shows what is there
`Segment`     shared memory with a name: memoryview, numpy without a copy
`Talker`, `Listener`, `Caller`, `Server`  channels: messages between processes, also in asyncio
`Heap`, `Map` blocks of memory that processes allocate and share; a dictionary of bytes
madang.shared_memory  in the place of multiprocessing.shared_memory, without what it leaks

Units are bytes and seconds. An argument that can never be right raises ValueError or TypeError; a
call that failed raises MadangError, which is an OSError (see madang.errors). docs/python.md of
Madang's documentation begins with examples.
"""

from ._madang import lib as _lib
from .calls import Caller, Request, Server
from .channel import (Channel, ChannelInfo, Observer, Peer, PeerEvent, channels, remove_channel)
from .errors import (AccessError, BrokenError, ClosedError, DamagedError, ExistsError, GoneError,
                     MadangError, NotFoundError, OwnerError, PeerDiedError, UnlikeError, WaitTimeout,
                     WouldBlockError, text as _text)
from .namespace import (Finding, Namespace, NamespaceInfo, ProcessInfo, SegmentInfo,
                        default_path)
from .heap import Block, Heap, HeapFinding, HeapInfo, Place, Root, remove_heap
from .listener import HeldMessage, Listener, Message
from .map import Map, remove_map
from .segment import Segment
from .talker import Reservation, Talker

__version__ = f"{_lib.MDG_VERSION_MAJOR}.{_lib.MDG_VERSION_MINOR}.{_lib.MDG_VERSION_PATCH}"


def library_version() -> str:
    """The version of libmadang that is in use. Source: mdg_version."""
    return _text(_lib.mdg_version())


__all__ = [
    "AccessError", "Block", "BrokenError", "Caller", "Channel", "ChannelInfo", "ClosedError",
    "DamagedError", "ExistsError", "Finding", "GoneError", "Heap", "HeapFinding", "HeapInfo",
    "HeldMessage", "Listener", "MadangError", "Map", "Message", "Namespace", "NamespaceInfo",
    "NotFoundError", "Observer", "OwnerError", "Peer", "PeerDiedError", "PeerEvent", "Place",
    "ProcessInfo", "Request", "Reservation", "Root", "Segment", "SegmentInfo", "Server", "Talker",
    "UnlikeError", "WaitTimeout", "WouldBlockError", "channels", "default_path", "library_version",
    "remove_channel", "remove_heap", "remove_map",
]
