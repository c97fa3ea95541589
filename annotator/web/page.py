"""The page's Gradio frame. Everything inside it is plain ES modules under `static/`; this file only opens the door."""

from __future__ import annotations

from typing import Any

import gradio as gr

TITLE = "Annotator"

# The import must stay dynamic: Gradio drops `type="module"` from scripts. The template holds no `${}`: a changed
# rendering would patch the element and wipe the canvas.
_TEMPLATE = '<div id="annotator"></div>'
_ON_LOAD = """
import(new URL("page/main.js", document.baseURI).href)
  .then((module) => module.mount(element.querySelector("#annotator")))
  .catch((error) => {
    element.querySelector("#annotator").textContent = "The page could not start: " + error.message;
  });
"""

_HEAD = """
<meta name="color-scheme" content="light dark">
<link rel="stylesheet" href="page/style.css">
<link rel="modulepreload" href="page/main.js">
"""

_FONTS = ["system-ui", "-apple-system", "Segoe UI", "Roboto", "Noto Sans", "sans-serif"]
_MONO_FONTS = ["ui-monospace", "SFMono-Regular", "Menlo", "Consolas", "monospace"]

MOUNT_OPTIONS: dict[str, Any] = {
    # System fonts: the page must look right without a connection to a font server.
    "theme": gr.themes.Default(font=_FONTS, font_mono=_MONO_FONTS),
    "head": _HEAD,
    "footer_links": [],
    "run_history": False,
    "ssr_mode": False,
    "show_error": True,
}
"""What `gr.mount_gradio_app` needs besides the blocks."""


def build_ui() -> gr.Blocks:
    """The page: one empty element that `static/main.js` fills."""
    with gr.Blocks(title=TITLE, fill_height=True, fill_width=True, analytics_enabled=False) as blocks:
        gr.HTML(html_template=_TEMPLATE, js_on_load=_ON_LOAD, apply_default_css=False, elem_id="annotator-frame")
    page: gr.Blocks = blocks
    return page
