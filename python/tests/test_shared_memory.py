# SPDX-License-Identifier: MIT
"""madang.shared_memory: how blocks live and end, and what misuse does."""

import multiprocessing
import os
import pickle
import signal
import threading
import time

import pytest

import madang
from madang.managers import SharedMemoryManager
from madang.shared_memory import ShareableList, SharedMemory

HOLDER = """
from madang.shared_memory import SharedMemory
block = SharedMemory(sys.argv[1])
say(bytes(block.buf[:5]).decode())
hear()
"""

MAKER = """
from madang.shared_memory import SharedMemory
block = SharedMemory(sys.argv[1], create=True, size=1 << 20)
block.buf[:5] = b"hello"
say("made")
while True:
    exec(hear())
    say("done")
"""


def files(namespace):
    """What lies in the directory of the namespace, but for what is always there."""
    return sorted(set(os.listdir(namespace)) - {"registry"})


def nothing_stays(namespace):
    return files(namespace) == [] and list(madang.Namespace().segments()) == []


# ---- how it lives -----------------------------------------------------------------------------


def test_two_processes(run, namespace):
    block = SharedMemory("frames", create=True, size=100)
    block.buf[:5] = b"hello"
    other = run(HOLDER, "frames")
    assert other.heard() == "hello"
    other.say()
    other.result()
    block.close()
    block.unlink()
    assert nothing_stays(namespace)


def test_kill_of_the_only_user_leaves_nothing(run, namespace):
    maker = run(MAKER, "frames")
    maker.heard()
    assert [info.name for info in madang.Namespace().segments()] == ["shm:frames"]
    maker.kill()
    assert files(namespace) == []  # before any call of Madang: the kernel has done it
    with pytest.raises(FileNotFoundError, match="frames"):
        SharedMemory("frames")
    assert nothing_stays(namespace)


def test_kill_of_one_user_takes_nothing_from_the_other(run, namespace):
    maker = run(MAKER, "frames")
    maker.heard()
    block = SharedMemory("frames")
    other = run(HOLDER, "frames")
    assert other.heard() == "hello"
    other.kill()
    maker.kill()
    assert bytes(block.buf[:5]) == b"hello"
    assert SharedMemory("frames").size == 1 << 20  # it can still be found
    block.close()
    assert nothing_stays(namespace)


def test_end_of_one_user_takes_nothing_from_the_other(run):
    block = SharedMemory("frames", create=True, size=100)
    block.buf[:5] = b"hello"
    for _ in range(2):  # an ordinary end, as the one that CPython's resource tracker acts on
        other = run(HOLDER, "frames")
        assert other.heard() == "hello"
        other.say()
        other.result()
    again = SharedMemory("frames")
    assert bytes(again.buf[:5]) == b"hello"


def test_maker_closes_then_another_opens(run, namespace):
    maker = run(MAKER, "frames")
    maker.heard()
    maker.say("block.close()")
    maker.heard()
    block = SharedMemory("frames")
    assert bytes(block.buf[:5]) == b"hello"
    block.unlink()
    block.close()
    maker.say("SharedMemory(create=True, size=1).unlink()")  # any call lets go of what is unlinked
    maker.heard()
    assert [info.name for info in madang.Namespace().segments() if info.name == "shm:frames"] == []
    maker.kill()
    assert nothing_stays(namespace)


def test_maker_ends_before_another_opens(run, namespace):
    maker = run("from madang.shared_memory import SharedMemory\n"
                "block = SharedMemory('frames', create=True, size=10)")
    maker.result()
    with pytest.raises(FileNotFoundError, match="persist=True"):
        SharedMemory("frames")
    assert nothing_stays(namespace)


def test_persistent_block_outlives_its_maker(run, namespace):
    maker = run("from madang.shared_memory import SharedMemory\n"
                "block = SharedMemory('frames', create=True, size=10, persist=True)\n"
                "block.buf[:5] = b'hello'\nos.kill(os.getpid(), 9)")
    maker.ended()
    with madang.Segment("frames") as segment:
        assert bytes(segment.buf) == b"hello\0\0\0\0\0"
    block = SharedMemory("frames")
    assert block.size == 10 and bytes(block.buf[:5]) == b"hello"
    block.unlink()
    with pytest.raises(FileNotFoundError):
        SharedMemory("frames")
    with pytest.raises(FileNotFoundError):
        block.unlink()
    block.close()
    assert nothing_stays(namespace)


