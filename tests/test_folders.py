"""Adding images of the server by path: what the operator allowed, and nothing else."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from annotator.errors import InvalidImage, NotFound
from annotator.storage import folders

SAMPLES = Path(__file__).resolve().parent.parent / "assets" / "samples"


@pytest.fixture
def allowed(tmp_path: Path) -> Path:
    root = tmp_path / "photos"
    (root / "trip").mkdir(parents=True)
    shutil.copy(SAMPLES / "skimage_coffee.jpg", root / "b.JPG")
    shutil.copy(SAMPLES / "skimage_coffee.jpg", root / "trip" / "a.jpeg")
    (root / "c.jfif").write_bytes(b"listed by its name")
    for hidden in (".hidden.jpg", "._b.JPG", ".ipynb_checkpoints/b.jpg", "__MACOSX/b.jpg", "trip/@eaDir/a.jpeg"):
        (root / hidden).parent.mkdir(exist_ok=True)
        (root / hidden).write_bytes(b"a copy that a system made")
    (root / "notes.txt").write_text("not an image")
    (tmp_path / "secret.jpg").write_bytes(b"secret")
    (root / "link.jpg").symlink_to(tmp_path / "secret.jpg")
    (root / "out").symlink_to(tmp_path)
    return root


def test_images_of_a_folder_and_those_below_it_are_listed(allowed: Path) -> None:
    listed = folders.images_in(str(allowed), [allowed])
    assert [str(Path(each).relative_to(allowed)) for each in listed] == ["b.JPG", "c.jfif", "link.jpg", "trip/a.jpeg"]
    assert folders.images_in(str(allowed / "trip"), [allowed]) == [str(allowed / "trip" / "a.jpeg")]


def test_an_image_is_called_by_its_path_below_the_allowed_folder(allowed: Path) -> None:
    assert folders.relative_name(str(allowed / "trip" / "a.jpeg"), [allowed]) == "trip/a.jpeg"
    assert folders.relative_name(str(allowed / "trip" / ".." / "b.JPG"), [allowed]) == "b.JPG"
    (allowed / "alias.jpg").symlink_to(allowed / "trip" / "a.jpeg")
    assert folders.relative_name(str(allowed / "alias.jpg"), [allowed]) == "alias.jpg"
    (allowed.parent / "way").symlink_to(allowed)
    assert folders.relative_name(str(allowed.parent / "way" / "trip" / "a.jpeg"), [allowed]) == "trip/a.jpeg"


def test_a_name_that_is_no_text_is_left_out(allowed: Path) -> None:
    bad = allowed.joinpath(b"bad-\xff.jpg".decode(errors="surrogateescape"))
    bad.write_bytes(b"")
    assert str(bad) not in folders.images_in(str(allowed), [allowed])


def test_a_path_too_long_for_the_system_is_not_there(allowed: Path) -> None:
    with pytest.raises(NotFound):
        folders.images_in(str(allowed / ("x" * 300)), [allowed])


def test_a_file_is_read_up_to_one_byte_more_than_the_limit(allowed: Path) -> None:
    whole = (SAMPLES / "skimage_coffee.jpg").read_bytes()
    assert folders.read_image(str(allowed / "b.JPG"), [allowed], 10**9) == whole
    assert len(folders.read_image(str(allowed / "b.JPG"), [allowed], 100)) == 101


@pytest.mark.parametrize(
    "path",
    ["{0}/../secret.jpg", "{0}/link.jpg", "{0}/out/secret.jpg", "/etc/passwd", "photos/b.JPG", "", "\0", "{0}x/b.JPG"],
)
def test_nothing_outside_the_allowed_folders_is_read_or_listed(allowed: Path, path: str) -> None:
    path = path.format(allowed)
    with pytest.raises(NotFound):
        folders.read_image(path, [allowed], 100)
    with pytest.raises(NotFound):
        folders.images_in(path, [allowed])
    with pytest.raises(NotFound):
        folders.relative_name(path, [allowed])


def test_without_allowed_folders_there_is_nothing(allowed: Path) -> None:
    with pytest.raises(NotFound, match="has not allowed"):
        folders.images_in(str(allowed), [])


def test_what_is_missing_or_too_much_is_said(allowed: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(NotFound, match="no such folder"):
        folders.images_in(str(allowed / "none"), [allowed])
    with pytest.raises(NotFound, match="cannot be read"):
        folders.read_image(str(allowed / "none.jpg"), [allowed], 100)
    monkeypatch.setattr(folders, "MAX_LISTED", 1)
    with pytest.raises(InvalidImage, match="more than 1 images"):
        folders.images_in(str(allowed), [allowed])
