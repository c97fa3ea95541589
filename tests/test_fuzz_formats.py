"""Damaged files of every format: a clear error or what can be used, never a crash."""

from __future__ import annotations

import io
import json
import random
import zipfile
from contextlib import suppress
from typing import Any

import pytest

from annotator.errors import AnnotatorError
from annotator.formats.registry import all_formats, find_format
from tests.datasets import IMAGES, dataset
from tests.test_archive import zipped

ODD = [
    None,
    True,
    -1,
    0,
    2**70,
    1.5,
    float("nan"),
    "",
    "x",
    "\ud800",
    "🦊" * 99,
    [],
    {},
    [[]],
    [1, 2],
    [None],
    {"a": 1},
]


def mutated(value: Any, rng: random.Random) -> Any:
    if rng.random() < 0.02:
        return rng.choice(ODD)
    if isinstance(value, dict):
        return {key: mutated(each, rng) for key, each in value.items()}
    return [mutated(each, rng) for each in value] if isinstance(value, list) else value


def damaged(data: bytes, rng: random.Random) -> bytes:
    changed = bytearray(data)
    for _ in range(rng.choice((1, 3, 10)) if data else 0):
        changed[rng.randrange(len(changed))] = rng.randrange(256)
    return bytes(changed)


def broken(data: bytes, rng: random.Random) -> bytes:
    """Bytes changed; or values of JSON files, and bytes of the others, of an archive."""
    if rng.random() < 0.4 or data[:1] == b"<":
        return damaged(data, rng)
    if data[:1] == b"{":
        return json.dumps(mutated(json.loads(data), rng)).encode()
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    for name, content in files.items():
        if name.endswith(".json"):
            files[name] = json.dumps(mutated(json.loads(content), rng)).encode()
        elif rng.random() < 0.4:
            files[name] = damaged(content, rng)
    return zipped(files)


@pytest.mark.parametrize("name", [name for name, kind in all_formats().items() if kind.reads])
def test_a_damaged_file_is_a_clear_error_or_gives_what_can_be_used(name: str) -> None:
    kind, stream, rng = find_format(name), io.BytesIO(), random.Random(0)
    kind.write(dataset(), stream)
    assert kind.read is not None
    for _ in range(6):
        with suppress(AnnotatorError):
            found = kind.read(broken(stream.getvalue(), rng), IMAGES)
            assert all(len(sentence) < 800 for sentence in found.problems.sentences())
