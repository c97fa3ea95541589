"""COCO instance files: written so that every consumer takes them, read with each bad entry named and the rest kept."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from pathlib import PureWindowsPath
from typing import Any, BinaryIO

from annotator.errors import CorruptData, InvalidMask
from annotator.formats.registry import Dataset, Format
from annotator.masks import geometry, rle
from annotator.types import RLE, Annotation, ImageRecord, Label

_Id = int | str | None

EXIF_POLICY = "Sizes and masks are those of the upright images: rotate the files by their EXIF orientation before use."


@dataclass(frozen=True, slots=True)
class Imported:
    """One usable annotation of a COCO file: a mask of the size of its image, under the name of its category."""

    image_id: str
    category: str
    supercategory: str
    mask: RLE
    score: float | None


def build(
    images: Sequence[ImageRecord], labels: Sequence[Label], annotations: Iterable[Annotation], description: str = ""
) -> dict[str, Any]:
    """A COCO document, ready for JSON, of these annotations; ids of each kind count from 1 in the given order.

    Every mask is read back from the string that goes into the file. Raises `InvalidMask` for a mask that is malformed
    or does not fit its image, `CorruptData` for any other contradiction, both naming the annotation.
    """
    image_ids = {image.id: number for number, image in enumerate(images, 1)}
    category_ids = {label.id: number for number, label in enumerate(labels, 1)}
    entries = []
    for number, annotation in enumerate(annotations, 1):
        image_id, category_id = image_ids.get(annotation.image_id), category_ids.get(annotation.label_id)
        if image_id is None or category_id is None:
            raise CorruptData(f"Annotation {annotation.id} belongs to an image or a label that is not exported.")
        entry = {"id": number, "image_id": image_id, "category_id": category_id, "iscrowd": 0}
        entries.append(entry | _written(annotation, images[image_id - 1]))
    return {
        "info": {"description": f"{description} {EXIF_POLICY}".strip(), "version": "1.0"},
        "licenses": [],
        "images": [
            {"id": image_ids[image.id], "file_name": image.name, "width": image.width, "height": image.height}
            for image in images
        ],
        "categories": [
            {"id": category_ids[label.id], "name": label.name, "supercategory": label.supercategory} for label in labels
        ],
        "annotations": entries,
    }


def _written(annotation: Annotation, image: ImageRecord) -> dict[str, Any]:
    """The fields that follow from the mask, after reading it back."""
    where = f"Annotation {annotation.id} of {image.name}"
    mask = annotation.mask
    if (mask.height, mask.width) != (image.height, image.width):
        raise InvalidMask(f"{where}: its mask is {mask.width} x {mask.height}, its image {_size(image)}.")
    segmentation = rle.to_dict(mask)
    try:
        written = rle.from_coco_string(segmentation["counts"], *segmentation["size"])
    except InvalidMask as error:
        raise InvalidMask(f"{where}: {error}") from error
    area, bbox = rle.area(written), rle.bbox(written)
    if (written, area, bbox) != (mask, annotation.area, annotation.bbox):
        raise CorruptData(f"{where}: its mask, area and box do not agree.")
    score = {} if annotation.score is None else {"score": annotation.score}
    return {"segmentation": segmentation, "area": area, "bbox": list(bbox), **score}


def _write(dataset: Dataset, stream: BinaryIO) -> None:
    stream.write(json.dumps(build(dataset.images, dataset.labels, dataset.annotations)).encode())


FORMAT = Format("coco", "COCO with RLE masks", "application/json", ".json", losses="", write=_write)


class _Unusable(Exception):
    """Why an entry of a file cannot be used."""


def parse(document: object, images: Sequence[ImageRecord]) -> tuple[list[Imported], list[str]]:
    """The usable annotations of a COCO document, and one sentence for each thing in it that could not be used.

    Images are matched by file name, with or without folders on either side, and size. Segmentations may be compressed
    or uncompressed RLE or polygons, whose parts are united; they become the very pixels pycocotools makes of them.
    """
    if not isinstance(document, dict):
        return [], ["This is not a COCO file: it is no JSON object with images, categories and annotations."]
    problems: list[str] = []
    by_name: dict[str, list[ImageRecord]] = {}
    by_file: dict[str, list[ImageRecord]] = {}
    for image in images:
        by_name.setdefault(image.name, []).append(image)
        by_file.setdefault(_file(image.name), []).append(image)
    targets: dict[_Id, ImageRecord] = {}
    unmatched: dict[_Id, str] = {}
    for key, entry in _identified(document, "images", problems):
        try:
            targets[key] = _match(entry, by_name, by_file)
        except _Unusable as error:
            unmatched[key] = str(error)
    categories = dict(_identified(document, "categories", problems))
    imported: list[Imported] = []
    skipped: Counter[_Id] = Counter()
    for place, entry in enumerate(_objects(document, "annotations", problems), 1):
        image_key = _id(entry, "image_id")
        if image_key in unmatched:
            skipped[image_key] += 1
            continue
        try:
            imported.append(_read(entry, targets.get(image_key), categories.get(_id(entry, "category_id"))))
        except (_Unusable, InvalidMask) as error:
            problems.append(f"Annotation {entry.get('id', f'number {place}')!s:.40}: {error}")
    problems += [f"{unmatched[key]} Annotations left out: {count}." for key, count in skipped.most_common()]
    if empty := len(unmatched) - len(skipped):
        problems.append(f"Images without annotations that match none here: {empty}.")
    return imported, problems


def _objects(document: dict[str, Any], kind: str, problems: list[str]) -> list[dict[str, Any]]:
    """The entries of one list of the document that are JSON objects."""
    values = document.get(kind)
    if not isinstance(values, list):
        problems.append(f"The file has no list of {kind}.")
        return []
    entries = [value for value in values if isinstance(value, dict)]
    if len(entries) < len(values):
        problems.append(f"Entries of {kind} that are no JSON objects: {len(values) - len(entries)}.")
    return entries


def _identified(document: dict[str, Any], kind: str, problems: list[str]) -> Iterator[tuple[_Id, dict[str, Any]]]:
    """The entries of one list with their ids, each id once."""
    seen: set[_Id] = {None}
    for entry in _objects(document, kind, problems):
        key = _id(entry, "id")
        if key in seen:
            problems.append(f"One of the {kind} has no id, or the id of another: {entry.get('id')!s:.40}.")
        else:
            seen.add(key)
            yield key, entry


def _id(entry: dict[str, Any], field: str) -> _Id:
    value = entry.get(field)
    return value if isinstance(value, int | str) else None


def _file(name: str) -> str:
    """Without its folders."""
    return PureWindowsPath(name).name


def _match(
    entry: dict[str, Any], by_name: Mapping[str, Sequence[ImageRecord]], by_file: Mapping[str, Sequence[ImageRecord]]
) -> ImageRecord:
    """The image of the project that an image of the file stands for."""
    name = entry.get("file_name")
    if not isinstance(name, str):
        raise _Unusable(f"Image {entry['id']} has no file name.")
    named = by_name.get(name) or by_file.get(_file(name), ())
    if not named:
        raise _Unusable(f"{name:.100} is not an image of this project.")
    size = entry.get("width"), entry.get("height")
    fitting = [image for image in named if (image.width, image.height) == size]
    if not fitting:
        raise _Unusable(
            f"{name:.100} is {size[0]!s:.20} x {size[1]!s:.20} in the file, {_size(named[0])} here (upright)."
        )
    if len(fitting) > 1:
        raise _Unusable(f"{name:.100} is the name of {len(fitting)} images of this project.")
    return fitting[0]


def _read(entry: dict[str, Any], image: ImageRecord | None, category: dict[str, Any] | None) -> Imported:
    """One annotation of the file. Raises `_Unusable` or `InvalidMask`."""
    if image is None:
        raise _Unusable("it belongs to no image of the file.")
    if category is None:
        raise _Unusable("it belongs to no category of the file.")
    name, parent, score = category.get("name"), category.get("supercategory"), entry.get("score")
    if not isinstance(name, str) or not name.strip():
        raise _Unusable("its category has no name.")
    mask = _mask(entry.get("segmentation"), image)
    if not rle.area(mask):
        raise _Unusable("its mask is empty.")
    rle.check_intricacy(mask)
    return Imported(
        image_id=image.id,
        category=name.strip(),
        supercategory=parent if isinstance(parent, str) else "",
        mask=mask,
        score=float(score) if isinstance(score, int | float) and 0 <= score <= 1 else None,
    )


def _mask(segmentation: object, image: ImageRecord) -> RLE:
    """Compressed or uncompressed RLE, or polygons. Raises `_Unusable` or `InvalidMask`."""
    height, width = image.height, image.width
    if isinstance(segmentation, dict):
        if segmentation.get("size") != [height, width]:
            raise _Unusable(f"the size of its mask is {segmentation.get('size')!s:.40} instead of [{height}, {width}].")
        counts = segmentation.get("counts")
        if isinstance(counts, str):
            return rle.from_coco_string(counts, height, width)
        return rle.from_counts(counts if isinstance(counts, list) else [], height, width)
    if isinstance(segmentation, list) and segmentation:
        return reduce(rle.union, (geometry.fill_polygon(part, height, width) for part in segmentation))
    raise _Unusable("it has no mask.")


def _size(image: ImageRecord) -> str:
    return f"{image.width} x {image.height}"
