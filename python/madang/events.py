# SPDX-License-Identifier: MIT
"""Semaphore, event, barrier, once: what threads of many processes tell each other.

    jobs = madang.Semaphore(box, 0)
    jobs.release(3)                       # three units more
    jobs.acquire(timeout=1)               # one unit less; False: none for a second

    with madang.Once(box, 128) as turn:   # one process prepares, and the others wait for it
        if turn:
            prepare()

Source: <madang/sync.h>, mdg_sem_wait(3), mdg_event_wait(3), mdg_barrier_wait(3),
mdg_once_begin(3).
"""

from types import TracebackType
from typing import Any, Callable, List, NamedTuple, Optional, Tuple, Type, Union

from ._base import Name, whole
from ._madang import lib
from .errors import check
from .locking import seconds
from .sync import DIED, Memory, Synchronised, hold, let_go
from .waiting import ETIMEDOUT, wait


class Semaphore(Synchronised):
    """A number of units that can be taken and added, never below zero; zero at first. 128 bytes.

    Nobody owns it, so units that a dead process had taken do not come back. But no death loses a
    unit or a wake-up. `with semaphore:` takes a unit and adds it again.
    Source: mdg_sem_wait(3).
    """

    KIND = lib.MDG_SYNC_SEM
    SIZE = 128
    MAX: int = lib.MDG_SEM_MAX  #: the most units
    _TYPE = "mdg_sem *"

    def _take(self, timeout: Optional[float]) -> bool:
        pointer = self._pointer()
        out: List[int] = []
        try:
            code = wait(out, lib.mdg_sem_wait_until, (pointer,), timeout)
            if code == ETIMEDOUT:
                return False
            check(code, f"{self!r}")
            return True
        except BaseException:
            if out and out[0] == 0:
                lib.mdg_sem_post(pointer, 1)
            raise

    def acquire(self, blocking: bool = True, timeout: Optional[float] = None) -> bool:
        """Takes a unit. False: there was none for `timeout` seconds, or none at once and
        `blocking` is False."""
        return self._take(seconds(blocking, timeout))

    def release(self, n: int = 1) -> None:
        """Adds n units. Raises MadangError (EOVERFLOW): they would be more than MAX; then none is
        added."""
        whole(n, "units", 1, 2**32 - 1)
        check(lib.mdg_sem_post(self._pointer(), n), f"{n} more units of {self!r}")

    @property
    def value(self) -> int:
        """How many units there are. It may have changed by the time the caller sees it."""
        return int(lib.mdg_sem_value(self._pointer(writable=False)))

    def __enter__(self) -> bool:
        return self._take(None)

    def __exit__(self, kind: Optional[Type[BaseException]], value: Optional[BaseException],
                 traceback: Optional[TracebackType]) -> None:
        self.release()

    def destroy(self) -> None:
        """Sets the number to zero. Raises WouldBlockError: a thread waits."""
        self._destroy(lib.mdg_sem_destroy)


class Event(Synchronised):
    """Something that has happened or has not: it is set, or not set. 128 bytes.

    `wait` leaves it set, and lets all pass. `take` resets it: each set of an event that was not
    set lets one taker through. If a thread dies in `take`, it has taken it, or the next one gets
    it. Source: mdg_event_wait(3).
    """

    KIND = lib.MDG_SYNC_EVENT
    SIZE = 128
    _TYPE = "mdg_event *"

    def set(self) -> None:
        """It has happened: lets the waiters go on. No system call when nobody waits."""
        lib.mdg_event_set(self._pointer())

    def clear(self) -> None:
        """It has not happened any more."""
        lib.mdg_event_reset(self._pointer())

    def is_set(self) -> bool:
        """Whether it has happened."""
        return bool(lib.mdg_event_is_set(self._pointer(writable=False)))

    def wait(self, timeout: Optional[float] = None) -> bool:
        """Waits until it is set. False: it is not, after `timeout` seconds."""
        code = wait([], lib.mdg_event_wait_until, (self._pointer(),), timeout)
        return code != ETIMEDOUT and check(code, f"{self!r}") == 0

    def take(self, timeout: Optional[float] = None) -> bool:
        """Waits until it is set, and resets it. False: it is not, after `timeout` seconds."""
        pointer = self._pointer()
        out: List[int] = []
        try:
            code = wait(out, lib.mdg_event_take_until, (pointer,), timeout)
            return code != ETIMEDOUT and check(code, f"{self!r}") == 0
        except BaseException:
            if out and out[0] == 0:
                lib.mdg_event_set(pointer)  # for the next taker
            raise

    def destroy(self) -> None:
        """Resets it. Raises WouldBlockError: a thread waits."""
        self._destroy(lib.mdg_event_destroy)


class Met(NamedTuple):
    """What a meeting at a barrier was like."""

    last: bool  #: one of those who met gets this
    died: bool  #: the others have met, without a member that died


