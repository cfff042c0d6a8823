# SPDX-License-Identifier: MIT
"""Locks: mutex, lock for readers and writers, condition.

    with lock as died:              # a Mutex
        if died:                    # who held it was killed: the data may be half changed
            total = count_again()   # make them right
        total += 1

THE DEATH OF AN OWNER raises nothing. The next owner, and no other, gets `died`, which is true.
If it looks at `died`, and leaves the block without an exception, the data count as right, and all
is as before. If it does not look, or leaves by an exception, the data are given up: every later
lock raises BrokenError until `destroy` makes the lock new. With acquire and release, `died` of the
lock says it, and `set_repaired` says that the data are right.
Source: <madang/sync.h>, mdg_mutex_lock(3), mdg_rwlock_read(3), mdg_cond_wait(3).
"""

from types import TracebackType
from typing import Any, Callable, List, Optional, Tuple, Type, Union

from . import waiting
from ._base import Name, deadline
from ._madang import lib
from .errors import error
from .sync import DIED, EPERM, Memory, Synchronised, hold, hold_at, let_go, let_go_at
from .waiting import EINTR, ETIMEDOUT, answer, in_main_thread, wait


class OwnerDied:
    """What `with lock as died` gives when the last owner was killed. It is true, and it notices
    that somebody has looked."""

    def __init__(self) -> None:
        self._seen = False

    def __bool__(self) -> bool:
        self._seen = True
        return True

    def __eq__(self, other: object) -> bool:
        return bool(self) == other

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return str(bool(self))


def seconds(blocking: bool, timeout: Optional[float]) -> Optional[float]:
    """The timeout of an acquire, as threading.Lock has it: -1 and None are for ever."""
    if not blocking:
        if timeout is not None and timeout != -1:
            raise ValueError("a timeout without blocking cannot be")
        return 0
    if timeout is None or timeout == -1:
        return None
    deadline(timeout)  # raises for what is no number
    if timeout < 0:
        raise ValueError(f"a timeout is not negative: {timeout}")
    return timeout


class Held:
    """What `with` is used with: takes a lock in one way, and gives it back."""

    def __init__(self, lock: "Owned", function: Callable[..., int],
                 timeout: Optional[float]) -> None:
        self._lock = lock
        self._function = function
        self._timeout = timeout
        self._died: Optional[OwnerDied] = None
        self._taken = False

    def __enter__(self) -> Union[bool, OwnerDied]:
        return self._enter(self._lock._pointer(), None)

    def _enter(self, pointer: Any, code: Optional[int]) -> Union[bool, OwnerDied]:
        """`code`: what the call gave that has taken it already."""
        lock = self._lock
        out: List[int] = [] if code is None else [code]
        try:
            if code is None:
                code = wait(out, self._function, (pointer,), self._timeout)
            if code != 0 and code != DIED:
                raise lock._failed(code, "taking")
            self._died = OwnerDied() if code == DIED else None
            hold(pointer)
            self._taken = True
            lock._entered = self
            return self._died if code == DIED and self._died is not None else False
        except BaseException:
            if out and out[0] in (0, DIED):
                self._taken = False
                lock._give(pointer)
            raise

    def __exit__(self, kind: Optional[Type[BaseException]], value: Optional[BaseException],
                 traceback: Optional[TracebackType]) -> None:
        pointer = self._lock._held_pointer()
        self._taken = False
        if kind is None and self._died is not None and self._died._seen:
            self._lock._repaired(pointer)  # no matter whether set_repaired was called
        code = self._lock._give(pointer)
        if code != 0 and kind is None:
            raise self._lock._failed(code, "releasing")


