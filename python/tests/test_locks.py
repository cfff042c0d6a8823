# SPDX-License-Identifier: MIT
"""Mutex, rwlock, condition: exclusion, deaths by kill -9, misuse, closed segments, forks."""

import os
import pickle
import subprocess
import sys
import threading
import time

import pytest

import madang

OFFSETS = {"mutex": 0, "rwlock": 128, "condition": 4416, "data": 8192}


@pytest.fixture
def box():
    return madang.Segment.create("box", 16384)


def killed(run, program):
    """A process that takes what the program says, and is killed with it."""
    other = run('box = madang.Segment("box")\n' + program + '\nsay("taken"); hear()')
    assert other.heard() == "taken"
    other.kill()


TAKE = 'madang.Mutex(box, 0).acquire()'


def test_exclusion(box, run):
    """Four processes and two threads add, and none is lost."""
    program = '''
        box = madang.Segment("box")
        mutex = madang.Mutex(box, 0)
        for _ in range(2000):
            with mutex as died:
                assert not died
                number = int.from_bytes(box.buf[8192:8200], "little") + 1
                box.buf[8192:8200] = number.to_bytes(8, "little")
    '''
    others = [run(program) for _ in range(3)]
    others.append(run("def work():\n" + program + '''
        threads = [threading.Thread(target=work) for _ in range(2)]
        [t.start() for t in threads], [t.join() for t in threads]
    '''.replace("        ", "")))
    for other in others:
        other.result()
    assert int.from_bytes(box.buf[8192:8200], "little") == 5 * 2000


def test_acquire_and_release(box, run):
    mutex = madang.Mutex(box, 0)
    assert mutex.acquire() and mutex.locked() and not mutex.died
    assert mutex.look().owner == threading.get_native_id()
    other = run('''
        mutex = madang.Mutex(madang.Segment("box"), 0)
        assert not mutex.acquire(blocking=False)
        began = time.monotonic()
        assert not mutex.acquire(timeout=0.1)
        assert 0.1 <= time.monotonic() - began < 5
        try:
            with mutex.hold(timeout=0.01):
                pass
        except TimeoutError as error:
            say(error.name)
        for use in mutex.release, mutex.set_repaired:
            try:
                use()
            except madang.OwnerError as error:
                say(error)
        try:
            mutex.destroy()
        except madang.WouldBlockError as error:
            say(error.name)
    ''')
    lines = other.result()
    assert lines[0] == "ETIMEDOUT" and lines[3] == "EBUSY"
    assert "this thread does not hold it" in lines[1]
    mutex.release()
    assert not mutex.locked()
    with pytest.raises(madang.OwnerError, match="does not hold it"):
        mutex.release()
    with mutex:
        with pytest.raises(madang.OwnerError, match="holds it already"):
            mutex.acquire()
    for timeout in (-2, float("nan")):
        with pytest.raises(ValueError):
            mutex.acquire(timeout=timeout)
    with pytest.raises(TypeError):
        mutex.acquire(timeout="1")
    with pytest.raises(ValueError):
        mutex.acquire(False, 1)


def test_a_death_is_told_once_and_repaired(box, run):
    killed(run, TAKE)
    mutex = madang.Mutex(box, 0)
    assert mutex.look().owner_died
    with mutex as died:
        assert died
        assert mutex.died
    with mutex as died:
        assert died is False
        assert not mutex.died


def test_a_death_is_not_overlooked(box, run):
    """Who does not look, or fails to repair, gives the data up."""
    mutex = madang.Mutex(box, 0)
    killed(run, TAKE)
    with mutex:
        pass
    with pytest.raises(madang.BrokenError, match="destroy"):
        mutex.acquire()
    mutex.destroy()
    killed(run, TAKE)
    with pytest.raises(RuntimeError, match="no repair"):
        with mutex as died:
            if died:
                raise RuntimeError("no repair")
    with pytest.raises(madang.BrokenError):
        with mutex:
            pass
    assert mutex.look().broken
    mutex.destroy()
    killed(run, TAKE)
    assert mutex.acquire() and mutex.died
    mutex.set_repaired()
    mutex.release()
    with mutex as died:
        assert not died


def test_a_waiter_is_told_at_once(box, run):
    other = run('''
        mutex = madang.Mutex(madang.Segment("box"), 0)
        with mutex:
            say("held")
            hear()
    ''')
    assert other.heard() == "held"
    threading.Timer(0.2, other.kill).start()
    with madang.Mutex(box, 0).hold(timeout=30) as died:
        assert died == True  # noqa: E712


