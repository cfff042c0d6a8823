# SPDX-License-Identifier: MIT
"""Segments: their bytes, views that outlive a close, other processes, errors."""

import gc
import os
import threading

import pytest

import madang


def mappings():
    """How many mappings this process has of the data files of segments."""
    with open("/proc/self/maps") as maps:
        return sum("/madang-test-" in line and "registry" not in line for line in maps)


def test_two_processes_share_bytes(run):
    with madang.Segment.create("weather", 4096) as weather:
        assert len(weather) == weather.size == weather.buf.nbytes == 4096
        assert bytes(weather.buf) == bytes(4096)
        weather.buf[0:5] = b"sunny"
        other = run('''
            with madang.Segment("weather") as weather:
                say(bytes(weather.buf[0:5]).decode())
                weather.buf[0:5] = b"rainy"
        ''')
        assert other.result() == ["sunny"]
        assert bytes(weather.buf[0:5]) == b"rainy"
    assert weather.closed
    assert bytes(madang.Segment("weather", readonly=True).buf[0:5]) == b"rainy"


def test_ways_to_find_one():
    first = madang.Segment.create("one", 1000)
    assert first.name == "one"
    assert madang.Segment(b"one").id == first.id == madang.Segment.attach(first.id).id
    assert madang.Segment.create("one", 900, exist_ok=True).id == first.id
    with pytest.raises(FileExistsError, match="'one'"):
        madang.Segment.create("one", 1000)
    with pytest.raises(madang.MadangError, match="less than 1001 bytes"):
        madang.Segment.create("one", 1001, exist_ok=True)
    with pytest.raises(madang.MadangError, match="less than 1001 bytes"):
        madang.Segment("one", min_size=1001)
    keyed = madang.Segment.by_key(77, 64, create=True)
    assert madang.Segment.by_key(77).id == keyed.id and keyed.stat().key == 77
    with pytest.raises(FileExistsError):
        madang.Segment.by_key(77, 64, exclusive=True)
    with pytest.raises(FileNotFoundError):
        madang.Segment.by_key(78)
    nameless = madang.Segment.create(None, 64)
    assert nameless.name == "" and madang.Segment.attach(nameless.id).size == 64


def test_what_cannot_be():
    for name, problem in (("", "1 to 63 bytes"), ("x" * 64, "1 to 63 bytes"), ("a\0b", "NUL")):
        with pytest.raises(ValueError, match=problem):
            madang.Segment(name)
        with pytest.raises(ValueError, match=problem):
            madang.Segment.create(name, 64)
    for name in (7, None, 1.5):
        with pytest.raises(TypeError):
            madang.Segment(name)
    for size in (0, -1, 2**64):
        with pytest.raises(ValueError, match="size"):
            madang.Segment.create("odd", size)
    for size in ("64", 6.4, None, True):
        with pytest.raises(TypeError):
            madang.Segment.create("odd", size)
    with pytest.raises(ValueError, match="mode"):
        madang.Segment.create("odd", 64, mode=0o1777)
    with pytest.raises(madang.MadangError) as caught:
        madang.Segment.create("odd", 2**50)
    assert caught.value.name in ("ENOMEM", "EINVAL", "ENOSPC") and "odd" in str(caught.value)
    for id in (-1, 2**31):
        with pytest.raises(ValueError):
            madang.Segment.attach(id)
    with pytest.raises(madang.NotFoundError):
        madang.Segment.attach(0)
    assert list(madang.Namespace().segments()) == []


def test_read_only():
    madang.Segment.create("fixed", 64).buf[0] = 7
    fixed = madang.Segment("fixed", readonly=True)
    assert fixed.buf[0] == 7 and fixed.buf.readonly and fixed.readonly
    with pytest.raises(TypeError):
        fixed.buf[0] = 8
    with pytest.raises(TypeError, match="read only"):
        fixed.pointer(0, 8)
    fixed.pointer(0, 8, writable=False)


def test_permission(run):
    if os.geteuid() != 0:
        pytest.skip("only root becomes another user")
    path = madang.default_path() + "-shared"
    ns = madang.Namespace(path, shared=True)
    os.chmod(os.path.dirname(path), 0o755)
    mine = madang.Segment.create("mine", 64, namespace=ns)
    other = run('''
        os.setuid(65534)
        ns = madang.Namespace(sys.argv[1])
        try:
            madang.Segment("mine", namespace=ns)
        except PermissionError as error:
            say(error.name, error)
    ''', path)
    said = other.result()
    assert said and said[0].startswith("EACCES segment 'mine'")
    assert mine.stat().attached == 1


