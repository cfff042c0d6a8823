# SPDX-License-Identifier: MIT
"""Blocks: segments that are found by a name, and go with the last process that has them.

A segment of Madang stays until it is removed. A removed one goes when the last process that has
it attached detaches it or ends, also by kill -9: the kernel frees its memory, nobody has to clean
up. So a block is a segment that is removed as soon as it is made. It is not found by its name any
more, but a walk over all segments still shows the name. Behind the bytes of the block is a trailer:

    0         size   trailer_at                        segment's length
    | the bytes | pad  | magic, size, link, name         |

`link` is a semaphore with one unit while the block can be found. Whoever takes the unit has
unlinked the block.

Two processes that make a block of one name at the same time must not both succeed. So a segment is
made with a name, PREFIX and the block's name. While it has the name, before it is removed, another
one of that name cannot be made. A process that is killed just then leaves this segment behind, with
nobody attached. The next process that makes or finds a block removes it.

With `persist` the block is an ordinary segment with the block's name. It stays until it is
unlinked, and programs in C find it. Likewise the segments of other programs are found by name.

The process that made a block has it attached until it ends or the block is unlinked, although its
SharedMemory was closed. So it can close a block and then tell another process its name.
"""

import hashlib
import os
import struct
import time
from typing import Any, List, Optional, Set

from ._base import shortened
from ._madang import ffi, lib
from .errors import ExistsError, MadangError, NotFoundError, UnlikeError, check, error
from .namespace import Namespace
from .segment import Segment

EACCES, EEXIST, EINVAL, ENOENT, EIDRM = -13, -17, -22, -2, -43
ETIMEDOUT = -110

PREFIX = "shm:"
NAME_MAX = 255
PERSISTENT_NAME_MAX = int(lib.MDG_NAME_MAX)

_MAGIC = b"madang.block.001"
_HEAD = struct.Struct("<16sQI")  # magic, size of the block, bytes of the name
_LINK_AT = 64
_NAME_AT = 192
_TRAILER = 448  # room for all that
_ALIGN = 64
_REACH = 0.1  # seconds for a process that has a block and cannot be reached
_PATIENCE = 10.0  # seconds for another process that is making a block of the same name


def raw_name(name: object, persist: bool = False) -> bytes:
    """The name of a block as bytes. Raises TypeError or ValueError."""
    if not isinstance(name, str):
        raise TypeError(f"the name of a block is text, not {type(name).__name__}")
    raw = os.fsencode(name)
    most = PERSISTENT_NAME_MAX if persist else NAME_MAX
    if not 1 <= len(raw) <= most:
        raise ValueError(f"the name of a block has 1 to {most} bytes, not {len(raw)}: "
                         f"{shortened(name)}")
    if b"\0" in raw:
        raise ValueError(f"embedded null byte in the name of a block: {shortened(name)}")
    if name.startswith(PREFIX):
        raise ValueError(f"names that begin with {PREFIX!r} are Madang's own: {shortened(name)}")
    return raw


def _segment_name(raw: bytes) -> bytes:
    """The name of the segment of a block."""
    name = PREFIX.encode() + raw
    if len(name) <= lib.MDG_NAME_MAX:
        return name
    return PREFIX.encode() + b"#" + hashlib.blake2b(raw, digest_size=16).hexdigest().encode()


class Block:
    """A block that this process has attached, or had."""

    def __init__(self, namespace: Namespace, segment: Segment, size: int,
                 trailer_at: Optional[int]) -> None:
        self.namespace = namespace
        self.id = segment.id
        self.size = size
        self.segment: Optional[Segment] = segment
        self.trailer_at = trailer_at  # None: an ordinary segment
        self.in_use = True  # a SharedMemory is open on it
        self.unlinked = False  # as far as this process knows

    def linked(self) -> bool:
        """Whether the block, which is attached, still has its name."""
        if self.trailer_at is None:
            return True
        if not self.unlinked and lib.mdg_sem_value(self._link()) != 1:
            self.unlinked = True
        return not self.unlinked

    def _link(self) -> Any:
        assert self.segment is not None and self.trailer_at is not None
        at = self.trailer_at + _LINK_AT
        size = ffi.sizeof("mdg_sem")
        return ffi.cast("mdg_sem *", self.segment.pointer(at, size))

    def write_trailer(self, raw: bytes) -> None:
        """Of a new block."""
        assert self.segment is not None and self.trailer_at is not None
        memory = self.segment.buf
        _HEAD.pack_into(memory, self.trailer_at, _MAGIC, self.size, len(raw))
        at = self.trailer_at + _NAME_AT
        memory[at:at + len(raw)] = raw
        check(lib.mdg_sem_post(self._link(), 1), f"new block {shortened(os.fsdecode(raw))}")

    def unlink(self, doing: str) -> None:
        """Takes the block's name away. Raises NotFoundError: somebody has done so before."""
        if self.unlinked:
            raise error(ENOENT, doing, "it was unlinked before")
        if self.trailer_at is None:
            self._remove(doing)
        elif self.segment is not None:
            code = lib.mdg_sem_trywait(self._link())
            self.unlinked = True
            if code != 0:
                raise error(ENOENT, doing, "it was unlinked before")
        else:
            self._unlink_closed(doing)
        if not self.in_use:
            self.leave()

    def _remove(self, doing: str) -> None:
        handle = self.namespace._opened()
        info = ffi.new("struct mdg_segment_info *", {"size": ffi.sizeof("struct mdg_segment_info")})
        code = lib.mdg_segment_stat(handle, self.id, lib.MDG_STAT_ANY, info)
        if code == 0 and info.mode & lib.MDG_MODE_REMOVED:
            code = ENOENT
        if code == 0:
            code = lib.mdg_segment_remove(handle, self.id)
        self.unlinked = code in (0, EINVAL, ENOENT)
        check(ENOENT if code == EINVAL else code, doing)

    def _unlink_closed(self, doing: str) -> None:
        """This process has no attachment any more, but others may. If nobody has, the block has
        gone with its last user, and there is nothing to do."""
        self.unlinked = True
        try:
            segment = Segment.attach(self.id, namespace=self.namespace)
        except NotFoundError:
            return
        again = _read(self.namespace, segment, None)
        code = ENOENT if again is None else lib.mdg_sem_trywait(again._link())
        segment.close()
        if code != 0:
            raise error(ENOENT, doing, "it was unlinked before")

    def leave(self) -> None:
        """Detaches it."""
        segment, self.segment = self.segment, None
        if segment is not None:
            segment.close()


