# SPDX-License-Identifier: MIT
"""What the modules share: names, deadlines, and flags of arguments.

Conventions of this package, for who adds to it:

 - A handle of C's that has to be closed is `ffi.gc(handle, closing function)`. close() drops the
   object's own reference. Who is inside of a call has another one, in a local variable, so memory
   goes only when no thread is in it. A method begins with `handle = self._opened()`, which raises
   ClosedError after close().
 - A code that a C function returned goes through errors.check(code, "what was tried, on what").
 - A name goes through `encoded`, a timeout in seconds (None: for ever) through `deadline`.
 - A call that may wait goes through waiting.wait, so that Ctrl-C ends it.
 - Information comes as a NamedTuple.
"""

import math
from typing import Any, Optional, Union

from ._madang import ffi, lib

Name = Union[str, bytes]


def encoded(name: Name, what: str = "a name", most: int = lib.MDG_NAME_MAX) -> bytes:
    """A name as C takes it. Raises TypeError or ValueError for one that cannot be."""
    if isinstance(name, str):
        raw = name.encode("utf-8", "surrogateescape")
    elif isinstance(name, (bytes, bytearray)):
        raw = bytes(name)
    else:
        raise TypeError(f"{what} is text or bytes, not {type(name).__name__}")
    if not 1 <= len(raw) <= most:
        raise ValueError(f"{what} has 1 to {most} bytes, not {len(raw)}: {shortened(name)}")
    if b"\0" in raw:
        raise ValueError(f"{what} cannot contain a NUL byte: {shortened(name)}")
    return raw


def shortened(name: object) -> str:
    """A name for a message, not longer than a line."""
    said = repr(name)
    return said if len(said) <= 60 else said[:57] + "..."


def whole(number: int, what: str, least: int, most: int) -> int:
    """A number within limits. Raises TypeError or ValueError."""
    if isinstance(number, bool) or not hasattr(number, "__index__"):
        raise TypeError(f"{what} is a whole number, not {type(number).__name__}")
    number = number.__index__()
    if not least <= number <= most:
        raise ValueError(f"{what} is {least} to {most}, not {number}")
    return number


def buffer_of(value: Any, writable: bool = False) -> Any:
    """The bytes of a value as C takes them. Raises TypeError for one that has no buffer."""
    try:
        return ffi.from_buffer(value, require_writable=writable)
    except TypeError:
        if isinstance(value, str):
            raise TypeError("it has to be bytes or the like, not str: text.encode() makes bytes "
                            "of text") from None
        raise TypeError(f"it has to be bytes or the like, not {type(value).__name__}") from None


def deadline(timeout: Optional[float]) -> int:
    """The moment `timeout` seconds from now as C takes it. None is for ever; what is not above
    zero has passed: what can be had at once is taken."""
    if timeout is None:
        return int(lib.MDG_FOREVER)
    if not isinstance(timeout, (int, float)) and not hasattr(timeout, "__float__"):
        raise TypeError(f"a timeout is seconds or None, not {type(timeout).__name__}")
    timeout = float(timeout)
    if math.isnan(timeout):
        raise ValueError("a timeout cannot be NaN")
    if timeout <= 0:
        return 0
    nanoseconds = timeout * 1e9
    return int(lib.MDG_FOREVER if nanoseconds >= 2**63 else lib.mdg_deadline(int(nanoseconds)))
