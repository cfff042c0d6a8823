# SPDX-License-Identifier: MIT
"""A heap that processes share: blocks of memory that any of them allocates, uses and frees.

    with madang.Heap("notes") as heap:
        first = heap.root("first")
        if first.new:                                 # we are the first: fill it
            block = heap.hold(5)                      # ours until we publish it
            block.data[:] = b"hello"
            first.publish(block)                      # from now on everybody sees it
        print(bytes(first.block().data[:5]))          # in any process

A heap has a name in a namespace. It stays, with its blocks, until it is removed. A block is known
by its reference, a number that is the same in all processes. Blocks are aligned to 16 bytes.

A block from `alloc` stays allocated until somebody frees it. A block from `hold` is held by its
thread until the thread publishes, keeps or frees it; if the thread dies before, it is free again.
So who holds and publishes loses nothing by kill -9. A thread can hold 8 blocks.

Who may write to a heap can write to all of it. Madang finds the free of a block that is free, and
of what is no block; a memoryview of a block that another process has freed shows what comes there
next. Source: <madang/heap.h>, mdg_heap_open(3), docs/heap.md.
"""

import functools
import time
from contextlib import contextmanager
from typing import Any, Iterator, List, NamedTuple, Optional, Union

from ._base import Name, encoded, shortened, whole
from ._handle import Handle
from ._madang import ffi, lib
from ._views import View
from .errors import WaitTimeout, check, error, text
from .namespace import Namespace

EAGAIN, EINVAL, ETIMEDOUT = -11, -22, -110
PIECE = 100_000_000  # nanoseconds: so soon Ctrl-C is noticed
IN_USE = "a view of the block's memory is still in use"


class HeapInfo(NamedTuple):
    """What is in a heap (struct mdg_heap_info). Sizes are bytes."""

    maximum: int  #: of blocks that it can ever have
    limit: int  #: of memory that it may take now
    keep: int  #: of wholly free pieces that stay
    committed: int  #: of memory that it has, without its tables
    live: int  #: of blocks that are allocated
    blocks: int  #: how many these are
    threads: int  #: slots that living threads have
    threads_max: int
    dead: int  #: slots of dead threads that were not swept yet
    roots: int
    retired: int  #: blocks that wait for readers


class HeapFinding(NamedTuple):
    """One finding of a check (struct mdg_heap_finding)."""

    kind: str  #: "TABLE", "DEAD", "LOCK", "ROOT", "OVERRUN", "AFTER_FREE": enum mdg_heap_found
    text: str  #: a sentence in English
    repaired: bool  #: this check has mended it
    ref: int  #: of a block; 0: none


class Block:
    """A block of a heap. `data` is a memoryview of its bytes. It is not freed when this object
    ends: it is memory that processes share. Keep its `ref`, or publish it."""

    def __init__(self, heap: "Heap", pointer: Any, size: int) -> None:
        self._heap = heap
        self._pointer = pointer
        handle = heap._opened()
        self.ref = int(lib.mdg_ref_of(handle, pointer))  #: the same in all processes
        self.size = size  #: bytes
        self._view: Optional[View] = View(pointer, size, handle, heap.readonly)
        self._result: List[Any] = []  # of the call that has given the block away

    @property
    def data(self) -> memoryview:
        """Its bytes. ValueError after the block was freed."""
        view = self._view
        if view is None or view.memory is None:
            raise ValueError(f"{self!r} was freed, or is gone from here")
        return view.memory

    def _give(self, function: Any, *arguments: Any) -> Any:
        """Ends `data`, and gives the block to `function`, once. The result is noted by the call
        itself. So if Ctrl-C comes then, the block is not freed once more, when it may be somebody
        else's. BufferError: somebody uses the memory."""
        handle = self._heap._opened()
        if self._view is None or self._result:
            raise ValueError(f"{self!r} was freed, or is gone from here")
        self._view.release(IN_USE)
        self._result.extend(map(function, (handle,), (self._pointer,),
                                *[(argument,) for argument in arguments]))
        return self._result[0]

    def _done(self, code: int, doing: str) -> None:
        """After a call that gives the block away. If it failed, the block is as before."""
        if code < 0:
            self._view = View(self._pointer, self.size, self._heap._opened())
            self._result.clear()
            raise error(code, f"{doing} of {self!r}")
        self._view = None

    def free(self) -> None:
        """Frees it, whoever has allocated it. Raises BufferError while slices or arrays of `data`
        exist; MadangError: MDG_FREED_TWICE; WouldBlockError: EBUSY (another thread holds it).
        Source: mdg_free(3)."""
        self._done(self._give(lib.mdg_free), "free")

    def retire(self) -> None:
        """Frees a held block when all who read now have ended (`Heap.reading`). Raises as free,
        and OwnerError or AccessError: EPERM (this thread does not hold it).
        Source: mdg_retire(3)."""
        self._done(self._give(lib.mdg_retire), "retire")

    def keep(self) -> None:
        """A held block becomes as one from `alloc`. Source: mdg_keep."""
        check(lib.mdg_keep(self._heap._opened(), self._pointer), f"keep of {self!r}")

    def resize(self, size: int) -> "Block":
        """The block with another size; this object ends. Raises as free, and MadangError.
        Source: mdg_realloc(3)."""
        whole(size, "the size of a block", 0, 2**63 - 1)
        heap = self._heap
        handle = heap._opened()
        pointer = self._give(lib.mdg_realloc, size)
        self._done(lib.mdg_heap_why(handle) or EINVAL if pointer == ffi.NULL else 0, "resize")
        return Block(heap, pointer, max(size, 1))

    def place(self, offset: int) -> "Place":
        """The place at an offset in this block, a multiple of 8: 8 bytes that can refer to another
        block."""
        if offset % 8 or not 0 <= offset <= self.size - 8:
            raise ValueError(f"no place of 8 bytes at offset {offset} of {self!r}")
        if self._view is None:
            raise ValueError(f"{self!r} was freed, or is gone from here")
        return Place(self._heap, ffi.cast("mdg_ref *", self._pointer + offset))

    def __repr__(self) -> str:
        return f"<madang.Block {self.ref:#x}, {self.size} bytes>"


