"""An encoded image: what one can ask about it."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from annotator.api.mask import Mask
from annotator.errors import InvalidMask, InvalidPrompt
from annotator.formats.prompts import NumberRow, object_prompt, prompt_of
from annotator.masks import rle as rles
from annotator.sam.appearance import learn
from annotator.sam.automask import AutomaskSettings, automask
from annotator.sam.candidates import find_best, find_candidates
from annotator.sam.predictor import ImageEmbedding, Predictor
from annotator.sam.preprocess import mask_to_logits
from annotator.sam.similar import SimilarRun
from annotator.types import BoolArray, Candidate, Proposal, UInt8Array
from annotator.workspace.prompt_checks import check_box, check_prompt, check_prompts
from annotator.workspace.views import best_view, crop, views_of

_MAX_CANDIDATES = 3


class Image:
    """An image that a model has looked at. `pixels` are uint8 [height, width, 3], RGB, upright.

    Coordinates are pixels of the upright image: x to the right, y down, from the top left corner.
    """

    def __init__(
        self, predictor: Predictor, lock: threading.Lock, pixels: UInt8Array, embedding: ImageEmbedding
    ) -> None:
        """Users call `Model.encode`. Whoever uses the predictor holds the lock."""
        self.pixels = pixels
        self._predictor, self._lock, self._embedding = predictor, lock, embedding

    @property
    def height(self) -> int:
        """Rows."""
        return self._embedding.height

    @property
    def width(self) -> int:
        """Columns."""
        return self._embedding.width

    def __repr__(self) -> str:
        return f"<Image {self.width} x {self.height}>"

    def segment(
        self,
        points: Sequence[NumberRow] = (),
        box: NumberRow | None = None,
        start: Mask | BoolArray | None = None,
        candidates: int = _MAX_CANDIDATES,
    ) -> list[Mask]:
        """The masks of one object, the recommended one first: at most `candidates` of them, 1 to 3.

        A point is (x, y) or (x, y, label), with label 1 for a part of the object and 0 for what does not belong to it.
        `box` is (x0, y0, x1, y1). `start` is a mask to correct: an earlier answer, or bool [height, width]. Raises
        InvalidPrompt naming the value that cannot be used, InvalidMask for a `start` of another size.

        >>> import annotator
        >>> image = annotator.load("nano").encode("assets/samples/skimage_chelsea.jpg")
        >>> best, *others = image.segment(points=[(200, 150)])
        >>> len(others)
        2
        >>> (corrected,) = image.segment(points=[(200, 150), (10, 10, 0)], start=best, candidates=1)
        >>> corrected.array.shape
        (300, 451)
        """
        if not 1 <= candidates <= _MAX_CANDIDATES:
            raise InvalidPrompt(f"There are 1 to {_MAX_CANDIDATES} candidates, not {candidates}.", "candidates")
        prompt = prompt_of(points, box)
        check_prompt(prompt, self.height, self.width)
        logits = None if start is None else mask_to_logits(self._start(start), self._predictor.mask_side)
        with self._lock:
            found = find_candidates(self._predictor, self._embedding, prompt, logits, candidates)
        return [self._mask(each) for each in found.masks]

    def segment_many(self, objects: Sequence[Mapping[str, Any]]) -> list[Mask]:
        """The best mask of each of many objects, in their order, several times as fast as one by one.

        Each object is a dictionary with "points", "box" or both, as `segment` takes them. A mask may be empty. Raises
        InvalidPrompt naming the object.

        >>> import annotator
        >>> image = annotator.load("nano").encode("assets/samples/skimage_chelsea.jpg")
        >>> eye = {"points": [(172, 103)], "box": (140, 75, 205, 130)}
        >>> cat, eye = image.segment_many([{"box": (110, 20, 440, 290)}, eye])
        >>> cat.area > eye.area > 0
        True
        """
        prompts = [object_prompt(each, f"Object {number}") for number, each in enumerate(objects, 1)]
        check_prompts(prompts, self.height, self.width)
        found: dict[int, Candidate] = {}
        with self._lock:
            for answered in find_best(self._predictor, self._embedding, prompts):
                found.update(answered)
        return [self._mask(found[index]) for index in range(len(prompts))]

    def automask(
        self, points_per_side: int | None = None, region: NumberRow | None = None, min_region_area: int = 0
    ) -> list[Mask]:
        """Masks of everything, or of everything inside of the box `region`, best score first.

        The model is asked about a grid of `points_per_side` x `points_per_side` points; None is what suits the model.
        The bundled model's scores are lower for masks that few of the points gave. Holes and specks of at most
        `min_region_area` pixels are removed. Raises InvalidPrompt.

        >>> import annotator
        >>> image = annotator.load("nano").encode("assets/samples/skimage_coffee.jpg")
        >>> masks = image.automask(points_per_side=4)
        >>> masks[0].score >= masks[-1].score
        True
        """
        if points_per_side is not None and points_per_side < 1:
            raise InvalidPrompt("points_per_side should be 1 or more.", "points_per_side")
        within = None if region is None else prompt_of((), region).box
        if within is not None:
            check_box(within, self.height, self.width, "region")
        settings = AutomaskSettings.of(self._predictor.spec, points_per_side, min_region_area)
        with self._lock:
            found = automask(self._predictor, self._embedding, settings, within)
        return [self._mask(each) for each in found]

    def similar(self, *examples: Mask | BoolArray) -> list[Mask]:
        """Everything in the image that looks like the examples, most similar first; they themselves are left out.

        From a `similarity` of 0.6 on most are of the same kind; answers go down to 0.4. Small objects are sought in
        parts of the image, which are encoded first. Raises InvalidPrompt without an example, InvalidMask for one of
        another size or without a pixel.

        >>> import annotator
        >>> image = annotator.load("nano").encode("assets/samples/skimage_coffee.jpg")
        >>> (spoon,) = image.segment(points=[(470, 320)], candidates=1)
        >>> all(mask.similarity >= 0.4 for mask in image.similar(spoon))
        True
        """
        if not examples:
            raise InvalidPrompt("Give at least one mask as an example.", "examples")
        masks = [self._start(each) for each in examples]
        if not all(mask.any() for mask in masks):
            raise InvalidMask("An example has no pixel.")
        areas = [int(np.count_nonzero(mask)) for mask in masks]
        views = views_of(areas, self.height, self.width, self._predictor.image_size)
        with self._lock:
            if len(views) == 1:
                embeddings = [self._embedding]
            else:
                embeddings = [self._predictor.encode([crop(self.pixels, view)])[0] for view in views]
            shown = [best_view(views, mask) for mask in masks]
            learnt = [(embeddings[index], mask) for index, mask in shown]
            kept = [rles.encode(mask) for mask in masks]
            run = SimilarRun(learn(learnt), kept, self.height, self.width)
            for view, embedding in zip(views, embeddings, strict=True):
                for _ in run.search(self._predictor, embedding, view.x, view.y):
                    pass
        return [self._mask(each) for each in run.proposals()]

    def _mask(self, found: Candidate | Proposal) -> Mask:
        similarity = found.similarity if isinstance(found, Proposal) else None
        return Mask(found.mask, found.score, found.stability, self.pixels, similarity)

    def _start(self, start: Mask | BoolArray) -> BoolArray:
        pixels = start.array if isinstance(start, Mask) else np.asarray(start)
        if pixels.shape != (self.height, self.width) or pixels.dtype != np.bool_:
            wanted = f"bool [{self.height}, {self.width}]"
            raise InvalidMask(f"A mask should be {wanted}, not {pixels.dtype} {list(pixels.shape)}.")
        return pixels