def test_a_thread_that_ends_is_a_death(box):
    mutex = madang.Mutex(box, 0)
    thread = threading.Thread(target=mutex.acquire)
    thread.start()
    thread.join()
    with mutex as died:
        assert died and repr(died) == "True"


def test_closed_while_held(box):
    """The memory stays until the lock is given back, and then goes."""
    mutex = madang.Mutex(box, 0)
    with mutex:
        box.close()
        other = madang.Segment("box")
        assert other.stat().attached == 2
        assert madang.Mutex(other, 0).locked()
    assert other.stat().attached == 1 and not madang.Mutex(other, 0).locked()
    for use in (mutex.acquire, mutex.look, mutex.destroy, mutex.__enter__, mutex.set_repaired):
        with pytest.raises(madang.ClosedError):
            use()
    assert "closed" in repr(mutex)


def test_closed_while_waited_for(box, run):
    """A thread that waits keeps the memory."""
    other = run('''
        with madang.Mutex(madang.Segment("box"), 0):
            say("held")
            hear()
    ''')
    assert other.heard() == "held"
    mutex = madang.Mutex(box, 0)
    got = []

    def wait():
        with mutex as died:
            got.append(bool(died))

    thread = threading.Thread(target=wait)
    thread.start()
    while not mutex.look().waiters:
        time.sleep(0.001)
    box.close()
    other.say()
    thread.join(30)
    assert got == [False]
    assert other.result() == []
    assert madang.Segment("box").stat().attached == 1


def test_forked_child_holds_nothing(box):
    mutex = madang.Mutex(box, 0)
    with mutex:
        child = os.fork()
        if child == 0:
            status = 1
            try:
                assert not mutex.acquire(blocking=False)
                with pytest.raises(madang.OwnerError):
                    mutex.release()
                box.close()  # nothing in it is held here, so it is detached at once
                assert madang.Segment("box").stat().attached == 2
                status = 0
            finally:
                os._exit(status)
        assert os.waitpid(child, 0)[1] == 0
        assert mutex.look().owner == threading.get_native_id()


def test_where_it_cannot_lie(box):
    for offset, problem in ((1, "multiple of 64"), (-64, "offset"), (16384, "do not fit"),
                            (16384 - 64, "do not fit"), (2**63, "offset")):
        with pytest.raises(ValueError, match=problem):
            madang.Mutex(box, offset)
    with pytest.raises(TypeError):
        madang.Mutex(box, 1.5)
    with pytest.raises(TypeError, match="lies in a Segment, not in str"):
        madang.Mutex("box", 0)
    fixed = madang.Segment("box", readonly=True)
    mutex = madang.Mutex(fixed, 0)  # to look at
    assert not mutex.locked()
    with pytest.raises(TypeError, match="read only"):
        mutex.acquire()


def test_damaged_bytes(box):
    box.buf[0:128] = b"\xff" * 128
    mutex = madang.Mutex(box, 0)
    mutex.look()
    with pytest.raises((madang.MadangError, TimeoutError)):
        with mutex.hold(timeout=0.1):
            pass


def test_readers_and_a_writer(box, run):
    lock = madang.RWLock(box, OFFSETS["rwlock"])
    program = '''
        lock = madang.RWLock(madang.Segment("box"), 128)
        with lock.read(timeout=10) as died:
            assert not died
            say("in")
            hear()
    '''
    readers = [run(program), run(program)]
    assert [reader.heard() for reader in readers] == ["in", "in"]
    with lock.read():
        assert len(lock.look().readers) == 3
        with pytest.raises(madang.OwnerError):
            lock.acquire_write()
    assert not lock.acquire_write(blocking=False) and not lock.acquire_write(timeout=0.05)
    readers[0].kill()  # does no harm
    readers[1].say()
    readers[1].result()
    with lock.write(timeout=30) as died:
        assert not died
    killed(run, 'madang.RWLock(box, 128).acquire_write()')
    with lock.read() as died:
        assert died and lock.look().owner == threading.get_native_id()  # for writing
    assert lock.acquire_read()
    lock.release()


