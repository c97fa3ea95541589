"""Changes to valid JSON and its bytes, for `benchmarks.fuzz`."""

from __future__ import annotations

import json
import math
import random
from dataclasses import dataclass
from typing import Any

ODD: tuple[Any, ...] = (
    *(None, True, False, 0, -1, 1, 2, 3, 40, 2**31, 2**63, 2**64, -(2**64), 10**400, 1.0, 0.5, 1e308, -0.0),
    *(math.nan, math.inf, -math.inf, "", "0", "1", " ", "a.png", "b.jpg", "x" * 300, "x\ud83d", "a\u00a0b", "\u200d"),
    *("\n", "\0", "{which}", "..\\a.png", "P" * 50, "0" * 50, "oooooo_", [], {}, [[]], [{}], {"a": {}}, [0], [1] * 40),
)
"""Values that any field may be given."""


@dataclass
class _Place:
    """Where a value stands: `holder[key]`."""

    holder: Any
    key: Any


def _places(value: Any) -> list[_Place]:
    found: list[_Place] = []
    stack = [value]
    while stack:
        holder = stack.pop()
        keys = list(holder) if isinstance(holder, dict) else range(len(holder)) if isinstance(holder, list) else ()
        found += [_Place(holder, key) for key in keys]
        stack += [holder[key] for key in keys]
    return found


def mutate(document: Any, rng: random.Random, odd: tuple[Any, ...] = ODD) -> None:
    """One change to a list or dictionary, in place; none if it is empty."""
    places = _places(document)
    if not places:
        return
    # As often near the root, where few values are, as in the leaves.
    place = rng.choice(places) if rng.random() < 0.7 else rng.choice(places[: len(places) // 8 + 1])
    holder, key = place.holder, place.key
    kind = rng.randrange(7)
    if kind == 0:
        del holder[key]
    elif kind == 1 and isinstance(holder, list):
        holder.insert(rng.randrange(len(holder) + 1), json.loads(json.dumps(holder[key])))
    elif kind == 2:
        other = rng.choice(places)
        holder[key] = json.loads(json.dumps(other.holder[other.key]))
    elif kind == 3:
        holder[key] = [holder[key]] if rng.random() < 0.7 else {"segmentation": holder[key], "size": holder[key]}
    elif kind == 4 and isinstance(holder[key], str):
        text = holder[key]
        at = rng.randrange(len(text) + 1)
        holder[key] = (
            text[:at] + rng.choice(("", "\u0301", "\ud83d", "\u00a0", "/", "\\", "0", "o", "~", "P")) + text[at + 1 :]
        )
    elif kind == 5 and isinstance(holder[key], int | float):
        holder[key] = rng.choice((-holder[key], holder[key] + 1, float(holder[key] % 2**64), str(holder[key] % 2**64)))
    else:
        holder[key] = json.loads(json.dumps(rng.choice(odd)))


def damage(data: bytes, rng: random.Random) -> bytes:
    """JSON after one change of its bytes."""
    at, end = rng.randrange(len(data)), rng.randrange(len(data))
    return rng.choice(
        (
            data[:at],
            data[:at] + bytes([rng.randrange(256)]) + data[at + 1 :],
            data[:at] + data[end:],
            data[:at] + b"[" * rng.choice((1, 2000)) + data[at:],
            data[:at] + b"9" * rng.choice((3, 5000)) + data[at:],
            data[:-1] + b', "images": [], "annotations": {}}',
            b"\xef\xbb\xbf" + data,
            data.decode("utf-8", "surrogatepass").encode("utf-16", "surrogatepass"),
            data.replace(b"name", b"id"),
        )
    )