def test_segment_of_another_program():
    with madang.Segment.create("weather", 100) as segment:
        block = SharedMemory("weather")
        block.buf[0] = 7
        assert block.size == 100 and segment.buf[0] == 7
        block.close()
        with pytest.raises(FileExistsError):
            SharedMemory("weather", create=True, size=1)
    assert [info.name for info in madang.Namespace().segments()] == ["weather"]


def test_names(namespace):
    long = "x" * 255
    block = SharedMemory(long, create=True, size=1)
    SharedMemory(long).close()
    with pytest.raises(FileExistsError):
        SharedMemory(long, create=True, size=1)
    with pytest.raises(FileNotFoundError):
        SharedMemory("x" * 254)
    odd = SharedMemory("weiß/nicht 1", create=True, size=1)
    assert SharedMemory("weiß/nicht 1").name == "weiß/nicht 1"
    for wrong, kind in (("x" * 256, ValueError), ("", ValueError), ("a\0b", ValueError),
                        ("shm:frames", ValueError), (b"bytes", TypeError)):
        with pytest.raises(kind):
            SharedMemory(wrong, create=True, size=1)
    with pytest.raises(ValueError, match="1 to 63 bytes"):
        SharedMemory("x" * 64, create=True, size=1, persist=True)
    block.unlink()
    odd.unlink()


def test_sizes():
    for size in (1, 63, 64, 65, 4095, 4096, 4097):
        block = SharedMemory(create=True, size=size)
        assert block.size == len(block.buf) == SharedMemory(block.name).size == size
        assert bytes(block.buf) == bytes(size)
        block.buf[size - 1] = 255
    with pytest.raises(OSError):
        SharedMemory(create=True, size=1 << 60)
    with pytest.raises(ValueError):
        SharedMemory(create=True, size=1 << 70)


# ---- making at the same time, and dying over it -----------------------------------------------


def test_one_of_many_makes_it(run, namespace):
    program = """
    from madang.shared_memory import SharedMemory
    say("ready")
    hear()
    for turn in range(100):
        try:
            block = SharedMemory(f"turn {turn}", create=True, size=10)
            say("won")
        except FileExistsError:
            SharedMemory(f"turn {turn}").close()
            say("lost")
        hear()
    """
    racers = [run(program) for _ in range(3)]
    for racer in racers:
        assert racer.heard() == "ready"
    for _ in range(100):
        for racer in racers:
            racer.say()
        assert sorted(racer.heard() for racer in racers) == ["lost", "lost", "won"]
    for racer in racers:
        racer.kill()
    assert nothing_stays(namespace)


def test_kills_at_any_moment(run, namespace):
    """Processes make, open, fill, close and unlink blocks of few names, and are killed at random.
    What a block contains is always of one maker, and at the end nothing stays."""
    program = """
    import random
    from madang.shared_memory import SharedMemory
    chance = random.Random(int(sys.argv[1]))
    mine = []
    say("ready")
    while True:
        name = f"block {chance.randrange(4)}"
        try:
            if chance.random() < 0.5:
                block = SharedMemory(name, create=True, size=8192)
                block.buf[:4] = os.getpid().to_bytes(4, "little")
                block.buf[-4:] = os.getpid().to_bytes(4, "little")
            else:
                block = SharedMemory(name)
                ends = {bytes(block.buf[:4]), bytes(block.buf[-4:])} - {bytes(4)}
                if len(ends) > 1 or block.size != 8192:
                    say("mixed", ends, block.size)
            mine.append(block)
            if chance.random() < 0.2:
                mine.pop(chance.randrange(len(mine))).unlink()
            if chance.random() < 0.5:
                mine.pop(chance.randrange(len(mine))).close()
        except (FileNotFoundError, FileExistsError, IndexError):
            pass
    """
    until = time.monotonic() + float(os.environ.get("MADANG_PYTHON_SECONDS", "1.5"))
    seed = 0
    while time.monotonic() < until:
        processes = []
        for _ in range(3):
            seed += 1
            processes.append(run(program, seed))
        for process in processes:
            assert process.heard() == "ready"
        for process in processes:
            time.sleep(0.01 * (seed % 7))
            process.kill()
        for process in processes:
            assert process.popen.stdout.read() == ""
        for number in range(4):
            with pytest.raises(FileNotFoundError):
                SharedMemory(f"block {number}")
        assert nothing_stays(namespace)
        assert madang.Namespace().check() == []


