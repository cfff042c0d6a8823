# SPDX-License-Identifier: MIT
"""Memory of C's as a memoryview that can be taken back.

A memoryview can be released, and then raises ValueError. But slices of it, and arrays that were
made from it, do not end with it. So a view here has a witness: the buffer object of cffi that all
of them refer to. While that exists, somebody can still reach the memory, and `release` raises
BufferError, as closing an mmap does.
"""

import functools
import weakref
from typing import Any, Optional

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
