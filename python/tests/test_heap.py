# SPDX-License-Identifier: MIT
"""The heap and its map: blocks, roots, what deaths leave, and misuse."""

import os
import pickle
import signal
import threading
import time

import pytest

import madang
from madang import Heap, Map


@pytest.fixture
def heap():
    with Heap("notes", maximum=64 << 20) as heap:
        yield heap


def test_two_processes(run, heap):
    first = heap.root("first")
    assert first.new and first.ref == 0
    block = heap.hold(5)
    block.data[:] = b"hello"
    first.publish(block)
    other = run("""
    with madang.Heap("notes") as heap:
        first = heap.root("first")
        block = first.block()
        say(first.new, bytes(block.data[:5]).decode())
        block.data[:5] = b"world"
        more = heap.alloc(100)
        say(more.ref)
    """)
    assert other.heard() == "False hello"
    more = heap.block(int(other.heard()))
    other.result()
    assert bytes(block.data) == b"world" and bytes(more.data[:100]) == bytes(100)
    more.free()
    taken = first.take()
    assert taken.ref == block.ref and first.take() is None
    taken.free()
    first.remove()
    assert heap.info().blocks == 0 and heap.check() == []


def test_what_is_held_is_free_after_a_death(run, heap):
    other = run("""
    heap = madang.Heap("notes")
    lost, kept = heap.hold(1000), heap.hold(1000)
    kept.keep()
    say(kept.ref)
    hear()
    """)
    kept = int(other.heard())
    assert heap.info().blocks == 2
    other.kill()
    heap.sweep()
    assert heap.info().blocks == 1 and heap.block(kept).size >= 1000


def test_the_first_dies_and_the_next_is_asked(run, heap):
    other = run("heap = madang.Heap('notes')\nsay(heap.root('first').new)\nhear()")
    assert other.heard() == "True"
    for timeout in (0, 0.05):
        with pytest.raises(TimeoutError):
            heap.root("first", timeout=timeout)
    other.kill()
    assert heap.root("first", timeout=30).new
    with pytest.raises(madang.UnlikeError):
        heap.root("first", type=2)


def test_ctrl_c_while_another_fills_a_root(run, heap):
    assert heap.root("first").new
    other = run("""
    heap = madang.Heap("notes")
    try:
        say("waits")
        heap.root("first")
    except KeyboardInterrupt:
        say("interrupted")
    """)
    other.heard()
    time.sleep(0.2)  # most likely it waits in C now
    other.signal(signal.SIGINT)
    assert other.heard() == "interrupted"
    other.result()


def test_places(heap):
    node = heap.alloc(16)
    left, right = node.place(0), node.place(8)
    one, two = heap.hold(8), heap.hold(8)
    left.publish(one)
    with pytest.raises(madang.WouldBlockError, match="EAGAIN"):
        left.publish(two)
    old = left.swap(two)
    assert old.ref == one.ref and left.ref == two.ref and right.ref == 0
    with heap.reading():
        old.retire()
    assert left.block().ref == two.ref
    with pytest.raises(madang.NotFoundError):
        right.block()
    with pytest.raises(ValueError):
        node.place(12)
    with pytest.raises(ValueError):
        node.place(16)


def test_views_keep_a_block(heap):
    block = heap.alloc(100)
    part = block.data[10:]
    for attempt in (block.free, lambda: block.resize(200)):
        with pytest.raises(BufferError, match="still in use"):
            attempt()
    part[0] = 7
    del part
    bigger = block.resize(1 << 16)
    assert bigger.data[10] == 7
    with pytest.raises(ValueError):
        block.data
    with pytest.raises(ValueError):
        block.free()
    view = bigger.data
    bigger.free()
    with pytest.raises(ValueError):
        view[0]


def test_a_block_is_freed_once_when_ctrl_c_comes(ctrl_c_after):
    with Heap("once") as heap:
        block = heap.alloc(100)
        with ctrl_c_after(madang.heap.Block._give):
            block.free()
        other = heap.alloc(100)  # most often in the same place
        for attempt in (block.free, block.retire, lambda: block.resize(200)):
            with pytest.raises(ValueError, match="freed"):
                attempt()
        other.free()


