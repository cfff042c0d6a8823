# SPDX-License-Identifier: MIT
"""What the objects with a handle of C's have in common: closing it, and use after that.

`_handle` is `ffi.gc(handle, closing function)`. close() drops the object's own reference. Whoever
is inside of a call has another one, so memory goes only when no thread is in it.
"""

from types import TracebackType
from typing import Any, Optional, Type, TypeVar

from .errors import ClosedError

H = TypeVar("H", bound="Handle")


class Handle:
    """A context manager: at its end the handle is closed."""

    _handle: Any = None

    def _opened(self) -> Any:
        """The handle; whoever has it keeps it open."""
        handle = self._handle
        if handle is None:
            raise ClosedError(f"{self!r} was closed")
        return handle

    @property
    def closed(self) -> bool:
        """Whether it was closed."""
        return self._handle is None

    def close(self) -> None:
        """Closes it for this process. What lies in shared memory stays, and so does what was made
        with it here. May be called again."""
        self._handle = None

    def __enter__(self: H) -> H:
        self._opened()
        return self

    def __exit__(self, kind: Optional[Type[BaseException]], value: Optional[BaseException],
                 traceback: Optional[TracebackType]) -> None:
        self.close()
