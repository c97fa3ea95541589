"""Every format that is read: what comes back, pixel by pixel, and that the same objects give the same bytes."""

from __future__ import annotations

import io
import zipfile
from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from pycocotools import mask as coco_mask

from annotator.formats.dataset import Dataset
from annotator.formats.losses import measure
from annotator.formats.registry import all_formats, detect_format, find_format
from annotator.masks import rle
from annotator.types import BoolArray
from tests.datasets import IMAGES, LABELS, dataset

LOSSLESS = ["coco", "coco-uncompressed", "coco-polygon", "labelme", "masks", "cutouts"]
FORMATS = list(all_formats())


def written(name: str, content: Dataset) -> bytes:
    stream = io.BytesIO()
    find_format(name).write(content, stream)
    assert stream.tell() == len(stream.getvalue())
    return stream.getvalue()


@pytest.mark.parametrize("name", FORMATS)
def test_the_same_objects_give_the_same_bytes(name: str) -> None:
    content = dataset()
    first = written(name, content)
    assert written(name, content) == first
    if find_format(name).media_type == "application/zip":
        with zipfile.ZipFile(io.BytesIO(first)) as archive:
            assert archive.testzip() is None
            assert {entry.date_time for entry in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}
            names = archive.namelist()
        assert len({name.casefold() for name in names}) == len(names)


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("images", [[], IMAGES])
def test_a_project_without_objects_can_be_written_and_read(name: str, images: list[object]) -> None:
    content = Dataset(IMAGES if images else [], LABELS if images else [], [], dataset().read_image)
    data, kind = written(name, content), find_format(name)
    assert measure(kind, content).text == "There are no objects."
    if kind.read is not None:
        assert list(kind.read(data, IMAGES).objects) == []


@pytest.mark.parametrize("name", LOSSLESS)
def test_lossless_formats_give_back_every_pixel_class_and_crowd(name: str) -> None:
    content = dataset()
    data = written(name, content)
    assert detect_format(data).read == find_format(name).read
    found = detect_format(data).read(data, IMAGES)  # type: ignore[misc]
    labels = {label.id: label.name for label in LABELS}
    wanted = Counter((each.image_id, labels[each.label_id], each.mask, each.crowd) for each in content.annotations)
    assert Counter((each.image_id, each.category.name, each.mask, each.crowd) for each in found.objects) == wanted
    assert found.problems.sentences() == []
    assert measure(find_format(name), content).changed == 0


@pytest.mark.parametrize("name", ["coco", "coco-uncompressed", "coco-polygon", "masks", "png", "cutouts"])
def test_numbers_of_categories_and_scores_are_kept_where_the_format_has_them(name: str) -> None:
    content = dataset([np.eye(40, 50, dtype=bool)])
    data = written(name, content)
    (found,) = find_format(name).read(data, IMAGES).objects  # type: ignore[misc]
    assert (found.category.id, found.category.supercategory, found.score) == (90, "animal", 0.75)


@settings(max_examples=12, deadline=None)
@given(st.sampled_from(LOSSLESS), arrays.arrays(np.bool_, (40, 50), elements=st.booleans(), fill=st.just(False)))
def test_lossless_formats_give_back_any_mask(name: str, mask: BoolArray) -> None:
    mask[3, 4] = True
    data = written(name, dataset([mask]))
    (found,) = find_format(name).read(data, IMAGES).objects  # type: ignore[misc]
    assert np.array_equal(rle.decode(found.mask), mask)


@pytest.mark.parametrize("name", ["png", "yolo-seg"])
def test_what_is_said_to_be_lost_is_what_is_lost(name: str) -> None:
    kind, content = find_format(name), dataset()
    found = Counter((each.image_id, each.mask) for each in kind.read(written(name, content), IMAGES).objects)  # type: ignore[misc]
    restored = Counter((each.image_id, mask) for each, mask in kind.restored(content) if mask is not None)  # type: ignore[misc]
    assert found == restored
    losses = measure(kind, content)
    assert (losses.objects, losses.compared) == (14, 14) and losses.left_out == 14 - restored.total() > 0
    same = sum((restored & Counter((each.image_id, each.mask) for each in content.annotations)).values())
    assert losses.changed == restored.total() - same > 0
    assert f"Masks that change: {losses.changed} of 14 objects, IoU {losses.mean_iou:.3f} on average" in losses.text
    assert 0 < losses.min_iou <= losses.mean_iou < 1


def test_boxes_lose_all_but_boxes() -> None:
    box, line = np.zeros((40, 50), bool), np.eye(40, 50, dtype=bool)
    box[3:9, 4:20] = True
    losses = measure(find_format("yolo-det"), dataset([box, line]))
    assert (losses.changed, losses.left_out, losses.min_iou) == (1, 0, 1 / 40)


def test_polygons_of_coco_are_those_that_pycocotools_reads() -> None:
    import json

    content = dataset()
    document = json.loads(written("coco-polygon", content))
    for entry, annotation in zip(document["annotations"], content.annotations, strict=True):
        segmentation, size = entry["segmentation"], (annotation.mask.height, annotation.mask.width)
        assert isinstance(segmentation, dict) == annotation.crowd
        runs = coco_mask.frPyObjects(segmentation, *size)
        merged = runs if annotation.crowd else coco_mask.merge(runs)
        assert np.array_equal(coco_mask.decode(merged).astype(bool), rle.decode(annotation.mask))