@pytest.mark.parametrize("persist", [False, True])
@pytest.mark.parametrize("victim", ["Segment._attach", "_blocks._refuse_existing",
                                    "_blocks.Block.write_trailer", "Segment.remove"])
def test_kill_while_it_is_made(run, namespace, victim, persist):
    if persist and victim in ("_blocks.Block.write_trailer", "Segment.remove"):
        return  # not called
    maker = run(f"""
    from madang import _blocks
    from madang.segment import Segment
    from madang.shared_memory import SharedMemory
    {victim} = lambda *args: os.kill(os.getpid(), 9)
    SharedMemory("frames", create=True, size=10, persist={persist})
    """)
    code, errors = maker.ended()
    assert code == -signal.SIGKILL, errors
    with pytest.raises(FileNotFoundError):
        SharedMemory("frames")
    assert nothing_stays(namespace)
    block = SharedMemory("frames", create=True, size=20)
    assert block.size == 20
    block.unlink()


def test_somebody_is_stopped_while_it_is_made(run, monkeypatch):
    maker = run("""
    from madang import _blocks
    from madang.shared_memory import SharedMemory
    def stopped(*args):
        say("stopped")
        hear()
    _blocks._refuse_existing = stopped
    block = SharedMemory("frames", create=True, size=10)
    say("made")
    hear()
    """)
    assert maker.heard() == "stopped"
    with pytest.raises(FileNotFoundError):
        SharedMemory("frames")
    monkeypatch.setattr("madang._blocks._PATIENCE", 0.2)
    with pytest.raises(TimeoutError, match="madang rm shm:frames"):
        SharedMemory("frames", create=True, size=10)
    maker.say()
    assert maker.heard() == "made"
    with pytest.raises(FileExistsError):
        SharedMemory("frames", create=True, size=10)


def test_ctrl_c_while_it_is_made(namespace, monkeypatch):
    def interrupted(*args):
        raise KeyboardInterrupt
    monkeypatch.setattr("madang._blocks._refuse_existing", interrupted)
    for persist in (False, True):
        with pytest.raises(KeyboardInterrupt):
            SharedMemory("frames", create=True, size=10, persist=persist)
    assert nothing_stays(namespace)


def test_trailer_is_not_believed():
    block = SharedMemory("frames", create=True, size=10)
    segment = madang.Segment.attach(next(madang.Namespace().segments()).id)
    for at, raw in ((64, b"x"), (80, b"\xff" * 8), (80, bytes(8)), (88, b"\xff" * 4),
                    (64 + 192, b"F"), (128, b"\xff" * 128)):
        kept = bytes(segment.buf[at:at + len(raw)])
        segment.buf[at:at + len(raw)] = raw
        with pytest.raises(FileNotFoundError):
            SharedMemory("frames")
        segment.buf[at:at + len(raw)] = kept
    SharedMemory("frames").close()
    block.close()


# ---- misuse -----------------------------------------------------------------------------------


def test_after_close(namespace):
    block = SharedMemory("frames", create=True, size=10)
    view = block.buf
    block.close()
    block.close()
    assert block.buf is None and block.size == 10 and block.name == "frames"
    with pytest.raises(ValueError):
        view[0]
    block.unlink()
    with pytest.raises(FileNotFoundError):
        block.unlink()
    assert nothing_stays(namespace)


