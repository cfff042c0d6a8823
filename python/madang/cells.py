# SPDX-License-Identifier: MIT
"""Cell and transaction: data that are whole, whoever dies.

    price = madang.Cell(box, 0, 8)                 # the latest value of something, 8 bytes
    price.write(struct.pack("d", 12.5))
    value, = struct.unpack("d", price.read())

    bank = madang.Transaction(box, 4096, journal=1024, data=(8192, 4096))
    with bank.begin() as run:                      # all of its writes, or none
        balance, = struct.unpack("q", run.read(0, 8))
        run.write(0, struct.pack("q", balance - 5))
        run.write(8, struct.pack("q", 5))

Source: <madang/sync.h>, mdg_cell_read(3), mdg_txn_begin(3).
"""

import functools
import weakref
from types import TracebackType
from typing import Any, List, NamedTuple, Optional, Tuple, Type, Union

from ._base import Name, buffer_of, whole
from ._madang import ffi, lib
from .errors import ClosedError
from .sync import DIED, Memory, Synchronised, hold, let_go
from .waiting import wait


class Version(NamedTuple):
    """A value of a cell, and which one it is."""

    value: bytes
    version: int  #: counts the values, modulo 2**32


class Writing:
    """For `with`: the place of the next value of a cell. A view of it that outlives the block
    (a slice, a numpy array) is a BufferError, and the value never appears."""

    def __init__(self, cell: "Cell", timeout: Optional[float]) -> None:
        self._cell = cell
        self._timeout = timeout
        self.died = False  #: an earlier writer had died in the middle; its value never appears

    def __enter__(self) -> memoryview:
        cell = self._cell
        pointer = cell._pointer()
        place = ffi.new("void **")
        out: List[int] = []
        try:
            code = wait(out, lib.mdg_cell_begin_until, (pointer, cell.size), self._timeout,
                        (place,))
            if code != 0 and code != DIED:
                raise cell._failed(code, "writing")
            hold(pointer)
            self.died = code == DIED
            kept = ffi.gc(ffi.cast("char *", place[0]), functools.partial(_keep, pointer))
            buffer = ffi.buffer(kept, cell.size)
            self._views = weakref.ref(buffer)  # ends with the last view
            self._view: Optional[memoryview] = memoryview(buffer)
            return self._view
        except BaseException:
            if out and out[0] in (0, DIED):
                cell._end(lib.mdg_cell_cancel)
            raise

    def __exit__(self, kind: Optional[Type[BaseException]], value: Optional[BaseException],
                 traceback: Optional[TracebackType]) -> None:
        view, self._view = self._view, None
        try:
            if view is not None:
                view.release()
            del view
            if self._views() is not None and kind is None:
                raise BufferError(f"views of the place in {self._cell!r} exist")
        except BufferError:  # somebody could still write to it: it cannot be the value
            self._cell._end(lib.mdg_cell_cancel)
            raise
        self._cell._end(lib.mdg_cell_commit if kind is None else lib.mdg_cell_cancel)


def _keep(memory: Any, pointer: Any) -> None:
    """Does nothing when a pointer ends, but for letting go of the memory that it points to."""


