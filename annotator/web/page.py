"""The page's Gradio frame, and the endpoints. Everything inside the frame is plain ES modules under `static/`."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Any

import gradio as gr

from annotator.web.auth import current_user
from annotator.web.calls import Calls
from annotator.web.endpoints import Endpoints, refuse_files
from annotator.workspace.workspace import Workspace

TITLE = "Annotator"

_HEAD = """
<meta name="color-scheme" content="light dark">
<link rel="stylesheet" href="page/style.css">
<link rel="modulepreload" href="page/main.js">
<script src="page/start.js"></script>
"""

_FONTS = ["system-ui", "-apple-system", "Segoe UI", "Roboto", "Noto Sans", "sans-serif"]
_MONO_FONTS = ["ui-monospace", "SFMono-Regular", "Menlo", "Consolas", "monospace"]

_MAX_WAITING = 32
"""Calls of endpoints that wait; more are answered 503."""

MOUNT_OPTIONS: dict[str, Any] = {
    # System fonts: the page must look right without a connection to a font server.
    "theme": gr.themes.Default(font=_FONTS, font_mono=_MONO_FONTS),
    "head": _HEAD,
    "footer_links": ["api"],
    "run_history": False,
    "ssr_mode": False,
    "show_error": True,
    "auth_dependency": current_user,
    "mcp_server": find_spec("mcp") is not None,
}
"""What `gr.mount_gradio_app` needs besides the blocks."""


def build_ui(workspace: Workspace, calls: Calls) -> gr.Blocks:
    """The page: one empty element that `static/start.js` fills, and endpoints that work without it."""
    with gr.Blocks(title=TITLE, fill_height=True, fill_width=True, analytics_enabled=False) as blocks:
        gr.Column(elem_id="annotator-frame")  # gr.HTML would evaluate text as code, which the policy forbids
        Endpoints(workspace, calls).add()
    page: gr.Blocks = blocks
    page.queue(max_size=_MAX_WAITING)
    calls.watch(page._queue)
    for component in page.blocks.values():
        component.async_move_resource_to_block_cache = refuse_files  # type: ignore[method-assign, assignment]
    return page
