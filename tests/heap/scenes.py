# SPDX-License-Identifier: MIT
"""
scenes - each public function that changes a heap or a map is cut off by a death in some test.

    scenes.py INCLUDE TESTS     the directory of the headers, and that of the tests of the heap
    scenes.py notice INCLUDE TESTS

A test of deaths takes a process through an operation from step_begins to step_ends, and ends it at
each store. This program reads the sources of these tests. It finds what is called between the two
marks: at once, through functions of the same test, and through the tables of scenes, from whose
rows the operation is called by a pointer. A public function that is not among them has to be in
LOOKS below, with the reason. `notice` shows that a function without a scene is found.
"""
import glob
import os
import re
import sys

HEADERS = ("heap.h", "map.h")

# Functions without a scene: those that change nothing in shared memory.
LOOKS = {
    "mdg_alloc_tag": "a number in the memory of the thread",
    "mdg_heap_home": "computes an address",
    "mdg_heap_next": "reads",
    "mdg_heap_next_user": "reads",
    "mdg_heap_stat": "reads",
    "mdg_heap_why": "reads the memory of the thread",
    "mdg_map_close": "unmaps the handle, which is memory of the process",
    "mdg_map_count": "reads",
    "mdg_map_get": "reads, in a read section; those have a scene",
    "mdg_map_next": "reads",
    "mdg_map_see": "reads",
    "mdg_root_next": "reads",
    "mdg_usable_size": "reads",
}

# The files of a test, by the file that has the marks. Other tests are one file.
PARTS = {"deaths.c": ("deaths.c", "deaths_scenes.c", "deaths_txn.c")}


def read(path):
    with open(path, encoding="utf-8") as file:
        return file.read()


def without_comments(text):
    return re.sub(r"/\*.*?\*/|//[^\n]*", " ", text, flags=re.S)


def public_functions(text):
    text = without_comments(text)
    return set(re.findall(r"\bMDG_API\b[^;]*?\b(mdg_\w+)\(", text, flags=re.S))


class Test:
    """The functions and the tables of one test."""

    def __init__(self, text):
        text = without_comments(text)
        self.bodies = dict(re.findall(r"^\w[^\n;{}()]*?\b(\w+)\([^;{}]*\)\n\{\n(.*?)^\}", text,
                                      flags=re.S | re.M))
        self.rows = []  # of tables of scenes: field -> what stands there
        for fields, rows in self.tables(text):
            for row in re.findall(r'\{\s*("[^{}]*)\}', rows, flags=re.S):
                self.rows.append(dict(zip(fields, (cell.strip() for cell in row.split(",")))))

    @staticmethod
    def tables(text):
        """The names of the fields of each structure that has rows, and its rows."""
        kinds = {}
        for name, body in re.findall(r"\bstruct (\w+) \{\n(.*?)^\}", text, flags=re.S | re.M):
            kinds[name] = [re.findall(r"(\w+)\)?(?:[([].*)?$", declarator.strip())[0]
                           for line in body.split(";") if line.strip()
                           for declarator in Test.declarators(line)]
        for name, rows in re.findall(r"\bstruct (\w+)(?: \{\n[^=]*?^\})? \w+\[\] = \{(.*?)^\};",
                                     text, flags=re.S | re.M):
            if name in kinds:
                yield kinds[name], rows

    @staticmethod
    def declarators(line):
        return [line] if "(" in line else line.split(",")

    def stepped(self):
        """What stands between the marks."""
        for body in self.bodies.values():
            yield from re.findall(r"\bstep_begins\(\);(.*?)\bstep_ends\(\);", body, flags=re.S)

    def called(self):
        """All functions that the stepped parts call, directly or not."""
        seen, open_ = set(), list(self.stepped())
        while open_:
            text = open_.pop()
            names = set(re.findall(r"(?<![>.])\b([a-z_]\w*)\(", text))
            for field in re.findall(r"(?:->|\.)(\w+)\(", text):
                names |= {row[field] for row in self.rows if field in row}
            open_ += [self.bodies[name] for name in names - seen if name in self.bodies]
            seen |= names
        return seen


def tests_of(directory):
    for path in sorted(glob.glob(os.path.join(directory, "*.c"))):
        if "step_begins();" in read(path):
            files = PARTS.get(os.path.basename(path), (os.path.basename(path),))
            yield "".join(read(os.path.join(directory, header)) for header in ("deaths.h",)
                          if len(files) > 1) + \
                "".join(read(os.path.join(directory, name)) for name in files)


def findings(public, called):
    for name in sorted(public - called - LOOKS.keys()):
        yield f"{name} has no scene: no test cuts it off by a death"
    for name in sorted(LOOKS.keys() - public):
        yield f"{name} is in the list of scenes.py, and in no header"


def main():
    arguments = sys.argv[1:]
    notice = arguments[:1] == ["notice"]
    include, directory = arguments[1:] if notice else arguments
    public = public_functions("".join(read(os.path.join(include, header)) for header in HEADERS))
    texts = list(tests_of(directory))
    called = set().union(*(Test(text).called() for text in texts))
    if not notice:
        said = list(findings(public, called))
        print("\n".join(said) or f"{len(public & called)} functions have scenes, "
              f"{len(LOOKS)} change nothing")
        return 1 if said else 0
    # A function that no test knows; and one whose only row was taken out of the table.
    new = public_functions("MDG_API int mdg_new(mdg_heap *heap,\n    int way); /* mdg_old() */\n")
    assert new == {"mdg_new"}, new
    assert any("mdg_new has no" in finding for finding in findings(public | new, called))
    for call, row in (("mdg_heap_limit", '{ "limit",'), ("mdg_map_intern", '{ "intern",')):
        fewer = [re.sub(re.escape(row) + r"[^}]*\},", "", text) for text in texts]
        assert fewer != texts and call in called
        assert call not in set().union(*(Test(text).called() for text in fewer)), call
    return 0


if __name__ == "__main__":
    sys.exit(main())
