# SPDX-License-Identifier: MIT
"""Channels: messages between processes, through shared memory.

    with madang.Talker("jobs", kind="queue") as jobs:         # one process
        jobs.send(b"hello")

    with madang.Listener("jobs", kind="queue") as jobs:       # another one
        for job in jobs:
            print(job)

A channel has a name in a namespace, and carries bytes. Whoever opens it first makes it. It stays,
with the messages in it, until it is removed (`remove_channel`, `madang rm`). Its kinds are

    stream  one talker, one listener; each message comes once, in order
    queue   many talkers and listeners; each message goes to one of the listeners
    topic   many talkers and listeners; each message goes to every listener
    call    callers and servers: madang.Caller, madang.Server

Talker, Listener, Caller, Server and Observer are handles. A handle belongs to the process that
opened it: a forked child opens its own. Threads may share a handle; their calls come one after the
other. Timeouts are seconds, None is for ever, 0 does not wait; when the time is over a call raises
WaitTimeout, which is a TimeoutError. Waits let other threads run, and end with Ctrl-C.

Source: <madang/channel.h>, mdg_channel_open(3).
"""

import os
import threading
import time
from contextlib import contextmanager
from typing import Any, Callable, Iterator, List, NamedTuple, Optional, TypeVar

from ._base import Name, encoded, shortened, whole
from ._handle import Handle
from ._madang import ffi, lib
from .errors import ClosedError, NotFoundError, WaitTimeout, check, error, text
from .namespace import Namespace

EPERM, EINTR, EAGAIN, EBUSY, EINVAL, EIDRM = -1, -4, -11, -16, -22, -43
EMSGSIZE, ETIMEDOUT = -90, -110

KINDS = {"stream": lib.MDG_STREAM, "queue": lib.MDG_QUEUE, "topic": lib.MDG_TOPIC,
         "call": lib.MDG_CALL}
FULL = {"wait": lib.MDG_FULL_WAIT, "overwrite": lib.MDG_FULL_OVERWRITE}
FROM = {"next": lib.MDG_FROM_NEXT, "oldest": lib.MDG_FROM_OLDEST, "last": lib.MDG_FROM_LAST}
WAIT = {"default": lib.MDG_WAIT_DEFAULT, "spin": lib.MDG_WAIT_SPIN, "sleep": lib.MDG_WAIT_SLEEP,
        "long": lib.MDG_WAIT_LONG, "near": lib.MDG_WAIT_NEAR}
ROLES = {lib.MDG_OBSERVER: "observer", lib.MDG_TALKER: "talker", lib.MDG_LISTENER: "listener"}
CHANGES = {lib.MDG_PEER_CAME: "came", lib.MDG_PEER_LEFT: "left", lib.MDG_PEER_GONE: "died"}

# A wait is made of pieces of this length, so that Ctrl-C, and another thread that closes the
# handle, are noticed also if a signal came just before the thread slept.
PIECE = 100_000_000  # nanoseconds

T = TypeVar("T")

_forks = 0


def _after_fork() -> None:
    global _forks
    _forks += 1


os.register_at_fork(after_in_child=_after_fork)


class ChannelInfo(NamedTuple):
    """What a channel is and holds (struct mdg_channel_info)."""

    name: str
    id: int  #: of its segment
    kind: str  #: "stream", "queue", "topic", "call"
    full: str  #: what a talker does when there is no room: "wait", "overwrite"
    capacity: int  #: bytes of the largest message
    peers: int  #: the most talkers and listeners together
    talkers: int  #: that are there
    listeners: int  #: that are there
    changes: int  #: how often somebody came, left or died
    sequence: int  #: number of the next message: how many were sent
    waiting: int  #: messages that no listener has taken; in a topic: that are kept
    missed: int  #: in a topic: by all listeners that are there, together
    bytes: int  #: that went through, with heads and padding
    room: int  #: bytes of the ring,
    used: int  #: and how many of them are not free


class Peer(NamedTuple):
    """A talker or a listener (struct mdg_peer)."""

    place: int  #: Message.talker
    role: str  #: "talker", "listener"
    pid: int  #: in its own pid namespace
    alive: bool  #: False: it died or left, and held messages that nobody has taken yet
    asleep: bool  #: it waits in the kernel
    holds: bool  #: it has a message reserved or peeked
    messages: int  #: that it has sent or received
    lag: int  #: of a listener: messages that it has not received yet
    missed: int  #: of a listener of a topic
    since: int  #: seconds since 1970


class PeerEvent(NamedTuple):
    """Somebody came, left or died (struct mdg_peer_event)."""

    change: str  #: "came", "left", "died"
    role: str  #: "talker", "listener"
    place: int
    pid: int
    number: int  #: of the event, from 0; a gap says that events were missed


def _choice(value: Optional[str], what: str, choices: "dict[str, int]") -> int:
    if value is None:
        return 0
    if value not in choices:
        raise ValueError(f"{what} is one of {', '.join(map(repr, choices))}, not {value!r}")
    return int(choices[value])


