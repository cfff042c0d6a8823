# SPDX-License-Identifier: MIT
"""What all objects of synchronisation share: where they lie, their names, and who uses them.

An object lies in a segment (or in other shared memory that has `pointer`), at an offset that is a
multiple of 64. Zero bytes are a valid object that nobody uses, so nobody has to go first:

    box = madang.Segment.create("box", 4096, exist_ok=True)
    lock = madang.Mutex(box, 0)                         # at offset 0
    ready = madang.Event(box, 128, name="ready")        # `madang locks` shows what has a name
    again = madang.Event(box, "ready")                  # find it by the name

They survive the death of the threads and processes that use them, by kill -9 too. What a thread
held is then free, and the next owner is told once. They are the same for programs in C and Python,
of 32 and 64 bits. Source: <madang/sync.h>, <madang/names.h>, madang(7).
"""

import os
import threading
from typing import (Any, ClassVar, Dict, Iterator, List, NamedTuple, Optional, Protocol, Tuple,
                    Type, TypeVar, Union)

from ._base import Name, encoded, shortened
from ._madang import ffi, lib
from .errors import MadangError, NotFoundError, OwnerError, check, error, text
from .namespace import Namespace
from .segment import Segment

EPERM, ENOENT, EBUSY, EDEADLK = -1, -2, -16, -35
DIED: int = lib.MDG_OWNER_DIED
NAME_MAX: int = lib.MDG_OBJECT_NAME_MAX

KINDS: Dict[int, str] = {
    number: name.replace("MDG_SYNC_", "").lower()
    for number, name in ffi.typeof("enum mdg_sync_kind").elements.items()
}


class Waiter(NamedTuple):
    """A thread that sleeps until it gets something."""

    thread: int  #: thread id in its own pid namespace; it may have died
    seconds: float  #: for how long it has slept


class SyncState(NamedTuple):
    """What an object shows of its users (struct mdg_sync_state). Fields may be of slightly
    different moments. Thread ids are those of the threads' own pid namespaces."""

    kind: str  #: "mutex", "rwlock", "cond", "sem", "event", "barrier", "once", "cell", "txn"
    owner: int  #: thread id; of a rwlock: who writes; 0: nobody
    owner_died: bool  #: and nobody has been told
    unrepaired: bool  #: its owner was told of a death, and has not said that the data are right
    broken: bool  #: the data were given up
    readers: Tuple[int, ...]  #: threads that read a rwlock; members of a barrier
    value: int  #: of a semaphore; event: 1 set; cell: its version; once: 1 done; barrier: members
    waiters: Tuple[Waiter, ...]  #: that sleep, at most 8


class LockInfo(NamedTuple):
    """An object that has a name, and where it lies."""

    segment: int  #: id of the segment
    segment_name: str
    offset: int  #: in the segment, in bytes
    kind: str
    name: str
    state: SyncState


class Memory(Protocol):
    """Where an object may lie: a Segment has this, and other shared memory may have it."""

    def pointer(self, offset: int, size: int, *, writable: bool = True, align: int = 1,
                kind: str = "char *") -> Any:
        """A C pointer of this type to `size` bytes, whose memory stays while the pointer lives.
        Raises ClosedError, ValueError (it cannot lie there), TypeError (not `writable`)."""


class _Held(threading.local):
    """What the calling thread holds, by the address. It keeps the memory while it is held."""

    def __init__(self) -> None:
        self.pointers: Dict[int, Any] = {}


_held = _Held()
os.register_at_fork(after_in_child=lambda: _held.pointers.clear())  # a child holds nothing


def hold(pointer: Any) -> None:
    """Keeps the memory of an object that this thread has just taken."""
    _held.pointers[int(ffi.cast("uintptr_t", pointer))] = pointer


def let_go(pointer: Any) -> None:
    """The thread has given it back."""
    _held.pointers.pop(int(ffi.cast("uintptr_t", pointer)), None)


def hold_at(address: int, pointer: Any) -> None:
    """As hold, for a known address."""
    _held.pointers[address] = pointer


