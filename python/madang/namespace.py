# SPDX-License-Identifier: MIT
"""Namespaces: the directories in which segments, locks and channels lie.

    with madang.Namespace() as namespace:             # the default one
        for segment in namespace.segments():
            print(segment.id, segment.name, segment.bytes, segment.attached)

Whoever may enter the directory is in the namespace. Source: <madang/segment.h>,
mdg_namespace_open(3), madang(7).
"""

import os
from typing import Any, Iterator, List, NamedTuple, Union

from ._base import whole
from ._handle import Handle
from ._madang import ffi, lib
from .errors import ClosedError, check, error, text

KINDS = {lib.MDG_SEGMENT_PLAIN: "plain", lib.MDG_SEGMENT_CHANNEL: "channel",
         lib.MDG_SEGMENT_HEAP: "heap"}


class NamespaceInfo(NamedTuple):
    """What a namespace is and holds (struct mdg_namespace_info)."""

    path: str  #: its directory
    shared: bool  #: made for several users
    segments: int  #: that are there, with removed ones that are still attached
    segments_max: int  #: the most at one time
    processes: int  #: that have a slot; a dead one counts until a call has noticed
    processes_max: int  #: the most at one time
    shmmax: int  #: bytes of the largest segment that can be made
    shmall: int  #: pages of all segments that can be made
    pages: int  #: of all segments, each rounded up
    pages_resident: int  #: of these, in memory; 0 unless asked for


class SegmentInfo(NamedTuple):
    """What a segment is (struct mdg_segment_info). Times are seconds since 1970; 0: never."""

    id: int
    name: str  #: "" when it has none
    bytes: int  #: its length, as it was asked for
    kind: str  #: "plain", "channel", "heap"
    attached: int  #: attachments of all living processes; exact
    mode: int  #: nine permission bits
    removed: bool  #: removed, and still attached
    locked: bool  #: marked by SHM_LOCK
    key: int  #: of System V; 0: none
    uid: int  #: of the owner
    gid: int
    cuid: int  #: of the creator
    cgid: int
    cpid: int  #: process that created it
    lpid: int  #: process that last attached, detached or forked with it
    creator_alive: bool  #: False unless asked for
    resident: int  #: bytes in memory; 0 unless asked for
    atime: int  #: last attach
    dtime: int  #: last detach
    ctime: int  #: creation or last change


class ProcessInfo(NamedTuple):
    """A process that has a segment attached (struct mdg_process_info)."""

    pid: int  #: in its own pid namespace; 0: not known yet
    uid: int  #: its effective user id when it first used the namespace
    attached: int  #: how many attachments of this segment it has
    same_pid_namespace: bool  #: whether `pid` means something to the caller


class Finding(NamedTuple):
    """What a check found (struct mdg_finding)."""

    kind: str  #: "DAMAGE", "DEAD_SLOT", "ORPHAN_FILE", ...: enum mdg_found
    text: str  #: a sentence in English
    repaired: bool  #: this check has mended it
    id: int  #: id or index of a segment; -1: none
    pid: int  #: of a process; 0: none


def default_path() -> str:
    """The directory of the default namespace, which need not exist: $MADANG_NAMESPACE, or
    /dev/shm/madang-<user id>. Source: mdg_namespace_default_path."""
    path = ffi.new("char[1024]")
    check(lib.mdg_namespace_default_path(path, len(path)), "the default namespace")
    return text(path)


def segment_info(info: Any) -> SegmentInfo:
    """A struct mdg_segment_info as Python has it."""
    return SegmentInfo(
        id=info.id, name=text(info.name), bytes=info.bytes,
        kind=KINDS.get(info.kind, str(info.kind)), attached=info.attached,
        mode=info.mode & 0o777, removed=bool(info.mode & lib.MDG_MODE_REMOVED),
        locked=bool(info.mode & lib.MDG_MODE_LOCKED), key=info.key, uid=info.uid, gid=info.gid,
        cuid=info.cuid, cgid=info.cgid, cpid=info.cpid, lpid=info.lpid,
        creator_alive=bool(info.creator_alive), resident=info.resident, atime=info.atime,
        dtime=info.dtime, ctime=info.ctime)


