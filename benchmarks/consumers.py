"""How other tools read our exports. Runs in an environment of such a tool, without this project: see `formats.py`.

    python consumers.py TOOL FOLDER OUT.npz

FOLDER holds an unpacked export and, in `images`, the images. OUT.npz gets the masks, bool [H, W], of each image in the
order of the objects, as `IMAGE/NUMBER`, and the tool's version.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

Masks = Iterator[tuple[str, Any]]
"""Stem of the image and mask, in the order of the objects."""


def pycocotools(folder: Path) -> Masks:
    """COCO files."""
    from pycocotools.coco import COCO

    loaded = COCO(str(folder / "annotations.json"))
    for image in loaded.loadImgs(loaded.getImgIds()):
        for entry in loaded.loadAnns(loaded.getAnnIds(imgIds=image["id"])):
            yield Path(image["file_name"]).stem, loaded.annToMask(entry)


def supervision(folder: Path) -> Masks:
    """COCO files and YOLO's folders."""
    import supervision

    if (folder / "data.yaml").exists():
        subset = folder / "images" / "train"
        labels = folder / "labels" / "train"
        found = supervision.DetectionDataset.from_yolo(
            str(subset), str(labels), str(folder / "data.yaml"), force_masks=True
        )
    else:
        found = supervision.DetectionDataset.from_coco(
            str(folder / "images"), str(folder / "annotations.json"), force_masks=True
        )
    for path, _, detections in found:
        for mask in np.asarray(detections.mask):
            yield Path(path).stem, mask


def datumaro(folder: Path) -> Masks:
    """COCO files, and CVAT's."""
    import shutil

    from datumaro import Dataset

    if (folder / "annotations.xml").exists():
        found = Dataset.import_from(str(folder), "cvat")
    else:
        tree = folder / "datumaro"
        (tree / "annotations").mkdir(parents=True, exist_ok=True)
        shutil.copy(folder / "annotations.json", tree / "annotations" / "instances_train.json")
        shutil.copytree(folder / "images", tree / "images" / "train", dirs_exist_ok=True)
        found = Dataset.import_from(str(tree), "coco_instances")
    for item in found:
        groups: dict[int, Any] = {}
        for number, annotation in enumerate(sorted(item.annotations, key=lambda each: each.id)):
            if annotation.type.name == "bbox":
                continue
            mask = _datumaro_mask(annotation, item.media.size)
            group = annotation.group or -number
            groups[group] = groups[group] | mask if group in groups else mask  # the polygons of an object
        for mask in groups.values():
            yield Path(item.id).stem, mask


def _datumaro_mask(annotation: Any, size: tuple[int, int]) -> Any:
    from datumaro.util.mask_tools import rles_to_mask

    if annotation.type.name == "mask":
        return np.asarray(annotation.image, bool)
    height, width = size
    return np.asarray(rles_to_mask([list(annotation.points)], width, height), bool)


def fiftyone(folder: Path) -> Masks:
    """COCO files, by the reader of its COCO importer."""
    from fiftyone.utils.coco import COCOObject

    document = json.loads((folder / "annotations.json").read_text())
    images = {image["id"]: image for image in document["images"]}
    for entry in document["annotations"]:
        image = images[entry["image_id"]]
        width, height = image["width"], image["height"]
        found = COCOObject.from_anno_dict(entry).to_detection((width, height), load_segmentation=True)
        whole = np.zeros((height, width), bool)
        x, y = round(found.bounding_box[0] * width), round(found.bounding_box[1] * height)
        h, w = found.mask.shape
        whole[y : y + h, x : x + w] = found.mask
        yield Path(image["file_name"]).stem, whole


def ultralytics(folder: Path) -> Masks:
    """YOLO's folders, by the reader and the polygons of its trainer."""
    from ultralytics.data.utils import polygon2mask, verify_image_label

    for path in sorted((folder / "images" / "train").iterdir()):
        label = folder / "labels" / "train" / f"{path.stem}.txt"
        found = verify_image_label((str(path), str(label), "", False, 80, 0, 0, False))
        _, lines, (height, width), segments = found[:4]
        if not segments:
            for _, x, y, w, h in lines * (1, width, height, width, height):
                mask = np.zeros((height, width), bool)
                mask[round(y - h / 2) : round(y + h / 2), round(x - w / 2) : round(x + w / 2)] = True
                yield path.stem, mask
        for segment in segments:
            yield path.stem, polygon2mask((height, width), [(segment * (width, height)).reshape(-1)]).astype(bool)


def labelme(folder: Path) -> Masks:
    """labelme's files, by the reader of its window."""
    import shutil

    from labelme._label_file import read_label_file
    from labelme.utils import shapes_to_label

    for path in sorted(folder.glob("*.json")):
        shutil.copy(folder / "images" / f"{path.stem}.png", folder)
        size = json.loads(path.read_text())
        for shape in read_label_file(str(path)).shapes:
            shapes = [{**shape, "label": "object"}]
            pixels, _ = shapes_to_label((size["imageHeight"], size["imageWidth"]), shapes, {"_": 0, "object": 1})
            yield path.stem, pixels == 1


def pillow(folder: Path) -> Masks:
    """PNG files."""
    from PIL import Image

    for image in json.loads((folder / "objects.json").read_text())["images"]:
        stem = Path(image["image"]).stem
        if "instances" in image:
            values = np.asarray(Image.open(folder / image["instances"]))
        for entry in image["objects"]:
            if "value" in entry:
                yield stem, values == entry["value"]
            elif "bbox" in entry:
                x, y, w, h = entry["bbox"]
                whole = np.zeros((image["height"], image["width"]), bool)
                whole[y : y + h, x : x + w] = np.asarray(Image.open(folder / entry["file"]))[..., 3] > 0
                yield stem, whole
            else:
                yield stem, np.asarray(Image.open(folder / entry["file"])) > 0


TOOLS = {each.__name__: each for each in (pycocotools, supervision, datumaro, fiftyone, ultralytics, labelme, pillow)}


def main(tool: str, folder: str, out: str) -> None:
    """Read FOLDER with a tool, write OUT.npz."""
    found: dict[str, Any] = {"version": version(tool)}
    counts: dict[str, int] = {}
    for stem, mask in TOOLS[tool](Path(folder)):
        number = counts[stem] = counts.get(stem, -1) + 1
        found[f"{stem}/{number}"] = np.asarray(mask, bool)
    np.savez_compressed(out, **found)


if __name__ == "__main__":
    main(*sys.argv[1:])
