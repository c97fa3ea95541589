"""Folders of YOLO labels, with the images, as ultralytics trains on: what segmentation and detection share."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterator
from pathlib import PurePosixPath
from typing import IO

import yaml
from PIL import Image

from annotator.errors import InvalidRequest
from annotator.formats.archive import Archive, is_zip, writing
from annotator.formats.dataset import Dataset
from annotator.formats.file_names import stems
from annotator.formats.subsets import SUBSETS
from annotator.imaging.decode import decode_pixels
from annotator.types import RLE, Annotation, ImageRecord

_READ_BY_ULTRALYTICS = frozenset({".jpg", ".jpeg", ".png", ".webp", ".tif", ".tiff", ".bmp"})
_MAX_YAML_BYTES = 1 << 20
_YAML = (".yaml", ".yml")
NAME_FILES = ("classes.txt", "obj.names")

LOSSES = (
    "An image without objects has an empty list of labels: to training it shows background alone. Crowds are left out. "
    "Classes are numbered anew from 0. The images are in the file; supercategories, colours, keys, scores, prompts and "
    "history are not."
)


def write(dataset: Dataset, stream: IO[bytes], coordinates: Callable[[RLE], list[float]]) -> None:
    """Write images, labels and data.yaml. `coordinates` are those of an object's line, as shares of the image's sides.

    Raises `InvalidMask`, `CorruptData`, and what the dataset's `read_image` raises.
    """
    names = stems(dataset.images)
    classes = {label.id: number for number, label in enumerate(dataset.labels)}
    with writing(stream) as archive:
        archive.add("data.yaml", _data_yaml(dataset))
        for image, objects in dataset.by_image():
            path = f"{dataset.subsets.get(image.id, 'train')}/{names[image.id]}"
            suffix, content = _image_file(image, dataset)
            archive.add(f"images/{path}{suffix}", content)
            lines = [
                " ".join([str(classes[label.id]), *(f"{value:.8g}" for value in coordinates(annotation.mask))])
                for annotation, label in dataset.each(objects)
                if not annotation.crowd
            ]
            archive.add(f"labels/{path}.txt", "".join(f"{line}\n" for line in lines))


def without_crowds(dataset: Dataset, restored: Callable[[RLE], RLE]) -> Iterator[tuple[Annotation, RLE | None]]:
    """For `Format.restored`, from the function that gives the mask of a line."""
    for _, objects in dataset.by_image():
        for annotation, _ in objects:
            yield annotation, None if annotation.crowd else restored(annotation.mask)


def is_yolo(data: bytes) -> bool:
    """Whether this is an archive with text files that may be labels."""
    return is_zip(data) and bool(label_files(Archive(data)))


def label_files(archive: Archive) -> list[str]:
    """The text files in folders called labels; all of them if there is no such folder."""
    texts = [name for name in archive.names(".txt") if name.rpartition("/")[2] not in NAME_FILES]
    return [name for name in texts if "labels" in name.split("/")[:-1]] or texts


def read_classes(archive: Archive) -> dict[int, str]:
    """The names of the classes by number; none if no file tells. Raises `InvalidRequest` for YAML that is none."""
    for name in _class_files(archive):
        content = archive.read(name)
        if name.endswith(_YAML):
            names = names_of_yaml(name, content)
        else:
            names = dict(enumerate(content.decode("utf-8", "replace").splitlines()))
        if names:
            return names
    return {}


def _data_yaml(dataset: Dataset) -> str:
    used = {dataset.subsets.get(image.id, "train") for image in dataset.images}
    lines = [f"{subset}: images/{subset}" for subset in SUBSETS if subset in used or subset == "train"]
    if "val" not in used:
        lines.insert(1, "val: images/train  # no images were set apart for validation")
    names = [f"  {number}: {json.dumps(label.name, ensure_ascii=False)}" for number, label in enumerate(dataset.labels)]
    return "\n".join(["path: .", *lines, "names:" if names else "names: {}", *names, ""])


def _image_file(image: ImageRecord, dataset: Dataset) -> tuple[str, bytes]:
    """Suffix and bytes: the image's own file, or a PNG where ultralytics would not read that."""
    data = dataset.read_image(image)
    suffix = PurePosixPath(image.name).suffix
    if suffix.lower() in _READ_BY_ULTRALYTICS:
        return suffix, data
    stream = io.BytesIO()
    Image.fromarray(decode_pixels(data, image.name, image.width * image.height)).save(stream, "PNG")
    return ".png", stream.getvalue()


def _class_files(archive: Archive) -> list[str]:
    names = archive.names()
    return [name for name in names if name.endswith(_YAML) or name.rpartition("/")[2] in NAME_FILES]


def names_of_yaml(name: str, content: bytes) -> dict[int, str]:
    """The names of the classes by number. Raises `InvalidRequest` for a file that is large, or no plain YAML."""
    if len(content) > _MAX_YAML_BYTES:
        raise InvalidRequest(f"{name} is too large for a list of classes.")
    try:
        document = yaml.load(content, _PlainLoader)
    except (yaml.YAMLError, UnicodeDecodeError, ValueError, RecursionError):
        raise InvalidRequest(f"{name} is not a YAML file.") from None
    names = document.get("names") if isinstance(document, dict) else None
    if isinstance(names, list):
        names = dict(enumerate(names))
    if not isinstance(names, dict):
        return {}
    return {
        number: str(text)
        for number, text in names.items()
        if isinstance(number, int) and isinstance(text, str | int | float)
    }


class _PlainLoader(yaml.SafeLoader):  # type: ignore[misc]  # yaml has no types
    """YAML without references, with which a short file can stand for a huge value."""

    def compose_node(self, parent: object, index: object) -> object:
        """The next node. Raises `YAMLError` for a reference."""
        if self.check_event(yaml.AliasEvent):
            raise yaml.YAMLError
        return super().compose_node(parent, index)
