# SPDX-License-Identifier: MIT
"""Cell and transaction: whole values, and deaths in the middle."""

import pickle
import struct

import pytest

import madang


@pytest.fixture
def box():
    return madang.Segment.create("box", 65536)


def test_cell(box, run):
    price = madang.Cell(box, 0, 16)
    assert price.read_version() == (bytes(16), 0)
    assert price.write(struct.pack("dd", 1, 2)) is False
    assert struct.unpack("dd", price.read()) == (1, 2) and price.read_version().version == 1
    other = run('''
        import struct
        price = madang.Cell(madang.Segment("box", readonly=True), 0, 16)
        say(*struct.unpack("dd", price.read()))
        try:
            price.write(bytes(16))
        except TypeError as error:
            say(error)
    ''')
    lines = other.result()
    assert lines[0] == "1.0 2.0" and "read only" in lines[1]
    for value in (b"", bytes(15), bytes(17)):
        with pytest.raises(ValueError, match="16 bytes"):
            price.write(value)
    with pytest.raises(TypeError):
        price.write("text")
    with pytest.raises(madang.MadangError, match="another size"):
        madang.Cell(box, 0, 8).read()
    for size in (0, 2**28 + 1):
        with pytest.raises(ValueError):
            madang.Cell(box, 0, size)
    with pytest.raises(ValueError, match="do not fit"):
        madang.Cell(box, 0, 65536)
    assert pickle.loads(pickle.dumps(price)).read() == price.read()
    assert madang.Cell.bytes_for(16) == 192 + 256


def test_writing_in_place(box):
    cell = madang.Cell(box, 0, 8)
    with cell.writing() as place:
        place[:] = b"01234567"
        assert cell.read() == bytes(8)  # not yet
    with pytest.raises(ValueError):  # it cannot be used after
        place[0] = 1
    assert cell.read() == b"01234567"
    with pytest.raises(RuntimeError):
        with cell.writing() as place:
            place[:] = b"--------"
            raise RuntimeError
    assert cell.read() == b"01234567"
    with pytest.raises(BufferError):
        with cell.writing() as place:
            part = memoryview(place)
    assert cell.read() == b"01234567"
    del part
    cell.write(b"89abcdef")
    assert cell.read() == b"89abcdef"


def test_a_value_is_whole(box, run):
    """A reader never sees half of a value, and a writer that is killed leaves none."""
    cell = madang.Cell(box, 0, 4096)
    for _ in range(3):
        writer = run('''
            cell = madang.Cell(madang.Segment("box"), 0, 4096)
            say("writing")
            for step in range(10**9):
                with cell.writing() as place:
                    for i in range(0, 4096, 64):
                        place[i:i + 64] = bytes([step % 256]) * 64
        ''')
        writer.heard()
        for _ in range(300):
            assert len(set(cell.read())) == 1
        writer.kill()
        assert len(set(cell.read())) == 1
        cell.write(bytes(4096), timeout=30)
    with cell.writing():
        other = run('''
            cell = madang.Cell(madang.Segment("box"), 0, 4096)
            try:
                cell.write(bytes(4096), timeout=0.01)
            except TimeoutError:
                say("late")
        ''')
        assert other.result() == ["late"]


def bank_of(box):
    return madang.Transaction(box, 0, journal=1024, data=(4096, 64))


def test_transaction(box):
    bank = bank_of(box)
    with bank.begin() as run:
        assert not run.died
        run.write(0, struct.pack("q", 95))
        run.write(8, struct.pack("q", 5))
        assert run.read(0, 8) == struct.pack("q", 95)
        assert bytes(box.buf[4096:4104]) == bytes(8)
    assert struct.unpack("qq", box.buf[4096:4112]) == (95, 5)
    with pytest.raises(madang.ClosedError):
        run.write(0, b"x")
    with pytest.raises(RuntimeError):
        with bank.begin() as run:
            run.write(0, bytes(16))
            raise RuntimeError
    assert struct.unpack("qq", box.buf[4096:4112]) == (95, 5)
    with bank.begin() as run:
        run.write(0, b"x")
        run.cancel()
        with pytest.raises(madang.ClosedError):
            run.commit()
    with bank.begin() as run:
        for at, value in ((60, b"12345"), (-1, b"1"), (64, b"1")):
            with pytest.raises(ValueError):
                run.write(at, value)
        with pytest.raises(TypeError):
            run.write(0, "text")
        with pytest.raises(madang.OwnerError):
            bank.begin().__enter__()
        with pytest.raises(madang.MadangError, match="ENOSPC"):
            for _ in range(100):
                run.write(0, bytes(64))
        run.cancel()
    with pytest.raises(madang.MadangError, match="another size"):
        madang.Transaction(box, 0, journal=1024, data=(4096, 128)).begin().__enter__()
    for journal, data in ((63, (4096, 64)), (1024, (65536, 64)), (1024, (4096, 0))):
        with pytest.raises(ValueError):
            madang.Transaction(box, 0, journal=journal, data=data)
    assert pickle.loads(pickle.dumps(bank)).offset == 0


def test_a_killed_owner_changes_all_or_nothing(box, run):
    for _ in range(5):
        other = run('''
            import struct
            box = madang.Segment("box")
            bank = madang.Transaction(box, 0, journal=1024, data=(4096, 64))
            say("on")
            for step in range(1, 10**9):
                with bank.begin() as run:
                    run.write(0, struct.pack("q", step))
                    run.write(56, struct.pack("q", -step))
        ''')
        other.heard()
        while bytes(box.buf[4096:4104]) == bytes(8):
            pass
        other.kill()
        with bank_of(box).begin(timeout=30) as run_:
            one, two = struct.unpack("q", run_.read(0, 8)) + struct.unpack("q", run_.read(56, 8))
            assert one == -two != 0
            run_.write(0, bytes(8))
            run_.write(56, bytes(8))
    other = run('''
        bank = madang.Transaction(madang.Segment("box"), 0, journal=1024, data=(4096, 64))
        run = bank.begin()
        run.__enter__()
        run.write(0, b"half")
        say("in"); hear()
    ''')
    other.heard()
    other.kill()
    with bank_of(box).begin() as run_:
        assert run_.died and run_.read(0, 4) == bytes(4)
    box.close()
    with pytest.raises(madang.ClosedError):
        bank_of(box)
