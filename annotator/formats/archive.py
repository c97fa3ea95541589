"""Zip files: written so that the same content gives the same bytes, read at a bounded cost."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO

from annotator.errors import InvalidRequest
from annotator.formats.deadline import Deadline
from annotator.imaging.names import relative_name

MAX_ENTRIES = 200_000
MAX_ENTRY_BYTES = 256 << 20
MAX_TOTAL_BYTES = 8 << 30

_NOT_A_ZIP = "This file is not a zip archive that can be read: it is damaged, or cut short."
_STORED = (".png", ".jpg", ".jpeg", ".webp")
"""Files that are compressed already."""

_ENTRY = b"PK\x01\x02"
"""Begins what a zip's directory says of a file."""


class ArchiveWriter:
    """Adds files to a zip. Times and modes are always the same."""

    def __init__(self, archive: zipfile.ZipFile) -> None:
        self._archive = archive

    def add(self, name: str, content: bytes | str) -> None:
        """Add a file. Its name is a relative path with forward slashes."""
        entry = zipfile.ZipInfo(name)  # its date is 1980-01-01
        entry.create_system, entry.external_attr = 3, 0o644 << 16  # as on Unix, wherever it runs
        stored = name.lower().endswith(_STORED)
        entry.compress_type = zipfile.ZIP_STORED if stored else zipfile.ZIP_DEFLATED
        self._archive.writestr(entry, content)


@contextmanager
def writing(stream: IO[bytes]) -> Iterator[ArchiveWriter]:
    """A zip that is written into a stream, entry by entry; the stream is left at its end."""
    with zipfile.ZipFile(stream, "w", allowZip64=True) as archive:
        yield ArchiveWriter(archive)


def is_zip(data: bytes) -> bool:
    """Whether this may be a zip file."""
    return data[:4] in (b"PK\x03\x04", b"PK\x05\x06")


def parsed_bytes(data: bytes) -> int:
    """How many bytes have to be parsed to read this file; those of a zip's files unpacked. Raises as `Archive` does."""
    return Archive(data).parsed_bytes if is_zip(data) else len(data)


class Archive:
    """The files of a zip that a stranger made.

    Nothing is unpacked to the disk. Raises `InvalidRequest` for a damaged file, and for one that is too large unpacked
    or takes too long; `MAX_TOTAL_BYTES` counts what was really read.
    """

    def __init__(self, data: bytes) -> None:
        if (count := data.count(_ENTRY)) > MAX_ENTRIES:  # before there is a value in memory for each
            raise InvalidRequest(f"The archive has {count:,} files: split it.")
        try:
            self._archive = zipfile.ZipFile(io.BytesIO(data))
        except Exception:  # as below
            raise InvalidRequest(_NOT_A_ZIP) from None
        entries = [entry for entry in self._archive.infolist() if not entry.is_dir()]
        named = {relative_name(entry.filename): entry for entry in entries}
        self._entries = {name: entry for name, entry in named.items() if not _is_hidden(name)}
        self._left = MAX_TOTAL_BYTES
        self.deadline = Deadline()

    @property
    def parsed_bytes(self) -> int:
        """Bytes of all texts, and of the largest picture: those are read one by one. `read` gives no more than this."""
        sizes = {name: min(entry.file_size, MAX_ENTRY_BYTES) for name, entry in self._entries.items()}
        pictures = [size for name, size in sizes.items() if name.lower().endswith(_STORED)]
        return sum(sizes.values()) - sum(pictures) + max(pictures, default=0)

    def names(self, suffix: str = "") -> list[str]:
        """The paths of the files with this suffix, in alphabetical order, safe and with forward slashes."""
        return sorted(name for name in self._entries if name.lower().endswith(suffix))

    def read(self, name: str) -> bytes:
        """The content of a file. Raises `KeyError` for a name that is not among `names`."""
        self.deadline.check()
        entry = self._entries[name]
        try:
            with self._archive.open(entry) as file:
                data = file.read(min(MAX_ENTRY_BYTES, self._left) + 1)
        except Exception:  # zipfile and its decoders raise many kinds for damaged files
            raise InvalidRequest(f"{name!r:.100} in the archive is damaged, or of an unknown kind.") from None
        self._left -= len(data)
        if len(data) > MAX_ENTRY_BYTES or self._left < 0:
            raise InvalidRequest(f"{name!r:.100} in the archive is too large: split the archive.")
        return data


def _is_hidden(name: str) -> bool:
    """Whether this is a leftover of macOS or of an editor."""
    return any(part.startswith((".", "__MACOSX")) for part in name.split("/"))
