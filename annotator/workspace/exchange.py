"""Files of other tools: importing their objects, exporting ours."""

from __future__ import annotations

import os
import uuid
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import IO, NamedTuple

from annotator.errors import DatabaseUnavailable, InvalidRequest, NotFound, StorageFull
from annotator.formats import subsets
from annotator.formats.archive import parsed_bytes
from annotator.formats.dataset import Dataset, FileCategory, FileContents, FileObject
from annotator.formats.losses import Losses, measure
from annotator.formats.problems import Problem, Problems
from annotator.formats.registry import detect_format, find_format
from annotator.imaging.budget import MemoryBudget
from annotator.storage.display_names import clean_name
from annotator.storage.files import ImageFiles
from annotator.storage.store import Store
from annotator.types import FINISHED, LOCAL_USER, Annotation, ImageRecord, Project
from annotator.workspace.annotations import NewObject, new_annotation

_BAD_NAME = Problem("The category {which} cannot be a label.", "{count} categories cannot be labels: {which}.")
_BAD_PARENT = Problem(
    "The supercategory of {which} was left out.", "The supercategories of {count} categories were left out: {which}."
)
_WITHOUT_LABEL = Problem(
    "One annotation was left out with its category.", "{count} annotations were left out with their categories."
)
_OTHER_NUMBER = Problem(
    "The number of the category {which} was not taken from the file.",
    "The numbers of {count} categories were not taken from the file: {which}.",
)
_REMOVED = Problem(
    "{which} or one of its labels was removed meanwhile; its objects were left out.",
    "{count} images or their labels were removed meanwhile; their objects were left out: {which}.",
)

_PARSED_BYTES = 1 << 30
_PARSED_PER_BYTE = 8
"""Files are parsed in parallel while their memory together stays below this. Parsing needs about eight times
the size of a file, or of a zip's files unpacked."""


class Imported(NamedTuple):
    """What an import brought: `kept` objects are new, `present` ones were there already.

    `problems` has a sentence for each kind of entry that was not used as it is.
    """

    kept: int
    present: int
    problems: list[str]


@dataclass(frozen=True, slots=True)
class Selection:
    """What of a project is exported: all of it, one image, or only `finished` images, which are done or approved.

    With `val`, this share of the images, 0 to 1, is for validation, chosen by chance that follows from `seed`. Without
    it, the images' folders tell.
    """

    image_id: str | None = None
    finished: bool = False
    val: float | None = None
    seed: int = 0


EVERYTHING = Selection()


