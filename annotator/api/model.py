"""Loading a model, and encoding images with it."""

from __future__ import annotations

import threading
from os import PathLike
from pathlib import Path
from typing import Literal

from PIL import Image as Pillow

from annotator.api.image import Image
from annotator.errors import InvalidImage, InvalidSetting
from annotator.imaging.decode import decode_pixels
from annotator.imaging.given import from_array, from_pillow
from annotator.sam import zoo
from annotator.sam.predictor import Predictor
from annotator.serving.model_host import build, pick_device
from annotator.settings import Settings
from annotator.types import AnyArray, UInt8Array

ImageLike = str | PathLike[str] | AnyArray | Pillow.Image


class Model:
    """A model that was loaded. Threads may share it: it works for one of them at a time."""

    def __init__(self, predictor: Predictor, max_pixels: int) -> None:
        """`max_pixels` limits the images that are read from files. Users call `load`."""
        self._predictor, self._max_pixels = predictor, max_pixels
        self._lock = threading.Lock()

    @property
    def name(self) -> str:
        """Its name in the list of models, such as nano."""
        return self._predictor.model

    @property
    def device(self) -> str:
        """Where it runs: cpu or cuda."""
        return str(self._predictor.device)

    def __repr__(self) -> str:
        return f"<Model {self.name} on {self.device}, {self._predictor.backend}>"

    def encode(self, image: ImageLike) -> Image:
        """Look at an image once; every question about it is fast afterwards.

        `image` is the path of a file, a Pillow image, or an array: uint8 [height, width, 3] RGB, [height, width, 4]
        RGBA or [height, width] grey. Files and Pillow images are turned upright by their EXIF orientation. What is
        transparent lies on white. Raises InvalidImage.

        >>> image = load("nano").encode("assets/samples/skimage_chelsea.jpg")
        >>> image
        <Image 451 x 300>
        """
        pixels = self._read(image)
        with self._lock:
            (embedding,) = self._predictor.encode([pixels])
        return Image(self._predictor, self._lock, pixels, embedding)

    def _read(self, image: ImageLike) -> UInt8Array:
        if isinstance(image, Pillow.Image):
            return from_pillow(image)
        if isinstance(image, str | PathLike):
            path = Path(image)
            try:
                data = path.read_bytes()
            except OSError as error:
                raise InvalidImage(f"{path} cannot be read ({error.strerror}).") from None
            return decode_pixels(data, path.name, self._max_pixels)
        return from_array(image)


def load(
    model: str | None = None,
    *,
    device: str | None = None,
    dtype: Literal["auto", "float32", "float16", "float8"] | None = None,
) -> Model:
    """Load a model, after a download under a progress bar if its weights are not here.

    `model` is nano, tiny, small, base_plus, large, or auto: the best one whose weights are on this machine. `device` is
    auto, cpu, cuda or cuda:N. What is None is as the variables ANNOTATOR_MODEL, ANNOTATOR_DEVICE and ANNOTATOR_DTYPE
    say, and auto without them. Packages made by `annotator compile` are used where they fit. Raises NotFound for an
    unknown model, ModelUnavailable if it cannot be fetched or the device is not there, InvalidSetting.

    >>> load("nano", device="cpu").name
    'nano'
    """
    given = {"model": model, "device": device, "dtype": dtype}
    try:
        settings = Settings.from_environment(**{name: value for name, value in given.items() if value is not None})
    except InvalidSetting as error:
        raise InvalidSetting(str(error).removeprefix("--")) from None
    torch_device = pick_device(settings.device)
    name = settings.model
    if name == "auto":
        name, _ = zoo.default_model(str(torch_device), settings.models_dir)
    path = fetch(name, settings)
    return Model(build(zoo.spec_of(name), path, torch_device, settings), settings.max_pixels)


def fetch(name: str, settings: Settings) -> Path:
    """The checkpoint's path, after a download under a progress bar if it is not here. Raises ModelUnavailable."""
    from tqdm import tqdm

    spec = zoo.spec_of(name)
    with tqdm(desc=spec.filename, unit="B", unit_scale=True, disable=zoo.is_present(spec, settings.models_dir)) as bar:

        def progress(done: int, total: int) -> None:
            bar.total = total
            bar.update(done - bar.n)

        return zoo.fetch(spec, settings.models_dir, progress)
