# SPDX-License-Identifier: MIT
"""scenes.py - what happens to a world, whatever kinds are in it: for faults.py.

A scene is a function of a world and of chance. It returns how many faults there were: somebody who
lived was killed, a cut, a full disk. SCENES also has what world it needs.
"""
import signal
import time

from kinds import SILENCE


def storm(world, chance):
    """kill -9 of everything, at random moments."""
    victims = ["bridgea", "bridgeb", "bridgea", "bridgeb", "server0"]
    victims += [victim for kind in world.kinds for victim in kind.victims]
    faults = 0
    while faults < world.options.faults and not world.ended():
        time.sleep(chance.uniform(0.05, 0.4))
        faults += world.again(*chance.choice(victims).split())
    return faults


def cut_all(world, chance, lengths, hows, hosts="ab"):
    cuts = [(host, how) for host in hosts for how in hows]
    chance.shuffle(cuts)
    for host, how in cuts:
        time.sleep(chance.uniform(0.2, 0.8))
        world.cut(host, how, chance.uniform(*lengths))
    return len(cuts)


def cuts(world, chance):
    """Either host is cut off, for less time than after which it counts as dead."""
    return cut_all(world, chance, (0.2, 1.2) if not world.options.all else (0.2, 3.5),
                   ("stall", "reset", "both"))


def long_cuts(world, chance):
    """Longer than that, and than a connection lives; shorter than the server's window."""
    return cut_all(world, chance, (8, 20), ("stall", "reset", "both"))


def window_cuts_near(world, chance):
    """The talkers' host is cut off for longer than the server's window of 60 s."""
    return cut_all(world, chance, (64, 70), ("stall", "reset"), "a")


def window_cuts_far(world, chance):
    """The listeners' host is cut off for longer than the server's window."""
    return cut_all(world, chance, (64, 70), ("stall", "reset"), "b")


def window(world, chance):
    """The near bridge dies with packs in its hand, and comes back after the server's window."""
    time.sleep(0.5)
    world.send_signal(signal.SIGSTOP, "server0")
    time.sleep(0.5)
    world.kill("bridgea")
    world.send_signal(signal.SIGCONT, "server0")
    time.sleep(65)
    world.troubles += 65 / SILENCE
    world.start("bridgea")
    return 2


def restarts(world, chance):
    """The server dies, and has its store when it comes back; once it ends in order."""
    for wait in (0, 0.5, 2):
        time.sleep(chance.uniform(0.3, 0.8))
        if wait == 2:
            world.send_signal(signal.SIGTERM, "server0")
            world.running["server0"].wait(20)
            world.start("server0")
        else:
            world.kill("server0")
            time.sleep(wait)
            world.start("server0")
    return 3


def store_lost(world, chance):
    """The server loses its store. What only it had is lost; the rest goes on."""
    rounds = 4 if world.options.all else 2
    for _ in range(rounds):
        time.sleep(chance.uniform(0.5, 1.5))
        world.lose_store()
    return rounds


def full_disk(world, chance):
    """The disk under JetStream is full. JetStream stops by itself then, until it is started anew."""
    listeners = [name for name in world.running if name.startswith(("listen-", "here-"))]
    time.sleep(1)
    world.send_signal(signal.SIGSTOP, *listeners)
    if not world.until(lambda: world.disk_left() < 64 << 10, 20):
        world.problems.append(f"the disk was never full: {world.disk_left()} bytes")
    time.sleep(4)
    world.troubles += 1
    world.kill("server0")
    world.grow_disk("800m")
    world.start("server0")
    world.send_signal(signal.SIGCONT, *listeners)
    return 1


def cluster(world, chance):
    """One of three servers dies, again and again, and has its store when it comes back."""
    rounds = 20 if world.options.all else 3
    for _ in range(rounds):
        time.sleep(chance.uniform(0.5, 3))
        server = chance.choice(world.servers)
        world.kill(server)
        time.sleep(chance.uniform(0.1, 2))
        world.start(server)
    return rounds


def clocks(world, chance):
    """The hosts' clocks are two minutes apart, and bridges die."""
    for victim in ("bridgea", "bridgeb"):
        time.sleep(chance.uniform(0.4, 1))
        world.again(victim)
    return 2


# For each: what world it needs, and whether it is short enough for every day.
SCENES = {
    storm: ({}, True),
    cuts: ({"wires": True}, True),
    restarts: ({}, True),
    store_lost: ({}, True),
    clocks: ({"clocks": True}, False),
    full_disk: ({"disk": "24m"}, False),
    cluster: ({"servers": 3}, False),
    long_cuts: ({"wires": True}, False),
    window: ({}, False),
    window_cuts_near: ({"wires": True}, False),
    window_cuts_far: ({"wires": True}, False),
}
