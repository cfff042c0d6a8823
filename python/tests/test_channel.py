# SPDX-License-Identifier: MIT
"""Channels: messages, waits, deaths, memory in place, and misuse."""

import asyncio
import os
import pickle
import re
import select
import signal
import threading
import time

import pytest

import madang
from madang import Caller, Listener, Observer, Server, Talker
from madang._views import View


def pair(kind="stream", **options):
    return Talker("news", kind=kind, **options), Listener("news", kind=kind, **options)


# ---- messages ---------------------------------------------------------------------------------


def test_stream_between_two_processes(run):
    other = run("""
    with madang.Listener("news") as news:
        for turn in range(3):
            say(news.receive(timeout=30).decode())
    """)
    with Talker("news") as news:
        for word in (b"sun", bytearray(b"rain"), memoryview(b"xsnow")[1:]):
            news.send(word)
        assert [other.heard() for _ in range(3)] == ["sun", "rain", "snow"]
    other.result()


def test_kinds_and_what_is_known_of_a_message():
    talker, listener = pair("topic", full="overwrite", capacity=1024)
    second = Listener("news", start="oldest")
    for number in range(100):
        talker.send(b"%d" % number + b" " * 200)
    first = listener.receive_message()
    assert first.missed > 0 and first.sequence == first.missed and not first.redelivered
    assert first.data.split() == [b"%d" % first.missed]
    assert second.receive_message() == first
    assert first.talker == [peer.place for peer in talker.peers() if peer.role == "talker"][0]
    info = listener.info()
    assert (info.kind, info.full, info.capacity) == ("topic", "overwrite", 1024)
    assert (info.talkers, info.listeners, info.sequence) == (1, 2, 100)
    assert [one.name for one in madang.channels()] == ["news"]
    with pytest.raises(madang.UnlikeError, match="MDG_UNLIKE_KIND"):
        Talker("news", kind="queue")


def test_sizes():
    talker, listener = pair(capacity=1 << 20)
    for size in (0, 1, 64, 65536, 65537, 1 << 20):
        data = os.urandom(size)
        talker.send(data)
        assert listener.receive(1) == data
    with pytest.raises(madang.MadangError, match="EMSGSIZE"):
        talker.send(bytes((1 << 20) + 1))
    talker.send(b"12345678")
    with pytest.raises(madang.MadangError, match="EMSGSIZE"):
        listener.receive_into(bytearray(7))
    room = bytearray(10)
    assert listener.receive_into(room) == 8 and room == b"12345678\0\0"
    with pytest.raises((TypeError, BufferError, ValueError)):
        listener.receive_into(b"1234567890")


def test_many_at_once():
    talker, listener = pair("queue")
    words = [b"%d" % number for number in range(2000)]
    sent = talker.send_many(words)
    assert sent == 1024
    assert talker.send_many([]) == 0
    got = []
    while len(got) < sent:
        got += listener.receive_many(100)
    assert got == words[:sent]
    with pytest.raises(madang.WaitTimeout):
        listener.receive_many(timeout=0)


def test_iteration_ends_when_the_channel_is_removed():
    talker, listener = pair()
    talker.send(b"a")
    talker.send(b"b")
    got = []
    timer = threading.Timer(0.2, madang.remove_channel, ["news"])
    timer.start()
    for data in listener:
        got.append(data)
    timer.join()
    assert got == [b"a", b"b"]
    with pytest.raises(madang.NotFoundError):
        listener.receive(1)
    with pytest.raises(madang.NotFoundError):
        madang.remove_channel("news")


# ---- in place ---------------------------------------------------------------------------------


def test_peek():
    talker, listener = pair()
    talker.send(b"hello")
    talker.send(b"world")
    with listener.peek() as message:
        view = message.data
        assert bytes(view) == b"hello" and view.readonly and message.sequence == 0
        with pytest.raises(TypeError):
            view[0] = 1
        with pytest.raises(madang.WouldBlockError):
            listener.peek()
        with pytest.raises(madang.WouldBlockError):
            listener.receive()
    with pytest.raises(ValueError):
        view[0]
    with pytest.raises(ValueError):
        message.data
    message.release()
    assert listener.receive() == b"world"


def test_views_keep_a_message():
    talker, listener = pair()
    talker.send(b"hello")
    message = listener.peek()
    part = message.data[1:3]
    for attempt in (message.release, listener.close, listener.close):
        with pytest.raises(BufferError, match="still in use"):
            attempt()
    assert bytes(part) == b"el"
    part.release()
    message.release()
    numpy = pytest.importorskip("numpy")
    talker.send(bytes(range(8)))
    message = listener.peek()
    array = numpy.frombuffer(message.data, dtype="u1")
    with pytest.raises(BufferError):
        message.release()
    assert array[7] == 7
    del array
    message.release()
    listener.close()


