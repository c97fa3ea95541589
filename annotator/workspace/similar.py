"""More objects like those that are kept: starting a search of an image. It is followed as a run of automatic masks."""

from __future__ import annotations

import uuid
from collections.abc import Sequence

from annotator.errors import Busy, InvalidRequest
from annotator.masks import rle as rles
from annotator.serving.segmenter import Example, Part, Segmenter, SimilarOptions
from annotator.storage.store import Store
from annotator.types import Annotation, ImageRecord
from annotator.workspace.images import Images
from annotator.workspace.views import View, best_view, views_of

MAX_EXAMPLES = 16


class Similar:
    """Runs are named and followed as those of `Automask`."""

    def __init__(self, segmenter: Segmenter, store: Store, images: Images) -> None:
        self._segmenter, self._store, self._images = segmenter, store, images

    def start(self, record: ImageRecord, examples_in: ImageRecord, annotation_ids: Sequence[str]) -> str:
        """Look in an image for all that is like some kept objects of the same image or of another one.

        What is kept in the image already is left out. Returns the run's id. Raises InvalidRequest, NotFound, Busy.
        """
        ids = list(dict.fromkeys(annotation_ids))
        if not 1 <= len(ids) <= MAX_EXAMPLES:
            raise InvalidRequest(f"Select 1 to {MAX_EXAMPLES} objects as examples.")
        side = self._segmenter.info().image_size
        if not side:
            raise Busy("The model is still loading; try again in a moment.", retry_after=2)
        chosen = [self._store.annotation(examples_in.id, each) for each in ids]
        areas = [each.area for each in chosen]
        views = views_of(areas, record.height, record.width, side)
        shown = views_of(areas, examples_in.height, examples_in.width, side)
        options = SimilarOptions(
            examples=[self._example(examples_in, shown, each) for each in chosen],
            parts=[Part(each.x, each.y, self._images.source(record, _whole_or(each, record))) for each in views],
            kept=[each.mask for each in self._store.annotations(record.id)],
            height=record.height,
            width=record.width,
        )
        job_id = f"{record.id}-{uuid.uuid4().hex}"
        self._segmenter.start_similar(job_id, options)
        return job_id

    def _example(self, record: ImageRecord, views: Sequence[View], annotation: Annotation) -> Example:
        """The object in the view that shows most of it."""
        index, mask = best_view(views, rles.decode(annotation.mask))
        return Example(self._images.source(record, _whole_or(views[index], record)), mask)


def _whole_or(view: View, record: ImageRecord) -> View | None:
    """The view; None if it is the whole image, whose embedding clicks use too."""
    return None if (view.width, view.height) == (record.width, record.height) else view
