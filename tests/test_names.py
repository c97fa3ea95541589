"""What files are called, and which image of a project a file name means."""

from __future__ import annotations

import unicodedata

import pytest

from annotator.imaging.names import match_names, relative_name, upload_name


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("photo.jpg", "photo.jpg"),
        ("shot 12:30:45.png", "shot 12:30:45.png"),
        ("batch:7/left.png", "batch:7/left.png"),
        ("C:photo.png", "C:photo.png"),
        ("50% off %22.png", "50% off %22.png"),
        (" \"a\" <b> & 'c'|?*.png", " \"a\" <b> & 'c'|?*.png"),
        ("می‌خواهم ‏ 👩‍👧.png", "می‌خواهم ‏ 👩‍👧.png"),
        ("a/./b//../c.png", "a/b/c.png"),
        ("../../etc/passwd", "etc/passwd"),
        ("/abs/a.png", "abs/a.png"),
        ("C:\\fakepath\\a.png", "fakepath/a.png"),
        ("val\\a.png", "val/a.png"),
        ("a\r\n\0b\x1b.png", "a b .png"),
        ("\ud83d\ude00\ud83d.png", "😀\ufffd.png"),
        ("", "image"),
        ("..", "image"),
        (" / /", "image"),
        ("C:", "C:"),
    ],
)
def test_a_name_stays_what_it_is_but_leads_nowhere(given: str, kept: str) -> None:
    assert relative_name(given) == kept
    assert relative_name(kept) == kept


@pytest.mark.parametrize("letter", ["x", "ü", "写", "😀"])
def test_a_long_name_keeps_its_start_its_end_and_its_suffix(letter: str) -> None:
    name = relative_name("IMG_" + letter * 400 + "_0042.jpeg")
    assert name.startswith("IMG_" + letter)
    assert name.endswith(letter + "_0042.jpeg")
    assert 240 < len(name.encode()) <= 255
    assert relative_name(name) == name
    exact = "x" * 251 + ".png"
    assert relative_name(exact) == exact


def test_a_long_path_keeps_its_last_folders() -> None:
    parts = [f"folder {number}" for number in range(300)] + ["a.png"]
    name = relative_name("/".join(parts))
    assert len(name.encode()) <= 1024
    assert name == "/".join(parts[-name.count("/") - 1 :])


def test_quotes_of_a_form_are_quotes() -> None:
    assert upload_name("the %22best%22 100%25.png") == 'the "best" 100%25.png'
    assert upload_name("a%0d%0Ab.png") == "a b.png"


def found(wanted: str, *names: str) -> list[str]:
    """The names that a wanted one means."""
    return [names[place] for place in match_names([wanted], names)[0].places]


NFC, NFD = unicodedata.normalize("NFC", "Brücke.png"), unicodedata.normalize("NFD", "Brücke.png")


@pytest.mark.parametrize(
    ("wanted", "name"),
    [
        ("a.png", "a.png"),
        ("val\\a.png", "val/a.png"),
        ("./val/a.png", "val/a.png"),
        ("/data/val/a.png", "val/a.png"),
        ("C:\\data\\val\\a.png", "val/a.png"),
        ("images/val/a.png", "val/a.png"),
        ("a.png", "images/val/a.png"),
        ("old/a.png", "new/a.png"),
        ("A.PNG", "a.png"),
        ("Val/A.PNG", "val/a.png"),
        (NFC, NFD),
        (NFD, NFC),
        (NFD.upper(), NFC),
        ("STRASSE.png", "straße.png"),
        ("", ""),
    ],
)
def test_a_file_name_means_an_image_whatever_wrote_it(wanted: str, name: str) -> None:
    assert found(wanted, "other.png", name, "b/other.png") == [name]


@pytest.mark.parametrize("name", ["b.png", "a.jpg", "xa.png", "a.png/b.png", ""])
def test_another_name_means_nothing(name: str) -> None:
    assert found("a.png", name) == []


def test_the_best_of_several_is_meant() -> None:
    assert found("a.png", "x/a.png", "a.png", "A.png") == ["a.png"]
    assert found("A.png", "a.png", "x/A.png") == ["x/A.png"]
    assert found("x/val/a.png", "a.png", "val/a.png", "train/a.png") == ["val/a.png"]
    assert found("x/val/a.png", "y/val/a.png", "a.png") == ["y/val/a.png"]
    assert found(NFC, NFD, NFC) == [NFC]


def test_what_is_ambiguous_names_all_that_fit() -> None:
    assert found("a.png", "x/a.png", "y/a.png", "b.png") == ["x/a.png", "y/a.png"]
    assert found("z/a.png", "x/a.png", "y/a.png") == ["x/a.png", "y/a.png"]
    assert found("a.png", "a.png", "a.png") == ["a.png", "a.png"]
    assert found("A.png", "a.PNG", "a.png") == ["a.PNG", "a.png"]


def test_an_image_that_is_named_wholly_is_not_given_to_a_stranger() -> None:
    matches = match_names(["train/1.png", "val/1.png", "test/2.png"], ["val/1.png", "2.png"])
    assert [list(match.places) for match in matches] == [[], [0], [1]]
    assert [match.whole for match in matches] == [False, True, True]


def test_many_images_of_one_name_are_told_apart_at_once() -> None:
    names = [f"scene {number}/camera/image.png" for number in range(5000)]
    wanted = [f"other/{name}" for name in names] + ["nowhere/image.png"] * 5000
    matches = match_names(wanted, names)
    assert [list(match.places) for match in matches[:5000]] == [[number] for number in range(5000)]
    assert len(matches[-1].places) == 5000
