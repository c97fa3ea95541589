"""What could not be used of a file, as one sentence a kind, however many entries there are."""

from __future__ import annotations

import re
from collections import Counter
from typing import NamedTuple

_MAX_NAMED = 5
_MAX_NAME = 100
_MAX_DETAIL = 300
_UNPRINTABLE = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")


class Problem(NamedTuple):
    """A kind of problem as two sentences: of one entry, "{which}", and of several, "{count}" of them.

    `is_used` says that the entry was used all the same.
    """

    one: str
    many: str
    is_used: bool = False


NOT_HERE = Problem(
    "{which} is not an image of this project.", "{count} images of the file are not in this project: {which}."
)
AMBIGUOUS = Problem(
    "{which} may mean several images of this project.",
    "{count} images of the file may each mean several images of this project: {which}.",
)
OTHER_SIZE = Problem("{which} has another size here.", "{count} images have another size here: {which}.")
"""What becomes of images that a file names. Several formats say so."""


class Problems:
    """Counts problems of each kind and names the first few entries that have them, or as many as `named` says."""

    def __init__(self, named: int = _MAX_NAMED) -> None:
        self._named = named
        self._counts: Counter[Problem] = Counter()
        self._entries: dict[Problem, list[str]] = {}
        self._details: dict[Problem, str] = {}

    def add(self, problem: Problem, entry: object = "", detail: str = "") -> None:
        """Count an entry. `detail` is a sentence about it; the first one of each kind is kept."""
        self._counts[problem] += 1
        entries = self._entries.setdefault(problem, [])
        if len(entries) < self._named and (name := printable(entry)) not in entries:
            entries.append(name)
        if detail:
            self._details.setdefault(problem, printable(detail, _MAX_DETAIL))

    def add_many(self, problem: Problem, count: int) -> None:
        """Count several entries at once, without naming them."""
        if count:
            self._counts[problem] += count
            self._entries.setdefault(problem, [""])

    def sentences(self) -> list[str]:
        """One text a kind, in the order in which the kinds were met. Every one can be written as UTF-8."""
        return [self._sentence(problem, count) for problem, count in self._counts.items()]

    def lines(self) -> list[tuple[Problem, str]]:
        """A sentence for each entry that is named, and one for each kind whose entries are not."""
        found = []
        for problem, count in self._counts.items():
            named = [problem.one.format(which=name) for name in self._entries[problem] if name]
            found += [(problem, line) for line in named or [self._sentence(problem, count)]]
        return found

    def _sentence(self, problem: Problem, count: int) -> str:
        entries, detail = self._entries[problem], self._details.get(problem, "")
        if count == 1:
            return f"{problem.one.format(which=entries[0])} {detail}".strip()
        more = f" and {count - len(entries):,} more" if count > len(entries) else ""
        text = problem.many.format(count=f"{count:,}", which=", ".join(entries) + more)
        return f"{text} The first: {detail}" if detail else text


def printable(value: object, length: int = _MAX_NAME) -> str:
    """A JSON value as a text on one line, of at most `length` characters, that can be written as UTF-8."""
    text = type(value).__name__ if isinstance(value, list | dict) else str(value)
    text = _UNPRINTABLE.sub("\N{REPLACEMENT CHARACTER}", text[: length + 1])
    return text if len(text) <= length else f"{text[: length - 1]}…"