def _name(choices: "dict[str, int]", value: int) -> str:
    return next((name for name, number in choices.items() if number == value), str(value))


def channel_info(info: Any) -> ChannelInfo:
    """A struct mdg_channel_info as Python has it."""
    return ChannelInfo(
        name=text(info.name), id=info.id, kind=_name(KINDS, info.kind),
        full=_name(FULL, info.full), capacity=info.capacity, peers=info.peers,
        talkers=info.talkers, listeners=info.listeners, changes=info.changes,
        sequence=info.sequence, waiting=info.waiting, missed=info.missed, bytes=info.bytes,
        room=info.room, used=info.used)


def _new_info() -> Any:
    return ffi.new("struct mdg_channel_info *", {"size": ffi.sizeof("struct mdg_channel_info")})


def channels(namespace: Optional[Namespace] = None) -> Iterator[ChannelInfo]:
    """Walks over the channels of a namespace that the caller may read, without entering them.
    Source: mdg_channel_next."""
    handle = (namespace or Namespace())._opened()
    cursor, info = ffi.new("uint32_t *"), _new_info()
    while check(lib.mdg_channel_next(handle, cursor, info), "the channels"):
        yield channel_info(info)


def remove_channel(name: Name, namespace: Optional[Namespace] = None) -> None:
    """Removes a channel. Who is in it gets NotFoundError when it waits, and the iteration of a
    listener ends. Raises NotFoundError, AccessError, UnlikeError (it is no channel).
    Source: mdg_channel_remove."""
    raw = encoded(name, "the name of a channel")
    check(lib.mdg_channel_remove((namespace or Namespace())._opened(), raw),
          f"channel {shortened(name)}")