class Exchange:
    """Files in and out, in every format of `formats`."""

    def __init__(self, store: Store, files: ImageFiles) -> None:
        self._store, self._files = store, files
        self._budget = MemoryBudget(_PARSED_BYTES)

    def import_file(
        self, project: Project, format_name: str | None, file: IO[bytes], author: str = LOCAL_USER
    ) -> Imported:
        """Add a file's objects, one journal step per image.

        Without a name of a format, the file's bytes tell which it is.

        Objects that are there already are not added again, so an import that was interrupted can be repeated. Nothing
        is added before the whole file was read. Raises `NotFound` for an unknown format, `InvalidRequest` for one that
        cannot be read, `Busy` while other large files are read, and what the format's `read` raises.
        """
        records = list(self._store.iter_images(project.id))
        size = file.seek(0, os.SEEK_END)
        with self._budget.hold(size):
            needed = size + _PARSED_PER_BYTE * parsed_bytes(content(file))
        with self._budget.hold(needed):
            data = content(file)
            kind = detect_format(data) if format_name is None else find_format(format_name)
            if kind.read is None:
                raise InvalidRequest(f"{kind.title} can be written and not read.")
            contents = kind.read(data, records)
        labels = self._add_labels(project, contents)
        objects: dict[str, list[Annotation]] = defaultdict(list)
        for each in contents.objects:
            if (label_id := labels.get(each.category)) is None:
                contents.problems.add(_WITHOUT_LABEL)
            else:
                objects[each.image_id].append(_annotation(each, label_id))
        kept = present = 0
        for record in records:
            wanted = objects.get(record.id, ())
            added = self._add_objects(record, wanted, kept, contents.problems, author)
            if added is not None:
                kept, present = kept + added, present + len(wanted) - added
        return Imported(kept, present, contents.problems.sentences())

    def _add_labels(self, project: Project, contents: FileContents) -> dict[FileCategory, int]:
        """The label of every category of the contents that can have one; missing labels are added."""
        problems = contents.problems
        labels = {label.name: label for label in self._store.labels(project.id)}
        found: dict[FileCategory, int] = {}
        for category in contents.categories:
            try:
                name = clean_name(category.name, "label")
            except InvalidRequest as error:
                problems.add(_BAD_NAME, category.name, str(error))
                continue
            label = labels.get(name)
            if label is None or (label.category_id is None and category.id is not None):
                parent = _clean_parent(category, problems)
                labels[name] = label = self._store.ensure_label(project.id, name, parent, category.id)
            if category.id not in (None, label.category_id):
                here = "It has none" if label.category_id is None else f"It is {label.category_id}"
                problems.add(_OTHER_NUMBER, name, f"{here} here and {category.id} in the file.")
            found[category] = label.id
        return found

    def _add_objects(
        self, record: ImageRecord, objects: Sequence[Annotation], before: int, problems: Problems, author: str
    ) -> int | None:
        """Add those objects that the image does not have; how many, None if the image or a label is gone.

        `before` were added to other images.
        """
        if not objects:
            return 0
        try:
            return self._store.add_missing(record.id, "import objects", objects, author=author)
        except NotFound:
            problems.add(_REMOVED, record.name)
            return None
        except (DatabaseUnavailable, StorageFull) as error:
            if not before:
                raise
            reason = "the disk is full" if isinstance(error, StorageFull) else "the database is not available"
            text = f"Only {before:,} objects were imported, then {reason}: import the file again to add the rest."
            raise type(error)(text) from error

    def export(
        self,
        project: Project,
        format_name: str,
        stream: IO[bytes],
        selection: Selection = EVERYTHING,
        progress: Callable[[int, int], object] | None = None,
        check: Callable[[], object] = lambda: None,
    ) -> Dataset:
        """Write the objects that were selected into a stream; returns what was written.

        `progress` is told how many of how many images are written. `check` is called for each object. Raises `NotFound`
        for an unknown format or image, and what the format's `write`, `progress` and `check` raise.
        """
        kind = find_format(format_name)
        dataset = self._dataset(project, selection, check)
        images, val = dataset.images, selection.val
        chosen = subsets.by_folder(images) if val is None else subsets.by_chance(images, val, selection.seed)
        dataset = replace(dataset, subsets=chosen)
        if progress is not None:
            dataset = replace(dataset, progress=lambda done: progress(done, len(images)))
        kind.write(dataset, stream)
        return dataset

    def losses(
        self,
        project: Project,
        format_name: str,
        selection: Selection = EVERYTHING,
        check: Callable[[], object] = lambda: None,
    ) -> Losses:
        """What `export` would lose of the masks. Raises as `export` does."""
        return measure(find_format(format_name), self._dataset(project, selection, check))

    def _dataset(self, project: Project, selection: Selection, check: Callable[[], object]) -> Dataset:
        # Objects first. Images and labels added afterwards then do no harm: no object here belongs to them. An image
        # that is finished meanwhile is left out, for some of its objects may be missing here.
        finished = _finished(self._store.iter_images(project.id)) if selection.finished else set()
        annotations: list[Annotation] = []
        if selection.image_id is None:
            for each in self._store.iter_annotations(project.id):
                check()
                annotations.append(each)
            records = list(self._store.iter_images(project.id))
        else:
            annotations = self._store.annotations(selection.image_id)
            records = [self._store.image(selection.image_id)]
            if records[0].project_id != project.id:
                raise NotFound("There is no such image in this project.")
        if selection.finished:
            finished &= _finished(records)
            records = [each for each in records if each.id in finished]
            annotations = [each for each in annotations if each.image_id in finished]
        return Dataset(records, self._store.labels(project.id), annotations, self._read_image, check=check)

    def _read_image(self, image: ImageRecord) -> bytes:
        try:
            return self._files.original(image.content_key)
        except NotFound:
            raise NotFound(f"The file of {image.name} is no longer stored.") from None


def _finished(images: Iterable[ImageRecord]) -> set[str]:
    """The ids of those that are done or approved."""
    return {each.id for each in images if each.status in FINISHED}


def content(file: IO[bytes]) -> bytes:
    """All bytes of a file."""
    file.seek(0)
    return file.read()


def _annotation(found: FileObject, label_id: int) -> Annotation:
    new = NewObject(label_id, found.mask, found.score, found.source, crowd=found.crowd)
    return new_annotation(found.image_id, new, uuid.uuid4().hex)


def _clean_parent(category: FileCategory, problems: Problems) -> str:
    if not category.supercategory:
        return ""
    try:
        return clean_name(category.supercategory, "supercategory")
    except InvalidRequest as error:
        problems.add(_BAD_PARENT, category.name, str(error))
        return ""
