"""Masks of many images as a folder of COCO files of so many images each; an interrupted run goes on where it was."""

from __future__ import annotations

import hashlib
import json
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from annotator.cli.collect import Produce
from annotator.cli.results import MaskedImage, PartialResults, write_coco
from annotator.errors import AnnotatorError, InvalidImage
from annotator.storage.atomic import SUFFIX
from annotator.words import counted

_RUN = "run"
"""The file of the folder that tells which run its shards are of."""


def collect_shards(paths: Sequence[Path], folder: Path, size: int, run: Mapping[str, object], produce: Produce) -> None:
    """Write the masks of each `size` images into a file of its own, as `collect` would for these images alone.

    The files are 00000.json and so on, by the order of the images. One whose images cannot be read is left out. Raises
    InvalidImage if there are none, AnnotatorError if the folder is of another run or cannot be written.
    """
    shards = _Shards(paths, folder, size, run)
    try:
        produce(shards.missing(), shards.add)
        shards.finish()
    except KeyboardInterrupt:
        print(f"Interrupted. The same command goes on with what is in {folder}.", file=sys.stderr)
        raise
    finally:
        shards.close()
    written = shards.written()
    if not written:
        raise InvalidImage("None of the files could be segmented.")
    print(f"{counted(written, 'file')} of up to {counted(size, 'image')} -> {folder}", file=sys.stderr)


class _Shards:
    """The files of a run. Images come in their order, so one shard at a time is unfinished."""

    def __init__(self, paths: Sequence[Path], folder: Path, size: int, run: Mapping[str, object]) -> None:
        names = [str(path) for path in paths]
        self._files = [folder / f"{number:05}.json" for number in range(-(-len(names) // size))]
        self._shard_of = {name: index // size for index, name in enumerate(names)}
        digest = hashlib.sha256("\0".join(names).encode(errors="surrogateescape")).hexdigest()
        self._run = {**run, "shard_images": size, "images": digest}
        _claim(folder, self._run)
        self._at = -1
        self._results: PartialResults | None = None
        self._next()

    def missing(self) -> list[Path]:
        """The images that have no masks yet, in their order."""
        done = self._results.images if self._results else {}
        return [Path(name) for name, at in self._shard_of.items() if name not in done and not self._files[at].exists()]

    def add(self, image: MaskedImage) -> None:
        """Keep the masks of the next image."""
        while self._at < self._shard_of[image.file]:
            self._next()
        assert self._results is not None
        self._results.add(image)

    def finish(self) -> None:
        """Write the last file: there are no more images."""
        while self._results is not None:
            self._next()

    def close(self) -> None:
        """Keep what the unfinished shard has."""
        if self._results is not None:
            self._results.close()

    def written(self) -> int:
        """How many files are there."""
        return sum(file.exists() for file in self._files)

    def _next(self) -> None:
        """Write the file of this shard, and begin the next one that is not written."""
        if self._results is not None:
            if self._results.images:
                _write(self._files[self._at], self._results)
            self._results.close()
        unwritten = (at for at in range(self._at + 1, len(self._files)) if not self._files[at].exists())
        self._at = next(unwritten, len(self._files))
        self._results = PartialResults(self._files[self._at], self._run) if self._at < len(self._files) else None


def _write(file: Path, results: PartialResults) -> None:
    part = file.with_suffix(SUFFIX)
    write_coco(part, results.images.values())
    os.replace(part, file)
    results.remove()


def _claim(folder: Path, run: Mapping[str, object]) -> None:
    """Make the folder, for this run alone. Raises AnnotatorError if it is of another one or cannot be written."""
    path = folder / _RUN
    try:
        folder.mkdir(exist_ok=True)
        if not path.exists() and not any(folder.glob("*.json*")):
            part = path.with_suffix(SUFFIX)
            part.write_text(json.dumps(run))
            os.replace(part, path)
        same = path.exists() and json.loads(path.read_bytes()) == run
    except ValueError:
        same = False
    except OSError as error:
        raise AnnotatorError(f"{folder} cannot be written ({error.strerror}).") from None
    if not same:
        raise AnnotatorError(
            f"{folder} holds files of a run with other images, another model or other options; "
            "remove it or choose another output."
        )
