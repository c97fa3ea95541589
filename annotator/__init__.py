"""Click-to-segment image annotation with SAM 2.

    import annotator

    model = annotator.load("nano")
    image = model.encode("photo.jpg")
    best, *others = image.segment(points=[(320, 240)])

The names in `__all__` are all there is for programs. They are loaded when they are first used, torch with them.
"""

import os
from importlib import import_module
from typing import TYPE_CHECKING

__version__ = "0.1.0"
__all__ = ["AnnotatorError", "Image", "Mask", "Model", "load"]

# OpenMP reads this once, when torch is loaded. Its threads would otherwise spin while they wait, and slow down whatever
# else runs: see annotator/sam/threads.py.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")

if TYPE_CHECKING:
    from annotator.api.image import Image
    from annotator.api.mask import Mask
    from annotator.api.model import Model, load
    from annotator.errors import AnnotatorError
else:
    _HOMES = {"AnnotatorError": "errors", "Image": "api.image", "Mask": "api.mask"} | dict.fromkeys(
        ("Model", "load"), "api.model"
    )

    def __getattr__(name: str) -> object:
        if name not in _HOMES:
            raise AttributeError(f"module 'annotator' has no attribute {name!r}")
        return getattr(import_module(f"annotator.{_HOMES[name]}"), name)

    def __dir__() -> list[str]:
        return sorted({*globals(), *__all__})
