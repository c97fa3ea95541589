"""Files are there whole or not at all."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from annotator.storage.atomic import write_whole


@pytest.mark.parametrize("durable", [False, True])
def test_a_file_is_written_and_replaced_whole(tmp_path: Path, durable: bool) -> None:
    for data in (b"old", b"new"):
        write_whole(tmp_path / "file", data, durable)
        assert [path.read_bytes() for path in tmp_path.iterdir()] == [data]


def test_a_full_disk_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(OSError, match="No space"):
        write_whole(tmp_path / "file", b"data")
    assert not list(tmp_path.iterdir())


def test_a_durable_file_and_its_name_are_on_the_disk_before_the_call_returns(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[tuple[bool, list[str]]] = []
    sync = os.fsync

    def observe(descriptor: int) -> None:
        is_folder = os.path.samestat(os.fstat(descriptor), tmp_path.stat())
        synced.append((is_folder, [path.name for path in tmp_path.iterdir() if path.suffix != ".tmp"]))
        sync(descriptor)

    monkeypatch.setattr(os, "fsync", observe)
    write_whole(tmp_path / "file", b"data", durable=True)
    assert synced == [(False, []), (True, ["file"])]  # the content before the name, the name before the return
