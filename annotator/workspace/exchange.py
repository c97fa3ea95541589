"""Files of other tools: importing their objects, exporting ours."""

from __future__ import annotations

import json
import uuid
from collections import defaultdict
from typing import BinaryIO

from annotator.errors import InvalidRequest, NotFound, NotJson
from annotator.formats import coco
from annotator.formats.registry import Dataset, Format
from annotator.storage.store import Store
from annotator.types import Annotation, Project
from annotator.workspace.annotations import Annotations, NewObject
from annotator.workspace.images import Images


class Exchange:
    """COCO files in, files of any format out."""

    def __init__(self, store: Store, images: Images, annotations: Annotations) -> None:
        self._store, self._images, self._annotations = store, images, annotations

    def import_coco(self, project: Project, data: bytes) -> tuple[int, list[str]]:
        """Add a COCO file's objects that are not there yet, one journal step per image.

        Returns how many were added, and a sentence for each thing that could not be used.
        """
        try:
            document = json.loads(data)
        except (ValueError, RecursionError):
            raise NotJson("This file is not JSON.") from None
        records = {record.id: record for record in self._images.all(project)}
        entries, problems = coco.parse(document, list(records.values()))
        labels: dict[str, int | None] = {}
        found: dict[str, list[Annotation]] = defaultdict(list)
        for each in entries:
            if each.category not in labels:
                labels[each.category] = self._label_id(project, each, problems)
            label_id = labels[each.category]
            if label_id is not None:
                new = NewObject(label_id, each.mask, each.score, "import")
                made = self._annotations.new_annotation(records[each.image_id], new, uuid.uuid4().hex)
                found[each.image_id].append(made)
        added = 0
        for image_id, objects in found.items():
            try:
                added += self._store.add_missing(image_id, "import objects", objects)
            except NotFound as error:  # the image, or a label, was deleted meanwhile
                problems.append(f"{records[image_id].name}: {error}")
        return added, problems

    def _label_id(self, project: Project, entry: coco.Imported, problems: list[str]) -> int | None:
        """The label of the entry's category, added if need be; None if there cannot be one, which is reported."""
        try:
            return self._store.ensure_label(project.id, entry.category, entry.supercategory).id
        except InvalidRequest as error:
            problems.append(f"Category {entry.category!r:.100}: {error} Its annotations were left out.")
            return None

    def export(self, project: Project, stream: BinaryIO, format: Format, image_id: str | None = None) -> Dataset:
        """Write the project, or one image of it, and return what was written. Raises NotFound for a foreign image."""
        dataset = self._dataset(project, image_id)
        format.write(dataset, stream)
        return dataset

    def _dataset(self, project: Project, image_id: str | None) -> Dataset:
        # Annotations first: what is added to the project meanwhile then only adds images and labels without any.
        if image_id is None:
            annotations = list(self._store.iter_annotations(project.id))
            records = list(self._images.all(project))
        else:
            annotations = self._store.annotations(image_id)
            records = [self._store.image(image_id)]
            if records[0].project_id != project.id:
                raise NotFound("There is no such image in this project.")
        return Dataset(records, self._store.labels(project.id), annotations)
