# SPDX-License-Identifier: MIT
"""Shared memory as multiprocessing.shared_memory has it, without its two faults.

    from madang.shared_memory import SharedMemory       # instead of multiprocessing's

    block = SharedMemory(create=True, size=1000)
    block.buf[0:5] = b"hello"
    ...                                                 # another process: SharedMemory(block.name)
    block.close()
    block.unlink()

The interface is that of Python's own module. The life of a block differs:

 - Nothing is deleted while somebody uses it. No resource tracker removes the block of a process
   that lives because another one has ended.
 - Nothing leaks. A block goes when the last process that has it open has closed it or ended, by
   kill -9 too. The process that made the block counts as a user until it ends or somebody unlinks
   the block, even after close(). With persist=True the block stays until it is unlinked.

So if a process makes a block, sends its name away and ends before the other has opened the
block, the block is gone, and the other gets FileNotFoundError. Wait for the other, or give
persist=True. Nobody ever has to call unlink(), except for a persistent block.

Blocks lie in a namespace of Madang: `madang ls` shows them. Sizes are bytes. Processes in
different pid namespaces (containers) find each other's blocks if these are persistent, or if the
namespace was made for several users.
"""

import functools
import os
from types import TracebackType
from typing import Any, Callable, Optional, Tuple, Type, Union, cast

from . import _blocks
from ._views import View
from .namespace import Namespace
from .shareable_list import ShareableList

__all__ = ["SharedMemory", "ShareableList"]

_USE_POSIX = True
_SHM_NAME_PREFIX = "psm_"


def _make_filename() -> str:
    """A random name for a new block."""
    return _SHM_NAME_PREFIX + os.urandom(6).hex()


class SharedMemory:
    """A block of shared memory with a name, that this process has open.

    SharedMemory(name)                         opens the block of that name
    SharedMemory(name, create=True, size=100)  makes it: 100 bytes, all zero
    SharedMemory(create=True, size=100)        makes one with a name of its own, see `name`

    name       up to 255 bytes, without NUL; 63 if `persist` is true
    size       at least 1 when a block is made. Otherwise it is ignored
    track      has no effect: there is no resource tracker. Python 3.13 has this argument
    persist    the new block stays until it is unlinked, also when nobody has it open
    namespace  where the block lies: a madang.Namespace or a path. Default: the default one

    A name of an ordinary segment (Segment.create, a program in C, `madang mk`) opens this segment.

    A context manager: at its end the block is closed. May be used from all threads. After a fork
    the child has the block open too. Pickled, it is opened again by name.

    Raises FileExistsError (`create`, and the name exists), FileNotFoundError, PermissionError,
    ValueError, OSError (madang.MadangError: there is not so much memory, ...).
    """

    _flags = os.O_RDWR
    _mode = 0o600
    _name: Optional[str] = None
    _block: Optional[_blocks.Block] = None
    _view: Optional[View] = None

    def __init__(self, name: Optional[str] = None, create: bool = False, size: int = 0, *,
                 track: bool = True, persist: bool = False,
                 namespace: Union[Namespace, str, "os.PathLike[str]", None] = None) -> None:
        if not size >= 0:
            raise ValueError(f"'size' must be a positive integer, not {size}")
        if create and size == 0:
            raise ValueError("'size' must be a positive number different from zero")
        if create:
            self._flags = os.O_CREAT | os.O_EXCL | os.O_RDWR
        if name is None and not self._flags & os.O_EXCL:
            raise ValueError("'name' can only be None if create=True")
        self._where = namespace
        space = namespace if isinstance(namespace, Namespace) else Namespace(namespace)
        _blocks.sweep()
        if not self._flags & os.O_EXCL:
            assert name is not None
            block = _blocks.find(space, name)
        elif name is not None:
            block = _blocks.make(space, name, size, self._mode, persist)
        else:
            name, block = self._make_any(space, size, persist)
        self._name = name
        self._block = block
        assert block.segment is not None
        pointer = block.segment.pointer(0, block.size)
        self._view = View(pointer, block.size, pointer)

    def _make_any(self, space: Namespace, size: int, persist: bool) -> Tuple[str, _blocks.Block]:
        while True:
            name = _make_filename()
            try:
                return name, _blocks.make(space, name, size, self._mode, persist)
            except FileExistsError:
                continue

    @property
    def buf(self) -> memoryview:
        """A memoryview of its bytes; None after close(), as with Python's. Slices,
        numpy.frombuffer and the like share the bytes without a copy."""
        view = self._view
        return cast(memoryview, None if view is None else view.memory)

    @property
    def name(self) -> str:
        """Its name."""
        return self._name or ""

    @property
    def size(self) -> int:
        """Its bytes."""
        return 0 if self._block is None else self._block.size

    def close(self) -> None:
        """This object gives the block up; others keep it. May be called again.

        Raises BufferError while slices of `buf` or arrays that share its bytes exist. Close it
        again when they have ended; if nobody does, the block is closed with the last of them.
        """
        view = self._view
        if view is None:
            return
        view.release("cannot close exported pointers exist")
        self._view = None
        if self._block is not None:
            _blocks.done_with(self._block)
        _blocks.sweep()

    def unlink(self) -> None:
        """Takes the block's name away: from now on nobody can open it. Who has it open keeps it.
        Its memory goes with the last of these.

        May be called before or after close(), once for each block, in one process. Raises
        FileNotFoundError: somebody has unlinked it. If it has gone with its last user, there is
        nothing to do and no error.
        """
        if self._block is not None:
            self._block.unlink(f"block {self._name}")
            _blocks.sweep()

    def __enter__(self) -> "SharedMemory":
        return self

    def __exit__(self, kind: Optional[Type[BaseException]], value: Optional[BaseException],
                 traceback: Optional[TracebackType]) -> None:
        self.close()

    def __del__(self) -> None:
        try:
            self.close()
        except OSError:
            pass
        except BufferError:  # what is exported keeps the memory
            if self._block is not None:
                _blocks.done_with(self._block)

    def __reduce__(self) -> Tuple[Callable[..., Any], Tuple[Any, ...]]:
        maker: Callable[..., Any] = self.__class__
        if self._where is not None:
            path = self._block.namespace.path if self._block is not None else self._where
            maker = functools.partial(self.__class__, namespace=path)
        return maker, (self.name, False, self.size)

    def __repr__(self) -> str:
        return f"{self.__class__.__name__}({self.name!r}, size={self.size})"
