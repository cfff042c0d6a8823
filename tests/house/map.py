# SPDX-License-Identifier: MIT
"""map - the map of src/ at the end of docs/architecture.md: each room with its files, from the
ground floor up, and what each file is.

What a file is, its own head says in its first sentence. The floors come from the objects."""

import pathlib
import re
import textwrap

import rooms

FIRST = "<!-- The map begins here. The target house-picture writes it anew. -->"
LAST = "<!-- The map ends here. -->"


def head(path):
    """The first sentence of a file's head, without the file's name; or nothing."""
    comment = next(text for text in re.findall(r"/\*(.*?)\*/", path.read_text(), re.DOTALL)
                   if "SPDX" not in text)
    lines = [line.strip().lstrip("*").strip() for line in comment.strip().splitlines()]
    while lines and not lines[0]:
        lines.pop(0)
    if "" in lines:
        lines = lines[:lines.index("")]
    text = re.sub(r"^[a-z0-9_]+\.[ch] - ", "", " ".join(lines))
    if re.match(r"[Ss]ee [a-z0-9_]+\.h", text):
        return ""
    return re.split(r"\.(?: |$)", text)[0]


def said(project, files):
    """What a file is. Of a file and its header, the header says it, if it does not leave it to the
    file."""
    src = pathlib.Path(project) / "src"
    return next((text for file in reversed(files) if (text := head(src / file))), "")


def entries(project, room):
    """Pairs (shown, files): a .c file together with its header, or a file alone."""
    files = [file for file in rooms.sources(project) if rooms.room_of(file) == room]
    for file in files:
        pair = [file[:-1] + "c", file[:-1] + "h"]
        if all(half in files for half in pair):
            if file.endswith("c"):
                yield file[:-1] + "[ch]", pair
        else:
            yield file, [file]


def row(label, shown, sentence, width):
    """Lines of the map: a file, and what it is."""
    start = f"  {label:9} {shown:{width}}  "
    return textwrap.wrap(start + sentence, 100, subsequent_indent=" " * len(start),
                         break_on_hyphens=False, drop_whitespace=True)


def block(project, room, arrows):
    """The map of a room."""
    inside = [(user, used) for user, used in arrows
              if rooms.room_of(user) == rooms.room_of(used) == room.name]
    listed = list(entries(project, room.name))
    code = [files[0] for _, files in listed if files[0].endswith(".c")]
    tangled = bool(rooms.circle(inside))
    floor = {} if tangled else rooms.floors(code, inside)

    def label(files):
        if files[0].endswith(".h"):
            return "headers"
        return "files" if tangled else f"floor {floor[files[0]]}"

    def order(entry):
        name = label(entry[1])
        return (name != "headers", floor.get(entry[1][0], 0), entry[0])

    width = max(len(shown) for shown, _ in listed) - len(room.name) - 1
    lines, previous = [], None
    for shown, files in sorted(listed, key=order):
        name = label(files)
        lines += row("" if name == previous else name, shown.split("/")[1], said(project, files),
                     width)
        previous = name
    return "\n".join([f"**src/{room.name}/**: {room.subject}", "", "```", *lines, "```"])


def write(project, arrows):
    """Writes the map into the document."""
    document = pathlib.Path(project) / "docs/architecture.md"
    before, rest = document.read_text().split(FIRST)
    blocks = [block(project, room, arrows) for room in rooms.ROOMS
              if (pathlib.Path(project) / "src" / room.name).is_dir()]
    after = rest.split(LAST)[1]
    document.write_text(before + "\n\n".join([FIRST, *blocks, LAST]) + after)


def read(project):
    """What the document lists: ROOM/FILE -> (floor, sentence). Floor 0: a header, or no floors."""
    text = (pathlib.Path(project) / "docs/architecture.md").read_text()
    text = text.split(FIRST)[-1].split(LAST)[0]
    result, files = {}, []
    for name, body in re.findall(r"^\*\*src/(\w+)/\*\*.*?```\n(.*?)```", text,
                                 re.MULTILINE | re.DOTALL):
        floor = 0
        for line in body.splitlines():
            start = re.match(r"  (headers|files|floor (\d+)| {7,9}) +(\w+\.)(\[ch\]|c|h)  +", line)
            # A line that begins further to the right goes on with the sentence before it.
            if start and line[12] != " ":
                if start[1].strip():
                    floor = int(start[2] or 0)
                files = [f"{name}/{start[3]}{end}" for end in start[4].strip("[]")]
                for file in files:
                    result[file] = (floor if file.endswith("c") else 0, line[start.end():].strip())
            else:
                for file in files:
                    result[file] = (result[file][0], result[file][1] + " " + line.strip())
    return result


def faults(project, arrows):
    """What is wrong with the map, in sentences."""
    listed = read(project)
    present = rooms.sources(project)
    for file in sorted(set(present) - set(listed)):
        yield f"docs/architecture.md does not list src/{file}"
    for file in sorted(set(listed) - set(present)):
        yield f"docs/architecture.md lists src/{file}, which does not exist"
    for room in rooms.ROOMS:
        for _, files in entries(project, room.name):
            sentence = said(project, files)
            if not sentence:
                yield f"src/{files[0]} does not say what it is in the first sentence of its head"
            elif files[0] in listed and listed[files[0]][1] != sentence:
                yield f"docs/architecture.md does not say of src/{files[0]} what its head says"
    for user, used in sorted(arrows):
        if rooms.room_of(user) != rooms.room_of(used):
            continue
        if user in listed and used in listed and listed[user][0] <= listed[used][0]:
            yield f"{user} calls {used}, which docs/architecture.md does not list on a lower floor"