class Place:
    """8 bytes in a heap that contain the reference of a block, or 0. They change in one step,
    whenever a thread dies. Source: mdg_publish(3), mdg_take(3)."""

    def __init__(self, heap: "Heap", pointer: Any) -> None:
        self._heap = heap
        self._place = pointer

    @property
    def ref(self) -> int:
        """The reference that it contains now; 0: none."""
        self._heap._opened()
        ref = int(self._place[0])
        return 0 if ref & 1 else ref

    def block(self) -> Block:
        """The block that it refers to. NotFoundError: there is none."""
        return self._heap.block(self.ref)

    def publish(self, block: Block, expected: int = 0) -> None:
        """Stores the reference to a held block, if the place contains `expected`. Raises
        WouldBlockError: EAGAIN (it contains something else: the block is still held)."""
        check(lib.mdg_publish(self._heap._opened(), block._pointer, self._place, expected),
              f"publish of {block!r}")

    def take(self) -> Optional[Block]:
        """Takes the block out of the place, and holds it. None: there is none."""
        handle = self._heap._opened()
        pointer = lib.mdg_take(handle, self._place)
        if pointer == ffi.NULL:
            check(min(0, lib.mdg_heap_why(handle)), "take of a block")
            return None
        return self._heap._block_at(handle, pointer)

    def swap(self, block: Block) -> Optional[Block]:
        """Publishes a held block, and takes and holds the one that was there; None: there was
        none. Raises WouldBlockError: EAGAIN (somebody takes it at this moment)."""
        handle = self._heap._opened()
        old = ffi.new("void **")
        check(lib.mdg_swap(handle, block._pointer, self._place, old), f"swap of {block!r}")
        return None if old[0] == ffi.NULL else self._heap._block_at(handle, old[0])


class Root(Place):
    """A place with a name. `new`: this caller is the first, and is to fill it: others wait for
    that. If it dies before, the next one is asked."""

    def __init__(self, heap: "Heap", pointer: Any, name: str, new: bool) -> None:
        super().__init__(heap, pointer)
        self.name = name
        self.new = new

    def remove(self) -> None:
        """Removes the root, whose place contains 0. Nobody may use it any more. Raises
        NotFoundError, WouldBlockError (EBUSY: it is not empty). Source: mdg_root_remove."""
        check(lib.mdg_root_remove(self._heap._opened(), encoded(self.name)), f"root {self.name}")


