# SPDX-License-Identifier: MIT
"""Segments: shared memory with a name.

    with madang.Segment.create("weather", 4096) as weather:
        weather.buf[0:5] = b"sunny"

    with madang.Segment("weather") as weather:            # in another process
        print(bytes(weather.buf[0:5]))

    numbers = numpy.frombuffer(weather.buf, dtype="f8")   # no copy

A segment lives until somebody removes it (`Segment.remove`, `madang rm`), not until its processes
end. One that is removed while processes have it attached can no longer be found, and its memory
goes when the last of them detaches it or ends, however it ends. Source: <madang/segment.h>,
mdg_segment_create(3), mdg_segment_attach(3).
"""

import functools
import weakref
from types import TracebackType
from typing import Any, Dict, List, Optional, Tuple, Type, TypeVar

from ._base import Name, encoded, shortened, whole
from ._madang import ffi, lib
from .errors import ClosedError, check
from .namespace import (Namespace, ProcessInfo, SegmentInfo, missing, segment_info,
                        walk_processes)

EEXIST, ENOENT, EINVAL = -17, -2, -22

S = TypeVar("S", bound="Segment")


def _keep(memory: Any, pointer: Any) -> None:
    """Does nothing when a pointer ends, but for letting go of the memory that it points to."""


class Segment:
    """A segment that this process has attached.

    Segment(name)                    the segment of that name
    Segment.create(name, size)       a new one
    Segment.attach(id)               one that is known by its id
    Segment.by_key(key, size)        as shmget(2) finds or makes it

    `namespace` is a Namespace; default: the default one. With `readonly` the memory cannot be
    written. `min_size` is how many bytes it must have at least.

    `buf` is a memoryview of its bytes. A context manager: at its end the segment is detached, and
    stays. May be used from all threads. A forked child has it attached too, and detaches its own.

    Raises NotFoundError, AccessError, MadangError.
    """

    def __init__(self, name: Name, *, namespace: Optional[Namespace] = None,
                 readonly: bool = False, min_size: int = 0) -> None:
        raw = encoded(name, "the name of a segment")
        namespace = namespace or Namespace()
        id = ffi.new("mdg_id *")
        ask = 0o400 if readonly else 0o600
        code = lib.mdg_segment_open(namespace._opened(), raw,
                                    whole(min_size, "min_size", 0, 2**64 - 1), ask, id)
        if code == EINVAL:
            check(code, f"segment {shortened(name)}", said=f"it has less than {min_size} bytes")
        check(code, f"segment {shortened(name)}")
        self._attach(namespace, id[0], readonly)

    def _attach(self, namespace: Namespace, id: int, readonly: bool) -> None:
        """What makes an object of a segment whose id is known."""
        handle = namespace._opened()
        doing = f"segment {id}"
        info = ffi.new("struct mdg_segment_info *", {"size": ffi.sizeof("struct mdg_segment_info")})
        check(missing(lib.mdg_segment_stat(handle, id, 0, info)), doing)
        memory = ffi.new("void **")
        flags = lib.MDG_RDONLY if readonly else 0
        check(missing(lib.mdg_segment_attach(handle, id, ffi.NULL, flags, memory)), doing)
        # The namespace's handle is bound to the call, so it lives as long as the memory.
        self._memory: Any = ffi.gc(ffi.cast("char *", memory[0]),
                                   functools.partial(lib.mdg_segment_detach, handle))
        self._handle = handle
        self._path = namespace.path
        self._id = id
        self._size = int(info.bytes)
        self._name = segment_info(info).name
        self._readonly = readonly
        self._view: Optional[memoryview] = None
        self._pointers: Dict[Tuple[int, int, bool, str], Any] = {}
        self._look()

    def _look(self) -> None:
        """Makes the view, and a witness that ends with the last view of the memory."""
        buffer = ffi.buffer(self._memory, self._size)
        self._views = weakref.ref(buffer)
        view = memoryview(buffer)
        self._view = view.toreadonly() if self._readonly else view

    # ---- ways to come by one ----------------------------------------------------------------

    @classmethod
    def create(cls: Type[S], name: Optional[Name], size: int, *, exist_ok: bool = False,
               mode: int = 0o600, reserve: bool = True, huge_pages: bool = False,
               namespace: Optional[Namespace] = None) -> S:
        """Makes a segment of `size` bytes, all zero, and attaches it.

        name        1 to 63 bytes, or None: it is known by its id alone
        exist_ok    if there is one of that name already, that one is attached; it must have at
                    least `size` bytes
        mode        the nine permission bits; the umask does not apply
        reserve     memory is reserved now, so that no later access fails for want of memory
        huge_pages  in huge pages

        Raises ExistsError; MadangError: ENOMEM (there is not so much memory), ENOSPC (there are
        as many segments as the namespace allows), EINVAL (more bytes than it allows).
        Source: mdg_segment_create(3).
        """
        raw = ffi.NULL if name is None else encoded(name, "the name of a segment")
        whole(size, "the size of a segment", 1, 2**63 - 1)
        namespace = namespace or Namespace()
        flags = ((0 if reserve else lib.MDG_NORESERVE) |
                 (lib.MDG_HUGEPAGES if huge_pages else 0))
        id = ffi.new("mdg_id *", -1)
        try:
            while True:
                code = lib.mdg_segment_create(namespace._opened(), raw, size,
                                              whole(mode, "mode", 0, 0o777), flags, id)
                if code == EEXIST and exist_ok and name is not None:
                    try:
                        return cls(name, namespace=namespace, min_size=size)
                    except FileNotFoundError:
                        continue  # removed in between
                check(code, f"new segment {shortened(name)} of {size} bytes")
                made = cls.__new__(cls)
                made._attach(namespace, id[0], False)
                return made
        except BaseException:
            if id[0] >= 0:  # nobody else can know of it yet, or uses what nobody has filled
                lib.mdg_segment_remove(namespace._opened(), id[0])
            raise

    @classmethod
    def attach(cls: Type[S], id: int, *, namespace: Optional[Namespace] = None,
               readonly: bool = False) -> S:
        """Attaches the segment with this id. Raises NotFoundError, AccessError.
        Source: mdg_segment_attach(3)."""
        made = cls.__new__(cls)
        made._attach(namespace or Namespace(), whole(id, "an id", 0, 2**31 - 1), readonly)
        return made

    @classmethod
    def by_key(cls: Type[S], key: int, size: int = 0, *, create: bool = False,
               exclusive: bool = False, mode: int = 0o600, readonly: bool = False,
               namespace: Optional[Namespace] = None) -> S:
        """Finds the segment with a System V key, as shmget(2); with `create` makes it if there is
        none, with `exclusive` only if there is none. Key 0 always makes a new one.
        Source: mdg_segment_get."""
        flags = (whole(mode, "mode", 0, 0o777) | (lib.MDG_CREATE if create else 0) |
                 (lib.MDG_CREATE | lib.MDG_EXCL if exclusive else 0))
        namespace = namespace or Namespace()
        id = ffi.new("mdg_id *")
        check(lib.mdg_segment_get(namespace._opened(), whole(key, "a key", -2**31, 2**31 - 1),
                                  whole(size, "the size of a segment", 0, 2**63 - 1), flags, id),
              f"segment with the key {key}")
        return cls.attach(id[0], namespace=namespace, readonly=readonly)

    # ---- its bytes ----------------------------------------------------------------------------

    @property
    def buf(self) -> memoryview:
        """Its bytes. Slices, numpy.frombuffer and the like share them without a copy."""
        view = self._view
        if view is None:
            raise ClosedError(f"{self!r} was closed")
        return view

    def __buffer__(self, flags: int) -> memoryview:
        return self.buf[:]  # since Python 3.12: memoryview(segment), numpy.frombuffer(segment)

    def pointer(self, offset: int, size: int, *, writable: bool = True, align: int = 1,
                kind: str = "char *") -> Any:
        """For other modules: a C pointer to `size` bytes. The memory stays while it lives."""
        key = (offset, size, writable, kind)
        pointer = self._pointers.get(key)
        if pointer is not None:
            return pointer
        memory = self._memory
        if memory is None:
            raise ClosedError(f"{self!r} was closed")
        whole(offset, "an offset", 0, 2**63 - 1)
        if offset % align != 0:
            raise ValueError(f"the offset is a multiple of {align}, not {offset}")
        if offset + size > self._size:
            raise ValueError(f"{size} bytes at offset {offset} do not fit in {self!r}")
        if writable and self._readonly:
            raise TypeError(f"{self!r} was attached to read only")
        # gc ties the new pointer to `memory`: it keeps that alive, and does nothing at its end.
        pointer = ffi.gc(ffi.cast(kind, memory + offset), functools.partial(_keep, memory))
        self._pointers[key] = pointer
        if self._memory is None:  # closed meanwhile
            self._pointers.clear()
        return pointer

    def __len__(self) -> int:
        return self._size

    # ---- closing ------------------------------------------------------------------------------

    def close(self) -> None:
        """Detaches it. The segment stays. May be called again.

        Raises BufferError while a view of its memory exists (a slice of `buf`, a numpy array);
        then it stays attached and usable. While a thread holds a lock in it or waits for one, it
        stays attached until the thread is through.
        """
        view = self._view
        if view is None:
            return
        view.release()  # BufferError: somebody has exported it
        self._view = None
        del view
        if self._views() is not None:
            self._look_again()
            raise BufferError(f"{self!r} cannot be closed: views of its memory exist")
        self._memory = None
        self._pointers.clear()

    def _look_again(self) -> None:
        buffer = self._views()
        if buffer is None:
            self._look()
        else:
            view = memoryview(buffer)
            self._view = view.toreadonly() if self._readonly else view

    def __enter__(self: S) -> S:
        if self._view is None:
            raise ClosedError(f"{self!r} was closed")
        return self

    def __exit__(self, kind: Optional[Type[BaseException]], value: Optional[BaseException],
                 traceback: Optional[TracebackType]) -> None:
        try:
            self.close()
        except BufferError:
            if kind is None:
                raise  # else what the block raised is more important; the views keep the memory

    # ---- what it is ---------------------------------------------------------------------------

    @property
    def id(self) -> int:
        """Identifies it in its namespace. `madang ls` shows it."""
        return self._id

    @property
    def name(self) -> str:
        """Its name; "" when it has none."""
        return self._name

    @property
    def size(self) -> int:
        """Its bytes."""
        return self._size

    @property
    def readonly(self) -> bool:
        """Whether it was attached to read only."""
        return self._readonly

    @property
    def closed(self) -> bool:
        """Whether it was closed."""
        return self._view is None

    def __repr__(self) -> str:
        if not hasattr(self, "_size"):
            return "<madang.Segment that was not attached>"
        named = f" {shortened(self._name)}" if self._name else ""
        return (f"<madang.Segment {self._id}{named}, {self._size} bytes"
                f"{', read only' * self._readonly}{', closed' * self.closed}>")

    def __reduce__(self) -> "tuple[Any, ...]":
        if self.closed:
            raise ClosedError(f"{self!r} was closed")
        return _attached, (type(self), self._path, self._id, self._readonly)

    def stat(self, resident: bool = True, creator: bool = True) -> SegmentInfo:
        """What it is: owner, mode, attachments, times. Raises NotFoundError: it was removed and
        nobody has it attached any more. Source: mdg_segment_stat(3)."""
        info = ffi.new("struct mdg_segment_info *", {"size": ffi.sizeof("struct mdg_segment_info")})
        flags = ((lib.MDG_STAT_RESIDENT if resident else 0) |
                 (lib.MDG_STAT_CREATOR if creator else 0))
        check(missing(lib.mdg_segment_stat(self._handle, self._id, flags, info)), f"{self!r}")
        return segment_info(info)

    def processes(self) -> List[ProcessInfo]:
        """The living processes that have it attached."""
        return walk_processes(self._handle, self._id)

    def remove(self) -> None:
        """Removes it: nobody finds it any more, and its memory goes when the last process has
        detached it. To remove it again changes nothing, while anybody has it attached.
        Raises NotFoundError: it is gone; AccessError.
        Source: mdg_segment_remove."""
        check(missing(lib.mdg_segment_remove(self._handle, self._id)), f"{self!r}")

    def set(self, *, uid: Optional[int] = None, gid: Optional[int] = None,
            mode: Optional[int] = None) -> None:
        """Changes its owner, its group, or its nine permission bits. Source: mdg_segment_set."""
        now = self.stat(resident=False, creator=False)
        check(missing(lib.mdg_segment_set(
            self._handle, self._id, now.uid if uid is None else whole(uid, "uid", 0, 2**32 - 1),
            now.gid if gid is None else whole(gid, "gid", 0, 2**32 - 1),
            now.mode if mode is None else whole(mode, "mode", 0, 0o777))), f"{self!r}")

    def lock_memory(self, locked: bool = True) -> None:
        """Marks it as locked, as shmctl's SHM_LOCK does: it counts against RLIMIT_MEMLOCK.
        Source: mdg_segment_lock."""
        check(missing(lib.mdg_segment_lock(self._handle, self._id, int(locked))), f"{self!r}")


def _attached(cls: Type[S], path: str, id: int, readonly: bool) -> S:
    """Attaches what was pickled, in another process."""
    return cls.attach(id, namespace=Namespace(path, create=False), readonly=readonly)
