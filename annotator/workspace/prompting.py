"""Prompts to masks, on the whole image or in a view of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, replace

from annotator.errors import Busy, InvalidPrompt
from annotator.masks import rle as rles
from annotator.serving.segmenter import Answer, ImageSource, Refinement, Segmenter
from annotator.types import MAX_OBJECTS, RLE, BoolArray, Candidate, ImageRecord, Prompt
from annotator.workspace.images import Images
from annotator.workspace.prompt_checks import check_prompt, check_prompts
from annotator.workspace.views import View, check_inside, check_view, crop


@dataclass(frozen=True, slots=True)
class PendingAnswer:
    """An answer on its way. `finish` makes of the segmenter's answer one about the whole image."""

    future: Future[Answer]
    finish: Callable[[Answer], Answer]

    def result(self, timeout: float | None = None) -> Answer:
        """Wait for the answer. Raises what the segmenter raised."""
        return self.finish(self.future.result(timeout))


class Prompting:
    """Answers prompts. Callers wait for the future, so that no thread is held meanwhile."""

    def __init__(self, segmenter: Segmenter, images: Images) -> None:
        self._segmenter, self._images = segmenter, images

    def prompt(
        self,
        record: ImageRecord,
        prompt: Prompt,
        refine: Refinement | None = None,
        start: RLE | None = None,
        hover: str | None = None,
        view: View | None = None,
    ) -> PendingAnswer:
        """Ask for the masks of one object.

        The prompt refines the candidate `refine`. If that is forgotten, it refines the mask `start`, if given. With a
        `view`, the model sees only that part of the image, at full resolution, so edges are finer. Prompts and masks
        stay in image coordinates. A view smaller than the model's input is enlarged. With `start`, its mask outside the
        view stays, and prompts outside the view are ignored. `hover` is the id of the pointer. Raises InvalidPrompt,
        Busy.
        """
        check_prompt(prompt, record.height, record.width)
        before = None if start is None else rles.decode(start)
        view = None if view is None else self._widened(view, record)
        if view is None:
            image = self._images.source(record)
            return PendingAnswer(self._segmenter.prompt(image, prompt, refine, before, hover), lambda answer: answer)
        return self._prompt_in_view(record, prompt, refine, before, hover, view)

    def prompt_many(self, image: ImageSource, prompts: Sequence[Prompt]) -> Future[list[Candidate]]:
        """Ask for the best mask of each of up to 1024 objects of the whole image, in one batch.

        The image need not be stored. Raises InvalidPrompt naming the offending object, Busy.
        """
        if not 0 < len(prompts) <= MAX_OBJECTS:
            raise InvalidPrompt(f"A request should have 1 to {MAX_OBJECTS} objects.", "objects")
        check_prompts(prompts, image.height, image.width)
        return self._segmenter.prompt_many(image, prompts)

    def _widened(self, view: View, record: ImageRecord) -> View | None:
        check_view(view, record.height, record.width)
        side = self._segmenter.info().image_size
        if not side:
            raise Busy("The model is still loading; try again in a moment.", retry_after=2)
        return view.widen(side, record.height, record.width)

    def _prompt_in_view(
        self,
        record: ImageRecord,
        prompt: Prompt,
        refine: Refinement | None,
        before: BoolArray | None,
        hover: str | None,
        view: View,
    ) -> PendingAnswer:
        shown = prompt if before is None else view.clip_prompt(prompt)
        check_inside(view, shown)
        start = None if before is None else crop(before, view)
        image = self._images.source(record, view)
        future = self._segmenter.prompt(image, view.to_local(shown), refine, start, hover)

        def finish(answer: Answer) -> Answer:
            masks = view.paste_back(answer.candidates, record.height, record.width, before)
            return replace(answer, candidates=masks)

        return PendingAnswer(future, finish)
