"""The use cases: upload, open, prompt, keep, correct, undo, auto-mask, export.

Knows neither HTTP nor Gradio; the command line, the API and the page call the same functions. Callers have checked
that a record belongs to their user: functions take records, not ids.
"""

from __future__ import annotations

import math
import threading
import uuid
from collections import OrderedDict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np

from annotator import images
from annotator.errors import InvalidImage, InvalidMask, InvalidPrompt, NotFound
from annotator.files import ImageFiles
from annotator.formats import coco
from annotator.images import UInt8Array
from annotator.jobs import AutomaskJob, Jobs
from annotator.masks import edit
from annotator.masks import rle as rles
from annotator.sam.automask import AutomaskSettings, Progress, Proposal
from annotator.sam.predictor import MAX_POINTS
from annotator.sam.preprocess import mask_to_logits
from annotator.segmenter import Answer, Segmenter
from annotator.settings import ASSETS_DIR, Settings
from annotator.store import Store
from annotator.types import RLE, Annotation, Box, Change, FloatArray, History, ImageRecord, Project, Prompt, Source

_DECODED_IMAGES = 4
_REMEMBERED_ANSWERS = 128
_MAX_POINTS_PER_SIDE = 64
SAMPLES = {
    "skimage_chelsea": "Cat",
    "skimage_coffee": "Coffee",
    "skimage_astronaut": "Astronaut",
    "skimage_rocket": "Rocket",
}


@dataclass(frozen=True, slots=True)
class Refinement:
    """An earlier answer's candidate, whose logits the next prompt starts from."""

    token: str
    index: int


@dataclass(frozen=True, slots=True)
class Document:
    """All there is to show of one image."""

    image: ImageRecord
    annotations: list[Annotation]
    history: History


