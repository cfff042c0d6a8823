# SPDX-License-Identifier: MIT
"""A dictionary in a shared heap: from bytes to bytes, for all processes.

    with madang.Heap("colours") as heap, madang.Map(heap, "of") as colours:
        colours[b"sky"] = b"blue"
        colours.change(b"count", lambda old: b"%d" % (int(old or b"0") + 1))

A Map is a MutableMapping: what one process puts, all others see. Readers take no lock. Each change
happens as a whole or not at all, also when the process is killed. A key has up to 65,536 bytes, a
value up to 1 GiB. The map stays until it is removed (`remove_map`), or its heap.

Source: <madang/map.h>, mdg_map_open(3).
"""

import functools
from collections.abc import ItemsView, MutableMapping, ValuesView
from typing import Any, Callable, Iterator, List, Optional, Tuple, TypeVar, Union, cast

from ._base import Name, deadline, encoded, shortened, whole
from ._handle import Handle
from ._madang import ffi, lib
from .errors import ClosedError, check
from .heap import Heap

ENOENT, EMSGSIZE, ESTALE = -2, -90, -116
ROOM = 1024  # bytes of a value that are read at first
STEP = 256  # entries of a walk that are read at once

Bytes = Union[bytes, bytearray, memoryview]
T = TypeVar("T")


def _bytes(value: Any, what: str) -> bytes:
    if isinstance(value, bytes):
        return value
    if isinstance(value, (bytearray, memoryview)):
        return bytes(value)
    raise TypeError(f"{what} of a madang.Map is bytes, not {type(value).__name__}")


class _Items(ItemsView[bytes, bytes]):
    _mapping: "Map"

    def __iter__(self) -> Iterator[Tuple[bytes, bytes]]:
        return self._mapping._walk()


class _Values(ValuesView[bytes]):
    _mapping: "Map"

    def __iter__(self) -> Iterator[bytes]:
        return (value for _, value in self._mapping._walk())


