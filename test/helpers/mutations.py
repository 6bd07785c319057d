"""Damages a recording at random: bytes, files, fields of JSON, YAML and CSV, and columns and cells of tables."""

import csv
import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import pyarrow
import pyarrow.parquet
import yaml

# What a field may hold instead of its value.
VALUES = (
    None,
    -1,
    0,
    0.5,
    1e300,
    float("nan"),
    float("inf"),
    True,
    "",
    "x",
    "1",
    [],
    [None],
    {},
    {"x": 1},
    [[1, 2], [3]],
)


def mutate(folder: Path, random: Random) -> str:
    """Damage one file below `folder`; returns what was done."""
    file = random.choice(sorted(one for one in folder.rglob("*") if one.is_file()))
    by_kind: dict[str, Callable[[Path, Random], str]] = {
        ".json": _json,
        ".jsonl": _lines,
        ".yaml": _yaml,
        ".csv": _csv,
        ".parquet": _table,
    }
    change = by_kind.get(file.suffix, _bytes)
    if random.random() < 0.3:
        change = random.choice([_bytes, _file])
    return f"{file.relative_to(folder)}: {change(file, random)}"


def _bytes(file: Path, random: Random) -> str:
    data = bytearray(file.read_bytes())
    if not data:
        return "nothing"
    at, length = random.randrange(len(data)), random.choice([1, 4, 64, 1000])
    kind = random.choice(["cut", "remove", "zero", "flip", "insert"])
    if kind == "cut":
        data = data[:at]
    elif kind == "remove":
        del data[at : at + length]
    elif kind == "zero":
        data[at : at + length] = bytes(len(data[at : at + length]))
    elif kind == "flip":
        for _ in range(length % 8 + 1):
            data[random.randrange(len(data))] ^= random.randrange(1, 256)
    else:
        data[at:at] = random.randbytes(length)
    file.write_bytes(data)
    return f"{kind} {length} bytes at {at}"


def _file(file: Path, random: Random) -> str:
    kind = random.choice(["remove", "empty", "folder", "rename", "copy"])
    if kind == "remove":
        file.unlink()
    elif kind == "empty":
        file.write_bytes(b"")
    elif kind == "folder":
        file.unlink()
        file.mkdir()
    else:
        other = file.with_stem(random.choice([f"{file.stem}0", "episode_7", "x", file.stem.replace("0", "9")]))
        if not other.exists():
            (shutil.copy if kind == "copy" else shutil.move)(file, other)
    return kind


def _places(value: Any) -> Iterator[tuple[Any, Any]]:
    """(container, key) of every field."""
    items = (
        list(value.items()) if isinstance(value, dict) else list(enumerate(value)) if isinstance(value, list) else []
    )
    for key, inner in items:
        yield value, key
        yield from _places(inner)


def change_field(value: Any, random: Random) -> str:
    """Drop or replace one field of nested mappings and lists."""
    places = list(_places(value))
    if not places:
        return "nothing"
    container, key = random.choice(places)
    kind = random.choice(["drop", "replace", "replace", "wrap", "text"])
    if kind == "drop":
        del container[key]
    elif kind == "replace":
        container[key] = random.choice(VALUES)
    elif kind == "wrap":
        container[key] = [container[key]]
    else:
        container[key] = str(container[key])
    return f"{kind} {key!r}"


def change_array(arrays: dict[str, np.ndarray], random: Random) -> str:
    """Drop or replace one array, or change its shape, type or a value."""
    name = random.choice(sorted(arrays))
    kind = random.choice(["drop", "replace", "shape", "shape", "type", "value", "cut"])
    if kind == "drop":
        del arrays[name]
    elif kind == "replace":
        arrays[name] = np.array(random.choice([one for one in VALUES[:12] if not isinstance(one, dict)]))
    elif kind == "shape":
        arrays[name] = arrays[name].reshape(random.choice([(1, -1), (-1, 1), (-1,), (1, 1, -1)]))
    elif kind == "type":
        arrays[name] = arrays[name].astype(
            random.choice(["S8", "U8", "O"] + ["c16", "f2", "i1", "M8[s]"] * (name != "names"))
        )
    elif kind == "cut":
        arrays[name] = arrays[name][: random.randrange(len(arrays[name]))]
    elif arrays[name].dtype.kind in "fi":
        array = arrays[name] = arrays[name].astype(float)
        array.flat[random.randrange(array.size)] = random.choice([-1, 0.5, 1e300, np.nan, np.inf])
    return f"{kind} {name}"


def _json(file: Path, random: Random) -> str:
    value = json.loads(file.read_text())
    done = change_field(value, random)
    file.write_text(json.dumps(value))
    return done


def _lines(file: Path, random: Random) -> str:
    lines = [json.loads(line) for line in file.read_text().splitlines() if line]
    done = change_field(lines, random)
    file.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return done


def _yaml(file: Path, random: Random) -> str:
    value = yaml.safe_load(file.read_text())
    done = change_field(value, random)
    file.write_text(yaml.safe_dump(value, sort_keys=False))
    return done


def _csv(file: Path, random: Random) -> str:
    rows = list(csv.reader(file.open()))
    row = random.randrange(len(rows))
    kind = random.choice(["drop", "text", "empty", "twice", "nan"])
    column = random.randrange(len(rows[row]))
    if kind == "drop":
        del rows[row][column]
    elif kind == "twice":
        rows[row].append(rows[row][column])
    else:
        rows[row][column] = {"text": "x", "empty": "", "nan": "nan"}[kind]
    with file.open("w", newline="") as out:
        csv.writer(out).writerows(rows)
    return f"{kind} {row}, {column}"


def _table(file: Path, random: Random) -> str:
    table = pyarrow.parquet.ParquetFile(file).read()
    name = random.choice(table.column_names)
    place, values = table.column_names.index(name), table[name].to_pylist()
    kind = random.choice(["drop", "rename", "twice", "cell", "cell", "column", "column", "rows", "swap"])
    other: Any = None
    if kind == "drop":
        table = table.drop_columns([name])
    elif kind == "rename":
        table = table.rename_columns([f"{one}_" if one == name else one for one in table.column_names])
    elif kind == "twice":
        table = table.append_column(name, table[random.choice(table.column_names)])
    elif kind == "rows":
        table = table.slice(random.randrange(table.num_rows), random.randrange(table.num_rows + 1))
    elif kind == "swap":
        other = random.choice(table.column_names)
        table = table.set_column(place, name, table[other])
    else:
        other = random.choice(VALUES)
        rows = [random.randrange(len(values))] if kind == "cell" else range(len(values))
        for row in rows:
            values[row] = random.choice([other, [values[row]], str(values[row])]) if kind == "column" else other
        try:
            table = table.set_column(place, name, pyarrow.array(values))
            pyarrow.parquet.write_table(table, pyarrow.BufferOutputStream())  # structs without fields have no form
        except (pyarrow.ArrowException, TypeError):
            table = table.set_column(place, name, pyarrow.array([str(value) for value in values]))
    pyarrow.parquet.write_table(table, file)
    return f"{kind} `{name}` {other!r}"