def test_errors(heap):
    block = heap.alloc(100)
    same = heap.block(block.ref)
    block.free()
    with pytest.raises(madang.MadangError, match="MDG_FREED_TWICE"):
        same.free()
    assert same.data is not None  # as before
    for ref in (0, 1, block.ref, block.ref + 16, 2**64 - 1):
        with pytest.raises(madang.NotFoundError):
            heap.block(ref)
    with pytest.raises(madang.MadangError, match="ENOMEM"):
        heap.alloc(1 << 40)
    held = [heap.hold(10) for _ in range(8)]
    with pytest.raises(madang.MadangError, match="ENOSPC"):
        heap.hold(10)
    raised = []

    def free():
        try:
            held[0].free()
        except madang.MadangError as failed:
            raised.append(failed.name)

    thread = threading.Thread(target=free)
    thread.start()
    thread.join()
    assert raised == ["EBUSY"]
    with pytest.raises(PermissionError):
        heap.alloc(10).retire()
    for wrong in (dict(maximum=-1), dict(threads=1 << 20), dict(mode=0o7777)):
        with pytest.raises(ValueError):
            Heap("other", **wrong)
    with pytest.raises(madang.UnlikeError, match="MDG_UNLIKE_MAXIMUM"):
        Heap("notes", maximum=1 << 20)
    with pytest.raises(madang.NotFoundError):
        Heap("other", create=False)
    with pytest.raises(madang.ExistsError):
        Heap("notes", exclusive=True)
    with madang.Segment.create("plain", 10), pytest.raises(madang.UnlikeError):
        Heap("plain")


def test_limit_and_readonly(heap):
    heap.set_limit(1 << 20)
    with pytest.raises(madang.MadangError, match="EDQUOT"):
        heap.alloc(8 << 20)
    block = heap.alloc(10)
    with Heap("notes", readonly=True) as look:
        same = look.block(block.ref)
        assert same.data.readonly and bytes(same.data[:10]) == bytes(10)
        with pytest.raises(PermissionError):
            look.alloc(10)


def test_after_close():
    heap = Heap("notes")
    block = heap.alloc(10)
    place = heap.alloc(16).place(0)
    names = Map(heap, "names")
    heap.close()
    heap.close()
    block.data[0] = 1  # the memory stays as long as there are views
    for call in (lambda: heap.alloc(1), heap.info, block.free, place.take, lambda: place.ref,
                 lambda: Map(heap, "x"), heap.check):
        with pytest.raises(madang.ClosedError):
            call()
    names[b"a"] = b"1"  # it keeps the heap
    names.close()
    names.close()
    for call in (lambda: names[b"a"], lambda: len(names), lambda: list(names), names.clear,
                 lambda: names.__setitem__(b"a", b"b"), lambda: b"a" in names):
        with pytest.raises(madang.ClosedError):
            call()
    del block
    madang.remove_heap("notes")
    with pytest.raises(madang.NotFoundError):
        madang.remove_heap("notes")


def test_check_finds_an_overrun():
    from madang._madang import ffi
    with Heap("checked", checked=True) as heap:
        block = heap.alloc(10)
        ffi.cast("char *", block._pointer)[10] = b"x"
        assert [(one.kind, one.ref, one.repaired) for one in heap.check()] == [
            ("OVERRUN", block.ref, False)]
        with pytest.raises(madang.MadangError, match="MDG_OVERRUN"):
            block.free()


def test_forked_child_and_threads(heap):
    block = heap.alloc(10)
    names = Map(heap, "names")
    child = os.fork()
    if child == 0:
        code = 1
        try:
            block.data[0] = 42
            names[b"child"] = b"was here"
            heap.alloc(10).free()
            code = 0
        finally:
            os._exit(code)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert block.data[0] == 42 and names[b"child"] == b"was here"

    def work():
        for _ in range(200):
            heap.alloc(100).free()
            names.change(b"n", lambda old: b"%d" % (int(old or b"0") + 1))

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    until = time.monotonic() + 30
    while heap.check() != [] and time.monotonic() < until:
        time.sleep(0.01)  # a thread that was joined may still be about to end in the kernel
        heap.sweep()
    assert names[b"n"] == b"800" and heap.check() == []


def test_given_to_another_process(heap):
    names = Map(heap, "names")
    names[b"a"] = b"1"
    same = pickle.loads(pickle.dumps(names))
    same[b"b"] = b"2"
    assert dict(names) == {b"a": b"1", b"b": b"2"}
    block = heap.alloc(10)
    block.data[0] = 9
    assert pickle.loads(pickle.dumps(heap)).block(block.ref).data[0] == 9