class Map(Handle, MutableMapping[bytes, bytes]):
    """A map that this process has open.

    heap     the Heap in which it lies
    name     of the root that has it, 1 to 47 bytes
    create   False: NotFoundError if there is no such map
    expect   how many entries there will be, if it is made: it begins large enough
    timeout  seconds for another process that is just making it; None: for ever

    While it is walked (`for key in map`, `items`), an entry that stays is shown exactly once; what
    is put or removed meanwhile is shown or not. `len` is not exact while others change the map.
    A context manager. May be used from all threads, in a forked child, and be given to another
    process (pickle).

    Raises KeyError; TypeError: what is not bytes; ValueError: too long; ClosedError; NotFoundError
    (the map was removed); MadangError: ENOMEM, EDQUOT (the heap's limit). Source: mdg_map_open(3).
    """

    def __init__(self, heap: Heap, name: Name, *, create: bool = True, expect: int = 0,
                 timeout: Optional[float] = None) -> None:
        self._said = shortened(name)
        raw = encoded(name, "the name of a map", lib.MDG_ROOT_NAME_MAX)
        options = ffi.new("struct mdg_map_options *", {
            "size": ffi.sizeof("struct mdg_map_options"),
            "flags": 0 if create else lib.MDG_MAP_EXISTING,
            "deadline": 0 if timeout is None else max(1, deadline(timeout)),
            "expect": whole(expect, "expect", 0, 2**64 - 1)})
        inside = heap._opened()
        opened = ffi.new("mdg_map **")
        check(lib.mdg_map_open(opened, inside, raw, options), f"map {self._said} of {heap!r}")
        self._again = (heap, raw)
        # The heap's handle is bound to the call, so it lives as long as the map.
        self._heap = inside
        self._handle = ffi.gc(opened[0], functools.partial(_close, inside))

    def __reduce__(self) -> Any:
        return self.__class__, self._again

    def _check(self, code: int) -> int:
        return check(code, f"{self!r}")

    def __repr__(self) -> str:
        return f"<madang.Map {self._said}{' closed' * self.closed}>"

    # ---- looking ------------------------------------------------------------------------------

    def get_version(self, key: Bytes) -> Tuple[Optional[bytes], int]:
        """The value of a key, and its version, which no other value of this key ever has. If there
        is none: None and 0. Source: mdg_map_get(3)."""
        handle, raw = self._opened(), self._key(key)
        numbers = ffi.new("uint64_t *")
        length, room = ffi.new("size_t *"), ROOM
        while True:
            value = ffi.new("char[]", room)
            code = lib.mdg_map_get(handle, raw, len(raw), value, room, length, numbers)
            if code == EMSGSIZE:
                room = length[0]
                continue
            if code == ENOENT:
                return None, 0
            self._check(code)
            return ffi.buffer(value, length[0])[:], int(numbers[0])

    @staticmethod
    def _key(key: Any) -> bytes:
        raw = _bytes(key, "a key")
        if len(raw) > lib.MDG_MAP_KEY_MAX:
            raise ValueError(f"a key has up to {lib.MDG_MAP_KEY_MAX} bytes, not {len(raw)}")
        return raw

    @staticmethod
    def _value(value: Any) -> bytes:
        raw = _bytes(value, "a value")
        if len(raw) > lib.MDG_MAP_VALUE_MAX:
            raise ValueError(f"a value has up to {lib.MDG_MAP_VALUE_MAX} bytes, not {len(raw)}")
        return raw

    def __getitem__(self, key: Bytes) -> bytes:
        value, version = self.get_version(key)
        if value is None:
            raise KeyError(key)
        return value

    def __contains__(self, key: object) -> bool:
        handle, raw = self._opened(), self._key(key)
        code = lib.mdg_map_get(handle, raw, len(raw), ffi.NULL, 0, ffi.new("size_t *"), ffi.NULL)
        if code not in (ENOENT, EMSGSIZE):
            self._check(code)
        return bool(code != ENOENT)

    def __len__(self) -> int:
        return int(lib.mdg_map_count(self._opened()))

    def _walk(self) -> Iterator[Tuple[bytes, bytes]]:
        """All entries. No read section is open while the caller works on one."""
        cursor = ffi.new("struct mdg_map_cursor *")
        while True:
            entries = self._some(cursor)
            yield from entries
            if len(entries) < STEP:
                return

    def _some(self, cursor: Any) -> List[Tuple[bytes, bytes]]:
        handle, heap = self._opened(), self._heap
        entry = ffi.new("struct mdg_map_entry *", {"size": ffi.sizeof("struct mdg_map_entry")})
        found: List[Tuple[bytes, bytes]] = []
        self._check(lib.mdg_read_begin(heap))
        try:
            while len(found) < STEP and self._check(lib.mdg_map_next(handle, cursor, entry)):
                found.append((ffi.buffer(entry.key, entry.key_length)[:],
                              ffi.buffer(entry.value, entry.length)[:]))
            return found
        finally:
            lib.mdg_read_end(heap)

    def __iter__(self) -> Iterator[bytes]:
        return (key for key, _ in self._walk())

    def items(self) -> "ItemsView[bytes, bytes]":
        """All keys with their values."""
        return _Items(self)

    def values(self) -> "ValuesView[bytes]":
        """All values."""
        return _Values(self)

    # ---- changing -----------------------------------------------------------------------------

    def __setitem__(self, key: Bytes, value: Bytes) -> None:
        handle, raw, data = self._opened(), self._key(key), self._value(value)
        self._check(lib.mdg_map_put(handle, raw, len(raw), data, len(data), ffi.NULL))

    def __delitem__(self, key: Bytes) -> None:
        handle, raw = self._opened(), self._key(key)
        code = lib.mdg_map_remove(handle, raw, len(raw))
        if code == ENOENT:
            raise KeyError(key)
        self._check(code)

    def put_if(self, key: Bytes, value: Bytes, version: int) -> bool:
        """Puts a value if the entry's version is `version`; 0: if there is no entry. Returns
        whether it did. Source: mdg_map_put_if."""
        handle, raw, data = self._opened(), self._key(key), self._value(value)
        whole(version, "a version", 0, 2**64 - 1)
        code = lib.mdg_map_put_if(handle, raw, len(raw), data, len(data), version, ffi.NULL)
        return code != ESTALE and self._check(code) == 0

    def remove_if(self, key: Bytes, version: int) -> bool:
        """Removes an entry if its version is `version`. Returns whether it did. Source:
        mdg_map_remove_if."""
        handle, raw = self._opened(), self._key(key)
        whole(version, "a version", 0, 2**64 - 1)
        code = lib.mdg_map_remove_if(handle, raw, len(raw), version)
        return code not in (ESTALE, ENOENT) and self._check(code) == 0

    def change(self, key: Bytes, function: Callable[[Optional[bytes]], Bytes]) -> bytes:
        """Puts function(old value), and returns it; the old value is None if there is none. If
        another process changes the entry meanwhile, the function is called again. No lock is
        held while it runs."""
        while True:
            old, version = self.get_version(key)
            new = self._value(function(old))
            if self.put_if(key, new, version):
                return new

    def setdefault(self, key: Bytes, default: Bytes = b"") -> bytes:
        """The value of a key; puts `default` if there is none. Exact among processes."""
        while True:
            value, _ = self.get_version(key)
            if value is not None:
                return value
            if self.put_if(key, default, 0):
                return self._value(default)

    _RAISE = object()

    def pop(self, key: Bytes, default: Any = _RAISE) -> Any:
        """Removes an entry and returns its value: to one of all processes that ask. If there is
        none: `default`, or KeyError."""
        while True:
            value, version = self.get_version(key)
            if value is None:
                if default is Map._RAISE:
                    raise KeyError(key)
                return default
            if self.remove_if(key, version):
                return value

    def popitem(self) -> Tuple[bytes, bytes]:
        """Removes some entry and returns it. KeyError: the map is empty."""
        for key in self:
            value = self.pop(key, None)
            if value is not None:
                return key, cast(bytes, value)
        raise KeyError("the map is empty")

    def clear(self) -> None:
        """Removes all entries, one after the other. What is put meanwhile may stay."""
        self._check(lib.mdg_map_clear(self._opened()))


def _close(heap: Any, handle: Any) -> None:
    lib.mdg_map_close(handle)


def remove_map(heap: Heap, name: Name) -> None:
    """Removes a map with all its entries. Who has it open gets NotFoundError. Raises
    NotFoundError, UnlikeError (the root is no map). Source: mdg_map_destroy."""
    raw = encoded(name, "the name of a map", lib.MDG_ROOT_NAME_MAX)
    check(lib.mdg_map_destroy(heap._opened(), raw), f"map {shortened(name)} of {heap!r}")