class Cell(Synchronised):
    """The latest value of something, such as a price or a position: `size` bytes.

    One thread writes at a time. Any number of threads read, without a system call, and memory that
    is attached to read only will do. A reader never sees half a value: if a writer dies in the
    middle, its value never appears. Before the first value, a read gives zero bytes.

    It takes Cell.bytes_for(size) bytes of shared memory. All users give the same size, 1 to 2**28.
    Source: mdg_cell_read(3).
    """

    KIND = lib.MDG_SYNC_CELL
    _TYPE = "mdg_cell *"

    def __init__(self, memory: Memory, place: Union[int, Name], size: int, *,
                 name: Optional[Name] = None) -> None:
        self._value_size = whole(size, "the size of a value", 1, lib.MDG_CELL_MAX)
        super().__init__(memory, place, name=name)

    @staticmethod
    def bytes_for(size: int) -> int:
        """How many bytes of shared memory a cell takes for values of `size` bytes."""
        return int(lib.mdg_cell_size(whole(size, "the size of a value", 1, lib.MDG_CELL_MAX)))

    @property
    def size(self) -> int:
        """The bytes of a value."""
        return self._value_size

    def _size(self) -> int:
        return Cell.bytes_for(self._value_size)

    def read_version(self) -> Version:
        """The latest value, and its version. Raises MadangError (EINVAL): the values have another
        size."""
        value = bytearray(self._value_size)
        version = ffi.new("uint32_t *")
        code = lib.mdg_cell_read(self._pointer(writable=False), ffi.from_buffer(value),
                                 self._value_size, version)
        if code < 0:
            raise self._failed(code, "reading")
        return Version(bytes(value), version[0])

    def read(self) -> bytes:
        """The latest value."""
        return self.read_version().value

    def write(self, value: Any, timeout: Optional[float] = None) -> bool:
        """Writes a value, of any type that has a buffer of `size` bytes. True: it is written, and
        an earlier writer had died in the middle. Raises WaitTimeout: others have written for
        `timeout` seconds; ValueError: it has another size."""
        source = buffer_of(value)
        if len(source) != self._value_size:
            raise ValueError(f"a value has {self._value_size} bytes, not {len(source)}")
        code = wait([], lib.mdg_cell_write_until, (self._pointer(), source, len(source)), timeout)
        if code != 0 and code != DIED:
            raise self._failed(code, "writing")
        return code == DIED

    def writing(self, timeout: Optional[float] = None) -> Writing:
        """For `with cell.writing() as place`: writes into place, a memoryview. When the block
        ends, the value is there; when it raises, it never appears. What `place` holds before is
        undefined."""
        return Writing(self, timeout)

    def _end(self, function: Any) -> None:
        pointer = self._held_pointer()
        code = function(pointer)
        let_go(pointer)
        if code < 0:
            raise self._failed(code, "ending the write of")

    def destroy(self) -> None:
        """Makes the value zero bytes; the next writer decides the size anew. Raises
        WouldBlockError: a thread writes."""
        self._destroy(lib.mdg_cell_destroy)

    def __reduce__(self) -> Tuple[Any, ...]:
        return type(self), (self._memory, self._offset, self._value_size)