# ---- what this process has made ----------------------------------------------------------------

_made: Set[Block] = set()


def done_with(block: Block) -> None:
    """The SharedMemory on a block was closed. Who made the block stays attached."""
    block.in_use = False
    if block.segment is not None and (not block.linked() or block not in _made):
        _made.discard(block)
        block.leave()


def sweep() -> None:
    """Leaves the blocks that this process has made and closed, and that others have unlinked."""
    for block in list(_made):
        if not block.in_use and (block.segment is None or not block.linked()):
            _made.discard(block)
            block.leave()


def _after_fork() -> None:
    """A child has made none of them. What it has open, it has attached itself."""
    for block in list(_made):
        if not block.in_use:
            block.leave()
    _made.clear()


os.register_at_fork(after_in_child=_after_fork)


# ---- finding -----------------------------------------------------------------------------------


def _read(namespace: Namespace, segment: Segment, raw: Optional[bytes]) -> Optional[Block]:
    """The block that a segment is. None: it is no block, or not one of this name. Nothing in the
    trailer is believed without a look."""
    at = segment.size - _TRAILER
    if at <= 0 or at % _ALIGN != 0:
        return None
    magic, size, length = _HEAD.unpack_from(segment.buf, at)
    if magic != _MAGIC or not 1 <= size <= at or at - size >= _ALIGN or length > NAME_MAX:
        return None
    name = bytes(segment.buf[at + _NAME_AT:at + _NAME_AT + length])
    return None if raw is not None and name != raw else Block(namespace, segment, size, at)


def _candidates(namespace: Namespace, raw: bytes) -> List[int]:
    """Ids of the segments that may be the block. Also removes what a killed process has left of
    the making of a block."""
    handle = namespace._opened()
    cursor = ffi.new("uint32_t *")
    info = ffi.new("struct mdg_segment_info *", {"size": ffi.sizeof("struct mdg_segment_info")})
    name = _segment_name(raw)
    prefix = PREFIX.encode()
    found: List[int] = []
    while True:
        code = lib.mdg_segment_next(handle, cursor, 0, info)
        check(code, f"segments of {namespace!r}")
        if code == 0:
            return found
        if info.mode & lib.MDG_MODE_REMOVED:
            if ffi.string(info.name) == name and info.kind == lib.MDG_SEGMENT_PLAIN:
                found.append(int(info.id))
        elif info.attached == 0 and ffi.string(info.name).startswith(prefix):
            _remove_dead(namespace, int(info.id))


def _remove_dead(namespace: Namespace, id: int) -> None:
    """Removes a segment of a block that is being made, if its maker has died."""
    handle = namespace._opened()
    info = ffi.new("struct mdg_segment_info *", {"size": ffi.sizeof("struct mdg_segment_info")})
    flags = lib.MDG_STAT_CREATOR | lib.MDG_STAT_ANY
    if (lib.mdg_segment_stat(handle, id, flags, info) == 0 and info.attached == 0 and
            not info.creator_alive):
        lib.mdg_segment_remove(handle, id)


def _attached(namespace: Namespace, id: int) -> bool:
    """Whether a living process has the segment."""
    info = ffi.new("struct mdg_segment_info *", {"size": ffi.sizeof("struct mdg_segment_info")})
    code = lib.mdg_segment_stat(namespace._opened(), id, lib.MDG_STAT_ANY, info)
    return bool(code == 0 and info.attached > 0)


