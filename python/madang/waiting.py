# SPDX-License-Identifier: MIT
"""How a call waits: without the interpreter's lock, until a deadline or until Ctrl-C.

Python runs its signal handlers in the main thread, between bytecodes. So a C function that waits
has to return when a signal came. `wait` lets it: it asks Madang to end waits of this thread by
signals (mdg_sync_set_interruptible), and calls again unless a handler raised something. A signal
can come in the moment before the thread sleeps, or when C has woken to look for dead processes and
is about to sleep again. So a wait of the main thread also ends by itself after 50 ms, then 100 ms,
and so on up to 2 s: soon enough for that case, and so seldom that the thread nearly always keeps
its place among those that wait. Other threads wait in one piece, as with threading.Lock.

NOTHING IS LOST when a handler raises KeyboardInterrupt although the call has just got what it
waited for. The answer of a call goes into the list `out`, by `extend` and `map`, which are C: no
handler can run between the end of the call and the store. So the caller's `except BaseException`
knows whether there is something to give back. (Before CPython 3.11 a handler can also run when a
method is about to return, and then what it has taken stays taken.)
"""

import threading
from typing import Any, Callable, List, Optional, Tuple

from ._base import deadline
from ._madang import lib

EINTR, ETIMEDOUT = -4, -110
FIRST = 50_000_000  # nanoseconds: see the head of this file
LONGEST = 2_000_000_000
FOREVER: int = lib.MDG_FOREVER
AGAIN = 500_000_000  # a wait for a condition ends after so long, and is then made again


def in_main_thread() -> bool:
    """Whether this is the thread in which Python's signal handlers run."""
    return threading.get_ident() == threading.main_thread().ident


def answer(out: List[int], function: Callable[..., int], *arguments: Any) -> int:
    """Calls a C function. Its answer is in `out` from the moment when it has returned."""
    del out[:]
    out.extend(map(function, *zip(arguments)))
    return out[0]


def wait(out: List[int], function: Callable[..., int], before: Tuple[Any, ...],
         timeout: Optional[float], after: Tuple[Any, ...] = (), *, at_once: bool = True) -> int:
    """Calls function(*before, deadline, *after) until it is done or `timeout` seconds are over
    (None: never). Returns its answer, which is never -EINTR. `at_once`: a first call does not
    wait, which is faster when there is nothing to wait for."""
    end = FOREVER if timeout is None else deadline(timeout)
    if at_once or end == 0:
        code = answer(out, function, *before, 0, *after)
        if end == 0 or code != ETIMEDOUT:
            return code
    if not in_main_thread():
        while True:
            code = answer(out, function, *before, end, *after)
            if code != EINTR:
                return code
    patience = FIRST
    setting = 0
    try:
        setting = lib.mdg_sync_set_interruptible(1)
        while True:
            until = min(end, lib.mdg_deadline(patience))
            code = answer(out, function, *before, until, *after)
            if code == ETIMEDOUT and until != end:
                patience = max(patience, min(2 * patience, LONGEST))
            elif code != EINTR:
                return code
    finally:
        if setting == 0:
            lib.mdg_sync_set_interruptible(0)
