# SPDX-License-Identifier: MIT
"""Memory of C's as a memoryview that can be taken back.

A memoryview can be released, and then raises ValueError. But slices of it, and arrays that were
made from it, do not end with it. So a view here has a witness: the buffer object of cffi that all
of them refer to. While that exists, somebody can still reach the memory, and `release` raises
BufferError, as closing an mmap does.
"""

import functools
import weakref
from typing import Any, List, Optional

from ._madang import ffi


def _keep(owner: Any, pointer: Any) -> None:
    """Does nothing when a pointer ends, but for letting go of what owns the memory."""


class View:
    """`size` bytes at `pointer`, as `memory`, until `release`. `owner` lives as long as they."""

    __slots__ = ("memory", "_witness")

    def __init__(self, pointer: Any, size: int, owner: Any, readonly: bool = False) -> None:
        tied = ffi.gc(ffi.cast("char *", pointer), functools.partial(_keep, owner))
        buffer = ffi.buffer(tied, size)
        self._witness = weakref.ref(buffer)
        view = memoryview(buffer)
        self.memory: Optional[memoryview] = view.toreadonly() if readonly else view

    def release(self, what: str) -> None:
        """Takes the memory back. From now on `memory` is None, and who still has the memoryview
        gets ValueError. BufferError, with `what`: slices or arrays of it exist; once they have
        ended, `release` can be called again. Then it succeeds."""
        view = self.memory
        if view is not None:
            try:
                view.release()
            except BufferError:
                raise BufferError(what) from None
            self.memory = None
            del view
        if self._witness() is not None:
            raise BufferError(what)

    def is_back(self) -> bool:
        """Whether `release` has succeeded, or would."""
        return self.memory is None and self._witness() is None


IN_USE = "a view of the memory of a message is still in use"


class Lent:
    """Memory of a channel that a handle lends, until one call of C ends it.

    Ctrl-C may come at any moment. If it comes when the view has been taken back and C has not been
    called yet, C is called before the exception goes on: or the handle would lend it for ever."""

    def __init__(self, channel: Any, place: str, pointer: Any, size: int, readonly: bool) -> None:
        self._channel = channel
        self._place = place  # the attribute of the channel that names what is lent
        self._view: Optional[View] = View(pointer, size, channel._handle, readonly)
        self._result: List[int] = []  # of the call that ends it

    def _memory(self, ended: str) -> memoryview:
        view = self._view
        if view is None or view.memory is None:
            raise ValueError(ended)
        return view.memory

    def _forget(self) -> None:
        """The handle is closed, and C has taken everything back."""
        if self._view is not None:
            self._view.release(IN_USE)
            self._view = None

    def _call(self, function: Any, *arguments: Any) -> int:
        """Once. The result is noted by the call itself: no signal handler comes in between."""
        if not self._result:
            self._result.extend(map(function, *[(argument,) for argument in arguments]))
        setattr(self._channel, self._place, None)
        self._view = None
        return self._result[0]

    def _end(self, function: Any, *arguments: Any) -> int:
        """[in a turn of the channel, and it has not ended] Returns what `function` returns. Raises
        BufferError while slices or arrays of the memory exist: then it goes on being lent."""
        view = self._view
        assert view is not None
        try:
            view.release(IN_USE)
            return self._call(function, *arguments)
        except BufferError:
            raise
        except BaseException:
            if view.is_back():
                self._call(function, *arguments)
            raise
