# SPDX-License-Identifier: MIT
"""Waits: Ctrl-C ends each of them at once, and nothing that was got meanwhile is lost."""

import signal
import sys
import threading
import time

import pytest

import madang

WAITS = {
    "mutex": "madang.Mutex(box, 0).acquire()",
    "mutex with": "madang.Mutex(box, 0).__enter__()",
    "mutex timeout": "madang.Mutex(box, 0).acquire(timeout=60)",
    "read": "madang.RWLock(box, 128).acquire_read()",
    "write": "madang.RWLock(box, 128).acquire_write()",
    "once": "madang.Once(box, 4480).begin()",
    "cell": "madang.Cell(box, 4608, 8).write(bytes(8))",
    "cell in place": "madang.Cell(box, 4608, 8).writing().__enter__()",
    "transaction": "madang.Transaction(box, 5120, journal=64, data=(6144, 64)).begin().__enter__()",
    "semaphore": "madang.Semaphore(box, 7168).acquire()",
    "event": "madang.Event(box, 7296).wait()",
    "take": "madang.Event(box, 7296).take()",
    "barrier": "madang.Barrier(box, 8192, 2).wait()",
    "condition": "wait_condition()",
}


@pytest.fixture
def box():
    """Everything in it is held by this thread."""
    box = madang.Segment.create("box", 16384)
    held = [madang.Mutex(box, 0).hold(), madang.RWLock(box, 128).write(), madang.Once(box, 4480),
            madang.Cell(box, 4608, 8).writing(),
            madang.Transaction(box, 5120, journal=64, data=(6144, 64)).begin()]
    for one in held:
        one.__enter__()
    yield box
    for one in held:
        one.__exit__(None, None, None)


WAITER = '''
    import madang.waiting
    box = madang.Segment("box")
    own = madang.Mutex(box, 12288)
    def wait_condition():
        with own:
            while True:
                madang.Condition(box, 12416, own).wait()
    for round in "begin", "asleep", "long":
        # No wait ends by itself: the signal has to end it. Only at a barrier C wakes ten times a
        # second to look for the dead, and a signal that comes just then ends nothing.
        if round != "begin" and not %s:
            madang.waiting.FIRST = madang.waiting.AGAIN = 3600 * 10**9
        try:
            say(round)
            %s
        except KeyboardInterrupt:
            say("interrupted")
        hear()
    assert not own.locked()
'''


def asleep(pid):
    """Waits until a process sleeps."""
    while True:
        with open(f"/proc/{pid}/stat") as stat:
            if stat.read().rsplit(")", 1)[1].split()[0] == "S":
                return
        time.sleep(0.001)


def test_ctrl_c(box, run):
    """Ends each wait, also when the process has waited for long and when it has just begun."""
    others = [run(WAITER % (name == "barrier", call)) for name, call in WAITS.items()]
    for round in "begin", "asleep", "long":
        for other in others:
            assert other.heard() == round
            if round != "begin":
                asleep(other.pid)
        if round == "long":
            time.sleep(0.5)
        for other in others:
            other.signal(signal.SIGINT)
            assert other.heard() == "interrupted"
            other.say()
    for other in others:
        other.result()


def test_a_signal_that_ends_no_wait_is_seen_soon(box):
    """One that comes just before the thread sleeps. The pieces of a long wait do not get longer
    than they may be."""
    def slept(deadline):
        ends.append(deadline - madang.waiting.lib.mdg_deadline(0))
        return madang.waiting.ETIMEDOUT if len(ends) < 30 else 0

    ends = []
    assert madang.waiting.wait([], slept, (), None, at_once=False) == 0
    assert ends[0] < 60_000_000 < ends[1] and max(ends) <= madang.waiting.LONGEST
    assert ends[-1] > 0.9 * madang.waiting.LONGEST


