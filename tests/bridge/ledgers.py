#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""ledgers.py DIRECTORY-OF-PEERS: whoever checks what crossed sees what is wrong.

A ledger is written here with one fault in it, and the kind's verdict has to name it; and a talker,
a listener and a committer of one namespace spoil one message, and that is seen, too. There is no
bridge and no server.
"""
import os
import struct
import subprocess
import sys
import tempfile
import time

sys.dont_write_bytecode = True
from kinds import KINDS  # noqa: E402

TOTAL = 1000
failed = []


class Fake:
    """As much of a world as a verdict needs."""

    def __init__(self, place, deaths=0):
        self.place, self.killed, self.troubles = place, {"listen-stream": deaths}, deaths

    def printed(self, name):
        return TOTAL


def judge(name, rows, *, deaths=0, allowed=(), may_lack=()):
    """The verdict on a ledger. Rows are those of the listener; of calls, what was asked and run."""
    with tempfile.TemporaryDirectory() as place:
        kind = KINDS[name](Fake(place, deaths))
        if name == "call":
            for ledger, lines in zip((kind.asked, kind.run), rows):
                with open(ledger.path, "w") as file:
                    file.writelines(f"{number} {what}\n" for number, what in lines)
        else:
            with open(kind.ledger.path, "wb") as file:
                for row in rows:
                    file.write(struct.pack(f"{len(row)}Q", *row))
        kind.allowed += allowed
        kind.look = lambda host: []
        kind.may_lack = set(may_lack)
        return kind.verdict()


def says(what, verdict, wanted):
    """The verdict has this word; '' is: nothing is wrong."""
    right = any(wanted in problem for problem in verdict) if wanted else not verdict
    if not right:
        failed.append(what)
        print(f"{what}: not {wanted or 'good'!r}, but {verdict}")



def ordered(name):
    whole = [(0, 499, 0), (500, 999, 0)]
    says(f"{name}, whole", judge(name, whole), "")
    lost = [(0, 499, 0), (501, 999, 0)]
    says(f"{name}, lost", judge(name, lost), "" if name == "overwrite" else "lost: 500 to 500")
    says(f"{name}, lost with the store", judge(name, lost, allowed=[(490, 501)]), "")
    if name != "overwrite":
        says(f"{name}, lost, and the near channel had it",
             judge(name, lost, allowed=[(490, 500)]), "lost: 500 to 500")
        says(f"{name}, lost, and the far channel had it",
             judge(name, lost, allowed=[(501, 600)]), "lost: 500 to 500")
    doubled = [(0, 499, 0), (499, 999, 0)]
    says(f"{name}, doubled", judge(name, doubled), "499 came again")
    says(f"{name}, doubled and marked", judge(name, [(0, 499, 0), (499, 999, 1)]), "came again")
    swapped = [(0, 499, 0), (501, 501, 0), (500, 500, 0), (502, 999, 0)]
    says(f"{name}, swapped", judge(name, swapped), "500 came again")
    says(f"{name}, the newest is not there", judge(name, [(0, 998, 0)]), "had 999 of 1000")
    says(f"{name}, more than was sent", judge(name, [(0, 1000, 0)]), "had 1001 of 1000")


def stream_with_deaths():
    again = [(0, 499, 0), (400, 999, 100)]
    says("stream, again and marked after a death", judge("stream", again, deaths=1), "")
    again[1] = (400, 999, 99)
    says("stream, again and not marked after a death", judge("stream", again, deaths=1),
         "499 came again, and was not marked")


def queue():
    says("queue, whole", judge("queue", [(0, 499, 0), (700, 999, 0), (500, 699, 0)]), "")
    says("queue, lost", judge("queue", [(0, 499, 0), (501, 999, 0)]), "1 were not worked on, 500")
    says("queue, the last is lost", judge("queue", [(0, 998, 0)]), "1 were not worked on, 999")
    says("queue, lost with the store", judge("queue", [(0, 499, 0), (501, 999, 0)],
                                             may_lack=[500]), "")
    says("queue, again and marked", judge("queue", [(0, 999, 0), (400, 431, 32)]), "")
    says("queue, marked, then not", judge("queue", [(400, 431, 32), (0, 999, 0)]), "")
    says("queue, unmarked", judge("queue", [(0, 999, 0), (400, 431, 31)]),
         "431 came again on b, and was not marked")
    says("queue, more than was sent", judge("queue", [(0, 1000, 0)]), "nobody sent")


def call():
    asked = [(n, "ok") for n in range(1, 9)]
    run = [(n, "run") for n in range(1, 9)]
    says("call, whole", judge("call", (asked, run)), "")
    says("call, executed twice", judge("call", (asked, run + [(3, "run")])), "3 was executed twice")
    says("call, answered by nobody", judge("call", (asked, run[1:])), "never executed")
    says("call, a wrong request", judge("call", (asked, run + [(0, "wrong")])), "wrong request")
    says("call, refused", judge("call", (asked + [(9, "refused")], run), deaths=1), "refused")
    died = asked + [(9, "died")]
    says("call, died, and nobody did", judge("call", (died, run)), "had no reply")
    says("call, died after a death", judge("call", (died, run), deaths=1), "")


def replica():
    says("segment, whole", judge("segment", [(0, 0), (1, 1), (3, 5), (7, TOTAL)]), "")
    says("segment, a generation goes back", judge("segment", [(3, 5), (2, 5), (7, TOTAL)]),
         "generation 2 after 3")
    says("segment, a number goes back", judge("segment", [(3, 5), (4, 4), (7, TOTAL)]),
         "number 4 after 5")
    says("segment, a generation with two numbers", judge("segment", [(3, 5), (3, 6), (7, TOTAL)]),
         "two numbers")
    says("segment, the reader does not come to the end", judge("segment", [(3, 5)]),
         "the reader had 5")


def spoilt(peers, spoil, talk, listen):
    """Two programs in one namespace, one of which spoils: how the second ends, killed or not."""
    with tempfile.TemporaryDirectory(prefix="madang-spoilt-", dir="/dev/shm") as place:
        environment = dict(os.environ, MADANG_SPOIL=spoil)
        commands = [[os.path.join(peers, f"bridge_{words[0]}_peer"), words[1], place, *words[2:],
                     f"{place}/{file}"] for words, file in ((listen, "ledger"), (talk, "enough"))]
        both = [subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL,
                                 stderr=subprocess.DEVNULL) for command in commands]
        end = time.monotonic() + 5
        while time.monotonic() < end and both[0].poll() is None:
            time.sleep(0.02)
        code = both[0].poll()
        for process in both:
            process.kill()
            process.wait()
        return code


def torn(peers):
    for kind in ("stream", "queue", "topic", "overwrite"):
        words = [("faults", what, "x", kind, "1000") for what in ("talk", "listen")]
        says(f"{kind}, torn", [str(spoilt(peers, "torn", *words))], "1")
    says("segment, half", [str(spoilt(peers, "half", ("replica", "commit", "x", "1000"),
                                      ("replica", "read", "x")))], "1")


def unmarked(peers):
    """A worker is killed that holds messages. The next one keeps their marks to itself."""
    with tempfile.TemporaryDirectory(prefix="madang-spoilt-", dir="/dev/shm") as place:
        peer, kind = os.path.join(peers, "bridge_faults_peer"), KINDS["queue"](Fake(place))

        def work(spoil, pause):
            return subprocess.Popen([peer, "listen", place, "x", "queue", pause, kind.ledger.path],
                                    env=dict(os.environ, MADANG_SPOIL=spoil))
        talk = subprocess.Popen([peer, "talk", place, "x", "queue", "1000", f"{place}/enough"],
                                stdout=subprocess.DEVNULL)
        for spoil, wanted in (("", ""), ("unmarked", "not marked")):
            first = work("", "1000000")
            time.sleep(0.3)
            first.kill()
            first.wait()
            second = work(spoil, "1000")
            time.sleep(0.3)
            second.kill()
            second.wait()
            kind.count()
            says(f"queue, a death, spoil {spoil or 'nothing'}", kind.problems, wanted)
        talk.kill()
        talk.wait()


def main(peers):
    for name in ("stream", "topic", "overwrite"):
        ordered(name)
    stream_with_deaths()
    queue()
    call()
    replica()
    torn(peers)
    unmarked(peers)
    return 1 if failed else 0


sys.exit(main(sys.argv[1]))
