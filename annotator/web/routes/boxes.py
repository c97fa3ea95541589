"""The route of other tools' boxes."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, File, UploadFile

from annotator.errors import InvalidRequest
from annotator.settings import MIB
from annotator.web.deps import OwnProject, Space
from annotator.web.schemas.boxes import ReadBoxes

router = APIRouter(tags=["import and export"])


@router.post("/projects/{project_id}/boxes")
def read_boxes(file: Annotated[UploadFile, File()], project: OwnProject, space: Space) -> ReadBoxes:
    """Boxes without masks of a COCO file, a CSV file or a zip of YOLO's labels, for the images of the same names.

    Nothing is stored. Send an image's boxes to its `prompts` for their masks.
    """
    limit = space.settings.max_upload_bytes
    if (file.size or 0) > limit:
        raise InvalidRequest(f"The file is larger than {limit // MIB} MiB: split it, or raise max_upload_bytes.")
    return ReadBoxes.of(*space.boxes.read(project, file.file))