def test_ctrl_c_in_another_thread(box, run):
    """The signal wakes another thread, and the main thread sees it a little later."""
    other = run('''
        box = madang.Segment("box")
        threading.Thread(target=time.sleep, args=(5,), daemon=True).start()
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        try:
            say("waiting")
            madang.Mutex(box, 0).acquire()
        except KeyboardInterrupt:
            say("interrupted")
    ''')
    assert other.heard() == "waiting"
    time.sleep(0.02)
    other.signal(signal.SIGINT)
    assert other.heard() == "interrupted"
    other.result()


def test_other_handlers_do_not_end_a_wait(box, run):
    """A handler that raises nothing runs at once, and the wait goes on."""
    other = run('''
        signal.signal(signal.SIGUSR1, lambda number, frame: say("handled"))
        mutex = madang.Mutex(madang.Segment("box"), 0)
        say("waiting")
        began = time.monotonic()
        assert not mutex.acquire(timeout=0.5)
        assert time.monotonic() - began >= 0.5
    ''')
    assert other.heard() == "waiting"
    for _ in range(3):
        time.sleep(0.05)
        other.signal(signal.SIGUSR1)
        assert other.heard() == "handled"
    other.result()


def test_the_interpreter_runs_meanwhile(box):
    """The lock of the interpreter is free during a wait."""
    mutex = madang.Mutex(box, 0)
    counted = []
    thread = threading.Thread(target=lambda: counted.append(mutex.acquire(timeout=0.3)))
    thread.start()
    began = time.monotonic()
    steps = 0
    while thread.is_alive():
        steps += 1
    thread.join()
    assert counted == [False] and steps > 1000 and time.monotonic() - began < 10


class Stop(Exception):
    pass


def stop_inside(number, frame):
    """A signal handler that raises if it interrupts a method of Madang's."""
    while frame is not None:
        if "/madang/" in frame.f_code.co_filename and "tests" not in frame.f_code.co_filename:
            raise Stop
        frame = frame.f_back


def interrupted(take, pause):
    """Calls take(), and interrupts it after `pause` seconds. None: it was interrupted."""
    signal.signal(signal.SIGALRM, stop_inside)
    signal.setitimer(signal.ITIMER_REAL, pause)
    try:
        return take()
    except Stop:
        return None
    finally:
        signal.signal(signal.SIGALRM, signal.SIG_IGN)
        signal.setitimer(signal.ITIMER_REAL, 0)


@pytest.mark.parametrize("rounds, waits", ((1500, False), (300, True)))
def test_nothing_is_lost(rounds, waits):
    """An exception comes from a handler at any moment of a call that takes something: also just
    when the call has got it. Then it was given back, and was not lost.

    `waits`: it comes to be had at about the time of the signal."""
    if sys.version_info < (3, 11):
        pytest.skip("before CPython 3.11 a handler may run when a method is about to return")
    box = madang.Segment.create("box", 4096)
    sem, mutex, event = madang.Semaphore(box, 0), madang.Mutex(box, 128), madang.Event(box, 256)
    once = madang.Once(box, 384)
    counts = {None: 0, True: 0}
    for step in range(rounds):
        pause = (step % 150 + 1) * 1e-6
        give = threading.Timer(pause, lambda: (event.set(), sem.release()))
        if waits:
            give.start()
        else:
            event.set(), sem.release()
        got = interrupted(sem.acquire, pause + (1e-4 if waits else 0))
        if waits:
            give.join()
        counts[got] += 1
        assert sem.value == (1 if got is None else 0)
        sem.acquire(blocking=False)

        got = interrupted(event.take, pause)
        counts[got] += 1
        assert event.is_set() == (got is None)
        event.clear()

        got = interrupted(mutex.acquire, pause)
        assert mutex.locked() == (got is not None)
        if got is not None:
            mutex.release()
        got = interrupted(mutex.__enter__, pause)
        assert mutex.locked() == (got is not None)
        if got is not None:
            mutex.__exit__(None, None, None)
        got = interrupted(once.begin, pause)
        if got is not None:
            once.fail()
        assert once.look().owner == 0
    assert counts[None] > 10 and counts[True] > 10
