"""labelme's JSON files, one an image. Objects are written as masks, without a loss; shapes with an area are read."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator, Mapping, Sequence
from typing import IO, Any

from annotator.errors import InvalidMask, NotJson
from annotator.formats.archive import Archive, is_zip, writing
from annotator.formats.dataset import Dataset, FileCategory, FileContents, FileObject
from annotator.formats.deadline import Deadline
from annotator.formats.file_names import stems
from annotator.formats.json_file import load_json
from annotator.formats.labelme_shapes import read_shape
from annotator.formats.png_file import to_png
from annotator.formats.problems import AMBIGUOUS, NOT_HERE, OTHER_SIZE, Problem, Problems
from annotator.formats.registry import Format
from annotator.imaging.names import match_names
from annotator.masks import rle
from annotator.types import RLE, Annotation, ImageRecord, Label

_VERSION = "5.5.0"
"""Of labelme, whose files have the fields written here."""

_NOT_LABELME = Problem("{which} is not a file of labelme.", "{count} files are not files of labelme: {which}.")
_BAD_SHAPE = Problem("A shape of {which} cannot be used.", "{count} shapes cannot be used: in {which}.")


def write(dataset: Dataset, stream: IO[bytes]) -> None:
    """Write a JSON file for each image with objects, to be unpacked beside the images. Raises as `checked_mask`."""
    names = stems(dataset.images)
    with writing(stream) as archive:
        for image, objects in dataset.by_image():
            if objects:
                document: dict[str, Any] = {
                    "version": _VERSION,
                    "flags": {},
                    "shapes": [_shape(annotation, label) for annotation, label in dataset.each(objects)],
                    "imagePath": image.name.rpartition("/")[2],
                    "imageData": None,
                    "imageHeight": image.height,
                    "imageWidth": image.width,
                }
                archive.add(f"{names[image.id]}.json", json.dumps(document, ensure_ascii=False, indent=1))


def read(data: bytes, images: Sequence[ImageRecord]) -> FileContents:
    """What can be used of a JSON file, or of an archive of them. Raises `NotJson` or `InvalidRequest`."""
    problems, deadline, objects = Problems(), Deadline(), []
    documents = list(_documents(data, problems))
    matches = match_names([path for path, _ in documents], [image.name for image in images])
    for (path, document), match in zip(documents, matches, strict=True):
        if len(match.places) != 1:
            problems.add(AMBIGUOUS if match.places else NOT_HERE, path)
            continue
        image = images[match.places[0]]
        size = document.get("imageWidth") or image.width, document.get("imageHeight") or image.height
        if size != (image.width, image.height):
            problems.add(OTHER_SIZE, path)
        else:
            objects += _objects(document, image, deadline, problems)
    categories = dict.fromkeys(each.category for each in objects)
    return FileContents(objects, list(categories), problems)


def recognises(data: bytes) -> bool:
    """Whether this is a file of labelme, or an archive of them."""
    if is_zip(data):
        archive = Archive(data)
        return any(_is_labelme(archive.read(name)) for name in archive.names(".json")[:1])
    return _is_labelme(data)


def _is_labelme(data: bytes) -> bool:
    return data.lstrip()[:1] == b"{" and b'"shapes"' in data and b'"imagePath"' in data


def _shape(annotation: Annotation, label: Label) -> dict[str, Any]:
    """The mask of the object's box. The corners of the box are its first and its last pixel."""
    crop, x, y = rle.decode_crop(annotation.mask)
    height, width = crop.shape
    return {
        "label": label.name,
        "points": [[float(x), float(y)], [float(x + width - 1), float(y + height - 1)]],
        "group_id": None,
        "description": "",
        "shape_type": "mask",
        "flags": {"crowd": True} if annotation.crowd else {},
        "mask": base64.b64encode(to_png(crop.view("u1"))).decode(),
    }


def _documents(data: bytes, problems: Problems) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """The files, each with the path of its image."""
    if not is_zip(data):
        document = load_json(data, problems)
        yield from _document("", "The file", document, problems)
        return
    archive = Archive(data)
    for name in archive.names(".json"):
        content = archive.read(name)
        try:
            document = load_json(content, problems)
        except NotJson:
            problems.add(_NOT_LABELME, name)
        else:
            yield from _document(name.rpartition("/")[0], name, document, problems)


def _document(folder: str, name: str, document: object, problems: Problems) -> Iterator[tuple[str, Mapping[str, Any]]]:
    path = document.get("imagePath") if isinstance(document, dict) else None
    if isinstance(document, dict) and isinstance(path, str) and isinstance(document.get("shapes"), list):
        yield f"{folder}/{path}".lstrip("/"), document
    else:
        problems.add(_NOT_LABELME, name)


def _objects(
    document: Mapping[str, Any], image: ImageRecord, deadline: Deadline, problems: Problems
) -> list[FileObject]:
    """The objects of one file. Shapes of one label and one group are one object."""
    masks: dict[tuple[object, ...], tuple[list[RLE], bool]] = {}
    for number, shape in enumerate(document["shapes"]):
        deadline.check()
        try:
            label, group, mask, crowd = _read(shape, image)
        except InvalidMask as error:
            problems.add(_BAD_SHAPE, image.name, str(error))
            continue
        key = (label, number) if group is None else (label, None, group)
        parts = masks[key][0] if key in masks else []
        parts.append(mask)
        masks[key] = parts, crowd
    found = masks.items()
    return [
        FileObject(image.id, FileCategory(str(key[0])), rle.union(*parts), crowd=crowd) for key, (parts, crowd) in found
    ]


def _read(shape: object, image: ImageRecord) -> tuple[str, int | None, RLE, bool]:
    """Label, group, mask and whether it is a crowd. Raises `InvalidMask`."""
    label = shape.get("label") if isinstance(shape, dict) else None
    if not isinstance(shape, dict) or not isinstance(label, str) or not label.strip():
        raise InvalidMask("It has no label.")
    group, flags = shape.get("group_id"), shape.get("flags")
    mask = read_shape(shape, image.height, image.width)
    if not rle.area(mask):
        raise InvalidMask("It covers no pixel of the image.")
    rle.check_intricacy(mask)
    crowd = isinstance(flags, dict) and flags.get("crowd") is True
    return label, group if isinstance(group, int) else None, mask, crowd


FORMAT = Format(
    name="labelme",
    title="labelme (masks)",
    media_type="application/zip",
    file_name="labelme.zip",
    losses="Supercategories, numbers, colours and keys of labels, scores, prompts and history are not in the files.",
    write=write,
    read=read,
    recognises=recognises,
)
