# SPDX-License-Identifier: MIT
"""Calls: a caller sends a request, and a server sends the reply.

    with madang.Server("adder") as adder:                     # one process, or several
        adder.serve(lambda request: str(sum(map(int, request.split()))).encode())

    with madang.Caller("adder") as adder:                     # another one
        print(adder.call(b"1 2 3", timeout=5))

If the server dies while it works on a request, the caller gets PeerDiedError. If it leaves, or
gives the request up, the caller gets MadangError with the name ECANCELED.

Source: <madang/channel.h>, mdg_channel_call(3).
"""

from typing import Callable, Iterator, List, Optional

from ._madang import ffi, lib
from .channel import Channel
from .errors import check, error
from .listener import HeldMessage, Receiver
from .talker import Bytes, pointer_and_size

ECANCELED = -125


class Caller(Receiver):
    """A caller. See Channel about its arguments. It makes one call at a time."""

    _role = lib.MDG_TALKER
    _kind = "call"

    def call(self, request: Bytes, timeout: Optional[float] = None) -> bytes:
        """Sends a request and waits for the reply. Raises WaitTimeout: then the request is given
        up by the next call; PeerDiedError: the server died; MadangError: ECANCELED (the server
        gave the request up), EMSGSIZE (it is larger than the capacity); NotFoundError (the channel
        was removed). Source: mdg_channel_call(3)."""
        pointer, size = pointer_and_size(request)
        end = self._begin(timeout)
        try:
            self._kept = ()
            self._wait(end, lib.mdg_channel_send, pointer, size)
            return self._receive(end).data
        finally:
            self._lock.release()

    async def call_async(self, request: Bytes) -> bytes:
        """The same in asyncio, for as long as it takes: use asyncio.wait_for. One task at a time:
        else RuntimeError."""
        if self._reader is not None:
            raise RuntimeError(f"another task waits for {self._doing()}")
        pointer, size = pointer_and_size(request)
        end = self._begin(0)
        try:
            self._kept = ()
            self._wait(end, lib.mdg_channel_send, pointer, size)
        finally:
            self._lock.release()
        return (await self._receive_async()).data


class Request(HeldMessage):
    """A request where it lies in the channel, and the way to reply. A context manager: a request
    that was not replied to at its end is given up, and its caller gets ECANCELED."""

    def reply(self, data: Bytes) -> bool:
        """Sends the reply, and ends the request. Returns False if the caller died, left, or does
        not wait any more. Raises BufferError while slices or arrays of the request exist, and
        MadangError: EMSGSIZE (the reply is larger than the capacity: the request stays)."""
        pointer, size = pointer_and_size(data)
        server = self._channel
        with server._turn() as handle:
            if self._view is None:
                raise ValueError("the request was replied to, or given up")
            if size > server._capacity():
                raise error(-90, server._doing())
            code = self._end(lib.mdg_channel_send, handle, pointer, size, lib.MDG_FOREVER)
            if code in (lib.MDG_PEER_DIED, ECANCELED):
                return False
            check(code, server._doing())
            return True


class Server(Channel):
    """A server. See Channel about its arguments. `for request in server` gives one Request after
    the other, and ends when the channel is removed."""

    _role = lib.MDG_LISTENER
    _kind = "call"
    _held: Optional[HeldMessage] = None
    _most = 0

    def _capacity(self) -> int:
        self._most = self._most or self.info().capacity
        return self._most

    def request(self, timeout: Optional[float] = None) -> Request:
        """The next request. The handle holds it until it was replied to or released; another one
        before that raises WouldBlockError (EBUSY). Raises WaitTimeout; NotFoundError (the channel
        was removed)."""
        message = ffi.new("struct mdg_message *")
        out: List[int] = []
        end = self._begin(timeout)
        try:
            self._wait(end, lib.mdg_channel_peek, message, out=out)
            request = Request(self, message)
            self._held = request
            return request
        except BaseException:
            if out and out[0] == 0 and self._held is None:
                lib.mdg_channel_release(self._handle)  # Ctrl-C at that moment: it is given up
            raise
        finally:
            self._lock.release()

    def serve(self, function: Callable[[bytes], Bytes]) -> None:
        """Replies to each request with function(request), until the channel is removed. If the
        function raises, its request is given up, and the exception ends this call."""
        for request in self:
            with request:
                reply = function(bytes(request.data))
                request.reply(reply)

    def __iter__(self) -> Iterator[Request]:
        return self._until_removed(self.request)

    def _let_go(self) -> None:
        if self._held is not None:
            self._held._forget()
            self._held = None
