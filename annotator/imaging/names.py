"""What a file is called, and how names are compared: the names of uploads, and the file names in other tools' files."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence
from typing import NamedTuple, TypeVar

_MAX_PART = 255
"""Bytes of one name; what the file systems in use allow."""
_MAX_PATH = 1024
"""Bytes of a whole path; what macOS allows, and the least of the systems in use."""
_HEAD = 64
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]+")
_ESCAPES = {"%22": '"', "%0D": "\r", "%0A": "\n"}
_FEW = 16

_Path = tuple[str, ...]
_Key = TypeVar("_Key", str, _Path)


def relative_name(name: str) -> str:
    """A safe name for an image: its path with forward slashes, nothing that leads out, no control characters.

    Everything else stays as it is. Parts of over 255 bytes lose their middle, paths of over 1,024 bytes their first
    folders; the suffix stays. Without anything left, the name is `image`.
    """
    name = _CONTROL.sub(" ", _valid(name))
    parts = [_shortened(part) for part in _parts(name) if part.strip()]
    while len(parts) > 1 and len("/".join(parts).encode()) > _MAX_PATH:
        del parts[0]
    return "/".join(parts) or "image"


def upload_name(name: str) -> str:
    """The `relative_name` of a multipart form's file name, in which browsers write quotes and line breaks as %22 ..."""
    return relative_name(re.sub("%(?:22|0D|0A)", lambda found: _ESCAPES[found[0].upper()], name, flags=re.IGNORECASE))


class Match(NamedTuple):
    """Places of the names that fit best: none, one, or several that fit equally well.

    `whole` says that one of the two paths ends with all of the other, as `images/val/a.png` does with `val/a.png`.
    """

    places: Sequence[int]
    whole: bool


def match_names(wanted: Sequence[str], names: Sequence[str]) -> list[Match]:
    """For each wanted file name, which of `names` it means.

    Separators and Unicode forms do not matter. An equal name is best, then the longest common end of both paths, then
    the same without regard to case. A name that fits one wanted path wholly is not given to another that shares only
    its last parts: `train/1.png` is not `val/1.png` where that is wanted too.
    """
    index = _NameIndex(names)
    matches = [index.find(each) for each in wanted]
    taken = {match.places[0] for match in matches if match.whole and len(match.places) == 1}
    return [match if match.whole else _without(match, taken) for match in matches]


class _NameIndex:
    """Names by themselves and by each end of their paths, so that a search takes as many steps as a path has parts."""

    def __init__(self, names: Sequence[str]) -> None:
        self._equal = _group((name, place) for place, name in enumerate(names))
        paths = [_comparable(name) for name in names]
        folded = [_folded(path) for path in paths]
        self._levels = [_Ends(paths), _Ends(folded)]

    def find(self, wanted: str) -> Match:
        if found := self._equal.get(wanted):
            return Match(found, True)
        path = _comparable(wanted)
        for ends, key in zip(self._levels, (path, _folded(path)), strict=True):
            match = ends.find(key)
            if match.places:
                return match
        return Match((), False)


class _Ends:
    def __init__(self, paths: Sequence[_Path]) -> None:
        self._whole = _group((path, place) for place, path in enumerate(paths))
        self._ends = _group((path[start:], place) for place, path in enumerate(paths) for start in range(len(path)))

    def find(self, wanted: _Path) -> Match:
        """The names with the longest end in common with the wanted one."""
        for start in range(len(wanted)):
            end = wanted[start:]
            if whole := self._whole.get(end):
                return Match(whole, True)
            if found := self._ends.get(end):
                return Match(found, start == 0)
        return Match((), False)


def _group(pairs: Iterable[tuple[_Key, int]]) -> dict[_Key, list[int]]:
    groups: dict[_Key, list[int]] = {}
    for key, place in pairs:
        groups.setdefault(key, []).append(place)
    return groups


def _without(match: Match, taken: set[int]) -> Match:
    if len(match.places) > _FEW:  # hopelessly ambiguous
        return match
    return Match([place for place in match.places if place not in taken], False)


def _comparable(name: str) -> _Path:
    """The parts of a path in Unicode's composed form: macOS decomposes accents, others do not."""
    return tuple(_parts(unicodedata.normalize("NFC", name)))


def _folded(path: _Path) -> _Path:
    return tuple(unicodedata.normalize("NFC", part.casefold()) for part in path)


def _parts(name: str) -> list[str]:
    """The parts of a path of any system, without its drive and without `.` and `..`."""
    parts = name.replace("\\", "/").split("/")
    if len(parts) > 1 and re.fullmatch("[A-Za-z]:", parts[0]):
        del parts[0]
    return [part for part in parts if part not in ("", ".", "..")]


def _valid(name: str) -> str:
    """Text that can be written as UTF-8: halves of surrogate pairs become U+FFFD."""
    return name.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def _shortened(part: str) -> str:
    """Leave out the middle of a long name: its start says what it is, its end holds numbers and the suffix."""
    data = part.encode()
    if len(data) <= _MAX_PART:
        return part
    head = data[:_HEAD].decode(errors="ignore")
    tail = data[len(data) - (_MAX_PART - _HEAD - len("…".encode())) :].decode(errors="ignore")
    return f"{head}…{tail}"
