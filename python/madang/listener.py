# SPDX-License-Identifier: MIT
"""Listeners: they receive the messages of a stream, a queue or a topic.

    with madang.Listener("frames", kind="topic") as frames:
        first = frames.receive(timeout=5)                     # bytes: a copy
        with frames.peek() as message:                        # in place: nothing is copied
            work(message.data)
        for data in frames:                                   # until the channel is removed
            print(len(data))

    async for data in frames: ...                             # the same in asyncio

`receive` gives a message back before it returns, so if the process dies then, the message is gone
with its copy. `peek` holds the message until it is released. If the process dies before, another
listener gets it, marked `redelivered`; in a stream the next one. If Ctrl-C comes in the moment in
which a message was received, the next call of `receive` returns that message.

Source: <madang/channel.h>, mdg_channel_recv(3), mdg_channel_peek(3), mdg_channel_fd(3).
"""

import asyncio
from time import monotonic_ns
from types import TracebackType
from typing import (Any, AsyncIterator, Iterator, List, NamedTuple, Optional, Tuple, Type, Union,
                    cast)

from ._base import buffer_of, whole
from ._madang import ffi, lib
from ._views import Lent
from .channel import EIDRM, EMSGSIZE, PIECE, Channel
from .errors import ClosedError, MadangError, NotFoundError, check, error

_recv = lib.mdg_channel_recv

ROOM = 65536  # bytes of the buffer for messages, at first
LOOK_EVERY = 1.0  # seconds, in asyncio: a call without a wait notices removal and deaths


class Message(NamedTuple):
    """A message that was received (struct mdg_message)."""

    data: bytes
    sequence: int  #: its number in the channel
    missed: int  #: in a topic: numbers that were overwritten since the message before
    redelivered: bool  #: a listener died while it held the message; it may have worked on it
    talker: int  #: the place of its talker: Peer.place


def _copied(message: Any, data: bytes) -> Message:
    return Message(data, message.sequence, message.missed, message.flags & 1 != 0, message.talker)


class HeldMessage(Lent):
    """A message where it lies in the channel. `data` is a read-only memoryview of it, until
    `release`. A context manager: at its end the message is released."""

    def __init__(self, listener: Channel, message: Any) -> None:
        super().__init__(listener, "_held", message.data, message.size, True)
        self.size = int(message.size)  #: bytes
        self.sequence = int(message.sequence)  #: as in Message
        self.missed = int(message.missed)
        self.redelivered = bool(message.flags & lib.MDG_REDELIVERED)
        self.talker = int(message.talker)

    @property
    def data(self) -> memoryview:
        """The bytes of the message. ValueError after `release`."""
        return self._memory("the message was released")

    def release(self) -> None:
        """Gives the message back; nobody gets it again. Then `data` cannot be used any more. May
        be called again. Raises BufferError while slices or arrays of `data` exist: the message
        stays held, and can be released later."""
        if self._view is None:
            return
        with self._channel._turn() as handle:
            if self._view is not None:
                check(self._end(lib.mdg_channel_release, handle), self._channel._doing())

    def __enter__(self) -> "HeldMessage":
        return self

    def __exit__(self, kind: Optional[Type[BaseException]], value: Optional[BaseException],
                 traceback: Optional[TracebackType]) -> None:
        self.release()


class Receiver(Channel):
    """What receives: a listener, and a caller, who receives replies."""

    _buffer: Any = None
    _held: Optional[HeldMessage] = None
    _kept: Tuple[Message, ...] = ()  # received, but a signal handler came in between
    _reader: Optional[Tuple[asyncio.AbstractEventLoop, int, "asyncio.Future[None]"]] = None

    def _make_buffer(self, size: int) -> None:
        self._buffer: Any = ffi.new("char[]", size)
        self._bytes = ffi.buffer(self._buffer)
        self._message = ffi.new("struct mdg_message *")
        self._columns = ((self._buffer,), (size,), (self._message,))

    def _got(self, size: int) -> Message:
        return _copied(self._message, self._bytes[:size])

    def _receive(self, end: int) -> Message:
        """[after _begin]"""
        kept = self._kept
        if kept:
            self._kept = kept[1:]
            return kept[0]
        if self._buffer is None:
            self._make_buffer(ROOM)
        out: List[int] = []
        try:
            while True:
                try:
                    size = self._wait(end, lib.mdg_channel_recv, self._buffer,
                                      len(self._bytes), self._message, out=out)
                    return self._got(size)
                except MadangError as failed:
                    if failed.code != EMSGSIZE:
                        raise
                    self._make_buffer(self._message.size)
        except BaseException:
            if out and out[0] >= 0:
                self._kept = (self._got(out[0]),)
            raise

    def fileno(self) -> int:
        """A descriptor that is readable when and only when there is a message, or for a caller a
        reply: for select, poll and event loops. Only wait for it; do not read from it and do not
        close it. Nobody looks for deaths while all sleep there: call `info` now and then.
        Raises MadangError: EMFILE, ENOSPC. Source: mdg_channel_fd(3)."""
        with self._turn() as handle:
            return check(lib.mdg_channel_fd(handle), self._doing())

    async def _receive_async(self) -> Message:
        while True:
            try:
                end = self._begin(0)
                try:
                    return self._receive(end)
                finally:
                    self._lock.release()
            except TimeoutError:
                await self._readable()

    async def _readable(self) -> None:
        """Waits until there may be something, or a second has passed."""
        if self._reader is not None:
            raise RuntimeError(f"another task waits for {self._doing()}")
        descriptor = self.fileno()
        loop = asyncio.get_running_loop()
        woken: "asyncio.Future[None]" = loop.create_future()

        def wake() -> None:
            if not woken.done():
                woken.set_result(None)

        self._reader = (loop, descriptor, woken)
        loop.add_reader(descriptor, wake)
        timer = loop.call_later(LOOK_EVERY, wake)
        try:
            await woken
        finally:
            timer.cancel()
            if self._reader is not None:
                self._reader = None
                loop.remove_reader(descriptor)

    def _let_go(self) -> None:
        held = self._held
        if held is not None:
            held._forget()
            self._held = None
        waiting, self._reader = self._reader, None
        if waiting is not None:
            loop, descriptor, woken = waiting
            failed = ClosedError(f"{self._doing()} is closed")

            def end() -> None:
                loop.remove_reader(descriptor)
                if not woken.done():
                    woken.set_exception(failed)

            try:
                same = asyncio.get_running_loop() is loop
            except RuntimeError:
                same = False
            if same:
                end()
            elif not loop.is_closed():
                loop.call_soon_threadsafe(end)


