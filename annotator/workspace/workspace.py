"""The use cases: upload, open, prompt, keep, correct, undo, auto-mask, export.

Knows neither HTTP nor Gradio; the command line, the API and the page call the same functions. Callers have checked
that a record belongs to their user: functions take records, not ids.
"""

from __future__ import annotations

import json
import threading
import uuid
from collections import OrderedDict, defaultdict
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from annotator.errors import Busy, InvalidImage, InvalidPrompt, NotFound, NotJson
from annotator.formats import coco
from annotator.imaging import decode as images
from annotator.imaging.decode import UInt8Array
from annotator.masks import rle as rles
from annotator.sam import zoo
from annotator.sam.automask import AutomaskRun, AutomaskSettings
from annotator.sam.preprocess import mask_to_logits
from annotator.serving.automask_jobs import AutomaskJob, Jobs
from annotator.serving.local import Answer, Segmenter
from annotator.settings import ASSETS_DIR, MIB, Settings
from annotator.storage import folders
from annotator.storage.files import ImageFiles, content_key
from annotator.storage.store import Store
from annotator.types import (
    RLE,
    Annotation,
    Box,
    Change,
    FloatArray,
    History,
    ImageRecord,
    Project,
    Prompt,
)
from annotator.workspace.annotations import Annotations
from annotator.workspace.views import Refinement, View, check_prompt, check_seen, check_view, seen