class Heap(Handle):
    """A heap that this process has open.

    name       1 to 63 bytes
    namespace  a Namespace; default: the default one
    create     False: NotFoundError if there is no such heap
    exclusive  True: ExistsError if there is one
    readonly   only look: no call that changes the heap works
    These are of the heap. 0 or False: as it is; if it is made, the default.
    maximum    bytes of blocks that it can ever have, 1 MiB to 16 TiB; default 64 GiB. This takes
               addresses, no memory
    limit      bytes of memory that it may take now; default: the maximum
    keep       bytes of wholly free pieces that stay; default 64 MiB
    threads    most threads of all processes at one time, 8 to 16,384; default 1,024
    labels     blocks know who has allocated them, for `madang heap --leaks`
    checked    writes behind the end of a block, and into a free one, are found
    mode       permission bits of a new heap; default 0o600

    A context manager: at its end the heap is closed. It stays, and its memory stays here as long
    as there are views of blocks. May be used from all threads, in a forked child, and be given to
    another process (pickle).

    Raises UnlikeError (it exists, and is not what is asked for), NotFoundError, ExistsError,
    AccessError, MadangError. Source: mdg_heap_open(3).
    """

    def __init__(self, name: Name, *, namespace: Optional[Namespace] = None, maximum: int = 0,
                 limit: int = 0, keep: int = 0, threads: int = 0, mode: int = 0,
                 create: bool = True, exclusive: bool = False, readonly: bool = False,
                 labels: bool = False, checked: bool = False) -> None:
        self._said = shortened(name)
        raw = encoded(name, "the name of a heap")
        flags = ((0 if create else lib.MDG_HEAP_EXISTING) |
                 (lib.MDG_HEAP_EXCL if exclusive else 0) |
                 (lib.MDG_HEAP_RDONLY if readonly else 0) |
                 (lib.MDG_HEAP_LABELS if labels else 0) |
                 (lib.MDG_HEAP_CHECKED if checked else 0))
        options = ffi.new("struct mdg_heap_options *", {
            "size": ffi.sizeof("struct mdg_heap_options"), "flags": flags,
            "maximum": whole(maximum, "maximum", 0, lib.MDG_HEAP_MAXIMUM_MOST),
            "limit": whole(limit, "limit", 0, 2**64 - 1),
            "keep": whole(keep, "keep", 0, 2**64 - 1),
            "threads": whole(threads, "threads", 0, lib.MDG_HEAP_THREADS_MOST),
            "mode": whole(mode, "mode", 0, 0o777)})
        self.readonly = readonly
        namespace = namespace or Namespace()
        self._again = (raw, namespace.path, readonly)
        space = namespace._opened()
        opened = ffi.new("mdg_heap **")
        check(lib.mdg_heap_open(opened, space, raw, options), f"heap {self._said}")
        # The namespace's handle is bound to the call, so it lives as long as the heap.
        self._handle = ffi.gc(opened[0], functools.partial(_close, space))

    def __reduce__(self) -> Any:
        return _open_again, self._again

    def __repr__(self) -> str:
        return f"<madang.Heap {self._said}{' closed' * self.closed}>"

    # ---- blocks -------------------------------------------------------------------------------

    def alloc(self, size: int) -> Block:
        """A block of `size` bytes, all zero. Raises MadangError: ENOMEM (there is no memory),
        EDQUOT (the heap's limit is reached), EUSERS (too many threads). Source: mdg_alloc(3)."""
        handle = self._opened()
        whole(size, "the size of a block", 0, 2**63 - 1)
        pointer = lib.mdg_alloc_zeroed(handle, 1, size)
        return self._new_block(handle, pointer, size)

    def hold(self, size: int) -> Block:
        """The same, and this thread holds the block. What it contains is not specified. Also
        MadangError: ENOSPC (the thread holds 8 already). Source: mdg_hold(3)."""
        handle = self._opened()
        whole(size, "the size of a block", 0, 2**63 - 1)
        return self._new_block(handle, lib.mdg_hold(handle, size), size)

    def _new_block(self, handle: Any, pointer: Any, size: int) -> Block:
        if pointer == ffi.NULL:
            raise error(lib.mdg_heap_why(handle) or -12, f"{size} bytes of {self!r}")
        return Block(self, pointer, size)

    def _block_at(self, handle: Any, pointer: Any) -> Block:
        size = lib.mdg_usable_size(handle, pointer)
        if size == 0:
            raise error(-2, f"a block of {self!r}", "it is free, or no block begins there")
        return Block(self, pointer, size)

    def block(self, ref: int) -> Block:
        """The block with this reference; its size is what it really has: at least what was asked
        for. NotFoundError: no block begins there, or it is free."""
        handle = self._opened()
        pointer = lib.mdg_at(handle, whole(ref, "a reference", 0, 2**64 - 1))
        if pointer == ffi.NULL:
            raise error(-2, f"a block of {self!r}", f"nothing has the reference {ref:#x}")
        return self._block_at(handle, pointer)

    def root(self, name: Name, type: int = 1, version: int = 1,
             timeout: Optional[float] = None) -> Root:
        """Finds or makes a place with a name. The first caller gets `new`, and fills the place;
        others wait for that, `timeout` seconds. `type` and `version` are what the program says.
        Raises WaitTimeout; UnlikeError (it has another type or version); MadangError: ENOSPC
        (there are 64 roots). Source: mdg_root(3)."""
        raw = encoded(name, "the name of a root", lib.MDG_ROOT_NAME_MAX)
        whole(type, "type", 0, 2**64 - 1)
        whole(version, "version", 0, 2**32 - 1)
        handle, place = self._opened(), ffi.new("mdg_ref **")
        end = None if timeout is None else time.monotonic_ns() + int(min(timeout, 1e9) * 1e9)
        while True:
            until = time.monotonic_ns() + PIECE
            if end is not None and end < until:
                until = max(end, 0) if timeout and timeout > 0 else 0
            code = lib.mdg_root(handle, raw, type, version, place, until)
            doing = f"root {shortened(name)} of {self!r}"
            if code == EAGAIN or code == ETIMEDOUT and until == end:
                raise error(code, doing, kind=WaitTimeout)
            if code != ETIMEDOUT:
                check(code, doing)
                return Root(self, place[0], raw.decode("utf-8", "surrogateescape"), code == 1)

    @contextmanager
    def reading(self) -> Iterator[None]:
        """What this thread reads in the heap meanwhile is not freed by `Block.retire`. May be
        nested. Source: mdg_read_begin(3)."""
        handle = self._opened()
        check(lib.mdg_read_begin(handle), f"{self!r}")
        try:
            yield
        finally:
            lib.mdg_read_end(handle)

    # ---- care ---------------------------------------------------------------------------------

    def info(self) -> HeapInfo:
        """Counts what is in it. It is no snapshot. Source: mdg_heap_stat."""
        info = ffi.new("struct mdg_heap_info *", {"size": ffi.sizeof("struct mdg_heap_info")})
        check(lib.mdg_heap_stat(self._opened(), info), f"{self!r}")
        return HeapInfo(*(int(getattr(info, field)) for field in HeapInfo._fields))

    def sweep(self) -> int:
        """Gives back what dead threads held. Returns how many there were. Source:
        mdg_heap_sweep."""
        return check(lib.mdg_heap_sweep(self._opened()), f"{self!r}")

    def trim(self, keep: int = 0) -> None:
        """Gives free memory beyond `keep` bytes back to the system. Source: mdg_heap_trim."""
        check(lib.mdg_heap_trim(self._opened(), whole(keep, "keep", 0, 2**64 - 1)), f"{self!r}")

    def set_limit(self, limit: int) -> None:
        """Sets how many bytes of memory it may take. Source: mdg_heap_limit."""
        check(lib.mdg_heap_limit(self._opened(), whole(limit, "limit", 0, 2**64 - 1)), f"{self!r}")

    def check(self, repair: bool = False) -> List[HeapFinding]:
        """Checks every invariant, and with `repair` mends what it can. Source: mdg_heap_check."""
        found: List[HeapFinding] = []
        context = ffi.new_handle(found)
        flags = lib.MDG_CHECK_REPAIR if repair else 0
        code = lib.mdg_heap_check(self._opened(), flags, lib.madang_python_heap_found, context)
        if code < 0:
            raise error(code, f"check of {self!r}")
        return found


def _open_again(name: bytes, path: str, readonly: bool) -> Heap:
    """In the process to which a heap was given (pickle, multiprocessing)."""
    return Heap(name, namespace=Namespace(path), readonly=readonly, create=False)


def _close(namespace: Any, handle: Any) -> None:
    lib.mdg_heap_close(handle)


def remove_heap(name: Union[str, bytes], namespace: Optional[Namespace] = None) -> None:
    """Removes a heap. Who has it open goes on with it. Raises NotFoundError, UnlikeError (it is no
    heap), AccessError. Source: mdg_heap_remove."""
    raw = encoded(name, "the name of a heap")
    check(lib.mdg_heap_remove((namespace or Namespace())._opened(), raw), f"heap {shortened(name)}")


@ffi.def_extern(error=1)  # type: ignore[misc]
def madang_python_heap_found(finding: Any, context: Any) -> int:
    """Called by C for each finding of a check."""
    names = ffi.typeof("enum mdg_heap_found").elements
    kind = names.get(finding.kind, str(finding.kind)).replace("MDG_HEAP_FOUND_", "")
    ffi.from_handle(context).append(HeapFinding(kind, text(finding.text), bool(finding.repaired),
                                                int(finding.ref)))
    return 0
