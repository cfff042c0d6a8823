#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""faults.py BRIDGE DIRECTORY-OF-PEERS [--scene NAME]... [--kind NAME]... [--all] [--faults N]
[--pause MICROSECONDS] [--jobs N] [--seed N] [--keep]

Every kind of channel and a replica over two hosts, which are two namespaces, with real servers and
real deaths. scenes.py has what happens, kinds.py who checks what came of it, world.py what runs.
Without --scene, --kind and --all, what is short is played, with all kinds. Nobody ends by himself.

Exit 0, 1, or 77: there is no nats-server.
"""
import argparse
import os
import random
import shutil
import subprocess
import sys
import threading
import time

sys.dont_write_bytecode = True
from kinds import KINDS  # noqa: E402
from scenes import SCENES  # noqa: E402
from world import World  # noqa: E402

def missing(needs):
    if needs.get("clocks") and not shutil.which("faketime"):
        return "faketime is not installed"
    if needs.get("disk") and subprocess.call(
            ["unshare", "-m", "true"], stderr=subprocess.DEVNULL) != 0:
        return "mounts of its own are not allowed here"
    return None


def play(options, scene, kinds):
    """What is to be printed, and whether all was as promised."""
    needs, _ = SCENES[scene]
    why = missing(needs)
    if why:
        return f"{scene.__name__}: left out: {why}\n", True
    began = time.monotonic()
    world = World(options, kinds, **needs)
    try:
        for kind in world.kinds:
            if not world.until(lambda: kind.count() > 0, 30):
                world.problems.append(f"{kind.name}: nothing has come")
        faults = scene(world, random.Random(f"{options.seed} {scene.__name__}"))
        verdict = world.finish(90)
        right = not any(verdict.values())
        lines = [f"{scene.__name__}: {faults} faults, {time.monotonic() - began:.0f} s"]
        lines += [f"  {problem}" for problem in verdict[""]]
        for kind in world.kinds:
            lines.append(f"  {kind.name}: {kind.report()}: "
                         f"{'; '.join(verdict[kind.name]) or 'good'}")
        return "\n".join(lines) + "\n" + ("" if right else world.logs()), right
    finally:
        world.end()


def main():
    parser = argparse.ArgumentParser(usage=__doc__)
    parser.add_argument("bridge")
    parser.add_argument("peers")
    parser.add_argument("--scene", action="append", choices=[s.__name__ for s in SCENES])
    parser.add_argument("--kind", action="append", choices=list(KINDS))
    parser.add_argument("--all", action="store_true")
    parser.add_argument("--keep", action="store_true")
    parser.add_argument("--faults", type=int)
    parser.add_argument("--pause", type=int, default=10000)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1 << 30))
    options = parser.parse_args()
    for what in ("faults", "call", "replica"):
        name = "peer" if what == "faults" else f"{what}_peer"
        setattr(options, name, os.path.join(options.peers, f"bridge_{what}_peer"))
    if not shutil.which("nats-server"):
        print("skipped: there is no nats-server")
        return 77
    options.faults = options.faults or (250 if options.all else 12)
    kinds = [KINDS[name] for name in options.kind or KINDS]
    scenes = [scene for scene, (_, short) in SCENES.items()
              if (scene.__name__ in options.scene if options.scene else short or options.all)]
    failed, workers = [], []

    def work():
        while scenes:
            scene = scenes.pop(0)
            text, right = "it did not come to its end\n", False
            try:
                text, right = play(options, scene, kinds)
            finally:
                print(text, end="", flush=True)
                if not right:
                    failed.append(scene.__name__)

    for _ in range(options.jobs):
        workers.append(threading.Thread(target=work))
        workers[-1].start()
    for worker in workers:
        worker.join()
    if failed:
        print(f"failed: {' '.join(failed)}; seed {options.seed}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