def test_reserve():
    talker, listener = pair()
    with talker.reserve(5) as room:
        room[:] = b"hello"
        with pytest.raises(madang.WouldBlockError):
            talker.send(b"x")
        with pytest.raises(madang.WaitTimeout):
            listener.receive(0)
    assert listener.receive(1) == b"hello"
    with pytest.raises(ValueError):
        room[0]
    with pytest.raises(KeyError):
        with talker.reserve(5) as room:
            raise KeyError
    reservation = talker.reserve(100)
    reservation.data[:2] = b"ok"
    part = reservation.data[:1]
    with pytest.raises(BufferError, match="still in use"):
        reservation.commit(2)
    with pytest.raises(ValueError):
        part[0] = 300
    del part
    reservation.commit(2)
    with pytest.raises(madang.MadangError):
        reservation.commit()
    reservation.cancel()
    assert listener.receive(1) == b"ok"
    talker.reserve(10)
    talker.close()  # gives it up
    Talker("news").send(b"after")
    assert listener.receive(1) == b"after"


def test_a_view_outlives_everything():
    talker, listener = pair()
    talker.send(b"hello")
    part = listener.peek().data[:]
    madang.remove_channel("news")
    del talker, listener
    assert bytes(part) == b"hello"


# ---- waits ------------------------------------------------------------------------------------


@pytest.mark.parametrize("timeout", [0, 0.01, 0.25])
def test_timeouts(timeout):
    talker, listener = pair(capacity=64)
    begin = time.monotonic()
    with pytest.raises(TimeoutError):
        listener.receive(timeout)
    with pytest.raises(TimeoutError):
        while True:
            talker.send(bytes(64), timeout)
    with pytest.raises(TimeoutError):
        talker.reserve(64, timeout)
    with pytest.raises(TimeoutError):
        Server("calls").request(timeout)
    with pytest.raises(TimeoutError):
        Caller("calls").call(b"x", timeout)
    assert 4 * timeout <= time.monotonic() - begin < 4 * timeout + 20


@pytest.mark.parametrize("what, wait", [
    ("Listener('news', wait=W).receive()", "default"),
    ("Listener('news', wait=W).receive(timeout=60)", "spin"),
    ("Listener('news', wait=W).peek()", "sleep"),
    ("Observer('news').event() and watch.event()", "default"),
    ("next(iter(Server('calls', wait=W)))", "default"),
    ("Caller('calls', wait=W).call(b'x')", "spin"),
    ("[Talker('news', wait=W).send(bytes(65536)) for _ in range(9)]", "default"),
])
def test_ctrl_c(run, what, wait):
    waiter = run(f"""
    from madang import Caller, Listener, Observer, Server, Talker
    W = {wait!r}
    watch = Observer("watched")
    try:
        watch.event(0)
    except TimeoutError:
        pass
    try:
        say("waits")
        {what}
        watch.event()
    except KeyboardInterrupt:
        say("interrupted")
    """)
    assert waiter.heard() == "waits"
    time.sleep(0.05)
    begin = time.monotonic()
    waiter.signal(signal.SIGINT)
    assert waiter.heard() == "interrupted"
    assert time.monotonic() - begin < 5
    waiter.result()


def test_handlers_of_signals_run_and_the_wait_goes_on():
    talker, listener = pair()
    seen = []
    before = signal.signal(signal.SIGALRM, lambda *_: (seen.append(1), talker.send(b"signalled")))
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.05)
        assert listener.receive(30) == b"signalled" and seen == [1]
    finally:
        signal.signal(signal.SIGALRM, before)


@pytest.mark.parametrize("receive", [Listener.receive, Listener.receive_message])
def test_a_message_at_the_moment_of_ctrl_c_is_not_lost(receive):
    talker, listener = pair()
    talker.send(b"first")
    assert listener.receive() == b"first"

    class Interrupted:
        """The memory of the message, with a Ctrl-C when it is read first."""
        memory = listener._bytes

        def __len__(self):
            return len(self.memory)

        def __getitem__(self, part):
            listener._bytes = self.memory
            raise KeyboardInterrupt

    listener._bytes = Interrupted()
    talker.send(b"hello")
    with pytest.raises(KeyboardInterrupt):
        receive(listener)
    talker.send(b"world")
    assert listener.receive() == b"hello" and listener.receive() == b"world"