class Namespace(Handle):
    """A namespace that this process has open.

    Namespace()                    the default one, made if it does not exist
    Namespace("/dev/shm/mine")     the one in that directory, made if it does not exist
    Namespace(path, create=False)  NotFoundError if it does not exist
    Namespace(path, exclusive=True)  ExistsError if it exists
    Namespace(path, look=True)     only look: nothing is made or changed

    These matter only when the namespace is made: `shared` (for several users, mode 01777),
    `segments` (most at one time, 64 to 32768; default 4096), `processes` (most at one time, 16 to
    32767; default 4096), `shmmax` (bytes of the largest segment), `shmall` (pages of all
    segments); 0 is the default.

    A context manager: at its end the namespace is closed. Segments and locks that were made with
    it keep working. May be used from all threads, and in a forked child.

    Raises NotFoundError, ExistsError, AccessError (also when the directory is another user's),
    DamagedError, MadangError. Source: mdg_namespace_open(3).
    """

    def __init__(self, path: Union[str, bytes, "os.PathLike[str]", None] = None, *,
                 create: bool = True, exclusive: bool = False, shared: bool = False,
                 look: bool = False, segments: int = 0, processes: int = 0, shmmax: int = 0,
                 shmall: int = 0) -> None:
        flags = ((0 if create else lib.MDG_NS_EXISTING) | (lib.MDG_NS_EXCL if exclusive else 0) |
                 (lib.MDG_NS_SHARED if shared else 0) | (lib.MDG_NS_LOOK if look else 0))
        options = ffi.new("struct mdg_namespace_options *", {
            "size": ffi.sizeof("struct mdg_namespace_options"), "flags": flags,
            "segments": whole(segments, "segments", 0, 32768),
            "processes": whole(processes, "processes", 0, 32767),
            "shmmax": whole(shmmax, "shmmax", 0, 2**64 - 1),
            "shmall": whole(shmall, "shmall", 0, 2**64 - 1)})
        where = ffi.NULL if path is None else os.fsencode(path)
        if where == b"":
            raise ValueError("the path of a namespace is empty")
        if where != ffi.NULL and b"\0" in where:
            raise ValueError(f"the path of a namespace cannot contain a NUL byte: {path!r}")
        handle = ffi.new("mdg_namespace **")
        doing = f"namespace {default_path() if path is None else os.fsdecode(path)}"
        check(lib.mdg_namespace_open(handle, where, options), doing)
        self._handle = ffi.gc(handle[0], lib.mdg_namespace_close)
        self._path = self.info().path

    def _opened(self) -> Any:
        """The handle; whoever has it keeps it open."""
        handle = self._handle
        if handle is None:
            raise ClosedError("the namespace is closed")
        return handle

    @property
    def path(self) -> str:
        """Its directory."""
        return self._path

    def __repr__(self) -> str:
        return f"<madang.Namespace {getattr(self, '_path', '?')}{' closed' * self.closed}>"

    def __reduce__(self) -> "tuple[Any, ...]":
        return type(self), (self._path,)  # as another process opens it

    def info(self, resident: bool = False) -> NamespaceInfo:
        """What it is and holds. `resident` also counts the pages that are in memory, which takes
        a few system calls a segment. Source: mdg_namespace_info."""
        info = ffi.new("struct mdg_namespace_info *",
                       {"size": ffi.sizeof("struct mdg_namespace_info")})
        flags = lib.MDG_INFO_RESIDENT if resident else 0
        check(lib.mdg_namespace_info(self._opened(), flags, info), f"{self!r}")
        return NamespaceInfo(
            path=text(info.path), shared=bool(info.flags & lib.MDG_NS_SHARED),
            segments=info.segments_used, segments_max=info.segments_max,
            processes=info.processes_used, processes_max=info.processes_max,
            shmmax=info.shmmax, shmall=info.shmall, pages=info.pages_total,
            pages_resident=info.pages_resident)

    def segments(self, resident: bool = False, creator: bool = False) -> Iterator[SegmentInfo]:
        """Walks over all segments, also those that are removed and still attached. It needs no
        permission. A walk is no snapshot: each step is true when it is made. `resident` and
        `creator` fill in the fields of that name. Source: mdg_segment_next."""
        handle = self._opened()
        flags = ((lib.MDG_STAT_RESIDENT if resident else 0) |
                 (lib.MDG_STAT_CREATOR if creator else 0))
        cursor = ffi.new("uint32_t *")
        info = ffi.new("struct mdg_segment_info *", {"size": ffi.sizeof("struct mdg_segment_info")})
        while check(lib.mdg_segment_next(handle, cursor, flags, info), f"segments of {self!r}"):
            yield segment_info(info)

    def processes(self, id: int) -> List[ProcessInfo]:
        """The living processes that have the segment `id` attached. It needs no permission.
        Raises NotFoundError: there is no such segment. Source: mdg_segment_next_process."""
        return walk_processes(self._opened(), whole(id, "an id", 0, 2**31 - 1))

    def check(self, repair: bool = False) -> List[Finding]:
        """Checks every invariant of the registry, and with `repair` mends what can be mended
        without a loss. Raises AccessError: a repair of a namespace that was opened with `look`.
        Source: mdg_namespace_check."""
        found: List[Finding] = []
        context = ffi.new_handle(found)
        flags = lib.MDG_CHECK_REPAIR if repair else 0
        code = lib.mdg_namespace_check(self._opened(), flags, lib.madang_python_found, context)
        if code < 0:
            raise error(code, f"check of {self!r}")
        return found


def missing(code: int) -> int:
    """-EINVAL for an id means that there is no such segment. Says so, as -EIDRM does."""
    return -43 if code == -22 else code


def walk_processes(handle: Any, id: int) -> List[ProcessInfo]:
    """The living processes that have a segment attached."""
    cursor = ffi.new("uint32_t *")
    info = ffi.new("struct mdg_process_info *", {"size": ffi.sizeof("struct mdg_process_info")})
    found = []
    while check(missing(lib.mdg_segment_next_process(handle, id, cursor, info)), f"segment {id}"):
        found.append(ProcessInfo(info.pid, info.uid, info.attached,
                                 bool(info.same_pid_namespace)))
    return found


@ffi.def_extern(error=1)  # type: ignore[misc]
def madang_python_found(finding: Any, context: Any) -> int:
    """Called by C for each finding of a check."""
    names = ffi.typeof("enum mdg_found").elements
    kind = names.get(finding.kind, str(finding.kind)).replace("MDG_FOUND_", "")
    ffi.from_handle(context).append(Finding(kind, text(finding.text), bool(finding.repaired),
                                            finding.id, finding.pid))
    return 0