def let_go_at(address: int) -> None:
    """As let_go, for a known address."""
    _held.pointers.pop(address, None)


def held_at(address: int) -> Any:
    """The pointer to what this thread holds there; None: nothing."""
    return _held.pointers.get(address)


def state_of(state: Any) -> SyncState:
    """A struct mdg_sync_state as Python has it."""
    now = lib.mdg_deadline(0) // 1000000
    return SyncState(
        kind=KINDS.get(state.kind, str(state.kind)), owner=state.owner,
        owner_died=bool(state.state & lib.MDG_STATE_OWNER_DIED),
        unrepaired=bool(state.state & lib.MDG_STATE_UNREPAIRED),
        broken=bool(state.state & lib.MDG_STATE_BROKEN),
        readers=tuple(state.reader[i] for i in range(min(state.readers, 64))), value=state.value,
        waiters=tuple(Waiter(state.waiter[i].thread, (now - state.waiter[i].since) % 2**32 / 1000)
                      for i in range(min(state.waiters, lib.MDG_WAITERS_SHOWN))))


def _names(handle: Any, id: int) -> Iterator[Any]:
    """Walks over the named objects of a segment, as struct mdg_name_info."""
    cursor = ffi.new("uint32_t *")
    info = ffi.new("struct mdg_name_info *", {"size": ffi.sizeof("struct mdg_name_info")})
    while check(lib.mdg_names_next(handle, id, cursor, info), f"names in segment {id}"):
        yield info


def locks(namespace: Optional[Namespace] = None) -> List[LockInfo]:
    """All objects that have names: who holds them, and who waits. `madang locks` shows the same.
    Segments that the caller may not read are left out. Source: mdg_names_next."""
    namespace = namespace or Namespace()
    handle = namespace._opened()
    found: List[LockInfo] = []
    for segment in namespace.segments():
        try:
            found += [LockInfo(segment.id, segment.name, info.offset,
                               KINDS.get(info.kind, str(info.kind)), text(info.name),
                               state_of(info.state)) for info in _names(handle, segment.id)]
        except MadangError as failure:
            if failure.name not in ("EACCES", "EINVAL"):  # EINVAL: it is gone by now
                raise
    return found


S = TypeVar("S", bound="Synchronised")