_DECODED_BYTES = 256 * MIB
_REMEMBERED_ANSWERS = 128
_Remembered = tuple[str, str, View | None, FloatArray]  # token, image, view, logits
_MAX_POINTS_PER_SIDE = 64
_MAX_PREFETCH = 4
_SPECK = 1e-4  # of the image: holes and specks up to this size are removed from automatic masks
SAMPLES = {
    "skimage_chelsea": "Cat",
    "skimage_coffee": "Coffee",
    "skimage_astronaut": "Astronaut",
    "skimage_rocket": "Rocket",
}


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
        self.annotations = Annotations(store)
        self.image_folders = folders.parse_roots(settings.image_folders)
        self._lock = threading.Lock()
        self._pixels: OrderedDict[str, UInt8Array] = OrderedDict()
        self._answers: OrderedDict[str, _Remembered] = OrderedDict()  # by token
        self._hovered: OrderedDict[str, _Remembered] = OrderedDict()  # by pointer

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
        """Decode, check and store an upload; its name may lead through folders. Raises InvalidImage."""
        name = images.relative_name(name)
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

    def add_from_server(self, project: Project, path: str) -> ImageRecord:
        """Add a copy of an image file in one of the allowed folders; the same file twice is one image."""
        data = folders.read_image(path, self.image_folders, self.settings.max_upload_bytes)
        key, name = content_key(data), Path(path).name
        for record in self.store.images_named(project.id, name):
            if record.content_key == key:
                return record
        return self.add_image(project, name, data)

    def add_sample(self, project: Project, name: str) -> ImageRecord:
        """Add one of the shipped photos; one that is already in the project is returned as it is."""
        if name not in SAMPLES:
            raise NotFound(f"There is no sample called {name!r}.")
        file_name = f"{name}.jpg"
        for record in self.store.images_named(project.id, file_name):
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
            while len(self._pixels) > 1 and sum(each.nbytes for each in self._pixels.values()) > _DECODED_BYTES:
                self._pixels.popitem(last=False)

    # --- prompting ---

    def document(self, record: ImageRecord) -> Document:
        """The image as stored now."""
        # The history first: a change in between makes it look old, and an old document is fetched again.
        history = self.store.history(record.id)
        return Document(self.store.image(record.id), self.store.annotations(record.id), history)

    def open(self, record: ImageRecord, upcoming: Sequence[ImageRecord] = ()) -> Document:
        """The document; the image is encoded in the background if it has to be, then the `upcoming` ones."""
        with suppress(Busy):  # the first click encodes as well
            self.segmenter.encode(record.pixel_key, partial(self.pixels, record), group=str(record.project_id))
            self.segmenter.prefetch({each.pixel_key: partial(self.pixels, each) for each in upcoming[:_MAX_PREFETCH]})
        return self.document(record)

    def prompt(
        self,
        record: ImageRecord,
        prompt: Prompt,
        refine: Refinement | None = None,
        start: RLE | None = None,
        hover: str | None = None,
        view: View | None = None,
    ) -> tuple[str, Answer]:
        """Answer a prompt; the token names the answer for a later `refine`.

        Where there is no answer to refine, the prompt refines the mask `start`, if that is given. With a `view` the
        model sees only that part of the image, at its full resolution: finer edges; prompts and masks stay in image
        coordinates. A view smaller than the model's input is widened to it. What `start` and its prompts are outside
        the view stays as it is. Raises InvalidPrompt.
        """
        check_prompt(prompt, record.height, record.width)
        if view is not None:
            check_view(view, record.height, record.width)
            view = view.widened(self.segmenter.models.predictor.image_size, record.height, record.width)
        if view is not None:
            prompt = prompt if start is None else view.shown(prompt)
            check_seen(view, prompt)
        mask_input = self._logits_of(refine, record, view)
        before = None
        if start is not None and (mask_input is None or view is not None):
            before = rles.decode(start)
        if mask_input is None and before is not None:
            mask = seen(before, view)
            mask_input = mask_to_logits(mask, self.segmenter.models.predictor.mask_side) if mask.any() else None
        load = partial(self.pixels, record)
        if view is None:
            answer = self.segmenter.prompt(record.pixel_key, load, prompt, mask_input, hover)
        else:
            key = f"{record.pixel_key}:{view.x},{view.y},{view.width},{view.height}"
            answered = self.segmenter.prompt(key, lambda: seen(load(), view), view.inside(prompt), mask_input, hover)
            answer = view.placed(answered, record.height, record.width, before)
        token = uuid.uuid4().hex
        with self._lock:
            # A pointer has one answer, its last: hovering must not push the answers to clicks out.
            pool, key = (self._answers, token) if hover is None else (self._hovered, hover)
            pool[key] = (token, record.id, view, answer.logits)
            pool.move_to_end(key)
            while len(pool) > _REMEMBERED_ANSWERS:
                pool.popitem(last=False)
        return token, answer

    def _logits_of(self, refine: Refinement | None, record: ImageRecord, view: View | None) -> FloatArray | None:
        """Logits of the candidate to refine, if it was seen in the same view.

        None if it is forgotten (after a restart), which only costs some accuracy.
        """
        if refine is None:
            return None
        with self._lock:
            hovered = next((each for each in self._hovered.values() if each[0] == refine.token), None)
            known = self._answers.get(refine.token, hovered)
        if known is None:
            return None
        _, image_id, seen_in, logits = known
        same = (image_id, seen_in) == (record.id, view)
        return logits[refine.index] if same and 0 <= refine.index < len(logits) else None

    # --- automatic masks ---

    def start_automask(self, record: ImageRecord, points_per_side: int | None, region: Box | None) -> AutomaskJob:
        """Start proposing masks over the image or a box of it, with the model's own grid unless one is given."""
        if points_per_side is not None and not 1 <= points_per_side <= _MAX_POINTS_PER_SIDE:
            raise InvalidPrompt(f"The grid can have 1 to {_MAX_POINTS_PER_SIDE} points a side.", "points_per_side")
        if region is not None:
            check_prompt(Prompt(box=region), record.height, record.width)
        model = self.segmenter.models.predictor.model
        job = self.jobs.add(AutomaskJob(record.id, model, self._automask_run(record, points_per_side, region)))
        self._follow(record, job)
        return job

    def _automask_run(self, record: ImageRecord, points_per_side: int | None, region: Box | None) -> AutomaskRun:
        spec = zoo.spec_of(self.segmenter.models.predictor.model)
        specks = int(record.width * record.height * _SPECK)
        settings = AutomaskSettings.of(spec, points_per_side, specks)
        return AutomaskRun(settings, record.height, record.width, region)

    def resume_automask(self, record: ImageRecord, job: AutomaskJob) -> None:
        """Go on with a run that was cancelled; where another model serves now, it starts anew."""
        model = self.segmenter.models.predictor.model
        if model != job.model:
            job.model, job.run = model, self._automask_run(record, job.run.points_per_side, job.run.region)
        self._follow(record, job)

    def _follow(self, record: ImageRecord, job: AutomaskJob) -> None:
        job.follow(self.segmenter.automask(record.pixel_key, partial(self.pixels, record), job.run))

    # --- files of other tools ---

    def import_coco(self, project: Project, data: bytes) -> tuple[int, list[str]]:
        """Add a COCO file's objects, one journal step per image; returns how many, and what could not be used."""
        try:
            document = json.loads(data)
        except (ValueError, RecursionError):
            raise NotJson("This file is not JSON.") from None
        records = {record.id: record for record in self._all_images(project)}
        entries, problems = coco.parse(document, list(records.values()))
        labels = {label.name: label.id for label in self.store.labels(project.id)}
        found: dict[str, list[Change]] = defaultdict(list)
        for each in entries:
            if each.category not in labels:
                label = self.store.add_label(project.id, each.category, supercategory=each.supercategory)
                labels[each.category] = label.id
            record, label_id, new_id = records[each.image_id], labels[each.category], uuid.uuid4().hex
            made = self.annotations.made(record, label_id, each.mask, each.score, "import", {}, new_id)
            found[each.image_id].append(Change(None, made))
        for image_id, changes in found.items():
            self.store.commit(image_id, "import objects", changes)
        return sum(map(len, found.values())), problems

    def export_coco(self, project: Project, image_id: str | None = None) -> dict[str, Any]:
        """A COCO dictionary of the project, or of one image; every mask is decoded back and compared first."""
        # Objects first: what is added to the project meanwhile then only adds images and labels without objects.
        if image_id is None:
            annotations = list(self.store.iter_annotations(project.id))
            records = list(self._all_images(project))
        else:
            annotations = self.store.annotations(image_id)
            records = [self.store.image(image_id)]
            if records[0].project_id != project.id:
                raise NotFound("There is no such image in this project.")
        return coco.build(records, self.store.labels(project.id), annotations)

    def _all_images(self, project: Project) -> Iterable[ImageRecord]:
        offset, total = 0, 1
        while offset < total:
            total, page = self.store.images(project.id, offset=offset, limit=500)
            yield from page
            offset += 500
