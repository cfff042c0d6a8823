# SPDX-License-Identifier: MIT
"""A list of fixed length in a block of shared memory.

    numbers = ShareableList([1, 2.5, "three", b"four", None, True])
    numbers[0] = 10
    same = ShareableList(name=numbers.shm.name)          # in another process

It is in madang.shared_memory, as in multiprocessing.shared_memory. The block looks like this:

    magic, number of items | for each item: offset, room, length, kind | the items

Numbers take 8 bytes. Text and bytes have room for the first value of the item, rounded up as
multiprocessing does. Lengths are kept, so NUL bytes at the end stay. Who opens a list looks at
each of these numbers before it uses them.
"""

import functools
import struct
import types
from typing import Any, Callable, Iterable, Iterator, Optional, Tuple, Union

Item = Union[int, float, bool, str, bytes, None]

_MAGIC = b"mdg.list"
_HEAD = struct.Struct("<8sQ")  # magic, number of items
_ENTRY = struct.Struct("<QIIB7x")  # offset, room, length, kind
_INT, _FLOAT, _BOOL, _NONE, _TEXT, _BYTES = range(1, 7)
_FORMATS = {_INT: "q", _FLOAT: "d", _BOOL: "xxxxxxx?", _NONE: "xxxxxx?x"}
_KINDS = {int: _INT, float: _FLOAT, bool: _BOOL, type(None): _NONE, str: _TEXT, bytes: _BYTES}
_ROOM = 8


def _kind(item: Item) -> int:
    for base in type(item).__mro__:
        if base in _KINDS:
            return _KINDS[base]
    raise TypeError(f"an item is int, float, bool, str, bytes or None, not {type(item).__name__}")


def _packed(item: Any, kind: int) -> bytes:
    """An item as bytes. Raises struct.error for an int of more than 64 bits."""
    if kind == _INT:
        return struct.pack("<q", item)
    if kind == _FLOAT:
        return struct.pack("<d", item)
    if kind in (_BOOL, _NONE):
        return struct.pack("<Q", bool(item))
    return bytes(item.encode() if kind == _TEXT else item)


