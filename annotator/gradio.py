"""The canvas as a component for other people's Gradio apps: `from annotator.gradio import Segment`."""

from __future__ import annotations

import atexit
import json
import shutil
import tempfile
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import quote

import gradio as gr
from gradio.components.base import server

from annotator.errors import AnnotatorError
from annotator.serving.local import LocalSegmenter
from annotator.settings import STATIC_DIR, Settings
from annotator.storage.store import Store
from annotator.web.guests import Guests, Picture, Segmentation
from annotator.workspace.workspace import Workspace

__all__ = ["Segment", "Segmentation"]

Value = Segmentation | Picture | None
"""What a component can be set to: a segmentation to go on with, or an image."""


class Segment(gr.HTML):
    """An image on which objects are clicked, kept under labels, corrected and deleted. Functions get a `Segmentation`.

    Each browser tab has a session of its own. Its images and masks are kept in a temporary folder until the process
    ends, or until they have not been used for a day.
    """

    def __init__(
        self,
        value: Value | Callable[[], Value] = None,
        *,
        model: str = "auto",
        labels: Sequence[str] = ("object",),
        height: int = 640,
        **options: Any,
    ) -> None:
        """`model` is auto, nano, tiny, small, base_plus or large; `labels` are those to start with.

        `height` is in CSS pixels. `options` are those of `gr.HTML`, such as `elem_id` and `visible`. Other settings
        come from the environment, as for `annotator serve`. Raises InvalidSetting.
        """
        self.model, self.labels, self.height = model, list(labels), height
        _guests(model)  # starts to load the model
        gr.set_static_paths([STATIC_DIR])
        super().__init__(
            html_template=f'<div id="annotator" class="embedded" style="height: {int(height)}px"></div>',
            js_on_load=_ON_LOAD.replace("MODULE", json.dumps(quote(f"{STATIC_DIR.as_posix()}/embed.js"))),
            apply_default_css=False,
            **options,
        )
        if value is not None:  # set for each visitor, so that no two share a session
            self.attach_load_event(value if callable(value) else lambda: value, None)

    def preprocess(self, payload: dict[str, Any] | None) -> Segmentation | None:  # type: ignore[override]
        """The image that is open with its objects; None if there is no image."""
        if not payload:
            return None
        try:
            return _guests(self.model).segmentation(payload["session"], payload["image"])
        except AnnotatorError as error:
            raise gr.Error(str(error), print_exception=False) from None

    def postprocess(self, value: Value) -> dict[str, Any] | None:  # type: ignore[override]
        """Open an image, or a segmentation to go on with, in a session of its own."""
        return None if value is None else _guests(self.model).show(value, self.labels)

    def api_info(self) -> dict[str, Any]:
        """Names a session of the component; clients without the component cannot make one."""
        return {"type": "object"}

    def example_payload(self) -> None:
        """None: an example would need a session."""

    def example_value(self) -> None:
        """None: an example would need a session."""

    @server  # type: ignore[untyped-decorator]
    def start(self, _: None) -> str:
        """Begin a session; its name is a secret of the browser tab."""
        return _guests(self.model).start(self.labels)

    @server  # type: ignore[untyped-decorator]
    async def send(self, request: dict[str, str]) -> dict[str, Any]:
        """Answer a request of the canvas to the REST routes, see `static/data/transport.js`."""
        return await _guests(self.model).answer(**request)


@cache
def _guests(model: str) -> Guests:
    """The sessions of all components with this model, on one workspace in a temporary folder."""
    folder = Path(tempfile.mkdtemp(prefix="annotator-"))
    settings = Settings.from_environment(
        model=model, data_dir=folder, database_url="", image_folders=(), allowed_hosts=("component",), public_url=""
    )
    segmenter = LocalSegmenter(settings)
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    atexit.register(segmenter.close)
    return Guests(Workspace(settings, Store(settings.store_url), segmenter))


# The import must stay dynamic: Gradio drops `type="module"` from scripts.
_ON_LOAD = """
const root = element.querySelector("#annotator");
const { root: address, api_prefix = "/gradio_api" } = window.gradio_config;
import(address.replace(/[/]$/, "") + api_prefix + "/file=" + MODULE)
  .then((module) => module.mount(root, { props, server, watch }))
  .catch((error) => {
    root.textContent = "The component could not start: " + error.message;
  });
"""
