"""COCO instance files as strangers write them: each bad entry is reported, the rest is kept."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, TypeVar

from annotator.errors import InvalidMask, InvalidRequest
from annotator.formats.archive import Archive, is_zip
from annotator.formats.coco_images import EXIF_POLICY, Target, match_images, whole_number
from annotator.formats.coco_masks import Unusable, read_mask
from annotator.formats.dataset import FileCategory, FileContents, FileObject
from annotator.formats.deadline import Deadline
from annotator.formats.json_file import load_json
from annotator.formats.problems import Problem, Problems
from annotator.types import ImageRecord

_Id = int | str | None
_Value = TypeVar("_Value")

_MAX_CATEGORY_ID = 2**53 - 1
"""The largest whole number that every reader of JSON takes exactly."""

NOT_COCO = Problem("This is not a COCO file: it is no JSON object with images, categories and annotations.", "")
_NO_LIST = Problem("The file has no list of {which}.", "The file has no lists of {which}.")
_NO_OBJECT = Problem(
    "An entry of {which} is no JSON object.", "{count} entries of lists in the file are no JSON objects: {which}."
)
_BAD_ID = Problem(
    "One of the {which} has no id, or the id of another.",
    "{count} entries have no id, or the id of another: {which}.",
)
LEFT_OUT = Problem(
    "One annotation was left out with its image.", "{count} annotations were left out with their images."
)
NO_IMAGE = Problem(
    "Annotation {which} belongs to no image of the file.",
    "{count} annotations belong to no image of the file: {which}.",
)
NO_CATEGORY = Problem(
    "Annotation {which} belongs to no category of the file.",
    "{count} annotations belong to no category of the file: {which}.",
)
NAMELESS = Problem(
    "Annotation {which}: its category has no name.", "{count} annotations have a category without a name: {which}."
)
_TURNED = Problem(
    "{which} is stored turned or mirrored, and its masks too: they were turned upright.",
    "{count} photos are stored turned or mirrored, and their masks too: they were turned upright. They are {which}.",
)
_TURN_UNKNOWN = Problem(
    "{which} is stored turned or mirrored, and the file does not tell whether its masks are. They were taken as "
    "upright: check them.",
    "{count} photos are stored turned or mirrored, and the file does not tell whether their masks are. They were taken "
    "as upright: check {which}.",
)
_TOO_LONG = Problem(
    "Reading the file took too long: its last annotation was left out.",
    "Reading the file took too long: its last {count} annotations were left out. Split the file.",
)
_BAD_MASK = Problem("The mask of annotation {which} cannot be used.", "{count} masks cannot be used: {which}.")


def read(data: bytes, images: Sequence[ImageRecord]) -> FileContents:
    """What can be used of a file, or of the only JSON file of an archive.

    Raises `NotJson`, and `InvalidRequest` if the file has too many values or the archive other files.
    """
    if is_zip(data):
        archive = Archive(data)
        names = archive.names(".json")
        if len(names) != 1:
            raise InvalidRequest(f"The archive holds {len(names)} JSON files: import them one by one.")
        data = archive.read(names[0])
    problems = Problems()
    return parse(load_json(data, problems), images, problems)


def recognises(data: bytes) -> bool:
    """Whether this is an archive of COCO files, as other tools export them."""
    if not is_zip(data):
        return False
    archive = Archive(data)
    return any(b'"annotations"' in archive.read(name) for name in archive.names(".json")[:1])


def parse(document: object, images: Sequence[ImageRecord], problems: Problems) -> FileContents:
    """The usable annotations of a COCO document for these images.

    Segmentations may be compressed or uncompressed RLE or polygons, whose parts are united; they become the very pixels
    that pycocotools makes of them, turned upright where the file means the stored pixels of a turned photo.
    """
    if not isinstance(document, dict):
        problems.add(NOT_COCO)
        return FileContents([], [], problems)
    entries = dict(identified(document, "images", problems))
    targets = match_images(entries, images, is_ours(document), problems)
    categories = {key: category_of(key, entry) for key, entry in identified(document, "categories", problems)}
    annotations = list(list_entries(document, "annotations", problems))
    objects: list[FileObject] = []
    deadline = Deadline()
    for number, (place, entry) in enumerate(annotations):
        if deadline.passed:
            problems.add_many(_TOO_LONG, len(annotations) - number)
            break
        image_key, category_key = id_of(entry, "image_id"), id_of(entry, "category_id")
        if image_key in entries and image_key not in targets:
            problems.add(LEFT_OUT)
            continue
        name = f"number {place}" if (own := id_of(entry, "id")) is None else own
        try:
            target = _required(targets.get(image_key), NO_IMAGE)
            category = _required(categories.get(category_key), NO_CATEGORY)
            objects.append(_object(entry, target, category, name, problems))
        except Unusable as error:
            problems.add(error.problem, name)
        except InvalidMask as error:
            problems.add(_BAD_MASK, name, str(error))
    _report_turns(targets.values(), objects, problems)
    wanted = {each.category for each in objects}
    if objects or not annotations:
        used = {id_of(entry, "category_id") for _, entry in annotations}
        wanted |= {each for key, each in categories.items() if key not in used}
    return FileContents(objects, [each for each in categories.values() if each in wanted], problems)


def _report_turns(targets: Iterable[Target], objects: Sequence[FileObject], problems: Problems) -> None:
    """Name the photos with objects whose masks were turned, or may have to be."""
    turns = {each.image.id: each for each in targets if each.turned is not False}
    for image_id in dict.fromkeys(each.image_id for each in objects):
        if target := turns.get(image_id):
            problems.add(_TURNED if target.turned else _TURN_UNKNOWN, target.image.name)


def is_ours(document: Mapping[str, Any]) -> bool:
    """Whether this program wrote the file, so that its masks are known to be upright."""
    info = document.get("info")
    description = info.get("description") if isinstance(info, dict) else None
    return isinstance(description, str) and EXIF_POLICY in description


def list_entries(document: Mapping[str, Any], kind: str, problems: Problems) -> Iterator[tuple[int, dict[str, Any]]]:
    """The entries of one list of the document that are JSON objects, each with its place from 1 on."""
    values = document.get(kind)
    if not isinstance(values, list):
        problems.add(_NO_LIST, kind)
        return
    for place, value in enumerate(values, 1):
        if isinstance(value, dict):
            yield place, value
        else:
            problems.add(_NO_OBJECT, kind)


def identified(document: Mapping[str, Any], kind: str, problems: Problems) -> Iterator[tuple[_Id, dict[str, Any]]]:
    """The entries of one list with their ids, each id once."""
    seen: set[_Id] = {None}
    for _, entry in list_entries(document, kind, problems):
        key = id_of(entry, "id")
        if key in seen:
            problems.add(_BAD_ID, kind)
        else:
            seen.add(key)
            yield key, entry


def id_of(entry: Mapping[str, Any], field: str) -> _Id:
    """The id in a field: 7, 7.0 and "7" are one id. None if there is none."""
    value = entry.get(field)
    number = whole_number(value)
    if isinstance(value, str):  # "007" is not "7"
        return number if str(number) == value else value
    return number


def category_of(key: _Id, entry: Mapping[str, Any]) -> FileCategory:
    """The category of an entry with this id; its name may be empty."""
    name, parent = entry.get("name"), entry.get("supercategory")
    return FileCategory(
        name=name if isinstance(name, str) else "",
        supercategory=parent if isinstance(parent, str) else "",
        id=key if isinstance(key, int) and 0 <= key <= _MAX_CATEGORY_ID else None,
    )


def _required(value: _Value | None, problem: Problem) -> _Value:
    if value is None:
        raise Unusable(problem)
    return value


def _object(
    entry: Mapping[str, Any], target: Target, category: FileCategory, name: int | str, problems: Problems
) -> FileObject:
    """One annotation of the file. Raises `Unusable` or `InvalidMask`."""
    if not category.name.strip():
        raise Unusable(NAMELESS)
    mask, part_left_out = read_mask(entry, target)
    if part_left_out:
        problems.add(part_left_out, name)
    score = entry.get("score")
    return FileObject(
        image_id=target.image.id,
        category=category,
        mask=mask,
        score=float(score) if isinstance(score, int | float) and 0 <= score <= 1 else None,
        crowd=entry.get("iscrowd") in (1, True),
        source="box" if entry.get("source") == "box" else "import",
    )