@pytest.mark.parametrize("mine", [True, False])
def test_exported_views(namespace, mine):
    maker = SharedMemory("frames", create=True, size=100)
    block = maker if mine else SharedMemory("frames")
    part = block.buf[10:20]
    with pytest.raises(BufferError, match="cannot close exported pointers exist"):
        block.close()
    part[0] = 1  # still there
    del part
    block.close()
    numpy = pytest.importorskip("numpy")
    other = SharedMemory("frames")
    array = numpy.frombuffer(other.buf, dtype="u1")
    assert array[10] == 1
    with pytest.raises(BufferError, match="cannot close exported pointers exist"):
        other.close()
    del other  # says nothing on stderr, and the array keeps the memory
    assert array[10] == 1
    maker.unlink()
    maker.close()
    assert array[10] == 1
    del array
    assert nothing_stays(namespace)


def test_unlink_by_several():
    maker = SharedMemory("frames", create=True, size=10)
    other, third = SharedMemory("frames"), SharedMemory("frames")
    other.unlink()
    third.close()
    for block in (maker, other, third):
        with pytest.raises(FileNotFoundError):
            block.unlink()
    with pytest.raises(FileNotFoundError):
        SharedMemory("frames")
    again = SharedMemory("frames", create=True, size=20)  # the name is free
    assert maker.size == 10 and SharedMemory("frames").size == 20
    again.close()


