"""Damaged files: a seeded share of `python -m benchmarks.fuzz images`. Odd names: what holds for every one."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as some

from annotator.imaging.containers import strip
from annotator.imaging.names import match_names, relative_name, upload_name
from annotator.imaging.tiff import read_directory
from benchmarks.fuzz import HANG_S, TARGETS, Report, Target, run_case
from tests.data.pictures import every_kind


def test_damaged_images_are_decoded_or_refused_in_one_sentence() -> None:
    report = Report()
    for number in range(600):
        report.add(number, *run_case(TARGETS["images"], 7, number))
    assert not report.crashes
    assert not report.hangs
    assert min(report.outcomes["decoded"], report.outcomes["refused"]) > 50


def test_the_harness_notices_what_goes_wrong() -> None:
    def fail(_: bytes) -> str:
        raise KeyError("odd")

    outcome, error, _ = run_case(Target(lambda rng: rng.randbytes(3), fail), 1, 2)
    assert outcome == "crash"
    assert error.startswith("KeyError 'odd'")
    report = Report()
    report.add(2, outcome, error, HANG_S + 1)
    assert report.bad
    assert report.crashes and report.hangs


@pytest.mark.parametrize("kind", ["jpeg exif", "jpeg further pictures", "png text exif", "webp exif"])
def test_files_cut_anywhere_are_walked_to_their_end(kind: str) -> None:
    data = every_kind()[kind]
    for end in range(len(data)):
        stripped = strip(data[:end])
        assert len(stripped.data) <= end
        assert strip(stripped.data).data == stripped.data


@given(some.binary(max_size=200), some.sampled_from([b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"]))
def test_any_bytes_are_a_directory_or_none(data: bytes, head: bytes) -> None:
    directory = read_directory(head + data)
    if directory is not None:
        assert 1 <= directory.orientation[0] <= 8
        for tag in directory.entries:
            assert len(directory.numbers(tag)) <= len(data)


ANY_TEXT = some.text(some.characters(), max_size=400) | some.text(some.sampled_from("aé./\\:%2 \0\ud83d"), max_size=40)


@given(ANY_TEXT)
def test_any_name_becomes_one_that_can_be_kept(name: str) -> None:
    for kept in (relative_name(name), upload_name(name)):
        assert relative_name(kept) == kept
        assert kept and len(kept.encode()) <= 1024
        assert not {"", ".", ".."} & set(kept.split("/"))
        assert all(len(part.encode()) <= 255 for part in kept.split("/"))
        assert kept.isprintable() or not any(ord(letter) < 32 for letter in kept)


@given(some.lists(ANY_TEXT, max_size=6), some.lists(ANY_TEXT, max_size=6))
def test_a_name_always_means_itself(wanted: list[str], names: list[str]) -> None:
    for name, match in zip(wanted + names, match_names(wanted + names, names), strict=True):
        assert all(0 <= place < len(names) for place in match.places)
        if name in names:
            assert {names[place] for place in match.places} == {name}
