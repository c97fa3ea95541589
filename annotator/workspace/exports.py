"""Exports that are written in the background, with progress, and wait to be fetched."""

from __future__ import annotations

import errno
import logging
import os
import threading
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO, Literal

from annotator.errors import AnnotatorError, Busy, Cancelled, Conflict, NotFound, StorageFull
from annotator.formats.registry import Format, find_format
from annotator.types import Project
from annotator.workspace.exchange import EVERYTHING, Exchange, Selection
from annotator.workspace.export_file import ExportFile

log = logging.getLogger(__name__)

ExportState = Literal["running", "done", "failed"]

MOST_OF_ONE_USER = 2
"""Exports of one user that are written or wait to be fetched. More end the oldest one that is whole.

One that was cancelled counts until its thread has stopped."""

_MOST = 32
_THREADS = 2
_KEPT_SECONDS = 600.0
_CHUNK = 1 << 20
_CANCELLED = "The export was cancelled."


@dataclass(slots=True)
class Export:
    """One export. `done` of `total` images are written; `error` is a sentence if it failed.

    The file has no name: it is gone when it is closed, and when the process ends.
    """

    id: str
    project_id: int
    user: str
    kind: Format
    file: IO[bytes]
    state: ExportState = "running"
    done: int = 0
    total: int = 0
    size: int = 0
    error: str | None = None
    is_cancelled: bool = False
    has_thread: bool = False
    used_at: float = field(default_factory=time.monotonic)


class Exports:
    """The exports of a process. Their files lie in the data folder, where there is room for the images.

    While more wait than threads are there, the one goes first whose user has the fewest in writing.
    """

    def __init__(self, exchange: Exchange, folder: Path) -> None:
        self._exchange, self._folder = exchange, folder
        self._found: dict[str, Export] = {}
        self._waiting: dict[str, Callable[[], None]] = {}
        self._lock = threading.Lock()
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="export")

    def start(self, project: Project, format_name: str, user: str, selection: Selection = EVERYTHING) -> Export:
        """Begin to write. The arguments are those of `Exchange.export`. Raises `NotFound`, `Busy`, `StorageFull`."""
        kind = find_format(format_name)
        with self._lock:
            self._make_room(user)
            export = Export(uuid.uuid4().hex, project.id, user, kind, _new_file(self._folder))
            self._found[export.id] = export
            self._waiting[export.id] = partial(self._write, export, project, selection)
        self._threads.submit(self._write_next)
        return export

    def find(self, export_id: str) -> Export:
        """An export. Raises `NotFound` for one that was cancelled, or was not asked for in ten minutes."""
        with self._lock:
            self._forget_old()
            export = self._found.get(export_id)
            if export is None or export.is_cancelled:
                raise NotFound("There is no such export.")
            export.used_at = time.monotonic()
            return export

    def cancel(self, export_id: str) -> None:
        """Stop writing, and forget what was written. Raises `NotFound`."""
        export = self.find(export_id)
        with self._lock:
            self._forget(export)

    def content(self, export: Export) -> Iterator[bytes]:
        """The bytes of an export that is done; several may read at once. Raises `Conflict` for any other."""
        if export.state != "done":
            raise Conflict("The export is not written yet.")
        self._check(export)

        def chunks() -> Iterator[bytes]:
            with self._lock:
                self._check(export)
                # Here and not before: if the reader has gone already, nobody runs or closes this. The copy stays open
                # if the export is forgotten meanwhile.
                reader = os.dup(export.file.fileno())
            try:
                at = 0
                while chunk := os.pread(reader, _CHUNK, at):
                    at += len(chunk)
                    export.used_at = time.monotonic()
                    yield chunk
            finally:
                os.close(reader)

        return chunks()

    @staticmethod
    def _check(export: Export) -> None:
        if export.is_cancelled:
            raise NotFound("There is no such export.")

    def close(self) -> None:
        """Stop all of them, without waiting for their threads: the server ends."""
        with self._lock:
            for export in list(self._found.values()):
                self._forget(export)
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _write_next(self) -> None:
        with self._lock:
            if not self._waiting:  # cancelled meanwhile
                return
            writing = Counter(each.user for each in self._found.values() if each.has_thread)
            export = min((self._found[each] for each in self._waiting), key=lambda each: writing[each.user])
            write = self._waiting.pop(export.id)
            export.has_thread = True
        write()

    def _write(self, export: Export, project: Project, selection: Selection) -> None:
        def check() -> None:
            if export.is_cancelled:
                raise Cancelled(_CANCELLED)

        def progress(done: int, total: int) -> None:
            export.done, export.total = done, total

        try:
            file = ExportFile(export.file, self._folder, check)
            self._exchange.export(project, export.kind.name, file, selection, progress, check)
            export.file.flush()
            export.size = os.fstat(export.file.fileno()).st_size
            export.state = "done"
        except Exception as error:
            export.error = _CANCELLED if export.is_cancelled else _sentence(error)
            export.state = "failed"
        finally:
            with self._lock:
                export.has_thread = False
                if export.is_cancelled:
                    self._forget(export)

    def _make_room(self, user: str) -> None:
        self._forget_old()
        own = [each for each in self._found.values() if each.user == user]
        if len(own) >= MOST_OF_ONE_USER:
            whole = [each for each in own if each.state != "running" and not each.has_thread]
            if not whole:
                raise Busy("Two of your exports are being written: wait for one, or cancel it.", retry_after=5)
            self._forget(min(whole, key=lambda each: each.used_at))
        if len(self._found) >= _MOST:
            raise Busy("Many exports are being written; try again in a minute.", retry_after=60)

    def _forget_old(self) -> None:
        for export in list(self._found.values()):
            if export.state != "running" and time.monotonic() - export.used_at > _KEPT_SECONDS:
                self._forget(export)

    def _forget(self, export: Export) -> None:
        export.is_cancelled = True
        if not export.has_thread:
            self._waiting.pop(export.id, None)
            self._found.pop(export.id, None)
            export.file.close()


def _new_file(folder: Path) -> IO[bytes]:
    try:
        return TemporaryFile(dir=folder)
    except OSError as error:
        raise _full(error) from error


def _sentence(error: Exception) -> str:
    if isinstance(error, AnnotatorError):
        return str(error)
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        return str(_full(error))
    log.error("An export could not be written.", exc_info=error)
    return "The export could not be written; the server's log has the details."


def _full(error: OSError) -> StorageFull:
    return StorageFull(f"The export does not fit on the server's disk ({error.strerror}).")
