# SPDX-License-Identifier: MIT
"""Semaphore, event, barrier, once, between processes and after deaths."""

import os
import threading

import pytest

import madang


@pytest.fixture
def box():
    return madang.Segment.create("box", 16384)


def test_semaphore(box, run):
    jobs, done = madang.Semaphore(box, 0), madang.Semaphore(box, 128)
    workers = [run('''
        box = madang.Segment("box")
        jobs, done = madang.Semaphore(box, 0), madang.Semaphore(box, 128)
        for count in range(10**6):
            if not jobs.acquire(timeout=0.3):
                break
            done.release()
        say(count)
    ''') for _ in range(2)]
    jobs.release(1000)
    for _ in range(1000):
        assert done.acquire(timeout=60)
    assert sum(int(worker.result()[0]) for worker in workers) == 1000
    assert jobs.value == done.value == 0
    assert not jobs.acquire(blocking=False) and not jobs.acquire(timeout=0.01)
    with pytest.raises(ValueError):
        jobs.release(0)
    jobs.release(jobs.MAX)
    with pytest.raises(madang.MadangError, match="EOVERFLOW"):
        jobs.release()
    jobs.destroy()
    jobs.release()
    with jobs as taken:
        assert taken and jobs.value == 0
    assert jobs.value == 1


def test_a_killed_waiter_takes_nothing(box, run):
    jobs = madang.Semaphore(box, 0)
    waiter = run('jobs = madang.Semaphore(madang.Segment("box"), 0); say("in"); jobs.acquire()')
    waiter.heard()
    while not jobs.look().waiters:
        pass
    waiter.kill()
    jobs.release()
    assert jobs.acquire(timeout=30)


def test_event(box, run):
    ready, back = madang.Event(box, 0), madang.Event(box, 128)
    other = run('''
        box = madang.Segment("box")
        ready, back = madang.Event(box, 0), madang.Event(box, 128)
        assert not ready.wait(timeout=0.01)
        say("waiting")
        assert ready.wait() and ready.is_set()
        for _ in range(100):
            assert ready.take(timeout=30)
            back.set()
    ''')
    assert other.heard() == "waiting"
    for _ in range(100):
        ready.set()
        assert back.take(timeout=30)
    assert other.result() == []
    assert not ready.is_set() and not ready.take(timeout=0) and not back.wait(timeout=0)
    ready.set()
    ready.clear()
    assert not ready.is_set()
    fixed = madang.Segment("box", readonly=True)
    assert not madang.Event(fixed, 0).is_set()
    with pytest.raises(TypeError, match="read only"):
        madang.Event(fixed, 0).set()
    ready.destroy()


def test_barrier(box, run):
    program = '''
        barrier = madang.Barrier(madang.Segment("box"), 0, 3)
        for _ in range(20):
            say(int(barrier.wait(timeout=60).last))
        hear()
        barrier.leave()
    '''
    barrier = madang.Barrier(box, 0, 3)
    others = [run(program), run(program)]
    lasts = [int(barrier.wait(timeout=60).last) + sum(int(other.heard()) for other in others)
             for _ in range(20)]
    assert lasts == [1] * 20
    with pytest.raises(TimeoutError):
        barrier.wait(timeout=0.01)
    others[0].kill()
    others[1].kill()
    met = barrier.wait(timeout=60)
    assert met.died and len(barrier.look().readers) == 1
    assert barrier.wait(timeout=60) == (True, False)
    with pytest.raises(madang.OwnerError):
        barrier.join()
    with pytest.raises(madang.MadangError, match="another size or number"):
        madang.Barrier(box, 0, 4).wait()
    barrier.leave()
    with pytest.raises(madang.OwnerError):
        barrier.leave()
    for members in (0, 65):
        with pytest.raises(ValueError):
            madang.Barrier(box, 0, members)


def test_once(box, run):
    program = '''
        with madang.Once(madang.Segment("box"), 0) as turn:
            say(int(bool(turn)), int(turn.died))
            if turn:
                hear()
    '''
    first = run(program)
    assert first.heard() == "1 0"
    second = run(program)
    first.kill()
    assert second.heard() == "1 1"  # from scratch
    third = run(program)
    second.say()
    assert third.heard() == "0 0"
    second.result(), third.result()
    once = madang.Once(box, 0)
    assert once.done()
    assert not madang.Once(madang.Segment("box", readonly=True), 0).begin()
    once.destroy()
    with pytest.raises(RuntimeError, match="not today"):
        with once as turn:
            assert turn
            with pytest.raises(madang.OwnerError):
                once.begin()
            raise RuntimeError("not today")
    assert not once.done()
    with pytest.raises(madang.OwnerError):
        once.finish()
    with once as turn:
        assert turn.mine and not turn.died
    assert once.done()
    with pytest.raises(TypeError, match="read only"):
        madang.Once(madang.Segment("box", readonly=True), 128).begin()


def test_a_turn_is_not_the_childs(box):
    """A child that was forked in the middle leaves the block, and has not done it."""
    once = madang.Once(box, 0)
    with once as turn:
        child = os.fork()
        if child == 0:
            status = 1
            try:
                once.__exit__(None, None, None)
                status = int(once.done())
            finally:
                os._exit(status)
        assert turn and os.waitpid(child, 0)[1] == 0 and not once.done()
    assert once.done()


def test_after_close_and_in_a_child(box):
    sem = madang.Semaphore(box, 0)
    objects = [sem.acquire, sem.release, lambda: sem.value, madang.Event(box, 128).wait,
               madang.Event(box, 128).set, madang.Once(box, 256).begin,
               madang.Barrier(box, 8192, 1).wait]
    child = os.fork()
    if child == 0:
        try:
            sem.release(3)
            os._exit(0)
        except BaseException:
            os._exit(1)
    assert os.waitpid(child, 0)[1] == 0 and sem.value == 3
    box.close()
    for use in objects:
        with pytest.raises(madang.ClosedError):
            use()


def test_threads_of_one_process(box):
    sem, count = madang.Semaphore(box, 0), []

    def take():
        for _ in range(125):
            if sem.acquire(timeout=60):
                count.append(1)

    threads = [threading.Thread(target=take) for _ in range(4)]
    for thread in threads:
        thread.start()
    for _ in range(500):
        sem.release()
    for thread in threads:
        thread.join()
    assert len(count) == 500 and sem.value == 0
