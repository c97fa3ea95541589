"""COCO files that strangers wrote: every entry that can be used is, every other one is reported."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from PIL import Image
from pycocotools import mask as coco_mask

from annotator.errors import InvalidRequest, NotJson
from annotator.formats import coco, coco_read, deadline, json_file
from annotator.formats.dataset import FileCategory, FileContents
from annotator.formats.problems import Problems
from annotator.formats.registry import detect_format
from annotator.masks import edit, rle
from annotator.types import Annotation, BoolArray, ImageRecord, Label
from tests.test_archive import zipped

IMAGES = [
    ImageRecord("i-b", 1, "b.jpg", "sha-b", "pix-b", width=50, height=40),
    ImageRecord("i-a", 1, "a.png", "sha-a", "pix-a", width=31, height=17),
]
B, A = IMAGES
TRIANGLE = [[1, 1, 9, 1, 9, 9]]


def parse(document: object, images: list[ImageRecord] | None = None) -> FileContents:
    return coco_read.parse(document, images or IMAGES, Problems())


def problems(document: object, images: list[ImageRecord] | None = None) -> list[str]:
    return parse(document, images).problems.sentences()


def entry(number: int, **fields: object) -> dict[str, Any]:
    return {"id": number, "image_id": 5, "category_id": 2, "segmentation": TRIANGLE, **fields}


def document(*annotations: dict[str, Any], **image: object) -> dict[str, Any]:
    """A file with one image and one category."""
    return {
        "images": [{"id": 5, "file_name": "b.jpg", "width": 50, "height": 40, **image}],
        "categories": [{"id": 2, "name": "dog"}],
        "annotations": list(annotations),
    }


def random_mask(height: int = 40, width: int = 50, seed: int = 0) -> BoolArray:
    coarse = np.random.default_rng(seed).random((8, 8)) < 0.4
    return np.kron(coarse, np.ones((8, 8), bool))[:height, :width]


def pixels(document: object, images: list[ImageRecord] | None = None) -> BoolArray:
    contents = parse(document, images)
    assert contents.problems.sentences() == []
    return rle.decode(contents.objects[0].mask)


# --- what is used ---


def test_what_we_wrote_is_read_as_it_was() -> None:
    labels = [Label(7, 1, "dog", "#112233", "animal", category_id=90), Label(3, 1, "cup", "#445566")]
    masks = [rle.encode(random_mask(seed=1)), rle.encode(random_mask(17, 31, 2))]
    annotations = [
        Annotation(str(n), image.id, label.id, mask, rle.area(mask), rle.bbox(mask), score, crowd=crowd)
        for n, (image, label, mask, score, crowd) in enumerate(
            zip(IMAGES, labels, masks, (0.75, None), (True, False), strict=True)
        )
    ]
    contents = parse(json.loads(json.dumps(coco.build(IMAGES, labels, annotations))))
    dog, cup = FileCategory("dog", "animal", 90), FileCategory("cup", "", 91)
    assert [(o.image_id, o.category, o.mask, o.score, o.crowd) for o in contents.objects] == [
        ("i-b", dog, masks[0], 0.75, True),
        ("i-a", cup, masks[1], None, False),
    ]
    assert contents.categories == [dog, cup] and contents.problems.sentences() == []


def test_uncompressed_runs_are_read() -> None:
    mask = random_mask()
    segmentation = {"size": [40, 50], "counts": rle.encode(mask).counts.tolist()}
    assert np.array_equal(pixels(document(entry(1, segmentation=segmentation, iscrowd=1))), mask)


POLYGONS = [
    [2, 2, 20.5, 3, 12, 30],
    [30, 5, 45, 5, 45, 20, 30, 20.25],
    [10, 5, 35, 10, 12, 18],
    [1, 1, 30, 30, 30, 1, 1, 30],
]


def test_polygons_have_the_pixels_that_pycocotools_gives_them() -> None:
    for some in (POLYGONS[:1], POLYGONS[3:], POLYGONS):
        expected = coco_mask.decode(coco_mask.merge(coco_mask.frPyObjects(some, 40, 50)))
        assert np.array_equal(pixels(document(entry(1, segmentation=some))), expected)


@pytest.mark.parametrize("stray", [[], [32.0], [32.0, 24.0], [32.0, 24.0, 1], [1, 1, 9, 9], [1, 1, 9, 9, 3]])
def test_a_part_of_fewer_than_three_points_costs_only_itself(stray: list[float]) -> None:
    expected = coco_mask.decode(coco_mask.merge(coco_mask.frPyObjects([*POLYGONS, stray], 40, 50)))
    for parts in ([*POLYGONS, stray], [stray, *POLYGONS]):
        contents = parse(document(entry(1, segmentation=parts)))
        assert np.array_equal(rle.decode(contents.objects[0].mask), expected)
        assert contents.problems.sentences() == [
            "A part of annotation 1 has fewer than three points; the other parts were used."
        ]


@pytest.mark.parametrize("kind", [int, float, str])
def test_ids_and_sizes_may_be_whole_floats_or_texts(kind: type) -> None:
    file = document(
        {**entry(9), "image_id": kind(5), "category_id": kind(2), "id": kind(9)},
        id=kind(5),
        width=kind(50) if kind is not float else 50.0,
        height=kind(40),
    )
    file["categories"][0]["id"] = kind(2)
    contents = parse(json.loads(json.dumps(file).replace("5.0", "5.0")))
    assert contents.problems.sentences() == []
    assert [each.category for each in contents.objects] == [FileCategory("dog", "", 2)]


def test_an_id_with_zeros_in_front_is_another_id() -> None:
    file = document(entry(1, image_id="7"), entry(2, image_id="007"), id="7")
    file["images"].append({"id": "007", "file_name": "a.png", "width": 31, "height": 17})
    assert [each.image_id for each in parse(file).objects] == ["i-b", "i-a"]


@pytest.mark.parametrize("size", [{}, {"width": None}, {"width": "wide"}, {"width": 0, "height": 0}, {"height": []}])
def test_an_image_without_a_usable_size_is_known_by_its_name(size: dict[str, object]) -> None:
    file = document(entry(1))
    del file["images"][0]["width"], file["images"][0]["height"]
    file["images"][0] |= size
    assert pixels(file).sum() == pixels(document(entry(1))).sum()


@pytest.mark.parametrize("crowd", [1, True, 1.0])
def test_crowds_are_known(crowd: object) -> None:
    flags = [each.crowd for each in parse(document(entry(1, iscrowd=crowd), entry(2, iscrowd=0), entry(3))).objects]
    assert flags == [True, False, False]


def test_categories_without_objects_are_kept_in_the_order_of_the_file() -> None:
    file = document(entry(1))
    file["categories"] = [{"id": n, "name": f"c{n}", "supercategory": "c"} for n in (4, 2, 90, 0)]
    assert [(each.name, each.id) for each in parse(file).categories] == [("c4", 4), ("c2", 2), ("c90", 90), ("c0", 0)]


def test_categories_of_a_file_that_is_not_meant_for_this_project_are_not_added() -> None:
    file = document(entry(1), file_name="elsewhere.jpg")
    file["categories"].append({"id": 3, "name": "unused"})
    assert parse(file).categories == []
    file["annotations"] = []
    assert [each.name for each in parse(file).categories] == ["dog", "unused"], "a mere list of classes"
    only_bad = document(entry(1), entry(2, category_id=3, segmentation=[]))
    only_bad["categories"].append({"id": 3, "name": "only bad"})
    assert [each.name for each in parse(only_bad).categories] == ["dog"]


@pytest.mark.parametrize("score", ["high", None, float("nan"), float("inf"), 10**400, -1, [1]])
def test_an_odd_score_is_dropped(score: object) -> None:
    contents = parse(document(entry(1, score=score)))
    assert contents.objects[0].score is None and contents.problems.sentences() == []


# --- names of images ---


def test_a_name_matches_in_any_spelling() -> None:
    images = [
        replace(B, id=name, name=name) for name in ("val/img.png", "train/img.png", "de\u0301cran.png", "Cat.JPG")
    ]

    def found(name: str) -> list[str]:
        return [each.image_id for each in parse(document(entry(1), file_name=name), images).objects]

    for name in ("val/img.png", "val\\img.png", "./val/img.png", "images/val/img.png", "C:\\data\\val\\img.png"):
        assert found(name) == ["val/img.png"]
    assert found("d\u00e9cran.png") == ["de\u0301cran.png"]
    assert found("cat.jpg") == ["Cat.JPG"]
    assert found("img.png") == [], "two could be meant"
    assert found("dog.jpg") == []


def test_a_name_that_matches_only_without_its_folder_is_used_and_said() -> None:
    contents = parse(document(entry(1), file_name="2021/b.jpg"), [replace(B, name="2020/b.jpg")])
    assert len(contents.objects) == 1
    assert contents.problems.sentences() == [
        "2021/b.jpg was taken for an image of that name in another folder. Here it is 2020/b.jpg."
    ]


def test_the_size_tells_images_of_one_name_apart() -> None:
    contents = parse(document(entry(1)), [B, replace(B, id="other", width=60)])
    assert [each.image_id for each in contents.objects] == ["i-b"] and contents.problems.sentences() == []
    contents = parse(document(entry(1)), [replace(B, name="x/b.jpg"), replace(B, id="other", name="y/b.jpg")])
    assert contents.objects == []
    assert contents.problems.sentences() == [
        "b.jpg may mean several images of this project. It may be x/b.jpg or y/b.jpg.",
        "One annotation was left out with its image.",
    ]


def test_two_images_of_a_file_do_not_end_up_on_one_here() -> None:
    file = document(entry(1), entry(2, image_id=6), file_name="cam1/b.jpg")
    file["images"].append({**file["images"][0], "id": 6, "file_name": "cam2/b.jpg"})
    assert parse(file).objects == [] and "cam1/b.jpg, cam2/b.jpg" in problems(file)[0]
    file["images"][1]["file_name"] = "b.jpg"
    assert len(parse(file).objects) == 1, "the very name counts more"
    file["images"][0]["file_name"] = "b.jpg"
    assert len(parse(file).objects) == 2, "the same image listed twice"


# --- photos that are stored turned or mirrored ---

STORED = random_mask(40, 50, seed=5)
STORED[:3] = STORED[:, :3] = False
STORED[3, 3:20] = True
TRANSPOSES = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


def upright(stored: BoolArray, orientation: int) -> BoolArray:
    return np.asarray(Image.fromarray(stored).transpose(TRANSPOSES[orientation]))


def photo(orientation: int, name: str = "b.jpg", height: int = 40, width: int = 50) -> ImageRecord:
    """The record of a photo stored with this height and width."""
    if orientation > 4:
        height, width = width, height
    return replace(B, id=name, name=name, width=width, height=height, orientation=orientation)


@pytest.mark.parametrize("orientation", TRANSPOSES)
def test_a_mask_turns_as_its_photo_does(orientation: int) -> None:
    turned = edit.turn_upright(rle.encode(STORED), orientation)
    assert np.array_equal(rle.decode(turned), upright(STORED, orientation))
    assert edit.turn_upright(rle.empty(4, 3), orientation) == rle.empty(*((3, 4) if orientation > 4 else (4, 3)))


def runs(mask: BoolArray) -> dict[str, Any]:
    return rle.to_dict(rle.encode(mask))


@pytest.mark.parametrize("orientation", [5, 6, 7, 8])
def test_masks_of_stored_pixels_are_turned_where_the_size_tells(orientation: int) -> None:
    contents = parse(document(entry(1, segmentation=runs(STORED))), [photo(orientation)])
    assert np.array_equal(rle.decode(contents.objects[0].mask), upright(STORED, orientation))
    assert contents.problems.sentences() == [
        "b.jpg is stored turned or mirrored, and its masks too: they were turned upright."
    ]
    mask = upright(STORED, orientation)
    assert np.array_equal(
        pixels(document(entry(1, segmentation=runs(mask)), width=40, height=50), [photo(orientation)]), mask
    )


@pytest.mark.parametrize("orientation", [2, 3, 4, 5])
def test_where_the_size_does_not_tell_other_photos_of_the_file_do(orientation: int) -> None:
    square = STORED[:40, :40]
    unsure = photo(orientation, "b.jpg", 40, 40)
    file = document(entry(1, segmentation=runs(square)), width=40, height=40)
    file["images"].append({"id": 6, "file_name": "c.jpg", "width": 50, "height": 40})
    turned = photo(6, "c.jpg")
    assert np.array_equal(rle.decode(parse(file, [unsure, turned]).objects[0].mask), upright(square, orientation))
    file["images"][1] |= {"width": 40, "height": 50}
    assert np.array_equal(pixels(file, [unsure, turned]), square)


@pytest.mark.parametrize("orientation", [2, 3, 4, 5])
def test_where_nothing_tells_masks_are_taken_as_upright_and_it_is_said(orientation: int) -> None:
    square = STORED[:40, :40]
    file = document(entry(1, segmentation=runs(square)), width=40, height=40)
    contents = parse(file, [photo(orientation, "b.jpg", 40, 40)])
    assert np.array_equal(rle.decode(contents.objects[0].mask), square)
    (said,) = contents.problems.sentences()
    assert said.startswith("b.jpg is stored turned or mirrored") and "taken as upright: check them" in said
    file["annotations"] = []
    assert problems(file, [photo(orientation, "b.jpg", 40, 40)]) == []


@pytest.mark.parametrize("orientation", TRANSPOSES)
def test_a_file_of_ours_is_known_to_be_upright(orientation: int) -> None:
    record = photo(orientation, height=40, width=40)
    mask = rle.encode(STORED[:40, :40])
    ours = coco.build(
        [record], [Label(1, 1, "dog", "#000000")], [Annotation("x", record.id, 1, mask, rle.area(mask), rle.bbox(mask))]
    )
    assert np.array_equal(pixels(ours, [record]), STORED[:40, :40])


def test_without_a_size_of_the_image_that_of_the_mask_tells() -> None:
    for mask, expected in ((STORED, upright(STORED, 6)), (upright(STORED, 6), upright(STORED, 6))):
        file = document(entry(1, segmentation=runs(mask)), width=None)
        assert np.array_equal(rle.decode(parse(file, [photo(6)]).objects[0].mask), expected)


# --- what is reported ---


@pytest.mark.parametrize(
    ("segmentation", "reason"),
    [
        (None, "has no mask"),
        ([], "has no mask"),
        ("counts", "has no mask"),
        ([[]], "three or more points"),
        ([[1, 2, 3, 4, 5]], "three or more points"),
        ([[1, 2, 3, 4, 5, 6, 7]], "three or more points"),
        ([[[1, 2], [3, 4], [5, 6]]], "three or more points"),
        ([{"x": 1, "y": 2}], "three or more points"),
        (["1 2 3 4 5 6"], "three or more points"),
        ([[1, 2, 3, 4, 5, None]], "three or more points"),
        ([[1, 2, 3, 4, 5, float("nan")]], "three or more points"),
        ([[10**400, 0, 1, 1, 2, 2]], "three or more points"),
        ([[10**9, 0, 1, 1, 2, 2]], "far outside"),
        ([[1300, 0, 1, 1, 2, 2]], "far outside"),
        ([5, 6, 7, 8, 9, 10], "is not in a list: COCO has a list of polygons"),
        ([[-90, -90, -80, -90, -80, -80]], "is empty"),
        ({"size": [40, 50], "counts": [2000]}, "is empty"),
        ({}, "Its size is missing instead of [40, 50]"),
        ({"size": 3, "counts": "0"}, "Its size is missing"),
        ({"size": [50, 40], "counts": [2000]}, "Its size is [50, 40] instead of [40, 50]"),
        ({"size": [40, 50], "counts": [-1, 2001]}, "negative"),
        ({"size": [40, 50], "counts": "garbage!"}, "a character that does not belong"),
        ({"size": [40, 50], "counts": {"a": 1}}, "sum to 0"),
        ({"size": [40, 50], "counts": ["a", "b" * 10**7] + [""] * 3000}, "whole numbers"),
        ({"size": [40, 50]}, "sum to 0"),
    ],
)
def test_a_bad_mask_is_reported_and_the_rest_kept(segmentation: object, reason: str) -> None:
    contents = parse(document(entry(9, segmentation=segmentation), entry(10)))
    (said,) = contents.problems.sentences()
    assert len(contents.objects) == 1 and "9" in said and reason in said


def test_boxes_without_masks_are_counted() -> None:
    boxes = [entry(n, segmentation=none, bbox=[1, 2, 3.5, 4]) for n, none in enumerate((None, [], ""))]
    assert problems(document(*boxes)) == ["3 annotations have a box and no mask: 0, 1, 2."]
    assert problems(document(boxes[0])) == ["Annotation 0 has a box and no mask."]
    for box in ([1, 2, 0, 4], [1, 2, 3], ["a", 2, 3, 4], "box", [1, 2, float("nan"), 10**400]):
        assert problems(document(entry(1, segmentation=None, bbox=box))) == ["Annotation 1 has no mask."]


def test_a_mask_that_no_browser_could_show_costs_only_itself() -> None:
    image = replace(B, width=8192, height=4096)
    stripes = {"size": [4096, 8192], "counts": [4096] * 8192}
    one_by_one = {"size": [4096, 8192], "counts": [1] * 4_000_001 + [4096 * 8192 - 4_000_001]}
    file = document(
        entry(1, segmentation=stripes), entry(2, segmentation=one_by_one), entry(3), width=8192, height=4096
    )
    contents = parse(file, [image])
    assert len(contents.objects) == 1
    assert contents.problems.sentences() == [
        "2 masks cannot be used: 1, 2. The first: The mask is too intricate: it has too many runs."
    ]


def test_every_unusable_entry_is_reported() -> None:
    good = entry(20)
    file = document(good)
    file["annotations"] += [
        None,
        {},
        good | {"id": 21, "image_id": 77},
        good | {"id": 22, "category_id": []},
        good | {"id": 23, "category_id": 3},
        good | {"id": 24, "image_id": 3},
        good | {"id": 25, "image_id": 3},
        good | {"id": 26, "image_id": 4},
        good | {"id": 27, "image_id": True},
    ]
    file["categories"] += [{"id": 3, "name": " "}, {"id": 2, "name": "again"}, "category"]
    file["images"] += [
        {"id": 3, "file_name": "unknown.jpg", "width": 5, "height": 5},
        {"id": 4, "file_name": "b.jpg", "width": 40, "height": 50},
        {"id": 6},
        {"file_name": "a.png"},
    ]
    contents = parse(file)
    assert len(contents.objects) == 1
    assert contents.problems.sentences() == [
        "2 entries have no id, or the id of another: images, categories.",
        "Image 6 of the file has no file name.",
        "unknown.jpg is not an image of this project.",
        "b.jpg has another size here. It is 40 x 50 in the file, 50 x 40 here (upright).",
        "2 entries of lists in the file are no JSON objects: categories, annotations.",
        "3 annotations belong to no image of the file: number 3, 21, 27.",
        "Annotation 22 belongs to no category of the file.",
        "Annotation 23: its category has no name.",
        "3 annotations were left out with their images.",
    ]


def test_ten_thousand_problems_of_a_kind_are_one_sentence() -> None:
    file = document(*(entry(n, segmentation=[]) for n in range(10_000)))
    file["images"] += [{"id": n, "file_name": f"{n}.jpg", "width": 1, "height": 1} for n in range(10, 10_010)]
    assert problems(file) == [
        "10,000 images of the file are not in this project: 10.jpg, 11.jpg, 12.jpg, 13.jpg, 14.jpg and 9,995 more.",
        "10,000 annotations have no mask: 0, 1, 2, 3, 4 and 9,995 more.",
    ]


def test_a_file_that_takes_too_long_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deadline, "MAX_SECONDS", -1.0)
    contents = parse(document(entry(1), entry(2)))
    assert contents.objects == [] and contents.categories == []
    assert contents.problems.sentences() == [
        "Reading the file took too long: its last 2 annotations were left out. Split the file."
    ]


@pytest.mark.parametrize("odd", ["x\ud83d.png", "two\nlines\u2028\x00", "l" * 5000, "{which} {0}", "%s"])
def test_odd_texts_are_reported_as_short_text_that_can_be_sent(odd: str) -> None:
    file = document(entry(1, segmentation=[], id=odd), entry(2, image_id=6), entry(3, image_id=odd))
    file["images"].append({"id": 6, "file_name": odd})
    file["images"].append({"id": odd})
    said = problems(file)
    assert len(said) >= 4
    for sentence in said:
        sentence.encode()
        assert len(sentence) < 500 and sentence.isprintable()


@pytest.mark.parametrize(
    "odd", [None, [], "coco", 7, float("nan"), {}, {"images": {}, "categories": 3, "annotations": None}, [[]], [{}]]
)
def test_what_is_not_coco_is_said_to_be_so(odd: object) -> None:
    contents = parse(odd)
    assert contents.objects == [] and contents.problems.sentences()


# --- JSON ---


def load(data: bytes) -> tuple[object, list[str]]:
    problems = Problems()
    return json_file.load_json(data, problems), problems.sentences()


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "line 1, column 1"),
        (b"{", "line 1, column 2"),
        (b'{"a": 1}\n{"b": 2}', "line 2, column 1"),
        (b"[" * 100_000, "nested too deeply"),
        (b'{"a":' * 100_000, "nested too deeply"),
        (b"[" + b"1" * 5000 + b"]", "4,300 digits"),
        ('{"a": "é"}'.encode("latin-1"), "not UTF-8"),
        (b"\x00\x01\x02", "line 1"),
    ],
)
def test_what_is_not_json_is_said_in_a_sentence(data: bytes, reason: str) -> None:
    with pytest.raises(NotJson, match=reason) as error:
        load(data)
    assert str(error.value).startswith("This file is not JSON") and "\n" not in str(error.value)


def test_json_in_the_ways_of_other_tools_is_read() -> None:
    assert load(b'\xef\xbb\xbf{"a": 1}') == ({"a": 1}, [])
    assert load('{"a": "é"}'.encode("utf-16")) == ({"a": "é"}, [])
    assert load(b'[Infinity, 1e400, "\\ud83d"]') == ([float("inf"), float("inf"), "\ud83d"], [])


def test_a_key_that_is_there_twice_is_reported() -> None:
    assert load(b'{"a": 1, "b": 2, "a": 3}') == (
        {"a": 3, "b": 2},
        ['An object of the file has the key "a" twice; the last one was used.'],
    )


@pytest.mark.parametrize("unit", [b"[],", b"{},", b"1,", b"[[[["])
def test_a_small_file_that_would_fill_the_memory_is_refused_before_it_is_parsed(
    unit: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(json_file, "MAX_PARSED_BYTES", 1 << 16)
    monkeypatch.setattr(json, "loads", None)
    with pytest.raises(InvalidRequest, match="million values: split it"):
        load(b"[" + unit * 5000 + b"1]")


def test_a_coco_file_in_an_archive_is_read_and_several_are_not_mixed() -> None:
    files = {"annotations/instances.json": json.dumps(document(entry(1))).encode(), "images/a.png": b"x"}
    assert detect_format(zipped(files)).name == "coco"
    assert len(coco_read.read(zipped(files), IMAGES).objects) == 1
    with pytest.raises(InvalidRequest, match="2 JSON files"):
        coco_read.read(zipped({**files, "second.json": b"{}"}), IMAGES)