def test_forked_child():
    block = SharedMemory("frames", create=True, size=10)
    closed = SharedMemory("closed", create=True, size=10)
    closed.close()
    child = os.fork()
    if child == 0:
        try:
            block.buf[0] = 42
            block.close()
            SharedMemory("frames").close()
            os._exit(0)
        except BaseException:
            os._exit(1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert block.buf[0] == 42
    SharedMemory("frames").close()
    SharedMemory("closed").close()


def test_child_does_not_keep_what_its_parent_had_closed(namespace):
    block = SharedMemory("closed", create=True, size=10)
    block.close()
    here, there = multiprocessing.Pipe()
    child = os.fork()
    if child == 0:
        here.close()
        there.send("here")
        there.poll(60)  # until the parent closes the pipe, or ends
        os._exit(0)
    there.close()
    here.recv()
    block.unlink()
    stays = not nothing_stays(namespace)
    here.close()
    os.waitpid(child, 0)
    assert not stays


def test_child_goes_on_when_its_parent_is_killed(run, namespace):
    maker = run(MAKER, "frames")
    maker.heard()
    maker.say("say(os.fork() or (time.sleep(60), os._exit(0)))")
    child = int(maker.heard())
    assert next(madang.Namespace().segments()).attached == 2
    maker.kill()
    SharedMemory("frames").close()
    os.kill(child, signal.SIGKILL)
    until = time.monotonic() + 10
    while not nothing_stays(namespace) and time.monotonic() < until:
        time.sleep(0.01)
    assert nothing_stays(namespace)


def test_who_has_it_cannot_be_reached(run, monkeypatch):
    maker = run(MAKER, "frames")
    maker.heard()
    attach, failures = madang.Segment.attach, []

    def unreached(id, **options):
        if len(failures) < most:
            failures.append(id)
            raise madang.NotFoundError(-43)
        return attach(id, **options)

    monkeypatch.setattr(madang.Segment, "attach", unreached)
    most = 5  # a child that was just forked
    SharedMemory("frames").close()
    assert len(failures) == 5
    most = 1 << 30  # a process in another container
    with pytest.raises(FileNotFoundError, match="pid namespace"):
        SharedMemory("frames")
    with pytest.raises(FileExistsError):
        SharedMemory("frames", create=True, size=1)


def test_threads(namespace):
    wrong = []

    def work(number):
        try:
            for turn in range(50):
                block = SharedMemory(f"{number} {turn}", create=True, size=100)
                SharedMemory(block.name).close()
                block.unlink()
                block.close()
        except BaseException as failed:
            wrong.append(failed)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
    one = SharedMemory("shared", create=True, size=10)
    closers = [threading.Thread(target=one.close) for _ in range(4)]
    for thread in closers:
        thread.start()
    for thread in closers:
        thread.join()
    one.unlink()
    assert nothing_stays(namespace)


def test_pickle_and_another_namespace(tmp_path):
    where = madang.Namespace(tmp_path / "ns")
    block = SharedMemory("frames", create=True, size=10, namespace=where)
    with pytest.raises(FileNotFoundError):
        SharedMemory("frames")
    again = pickle.loads(pickle.dumps(block))
    again.buf[0] = 9
    assert block.buf[0] == 9
    items = ShareableList([1, "two"], namespace=str(tmp_path / "ns"))
    assert list(pickle.loads(pickle.dumps(items))) == [1, "two"]


def test_a_channel_is_no_block():
    from madang._madang import ffi, lib
    handle = ffi.new("mdg_channel **")
    assert lib.mdg_channel_open(handle, madang.Namespace()._handle, b"news", 0, ffi.NULL) == 0
    with pytest.raises(madang.UnlikeError, match="is a channel"):
        SharedMemory("news")
    with pytest.raises(FileExistsError):
        SharedMemory("news", create=True, size=1)
    lib.mdg_channel_close(handle[0])


# ---- lists and managers -----------------------------------------------------------------------


def test_list():
    items = ShareableList(["a", b"b\0\0", 2**63 - 1, 1.5, True, None, "x" * 8])
    same = ShareableList(name=items.shm.name)
    assert list(same) == ["a", b"b\0\0", 2**63 - 1, 1.5, True, None, "x" * 8]
    same[-1] = "y" * 16  # as much room as multiprocessing gives
    same[0] = None
    assert items[0] is None and items[6] == "y" * 16
    with pytest.raises(ValueError, match="exceeds available storage"):
        items[6] = "y" * 17
    with pytest.raises(IndexError):
        items[7]
    with pytest.raises(TypeError):
        items[0] = []
    with pytest.raises(TypeError):
        ShareableList([object()])
    items.shm.close()
    with pytest.raises(ValueError, match="closed"):
        items[0]
    with pytest.raises(FileExistsError):
        ShareableList([1], name=same.shm.name)


def test_list_is_not_believed():
    block = SharedMemory("list", create=True, size=100)
    with pytest.raises(ValueError, match="no ShareableList"):
        ShareableList(name="list")
    items = ShareableList([1, "two"], name="good")
    raw = items.shm.buf
    for at, byte in ((16, 255), (24, 255), (28, 255), (32, 99), (33 + 7, 1)):
        kept = raw[at]
        raw[at] = byte
        try:
            assert list(items) in ([1, "two"], [items[0], items[1]])
        except (ValueError, UnicodeDecodeError):
            pass
        raw[at] = kept
    raw[8:16] = b"\xff" * 8
    with pytest.raises(ValueError, match="no ShareableList"):
        ShareableList(name="good")
    block.close()


def _sum(name):
    return sum(ShareableList(name=name))


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_manager(namespace, method):
    with SharedMemoryManager(ctx=multiprocessing.get_context(method)) as manager:
        block = manager.SharedMemory(10)
        items = manager.ShareableList(range(5))
        name, list_name = block.name, items.shm.name
        block.buf[0] = 3
        block.close()
        items.shm.close()
        del block, items
        again = SharedMemory(name)
        assert again.buf[0] == 3  # the manager keeps it
        again.close()
        assert _sum(list_name) == 10
        unlinked = manager.SharedMemory(10)
        unlinked.unlink()
        unlinked.close()
    with pytest.raises(FileNotFoundError):
        SharedMemory(name)  # this call also lets go of what this process has made
    assert nothing_stays(namespace)
    with pytest.raises(ValueError):
        manager.SharedMemory(1)


def test_kill_of_who_has_the_manager(run, namespace):
    maker = run("""
    from madang.managers import SharedMemoryManager
    manager = SharedMemoryManager()
    manager.start()
    block = manager.SharedMemory(1 << 20)
    say(block.name)
    hear()
    """)
    name = maker.heard()
    SharedMemory(name).close()
    maker.kill()
    until = time.monotonic() + 20
    while not nothing_stays(namespace) and time.monotonic() < until:
        time.sleep(0.02)
    assert nothing_stays(namespace)