class Run:
    """A running transaction, of the thread that has begun it. For `with`: at the end of the block
    it is committed, and when the block raises, it is cancelled."""

    def __init__(self, transaction: "Transaction", timeout: Optional[float]) -> None:
        self._transaction = transaction
        self._timeout = timeout
        self._run: Any = None
        self._data: Any = None
        self.died = False  #: an owner before had died; the data are whole

    def __enter__(self) -> "Run":
        transaction = self._transaction
        pointer = transaction._pointer()
        offset, size = transaction._area
        data = transaction._memory.pointer(offset, size)
        run = ffi.new("mdg_txn_run *")
        out: List[int] = []
        try:
            code = wait(out, lib.mdg_txn_begin_until,
                        (run, pointer, transaction._journal, data, size), self._timeout)
            if code != 0 and code != DIED:
                raise transaction._failed(code, "beginning")
            hold(pointer)
            self.died = code == DIED
            self._run, self._data = run, data
            return self
        except BaseException:
            if out and out[0] in (0, DIED):
                self._run = None
                lib.mdg_txn_cancel(run)
                let_go(pointer)
            raise

    def __exit__(self, kind: Optional[Type[BaseException]], value: Optional[BaseException],
                 traceback: Optional[TracebackType]) -> None:
        if self._run is not None:  # not if it was committed or cancelled in the block
            self._end(lib.mdg_txn_commit if kind is None else lib.mdg_txn_cancel)

    def _running(self) -> Any:
        run = self._run
        if run is None:
            raise ClosedError("the transaction is not running")
        return run

    def _place(self, at: int, size: int) -> Any:
        whole(at, "a place in the data", 0, 2**63 - 1)
        if at + size > self._transaction._area[1]:
            raise ValueError(f"{size} bytes at {at} are not within the data, which have "
                             f"{self._transaction._area[1]} bytes")
        return self._data + at

    def write(self, at: int, value: Any) -> None:
        """Writes the bytes of `value` to the place `at` in the data; they get there at the commit.
        Raises ValueError: the place is not within the data; MadangError (ENOSPC): the journal
        has no room, and the transaction is as it was. Source: mdg_txn_write."""
        run = self._running()
        source = buffer_of(value)
        code = lib.mdg_txn_write(run, self._place(at, len(source)), source, len(source))
        if code < 0:
            raise self._transaction._failed(code, "writing in")

    def read(self, at: int, size: int) -> bytes:
        """`size` bytes at the place `at`, as this transaction has written them.
        Source: mdg_txn_read."""
        run = self._running()
        value = bytearray(whole(size, "a size", 0, 2**63 - 1))
        code = lib.mdg_txn_read(run, self._place(at, size), ffi.from_buffer(value), size)
        if code < 0:
            raise self._transaction._failed(code, "reading in")
        return bytes(value)

    def commit(self) -> None:
        """Ends it: its writes reach the data."""
        self._running()
        self._end(lib.mdg_txn_commit)

    def cancel(self) -> None:
        """Ends it without its writes."""
        self._running()
        self._end(lib.mdg_txn_cancel)

    def _end(self, function: Any) -> None:
        run, self._run = self._run, None
        code = function(run)
        let_go(self._transaction._held_pointer())
        if code < 0:
            raise self._transaction._failed(code, "ending")


class Transaction(Synchronised):
    """A mutex with a journal: what its owner writes reaches the data as a whole or not at all,
    whenever the owner dies.

    journal  bytes of the journal, 64 to 2**31. Each write takes 16 bytes and its own bytes rounded
             up to 8
    data     (offset, size): the bytes of the same memory that it changes. Only the owner may read
             them, and they are written by `write` alone

    It takes Transaction.bytes_for(journal) bytes of shared memory. All users give the same numbers.
    `with transaction.begin(timeout) as run:`. Raises BrokenError: the journal is damaged.
    Source: mdg_txn_begin(3).
    """

    KIND = lib.MDG_SYNC_TXN
    _TYPE = "mdg_txn *"

    def __init__(self, memory: Memory, place: Union[int, Name], *, journal: int,
                 data: Tuple[int, int], name: Optional[Name] = None) -> None:
        self._journal = whole(journal, "the journal", 64, 2**31)
        offset, size = data
        self._area = (whole(offset, "the offset of the data", 0, 2**63 - 1),
                      whole(size, "the size of the data", 1, 2**63 - 1))
        if hasattr(memory, "pointer"):
            memory.pointer(offset, size)  # raises if they do not fit
        super().__init__(memory, place, name=name)

    @staticmethod
    def bytes_for(journal: int) -> int:
        """How many bytes of shared memory a transaction takes with a journal of that size."""
        return int(lib.mdg_txn_size(whole(journal, "the journal", 64, 2**31)))

    def _size(self) -> int:
        return Transaction.bytes_for(self._journal)

    def begin(self, timeout: Optional[float] = None) -> Run:
        """For `with`: begins, or raises WaitTimeout after so many seconds."""
        return Run(self, timeout)

    def destroy(self) -> None:
        """Makes it new, even if it is broken. Raises WouldBlockError: a thread holds it."""
        self._destroy(lib.mdg_txn_destroy)

    def __reduce__(self) -> Tuple[Any, ...]:
        return _transaction, (self._memory, self._offset, self._journal, self._area)


def _transaction(memory: Memory, offset: int, journal: int, data: Tuple[int, int]) -> Transaction:
    """Makes one again from what was pickled."""
    return Transaction(memory, offset, journal=journal, data=data)