class Workspace:
    """One data folder, one database, one model."""

    def __init__(self, settings: Settings, store: Store, segmenter: Segmenter) -> None:
        self.settings, self.store, self.segmenter = settings, store, segmenter
        self.files = ImageFiles(settings.data_dir / "images")
        self.jobs = Jobs()
        self._lock = threading.Lock()
        self._pixels: OrderedDict[str, UInt8Array] = OrderedDict()
        self._answers: OrderedDict[str, tuple[str, FloatArray]] = OrderedDict()

    # --- projects and images ---

    def home(self, owner: str) -> Project:
        """The owner's first project, made on the first visit with one label to start with."""
        with self._lock:
            projects = self.store.projects(owner)
            if projects:
                return projects[0]
            project = self.store.create_project("My images", owner)
            self.store.add_label(project.id, "object")
            return project

    def add_image(self, project: Project, name: str, data: bytes) -> ImageRecord:
        """Decode, check and store an upload. Raises InvalidImage."""
        name = name.replace("\\", "/").rsplit("/", 1)[-1][:200] or "image"
        if len(data) > self.settings.max_upload_bytes:
            raise InvalidImage(f"{name} is larger than {self.settings.max_upload_bytes >> 20} MiB.")
        decoded = images.decode(data, name, self.settings.max_pixels)
        record = ImageRecord(
            id=uuid.uuid4().hex,
            project_id=project.id,
            name=name,
            content_key=self.files.add(data, decoded),
            pixel_key=decoded.pixel_key,
            width=decoded.width,
            height=decoded.height,
            orientation=decoded.orientation,
        )
        self._remember_pixels(record.content_key, decoded.pixels)
        self.store.add_image(record)
        return record

    def add_sample(self, project: Project, name: str) -> ImageRecord:
        """Add one of the shipped photos; one that is already in the project is returned as it is."""
        if name not in SAMPLES:
            raise NotFound(f"There is no sample called {name!r}.")
        file_name = f"{name}.jpg"
        for record in self.store.images(project.id)[1]:
            if record.name == file_name:
                return record
        return self.add_image(project, file_name, (ASSETS_DIR / "samples" / file_name).read_bytes())

    def pixels(self, record: ImageRecord) -> UInt8Array:
        """Upright RGB, from a small cache or decoded again."""
        with self._lock:
            cached = self._pixels.get(record.content_key)
        if cached is not None:
            return cached
        decoded = images.decode(self.files.original(record.content_key), record.name, self.settings.max_pixels)
        self._remember_pixels(record.content_key, decoded.pixels)
        return decoded.pixels

    def _remember_pixels(self, key: str, pixels: UInt8Array) -> None:
        with self._lock:
            self._pixels[key] = pixels
            while len(self._pixels) > _DECODED_IMAGES:
                self._pixels.popitem(last=False)

    # --- prompting ---

    def document(self, record: ImageRecord) -> Document:
        """The image as stored now."""
        return Document(self.store.image(record.id), self.store.annotations(record.id), self.store.history(record.id))

    def open(self, record: ImageRecord) -> Document:
        """The document; the image is encoded in the background if it has to be."""
        if not self.segmenter.has_embedding(record.pixel_key):
            self.segmenter.encode(record.pixel_key, partial(self.pixels, record))
        return self.document(record)

    def prompt(
        self,
        record: ImageRecord,
        prompt: Prompt,
        refine: Refinement | None = None,
        annotation_id: str | None = None,
        hover: str | None = None,
    ) -> tuple[str, Answer]:
        """Answer a prompt; the token names the answer for a later `refine`.

        `annotation_id` starts from that object's mask instead. Raises InvalidPrompt.
        """
        check_prompt(prompt, record.height, record.width)
        mask_input = self._logits_of(refine, record)
        if mask_input is None and annotation_id is not None:
            mask = rles.decode(self.store.annotation(record.id, annotation_id).mask)
            mask_input = mask_to_logits(mask, self.segmenter.models.predictor.mask_side)
        load = partial(self.pixels, record)
        answer = self.segmenter.prompt(record.pixel_key, load, prompt, mask_input, hover)
        token = uuid.uuid4().hex
        if hover is None:
            with self._lock:
                self._answers[token] = (record.id, answer.logits)
                while len(self._answers) > _REMEMBERED_ANSWERS:
                    self._answers.popitem(last=False)
        return token, answer

    def _logits_of(self, refine: Refinement | None, record: ImageRecord) -> FloatArray | None:
        """Logits of the candidate to refine; None if it is forgotten (a restart), which only costs some accuracy."""
        if refine is None:
            return None
        with self._lock:
            image_id, logits = self._answers.get(refine.token, ("", np.empty((0, 0, 0), np.float32)))
        return logits[refine.index] if image_id == record.id and 0 <= refine.index < len(logits) else None

    # --- annotations ---

    def keep(
        self,
        record: ImageRecord,
        label_id: int,
        mask: RLE,
        score: float | None,
        source: Source,
        prompts: dict[str, Any],
        request_id: str | None,
    ) -> tuple[Annotation, History]:
        """Add an object. With a `request_id` seen before, nothing is added again."""
        # The id follows from the request, so that a repeated request finds what the first one made.
        seed = f"{record.id}:{request_id or uuid.uuid4().hex}"
        new_id = uuid.uuid5(uuid.NAMESPACE_OID, seed).hex
        annotation = self._annotation(record, label_id, mask, score, source, prompts, new_id)
        history = self.store.commit(record.id, "keep object", [Change(None, annotation)], request_id)
        return self.store.annotation(record.id, annotation.id), history

    def _annotation(
        self,
        record: ImageRecord,
        label_id: int,
        mask: RLE,
        score: float | None,
        source: Source,
        prompts: dict[str, Any],
        annotation_id: str,
    ) -> Annotation:
        if label_id not in {label.id for label in self.store.labels(record.project_id)}:
            raise NotFound("This label does not exist in the project.")
        area = rles.area(mask)
        if not area:
            raise InvalidMask("The mask is empty; there is nothing to keep.")
        return Annotation(
            annotation_id, record.id, label_id, mask, area, rles.bbox(mask), score, source=source, prompts=prompts
        )

    def update(
        self, record: ImageRecord, annotation_id: str, changes: dict[str, Any], request_id: str | None
    ) -> tuple[Annotation, History]:
        """Set `label_id`, `mask`, `prompts` or `score` of an object."""
        before = self.store.annotation(record.id, annotation_id)
        fields = {**{name: getattr(before, name) for name in ("label_id", "mask", "score", "source", "prompts")}}
        after = self._annotation(record, **{**fields, **changes}, annotation_id=annotation_id)
        kind = "correct object" if "mask" in changes else "relabel object"
        history = self.store.commit(record.id, kind, [Change(before, after)], request_id)
        return self.store.annotation(record.id, annotation_id), history

    def delete(self, record: ImageRecord, annotation_ids: Iterable[str], request_id: str | None) -> History:
        """Remove objects, in one step of the history."""
        changes = [Change(self.store.annotation(record.id, each), None) for each in annotation_ids]
        return self.store.commit(record.id, "delete object", changes, request_id)

    def merge(self, record: ImageRecord, annotation_ids: Sequence[str], request_id: str | None) -> History:
        """Replace objects by their union, under the first one's label."""
        parts = [self.store.annotation(record.id, each) for each in dict.fromkeys(annotation_ids)]
        if len(parts) < 2:
            raise InvalidMask("Select at least two objects to merge.")
        first, *rest = parts
        mask = first.mask
        for each in rest:
            mask = edit.union(mask, each.mask)
        merged = replace(first, mask=mask, area=rles.area(mask), bbox=rles.bbox(mask), score=None, source="edit")
        changes = [Change(first, merged), *(Change(each, None) for each in rest)]
        return self.store.commit(record.id, "merge objects", changes, request_id)

    def split(self, record: ImageRecord, annotation_id: str, request_id: str | None) -> History:
        """Replace an object by its connected parts; the largest keeps the object's identity."""
        before = self.store.annotation(record.id, annotation_id)
        largest, *others = edit.split(before.mask)
        if not others:
            raise InvalidMask("This object is in one piece; there is nothing to split.")
        return self.store.commit(
            record.id,
            "split object",
            [
                Change(before, self._remade(before, largest, before.id)),
                *(Change(None, self._remade(before, part, uuid.uuid4().hex)) for part in others),
            ],
            request_id,
        )

    def clean(
        self, record: ImageRecord, annotation_id: str, fill_holes: int, drop_specks: int, request_id: str | None
    ) -> History:
        """Fill holes and drop specks of at most so many pixels."""
        before = self.store.annotation(record.id, annotation_id)
        mask = edit.drop_specks(edit.fill_holes(before.mask, fill_holes), drop_specks)
        if not rles.area(mask):
            raise InvalidMask("Nothing would be left of this object.")
        change = Change(before, self._remade(before, mask, before.id))
        return self.store.commit(record.id, "clean object", [change], request_id)

    @staticmethod
    def _remade(before: Annotation, mask: RLE, annotation_id: str) -> Annotation:
        return replace(
            before, id=annotation_id, mask=mask, area=rles.area(mask), bbox=rles.bbox(mask), source="edit", prompts={}
        )

    # --- automatic masks ---

    def start_automask(self, record: ImageRecord, points_per_side: int, region: Box | None) -> AutomaskJob:
        """Start proposing masks over the image or a box of it."""
        if not 1 <= points_per_side <= _MAX_POINTS_PER_SIDE:
            raise InvalidPrompt(f"The grid can have 1 to {_MAX_POINTS_PER_SIDE} points a side.", "points_per_side")
        if region is not None:
            check_prompt(Prompt(box=region), record.height, record.width)
        job = self.jobs.add(AutomaskJob(record.id))

        def on_progress(progress: Progress) -> None:
            job.progress = progress

        settings = AutomaskSettings(points_per_side=points_per_side)
        load = partial(self.pixels, record)
        job.follow(self.segmenter.automask(record.pixel_key, load, settings, region, on_progress))
        return job

    def accept_proposals(
        self, record: ImageRecord, job: AutomaskJob, indices: Sequence[int], label_id: int, request_id: str | None
    ) -> History:
        """Keep proposals of a finished run as objects, in one step of the history."""
        if job.image_id != record.id:
            raise NotFound("These automatic masks belong to another image.")
        chosen: list[Proposal] = []
        for index in dict.fromkeys(indices):
            if not 0 <= index < len(job.proposals):
                raise NotFound(f"There is no proposal {index}.")
            chosen.append(job.proposals[index])
        changes = []
        for each in chosen:
            x, y = each.point
            prompts = {"points": [[x, y, 1]], "box": None}
            made = self._annotation(record, label_id, each.mask, each.score, "auto", prompts, uuid.uuid4().hex)
            changes.append(Change(None, made))
        return self.store.commit(record.id, "accept automatic masks", changes, request_id)

    # --- export ---

    def export_coco(self, project: Project, image_id: str | None = None) -> dict[str, Any]:
        """A COCO dictionary of the project, or of one image; every mask is decoded back and compared first."""
        records = list(self._all_images(project, image_id))
        wanted = {record.id for record in records}
        annotations = (each for each in self.store.iter_annotations(project.id) if each.image_id in wanted)
        return coco.build(records, self.store.labels(project.id), annotations)

    def _all_images(self, project: Project, image_id: str | None) -> Iterable[ImageRecord]:
        if image_id is not None:
            yield self.store.image(image_id)
            return
        offset, total = 0, 1
        while offset < total:
            total, page = self.store.images(project.id, offset=offset, limit=500)
            yield from page
            offset += 500


