# SPDX-License-Identifier: MIT
"""Talkers: they send messages into a stream, a queue or a topic.

    with madang.Talker("frames", kind="topic", capacity=1 << 20) as frames:
        frames.send(b"hello")
        with frames.reserve(640 * 480) as room:               # in place: nothing is copied
            camera.readinto(room)

Source: <madang/channel.h>, mdg_channel_send(3), mdg_channel_reserve(3).
"""

import asyncio
from types import TracebackType
from typing import Any, Optional, Sequence, Type, Union

from ._base import buffer_of, whole
from ._madang import ffi, lib
from ._views import Lent
from .channel import EAGAIN, EINVAL, Channel
from .errors import check, error

Bytes = Union[bytes, bytearray, memoryview, Any]  # anything with the buffer protocol

_send = lib.mdg_channel_send


def pointer_and_size(data: Bytes) -> Any:
    """What C needs of some bytes. The pointer has to be kept."""
    if type(data) is bytes:
        return data, len(data)
    pointer = buffer_of(data)
    return pointer, len(pointer)


class Reservation(Lent):
    """Room for a message in the channel: `data` is a memoryview of it. Until it ends, listeners
    wait for it. A context manager, which gives `data`; at its end the message is sent, or given up
    if there was an exception."""

    def __init__(self, talker: "Talker", pointer: Any, size: int) -> None:
        super().__init__(talker, "_reserved", pointer, size, False)
        self._size = size

    @property
    def data(self) -> memoryview:
        """The room. What it holds at first is not specified."""
        return self._memory("the reservation has ended")

    def commit(self, size: Optional[int] = None) -> None:
        """Sends the message; `size` is its bytes if they are less than was reserved. Then `data`
        cannot be used any more. Raises BufferError while slices or arrays of `data` exist."""
        size = self._size if size is None else whole(size, "size", 0, self._size)
        self._finish(lib.mdg_channel_commit, size)

    def cancel(self) -> None:
        """Gives it up. Does nothing if it has ended. Raises BufferError, as commit."""
        if self._view is not None:
            self._finish(lib.mdg_channel_cancel)

    def _finish(self, function: Any, *arguments: int) -> None:
        with self._channel._turn() as handle:
            if self._view is None:
                raise error(EINVAL, self._channel._doing(), "the reservation has ended")
            check(self._end(function, handle, *arguments), self._channel._doing())

    def __enter__(self) -> memoryview:
        return self.data

    def __exit__(self, kind: Optional[Type[BaseException]], value: Optional[BaseException],
                 traceback: Optional[TracebackType]) -> None:
        if kind is not None:
            self.cancel()
        elif self._view is not None:
            self.commit()


class Talker(Channel):
    """A talker of a stream, a queue or a topic. See Channel about its arguments."""

    _role = lib.MDG_TALKER
    _reserved: Optional[Reservation] = None

    def send(self, data: Bytes, timeout: Optional[float] = None) -> None:
        """Sends a message: bytes, or anything that has the buffer protocol.

        Waits while there is no room. Raises WaitTimeout; MadangError: EMSGSIZE (it is larger than
        the capacity); WouldBlockError: EBUSY (this handle has something reserved); NotFoundError
        (the channel was removed). Source: mdg_channel_send(3)."""
        pointer, size = (data, len(data)) if type(data) is bytes else pointer_and_size(data)
        if self._lock.acquire(False):  # most often there is room: this is the short way
            try:
                code = _send(self._opened(), pointer, size, 0)
            finally:
                self._lock.release()
            if code == 0:
                return
            if code != EAGAIN:
                raise error(code, self._doing())
        end = self._begin(timeout)
        try:
            self._wait(end, _send, pointer, size)
        finally:
            self._lock.release()

    async def send_async(self, data: Bytes) -> None:
        """The same in asyncio. While there is no room it looks again, after a millisecond at first
        and after 20 later: a channel has no descriptor that tells of room."""
        pointer, size = pointer_and_size(data)
        pause = 0.001
        while True:
            with self._turn() as handle:
                code = _send(handle, pointer, size, 0)
            if code != EAGAIN:
                check(code, self._doing())
                return
            await asyncio.sleep(pause)
            pause = min(pause * 2, 0.02)

    def send_many(self, messages: Sequence[Bytes], timeout: Optional[float] = None) -> int:
        """Sends messages, as many as there is room for, at least one. Returns how many; none if
        `messages` is empty. Source: mdg_channel_send_many."""
        kept = [pointer_and_size(data) for data in messages[:lib.MDG_MANY_MAX]]
        if not kept:
            return 0
        batch = ffi.new("struct mdg_message[]", len(kept))
        for one, (pointer, size) in zip(batch, kept):
            one.data = ffi.from_buffer(pointer) if isinstance(pointer, bytes) else pointer
            one.size = size
        end = self._begin(timeout)
        try:
            return self._wait(end, lib.mdg_channel_send_many, batch, len(kept))
        finally:
            self._lock.release()

    def reserve(self, size: int, timeout: Optional[float] = None) -> Reservation:
        """Makes room for a message of `size` bytes, to be written in place. A handle has one
        reservation at a time. Raises as send. Source: mdg_channel_reserve(3)."""
        whole(size, "the size of a message", 0, 2**63 - 1)
        place = ffi.new("void **")
        end = self._begin(timeout)
        try:
            self._wait(end, lib.mdg_channel_reserve, size, place)
            self._reserved = Reservation(self, place[0], size)
            return self._reserved
        except BaseException:
            if place[0] != ffi.NULL and self._reserved is None:
                lib.mdg_channel_cancel(self._handle)
            raise
        finally:
            self._lock.release()

    def _let_go(self) -> None:
        if self._reserved is not None:
            self._reserved._forget()
        self._reserved = None
