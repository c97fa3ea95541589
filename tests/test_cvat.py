"""CVAT's XML: masks and polygons become objects, boxes prompts; what cannot be used is said."""

from __future__ import annotations

import io
import tracemalloc

import numpy as np
import pytest

from annotator.errors import InvalidRequest
from annotator.formats import box_files, deadline
from annotator.formats.archive import parsed_bytes
from annotator.formats.cvat_read import read
from annotator.formats.dataset import FileCategory
from annotator.formats.file_boxes import FileBox
from annotator.formats.problems import Problems
from annotator.formats.registry import detect_format, find_format
from annotator.masks import geometry, rle
from annotator.types import MAX_NAME
from tests.datasets import IMAGES, LABELS, dataset
from tests.test_archive import zipped


def document(*shapes: str, image: str = 'name="b.jpg" width="50" height="40"') -> bytes:
    labels = "<meta><task><name>job</name><labels><label><name>cat</name></label></labels></task></meta>"
    body = f'<annotations><version>1.1</version>{labels}<image id="0" {image}>{"".join(shapes)}</image></annotations>'
    return f'<?xml version="1.0" encoding="utf-8"?>\n{body}'.encode()


def polygon(points: str = "1.5,2;20,3;10,30", label: str = "cat") -> str:
    return f'<polygon label="{label}" points="{points}" source="manual"><attribute name="name">x</attribute></polygon>'


BOX = '<box label="dog" xtl="5.0" ytl="6.5" xbr="60.0" ybr="20.0"/>'


def test_what_was_written_comes_back_with_every_pixel() -> None:
    stream, content = io.BytesIO(), dataset()
    find_format("cvat").write(content, stream)
    found = read(stream.getvalue(), IMAGES)
    names = {label.id: label.name for label in LABELS}
    assert [(each.image_id, each.category.name, each.mask) for each in found.objects] == [
        (each.image_id, names[each.label_id], each.mask) for each in content.annotations
    ]
    assert found.problems.sentences() == []


@pytest.mark.parametrize("data", [document(polygon()), zipped({"annotations.xml": document(polygon())})])
def test_polygons_are_filled_and_the_format_is_found_by_itself(data: bytes) -> None:
    assert detect_format(data).name == "cvat"
    found = read(data, IMAGES)
    (one,) = found.objects
    assert one.mask == geometry.fill_polygon([1.5, 2, 20, 3, 10, 30], 40, 50)
    assert found.categories == [FileCategory("cat")], "the name of the job and of an attribute are no labels"


def test_what_cannot_be_used_is_said_and_the_rest_is_kept() -> None:
    shapes = [
        polygon(),
        polygon("1,2;x,3"),
        polygon(label=""),
        '<mask label="cat" rle="0, 4" left="0" top="0" width="3" height="2"/>',
        '<polyline label="cat" points="1,2;3,4"/>',
        BOX,
    ]
    found = read(document(*shapes), IMAGES)
    assert len(found.objects) == 1
    said = "\n".join(found.problems.sentences())
    assert "3 shapes cannot be used: in train/b.jpg" in said
    assert "A shape of the kind polyline cannot be a mask." in said and "One box has no mask." in said
    assert read(document(polygon(), image='name="zebra.jpg"'), IMAGES).problems.sentences() == [
        "zebra.jpg is not an image of this project.",
        "One shape was left out with its image.",
    ]


def test_boxes_are_prompts_for_masks() -> None:
    problems = Problems()
    found = box_files.read(document(polygon(), BOX, '<box label="dog"/>'), IMAGES, problems)
    assert found == [FileBox("i-1", "shape 2", (5.0, 6.5, 50.0, 20.0), FileCategory("dog"))]
    said = problems.sentences()
    assert "The box of shape 2 reaches outside its image and was cut off at the border." in said
    assert "The box of shape 3 is not four numbers with an area." in said


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"<annotations><image", "not XML, or it is cut short"),
        (b'<!DOCTYPE a [<!ENTITY b "bb">]><annotations>&b;</annotations>', "has a document type"),
        (b'<?xml version="1.0" encoding="utf-99"?><annotations/>', "not XML"),
        (zipped({"a.xml": document(), "b.xml": document()}), "holds 2 XML files"),
    ],
)
def test_a_file_that_cannot_be_read_is_one_sentence(data: bytes, says: str) -> None:
    with pytest.raises(InvalidRequest, match=says):
        read(data, IMAGES)


def test_masks_are_the_runs_of_their_box_row_by_row() -> None:
    found = read(document('<mask label="cat" rle="1, 2, 3" left="4" top="5" width="3" height="2"/>'), IMAGES)
    rows, columns = np.nonzero(rle.decode(found.objects[0].mask))
    assert list(zip(columns.tolist(), rows.tolist(), strict=True)) == [(5, 5), (6, 5)]


def test_a_name_in_very_many_pieces_is_kept_up_to_a_length_that_no_label_has() -> None:
    """To put the pieces together one by one would take minutes, and nobody else is served meanwhile."""
    piece = "x" * 20 + "<!-- -->"  # expat gives the text up to each comment by itself
    name = f"<label><name>{piece * 100_000}</name></label>".encode()
    found = read(document(polygon()).replace(b"<labels>", b"<labels>" + name), IMAGES)
    long, cat = found.categories
    assert cat.name == "cat" and len(found.objects) == 1
    assert set(long.name) == {"x"} and MAX_NAME < len(long.name) < 30_000


@pytest.mark.parametrize("many", ["<a/>", "<!-- -->x"])
def test_parsing_ends_when_the_time_is_over(many: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deadline, "MAX_SECONDS", -1.0)
    with pytest.raises(InvalidRequest, match="took too long"):
        read(f"<annotations>{many * 3}</annotations>".encode(), IMAGES)


def test_runs_are_counted_before_each_takes_memory() -> None:
    def mask(runs: str) -> str:
        return f'<mask label="cat" rle="{runs}" left="0" top="0" width="3" height="2"/>'

    bomb = document(mask("0," * 2_000_000 + "6"), mask(" 0, 6 "), mask("0,6,"), mask("0 6"), mask("0;6"))
    data = zipped({"annotations.xml": bomb})
    tracemalloc.start()
    try:
        found = read(data, IMAGES)
        assert tracemalloc.get_traced_memory()[1] < 8 * parsed_bytes(data)
    finally:
        tracemalloc.stop()
    assert len(data) < len(bomb) / 100 and parsed_bytes(data) == len(bomb)
    assert [rle.area(each.mask) for each in found.objects] == [6]
    assert "It has 2,000,001 runs and 6 pixels." in found.problems.sentences()[0]