class Listener(Receiver):
    """A listener of a stream, a queue or a topic. See Channel about its arguments.

    `for data in listener` gives each message as bytes, waits for the next one, and ends when the
    channel is removed. `async for` does the same in asyncio, in one task at a time."""

    _role = lib.MDG_LISTENER

    def receive(self, timeout: Optional[float] = None) -> bytes:
        """The next message. Raises WaitTimeout; NotFoundError (the channel was removed);
        WouldBlockError: EBUSY (this handle holds a message). Source: mdg_channel_recv(3)."""
        if (timeout is None and not self._kept and self._buffer is not None and
                self._lock.acquire(False)):
            out: List[int] = []  # the short way, if a message is there soon
            try:
                out.extend(map(_recv, (self._opened(),), *self._columns,
                               (monotonic_ns() + PIECE,)))
                if out[0] >= 0:
                    return cast(bytes, self._bytes[:out[0]])
            except BaseException:
                if out and out[0] >= 0:
                    self._kept = (self._got(out[0]),)
                raise
            finally:
                self._lock.release()
        return self.receive_message(timeout).data

    def receive_message(self, timeout: Optional[float] = None) -> Message:
        """The next message, with what is known of it. Raises as receive."""
        end = self._begin(timeout)
        try:
            return self._receive(end)
        finally:
            self._lock.release()

    def receive_into(self, buffer: Union[bytearray, memoryview, Any],
                     timeout: Optional[float] = None) -> int:
        """Copies the next message into a buffer. Returns its bytes. Raises as receive, and
        MadangError: EMSGSIZE (the message is larger than the buffer, and stays)."""
        room = buffer_of(buffer, writable=True)
        message = ffi.new("struct mdg_message *")
        out: List[int] = []
        end = self._begin(timeout)
        try:
            if self._kept:
                size = len(self._kept[0].data)
                if size > len(room):
                    raise error(EMSGSIZE, self._doing())
                ffi.memmove(room, self._kept[0].data, size)
                self._kept = self._kept[1:]
                return size
            return self._wait(end, lib.mdg_channel_recv, room, len(room), message, out=out)
        except BaseException:
            if out and out[0] >= 0:
                self._kept = (_copied(message, ffi.buffer(room)[:out[0]]),)
            raise
        finally:
            self._lock.release()

    def receive_many(self, count: int = 64, timeout: Optional[float] = None) -> List[bytes]:
        """Waits for a message, and takes as many more as are there, up to `count` (at most 1024).
        Raises as receive. Source: mdg_channel_peek_many."""
        whole(count, "count", 1, lib.MDG_MANY_MAX)
        found = ffi.new("struct mdg_message[]", count)
        end = self._begin(timeout)
        try:
            kept = self._kept
            if kept:
                self._kept = kept[count:]
                return [one.data for one in kept[:count]]
            taken: List[int] = []
            try:
                self._wait(end, lib.mdg_channel_peek_many, found, count, out=taken)
                return [ffi.buffer(one.data, one.size)[:] for one in found[0:taken[0]]]
            except BaseException:
                if taken and taken[0] > 0:
                    self._kept = tuple(_copied(one, ffi.buffer(one.data, one.size)[:])
                                       for one in found[0:taken[0]])
                raise
            finally:
                if taken and taken[0] > 0:
                    lib.mdg_channel_release(self._handle)
        finally:
            self._lock.release()

    def peek(self, timeout: Optional[float] = None) -> HeldMessage:
        """The next message where it lies: nothing is copied. The handle holds it until it is
        released; another one before that raises WouldBlockError (EBUSY). Others who may write to
        the channel can change it meanwhile. Raises as receive. Source: mdg_channel_peek(3)."""
        message = ffi.new("struct mdg_message *")
        out: List[int] = []
        end = self._begin(timeout)
        try:
            if self._kept:
                raise error(-16, self._doing(), "Ctrl-C came when a message was received: "
                            "`receive` gives it")
            self._wait(end, lib.mdg_channel_peek, message, out=out)
            self._held = HeldMessage(self, message)
            return self._held
        except BaseException:
            if out and out[0] == 0 and self._held is None:
                # Ctrl-C came at that moment. The message is kept for the next call.
                self._kept = (_copied(message, ffi.buffer(message.data, message.size)[:]),)
                lib.mdg_channel_release(self._handle)
            raise
        finally:
            self._lock.release()

    def __iter__(self) -> Iterator[bytes]:
        return self._until_removed(self.receive)

    async def receive_async(self) -> bytes:
        """The same as receive in asyncio, for as long as it takes: use asyncio.wait_for. One task
        at a time: else RuntimeError. Nothing is lost when the task is cancelled."""
        return (await self._receive_async()).data

    async def __aiter__(self) -> AsyncIterator[bytes]:
        while True:
            try:
                data = (await self._receive_async()).data
            except NotFoundError as gone:
                if gone.code != EIDRM:
                    raise
                return
            yield data
