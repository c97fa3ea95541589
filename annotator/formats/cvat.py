"""CVAT's XML for images, version 1.1, with masks as run lengths. Reading it is in `cvat_read`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import IO
from xml.sax.saxutils import escape, quoteattr

from annotator.formats.cvat_read import read, recognises
from annotator.formats.dataset import Dataset
from annotator.formats.registry import Format
from annotator.masks import rle
from annotator.types import Annotation, Label


def write(dataset: Dataset, stream: IO[bytes]) -> None:
    """Write the file, image by image. Raises as `checked_mask`."""
    for line in _lines(dataset):
        stream.write(f"{line}\n".encode())


def _lines(dataset: Dataset) -> Iterator[str]:
    yield '<?xml version="1.0" encoding="utf-8"?>'
    yield "<annotations>"
    yield "<version>1.1</version>"
    yield "<meta><task><labels>"
    for label in dataset.labels:
        yield f"<label><name>{escape(label.name)}</name><color>{label.color}</color><type>mask</type></label>"
    yield "</labels></task></meta>"
    for number, (image, objects) in enumerate(dataset.by_image()):
        yield f"<image{_attributes(id=number, name=image.name, width=image.width, height=image.height)}>"
        for annotation, label in objects:
            yield _mask(annotation, label)
        yield "</image>"
    yield "</annotations>"


def _mask(annotation: Annotation, label: Label) -> str:
    x, y, w, h, runs = rle.to_cropped(annotation.mask)
    source = "auto" if annotation.source == "auto" else "manual"
    place = _attributes(rle=", ".join(map(str, runs)), left=x, top=y, width=w, height=h, z_order=0)
    return f"<mask{_attributes(label=label.name, source=source, occluded=0)}{place}/>"


def _attributes(**values: str | int) -> str:
    return "".join(f" {name}={quoteattr(str(value))}" for name, value in values.items())


FORMAT = Format(
    name="cvat",
    title="CVAT for images (XML)",
    media_type="application/xml",
    file_name="annotations.xml",
    losses="Crowds, supercategories, numbers and keys of labels, scores, prompts and history are not in the file.",
    write=write,
    read=read,
    recognises=recognises,
)
