# SPDX-License-Identifier: MIT
"""picture - docs/house.svg: each room with its files on their floors, and which room calls which.

It is drawn by dot from the map in docs/architecture.md and from the list of rooms."""

import html
import pathlib
import re
import subprocess

import map as house_map
import rooms

# The colours of a room: its title and its floors.
LIBRARIES = {
    "madang": ("#2f5d8a", "#e8f0f8", "libmadang"),
    "sysv": ("#9a4a1f", "#fbeee4", "libmadang-sysv"),
    "strict": ("#5d6b2f", "#f1f4e4", "libmadang-strict and the command line"),
}
FONT = "Helvetica,Arial,sans-serif"
WIDTH = 52  # letters in a row of file names


def cell(text, **attributes):
    """A cell of a table. The attributes `font...` are those of the text."""
    font = " ".join(f'{name[5:]}="{value}"' for name, value in attributes.items()
                    if name.startswith("font_"))
    frame = " ".join(f'{name}="{value}"' for name, value in attributes.items()
                     if not name.startswith("font_"))
    return f"<td {frame}><font {font}>{text}</font></td>"


def lines_of(names):
    """The names, in lines that are not too long."""
    lines = [[]]
    for name in names:
        if lines[-1] and len("   ".join([*lines[-1], name])) > WIDTH:
            lines.append([])
        lines[-1].append(name)
    return [" &#160; ".join(line) for line in lines]


def box(room, listed):
    """A room: its name, what it is, and its floors. The highest floor is on top."""
    dark, light, _ = LIBRARIES[room.product]
    floors = {}
    for file, (floor, _) in sorted(listed.items()):
        if rooms.room_of(file) == room.name and file.endswith(".c"):
            floors.setdefault(floor, []).append(file.split("/")[1][:-2])
    rows = [cell(f"<b>{room.name}</b>", bgcolor=dark, colspan=2, cellpadding=5,
                 font_color="white", font_point_size=17),
            cell(f"<i>{html.escape(room.subject)}</i>", bgcolor=dark, colspan=2, cellpadding=3,
                 font_color="white", font_point_size=11)]
    for floor in sorted(floors, reverse=True):
        text = "<br align='left'/>".join(lines_of(floors[floor])) + "<br align='left'/>"
        rows.append(cell(str(floor or "&nbsp;"), font_color="#777777", font_point_size=9,
                         valign="top") +
                    cell(text, align="left", balign="left", bgcolor=light,
                         width=6 * len(room.subject), font_color="#222222", font_point_size=11))
    table = "".join(f"<tr>{row}</tr>" for row in rows).replace("point_size", "point-size")
    return (f'"{room.name}" [label=<<table border="1" color="{dark}" cellborder="0" '
            f'cellspacing="0" cellpadding="3" bgcolor="white">{table}</table>>];')


def needed(room, below):
    """Whether an arrow says something that no way along other arrows says."""
    def reaches(start):
        return below in rooms.BELOW[start] or any(reaches(next) for next in rooms.BELOW[start])
    return not any(reaches(other) for other in rooms.BELOW[room] if other != below)


def source(project):
    """The picture in dot's language."""
    listed = house_map.read(project)
    shown = [room for room in rooms.ROOMS
             if any(rooms.room_of(file) == room.name for file in listed)]
    legend = "".join(f'<tr><td bgcolor="{dark}" width="14"></td>'
                     f'<td align="left"><font point-size="11">{name}</font></td></tr>'
                     for dark, _, name in LIBRARIES.values())
    text = ["digraph house {",
            f'graph [rankdir=TB, nodesep=0.45, ranksep=0.55, bgcolor="white", pad=0.3, '
            f'fontname="{FONT}", splines=true];',
            f'node [shape=plain, fontname="{FONT}"];',
            'edge [color="#555555", penwidth=1.6, arrowsize=0.9];']
    text += [box(room, listed) for room in shown]
    text += [f'"{room.name}" -> "{below}";' for room in shown for below in rooms.BELOW[room.name]
             if needed(room.name, below)]
    top = [room.name for room in shown if not any(room.name in rooms.BELOW[other.name]
                                                  for other in shown)]
    text.append("{rank=same; " + "; ".join(f'"{name}"' for name in top) + ";}")
    text.append('legend [label=<<table border="0" cellborder="0" cellspacing="3">'
                f'{legend}<tr><td colspan="2" align="left"><font point-size="11">'
                'An arrow means: calls. Arrows that<br align="left"/>'
                'follow from others are left out.<br align="left"/>'
                'A file calls files on lower floors.<br align="left"/>'
                '</font></td></tr></table>>];')
    text.append("}")
    return "\n".join(text)


def svg(project):
    """The picture as dot draws it."""
    return subprocess.run(["dot", "-Tsvg"], input=source(project), stdout=subprocess.PIPE,
                          check=True, text=True).stdout


def path_of(project):
    """Where the picture lies."""
    return pathlib.Path(project) / "docs/house.svg"


def draw(project):
    """Draws it."""
    path_of(project).write_text(svg(project))


def structure(text):
    """What a picture shows, wherever it stands in the picture: its texts and its arrows."""
    shown = re.findall(r"<text[^>]*>([^<]*)</text>", text)
    arrows = re.findall(r'class="edge">\s*<title>([^<]*)</title>', text)
    return {html.unescape(part).replace("\N{NO-BREAK SPACE}", " ").strip()
            for part in shown + arrows} - {""}


def differences(project):
    """What the picture lacks, and what it should not show."""
    wanted = structure(svg(project))
    path = path_of(project)
    found = structure(path.read_text()) if path.exists() else set()
    return sorted(wanted - found), sorted(found - wanted)
