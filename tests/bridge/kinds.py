# SPDX-License-Identifier: MIT
"""kinds.py - what runs for each kind of channel and for a replica, and who checks what it did.

The oracle is the table of promises in docs/bridge.md. A kind reads the ledger of its listener,
which says what was received, and its verdict() lists what must not be. What a lost store may lose
is what only it had: what the near channel had given away, and the listener had not. The near bridge
releases what it has in its hand when the server has all of it, so a part of that may be lost, too.
"""
import os
import struct

SILENCE = 5  # seconds, after which a host may count as dead; it does for sure after 7
BATCH = 64  # messages that a talker sends at once
IN_HAND = 1024  # messages that a bridge takes at once
CALLERS = 4
FAR = 1 << 62  # a number that nobody comes to


class Ledger:
    """The rows of a file that grows."""

    def __init__(self, path, form):
        self.path, self.form, self.at = path, struct.Struct(form), 0

    def rows(self):
        try:
            with open(self.path, "rb") as file:
                file.seek(self.at)
                data = file.read()
        except FileNotFoundError:
            return []
        data = data[:len(data) // self.form.size * self.form.size]
        self.at += len(data)
        return self.form.iter_unpack(data)


class Lines(Ledger):
    """The same, of lines of words."""

    def __init__(self, path):
        super().__init__(path, "x")

    def rows(self):
        try:
            with open(self.path, "rb") as file:
                file.seek(self.at)
                data = file.read()
        except FileNotFoundError:
            return []
        data = data[:data.rfind(b"\n") + 1]
        self.at += len(data)
        return (line.split() for line in data.decode().splitlines())


class Kind:
    """name, and `victims`: what a storm may kill of it."""
    name, victims = "", ()

    def __init__(self, world):
        self.world, self.seen_at_mark, self.allowed = world, 0, []

    def rule(self, host):
        return f"allow both {self.name}\n"

    def bridge_options(self, host):
        return []

    def path(self, host):
        return f"{self.world.place}/{host}"

    def is_cut(self, host, seconds):
        pass

    def was_killed(self, name):
        pass

    def before_loss(self):
        pass

    def after_loss(self):
        pass

    def mark(self):
        """The faults are over. From here on something moves."""
        self.seen_at_mark = self.count()

    def settle(self):
        """It does: no cut may cost anything that is sent later."""

    def has_moved(self):
        return self.count() > self.seen_at_mark

    def count(self):
        """What grows while it works."""
        raise NotImplementedError

    def report(self):
        return f"{self.count()}"


class Carried(Kind):
    """Messages with numbers, from a talker on host a to a listener on host b."""

    def __init__(self, world):
        super().__init__(world)
        self.ledger = Ledger(f"{world.place}/ledger-{self.name}", "QQQ")
        self.had = 0

    def commands(self):
        talk, listen = f"talk-{self.name}", f"listen-{self.name}"
        peer, world = self.world.options.peer, self.world
        return {
            listen: lambda _: [peer, "listen", self.path("b"), self.name, self.name, "0",
                               self.ledger.path],
            talk: lambda _: [peer, "talk", self.path("a"), self.name, self.name,
                             str(world.pause), world.enough]}

    def total(self):
        return self.world.printed(f"talk-{self.name}")

    def look(self, host):
        """The first number that the bridge has not handed on; of a queue, all that lie there."""
        return list(map(int, self.world.run(self.world.options.peer, "look", self.path(host),
                                            self.name, self.name).split()))

    def before_loss(self):
        self.had = self.count()

    def after_loss(self):
        self.allowed.append((self.had, self.look("a")[0] + IN_HAND))


def outside(gap, ranges):
    """The parts of a gap that no range covers."""
    parts = [gap]
    for low, high in ranges:
        parts = [piece for a, b in parts for piece in ((a, min(b, low)), (max(a, high), b))
                 if piece[0] < piece[1]]
    return parts


class Ordered(Carried):
    """Each number once, and in order."""
    may_miss = False

    def __init__(self, world):
        super().__init__(world)
        self.wanted, self.gaps, self.problems = 0, [], []

    def listeners_killed(self):
        return self.world.killed.get(f"listen-{self.name}", 0)

    def take(self, first, last, marked):
        if first > self.wanted:
            self.gaps.append((self.wanted, first))
        elif first < self.wanted and not self.listeners_killed():
            self.problems.append(f"{first} came again, and no listener had died")
        elif first + marked < min(self.wanted, last + 1):
            self.problems.append(f"{first + marked} came again, and was not marked")
        self.wanted = max(self.wanted, last + 1)

    def count(self):
        for row in self.ledger.rows():
            self.take(*row)
        return self.wanted

    def is_complete(self):
        return self.count() >= self.total()

    def missed(self):
        return sum(high - low for low, high in self.gaps)

    def verdict(self):
        had, total, problems = self.count(), self.total(), self.problems[:5]
        lost = [part for gap in self.gaps for part in outside(gap, self.allowed)]
        if lost and not self.may_miss:
            problems.append("lost: " + ", ".join(f"{low} to {high - 1}" for low, high in lost[:5]))
        if had != total:
            problems.append(f"the listener had {had} of {total}")
        return problems

    def report(self):
        return f"{self.count()}" + (f" ({self.missed()} missed)" if self.missed() else "")


class Stream(Ordered):
    name = "stream"
    victims = ("talk-stream", "listen-stream", "bridgeb listen-stream")

    def rule(self, host):
        return f"allow {'out' if host == 'a' else 'in'} {self.name}\n"

    def after_loss(self):
        """To look into a stream, the talker's place is needed."""
        if self.world.kill("talk-stream"):
            super().after_loss()
            self.world.start("talk-stream")


class Topic(Ordered):
    """One that waits. What a death of its talker or listener loses at home is lost here, too, so
    they live. It goes on without a host that is cut off for longer than SILENCE."""
    name = "topic"

    def is_cut(self, host, seconds):
        if host == "b" and seconds > SILENCE:
            self.allowed.append((self.count(), FAR))

    def was_killed(self, name):
        """At home, a talker waits for no dead listener. So if the topic is full when its bridge is
        killed, the batch that is being sent takes the place of the oldest messages."""
        if name == "bridgea":
            begin = upto = self.look("a")[0]
            if self.allowed and self.allowed[-1][0] == begin:
                upto = self.allowed[-1][1]  # the one before had done nothing yet
            self.allowed.append((begin, upto + 4 * IN_HAND))

    def settle(self):
        upto = self.look("a")[0]
        self.allowed = [(low, min(high, upto)) for low, high in self.allowed]


class Overwrite(Ordered):
    """Numbers only grow, and the newest arrives."""
    name, may_miss = "overwrite", True


class Queue(Carried):
    """Each number was worked on, and at most once without a mark. A worker is on each host."""
    name = "queue"
    victims = ("talk-queue", "listen-queue", "here-queue", "bridgeb listen-queue")

    def __init__(self, world):
        super().__init__(world)
        self.ledgers = [self.ledger, Ledger(f"{self.ledger.path}-here", "QQQ")]
        self.seen, self.unmarked, self.problems = bytearray(), bytearray(), []
        self.again = self.missing = 0
        self.may_lack = set()

    def commands(self):
        return dict(super().commands(), **{
            "here-queue": lambda _: [self.world.options.peer, "listen", self.path("a"), self.name,
                                     self.name, "20000", self.ledgers[1].path]})

    def take(self, host, first, last, marked):
        if last >= len(self.seen):
            more = bytes(last + 100000 - len(self.seen))
            self.seen += more
            self.unmarked += more
        for number in range(first, last + 1):
            if self.seen[number]:
                self.again += 1
            else:
                self.seen[number] = 1
                self.missing -= 1
            if number < first + marked:
                continue
            if self.unmarked[number]:
                self.problems.append(f"{number} came again on {host}, and was not marked; before, "
                                     f"on {chr(self.unmarked[number])}")
            self.unmarked[number] = ord(host)

    def count(self):
        for host, ledger in zip("ba", self.ledgers):
            for row in ledger.rows():
                self.take(host, *row)
        return -self.missing

    def begun(self):
        """The number after the batch that was begun last."""
        with open(f"{self.path('a')}/sent", "rb") as file:
            return struct.unpack("Q", file.read())[0]

    def was_killed(self, name):
        """The last batch of its talker may be there in part."""
        if name == "talk-queue" and os.path.exists(f"{self.path('a')}/sent"):
            end = self.begun()
            self.may_lack.update(range(end - BATCH, end))

    def before_loss(self):
        pass

    def after_loss(self):
        self.count()
        kept = set(self.look("a") + self.look("b"))
        self.may_lack.update(n for n in range(self.begun()) if n not in kept and
                             not (n < len(self.seen) and self.seen[n]))

    def lost(self):
        total, found, number = self.total(), [], -1
        while True:
            number = self.seen.find(0, number + 1, total)
            if number < 0:
                found += range(len(self.seen), total)
                return [n for n in found if n not in self.may_lack]
            found.append(number)

    def is_complete(self):
        return self.count() >= self.total() or not self.lost()

    def verdict(self):
        self.count()
        problems, lost, total = self.problems[:3], self.lost(), self.total()
        if len(self.problems) > 3:
            problems.append(f"and {len(self.problems) - 3} more")
        if lost:
            here = ", ".join(f"{len(set(lost) & set(self.look(host)))} lie on {host}"
                             for host in "ab")
            problems.append(f"{len(lost)} were not worked on, {lost[0]} to {lost[-1]}; {here}")
        if self.seen.find(1, total) >= 0:
            problems.append("one was worked on that nobody sent")
        return problems

    def report(self):
        return f"{self.count()} ({self.again} again)"


class Call(Kind):
    """Executed at most once; a reply, or MDG_PEER_DIED, or the deadline: nobody waits for ever."""
    name = "call"
    victims = ("serve-call", "serve-call", "talk-call", "bridgeb serve-call")

    def __init__(self, world):
        super().__init__(world)
        self.asked, self.run = (Lines(f"{world.place}/{what}-call")
                                for what in ("asked", "run"))
        self.results, self.executed, self.problems, self.answered = {}, set(), [], 0

    def commands(self):
        def peer(role, host, ledger, *more):
            return [self.world.options.call_peer, role, self.path(host), self.name, ledger.path,
                    "--threads", str(CALLERS), *map(str, more)]
        return {"serve-call": lambda _: peer("serve", "b", self.run, "--busy", 2000),
                "talk-call": lambda times: peer(
                    "ask", "a", self.asked, "--lenient", "--wait", 9000, "--count", 1000000,
                    "--first", 1000000 * (times + 1), "--until", self.world.enough, "--spread",
                    "--size", 40000, "--reply", 65000, "--gap", self.world.pause // 4)}

    def take_run(self, number):
        if number in self.executed:
            self.problems.append(f"{number} was executed twice")
        if number == 0:
            self.problems.append("a wrong request")
        self.executed.add(number)

    def count(self):
        for number, _ in self.run.rows():
            self.take_run(int(number))
        for number, result in self.asked.rows():
            self.results[int(number)] = result
            self.answered += result == "ok"
        return self.answered

    def has_moved(self):
        return self.count() > self.seen_at_mark + 20

    def is_complete(self):
        return True

    def verdict(self):
        self.count()
        problems = self.problems[:5]
        unlucky = len(self.results) - self.answered
        if unlucky > CALLERS * self.world.troubles:
            problems.append(f"{unlucky} had no reply, after {self.world.troubles:.0f} troubles")
        ghosts = [n for n, result in self.results.items()
                  if result == "ok" and n not in self.executed]
        if ghosts:
            problems.append(f"{ghosts[0]} was answered, and never executed")
        strange = [n for n, result in self.results.items() if result not in ("ok", "died", "late")]
        if strange:
            problems.append(f"{strange[0]} was refused")
        return problems

    def report(self):
        results = list(self.results.values())
        return f"{self.answered} ({results.count('died')} died, {results.count('late')} late)"


class Replica(Kind):
    """Generations only grow, never half of one, and the reader comes to the last one."""
    name = "segment"
    victims = ("talk-segment", "listen-segment")

    def __init__(self, world):
        super().__init__(world)
        self.ledger = Ledger(f"{world.place}/ledger-segment", "QQ")
        self.generation = self.number = self.views = 0
        self.problems = []

    def rule(self, host):
        return ""

    def bridge_options(self, host):
        return ["--write" if host == "a" else "--replicate", self.name]

    def commands(self):
        peer = self.world.options.replica_peer
        return {"listen-segment": lambda _: [peer, "read", self.path("b"), self.name,
                                             self.ledger.path],
                "talk-segment": lambda _: [peer, "commit", self.path("a"), self.name,
                                           str(self.world.pause), self.world.enough]}

    def take(self, generation, number):
        if generation < self.generation:
            self.problems.append(f"generation {generation} after {self.generation}")
        if number < self.number:
            self.problems.append(f"number {number} after {self.number}")
        if generation == self.generation and number != self.number:
            self.problems.append(f"generation {generation} with two numbers")
        self.generation, self.number = generation, number
        self.views += 1

    def count(self):
        for row in self.ledger.rows():
            if row[0] != 0:  # nothing was committed yet
                self.take(*row)
        return self.number

    def is_complete(self):
        return self.count() >= self.world.printed("talk-segment")

    def verdict(self):
        had, problems = self.count(), self.problems[:5]
        if had != self.world.printed("talk-segment"):
            problems.append(f"the reader had {had}, and the writer "
                            f"{self.world.printed('talk-segment')}")
        return problems

    def report(self):
        return f"{self.number} commits, {self.views} views"


KINDS = {kind.name: kind for kind in (Stream, Topic, Overwrite, Queue, Call, Replica)}