def test_condition(box, run):
    other = run('''
        box = madang.Segment("box")
        mutex = madang.Mutex(box, 0)
        condition = madang.Condition(box, 4416, mutex)
        with mutex:
            for _ in range(50):
                assert condition.wait_for(lambda: box.buf[8192] != 0, timeout=30)
                box.buf[8192] -= 1
                condition.notify_all()
    ''')
    mutex = madang.Mutex(box, 0)
    condition = madang.Condition(box, OFFSETS["condition"], mutex)
    with pytest.raises(madang.OwnerError):
        condition.wait()
    for _ in range(50):
        with condition as died:
            assert not died
            box.buf[8192] += 1
            condition.notify()
            assert condition.wait_for(lambda: box.buf[8192] == 0, timeout=30)
    assert other.result() == []
    with mutex:
        began = time.monotonic()
        while condition.wait(timeout=0.1):
            pass
        assert time.monotonic() - began >= 0.1 and mutex.locked()
        assert not condition.wait_for(lambda: False, timeout=0.05)
    condition.destroy()


def test_condition_tells_of_a_death(box, run):
    mutex = madang.Mutex(box, 0)
    condition = madang.Condition(box, OFFSETS["condition"], mutex)
    other = run('''
        box = madang.Segment("box")
        mutex = madang.Mutex(box, 0)
        hear()
        mutex.acquire()
        madang.Condition(box, 4416, mutex).notify_all()
        os.kill(os.getpid(), signal.SIGKILL)
    ''')
    with mutex:
        other.say()
        while not mutex.died:
            assert condition.wait(timeout=30)
        with pytest.raises(madang.MadangError, match="set_repaired first"):
            condition.wait()
        mutex.set_repaired()
    with mutex as died:
        assert not died


def test_names_and_view(box, run):
    mutex = madang.Mutex(box, 0, name="accounts")
    assert mutex.name == "accounts" and "'accounts'" in repr(mutex)
    found = madang.Mutex(box, "accounts")
    assert found.offset == 0
    with pytest.raises(FileNotFoundError, match="'nobody'"):
        madang.Mutex(box, "nobody")
    with pytest.raises(FileNotFoundError):
        madang.RWLock(box, "accounts")  # another kind
    for name in ("", "x" * 40, "a\0b"):
        with pytest.raises(ValueError):
            madang.Mutex(box, 0, name=name)
    with mutex:
        other = run('say("go"); madang.Mutex(madang.Segment("box"), "accounts").acquire()')
        other.heard()
        while not mutex.look().waiters:
            time.sleep(0.001)
        lock, = madang.locks()
        assert (lock.segment, lock.segment_name, lock.offset, lock.kind, lock.name) == \
            (box.id, "box", 0, "mutex", "accounts")
        assert lock.state.owner == threading.get_native_id()
        assert [waiter.thread for waiter in lock.state.waiters] == [other.pid]
        assert 0 <= lock.state.waiters[0].seconds < 60
    other.result()
    mutex.set_name(None)
    assert madang.locks() == []


def test_named(run):
    printer = madang.Mutex.named("printer")
    with printer:
        other = run('''
            printer = madang.Mutex.named("printer")
            assert not printer.acquire(timeout=0.01)
            try:
                madang.Event.named("printer")
            except madang.UnlikeError as error:
                say(error)
        ''')
        assert "it is a mutex" in other.result()[0]
    printer.memory.remove()


def test_pickled(box):
    mutex = pickle.loads(pickle.dumps(madang.Mutex(box, 64)))
    assert mutex.offset == 64 and mutex.memory.id == box.id
    condition = pickle.loads(pickle.dumps(madang.Condition(box, 256, mutex)))
    assert condition.mutex.offset == 64
    assert pickle.loads(pickle.dumps(madang.Namespace())).path == madang.default_path()
    error = pickle.loads(pickle.dumps(madang.errors.error(-2, "looking")))
    assert isinstance(error, FileNotFoundError) and str(error).startswith("looking: ")


def test_given_to_a_spawned_process(tmp_path):
    """A segment that nobody can find any more, and a lock in it."""
    program = tmp_path / "spawns.py"
    program.write_text('''
import multiprocessing
import madang

def work(mutex, box):
    with mutex:
        box.buf[200] = 7

if __name__ == "__main__":
    box = madang.Segment.create(None, 4096)
    box.remove()
    mutex = madang.Mutex(box, 0)
    context = multiprocessing.get_context("spawn")
    process = context.Process(target=work, args=(mutex, box))
    process.start()
    process.join()
    assert (box.buf[200], process.exitcode) == (7, 0)
''')
    done = subprocess.run([sys.executable, "-X", "dev", str(program)], timeout=60, text=True,
                          stderr=subprocess.PIPE, check=False)
    assert (done.returncode, done.stderr) == (0, "")