# ---- the map ----------------------------------------------------------------------------------


def test_map_is_a_mapping(heap):
    names = Map(heap, "names")
    model = {}
    for number in range(1000):
        key, value = b"%d" % number, os.urandom(number % 50)
        names[key] = value
        model[key] = value
    for number in range(0, 1000, 3):
        del names[b"%d" % number]
        del model[b"%d" % number]
    assert dict(names) == model == dict(names.items()) and len(names) == len(model)
    assert sorted(names.values()) == sorted(model.values())
    assert sorted(names) == sorted(model) and names == model
    assert b"1" in names and b"0" not in names
    assert names.get(b"0") is None and names.get(b"0", b"x") == b"x"
    with pytest.raises(KeyError):
        names[b"0"]
    with pytest.raises(KeyError):
        del names[b"0"]
    assert names.pop(b"1") == model.pop(b"1") and names.pop(b"1", None) is None
    with pytest.raises(KeyError):
        names.pop(b"1")
    assert names.setdefault(b"2", b"new") == model[b"2"]
    assert names.setdefault(b"0", b"new") == b"new" == names[b"0"]
    names.update({b"0": b"newer", b"": b"empty"})
    assert names[b"0"] == b"newer" and names[b""] == b"empty"
    key, value = names.popitem()
    assert key not in names
    names.clear()
    assert len(names) == 0 and not names
    with pytest.raises(KeyError):
        names.popitem()
    big = os.urandom(100_000)
    names[bytearray(b"big")] = memoryview(big)
    assert names[b"big"] == big


def test_map_misuse(heap):
    names = Map(heap, "names")
    for call in (lambda: names["text"], lambda: names.__setitem__(b"a", "text"),
                 lambda: names.__setitem__(1, b"b"), lambda: "a" in names):
        with pytest.raises(TypeError, match="is bytes"):
            call()
    with pytest.raises(ValueError, match="65536"):
        names[bytes(65537)] = b""
    with pytest.raises(madang.NotFoundError):
        Map(heap, "other", create=False)
    heap.root("plain").publish(heap.hold(8))
    with pytest.raises(madang.UnlikeError):
        Map(heap, "plain")
    madang.remove_map(heap, "names")
    with pytest.raises(madang.NotFoundError):
        names[b"a"]
    with pytest.raises(madang.NotFoundError):
        names[b"a"] = b"b"
    with pytest.raises(madang.NotFoundError):
        madang.remove_map(heap, "names")


def test_versions(heap):
    names = Map(heap, "names")
    assert names.get_version(b"a") == (None, 0)
    assert names.put_if(b"a", b"1", 0) and not names.put_if(b"a", b"2", 0)
    value, version = names.get_version(b"a")
    assert value == b"1" and version != 0
    names[b"a"] = b"1"
    assert not names.put_if(b"a", b"2", version) and not names.remove_if(b"a", version)
    assert names.remove_if(b"a", names.get_version(b"a")[1])
    assert not names.remove_if(b"a", version)


def test_map_is_changed_while_it_is_walked(heap):
    names = Map(heap, "names")
    stay = {b"stay %d" % number for number in range(1000)}
    for key in stay:
        names[key] = b""
    seen = []
    for count, (key, _) in enumerate(names.items()):
        seen.append(key)
        names[b"new %d" % (count % 3000)] = b""
        if key not in stay:
            names.pop(key, None)
    assert stay <= set(seen) and len([key for key in seen if key in stay]) == 1000


def test_counting_in_many_processes_of_which_some_are_killed(run, heap):
    program = """
    names = madang.Map(madang.Heap("notes"), "names")
    say("ready")
    while True:
        names.change(b"n", lambda old: b"%d" % (int(old or b"0") + 1))
        names[b"x" * (os.getpid() % 50)] = os.urandom(100)
    """
    names = Map(heap, "names")
    for _ in range(3):
        workers = [run(program) for _ in range(2)]
        for worker in workers:
            worker.heard()
        before = int(names.get(b"n", b"0"))
        for worker in workers:
            while int(names.get(b"n", b"0")) < before + 20:
                pass
            worker.kill()
    heap.sweep()
    assert dict(names) and [one for one in heap.check(repair=True) if not one.repaired] == []
    names[b"n"] = b"0"
    assert names[b"n"] == b"0"