class Owned(Synchronised):
    """What a mutex and a rwlock have in common."""

    _UNLOCK: Any
    _REPAIRED: Any
    _DESTROY: Any

    _entered: Optional["Held"]  # by the thread that holds it; None: there is nothing to tell

    def _repaired(self, pointer: Any) -> int:
        return int(self._REPAIRED(pointer))

    def _give(self, pointer: Any) -> int:
        code = int(self._UNLOCK(pointer))
        let_go_at(self._address)
        return code

    def _acquire(self, function: Callable[..., int], blocking: bool,
                 timeout: Optional[float]) -> bool:
        limit = seconds(blocking, timeout)
        pointer = self._pointer()
        out: List[int] = []
        try:
            code = wait(out, function, (pointer,), limit)
            if code == ETIMEDOUT:
                return False
            if code != 0 and code != DIED:
                raise self._failed(code, "taking")
            hold(pointer)
            return True
        except BaseException:
            if out and out[0] in (0, DIED):
                self._give(pointer)
            raise

    def release(self) -> None:
        """Gives it back. If its holder was told of a death and has not called `set_repaired`, this
        breaks it: every later lock raises BrokenError. Raises OwnerError: this thread does not
        hold it (a forked child holds nothing)."""
        code = self._give(self._held_pointer())
        if code != 0:
            raise self._failed(code, "releasing")

    @property
    def died(self) -> bool:
        """Whether its holder was told that the last owner died, and nobody has repaired since."""
        return self.look().unrepaired

    def set_repaired(self) -> None:
        """Says that the data are right again. Raises OwnerError: this thread does not hold it (a
        rwlock: for writing). Nothing happens when nobody has died."""
        code = self._repaired(self._held_pointer())
        if code == EPERM:
            raise self._failed(code, "repairing")

    def destroy(self) -> None:
        """Makes it new, even if it is broken. Raises WouldBlockError: a thread holds it."""
        self._destroy(self._DESTROY)


class Mutex(Owned):
    """A lock with one owner at a time: the thread that took it. 128 bytes of shared memory.

    `with mutex as died:` waits for ever; `with mutex.hold(timeout) as died:` raises WaitTimeout
    after so many seconds. acquire and release are as those of threading.Lock, but only the thread
    that holds it may release it, and taking it twice raises OwnerError.
    Raises BrokenError. Source: mdg_mutex_lock(3).
    """

    KIND = lib.MDG_SYNC_MUTEX
    SIZE = 128
    _TYPE = "mdg_mutex *"
    _UNLOCK = lib.mdg_mutex_unlock
    _REPAIRED = lib.mdg_mutex_set_repaired
    _DESTROY = lib.mdg_mutex_destroy

    def acquire(self, blocking: bool = True, timeout: Optional[float] = None) -> bool:
        """Takes it. False: the timeout (seconds) is over, or it is held and `blocking` is False.
        `died` then says whether its last owner died. Raises BrokenError, OwnerError."""
        return self._acquire(lib.mdg_mutex_lock_until, blocking, timeout)

    def locked(self) -> bool:
        """Whether somebody holds it."""
        return self.look().owner != 0

    def hold(self, timeout: Optional[float] = None) -> Held:
        """For `with`: takes it, or raises WaitTimeout after so many seconds."""
        return Held(self, lib.mdg_mutex_lock_until, timeout)

    def __enter__(self) -> Union[bool, OwnerDied]:
        pointer = self._pointer()
        out: List[int] = []
        held: Optional[Held] = None
        try:
            out.extend(map(lib.mdg_mutex_trylock, (pointer,)))  # as waiting.answer does
            if out[0] == 0:
                hold_at(self._address, pointer)
                self._entered = None
                return False
            held = self.hold()
            return held._enter(pointer, out[0] if out[0] == DIED else None)
        except BaseException as failure:  # it may come when _enter has ended
            if held is not None and held._taken:
                held.__exit__(type(failure), failure, None)
            elif held is None and out and out[0] in (0, DIED):
                self._give(pointer)
            raise

    def __exit__(self, kind: Optional[Type[BaseException]], value: Optional[BaseException],
                 traceback: Optional[TracebackType]) -> None:
        entered = self._entered
        if entered is not None:
            entered.__exit__(kind, value, traceback)
            return
        code = self._give(self._held_pointer())
        if code != 0 and kind is None:
            raise self._failed(code, "releasing")


class RWLock(Owned):
    """A lock for up to 64 readers or one writer. 4,288 bytes of shared memory.

        with lock.read() as died:
        with lock.write() as died:

    Both take a timeout in seconds and then raise WaitTimeout. While a writer waits, no new reader
    gets in. The death of a reader does no harm. The death of a writer is told to the next thread
    that gets in, which holds it FOR WRITING, even if it asked to read.
    Raises BrokenError, OwnerError. Source: mdg_rwlock_read(3).
    """

    KIND = lib.MDG_SYNC_RWLOCK
    SIZE = 4288
    _TYPE = "mdg_rwlock *"
    _UNLOCK = lib.mdg_rwlock_unlock
    _REPAIRED = lib.mdg_rwlock_set_repaired
    _DESTROY = lib.mdg_rwlock_destroy

    def read(self, timeout: Optional[float] = None) -> Held:
        """For `with`: takes it for reading."""
        return Held(self, lib.mdg_rwlock_read_until, timeout)

    def write(self, timeout: Optional[float] = None) -> Held:
        """For `with`: takes it for writing."""
        return Held(self, lib.mdg_rwlock_write_until, timeout)

    def acquire_read(self, blocking: bool = True, timeout: Optional[float] = None) -> bool:
        """Takes it for reading; False: not in time."""
        return self._acquire(lib.mdg_rwlock_read_until, blocking, timeout)

    def acquire_write(self, blocking: bool = True, timeout: Optional[float] = None) -> bool:
        """Takes it for writing; False: not in time."""
        return self._acquire(lib.mdg_rwlock_write_until, blocking, timeout)