class Barrier(Synchronised):
    """A meeting point: nobody goes on before all members have come. 4,224 bytes.

    `members` is 1 to 64, and the same for all. A thread becomes a member by `join` or by its first
    `wait`, and stays one until it leaves or dies. Those who meet without a member that died are
    told so once. Raises MadangError (EINVAL): others gave another number of members.
    Source: mdg_barrier_wait(3).
    """

    KIND = lib.MDG_SYNC_BARRIER
    SIZE = 4224
    _TYPE = "mdg_barrier *"

    def __init__(self, memory: Memory, place: Union[int, Name], members: int, *,
                 name: Optional[Name] = None) -> None:
        self._members = whole(members, "members", 1, lib.MDG_MEMBERS_MAX)
        super().__init__(memory, place, name=name)

    def wait(self, timeout: Optional[float] = None) -> Met:
        """Waits until all members have come. Raises WaitTimeout: they have not, after `timeout`
        seconds; this thread stays a member."""
        pointer = self._pointer()
        out: List[int] = []
        code = wait(out, lib.mdg_barrier_wait_until, (pointer, self._members), timeout,
                    at_once=False)
        if code < 0 and code != DIED:
            raise self._failed(code, "meeting at")
        hold(pointer)  # a member
        return Met(code == lib.MDG_LAST, code == DIED)

    def join(self) -> None:
        """Makes this thread a member. Raises OwnerError: it is one; WouldBlockError: there are so
        many members already."""
        pointer = self._pointer()
        code = lib.mdg_barrier_join(pointer, self._members)
        if code < 0:
            raise self._failed(code, "joining")
        hold(pointer)

    def leave(self) -> None:
        """Ends this thread's membership. Raises OwnerError: it is no member."""
        pointer = self._pointer()
        code = lib.mdg_barrier_leave(pointer)
        if code < 0:
            raise self._failed(code, "leaving")
        let_go(pointer)

    def destroy(self) -> None:
        """Makes it new. Raises WouldBlockError: it has living members."""
        self._destroy(lib.mdg_barrier_destroy)

    def __reduce__(self) -> Tuple[Any, ...]:
        return type(self), (self._memory, self._offset, self._members)


class Turn:
    """Whose turn it is at a Once. True: the caller's."""

    def __init__(self, mine: bool, died: bool) -> None:
        self.mine = mine  #: the caller is to do it
        self.died = died  #: somebody has died at it: begin from scratch

    def __bool__(self) -> bool:
        return self.mine

    def __repr__(self) -> str:
        return f"Turn(mine={self.mine}, died={self.died})"


class Once(Synchronised):
    """Something that is done once, by one of many threads. 128 bytes.

    `with once as turn:` waits while another one is at it. If `turn` is true, the caller does it:
    when the block ends, it is done; when the block raises, the next one gets its turn. If the one
    who is at it dies, the next one gets its turn, with `turn.died`. When it is done, this is fast,
    and the memory may be attached to read only. Source: mdg_once_begin(3).
    """

    KIND = lib.MDG_SYNC_ONCE
    SIZE = 128
    _TYPE = "mdg_once *"

    def begin(self, timeout: Optional[float] = None) -> Turn:
        """Waits for the turn, or until it is done. If the turn is the caller's, it calls `finish`
        or `fail` later. Raises WaitTimeout, OwnerError: this thread is at it already."""
        if self.done():
            return Turn(False, False)
        pointer = self._pointer()
        out: List[int] = []
        try:
            code = wait(out, lib.mdg_once_begin_until, (pointer,), timeout)
            if code == lib.MDG_DONE:
                return Turn(False, False)
            if code != 0 and code != DIED:
                raise self._failed(code, "beginning")
            hold(pointer)
            return Turn(True, code == DIED)
        except BaseException:
            if out and out[0] in (0, DIED):
                lib.mdg_once_fail(pointer)
                let_go(pointer)
            raise

    def _end(self, function: Callable[[Any], int]) -> None:
        pointer = self._held_pointer()
        code = function(pointer)
        let_go(pointer)
        if code < 0:
            raise self._failed(code, "ending")

    def finish(self) -> None:
        """It is done. Raises OwnerError: this thread is not at it."""
        self._end(lib.mdg_once_finish)

    def fail(self) -> None:
        """It is not done, and the next one is to try."""
        self._end(lib.mdg_once_fail)

    def done(self) -> bool:
        """Whether it is done."""
        return self.look().value == 1

    def __enter__(self) -> Turn:
        return self.begin()

    def __exit__(self, kind: Optional[Type[BaseException]], value: Optional[BaseException],
                 traceback: Optional[TracebackType]) -> None:
        if self._holds():
            if kind is None:
                self.finish()
            else:
                self.fail()

    def destroy(self) -> None:
        """Makes it new: it is to be done again. Raises WouldBlockError: a thread is at it."""
        self._destroy(lib.mdg_once_destroy)
