"""Files of other tools: importing their objects, exporting ours."""

from __future__ import annotations

import json
import uuid
from collections import defaultdict
from typing import BinaryIO

from annotator.errors import NotFound, NotJson
from annotator.formats import coco
from annotator.formats.registry import Dataset, Format
from annotator.storage.store import Store
from annotator.types import Change, Project
from annotator.workspace.annotations import Annotations, NewObject
from annotator.workspace.images import Images


class Exchange:
    """COCO files in, files of any format out."""

    def __init__(self, store: Store, images: Images, annotations: Annotations) -> None:
        self._store, self._images, self._annotations = store, images, annotations

    def import_coco(self, project: Project, data: bytes) -> tuple[int, list[str]]:
        """Add a COCO file's objects, one journal step per image; returns how many, and what could not be used."""
        try:
            document = json.loads(data)
        except (ValueError, RecursionError):
            raise NotJson("This file is not JSON.") from None
        records = {record.id: record for record in self._images.all(project)}
        entries, problems = coco.parse(document, list(records.values()))
        labels = {label.name: label.id for label in self._store.labels(project.id)}
        found: dict[str, list[Change]] = defaultdict(list)
        for each in entries:
            if each.category not in labels:
                label = self._store.add_label(project.id, each.category, supercategory=each.supercategory)
                labels[each.category] = label.id
            new = NewObject(labels[each.category], each.mask, each.score, "import")
            made = self._annotations.new_annotation(records[each.image_id], new, uuid.uuid4().hex)
            found[each.image_id].append(Change(None, made))
        for image_id, changes in found.items():
            self._store.commit(image_id, "import objects", changes)
        return sum(map(len, found.values())), problems

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