def check_prompt(prompt: Prompt, height: int, width: int) -> None:
    """Against an image of `height` x `width` pixels. Raises InvalidPrompt naming the offending field."""
    if not prompt.points and prompt.box is None:
        raise InvalidPrompt("A prompt needs a point or a box.", "points")
    if len(prompt.points) + 2 * (prompt.box is not None) > MAX_POINTS:
        raise InvalidPrompt(f"A prompt can have at most {MAX_POINTS} points (a box counts as two).", "points")
    for index, (x, y, label) in enumerate(prompt.points):
        field = f"points[{index}]"
        if not (math.isfinite(x) and math.isfinite(y)):
            raise InvalidPrompt("A point's coordinates should be numbers.", field)
        if not (0 <= x <= width and 0 <= y <= height):
            raise InvalidPrompt(f"The point ({x:g}, {y:g}) lies outside the image of {width} x {height} pixels.", field)
        if label not in (0, 1):
            raise InvalidPrompt("A point's label should be 1 (object) or 0 (background).", field)
    if prompt.box is None:
        return
    if not all(math.isfinite(each) for each in prompt.box):
        raise InvalidPrompt("The box's coordinates should be numbers.", "box")
    x0, y0, x1, y1 = prompt.box
    if not (0 <= x0 < x1 <= width and 0 <= y0 < y1 <= height):
        raise InvalidPrompt(
            f"The box should lie inside the image of {width} x {height} pixels and have an area.", "box"
        )
