"""Automatic masks of whole data sets on Ray Data: actors with a model each, on all machines of a cluster.

They read the files themselves, so these have to be under the same paths on every machine.
"""

from __future__ import annotations

import logging
import os
import pickle
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from annotator.cli.collect import Produce, automasks
from annotator.cli.files import attempt
from annotator.cli.models import load_predictor
from annotator.cli.results import MaskedImage
from annotator.errors import AnnotatorError
from annotator.imaging.decode import DecodedImage
from annotator.sam.automask import AutomaskSettings
from annotator.serving.ray_backend import (
    resources_of,
    settings_there,
    start_ray,
)  # says what to do where Ray is missing
from annotator.settings import Settings

import ray.data  # isort: skip
from ray.exceptions import RayError  # isort: skip

_AT_ONCE = 8
"""Images that an actor takes at a time. An interrupted run loses at most so many of each actor."""


class Automasker:
    """Works on one batch of paths after the other, with a model that it loads once."""

    def __init__(self, settings: Settings, chosen: AutomaskSettings) -> None:
        self._settings, self._masks_of = settings, automasks(load_predictor(settings), chosen)

    def __call__(self, batch: dict[str, Any]) -> dict[str, list[bytes]]:
        """For each path a pickled MaskedImage, or a text that says why it is skipped."""
        return {"result": [pickle.dumps(self._result(Path(path))) for path in batch["path"]]}

    def _result(self, path: Path) -> MaskedImage | str:
        found: list[MaskedImage] = []

        def work(path: Path, image: DecodedImage) -> None:
            found.append(MaskedImage(str(path), image.height, image.width, self._masks_of(path, image)))

        reason = attempt(path, self._settings, work)
        return found[0] if reason is None else reason


def on_ray(settings: Settings, chosen: AutomaskSettings) -> Produce:
    """On the cluster of RAY_ADDRESS, or on one that is started on this machine and ends with this process."""

    def produce(paths: Sequence[Path], add: Callable[[MaskedImage], None]) -> None:
        from tqdm import tqdm

        if not paths:
            return
        start_ray(max(os.cpu_count() or 1, settings.replicas))
        logging.getLogger("ray.data").setLevel(logging.WARNING)
        context = ray.data.DataContext.get_current()
        context.enable_progress_bars = False
        context.execution_options.preserve_order = True
        actors, resources = resources_of(settings)
        rows = [{"path": str(path)} for path in paths]
        dataset = ray.data.from_items(rows, override_num_blocks=-(-len(rows) // _AT_ONCE)).map_batches(
            Automasker,
            fn_constructor_args=(settings_there(settings), chosen),
            batch_size=None,
            compute=ray.data.ActorPoolStrategy(size=actors),
            **resources,
        )
        try:
            for row in tqdm(dataset.iter_rows(), total=len(rows), unit="image", disable=None):
                result = pickle.loads(row["result"])
                if isinstance(result, MaskedImage):
                    add(result)
                else:
                    tqdm.write(f"skipped: {result}", file=sys.stderr)
        except RayError as error:
            lines = str(error).strip().splitlines()
            raise AnnotatorError(f"Ray could not go on: {lines[-1]}") from error
        finally:
            ray.shutdown()

    return produce
