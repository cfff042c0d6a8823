# SPDX-License-Identifier: MIT
"""Namespaces: making, looking, errors, health."""

import os

import pytest

import madang


def test_default_namespace_is_made(namespace):
    assert madang.default_path() == namespace and not os.path.exists(namespace)
    with madang.Namespace() as ns:
        assert ns.path == namespace and os.path.isdir(namespace)
        info = ns.info()
        assert (info.path, info.shared, info.segments, info.segments_max) == \
            (namespace, False, 0, 4096)
    assert ns.closed and "closed" in repr(ns)


def test_options(tmp_path, namespace):
    path = namespace + "-other"
    ns = madang.Namespace(path, exclusive=True, segments=100, processes=20, shmmax=8192)
    info = ns.info()
    assert (info.segments_max, info.processes_max, info.shmmax) == (100, 20, 8192)
    with pytest.raises(FileExistsError) as caught:
        madang.Namespace(path, exclusive=True)
    assert path in str(caught.value) and caught.value.name == "EEXIST"
    with pytest.raises(madang.MadangError, match="8193") as caught:
        madang.Segment.create("large", 8193, namespace=ns)
    assert caught.value.name == "EINVAL"


def test_missing_and_refused(namespace, tmp_path):
    with pytest.raises(madang.NotFoundError) as caught:
        madang.Namespace(create=False)
    assert isinstance(caught.value, FileNotFoundError) and namespace in str(caught.value)
    os.symlink(str(tmp_path), namespace)
    with pytest.raises(madang.MadangError, match="symbolic link") as caught:
        madang.Namespace()
    assert caught.value.name == "MDG_NS_SYMLINK" and caught.value.errno is None


def test_what_cannot_be():
    with pytest.raises(ValueError, match="empty"):
        madang.Namespace("")
    with pytest.raises(ValueError, match="NUL"):
        madang.Namespace("/dev/shm/a\0b")
    with pytest.raises(ValueError, match="segments is 0 to 32768, not -1"):
        madang.Namespace(segments=-1)
    with pytest.raises(TypeError, match="whole number"):
        madang.Namespace(segments="many")
    with pytest.raises(TypeError):
        madang.Namespace(7)
    with pytest.raises(madang.MadangError, match="ENAMETOOLONG"):
        madang.Namespace("/dev/shm/" + "x" * 2000)


def test_used_after_close():
    ns = madang.Namespace()
    segment = madang.Segment.create("kept", 64, namespace=ns)
    ns.close()
    ns.close()
    for use in (ns.info, lambda: list(ns.segments()), lambda: ns.processes(0), ns.check,
                ns.__enter__, lambda: madang.Segment("kept", namespace=ns)):
        with pytest.raises(madang.ClosedError):
            use()
    segment.buf[0] = 1  # what was made with it keeps working
    assert segment.stat().attached == 1


def test_walk_and_processes(run):
    ns = madang.Namespace()
    segments = [madang.Segment.create(name, 100 + number, namespace=ns)
                for number, name in enumerate(("a", "b", None))]
    found = {segment.id: segment for segment in ns.segments(resident=True, creator=True)}
    assert [(found[s.id].name, found[s.id].bytes) for s in segments] == \
        [("a", 100), ("b", 101), ("", 102)]
    assert all(one.creator_alive and one.attached == 1 and one.mode == 0o600 and
               one.cpid == os.getpid() and one.kind == "plain" for one in found.values())
    other = run('b = madang.Segment("b"); say(b.id); hear()')
    assert int(other.heard()) == segments[1].id
    assert sorted(p.pid for p in ns.processes(segments[1].id)) == sorted([os.getpid(), other.pid])
    other.kill()
    assert [p.pid for p in ns.processes(segments[1].id)] == [os.getpid()]
    with pytest.raises(madang.NotFoundError):
        ns.processes(12345)


def test_a_look_changes_nothing(namespace):
    with pytest.raises(madang.NotFoundError):
        madang.Namespace(look=True)
    segment = madang.Segment.create("seen", 64)
    del segment
    look = madang.Namespace(look=True)
    assert [s.name for s in look.segments()] == ["seen"]


def test_check_finds_and_repairs(namespace):
    ns = madang.Namespace()
    assert ns.check() == []
    segment = madang.Segment.create("mine", 64, namespace=ns)
    data = {name for name in os.listdir(namespace) if name != "registry"}
    os.remove(os.path.join(namespace, max(data)))
    findings = ns.check()
    assert [f.kind for f in findings] == ["MISSING_FILE"] and findings[0].text
    assert not findings[0].repaired
    segment.close()


def test_a_deleted_namespace_is_gone(namespace):
    ns = madang.Namespace()
    for name in os.listdir(namespace):
        os.remove(os.path.join(namespace, name))
    os.rmdir(namespace)
    with pytest.raises(madang.GoneError, match="open the namespace again"):
        madang.Segment.create("late", 64, namespace=ns)
    assert madang.Namespace().info().segments == 0


def test_a_forked_child_uses_it():
    ns = madang.Namespace()
    child = os.fork()
    if child == 0:
        try:
            madang.Segment.create("of the child", 64, namespace=ns)
            os._exit(0)
        except BaseException:
            os._exit(1)
    assert os.waitpid(child, 0)[1] == 0
    assert [s.name for s in ns.segments()] == ["of the child"]
