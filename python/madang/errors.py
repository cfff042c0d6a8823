# SPDX-License-Identifier: MIT
"""Errors: what a call of Madang's that failed raises.

Everything is a MadangError, which is an OSError. Where Python has a class of its own for a
failure, the error is of that class too, so that

    try:
        weather = madang.Segment("weather")
    except FileNotFoundError:
        ...

works as with files. Arguments that can never be right raise ValueError or TypeError before Madang
is asked. The use of a closed object raises ClosedError, which is a ValueError as with files.
"""

import errno as _errno
from typing import Dict, Optional, Type

from ._madang import ffi, lib

# The codes of enum mdg_error by number: Madang's own, which are no errno.
_CODES: Dict[int, str] = {
    number: name for number, name in ffi.typeof("enum mdg_error").elements.items()
}


# The usual names of numbers that have two.
_NAMES = {**_errno.errorcode, _errno.EDEADLK: "EDEADLK", _errno.EOPNOTSUPP: "EOPNOTSUPP"}


def text(value: object) -> str:
    """A C string of Madang's as text. Bytes that are no UTF-8 come back as os.fsdecode's do."""
    return str(ffi.string(value).decode("utf-8", "surrogateescape"))


class MadangError(OSError):
    """A call of Madang's failed.

    code   the negative code that the C function returned (errno(3) or enum mdg_error)
    name   its name: "ENOENT", "MDG_DAMAGED", ...
    errno  the system's number, as OSError has it; None for one of Madang's own codes
    """

    code: int = 0
    name: str = ""
    advice: str = ""

    def __init__(self, code: int, doing: str = "", advice: str = "", said: str = "") -> None:
        self.code = int(code)
        own = _CODES.get(self.code)
        self.name = own if own is not None else _NAMES.get(-self.code, f"{code}")
        self.advice = advice
        self.doing = doing
        self.said = said
        super().__init__(None if own else -self.code, said or text(lib.mdg_strerror(self.code)))

    def __str__(self) -> str:
        said = f"{self.doing}: " if self.doing else ""
        advice = f": {self.advice}" if self.advice else ""
        return f"{said}{self.strerror} [{self.name}]{advice}"

    def __reduce__(self) -> "tuple[type[MadangError], tuple[int, str, str, str]]":
        return type(self), (self.code, self.doing, self.advice, self.said)


class NotFoundError(MadangError, FileNotFoundError):
    """There is nothing of that name, key or id (ENOENT, EIDRM)."""


class ExistsError(MadangError, FileExistsError):
    """There is one already (EEXIST)."""


class AccessError(MadangError, PermissionError):
    """The permissions do not allow it (EACCES, EPERM, EROFS)."""


class WaitTimeout(MadangError, TimeoutError):
    """The time is over, and what was waited for has not happened (ETIMEDOUT)."""


class WouldBlockError(MadangError, BlockingIOError):
    """It would have to wait, and the caller did not want to (EAGAIN, EBUSY)."""


class DamagedError(MadangError):
    """Shared memory or a file of the namespace holds what cannot be (MDG_DAMAGED and the like)."""


class BrokenError(MadangError):
    """An owner died and nobody repaired the data (MDG_BROKEN). `destroy` makes the object new."""


class GoneError(MadangError):
    """The namespace was deleted, moved or replaced while it was in use (MDG_NS_GONE)."""


class OwnerError(MadangError, RuntimeError):
    """This thread does not hold the object, or holds it already (EPERM, EDEADLK)."""


class PeerDiedError(MadangError, ConnectionResetError):
    """The other side of a call died (MDG_PEER_DIED)."""


class UnlikeError(MadangError, ValueError):
    """It exists, but is not what the caller says it is (MDG_UNLIKE_*, MDG_NOT_*)."""


class ClosedError(ValueError):
    """The object was closed, and can no longer be used."""


_CLASSES: Dict[int, Type[MadangError]] = {
    -_errno.ENOENT: NotFoundError,
    -_errno.EIDRM: NotFoundError,
    -_errno.EEXIST: ExistsError,
    -_errno.EACCES: AccessError,
    -_errno.EPERM: AccessError,
    -_errno.EROFS: AccessError,
    -_errno.ETIMEDOUT: WaitTimeout,
    -_errno.EAGAIN: WouldBlockError,
    -_errno.EBUSY: WouldBlockError,
    lib.MDG_DAMAGED: DamagedError,
    lib.MDG_NOT_REGISTRY: DamagedError,
    lib.MDG_TRUNCATED: DamagedError,
    lib.MDG_BROKEN: BrokenError,
    lib.MDG_PEER_DIED: PeerDiedError,
    lib.MDG_NS_GONE: GoneError,
}
_CLASSES.update({number: UnlikeError for number, name in _CODES.items()
                 if name.startswith(("MDG_UNLIKE_", "MDG_NOT_")) and number not in _CLASSES})
_CLASSES[lib.MDG_VERSION_UNLIKE] = DamagedError

_ADVICE: Dict[int, str] = {
    -_errno.ENOSPC: "`madang ls` shows what takes the room, `madang rm --orphans` frees some",
    -_errno.ENOMEM: "the memory file system may be full: see `df /dev/shm` and `madang ls`",
    -_errno.EMFILE: "the process has no free descriptor: see `ulimit -n`",
    lib.MDG_DAMAGED: "`madang doctor` says what is wrong",
    lib.MDG_NS_GONE: "open the namespace again",
    lib.MDG_NS_WRITABLE: "make it with Namespace(path, shared=True), or `chmod go-w` it",
    lib.MDG_NO_SLOT: "make the namespace anew for more processes",
    lib.MDG_BROKEN: "look at the data, then make the object new with destroy()",
}


def error(code: int, doing: str, advice: Optional[str] = None,
          kind: Optional[Type[MadangError]] = None, said: str = "") -> MadangError:
    """The exception for a negative code. `doing` says what was tried, and on what; `said` what is
    wrong, where that is known better than from the code."""
    if kind is None:
        kind = _CLASSES.get(code, MadangError)
    return kind(code, doing, _ADVICE.get(code, "") if advice is None else advice, said)


def check(code: int, doing: str, advice: Optional[str] = None, said: str = "") -> int:
    """Returns a code that is not negative, and raises the exception for one that is."""
    if code < 0:
        raise error(code, doing, advice, None, said)
    return code