class Condition(Synchronised):
    """A wait for something to become true that a mutex protects. 128 bytes of shared memory.

        with mutex:
            condition.wait_for(lambda: box.buf[200] != 0)

    All that wait at the same time must use the same mutex. Waking one wakes all: so the death of
    a waiter takes no wake-up away from the others. Source: mdg_cond_wait(3).
    """

    KIND = lib.MDG_SYNC_COND
    SIZE = 128
    _TYPE = "mdg_cond *"

    def __init__(self, memory: Memory, place: Union[int, Name], mutex: Mutex, *,
                 name: Optional[Name] = None) -> None:
        super().__init__(memory, place, name=name)
        self._mutex = mutex

    @property
    def mutex(self) -> Mutex:
        """The mutex that goes with it."""
        return self._mutex

    def __enter__(self) -> Union[bool, OwnerDied]:
        return self._mutex.__enter__()

    def __exit__(self, kind: Optional[Type[BaseException]], value: Optional[BaseException],
                 traceback: Optional[TracebackType]) -> None:
        self._mutex.__exit__(kind, value, traceback)

    def wait(self, timeout: Optional[float] = None) -> bool:
        """Releases the mutex, waits, and takes the mutex again. False: `timeout` seconds are over.

        Always wait in a loop that checks the data, or use wait_for: a wait may return for no
        reason. On return, and when Ctrl-C raises KeyboardInterrupt, the mutex is held. If another
        owner of the mutex died meanwhile, `mutex.died` is true: repair the data, and call
        `mutex.set_repaired`. Raises OwnerError: this thread does not hold the mutex; BrokenError:
        the mutex broke, and is not held; MadangError (EINVAL): `mutex.set_repaired` comes first.
        """
        end = deadline(timeout)
        until = end
        setting = -1
        pointer, mutex = self._pointer(), self._mutex._held_pointer()
        out: List[int] = []
        try:
            if in_main_thread():  # see waiting.py; who comes back sooner looks at the data again
                until = min(end, lib.mdg_deadline(waiting.AGAIN))
                setting = 0
                setting = lib.mdg_sync_set_interruptible(1)
            code = answer(out, lib.mdg_cond_wait_until, pointer, mutex, until)
        finally:
            if setting == 0:
                lib.mdg_sync_set_interruptible(0)
            if out and out[0] == lib.MDG_BROKEN:
                let_go(mutex)
        if code in (0, DIED, EINTR):
            return True
        if code == ETIMEDOUT:
            return until != end
        if code == -22:
            raise error(code, f"waiting for {self!r}", said="call mutex.set_repaired first")
        raise self._failed(code, "waiting for")

    def wait_for(self, predicate: Callable[[], Any], timeout: Optional[float] = None) -> Any:
        """Waits until predicate() is true, and returns what it gave; after `timeout` seconds, what
        it gives then. Called with the mutex held, as the predicate is."""
        end = deadline(timeout)
        result = predicate()
        while not result:
            rest = None if end == lib.MDG_FOREVER else max(0, end - lib.mdg_deadline(0)) / 1e9
            if not self.wait(rest):
                return predicate()
            result = predicate()
        return result

    def notify_all(self) -> None:
        """Wakes all that wait. The caller may hold the mutex or not."""
        lib.mdg_cond_broadcast(self._pointer())

    def notify(self, count: int = 1) -> None:
        """The same as notify_all, see the head of this class."""
        self.notify_all()

    def destroy(self) -> None:
        """Makes it new. Raises WouldBlockError: a thread waits."""
        self._destroy(lib.mdg_cond_destroy)

    def __reduce__(self) -> Tuple[Any, ...]:
        return type(self), (self._memory, self._offset, self._mutex)