class Synchronised:
    """An object of synchronisation. The classes below it say what it is for.

    memory  the Segment in which it lies
    place   its offset there, a multiple of 64; or the name of an object that has one
    name    gives the object this name, 1 to 39 bytes

    Raises ValueError: the offset cannot be; NotFoundError: no object of this kind has the name.
    """

    KIND: ClassVar[int]
    SIZE: ClassVar[int]  #: bytes of shared memory; a multiple of 64
    ALIGNMENT: ClassVar[int] = 64  #: of its offset
    _TYPE: ClassVar[str]
    _address = 0  # where it was when it was last used
    _key: Tuple[int, int, bool, str]

    def __init__(self, memory: Memory, place: Union[int, Name] = 0, *,
                 name: Optional[Name] = None) -> None:
        if not hasattr(memory, "pointer"):
            raise TypeError(f"it lies in a Segment, not in {type(memory).__name__}")
        self._memory = memory
        self._name = ""
        if isinstance(place, (str, bytes)):
            self._offset = self._found(place)
        else:
            self._offset = place
        self._pointer(writable=False)  # raises if it cannot lie there
        if name is not None:
            self.set_name(name)

    def _size(self) -> int:
        return self.SIZE

    def _pointer(self, writable: bool = True) -> Any:
        """Where it is. The memory stays while the pointer lives."""
        if writable:
            try:  # a segment keeps what it has given, until it is closed
                return self._memory._pointers[self._key]  # type: ignore[attr-defined]
            except (AttributeError, KeyError):
                pass
        size = self._size()
        pointer = self._memory.pointer(self._offset, size, writable=writable,
                                       align=self.ALIGNMENT, kind=self._TYPE)
        self._key = (self._offset, size, True, self._TYPE)
        self._address = int(ffi.cast("uintptr_t", pointer))
        return pointer

    def _held_pointer(self) -> Any:
        """Where it is, also when the segment was closed while this thread holds it."""
        return held_at(self._address) or self._pointer()

    def _holds(self) -> bool:
        """Whether this thread holds it."""
        return held_at(self._address) is not None

    def _segment(self) -> Segment:
        if not isinstance(self._memory, Segment):
            raise TypeError(f"only objects in segments have names, not in {self._memory!r}")
        return self._memory

    def _found(self, name: Name) -> int:
        """The offset of the object with this name."""
        raw = encoded(name, "the name of an object", NAME_MAX)
        segment = self._segment()
        for info in _names(segment._handle, segment.id):
            if ffi.string(info.name) == raw and info.kind == self.KIND:
                self._name = text(info.name)
                return int(info.offset)
        raise error(ENOENT, f"{KINDS[self.KIND]} {shortened(name)} in {segment!r}",
                    "give it the name with its offset first", NotFoundError)

    @classmethod
    def named(cls: Type[S], name: Name, *, namespace: Optional[Namespace] = None) -> S:
        """The object that has a segment of this name to itself. Whoever comes first makes it.
        Remove it with `.memory.remove()` when nobody needs it any more."""
        encoded(name, "the name of an object", NAME_MAX)
        segment = Segment.create(name, cls.SIZE, exist_ok=True, namespace=namespace)
        for info in _names(segment._handle, segment.id):
            if info.kind != cls.KIND:
                raise error(lib.MDG_UNLIKE_KIND, f"{cls.__name__} {shortened(name)}",
                            said=f"there is one of that name, and it is a {KINDS.get(info.kind)}")
        return cls(segment, 0, name=name)

    @property
    def memory(self) -> Memory:
        """The segment in which it lies."""
        return self._memory

    @property
    def offset(self) -> int:
        """Its offset there."""
        return self._offset

    @property
    def name(self) -> str:
        """The name that it was given or found by; "" if none."""
        return self._name

    def set_name(self, name: Optional[Name]) -> None:
        """Gives it a name, or with None takes its name away. Source: mdg_names_set.
        Raises MadangError: ENOSPC, 255 objects of the segment have names."""
        raw = ffi.NULL if name is None else encoded(name, "the name of an object", NAME_MAX)
        segment = self._segment()
        check(lib.mdg_names_set(segment._handle, self._pointer(), self.KIND, raw),
              f"the name {shortened(name)} in {segment!r}")
        self._name = "" if raw == ffi.NULL else raw.decode("utf-8", "surrogateescape")

    def look(self) -> SyncState:
        """Who uses it. Takes no lock and changes nothing. Source: mdg_sync_look(3)."""
        state = ffi.new("struct mdg_sync_state *", {"size": ffi.sizeof("struct mdg_sync_state")})
        check(lib.mdg_sync_look(self._pointer(writable=False), self.KIND, state), f"{self!r}")
        return state_of(state)

    def _destroy(self, function: Any) -> None:
        check(function(self._pointer()), f"{self!r}")

    def _failed(self, code: int, doing: str) -> MadangError:
        """The exception for the code of a call."""
        return failure(code, f"{doing} {self!r}")

    def __repr__(self) -> str:
        named = f" {shortened(self._name)}" if self._name else ""
        return f"<madang.{type(self).__name__}{named} at {self._offset} of {self._memory!r}>"

    def __reduce__(self) -> Tuple[Any, ...]:
        return type(self), (self._memory, self._offset)


_SAID = {
    EPERM: "this thread does not hold it",
    EDEADLK: "this thread holds it already",
    -37: "this thread holds 64 locks already",
    -22: "other users gave it another size or number",
}


def failure(code: int, doing: str) -> MadangError:
    """As errors.error, with what the codes mean here."""
    kind = OwnerError if code in (EPERM, EDEADLK) else None
    return error(code, doing, None, kind, _SAID.get(code, ""))