class Channel(Handle):
    """What all handles of channels have in common.

    name        1 to 63 bytes
    namespace   a Namespace; default: the default one
    create      False: NotFoundError if there is no such channel
    exclusive   True: ExistsError if there is one
    These are of the channel. None or 0: as the channel has it; if it is made, the default.
    kind        "stream" (default), "queue", "topic"
    capacity    bytes of the largest message, up to 1 GiB; default 65,536
    peers       the most talkers and listeners together, 2 to 240; default 32
    full        what a talker does when there is no room: "wait" (default), "overwrite" (topics)
    mode        permission bits of a new channel; default 0o600
    These are of the handle.
    wait        "default": spin for up to 40 microseconds, then sleep; "spin"; "sleep"; "long";
                "near" (see mdg_channel_open(3) for both)
    start       of a listener of a topic: "next" (what is sent from now on), "oldest" (what is
                kept), "last" (the last message that is kept, then what comes)

    A context manager: at its end the handle is closed; the channel stays.

    Raises UnlikeError (the channel exists, and is not what is asked for), WouldBlockError (EBUSY:
    a stream has a talker, or a listener, already), MadangError (EUSERS: no place is free).
    """

    _role = lib.MDG_OBSERVER
    _kind: Optional[str] = None

    def __init__(self, name: Name, *, namespace: Optional[Namespace] = None,
                 kind: Optional[str] = None, capacity: int = 0, peers: int = 0,
                 full: Optional[str] = None, mode: int = 0, create: bool = True,
                 exclusive: bool = False, wait: str = "default", start: str = "next") -> None:
        self._said = shortened(name)
        raw = encoded(name, "the name of a channel")
        options = ffi.new("struct mdg_channel_options *", {
            "size": ffi.sizeof("struct mdg_channel_options"),
            "flags": ((0 if create else lib.MDG_CHANNEL_EXISTING) |
                      (lib.MDG_CHANNEL_EXCL if exclusive else 0)),
            "kind": _choice(kind or self._kind, "kind", KINDS),
            "full": _choice(full, "full", FULL),
            "capacity": whole(capacity, "capacity", 0, lib.MDG_CAPACITY_MAX),
            "peers": whole(peers, "peers", 0, lib.MDG_PEERS_MAX),
            "mode": whole(mode, "mode", 0, 0o777),
            "from": _choice(start, "start", FROM), "wait": _choice(wait, "wait", WAIT)})
        self._namespace = namespace or Namespace()
        opened = ffi.new("mdg_channel **")
        check(lib.mdg_channel_open(opened, self._namespace._opened(), raw, self._role, options),
              f"channel {self._said}")
        self._handle = ffi.gc(opened[0], lib.mdg_channel_close)
        self._fork = _forks
        self._lock = threading.RLock()
        self._closing = False

    # ---- calls, and waiting -------------------------------------------------------------------

    def _doing(self) -> str:
        return f"channel {self._said}"

    def _opened(self) -> Any:
        """The handle; whoever has it keeps it open."""
        handle = self._handle
        if handle is None or self._closing:
            raise ClosedError(f"{self._doing()} is closed")
        if self._fork != _forks:
            raise error(EPERM, self._doing(), "this handle is of the parent process; after a fork "
                        "the child opens the channel itself")
        return handle

    def _begin(self, timeout: Optional[float]) -> int:
        """Waits until no other thread is in a call on this handle, and keeps it out. Returns the
        end of the time in nanoseconds, 0: do not wait, -1: never."""
        self._opened()
        if timeout is None:
            self._lock.acquire()
            return -1
        if timeout <= 0:
            if not self._lock.acquire(blocking=False):
                raise self._timed_out(EAGAIN)
            return 0
        end = time.monotonic_ns() + int(min(timeout, 1e9) * 1e9)
        if not self._lock.acquire(timeout=min(timeout, 1e6)):
            raise self._timed_out(ETIMEDOUT)
        return end

    @contextmanager
    def _turn(self) -> Iterator[Any]:
        """For calls that do not wait: no other thread is in a call. Gives the handle. In a forked
        child the lock may be held for ever, so the handle is looked at first."""
        self._opened()
        with self._lock:
            yield self._opened()

    def _timed_out(self, code: int) -> Exception:
        return error(code, self._doing(), kind=WaitTimeout)

    def _wait(self, end: int, function: Any, *arguments: Any,
              out: Optional[List[int]] = None) -> int:
        """[after _begin] function(handle, *arguments, deadline) until it is done. Returns its
        code if that is not negative. The code is in `out` from the moment when the function has
        returned: no signal handler can come in between."""
        if out is None:
            out = []
        columns = [(argument,) for argument in arguments]
        while True:
            handle = self._opened()
            until = 0
            if end != 0:
                until = time.monotonic_ns() + PIECE
                if 0 < end < until:
                    until = end
            del out[:]
            out.extend(map(function, (handle,), *columns, (until,)))
            code = out[0]
            if code >= 0:
                return code
            if code == EAGAIN and end == 0 or code == ETIMEDOUT and until == end:
                raise self._timed_out(code)
            if code not in (EINTR, ETIMEDOUT):
                raise error(code, self._doing())

    def _until_removed(self, function: Callable[[], T]) -> Iterator[T]:
        """What `function` gives, again and again, until the channel is removed."""
        while True:
            try:
                got = function()
            except NotFoundError as gone:
                if gone.code != EIDRM:
                    raise
                return
            yield got

    # ---- who is there -------------------------------------------------------------------------

    def info(self) -> ChannelInfo:
        """The channel as it is now. Also takes the dead that it finds out of the channel. Raises
        NotFoundError: it was removed. Source: mdg_channel_look."""
        info = _new_info()
        with self._turn():
            check(lib.mdg_channel_look(self._opened(), info), self._doing())
        return channel_info(info)

    def peers(self) -> List[Peer]:
        """Who is there. Source: mdg_channel_peers."""
        room = lib.MDG_PEERS_MAX
        found = ffi.new("struct mdg_peer[]", room)
        found[0].size = ffi.sizeof("struct mdg_peer")
        with self._turn():
            count = check(lib.mdg_channel_peers(self._opened(), found, room), self._doing())
        return [Peer(one.place, ROLES.get(one.role, "?"), one.pid, bool(one.alive),
                     bool(one.asleep), bool(one.holds), one.count, one.lag, one.missed, one.since)
                for one in found[0:min(count, room)]]

    def event(self, timeout: Optional[float] = None) -> PeerEvent:
        """Waits until somebody comes, leaves or dies. One event after the other, beginning with
        this handle's own coming. The last 32 are kept. Source: mdg_channel_event."""
        event = ffi.new("struct mdg_peer_event *", {"size": ffi.sizeof("struct mdg_peer_event")})
        end = self._begin(timeout)
        try:
            self._wait(end, lib.mdg_channel_event, event)
        finally:
            self._lock.release()
        return PeerEvent(CHANGES.get(event.change, "?"), ROLES.get(event.role, "?"), event.place,
                         event.pid, event.number)

    # ---- closing ------------------------------------------------------------------------------

    def _let_go(self) -> None:
        """Takes back what the program has of the channel's memory. Raises BufferError."""

    def close(self) -> None:
        """Leaves the channel. May be called again, and from another thread: a call that waits
        then raises ClosedError. What this handle held goes to others.

        Raises BufferError while slices or arrays of a message's memory exist."""
        if self._handle is None:
            return
        if self._fork != _forks:
            self._handle = None
            return
        self._closing = True
        try:
            with self._lock:
                self._let_go()
                handle, self._handle = self._handle, None
                if handle is not None:
                    ffi.release(handle)
        finally:
            self._closing = False

    def __reduce__(self) -> Any:
        raise TypeError(f"{self!r} belongs to this process: give the other one the channel's name")

    def __repr__(self) -> str:
        closed = " closed" if self._handle is None else ""
        return f"<madang.{type(self).__name__} {getattr(self, '_said', '?')}{closed}>"


class Observer(Channel):
    """A handle that only looks: `info`, `peers`, `event`. It takes no place in the channel."""