@pytest.mark.parametrize("receive", [lambda listener: listener.receive_many(2),
                                     lambda listener: listener.receive_into(bytearray(10))])
def test_messages_taken_at_the_moment_of_ctrl_c_are_not_lost(receive):
    talker, listener = pair()
    wait = listener._wait

    def interrupted(*arguments, **named):
        """A wait, with a Ctrl-C at its end."""
        wait(*arguments, **named)
        raise KeyboardInterrupt

    words = [b"hello", b"my", b"world"]
    talker.send_many(words)
    listener._wait = interrupted
    with pytest.raises(KeyboardInterrupt):
        receive(listener)
    del listener._wait
    got = listener.receive_many(1, 5)
    room = bytearray(10)
    got.append(bytes(room[:listener.receive_into(room, 5)]))
    assert got + [listener.receive(5)] == words


def test_a_held_message_is_given_back_at_the_moment_of_ctrl_c(ctrl_c_after):
    talker, listener = pair()
    talker.send_many([b"one", b"two"])
    with ctrl_c_after(View.release):
        with listener.peek():
            pass
    assert listener.receive(5) == b"two"


def test_a_reservation_ends_at_the_moment_of_ctrl_c(ctrl_c_after):
    talker, listener = pair()
    with ctrl_c_after(View.release):
        with talker.reserve(3) as data:
            data[:] = b"one"
    talker.send(b"two", 5)
    assert listener.receive(5) == b"one" and listener.receive(5) == b"two"


def test_a_reply_is_sent_at_the_moment_of_ctrl_c(ctrl_c_after):
    name = "asked"
    server, caller = madang.Server(name), madang.Caller(name)
    asked = threading.Thread(target=lambda: replies.append(caller.call(b"question", 20)))
    replies = []
    asked.start()
    with ctrl_c_after(View.release):
        with server.request(20) as request:
            request.reply(b"answer")
    asked.join(20)
    assert replies == [b"answer"]


@pytest.mark.parametrize("data", ["text", 5, None, ["x"]])
def test_what_is_no_bytes_is_said(data):
    talker, listener = pair()
    hint = "not str: text.encode()" if isinstance(data, str) else f"not {type(data).__name__}"
    for call in (lambda: talker.send(data), lambda: talker.send_many([data]),
                 lambda: listener.receive_into(data, 0)):
        with pytest.raises(TypeError, match="bytes or the like, " + re.escape(hint)):
            call()


def test_other_threads_run_meanwhile():
    talker, listener = pair()
    threading.Timer(0.1, talker.send, [b"x"]).start()
    assert listener.receive(30) == b"x"


# ---- deaths -----------------------------------------------------------------------------------


def test_the_death_of_a_peer_is_seen(run):
    other = run("""
    news = madang.Talker("news")
    news.send(b"hello")
    say("sent")
    hear()
    """)
    observer = Observer("news")
    assert observer.event(30)[:2] == ("came", "talker")
    other.heard()
    assert [(peer.pid, peer.role) for peer in observer.peers()] == [(other.pid, "talker")]
    other.kill()
    event = observer.event(30)
    assert event[:2] == ("died", "talker") and event.pid == other.pid
    with Listener("news") as listener:  # what it has sent stays
        assert listener.receive(0) == b"hello"


def test_a_message_of_a_dead_listener_comes_again(run):
    talker = Talker("jobs", kind="queue")
    other = run("""
    jobs = madang.Listener("jobs", kind="queue")
    message = jobs.peek()
    say(bytes(message.data).decode())
    hear()
    """)
    talker.send(b"work")
    assert other.heard() == "work"
    other.kill()
    again = Listener("jobs").receive_message(30)
    assert again.data == b"work" and again.redelivered


def test_calls(run):
    server = run("""
    with madang.Server("adder") as adder:
        say("serves")
        adder.serve(lambda request: str(sum(map(int, request.split()))).encode())
    """)
    server.heard()
    with Caller("adder") as adder:
        for number in range(10):
            assert adder.call(b"1 2 %d" % number, 30) == b"%d" % (3 + number)
        server.signal(signal.SIGSTOP)
        with pytest.raises(TimeoutError):
            adder.call(b"1", 0.05)
        server.signal(signal.SIGCONT)
        assert adder.call(b"2", 30) == b"2"  # not the reply to the call before
        server.signal(signal.SIGSTOP)
        threading.Timer(0.2, server.kill).start()
        with pytest.raises(TimeoutError):
            adder.call(b"3", 1)  # nobody has taken it, and another server may come
    madang.remove_channel("adder")


