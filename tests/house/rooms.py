# SPDX-License-Identifier: MIT
"""rooms - the rooms of src/, their files, and which file calls which."""

import collections
import functools
import pathlib
import re
import subprocess

Room = collections.namedtuple("Room", "name below subject product")

# Each room; the rooms below it that it may call; what it is; the library or program that it is
# part of. The lowest room comes first.
ROOMS = [
    Room("platform", "", "system calls, and what the kernel says of processes and users", "madang"),
    Room("sync", "platform", "locks and the like, in any shared memory", "madang"),
    Room("registry", "sync platform", "the file that the processes of a namespace share", "madang"),
    Room("segment", "registry sync platform", "namespaces and segments", "madang"),
    Room("locks", "segment sync platform", "names for locks that lie in a segment", "madang"),
    Room("channel", "segment sync platform", "messages between processes", "madang"),
    Room("replica", "segment sync platform", "a segment that other hosts read", "madang"),
    Room("semset", "segment sync registry platform", "sets of semaphores", "madang"),
    Room("msgqueue", "segment sync registry platform", "message queues", "madang"),
    Room("reach", "platform", "whether a preload reaches a program", "strict"),
    Room("strict", "reach platform", "refuses to start programs out of reach", "strict"),
    Room("heap", "segment sync platform", "memory of blocks", "madang"),
    Room("sysv", "semset msgqueue segment sync platform", "the System V functions", "sysv"),
]

# Calls that only the objects of some machines show: ipc(2) is a system call of 32-bit x86.
ELSEWHERE = {("sysv/numbers.c", "sysv/number_ipc.c")} | {
    ("sysv/number_ipc.c", f"sysv/{file}.c")
    for file in ("calls", "shmctl", "semcalls", "semctl", "msgcalls", "msgctl")}

BELOW = {room.name: room.below.split() for room in ROOMS}


def room_of(file):
    """The room of ROOM/FILE."""
    return file.split("/")[0]


def short(file):
    """ROOM/FILE.c without its ending."""
    return file.rsplit(".", 1)[0]


def sources(project):
    """Every .c and .h file of src/, as ROOM/FILE."""
    src = pathlib.Path(project) / "src"
    return sorted(str(path.relative_to(src)) for path in src.glob("*/*.[ch]"))


def file_of(path):
    """ROOM/FILE.c of an object."""
    return f"{path.parent.name}/{path.name[:-2]}"


def symbols(paths):
    """Which names of ours the objects define, and which they use: name -> files, file -> names."""
    home = collections.defaultdict(set)
    uses = collections.defaultdict(set)
    output = subprocess.run(["nm", "-A", *paths], stdout=subprocess.PIPE, check=True,
                            text=True).stdout
    for line in output.splitlines():
        path, symbol = line.rsplit(":", 1)
        *_, kind, name = symbol.split()
        if not name.startswith("mdg_"):
            continue
        if kind in "Uw":
            uses[file_of(pathlib.Path(path))].add(name)
        elif kind in "TDBRVW":
            home[name].add(file_of(pathlib.Path(path)))
    return home, uses


@functools.lru_cache(maxsize=None)
def text_of(path):
    """What is in a file; it is read once."""
    return path.read_text()


def left_over(path):
    """Whether an object is from an older build: its source is not in the Makefile any more."""
    makefile = path.parent.parent / "build.make"
    return makefile.exists() and f"{path.parent.name}/{path.name}:" not in text_of(makefile)


def arrows(objects):
    """Pairs (user, used) of ROOM/FILE.c: the first calls the second, by the compiled objects.

    An arrow goes from a file that uses a symbol to the file that defines it. Functions that are
    inlined from a header leave no arrow, nor do names that do not begin with mdg_ (those of the C
    library). What other machines show is added (ELSEWHERE).
    """
    paths = [path for path in pathlib.Path(objects).glob("**/*.c.o") if not left_over(path)]
    if not paths:
        return set()
    home, uses = symbols(paths)
    result = set()
    for file, names in uses.items():
        result |= {(file, place) for name in names for place in home[name] if place != file}
    compiled = {file_of(path) for path in paths}
    return result | {arrow for arrow in ELSEWHERE if compiled.issuperset(arrow)}


def inclusions(project):
    """Pairs of .c files of which the first includes the second, as if it called it."""
    src = pathlib.Path(project) / "src"
    line = re.compile(r'^#include "(.*\.c)"', re.MULTILINE)
    return {(file, included) for file in sources(project)
            for included in line.findall((src / file).read_text())}


def circle(pairs):
    """Files that call each other in a circle, or nothing."""
    uses = collections.defaultdict(set)
    for user, used in pairs:
        uses[user].add(used)
    # Files that call nothing else are taken away until none is left. What stays has a circle.
    while True:
        free = {used for used in set().union(*uses.values()) if used not in uses}
        if not free:
            break
        uses = {user: rest for user, used in uses.items() if (rest := used - free)}
    if not uses:
        return []
    path = [min(uses)]
    while (following := min(used for used in uses[path[-1]] if used in uses)) not in path:
        path.append(following)
    return path[path.index(following):]


def floors(files, pairs):
    """The floor of each file of one room: one above the highest file that it calls there."""
    floor = dict.fromkeys(files, 1)
    for _ in files:
        for user, used in pairs:
            floor[user] = max(floor[user], floor[used] + 1)
    return floor
