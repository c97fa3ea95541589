"""Objects as pictures: masks, maps and cutouts, with an index; and CVAT's XML."""

from __future__ import annotations

import io
import json
import xml.etree.ElementTree as ET
import zipfile
from typing import Any

import numpy as np
import pytest
from PIL import Image

from annotator.formats.registry import find_format
from annotator.masks import rle
from annotator.types import CroppedRuns
from tests.datasets import IMAGES, LABELS, dataset, image_file
from tests.test_archive import zipped


def exported(name: str) -> dict[str, bytes]:
    stream = io.BytesIO()
    find_format(name).write(dataset(), stream)
    with zipfile.ZipFile(stream) as archive:
        return {each: archive.read(each) for each in archive.namelist()}


def opened(data: bytes) -> Image.Image:
    return Image.open(io.BytesIO(data))


def test_masks_are_black_and_white_and_as_large_as_their_image() -> None:
    files, content = exported("masks"), dataset()
    picture = opened(files["masks/train/b/0002.png"])
    assert (picture.mode, picture.size) == ("1", (50, 40))
    assert np.array_equal(np.asarray(picture), rle.decode(content.annotations[1].mask))


def test_maps_show_the_smaller_of_objects_that_overlap_in_the_colours_of_the_labels() -> None:
    files, content = exported("png"), dataset()
    instances = np.asarray(opened(files["instances/train/b.png"]))
    assert instances.dtype == np.uint16 and instances[20, 49] == 1, "the object of one pixel is on top"
    classes = opened(files["classes/train/b.png"])
    assert classes.mode == "P" and classes.convert("RGB").getpixel((49, 20)) == (0x11, 0x22, 0x33)
    index = json.loads(files["objects.json"])
    entry = next(each for each in index["images"] if each["image"] == "train/b.jpg")
    values = {each["value"]: each["class_value"] for each in entry["objects"]}
    assert np.array_equal(np.asarray(classes), np.vectorize({0: 0, **values}.get)(instances))
    assert len(values) == 7 and content.labels[0].name == LABELS[0].name == entry["objects"][0]["label"]


def test_cutouts_have_the_pixels_of_the_image_and_nothing_around_them() -> None:
    files, content = exported("cutouts"), dataset()
    cutout = np.asarray(opened(files["cutouts/val/B/0005.png"]))
    each = next(each for each in content.annotations if each.id == "i-2-4")
    mask, photo = rle.decode(each.mask), np.asarray(opened(image_file(IMAGES[1])).convert("RGB"))
    assert np.array_equal(cutout[..., 3] == 255, mask) and set(np.unique(cutout[..., 3])) == {0, 255}
    assert np.array_equal(cutout[mask][:, :3], photo[mask]) and not cutout[~mask].any()
    assert json.loads(files["objects.json"])["images"][1]["objects"][0]["bbox"] == [30, 8, 1, 1]


def test_cvat_gets_every_pixel() -> None:
    stream = io.BytesIO()
    find_format("cvat").write(dataset(), stream)
    root = ET.fromstring(stream.getvalue())
    images = {each.attrib["name"]: each for each in root.iter("image")}
    assert [each.text for each in root.iter("name")] == [label.name for label in LABELS]
    for image in IMAGES:
        wanted = [each.mask for each in dataset().annotations if each.image_id == image.id]
        found = []
        for mask in images[image.name].iter("mask"):
            box = [int(mask.attrib[side]) for side in ("left", "top", "width", "height")]
            runs = [int(run) for run in mask.attrib["rle"].split(",")]
            found.append(rle.from_cropped(CroppedRuns(*box, runs), image.height, image.width))
        assert found == wanted


def damaged(name: str, **changes: Any) -> bytes:
    """An export whose index has these fields in the first object of the second image."""
    files = exported(name)
    index = json.loads(files["objects.json"])
    index["images"][1]["objects"][0].update(changes)
    return zipped(
        {f"folder/{path}": content for path, content in {**files, "objects.json": json.dumps(index).encode()}.items()}
    )


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"file": "masks/nothing.png"}, "masks/nothing.png is not in the archive"),
        ({"file": 7}, "7 is not in the archive"),
        ({"file": "objects.json"}, "not a PNG"),
        ({"file": "masks/val/B/0001.png"}, "31 x 17 and not 50 x 40"),
        ({"label": None}, "no label"),
    ],
)
def test_an_object_that_cannot_be_used_is_reported_and_the_rest_is_kept(changes: dict[str, Any], why: str) -> None:
    kind = find_format("masks")
    assert kind.read is not None
    found = kind.read(damaged("masks", **changes), IMAGES)
    assert len(found.objects) == 13
    (sentence,) = found.problems.sentences()
    assert sentence.startswith("An object of train/b.jpg cannot be used.") and why in sentence


@pytest.mark.parametrize("name", ["masks", "png"])
@pytest.mark.parametrize(
    "index", [b"[]", b'{"images": {}}', b'{"images": [7, {"image": 7}, {"image": "train/b.jpg"}]}']
)
def test_an_index_that_says_nothing_gives_nothing(name: str, index: bytes) -> None:
    found = find_format(name).read(zipped({"objects.json": index}), IMAGES)  # type: ignore[misc]
    assert not found.objects