def test_death_of_a_server_and_of_a_caller(run):
    server = run("""
    request = madang.Server("adder").request()
    say(bytes(request.data).decode())
    hear()
    """)
    caller = Caller("adder")
    threading.Thread(target=lambda: (server.heard(), server.kill())).start()
    with pytest.raises(madang.PeerDiedError) as died:
        caller.call(b"1", 30)
    assert isinstance(died.value, ConnectionError)
    mine = Server("adder")
    other = run("madang.Caller('adder').call(b'x')")
    with mine.request(30) as request:
        assert bytes(request.data) == b"x"
        other.kill()
        time.sleep(0.05)
        assert request.reply(b"late") is False
    given_up = []

    def call():
        try:
            caller.call(b"y", 30)
        except madang.MadangError as failed:
            given_up.append(failed.name)

    thread = threading.Thread(target=call)
    thread.start()
    with pytest.raises(ZeroDivisionError):
        mine.serve(lambda request: b"%d" % (1 // 0))
    thread.join()
    assert given_up == ["ECANCELED"]


def test_request_misuse():
    caller, server = Caller("calls", capacity=64), Server("calls")
    replies = []
    thread = threading.Thread(target=lambda: replies.append(caller.call(b"hello", 30)))
    thread.start()
    request = server.request(30)
    part = request.data[:1]
    with pytest.raises(BufferError):
        request.reply(b"x")
    del part
    with pytest.raises(madang.MadangError, match="EMSGSIZE"):
        request.reply(bytes(65))
    assert request.reply(b"fits")
    with pytest.raises(ValueError):
        request.reply(b"again")
    request.release()
    thread.join()
    assert replies == [b"fits"]


# ---- event loops ------------------------------------------------------------------------------


def test_descriptor():
    talker, listener = pair()
    assert select.select([listener], [], [], 0)[0] == []
    talker.send(b"x")
    assert select.select([listener], [], [], 10)[0] == [listener]
    assert listener.receive(0) == b"x"
    assert select.select([listener], [], [], 0)[0] == []
    assert listener.fileno() == listener.fileno()
    with pytest.raises(AttributeError):
        talker.fileno()


def test_async_for(run, monkeypatch):
    other = run("""
    with madang.Talker("news") as news:
        for number in range(50):
            news.send(b"%d" % number)
            time.sleep(0.001 * (number % 3))
        hear()
    madang.remove_channel("news")
    """)

    async def main():
        got, ticks = [], 0

        async def tick():
            nonlocal ticks
            while True:
                ticks += 1
                await asyncio.sleep(0.001)

        ticker = asyncio.create_task(tick())
        with Listener("news") as listener:
            async for data in listener:
                got.append(int(data))
                if len(got) == 50:
                    other.say()  # it removes the channel, and the loop ends
        ticker.cancel()
        return got, ticks

    monkeypatch.setattr("madang.listener.LOOK_EVERY", 100)  # so the descriptor wakes it
    got, ticks = asyncio.run(asyncio.wait_for(main(), 60))
    assert got == list(range(50)) and ticks > 1


def test_async_for_ends_when_the_segment_is_removed():
    async def main():
        listener = Listener("news")
        asyncio.get_running_loop().call_later(
            0.1, madang.Segment.attach(listener.info().id).remove)
        return [data async for data in listener]

    assert asyncio.run(asyncio.wait_for(main(), 30)) == []


def test_asyncio_sees_the_death_of_a_server(run):
    server = run("""
    request = madang.Server("adder").request()
    say("works")
    hear()
    """)
    threading.Thread(target=lambda: (server.heard(), server.kill())).start()

    async def main():
        with Caller("adder") as caller, pytest.raises(madang.PeerDiedError):
            await caller.call_async(b"1")

    asyncio.run(asyncio.wait_for(main(), 30))


def test_asyncio_misuse():
    async def main():
        talker, listener = pair(capacity=64)
        first = asyncio.create_task(listener.receive_async())
        await asyncio.sleep(0.01)
        with pytest.raises(RuntimeError, match="another task"):
            await listener.receive_async()
        first.cancel()
        with pytest.raises(asyncio.CancelledError):
            await first
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(listener.receive_async(), 0.02)
        await talker.send_async(b"x")
        assert await listener.receive_async() == b"x"
        count = 0
        with pytest.raises(asyncio.TimeoutError):
            while True:
                await asyncio.wait_for(talker.send_async(bytes(64)), 0.05)
                count += 1
        for _ in range(count):
            await listener.receive_async()
        waiting = asyncio.create_task(listener.receive_async())
        await asyncio.sleep(0.01)
        listener.close()
        with pytest.raises(madang.ClosedError):
            await asyncio.wait_for(waiting, 10)
        caller, server = Caller("calls"), Server("calls")
        call = asyncio.create_task(caller.call_async(b"1"))
        await asyncio.sleep(0.01)
        with pytest.raises(RuntimeError):
            await caller.call_async(b"2")
        with server.request(0) as request:
            request.reply(b"one")
        assert await asyncio.wait_for(call, 10) == b"one"

    asyncio.run(main())


# ---- misuse -----------------------------------------------------------------------------------


def test_after_close():
    talker, listener = pair()
    for handle, calls in ((talker, (lambda: talker.send(b"x"), lambda: talker.reserve(1),
                                    talker.info, talker.peers, lambda: talker.event(0))),
                          (listener, (lambda: listener.receive(0), listener.peek,
                                      listener.fileno, lambda: next(iter(listener))))):
        handle.close()
        handle.close()
        assert handle.closed and "closed" in repr(handle)
        for call in calls:
            with pytest.raises(madang.ClosedError):
                call()


def test_close_ends_the_wait_of_another_thread():
    talker, listener = pair()
    raised = []

    def wait():
        try:
            listener.receive()
        except ValueError as closed:
            raised.append(closed)

    thread = threading.Thread(target=wait)
    thread.start()
    time.sleep(0.05)
    listener.close()
    thread.join(10)
    assert isinstance(raised[0], madang.ClosedError)


def test_threads_share_a_handle():
    talker, listener = pair("queue")
    got = []

    def listen():
        while True:
            data = listener.receive()
            if not data:
                return
            got.append(data)

    def talk(number):
        for turn in range(200):
            talker.send(b"%d %d" % (number, turn))

    listeners = [threading.Thread(target=listen) for _ in range(2)]
    talkers = [threading.Thread(target=talk, args=(number,)) for number in range(3)]
    for thread in listeners + talkers:
        thread.start()
    for thread in talkers:
        thread.join()
    for _ in listeners:
        talker.send(b"")
    for thread in listeners:
        thread.join()
    assert sorted(got) == sorted(b"%d %d" % (n, t) for n in range(3) for t in range(200))


def test_forked_child():
    talker, listener = pair()
    child = os.fork()
    if child == 0:
        code = 1
        try:
            with pytest.raises(PermissionError, match="fork"):
                talker.send(b"child")
            with pytest.raises(PermissionError, match="fork"):
                listener.receive(0)
            listener.close()
            talker.close()
            code = 0
        finally:
            os._exit(code)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    talker.send(b"parent")
    assert listener.receive(0) == b"parent"


def test_forked_child_while_a_thread_waits():
    talker, listener = pair()
    thread = threading.Thread(target=lambda: listener.receive())
    thread.start()
    time.sleep(0.05)  # it is in the call, and has the lock
    child = os.fork()
    if child == 0:
        code = 1
        try:
            signal.alarm(20)
            for call in (listener.info, listener.peers, listener.fileno, listener.receive,
                         lambda: listener.receive(1), listener.peek):
                with pytest.raises(PermissionError, match="fork"):
                    call()
            listener.close()
            code = 0
        finally:
            os._exit(code)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    talker.send(b"x")
    thread.join()


def test_handles_are_not_given_away():
    with pytest.raises(TypeError, match="belongs to this process"):
        pickle.dumps(Talker("news"))


def test_wrong_arguments():
    for wrong in (dict(kind="river"), dict(capacity=-1), dict(peers=1000), dict(full="panic"),
                  dict(wait="slow"), dict(start="middle"), dict(mode=0o1777)):
        with pytest.raises(ValueError):
            Talker("news", **wrong)
    for name, kind in (("", ValueError), ("x" * 64, ValueError), ("a\0", ValueError),
                       (7, TypeError)):
        with pytest.raises(kind):
            Listener(name)
    with pytest.raises(madang.NotFoundError):
        Listener("nothing", create=False)
    talker = Talker("news")
    with pytest.raises(madang.WouldBlockError, match="EBUSY"):
        Talker("news")
    with pytest.raises(madang.ExistsError):
        Talker("news", exclusive=True)
    with pytest.raises(TypeError):
        talker.send("text")
    with pytest.raises(TypeError):
        talker.send(None)
    with madang.Segment.create("plain", 10):
        with pytest.raises(madang.UnlikeError, match="MDG_NOT_CHANNEL"):
            Listener("plain")