def _find_named(namespace: Namespace, raw: bytes) -> Optional[Block]:
    """The ordinary segment of this name."""
    if len(raw) > PERSISTENT_NAME_MAX:
        return None
    id = ffi.new("mdg_id *")
    code = lib.mdg_segment_open(namespace._opened(), raw, 0, 0o600, id)
    if code == ENOENT:
        return None
    doing = f"block {shortened(os.fsdecode(raw))}"
    check(code, doing)
    try:
        segment = Segment.attach(id[0], namespace=namespace)
    except NotFoundError:
        return None
    kind = segment.stat(resident=False, creator=False).kind
    if kind != "plain":
        segment.close()
        raise UnlikeError(lib.MDG_UNLIKE_KIND, doing, f"the segment of this name is a {kind}")
    return Block(namespace, segment, segment.size, None)


def _find_unnamed(namespace: Namespace, raw: bytes) -> Optional[Block]:
    """The block whose trailer has this name. A removed segment is opened through a process that
    has it. A child that was just forked cannot be asked yet: for a moment, try again."""
    until = time.monotonic() + _REACH
    while True:
        unreached: List[int] = []
        block = _find_reached(namespace, raw, unreached)
        if block is not None or not unreached:
            return block
        if time.monotonic() > until:
            raise error(ENOENT, f"block {shortened(os.fsdecode(raw))}",
                        "it is there, but not the processes that have it: they are in another pid "
                        "namespace (a container); persist=True makes a block that they can share")
        time.sleep(0.001)


def _find_reached(namespace: Namespace, raw: bytes, unreached: List[int]) -> Optional[Block]:
    refused: Optional[MadangError] = None
    for id in _candidates(namespace, raw):
        try:
            segment = Segment.attach(id, namespace=namespace)
        except NotFoundError:
            if _attached(namespace, id):
                unreached.append(id)
            continue
        except MadangError as failed:
            if failed.code != EACCES:
                raise
            refused = failed
            continue
        block = _read(namespace, segment, raw)
        if block is not None and block.linked():
            return block
        segment.close()
    if refused is not None:
        raise refused
    return None


def find(namespace: Namespace, name: str) -> Block:
    """The block of this name, attached. Raises NotFoundError, AccessError, UnlikeError."""
    raw = raw_name(name)
    block = _find_named(namespace, raw) or _find_unnamed(namespace, raw)
    if block is None:
        raise error(ENOENT, f"block {shortened(name)}",
                    "a block goes with its last user, unless it was made with persist=True")
    return block


# ---- making ------------------------------------------------------------------------------------


def _begin(namespace: Namespace, raw: bytes, size: int, mode: int) -> Segment:
    """Makes a segment that nobody else can make until it is removed. Waits for another process
    that is making a block of this name."""
    name = _segment_name(raw)
    until = time.monotonic() + _PATIENCE
    while True:
        try:
            return Segment.create(name, size, mode=mode, namespace=namespace)
        except ExistsError:
            id = ffi.new("mdg_id *")
            if lib.mdg_segment_open(namespace._opened(), name, 0, 0, id) == 0:
                _remove_dead(namespace, id[0])
            if time.monotonic() > until:
                raise error(ETIMEDOUT, f"new block {shortened(os.fsdecode(raw))}",
                            f"another process makes it and does not go on; if there is none, "
                            f"`madang rm {os.fsdecode(name)}`") from None
            time.sleep(0.0005)


def _refuse_existing(namespace: Namespace, raw: bytes) -> None:
    block = None
    try:
        block = _find_named(namespace, raw) or _find_unnamed(namespace, raw)
    except (UnlikeError, PermissionError, NotFoundError):
        pass  # it is there, but not for us
    else:
        if block is None:
            return
        block.leave()
    raise error(EEXIST, f"new block {shortened(os.fsdecode(raw))}")


def make(namespace: Namespace, name: str, size: int, mode: int, persist: bool) -> Block:
    """A new block, attached, all zero. Raises ExistsError, MadangError."""
    raw = raw_name(name, persist)
    if persist:
        return _make_persistent(namespace, raw, size, mode)
    at = -(-size // _ALIGN) * _ALIGN
    segment = _begin(namespace, raw, at + _TRAILER, mode)
    try:
        _refuse_existing(namespace, raw)
        block = Block(namespace, segment, size, at)
        block.write_trailer(raw)
        segment.remove()  # from this moment others find it
        _made.add(block)
        return block
    except BaseException:
        _abandon(segment)
        raise


def _abandon(segment: Segment) -> None:
    lib.mdg_segment_remove(segment._handle, segment.id)
    segment.close()


def _make_persistent(namespace: Namespace, raw: bytes, size: int, mode: int) -> Block:
    guard = _begin(namespace, raw, 1, mode)
    try:
        _refuse_existing(namespace, raw)
        segment = Segment.create(raw, size, mode=mode, namespace=namespace)
    finally:
        _abandon(guard)
    return Block(namespace, segment, size, None)