def _room(item: Item, raw: bytes) -> int:
    """The bytes that an item gets."""
    if not isinstance(item, (str, bytes)):
        return _ROOM
    return max(_ROOM * (len(item) // _ROOM + 1), -(-len(raw) // _ROOM) * _ROOM)


class ShareableList:
    """A list in shared memory that cannot change its length.

    ShareableList(sequence)             makes a list of these items in a new block
    ShareableList(sequence, name=name)  the same in a new block of this name
    ShareableList(name=name)            opens the list of this name

    An item is int (64 bits), float, bool, str, bytes or None, and can be replaced by one of
    another type. str and bytes may have as many bytes as there is room. The room is for the first
    value of this item: with `n` characters, n + 1 bytes, rounded up to a multiple of 8, or more if
    it needs more. `shm` is the block; close it. There is no lock: who reads an item while another
    process replaces it may see a mixture.

    Raises IndexError; ValueError: a str or bytes is too long, or the block is no list; TypeError:
    an item of another type; struct.error: an int of more than 64 bits; and what SharedMemory
    raises.
    """

    def __init__(self, sequence: Optional[Iterable[Item]] = None, *, name: Optional[str] = None,
                 **options: Any) -> None:
        from .shared_memory import SharedMemory
        if sequence is None and name is not None:
            self.shm = SharedMemory(name, **options)
            try:
                self._length = self._checked_length()
            except BaseException:
                self.shm.close()
                raise
            return
        items = list(sequence or ())
        kinds = [_kind(item) for item in items]
        packed = [_packed(item, kind) for item, kind in zip(items, kinds)]
        rooms = [_room(item, raw) for item, raw in zip(items, packed)]
        at = _HEAD.size + len(items) * _ENTRY.size
        self._length = len(items)
        self.shm = SharedMemory(name, create=True, size=at + sum(rooms), **options)
        buf = self.shm.buf
        for position, (kind, raw, room) in enumerate(zip(kinds, packed, rooms)):
            buf[at:at + len(raw)] = raw
            self._put_entry(position, at, room, len(raw), kind)
            at += room
        _HEAD.pack_into(buf, 0, _MAGIC, len(items))

    def _checked_length(self) -> int:
        size = self.shm.size
        if size >= _HEAD.size:
            magic, length = _HEAD.unpack_from(self.shm.buf, 0)
            if magic == _MAGIC and length <= (size - _HEAD.size) // _ENTRY.size:
                return int(length)
        raise ValueError(f"block {self.shm.name} holds no ShareableList")

    def _put_entry(self, position: int, at: int, room: int, length: int, kind: int) -> None:
        _ENTRY.pack_into(self.shm.buf, _HEAD.size + position * _ENTRY.size, at, room, length, kind)

    def _position(self, position: int, doing: str) -> int:
        index = position + self._length if position < 0 else position
        if not 0 <= index < self._length:
            raise IndexError(f"{doing} out of range")
        return index

    def _entry(self, index: int) -> Tuple[int, int, int, int]:
        buf = self.shm.buf
        if buf is None:
            raise ValueError(f"block {self.shm.name} is closed")
        at, room, length, kind = _ENTRY.unpack_from(buf, _HEAD.size + index * _ENTRY.size)
        if (at + room > len(buf) or length > room or not _INT <= kind <= _BYTES or
                (kind < _TEXT and length != _ROOM)):
            raise ValueError(f"item {index} of the list in block {self.shm.name} is damaged")
        return at, room, length, kind

    def __getitem__(self, position: int) -> Item:
        at, _, length, kind = self._entry(self._position(position, "index"))
        raw = bytes(self.shm.buf[at:at + length])
        if kind == _INT:
            return int(struct.unpack("<q", raw)[0])
        if kind == _FLOAT:
            return float(struct.unpack("<d", raw)[0])
        if kind == _BOOL:
            return bool(struct.unpack("<Q", raw)[0])
        if kind == _NONE:
            return None
        return raw.decode() if kind == _TEXT else raw

    def __setitem__(self, position: int, value: Item) -> None:
        index = self._position(position, "assignment index")
        at, room, _, _ = self._entry(index)
        kind = _kind(value)
        raw = _packed(value, kind)
        if len(raw) > room:
            raise ValueError(f"bytes/str item exceeds available storage: {len(raw)} bytes, and "
                             f"there is room for {room}")
        self.shm.buf[at:at + len(raw)] = raw
        self._put_entry(index, at, room, len(raw), kind)

    def __len__(self) -> int:
        return self._length

    def __iter__(self) -> Iterator[Item]:
        return (self[index] for index in range(self._length))

    def __repr__(self) -> str:
        return f"{self.__class__.__name__}({list(self)}, name={self.shm.name!r})"

    def __reduce__(self) -> Tuple[Callable[..., Any], Tuple[Any, ...]]:
        maker, (name, *_) = self.shm.__reduce__()
        given = maker.keywords if isinstance(maker, functools.partial) else {}
        return functools.partial(self.__class__, name=name, **given), ()

    def _get_packing_format(self, position: int) -> str:
        """How the struct module writes one item."""
        _, room, _, kind = self._entry(self._position(position, "index"))
        return _FORMATS.get(kind, f"{room}s")

    @property
    def format(self) -> str:
        """How the struct module writes all items, one after the other."""
        return "".join(self._get_packing_format(index) for index in range(self._length))

    def count(self, value: Item) -> int:
        """How many items are equal to `value`."""
        return sum(1 for item in self if item == value)

    def index(self, value: Item) -> int:
        """The position of the first item that is equal to `value`. ValueError: there is none."""
        for position, item in enumerate(self):
            if item == value:
                return position
        raise ValueError(f"{value!r} is not in this list")

    __class_getitem__ = classmethod(types.GenericAlias)
