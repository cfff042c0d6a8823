#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
#
# json_check - whether JSON of the tool has the shape that docs/json has for the command.
#
#     json_check DIRECTORY FILE.COMMAND...    each file is what `madang COMMAND --json` printed
#     json_check DIRECTORY --strict           the schemas forbid what they do not name, and docs/json.md
#                                             names every field of theirs and no other
#
# Exit 77: there is no python3-jsonschema.
import json
import os
import re
import sys

try:
    import jsonschema
except ImportError:
    print("skipped: there is no python3-jsonschema")
    sys.exit(77)


def schema_of(directory, command):
    with open(os.path.join(directory, command + ".schema.json"), encoding="utf-8") as file:
        return json.load(file)


def check_file(directory, path):
    with open(path, encoding="utf-8") as file:
        text = file.read()
    if not text:  # the command has failed before it printed anything
        return True
    command = path.rsplit(".", 1)[1]
    schema = schema_of(directory, command)
    validator = jsonschema.Draft202012Validator(schema)
    errors = list(validator.iter_errors(json.loads(text)))
    for error in errors:
        where = "/".join(str(part) for part in error.absolute_path)
        print(f"madang {command} --json, at /{where}: {error.message}")
        for inner in error.context or []:
            print(f"  {inner.message}")
    if errors:
        print(f"  {directory}/{command}.schema.json and docs/json.md describe what may be there.")
    return not errors


def objects_of(schema):
    """All schemas of objects in a schema."""
    if isinstance(schema, dict):
        if "properties" in schema:
            yield schema
        for value in schema.values():
            yield from objects_of(value)
    elif isinstance(schema, list):
        for value in schema:
            yield from objects_of(value)


def check_strict(directory):
    good = True
    with open(directory.rstrip("/") + ".md", encoding="utf-8") as file:
        sections = re.split(r"^## ", file.read(), flags=re.M)
    names = sorted(name for name in os.listdir(directory) if name.endswith(".schema.json"))
    for name in names:
        command = name.split(".", 1)[0]
        schema = schema_of(directory, command)
        jsonschema.Draft202012Validator.check_schema(schema)
        fields = set()
        for one in objects_of(schema):
            fields |= set(one["properties"])
            if one.get("additionalProperties") is not False:
                print(f"{name}: an object may have fields that are not described: {one}")
                good = False
            for field, what in one["properties"].items():
                if "description" not in what:
                    print(f"{name}: {field} has no description")
                    good = False
        section = [text for text in sections if text.startswith(f"madang {command}\n")]
        rows = re.findall(r"^\| `([a-z_.\[\]]+)`", "".join(section), flags=re.M)
        told = {row.replace("[]", "").rsplit(".", 1)[-1] for row in rows}
        for field in sorted(fields ^ told):
            print(f"{command}: {field} is in {'the schema' if field in fields else 'docs/json.md'} only")
            good = False
    return good and bool(names)


def main():
    directory, files = sys.argv[1], sys.argv[2:]
    if files == ["--strict"]:
        sys.exit(0 if check_strict(directory) else 1)
    results = [check_file(directory, path) for path in files if os.path.exists(path)]
    sys.exit(0 if all(results) else 1)


main()
