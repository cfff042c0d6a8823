# SPDX-License-Identifier: MIT
"""house - the rooms of src/ and their files: does the code stand as the document says?

    house check  OBJECTS DOCUMENT  does the code stand as it should?
    house listed OBJECTS PROJECT   does docs/architecture.md list the files as they are?
    house map    OBJECTS PROJECT   writes the map in docs/architecture.md anew
    house draw   PROJECT           draws docs/house.svg from the map
    house drawn  PROJECT           does docs/house.svg show what the map says?

OBJECTS is a directory in which CMake has put the objects of src/: .../ROOM/FILE.c.o. DOCUMENT is
docs/architecture.md. PROJECT is the directory that contains src/ and docs/.

`check` fails when a file calls a room that does not lie below its own, when files of a room call
each other in a circle, or when the document does not name a room.

`listed` fails when the map lacks a file of src/, or lists one that does not exist; when it says of
a file something else than the file's head; when a file calls another one that the map does not list
on a lower floor; or when a document names a source file that does not exist.

77: there is no nm, or no dot.
"""

import pathlib
import re
import shutil
import sys

import map as house_map
import picture
import rooms

REFRESH = "cmake --build --preset default --target house-picture"


def need(program):
    """Ends with 77 when a program is missing."""
    if not shutil.which(program):
        print(f"skipped: there is no {program}")
        sys.exit(77)


def wrong_arrows(arrows):
    """What is wrong with the arrows, in sentences."""
    for user, used in sorted(arrows):
        room, below = rooms.room_of(user), rooms.room_of(used)
        if room not in rooms.BELOW:
            yield f"{rooms.short(user)}: its room is not in the list of rooms"
        elif room != below and below not in rooms.BELOW[room]:
            yield f"{rooms.short(user)} calls {rooms.short(used)}, which is not below it"
    for room in rooms.BELOW:
        way = rooms.circle([pair for pair in arrows if all(rooms.room_of(file) == room
                                                           for file in pair)])
        if way:
            yield f"{room}: files call each other in a circle: " + ", ".join(map(rooms.short, way))


def wrong_names(project):
    """Source files that a document names and that do not exist."""
    root = pathlib.Path(project)
    named = r"\b(?:src|tests|tools|include|script|bench|examples)/[\w/.-]+\.(?:c|h|sh|pml|def)\b"
    for document in sorted([*root.glob("*.md"), *root.glob("docs/*.md")]):
        if document.name == "CHANGELOG.md":
            continue
        for name in sorted(set(re.findall(named, document.read_text()))):
            pattern = re.search("/[A-Z]+[/.]", name)  # GROUP/NAME.c is any file
            if not (pattern or (root / name).exists()):
                yield f"{document.relative_to(root)} names {name}, which does not exist"


def end(faults, advice=""):
    """Prints the faults, and ends with 1 if there are any."""
    for fault in faults:
        print(fault)
    if faults and advice:
        print(advice)
    sys.exit(bool(faults))


def check(objects, document):
    """The test house.floors."""
    need("nm")
    arrows = rooms.arrows(objects)
    if not arrows:
        sys.exit(f"no objects in {objects}")
    text = pathlib.Path(document).read_text()
    end([*wrong_arrows(arrows), *(f"{document} does not name the room src/{room}/"
                                  for room in rooms.BELOW if f"src/{room}/" not in text)])


def arrows_of(objects, project):
    """What calls what, and what includes what."""
    need("nm")
    return rooms.arrows(objects) | rooms.inclusions(project)


def listed(objects, project):
    """The test house.map."""
    faults = list(house_map.faults(project, arrows_of(objects, project)))
    end(faults + list(wrong_names(project)),
        f"The map in docs/architecture.md is written by\n    {REFRESH}" if faults else "")


def write_map(objects, project):
    """The first half of the target house-picture."""
    house_map.write(project, arrows_of(objects, project))


def draw(project):
    """The second half of the target house-picture."""
    need("dot")
    picture.draw(project)


def drawn(project):
    """The test house.picture."""
    need("dot")
    missing, stale = picture.differences(project)
    end([*(f"docs/house.svg does not show: {text}" for text in missing),
         *(f"docs/house.svg shows, but the map does not say: {text}" for text in stale)],
        f"The picture is drawn by\n    {REFRESH}")


COMMANDS = {"check": check, "listed": listed, "map": write_map, "draw": draw, "drawn": drawn}
if len(sys.argv) > 2 and sys.argv[1] in COMMANDS:
    COMMANDS[sys.argv[1]](*sys.argv[2:])
else:
    sys.exit(__doc__)