def test_close_waits_for_exported_views():
    segment = madang.Segment.create("viewed", 4096)
    slice = segment.buf[10:20]
    with pytest.raises(BufferError, match="views of its memory exist"):
        segment.close()
    assert not segment.closed and segment.stat().attached == 1
    segment.buf[10] = 9
    assert slice[0] == 9
    slice.release()
    segment.close()
    assert segment.closed and segment.stat().attached == 0
    with pytest.raises(madang.ClosedError, match="closed"):
        segment.buf
    with pytest.raises(madang.ClosedError):
        with segment:
            pass
    segment.close()


def test_a_view_does_not_hide_an_exception():
    with pytest.raises(ZeroDivisionError):
        with madang.Segment.create("viewed", 64) as segment:
            view = segment.buf[1:]
            1 / 0
    view[0] = 1
    with pytest.raises(BufferError):
        with segment:
            pass
    view.release()
    segment.close()


def test_numpy_without_a_copy():
    numpy = pytest.importorskip("numpy")
    segment = madang.Segment.create("numbers", 8000)
    numbers = numpy.frombuffer(segment.buf, dtype="f8")
    numbers[:] = range(1000)
    assert bytes(segment.buf[8:16]) == numpy.float64(1).tobytes()
    with pytest.raises(BufferError):
        segment.close()
    part = numbers[5:10]
    del numbers, segment  # the array alone keeps the memory
    gc.collect()
    assert mappings() == 1
    part += 1
    assert list(part) == [6, 7, 8, 9, 10]
    assert madang.Segment("numbers").stat().attached == 2
    del part
    assert madang.Segment("numbers").stat().attached == 1
    assert mappings() == 0


def test_a_view_keeps_a_removed_segment():
    segment = madang.Segment.create("short", 64)
    view = segment.buf
    segment.remove()
    with pytest.raises(FileNotFoundError):
        madang.Segment("short")
    segment.remove()
    view[0] = 3
    id = segment.id
    assert [s.removed for s in madang.Namespace().segments() if s.id == id] == [True]
    del segment
    view[1] = 4
    del view
    gc.collect()
    assert list(madang.Namespace().segments()) == []


def test_dropped_without_close():
    for _ in range(100):
        madang.Segment.create("again", 64, exist_ok=True).buf[0] = 1
    assert madang.Segment("again").stat().attached == 1


def test_a_forked_child_detaches_its_own():
    segment = madang.Segment.create("forked", 64)
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        status = 1
        try:
            segment.buf[0] = 5
            os.read(reader, 1)
            segment.close()
            status = 0
        finally:
            os._exit(status)
    assert segment.stat().attached == 2
    os.write(writer, b"x")
    assert os.waitpid(child, 0)[1] == 0
    os.close(reader), os.close(writer)
    assert segment.stat().attached == 1 and segment.buf[0] == 5


def test_killed_with_a_view(run):
    segment = madang.Segment.create("victim", 64)
    other = run('victim = madang.Segment("victim"); view = victim.buf[3:]; say("in"); hear()')
    assert other.heard() == "in" and segment.stat().attached == 2
    other.kill()
    assert segment.stat().attached == 1


def test_change_of_mode():
    segment = madang.Segment.create("modes", 64)
    segment.set(mode=0o640)
    assert segment.stat().mode == 0o640
    segment.lock_memory()
    assert segment.stat().locked
    segment.lock_memory(False)
    assert not segment.stat().locked


def test_threads_use_and_close_it():
    """A thread that uses an object while another closes it gets an answer or ClosedError."""
    seen = []

    def use(segment):
        try:
            while True:
                segment.buf[0] = 1
                segment.stat()
        except madang.ClosedError:
            seen.append("closed")

    for _ in range(20):
        segment = madang.Segment.create("raced", 64, exist_ok=True)
        threads = [threading.Thread(target=use, args=(segment,)) for _ in range(3)]
        for thread in threads:
            thread.start()
        while True:
            try:
                segment.close()
                break
            except BufferError:  # a thread was about to write
                pass
        for thread in threads:
            thread.join()
    assert seen == ["closed"] * 60


def test_buffer_protocol_of_the_object():
    import sys
    segment = madang.Segment.create("direct", 64)
    if sys.version_info < (3, 12):
        pytest.skip("objects written in Python have a buffer since Python 3.12")
    with memoryview(segment) as view:
        view[0] = 1
        assert segment.buf[0] == 1
        with pytest.raises(BufferError):
            segment.close()
    segment.close()
