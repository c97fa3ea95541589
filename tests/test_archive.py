"""Zip files of strangers at a bounded cost, and names that every file system takes."""

from __future__ import annotations

import io
import zipfile

import pytest

from annotator.errors import InvalidRequest
from annotator.formats import archive as archives
from annotator.formats import deadline
from annotator.formats.archive import Archive
from annotator.formats.file_names import stems
from annotator.formats.registry import detect_format, find_format
from annotator.formats.subsets import by_chance, by_folder
from annotator.types import ImageRecord


def zipped(files: dict[str, bytes], compression: int = zipfile.ZIP_DEFLATED) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", compression) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return stream.getvalue()


def images(*names: str) -> list[ImageRecord]:
    return [ImageRecord(str(number), 1, name, "", "", 9, 8) for number, name in enumerate(names)]


def test_paths_that_lead_out_are_read_as_paths_inside() -> None:
    archive = Archive(zipped({"../../etc/a.txt": b"x", "/b.txt": b"y", "C:\\c\\d.TXT": b"z", "__MACOSX/._e.txt": b""}))
    assert archive.names(".txt") == ["b.txt", "c/d.TXT", "etc/a.txt"]
    assert archive.read("etc/a.txt") == b"x"


@pytest.mark.parametrize(
    "data",
    [b"PK\x03\x04", b"PK\x05\x06", zipped({"a": b"1" * 999})[:-30]],
    ids=["the first bytes", "the last bytes", "all but the end"],
)
def test_a_damaged_archive_is_one_sentence(data: bytes) -> None:
    with pytest.raises(InvalidRequest, match=r"not a zip archive that can be read"):
        detect_format(data)


def test_a_damaged_or_encrypted_file_is_named() -> None:
    data = bytearray(zipped({"a.txt": b"1" * 99}, zipfile.ZIP_STORED))
    data[40] ^= 1
    with pytest.raises(InvalidRequest, match=r"'a\.txt' in the archive is damaged"):
        Archive(bytes(data)).read("a.txt")
    data[6] |= 1  # in the local header; the flag of the directory counts
    data[data.index(b"PK\x01\x02") + 8] |= 1
    with pytest.raises(InvalidRequest, match="damaged, or of an unknown kind"):
        Archive(bytes(data)).read("a.txt")


def test_bombs_are_refused_before_they_fill_the_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    data = zipped({"a.txt": bytes(5000), "b.txt": bytes(900), "c.txt": bytes(900)})
    monkeypatch.setattr(archives, "MAX_ENTRY_BYTES", 1000)
    monkeypatch.setattr(archives, "MAX_TOTAL_BYTES", 1500)
    with pytest.raises(InvalidRequest, match=r"a\.txt.*too large"):
        Archive(data).read("a.txt")
    archive = Archive(data)
    archive.read("b.txt")
    with pytest.raises(InvalidRequest, match=r"c\.txt.*too large"):
        archive.read("c.txt")
    monkeypatch.setattr(archives, "MAX_ENTRIES", 2)
    with pytest.raises(InvalidRequest, match="3 files"):
        Archive(data)
    monkeypatch.setattr(deadline, "MAX_SECONDS", -1)
    with pytest.raises(InvalidRequest, match="too long"):
        Archive(zipped({"a.txt": b""})).read("a.txt")


def test_an_archive_of_something_else_says_what_can_be_read() -> None:
    with pytest.raises(InvalidRequest, match=r"no files of a known format; .*coco.*yolo-seg"):
        detect_format(zipped({"a.doc": b""}))


def test_images_of_one_name_get_files_of_their_own_whatever_their_order() -> None:
    names = ["a/img.jpg", "b/img.jpg", "a/IMG.png", "a/img.png", "caf\u00e9.jpg", "cafe\u0301.png", "a/img-2.jpg"]
    found = stems(images(*names))
    by_name = {name: found[str(number)] for number, name in enumerate(names)}
    assert by_name["a/img.jpg"] != by_name["a/IMG.png"] and by_name["b/img.jpg"] == "b/img"
    assert len({stem.casefold() for stem in by_name.values()}) == len(names)
    backwards = stems(images(*reversed(names)))
    assert {name: backwards[str(number)] for number, name in enumerate(reversed(names))} == by_name


def test_names_that_windows_cannot_have_are_changed() -> None:
    names = ["a:b?/c*.jpg", "con/nul.tar.png", "x. /y .jpg", ".jpg", "é" * 120 + ".jpg"]
    found = stems(images(*names))
    assert [found[str(number)] for number in range(4)] == ["a_b_/c_", "con_/nul.tar_", "x/y", ".jpg"]
    assert len(found["4"].encode()) == 200, "there is room for a number and a suffix"


def test_folders_tell_the_subset() -> None:
    names = ["train/1.jpg", "x/Val/2.jpg", "valid/3.jpg", "test/train/4.jpg", "5.jpg", "val.jpg"]
    assert list(by_folder(images(*names)).values()) == ["train", "val", "val", "test", "train", "train"]


def test_chance_follows_from_the_seed_and_the_names_and_takes_the_share() -> None:
    all_images = images(*(f"{number}.jpg" for number in range(40)))
    chosen = by_chance(all_images, 0.2, 1)
    assert sum(subset == "val" for subset in chosen.values()) == 8
    assert by_chance(all_images[::-1], 0.2, 1) == chosen != by_chance(all_images, 0.2, 2)
    assert set(by_chance(all_images, 0, 1).values()) == {"train"} and by_chance([], 0.5, 1) == {}


@pytest.mark.parametrize("name", ["masks", "png"])
def test_an_empty_archive_is_one_sentence(name: str) -> None:
    read = find_format(name).read
    assert read is not None
    with pytest.raises(InvalidRequest, match=r"no objects\.json"):
        read(zipped({}), images())
